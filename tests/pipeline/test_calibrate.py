"""The choice of a network by its speed, with networks whose speed a clock of the test's decides.

Mutations tried: the last candidate instead of the first that is fast enough; whole numbers tried
before bf16; a speed that is never looked up; a mean instead of the median.
"""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from stand_in import Repeater, Report, StandIn, StandInCard, card

from upreel.errors import BackendUnavailableError, OptionError
from upreel.pipeline import UpscaleJob, upscale
from upreel.pipeline.calibrate import (
    Speeds,
    chosen,
    frames_per_second,
    remembered_fps,
    speeds_path,
)
from upreel.video.info import SourceInfo
from upreel.video.probe import probe
from upreel.zoo import ModelCard

SIZES = ("fast-x2-l", "fast-x2", "fast-x2-s")


class Clock:
    """Goes on only when a network is given a frame."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Machine(StandIn):
    """A backend whose networks take as long as a table says, in seconds a frame.

    Attributes:
        takes: by name and precision; what is missing does not run here.
    """

    takes: dict[tuple[str, str], float] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    tried: list[tuple[str, str]] = field(default_factory=list)

    def load_card(self, name: str) -> StandInCard:
        whole = any(known == (name, "int8") for known in self.takes)
        tolerance = {"f32": 0.0, **({"int8": 0.0} if whole else {})}
        return replace(card(), name=name, tolerance=tolerance, sha256=name)

    def open(self, card: ModelCard, *, precision: str, **options: Any) -> Repeater:  # noqa: ANN401
        key = (card.name, precision)
        self.tried.append(key)
        if key not in self.takes:
            raise BackendUnavailableError(f"{card.name} cannot run in {precision}")
        opened = super().open(card, precision=precision, **options)

        def passes(_number: int) -> None:
            self.clock.seconds += self.takes[key]

        opened.on_submit = passes
        opened.report = Report(precision=precision)
        return opened


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes(family: str, scale: int) -> tuple[str, ...]:
        assert (family, scale) == ("fast", 2)
        return SIZES

    monkeypatch.setattr("upreel.pipeline.calibrate.ladder", sizes)


@pytest.fixture
def info(tmp_path: Path) -> SourceInfo:
    return probe(write_clip(tmp_path / "a.mp4"))  # 25 frames a second


def settled(
    machine: Machine,
    info: SourceInfo,
    speeds: Path,
    **options: Any,  # noqa: ANN401
) -> tuple[UpscaleJob, tuple[str, ...]]:
    job = UpscaleJob(source=str(info.path), model="fast", **options)
    return chosen(job, info, 2, machine, speeds=Speeds(speeds), clock=machine.clock)


SLOW_LARGE = {
    ("fast-x2-l", "auto"): 0.1,
    ("fast-x2-l", "int8"): 0.05,
    ("fast-x2", "auto"): 0.03,
    ("fast-x2", "int8"): 0.02,
    ("fast-x2-s", "auto"): 0.01,
}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("wanted", "expected", "precision"),
    [
        (None, "fast-x2", "auto"),  # the source's own 25
        (10.0, "fast-x2-l", "auto"),
        (19.0, "fast-x2-l", "int8"),
        (33.0, "fast-x2", "auto"),
        (34.0, "fast-x2", "int8"),
        (99.0, "fast-x2-s", "auto"),
    ],
)
def test_the_largest_that_is_fast_enough_is_taken(
    wanted: float | None, expected: str, precision: str, info: SourceInfo, tmp_path: Path
) -> None:
    machine = Machine(takes=SLOW_LARGE)

    job, notices = settled(machine, info, tmp_path / "speeds.json", min_fps=wanted)

    assert (job.model, job.precision, job.min_fps) == (expected, precision, None)
    fps = 1 / SLOW_LARGE[expected, precision]
    arithmetic = "" if precision == "auto" else f" in {precision}"
    wanted = wanted or 25
    assert notices == (
        f"{wanted:g} frames a second are wanted: {expected}{arithmetic} does {fps:.1f} here",
    )


@pytest.mark.usefixtures("three")
def test_where_none_is_fast_enough_the_least_is_taken_and_that_is_said(
    info: SourceInfo, tmp_path: Path
) -> None:
    machine = Machine(takes=SLOW_LARGE)
    job, notices = settled(machine, info, tmp_path / "speeds.json", min_fps=101)
    assert job.model == "fast-x2-s"
    assert notices == (
        "no network of fast does 101 frames a second: the least, fast-x2-s does 100.0 here",
    )


@pytest.mark.usefixtures("three")
def test_what_was_measured_is_known_the_next_time(info: SourceInfo, tmp_path: Path) -> None:
    first, second = Machine(takes=SLOW_LARGE), Machine(takes={})
    path = tmp_path / "cache" / "speeds.json"
    job, _ = settled(first, info, path)
    again, notices = settled(second, info, path)

    assert again == job
    assert second.tried == []
    assert notices == ("25 frames a second are wanted: fast-x2 does 33.3 here, as measured before",)
    assert [name.rpartition(" ")[0] for name in json.loads(path.read_text())] == [
        "fast-x2-l auto",
        "fast-x2-l int8",
        "fast-x2 auto",
    ]


@pytest.mark.usefixtures("three")
def test_others_can_ask_what_was_measured(info: SourceInfo, tmp_path: Path) -> None:
    """Under the same conditions only; what was not tried is not known."""
    machine, path = Machine(takes=SLOW_LARGE), tmp_path / "speeds.json"
    settled(machine, info, path, threads=1)

    def asked(name: str, **other: Any) -> float | None:  # noqa: ANN401
        conditions: dict[str, Any] = {
            "pixel_format": info.format, "width": info.width, "height": info.height, "threads": 1,
        }  # fmt: skip
        return remembered_fps(
            machine.load_card(name), speeds=Speeds(path), **{**conditions, **other}
        )

    assert asked("fast-x2-l") == pytest.approx(10)
    assert asked("fast-x2-l", precision="int8") == pytest.approx(20)
    assert asked("fast-x2") == pytest.approx(1 / 0.03)
    assert asked("fast-x2-s") is None
    for other in ({"threads": 0}, {"device": "cuda"}, {"width": info.width + 2}):
        assert asked("fast-x2", **other) is None


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "options", [{"threads": 1}, {"device": "cuda"}, {"size": (96, 80)}, {"tile": 32}]
)
def test_other_conditions_are_measured_anew(
    options: dict[str, Any], info: SourceInfo, tmp_path: Path
) -> None:
    path = tmp_path / "speeds.json"
    settled(Machine(takes=SLOW_LARGE), info, path)
    machine = Machine(takes=SLOW_LARGE)
    settled(machine, info, path, **options)
    assert len(machine.tried) == 3


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"fast-x2-l auto": "quick"}'])
def test_a_damaged_file_of_speeds_holds_nothing(
    content: str, info: SourceInfo, tmp_path: Path
) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(content)
    job, _ = settled(Machine(takes=SLOW_LARGE), info, path)
    assert job.model == "fast-x2"
    assert len(json.loads(path.read_text())) == 3


@pytest.mark.usefixtures("three")
def test_where_speeds_cannot_be_kept_that_is_said(info: SourceInfo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    job, notices = settled(Machine(takes=SLOW_LARGE), info, tmp_path / "file" / "speeds.json")
    assert job.model == "fast-x2"
    assert notices[0].startswith("speeds are measured anew each time: ")
    assert "speeds.json cannot be written: " in notices[0]
    assert len(notices) == 2


@pytest.mark.usefixtures("three")
def test_arithmetic_that_is_asked_for_is_the_only_one_tried(
    info: SourceInfo, tmp_path: Path
) -> None:
    machine = Machine(takes={(name, "f32"): 0.001 for name in SIZES})
    job, _ = settled(machine, info, tmp_path / "speeds.json", precision="f32")
    assert (job.model, job.precision) == ("fast-x2-l", "f32")
    assert machine.tried == [("fast-x2-l", "f32")]


@pytest.mark.usefixtures("three")
def test_deep_levels_and_ensembles_are_not_for_whole_numbers(tmp_path: Path) -> None:
    deep = probe(write_clip(tmp_path / "deep.mkv", pix_fmt="yuv420p10le", codec="ffv1"))
    machine = Machine(takes=SLOW_LARGE)
    job, _ = settled(machine, deep, tmp_path / "speeds.json", min_fps=34)
    assert (job.model, job.precision) == ("fast-x2-s", "auto")

    shallow = probe(write_clip(tmp_path / "b.mp4"))
    job, _ = settled(machine, shallow, tmp_path / "s.json", min_fps=34, self_ensemble=True)
    assert (job.model, job.precision) == ("fast-x2-s", "auto")


@pytest.mark.usefixtures("three")
def test_what_does_not_run_here_is_passed_over(info: SourceInfo, tmp_path: Path) -> None:
    machine = Machine(takes={("fast-x2-s", "auto"): 0.001, ("fast-x2", "int8"): 0.9})
    job, _ = settled(machine, info, tmp_path / "speeds.json")
    assert job.model == "fast-x2-s"
    with pytest.raises(BackendUnavailableError, match="fast-x2-s cannot run in auto"):
        settled(Machine(takes={}), info, tmp_path / "other.json")


def test_other_models_are_left_as_they_are_and_take_no_rate(info: SourceInfo) -> None:
    job = UpscaleJob(source=str(info.path), model="tan-x2")
    assert chosen(job, info, 2, Machine()) == (job, ())
    with pytest.raises(OptionError, match="--min-fps is for model fast, not for tan-x2"):
        chosen(replace(job, min_fps=5), info, 2, Machine())
    with pytest.raises(OptionError, match="--min-fps is for model fast, not for the default one"):
        chosen(replace(job, model=None, min_fps=5), info, 2, Machine())


def test_a_source_that_does_not_say_its_rate_needs_one(info: SourceInfo) -> None:
    unknown = replace(info, rate=None)
    with pytest.raises(OptionError, match="does not say how many frames a second"):
        chosen(UpscaleJob(source="a.mp4", model="fast"), unknown, 2, Machine())


@pytest.mark.parametrize("value", [0, -1, 1001])
def test_rates_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(OptionError, match=f"above 0, up to 1000, got {value}"):
        UpscaleJob(source="a.mp4", model="fast", min_fps=value)


def test_a_speed_is_the_median_of_a_short_while(info: SourceInfo) -> None:
    """One slow frame of eleven changes nothing; the first, which warms up, is not counted."""
    clock = Clock()
    machine = StandIn()
    opened = machine.open(
        card(),
        pixel_format=info.format,
        colour=info.colour,
        width=info.width,
        height=info.height,
        output_size=(128, 96),
        device="auto",
        precision="auto",
        threads=0,
        tile=None,
        self_ensemble=False,
    )

    def passes(number: int) -> None:
        clock.seconds += 5.0 if number in (0, 8) else 0.1

    opened.on_submit = passes
    fps = frames_per_second(opened, card(), info, seconds=5.95, clock=clock)

    assert fps == pytest.approx(10)
    assert len(opened.submitted) == 3 + 11
    assert not opened.waiting


def test_a_job_goes_on_with_the_network_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speeds are where the user's cache is, and the summary names network and choice."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clip = write_clip(tmp_path / "a.mp4")
    job = UpscaleJob(source=str(clip), output=str(tmp_path / "b.mp4"), model="fast", min_fps=1)
    told: list[str] = []

    upscale(job, on_notice=told.append, backend=StandIn())

    assert speeds_path() == tmp_path / "cache" / "upreel" / "speeds.json"
    assert len(json.loads(speeds_path().read_text())) == 1
    assert told[0].startswith("1 frames a second are wanted: repeat-x2 does ")


def test_without_a_variable_the_cache_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    assert speeds_path() == tmp_path / ".cache" / "upreel" / "speeds.json"
