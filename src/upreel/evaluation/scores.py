"""What an evaluation came to, and its JSON.

Means    of a clip: over its frames (pairs). Of a source: over its clips. Of the set: over its
         sources. A metric that one clip lacks has no mean over it.
Equal    where a plane equals the ground truth's, its PSNR is infinite, and a filter that is not
         rounded may read 150 dB for the same black frame. So one frame's PSNR counts as at most
         `largest_psnr` in every mean: 60 dB for 8 bits. That is the limit of libvmaf, and about
         what rounding to code values leaves. The means of all contestants are over the same
         frames and do not change with who else is compared; who is better or equal on every frame
         has no lower mean. How many frames were limited is told. A mean is infinite ("equal")
         where all its frames are equal, only then.

The JSON (``--json``, ``report.json``), version 3; what is infinite (equal planes) is null, and so
is a pair of ``frames`` that nothing can be said of (`upreel.metrics.warping_error`):

``version``      3
``set``, ``scale``, ``limit``     as asked for; limit is null where all frames were taken
``degradation``  ``name`` as asked for, ``description`` in words
``complete``     whether all frames of the whole set were taken: false is a quick look
``protocol``     ``passed`` (null: nothing to check against) and ``message``
``command``      that makes it again; ``date`` (UTC, ISO 8601); ``machine`` as `describe_machine`
``metrics``      by key: ``label``, ``decimals``, ``better``, ``meaning``
``absent``       by key: why a metric was not measured
``truth``        by clip: ``num_frames``, ``width``, ``height``, ``rate``, and what the truth
                 itself reads: ``warping_error`` and ``seen``, the share of samples it is over
``models``       each: ``name``, ``kind`` ("filter", "network", "peer", "frames"), ``parameters``,
                 ``macs_per_pixel``, ``sha256``, ``engine``, ... as far as known, ``fps``, ``mean``
                 and ``sources`` by metric, ``clips``: ``name``, ``source``, ``num_frames``,
                 ``seconds``, ``fps``, ``mean``, ``frames`` (a list by metric), ``limited``
                 (by metric, how many frames count as at most `largest_psnr`, where any do)
``pictures``     in ``report.json`` only: see `upreel.evaluation.pictures`
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from upreel.evaluation.measure import METRICS

__all__ = ["JSON_VERSION", "ClipScore", "Evaluation", "ProtocolCheck", "largest_psnr"]

JSON_VERSION = 3

Scores = Mapping[str, float]


def largest_psnr(bits: int) -> float:
    """What the PSNR of one frame counts as in a mean at most, in dB.

    Args:
        bits: of a sample.

    Example:
        >>> largest_psnr(8), largest_psnr(10)
        (60.0, 72.0)
    """
    return 6.0 * bits + 12.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipScore:
    """One contestant on one clip.

    Attributes:
        model: the contestant.
        clip: name of the clip.
        source: what the clip was cut from.
        num_frames: of the clip.
        frames: values of each metric of `upreel.evaluation.measure`, one a frame or pair.
        seconds: that the contestant took, reading, opening and measuring not counted; None where
            it did not run here.
        bits: of the clip's samples.
    """

    model: str
    clip: str
    source: str
    num_frames: int
    frames: Mapping[str, tuple[float, ...]]
    seconds: float | None
    bits: int = 8

    @property
    def counted(self) -> dict[str, float]:
        """Mean over the frames, each PSNR limited by `largest_psnr`: what further means are of.

        Pairs without a value are left out: nothing of the ground truth is seen in both of their
        frames, which is so for all contestants. A metric that has no value at all is not there.
        """
        found: dict[str, float] = {}
        for name, values in self.frames.items():
            limit = largest_psnr(self.bits) if _is_psnr(name) else math.inf
            if known := [min(value, limit) for value in values if not math.isnan(value)]:
                found[name] = _mean(known)
        return found

    @property
    def mean(self) -> dict[str, float]:
        """`counted`, but infinite where all frames are equal."""
        return _shown(self.counted, [self])

    @property
    def limited(self) -> dict[str, int]:
        """How many frames count as `largest_psnr`, by metric, where any do."""
        limit = largest_psnr(self.bits)
        counts = {
            name: sum(value > limit for value in values)
            for name, values in self.frames.items()
            if _is_psnr(name)
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def fps(self) -> float | None:
        """Frames a second."""
        return self.num_frames / self.seconds if self.seconds else None


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
class Evaluation:
    """What came out.

    Attributes:
        head: what was asked for and where it ran, as the JSON has it.
        scores: every contestant on every clip.
        check: whether the protocol holds.
        facts: of each contestant, as plain values.
        absent: metrics that were not measured, with the reason.
        truth: what the ground truth of each clip is and reads.
        pictures: for the report, as the JSON has them; empty where none was asked for.
    """

    head: Mapping[str, Any]
    scores: tuple[ClipScore, ...]
    check: ProtocolCheck
    facts: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    truth: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    pictures: tuple[Mapping[str, Any], ...] = ()

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
        return _shown(self._counted(model, source), self._of(model, source))

    def of_set(self, model: str) -> dict[str, float]:
        """Mean over the sources."""
        means = [self._counted(model, source) for source in self.sources]
        return _shown(_mean_scores(means), self._of(model))

    def limited(self, model: str, metric: str) -> int:
        """Frames of all clips that count as `largest_psnr`."""
        return sum(score.limited.get(metric, 0) for score in self._of(model))

    def _of(self, model: str, source: str | None = None) -> list[ClipScore]:
        return [s for s in self.scores if s.model == model and source in (None, s.source)]

    def _counted(self, model: str, source: str) -> dict[str, float]:
        return _mean_scores([score.counted for score in self._of(model, source)])

    def fps(self, model: str) -> float | None:
        """Frames a second over all clips; None where the contestant did not run here."""
        scores = self._of(model)
        seconds = math.fsum(s.seconds or 0 for s in scores)
        return sum(s.num_frames for s in scores) / seconds if seconds else None

    def to_json(self, *, pictures: bool = False) -> dict[str, Any]:
        """Plain values, as the module's header says; with or without the pictures."""
        used = {name for score in self.scores for name in score.frames}
        values: dict[str, Any] = {
            "version": JSON_VERSION,
            **self.head,
            "protocol": asdict(self.check),
            "metrics": {name: asdict(METRICS[name]) for name in METRICS if name in used},
            "absent": dict(self.absent),
            "truth": {clip: _finite(facts) for clip, facts in self.truth.items()},
            "models": [self._model(model) for model in self.models],
        }
        return values | ({"pictures": list(self.pictures)} if pictures else {})

    def _model(self, model: str) -> dict[str, Any]:
        return {
            "name": model,
            **self.facts[model],
            "fps": _plain(self.fps(model)),
            "mean": _finite(self.of_set(model)),
            "sources": {s: _finite(self.of_source(model, s)) for s in self.sources},
            "clips": [
                {
                    "name": score.clip,
                    "source": score.source,
                    "num_frames": score.num_frames,
                    "seconds": _plain(score.seconds),
                    "fps": _plain(score.fps),
                    "mean": _finite(score.mean),
                    "frames": {k: [_plain(v) for v in vs] for k, vs in score.frames.items()},
                    "limited": score.limited,
                }
                for score in self.scores
                if score.model == model
            ],
        }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _is_psnr(metric: str) -> bool:
    return metric.startswith("psnr_")


def _shown(means: Scores, scores: Sequence[ClipScore]) -> dict[str, float]:
    """Means of clips, infinite where all of their frames are equal."""
    return {
        name: math.inf if all(min(s.frames[name]) == math.inf for s in scores) else mean
        for name, mean in means.items()
    }


def _mean_scores(scores: Sequence[Scores]) -> dict[str, float]:
    """Of the metrics that all have."""
    return {
        name: _mean([s[name] for s in scores])
        for name in scores[0]
        if all(name in s for s in scores)
    }


def _plain(value: float | None) -> float | None:
    """To five decimals; what is not finite to None."""
    return None if value is None or not math.isfinite(value) else round(value, 5)


def _finite(scores: Scores) -> dict[str, float | None]:
    return {name: _plain(value) for name, value in scores.items()}
