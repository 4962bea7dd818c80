"""benchmark() with a network that repeats samples: what is run, compared, printed, refused.

Mutations tried, of what is timed along a scene: no beginning, frames left over or one too many in
flight, no run that does not count, another plane.
"""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from stand_in import StandIn, card

from upreel.errors import OptionError, OutputError
from upreel.evaluation.benchmark import (
    OURS,
    STAGE_FRAMES,
    Benchmark,
    BenchmarkJob,
    benchmark,
    summary,
    write_report,
)
from upreel.evaluation.clips import read_clip
from upreel.evaluation.memory import MemoryUse
from upreel.evaluation.stages import NetworkStage
from upreel.evaluation.timing import Sample, Timing
from upreel.inference.engine import Batch, EngineReport
from upreel.pipeline.machine import describe_machine
from upreel.zoo import ModelCard


class RepeatingSession:
    """Answers each packed position with its own samples, repeated: nearest neighbour."""

    depth = 1

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._answers: deque[Batch] = deque()

    def submit(self, batch: Batch, state: object = None) -> None:
        s = self._scale
        luma, chroma = batch[..., :4], batch[..., 4:6]
        blocks = luma.reshape(*luma.shape[:3], 2, 2).repeat(s, axis=3).repeat(s, axis=4)
        answer = [blocks.reshape(*luma.shape[:3], 4 * s * s), chroma.repeat(s * s, axis=3)]
        self._answers.append(np.concatenate(answer, axis=3))

    def wait(self) -> tuple[Batch, None]:
        return self._answers.popleft(), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, None]:
        self.submit(batch)
        return self.wait()

    def describe(self) -> EngineReport:
        return EngineReport(
            engine="numpy", device="cpu", name="any", precision="f32", threads=1, reason="a test"
        )


def open_repeating(model: object, height: int, width: int, **_: object) -> RepeatingSession:
    return RepeatingSession(model.scale)


def measured(job: BenchmarkJob) -> Benchmark:
    return benchmark(job, backend=StandIn(), sessions=open_repeating)


def test_the_stages_do_what_the_pipeline_does(tmp_path: Path) -> None:
    clip = read_clip(write_clip(tmp_path / "a.mkv", codec="ffv1", count=2))
    stage = NetworkStage(card(2), width=64, height=48, sessions=open_repeating)

    large = stage.enlarge(clip)

    for planes, low in zip(large.planes, clip.planes, strict=True):
        for plane, small in zip(planes, low, strict=True):
            np.testing.assert_array_equal(plane, small.repeat(2, axis=0).repeat(2, axis=1))


def test_everything_is_timed_on_the_same_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=10, width=128, height=64)

    result = measured(BenchmarkJob(clip=clip, model="repeat-x2", seconds=0.2, rounds=2))

    frames = {name: t.samples[0].frames for name, t in result.timings.items()}
    assert frames == {
        "decode": 5,
        "pack": 10,
        "network": 10,
        "unpack": 10,
        "encode": 10,
        OURS: 5,
        "PyAV bicubic": 5,
        "PyAV lanczos": 5,
    }
    assert all(len(t.samples) == 2 for t in result.timings.values())
    assert set(result.absent) == {
        "OpenCV FSRCNN",
        "OpenCV FSRCNN-small",
        "OpenCV ESPCN",
        "OpenCV LapSRN",
    }
    assert set(result.ratios) == {f"{OURS} / PyAV bicubic, fps", f"{OURS} / PyAV lanczos, fps"}
    assert result.clip.startswith("128x64 yuv420p, 5 frames")


def test_a_clip_is_drawn_where_none_is_given() -> None:
    result = measured(BenchmarkJob(model="repeat-x2", seconds=0.1, rounds=1, size=(96, 64)))

    assert result.clip.startswith("drawn, 96x64 yuv420p, 3 frames")


def test_missing_weights_are_listed_and_not_estimated(tmp_path: Path) -> None:
    result = measured(
        BenchmarkJob(model="repeat-x2", seconds=0.1, rounds=1, size=(96, 64), weights=tmp_path)
    )

    assert "FSRCNN_x2.pb is missing" in result.absent["OpenCV FSRCNN"]
    assert not any(name.startswith("OpenCV") for name in result.timings)
    assert "absent: OpenCV FSRCNN: " in summary(result)


def test_formats_that_are_not_packed_say_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=3, pix_fmt="yuv444p")

    result = measured(BenchmarkJob(clip=clip, model="repeat-x2", seconds=0.1, rounds=1))

    assert result.absent["network"] == "64x48 yuv444p does not go in as it is"
    assert OURS in result.timings


