"""`upreel upscale --adapt`: a network learns on from the video before it enlarges it."""

import importlib.util
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import write_clip
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.zoo import ModelCard


@pytest.fixture(autouse=True)
def steps_as_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is a hundred looks at the clock: the same steps on any machine."""
    from upreel.training import adapt

    looks = itertools.count()
    monkeypatch.setattr(adapt, "SYSTEM_CLOCK", lambda: next(looks) / 100)


def upscale(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["upscale", *map(str, arguments)])


@pytest.fixture
def model(small_cards: Callable[[str], ModelCard]) -> Path:
    card = small_cards("fast-luma")
    return card.folder / f"{card.name}.json"


def test_a_job_with_its_own_network(model: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=6)

    done = upscale(clip, "-m", model, "--adapt", "1", "--json")

    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["model"] == "fast-luma-adapted"
    assert "fast-luma adapted to this video for 1 s" in result["notices"][1]
    assert result["frames"] == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "a_x2.mkv"]


def test_a_batch_goes_on_after_a_file_that_is_too_short(model: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "a.mkv", count=2)
    clip = write_clip(tmp_path / "b.mkv", count=6)

    done = upscale(short, clip, "-m", model, "--adapt", "1")

    assert done.exit_code == 1
    assert "a.mkv: adapting needs 4 frames and more, got 2" in done.stderr
    assert "fast-luma adapted to this video for 1 s" in done.stderr
    assert (tmp_path / "b_x2.mkv").exists()


def test_into_a_pipe(model: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=6)

    done = upscale(clip, "-m", model, "--adapt", "1", "-o", "-")

    assert done.exit_code == 0, done.stderr
    assert done.stdout_bytes.startswith(b"YUV4MPEG2 W128 H96")
    assert "fast-luma-adapted on cpu" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--adapt", "0"], "upreel: --adapt takes more than 0 seconds, got 0\n"),
        (["-m", "fast-x2", "--adapt", "1", "--dry-run", "-q"], "of x2 these can: tan-x2"),
        (
            ["-m", "fast-x2", "--adapt", "1"],
            "fast-x2 cannot be asked about a picture turned over: it sees chroma",
        ),
    ],
)
def test_what_cannot_be_adapted_is_one_line(
    arguments: list[str], line: str, tmp_path: Path
) -> None:
    done = upscale(write_clip(tmp_path / "a.mkv"), *arguments)

    assert done.exit_code == 1
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_without_pytorch_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    done = upscale(clip, "--adapt", "5")

    assert done.exit_code == 1
    assert done.stderr == "upreel: --adapt needs PyTorch: pip install 'upreel[train]'\n"


def test_a_dry_run_does_not_train(model: Path, tmp_path: Path) -> None:
    done = upscale(write_clip(tmp_path / "a.mkv"), "-m", model, "--adapt", "600", "--dry-run")

    assert done.exit_code == 0, done.output
    assert "a dry run does not adapt: about 600 s a file come on top" in done.stderr
