"""One evaluation: every contestant on the same frames, every metric on the same planes.

Means    of a clip: over its frames. Of a source: over its clips. Of the set: over its sources.
Luma     PSNR and SSIM are of Y, all frames, no crop; PSNR of Cb and Cr stands beside.
"""

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from upreel.errors import OptionError
from upreel.evaluation.contestants import Contestant, EngineOptions, Picture, open_contestant
from upreel.evaluation.degrade import Degraded, parse_degradation, to_levels
from upreel.evaluation.sets import (
    PUBLISHED_INPUT,
    VID4,
    list_folder,
    open_folder,
    open_vid4,
    source_of,
    uses_published,
)
from upreel.evaluation.vmaf import find_ffmpeg, vmaf, write_y4m
from upreel.metrics import psnr, ssim
from upreel.pipeline.backend import Backend, DefaultBackend

__all__ = ["ClipScore", "Evaluation", "EvaluationJob", "ProtocolCheck", "Shot", "evaluate"]

ANCHOR_PSNR = (23.78, 0.005)  # dB, tolerance: bicubic on Vid4 x4 BI
ANCHOR_SSIM = (0.6347, 0.0005)

Scores = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EvaluationJob:
    """What is compared, and how.

    Attributes:
        set: "vid4", or a folder of videos.
        data: Vid4's folder, where `set` is "vid4".
        models: baselines, ``opencv:NAME``, models or cards' paths, in the table's order.
        scale: 2, 3 or 4.
        degradation: ``BI`` or ``codec:ENCODER:crfN``.
        only: clips or sources of the folder to take; empty for all.
        limit: at most so many frames of each clip, None for all.
        with_vmaf: measure VMAF and VMAF-NEG too.
        engine: how networks run.
    """

    set: str
    models: tuple[str, ...]
    scale: int
    data: Path | None = None
    degradation: str = "BI"
    only: tuple[str, ...] = ()
    limit: int | None = None
    with_vmaf: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions)

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise OptionError(f"scale {self.scale} is not there; allowed: 2, 3, 4")
        if not self.models:
            raise OptionError("no model given; --models takes a list such as bicubic,fast-x4")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit must be at least 1 frame, got {self.limit}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipScore:
    """One contestant on one clip.

    Attributes:
        model: the contestant.
        clip: name of the clip.
        source: what the clip was cut from.
        frames: values of each metric, one a frame: ``psnr_y``, ``ssim_y``, ``psnr_cb``,
            ``psnr_cr``, ``vmaf``, ``vmaf_neg``.
        seconds: that the contestant took, reading and measuring not counted.
    """

    model: str
    clip: str
    source: str
    frames: Mapping[str, tuple[float, ...]]
    seconds: float

    @property
    def mean(self) -> dict[str, float]:
        """Mean over the frames."""
        return {name: _mean(values) for name, values in self.frames.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtocolCheck:
    """Whether the measurement itself reads what the published protocol reads.

    Attributes:
        passed: None where there is no published figure to compare with.
        message: one line.
    """

    passed: bool | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """The middle frame of a clip, for pictures.

    Attributes:
        clip: its name.
        pair: ground truth and input, of which `index` is shown.
        index: number of the frame.
        planes: by contestant.
    """

    clip: str
    pair: Degraded
    index: int
    planes: Mapping[str, Picture]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evaluation:
    """What came out.

    Attributes:
        job: what was asked for.
        scores: every contestant on every clip.
        check: whether the protocol holds.
        facts: of each contestant, as plain values.
        degradation: in words.
        shots: one frame of the first clip of each source.
    """

    job: EvaluationJob
    scores: tuple[ClipScore, ...]
    check: ProtocolCheck
    facts: Mapping[str, Mapping[str, Any]]
    degradation: str
    shots: tuple[Shot, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Contestants in the order they ran in."""
        return tuple(dict.fromkeys(s.model for s in self.scores))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources in the order they ran in."""
        return tuple(dict.fromkeys(s.source for s in self.scores))

    def of_source(self, model: str, source: str) -> dict[str, float]:
        """Mean over the clips of a source."""
        return _mean_scores(
            [s.mean for s in self.scores if s.model == model and s.source == source]
        )

    def of_set(self, model: str) -> dict[str, float]:
        """Mean over the sources."""
        return _mean_scores([self.of_source(model, source) for source in self.sources])

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite (equal planes) becomes None."""
        return {
            "set": self.job.set,
            "scale": self.job.scale,
            "degradation": {"name": self.job.degradation, "description": self.degradation},
            "limit": self.job.limit,
            "protocol": {"passed": self.check.passed, "message": self.check.message},
            "models": [
                {
                    "name": model,
                    **self.facts[model],
                    "mean": _finite(self.of_set(model)),
                    "sources": {s: _finite(self.of_source(model, s)) for s in self.sources},
                    "clips": [
                        {
                            "name": score.clip,
                            "source": score.source,
                            "num_frames": len(score.frames["psnr_y"]),
                            "seconds": round(score.seconds, 4),
                            "mean": _finite(score.mean),
                        }
                        for score in self.scores
                        if score.model == model
                    ],
                }
                for model in self.models
            ],
        }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _mean_scores(scores: Sequence[Scores]) -> dict[str, float]:
    return {name: _mean([s[name] for s in scores]) for name in scores[0]}


def _finite(scores: Scores) -> dict[str, float | None]:
    return {k: round(v, 5) if math.isfinite(v) else None for k, v in scores.items()}


def evaluate(
    job: EvaluationJob,
    on_progress: Callable[[str, int, int], None] | None = None,
    *,
    backend: Backend | None = None,
) -> Evaluation:
    """Run every contestant on every clip.

    Args:
        job: what to compare.
        on_progress: called with what is worked on, steps done and steps in all.
        backend: where networks come from; None: the project's own zoo and engines.

    Raises:
        UpreelError: a clip, a model or a package is not there or does not fit.
    """
    degradation = parse_degradation(job.degradation)
    if job.with_vmaf:
        find_ffmpeg()  # before the work, not after it
    num_clips, pairs = _open_set(job)
    models = dict.fromkeys(job.models)
    published = job.set == "vid4" and uses_published(job.scale, degradation)
    anchored = published and job.limit is None
    if anchored:
        models = {"bicubic": None} | models  # it tells whether the protocol holds
    zoo = backend or DefaultBackend()
    contestants = [open_contestant(name, job.scale, job.engine, zoo) for name in models]
    scores: list[ClipScore] = []
    shots: list[Shot] = []
    for n, pair in enumerate(pairs):
        source = source_of(pair.truth.name)
        first = all(s.source != source for s in scores)
        middle: dict[str, Picture] = {}
        with (
            tempfile.TemporaryDirectory(prefix="upreel-vmaf-") if job.with_vmaf else nullcontext()
        ) as folder:
            scratch = Path(folder) if folder else None
            for m, contestant in enumerate(contestants):
                if on_progress:
                    done = n * len(contestants) + m
                    on_progress(
                        f"{pair.truth.name}: {contestant.name}", done, num_clips * len(contestants)
                    )
                score, planes = _score(contestant, pair, job.scale, source, scratch)
                scores.append(score)
                middle[contestant.name] = planes
        if first:
            index = pair.truth.num_frames // 2
            shots.append(Shot(clip=pair.truth.name, pair=pair, index=index, planes=middle))
    evaluation = Evaluation(
        job=job,
        scores=tuple(scores),
        check=ProtocolCheck(passed=None, message="no published figure for this set and input"),
        facts={c.name: c.facts for c in contestants},
        degradation=PUBLISHED_INPUT if published else degradation.description,
        shots=tuple(shots),
    )
    return _checked(evaluation) if anchored else evaluation


def _open_set(job: EvaluationJob) -> tuple[int, Iterator[Degraded]]:
    degradation = parse_degradation(job.degradation)
    if job.set == "vid4":
        if job.data is None:
            raise OptionError("--set vid4 needs --data DIR, the folder with GT and BIx4")
        if job.only:
            raise OptionError("--only picks clips of a folder; vid4 is always all four clips")
        return len(VID4), open_vid4(job.data, job.scale, degradation, limit=job.limit)
    paths = list_folder(Path(job.set), job.only)
    return len(paths), open_folder(paths, job.scale, degradation, limit=job.limit)


def _score(
    contestant: Contestant, pair: Degraded, scale: int, source: str, scratch: Path | None
) -> tuple[ClipScore, Picture]:
    """Scores of one contestant on one clip, and its middle frame."""
    truth = pair.truth
    started = time.perf_counter()
    results = list(contestant.enhance(pair.low, scale))
    seconds = time.perf_counter() - started
    frames: dict[str, tuple[float, ...]] = {}
    peak = truth.format.max_value
    both = list(zip(truth.planes, results, strict=True))
    frames["psnr_y"] = tuple(psnr(a[0], b[0], max_value=peak) for a, b in both)
    frames["ssim_y"] = tuple(ssim(a[0], b[0], max_value=peak) for a, b in both)
    if truth.format.model == "yuv":
        for n, name in ((1, "psnr_cb"), (2, "psnr_cr")):
            frames[name] = tuple(psnr(a[n], b[n], max_value=peak) for a, b in both)
    if scratch is not None:
        reference, judged = scratch / "truth.y4m", scratch / "judged.y4m"
        if not reference.exists():
            write_y4m(reference, truth.planes, truth.format, truth.rate)
        rounded = (to_levels(planes, truth.format) for planes in results)
        write_y4m(judged, rounded, truth.format, truth.rate)
        frames |= vmaf(reference, judged)
    score = ClipScore(
        model=contestant.name, clip=truth.name, source=source, frames=frames, seconds=seconds
    )
    return score, results[truth.num_frames // 2]


def _checked(evaluation: Evaluation) -> Evaluation:
    """Compare bicubic on Vid4 x4 BI with what the field publishes."""
    read = evaluation.of_set("bicubic")
    (psnr_y, psnr_off), (ssim_y, ssim_off) = ANCHOR_PSNR, ANCHOR_SSIM
    passed = abs(read["psnr_y"] - psnr_y) <= psnr_off and abs(read["ssim_y"] - ssim_y) <= ssim_off
    figures = f"bicubic reads {read['psnr_y']:.3f} dB / {read['ssim_y']:.5f}"
    expected = f"published {psnr_y} dB / {ssim_y}"
    message = (
        f"{figures} ({expected}): the protocol holds"
        if passed
        else f"the protocol is off: {figures}, {expected}; no figure of this run compares"
    )

    return replace(evaluation, check=ProtocolCheck(passed=passed, message=message))
