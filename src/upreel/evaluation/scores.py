"""What an evaluation came to, and its JSON.

Means    of a clip: over its frames (pairs). Of a source: over its clips. Of the set: over its
         sources. A metric that one clip lacks has no mean over it.

The JSON (``--json``, ``report.json``), version 2; what is not finite (equal planes) is null:

``version``      2
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
                 ``seconds``, ``fps``, ``mean``, ``frames`` (a list by metric)
``pictures``     in ``report.json`` only: see `upreel.evaluation.pictures`
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from upreel.evaluation.measure import METRICS

__all__ = ["JSON_VERSION", "ClipScore", "Evaluation", "ProtocolCheck"]

JSON_VERSION = 2

Scores = Mapping[str, float]


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
    """

    model: str
    clip: str
    source: str
    num_frames: int
    frames: Mapping[str, tuple[float, ...]]
    seconds: float | None

    @property
    def mean(self) -> dict[str, float]:
        """Mean over the frames."""
        return {name: _mean(values) for name, values in self.frames.items()}

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
        return _mean_scores(
            [s.mean for s in self.scores if s.model == model and s.source == source]
        )

    def of_set(self, model: str) -> dict[str, float]:
        """Mean over the sources."""
        return _mean_scores([self.of_source(model, source) for source in self.sources])

    def fps(self, model: str) -> float | None:
        """Frames a second over all clips; None where the contestant did not run here."""
        scores = [s for s in self.scores if s.model == model]
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
                }
                for score in self.scores
                if score.model == model
            ],
        }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


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
