"""Whole jobs with a frame-recurrent card given by its path: one is stopped and goes on."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from typer.testing import CliRunner

from upreel.cli import app
from upreel.inference import FrameRecurrentUpscaler
from upreel.pipeline import UpscaleJob, upscale
from upreel.pipeline.backend import DefaultBackend, ReportingUpscaler
from upreel.video.probe import probe
from upreel.zoo import ModelCard


class StoppedError(Exception):
    """A kill in the middle of a job, as a test sees it."""


class Stopping(DefaultBackend):
    """Stops at a frame.

    Args:
        stopped_at: its number among those that are submitted.
    """

    def __init__(self, stopped_at: int) -> None:
        self._left = stopped_at

    def open(self, card: ModelCard, **options: Any) -> ReportingUpscaler:  # noqa: ANN401
        made = super().open(card, **options)
        assert isinstance(made, FrameRecurrentUpscaler)
        submit = made.submit

        def stopping(window: Any) -> None:  # noqa: ANN401
            if self._left == 0:
                raise StoppedError
            self._left -= 1
            submit(window)

        made.submit = stopping
        return made


@pytest.fixture
def model(small_cards: Callable[[str], ModelCard]) -> str:
    card = small_cards("frame-recurrent")
    return str(card.folder / f"{card.name}.json")


def test_a_stopped_job_goes_on_to_the_same_bytes(tmp_path: Path, model: str) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=9, width=46, height=34)

    def asked(name: str) -> UpscaleJob:
        return UpscaleJob(
            source=str(clip), output=str(tmp_path / name), model=model, device="cpu",
            precision="f32", threads=1, part_seconds=Fraction(4, 25),
        )  # fmt: skip

    straight = upscale(asked("x.mp4"))
    with pytest.raises(StoppedError):
        upscale(asked("y.mp4"), backend=Stopping(7))
    resumed = upscale(asked("y.mp4"))

    assert resumed.frames == 9
    assert 0 < resumed.resumed_frames < 9
    assert Path(resumed.output).read_bytes() == Path(straight.output).read_bytes()


def test_a_video_is_enlarged_by_the_command(tmp_path: Path, model: str) -> None:
    clip, output = write_clip(tmp_path / "a.mp4", count=4, width=46, height=34), tmp_path / "b.mp4"
    options = ["-o", str(output), "-m", model, "-d", "cpu", "--precision", "f32"]

    result = CliRunner().invoke(app, ["upscale", str(clip), *options])

    assert result.exit_code == 0, result.output
    stream = probe(output)
    assert (stream.width, stream.height) == (184, 136)
    refused = CliRunner().invoke(app, ["upscale", str(clip), *options[:-1], "bf16", "--overwrite"])
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert "frame-recurrent cannot run in bf16 on cpu" in refused.stderr
