"""What the benchmark against peers is asked for and comes to, and its JSON.

`upreel.evaluation.peers_run` measures and says how.

The JSON, version 1; a figure that was not measured is null:

``version``       1
``command``       that makes it again; ``date`` (UTC, ISO 8601); ``machine`` as `describe_machine`
``frames``        of each clip; ``rounds``; ``clips``: their names; ``other_load``: share of the
                  machine that other processes took meanwhile
``unmeasured``    by metric: why it was not measured
``cases``         each: ``name``, ``scale``, ``low`` and ``high`` (width, height), ``reference``
                  (bicubic's figures), ``absent`` (by name: the reason), ``rows``
``rows``          each: ``name``, ``kind`` ("network": ours, "filter", "peer"), ``engine``,
                  ``timing`` as `Timing.to_json`, ``peak_bytes``, the `FIGURES`, and the ratios
                  ``over_bicubic`` (dB) and ``fps_over_fsrcnn``
"""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upreel.errors import OptionError
from upreel.evaluation.entrant import Entrant
from upreel.evaluation.timing import Timing
from upreel.pipeline.machine import Machine

__all__ = [
    "CASES",
    "FIGURES",
    "JSON_VERSION",
    "YARDSTICK",
    "Case",
    "CaseResult",
    "Peers",
    "PeersJob",
    "Row",
    "Scores",
    "command_line",
]

JSON_VERSION = 1
FIGURES = ("psnr_y", "ssim_y", "vmaf_neg")
YARDSTICK = "OpenCV FSRCNN"
"""Whose speed all others are compared with."""

Scores = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One size and scale.

    Attributes:
        low: (width, height) of the input.
        scale: to the output.
    """

    low: tuple[int, int]
    scale: int

    @property
    def high(self) -> tuple[int, int]:
        """(width, height) of the output."""
        return self.low[0] * self.scale, self.low[1] * self.scale

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.low[1]}p to {self.high[1]}p"


CASES = (
    Case(low=(960, 540), scale=2),
    Case(low=(480, 270), scale=4),
    Case(low=(320, 180), scale=4),
)


@dataclass(frozen=True, kw_only=True)
class PeersJob:
    """What is compared.

    Attributes:
        data: clips of 8-bit 4:2:0; none: one is drawn.
        weights: ONNX files, and folders of them and of OpenCV's ``.pb`` files.
        cases: sizes and scales.
        frames: of each clip, from its first.
        rounds: how often everything is timed.
        threads: of networks, 0 for as many as there are cores; OpenCV takes what it takes.
        with_vmaf: measure VMAF-NEG.
    """

    data: tuple[Path, ...] = ()
    weights: tuple[Path, ...] = ()
    cases: tuple[Case, ...] = CASES
    frames: int = 16
    rounds: int = 5
    threads: int = 0
    with_vmaf: bool = True

    def __post_init__(self) -> None:
        for name in ("frames", "rounds"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, got {getattr(self, name)}")
        for path in self.weights:
            if not path.is_dir() and path.suffix != ".onnx":
                raise OptionError(f"{path} is neither a folder nor an .onnx file")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where OpenCV's files may lie."""
        return tuple(path for path in self.weights if path.is_dir())

    @property
    def networks(self) -> tuple[Path, ...]:
        """ONNX files, those in folders too.

        Raises:
            OptionError: two of one name, which the table could not tell apart.
        """
        found: dict[str, Path] = {}
        for place in self.weights:
            for path in sorted(place.glob("*.onnx")) if place.is_dir() else [place]:
                if path.stem in found:
                    raise OptionError(f"{found[path.stem]} and {path} have one name; rename one")
                found[path.stem] = path
        return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came out for one of them.

    Attributes:
        entrant: who.
        facts: what it says of itself.
        timing: all rounds.
        scores: by `FIGURES`; None where all frames equal the truth.
        peak_bytes: None where the system does not tell.
    """

    entrant: Entrant
    facts: Mapping[str, Any]
    timing: Timing
    scores: Scores
    peak_bytes: int | None

    def to_json(self, reference: Scores, yardstick: Timing | None) -> dict[str, Any]:
        """Plain values, with the ratios to bicubic's quality and to OpenCV FSRCNN's speed."""
        ours, base = self.scores.get("psnr_y"), reference.get("psnr_y")
        gain = None if ours is None or base is None else round(ours - base, 4)
        return {
            "name": self.entrant.label,
            "kind": self.facts["kind"],
            "engine": self.facts.get("engine"),
            "timing": self.timing.to_json(),
            "peak_bytes": self.peak_bytes,
            **{name: self.scores.get(name) for name in FIGURES},
            "over_bicubic": gain,
            "fps_over_fsrcnn": yardstick and round(yardstick.ms / self.timing.ms, 4),
        }


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What came out for one case.

    Attributes:
        case: which.
        rows: of all that ran.
        reference: bicubic's scores.
        absent: what did not run, with the reason.
    """

    case: Case
    rows: tuple[Row, ...]
    reference: Scores
    absent: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        timings = {row.entrant.label: row.timing for row in self.rows}
        return {
            "name": self.case.name,
            "scale": self.case.scale,
            "low": list(self.case.low),
            "high": list(self.case.high),
            "reference": dict(self.reference),
            "absent": dict(self.absent),
            "rows": [row.to_json(self.reference, timings.get(YARDSTICK)) for row in self.rows],
        }


@dataclass(frozen=True, kw_only=True)
class Peers:
    """What came out.

    Attributes:
        job: what was asked for.
        machine: where.
        date: when, UTC.
        clips: names of what was used.
        cases: in the job's order.
        unmeasured: metrics that were not measured, with the reason.
        other_load: share of the machine that other processes took meanwhile, None if not known.
    """

    job: PeersJob
    machine: Machine
    date: str
    clips: tuple[str, ...]
    cases: tuple[CaseResult, ...]
    unmeasured: Mapping[str, str]
    other_load: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the module's header says."""
        return {
            "version": JSON_VERSION,
            "command": command_line(self.job),
            "date": self.date,
            "machine": asdict(self.machine) | {"flags": list(self.machine.flags)},
            "frames": self.job.frames,
            "rounds": self.job.rounds,
            "clips": list(self.clips),
            "other_load": None if self.other_load is None else round(self.other_load, 4),
            "unmeasured": dict(self.unmeasured),
            "cases": [case.to_json() for case in self.cases],
        }


def command_line(job: PeersJob) -> str:
    """The command that makes a benchmark again, as a shell takes it.

    Example:
        >>> command_line(PeersJob(data=(Path("a.mkv"),), rounds=3, with_vmaf=False))
        'python benchmarks/peers.py --data a.mkv --rounds 3 --no-vmaf'
    """
    words = ["python", "benchmarks/peers.py"]
    for option, paths in (("--data", job.data), ("--weights", job.weights)):
        words += [word for path in paths for word in (option, str(path))]
    if job.cases != CASES:
        words += [word for case in job.cases for word in ("--only", case.name)]
    default = PeersJob()
    for option in ("frames", "rounds", "threads"):
        value = getattr(job, option)
        words += [f"--{option}", str(value)] if value != getattr(default, option) else []
    words += [] if job.with_vmaf else ["--no-vmaf"]
    return shlex.join(words)