def test_a_recurrent_network_is_timed_as_a_whole(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=3)
    backend = StandIn(recurrent=True)
    job = BenchmarkJob(clip=clip, model="repeat-x2", seconds=0.1, rounds=1)
    reason = "repeat-x2 goes through whole scenes: its parts cannot be timed on a frame"

    result = benchmark(job, backend=backend, sessions=open_repeating)

    assert result.absent["network"] == reason
    assert OURS in result.timings


def test_a_recurrent_network_alone_is_timed_along_a_scene() -> None:
    backend = StandIn(recurrent=True)
    job = BenchmarkJob(model="repeat-x2", size=(64, 48), rounds=2, network_only=True)

    result = benchmark(job, backend=backend)

    (timing,) = result.timings.values()
    assert list(result.timings) == ["network"]
    assert [sample.frames for sample in timing.samples] == [STAGE_FRAMES] * 2
    assert result.clip == "luma of a drawn scene, 64x48"
    assert set(result.absent) == {"pack", "unpack"}
    assert result.engine["precision"] == "f32"
    assert "luma to luma" in summary(result)
    (opened,) = backend.opened
    assert (opened.format.name, opened.width, opened.height) == ("gray", 128, 96)
    assert len(opened.submitted) == 3 * STAGE_FRAMES  # once before it counts
    assert opened.since_reset == STAGE_FRAMES
    assert not opened.waiting
    first, second = (window[0][0] for window in opened.submitted[:2])
    np.testing.assert_array_equal(opened.submitted[STAGE_FRAMES][0][0], first)
    assert (first != second).mean() > 0.5  # it moves


def test_a_frame_recurrent_card_is_timed_alone(small_cards: Callable[[str], ModelCard]) -> None:
    card = small_cards("frame-recurrent")
    path = card.folder / f"{card.name}.json"
    job = BenchmarkJob(
        model=str(path), size=(48, 32), rounds=1, network_only=True, precision="f32", threads=1
    )

    result = benchmark(job)

    assert list(result.timings) == ["network"]
    assert (result.engine["precision"], result.engine["threads"]) == ("f32", 1)


def test_the_network_alone() -> None:
    job = BenchmarkJob(model="repeat-x2", size=(64, 48), rounds=2, network_only=True)

    result = measured(job)

    assert list(result.timings) == ["pack", "network", "unpack"]
    assert result.engine["precision"] == "f32"


def timing(name: str, ms: float) -> Timing:
    samples = (Sample(frames=1, seconds=ms / 1000, cpu_seconds=ms / 1000),)
    return Timing(name=name, samples=samples, cores=2)


def made(**more: object) -> Benchmark:
    values: dict[str, object] = {
        "job": BenchmarkJob(),
        "machine": describe_machine(),
        "clip": "a clip",
        "engine": {},
        "timings": {},
        "absent": {},
    }
    return Benchmark(**(values | more))


def test_ratios_above_one_are_ours_being_faster() -> None:
    milliseconds = {
        "pack": 1, "network": 8, "unpack": 1, OURS: 20, "PyAV lanczos": 10, "OpenCV ESPCN": 400,
    }  # fmt: skip

    result = made(timings={name: timing(name, ms) for name, ms in milliseconds.items()})

    assert result.ratios == pytest.approx(
        {f"{OURS} / PyAV lanczos, fps": 0.5, "pack + network + unpack / OpenCV ESPCN, fps": 40}
    )
    assert "50%" in summary(result)


def test_memory_is_compared() -> None:
    uses = tuple(
        MemoryUse(clip_seconds=s, peak_bytes=int(p * 2**20)) for s, p in ((10, 400), (100, 410))
    )

    result = made(memory=uses)

    assert result.ratios == pytest.approx({"peak memory, largest / smallest": 1.025})
    assert "100 s               410" in summary(result)
    assert json.loads(json.dumps(result.to_json()))["memory"][1]["peak_bytes"] == 410 * 2**20


def test_the_report_holds_table_and_json(tmp_path: Path) -> None:
    result = made(timings={"decode": timing("decode", 4)})

    write_report(result, tmp_path / "bench.md")

    text = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert summary(result) in text
    assert json.loads(text.split("```json\n")[1].split("```")[0]) == result.to_json()


def test_an_unwritable_report_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the report"):
        write_report(made(), tmp_path / "none" / "bench.md")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seconds": 0}, "seconds must be above 0, got 0"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"size": (961, 540)}, "size must be even and at least 16x16, got 961x540"),
        ({"network_only": True, "memory_lengths": (1,)}, "choose one"),
        ({"memory_lengths": (0,)}, "lengths must be above 0 seconds"),
    ],
)
def test_impossible_jobs_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BenchmarkJob(**values)
