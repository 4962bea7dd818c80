"""The plan of a job: which frames each part holds, and all that decides its bytes.

A plan is made from the container alone; no frame is decoded. It is one plain JSON file with
relative paths, so that its folder and the source can move together. Its fingerprint is the
SHA-256 of everything that decides the output's bytes: source, options, version, card, engine,
precision, kind of machine. Tile and encoder threads are not in it, because a resumed job takes
them from the plan.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np

from upreel.errors import StaleWorkError
from upreel.pipeline.job import UpscaleJob, job_from_json, job_to_json
from upreel.video.encoders import EncoderSettings
from upreel.video.info import SourceInfo, Timeline
from upreel.video.source import sequence_files

__all__ = [
    "PLAN_VERSION",
    "Part",
    "Plan",
    "fingerprint",
    "frame_range",
    "machine_kind",
    "part_borders",
    "source_identity",
]

PLAN_VERSION = 1

_HASHED_BYTES = 1 << 20  # of the beginning and of the end of a source


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Frames [first, stop) of the source, written to one file."""

    index: int
    first: int
    stop: int

    @property
    def num_frames(self) -> int:
        """Frames that it should hold."""
        return self.stop - self.first


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """All that a process needs to run any part, and to join them.

    Attributes:
        identity: what the fingerprint is taken of, by name.
        job: what was asked for; its source and output relative to the plan's folder.
        engine: that was chosen.
        device: that was chosen.
        precision: that was chosen.
        tile: rows and columns of a tile in source pixels.
        output_size: (width, height).
        context: frames read before and after each part, but not written.
        settings: of the encoder.
        trim: frames [first, stop) of the source that are wanted, None for all.
        timeline: times of all frames of the source.
        parts: in display order.
    """

    identity: Mapping[str, Any]
    job: UpscaleJob
    engine: str
    device: str
    precision: str
    tile: tuple[int, int]
    output_size: tuple[int, int]
    context: tuple[int, int]
    settings: EncoderSettings
    trim: tuple[int, int] | None
    timeline: Timeline
    parts: tuple[Part, ...]

    @property
    def num_frames(self) -> int:
        """Frames that the output should have."""
        return sum(part.num_frames for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {
            "version": PLAN_VERSION,
            "fingerprint": fingerprint(self.identity),
            "identity": dict(self.identity),
            "job": job_to_json(self.job),
            "engine": self.engine,
            "device": self.device,
            "precision": self.precision,
            "tile": list(self.tile),
            "output_size": list(self.output_size),
            "context": list(self.context),
            "settings": self.settings.to_json(),
            "trim": None if self.trim is None else list(self.trim),
            "timeline": _timeline_to_json(self.timeline),
            "parts": [asdict(part) for part in self.parts],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """The plan that `to_json` was called on.

        Raises:
            StaleWorkError: written by another version of this program, or damaged.
        """
        version = values.get("version")
        if version != PLAN_VERSION:
            raise StaleWorkError(
                f"the plan has version {version!r}, this program reads {PLAN_VERSION}"
            )
        try:
            return cls(
                identity=dict(values["identity"]),
                job=job_from_json(values["job"]),
                engine=values["engine"],
                device=values["device"],
                precision=values["precision"],
                tile=_pair(values["tile"]),
                output_size=_pair(values["output_size"]),
                context=_pair(values["context"]),
                settings=EncoderSettings.from_json(values["settings"]),
                trim=None if values["trim"] is None else _pair(values["trim"]),
                timeline=_timeline_from_json(values["timeline"]),
                parts=tuple(Part(**part) for part in values["parts"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StaleWorkError(f"the plan cannot be read: {error!r}") from error


def _pair(values: list[int]) -> tuple[int, int]:
    first, second = values
    return first, second


def _timeline_to_json(timeline: Timeline) -> dict[str, Any]:
    """Times as runs of equal steps: a film at a constant rate is one run."""
    steps = cast("list[int]", np.diff(timeline.pts).tolist())
    return {
        "time_base": str(timeline.time_base),
        "start": int(timeline.pts[0]) if len(timeline.pts) else None,
        "steps": [[step, len(list(run))] for step, run in groupby(steps)],
        "keyframes": cast("list[int]", timeline.keyframes.tolist()),
        "last_duration": timeline.last_duration,
        "exact": timeline.exact,
    }


def _timeline_from_json(values: Mapping[str, Any]) -> Timeline:
    runs = cast("list[list[int]]", values["steps"])
    start = values["start"]
    if start is None:
        pts = np.empty(0, np.int64)
    else:
        steps = np.repeat(
            np.array([step for step, _ in runs], np.int64),
            np.array([count for _, count in runs], np.int64),
        )
        pts = np.concatenate([np.array([start], np.int64), start + np.cumsum(steps)])
    return Timeline(
        pts=pts,
        keyframes=np.array(values["keyframes"], np.int64),
        time_base=Fraction(values["time_base"]),
        last_duration=values["last_duration"],
        exact=values["exact"],
    )


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 of the identity's canonical JSON."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def frame_range(
    timeline: Timeline, start: Fraction | None, end: Fraction | None
) -> tuple[int, int]:
    """Frames [first, stop) shown from `start` to `end`, seconds after the first frame.

    The first is the first frame whose time is `start` or later; the last is the last one whose
    time is before `end`. All arithmetic is in whole ticks.
    """
    origin = int(timeline.pts[0])

    def position(seconds: Fraction) -> int:
        ticks = origin - (-seconds // timeline.time_base)  # rounded up: exact for any base
        return int(np.searchsorted(timeline.pts, ticks, side="left"))

    first = 0 if start is None else position(start)
    stop = len(timeline.pts) if end is None else position(end)
    return first, stop


def part_borders(timeline: Timeline, first: int, stop: int, *, seconds: Fraction) -> list[int]:
    """Where parts begin, and `stop` as the last entry.

    A part is `seconds` long; it ends at the nearest keyframe where there is one from 2/5 to
    twice that, for keyframes mostly sit at scene cuts. A rest below 2/5 joins the last part.

    Args:
        timeline: of the source.
        first: index of the first frame wanted.
        stop: index after the last frame wanted.
        seconds: length that is aimed at.

    Returns:
        Rising indices, at least [first, stop] for one part or more; [first] for no frames.
    """
    pts, tick = timeline.pts, timeline.time_base
    keyframes = timeline.keyframes
    borders = [first]

    def after(time: Fraction) -> int:
        ticks = int(pts[borders[-1]]) - (-time // tick)
        return int(np.searchsorted(pts, ticks, side="left"))

    while borders[-1] < stop:
        if after(seconds * Fraction(7, 5)) >= stop:
            borders.append(stop)
            break
        least, wanted = after(seconds * Fraction(2, 5)), after(seconds)
        most = min(after(seconds * 2), stop)
        near = keyframes[(keyframes >= max(least, borders[-1] + 1)) & (keyframes <= most)]
        if len(near):
            border = int(near[np.argmin(np.abs(near - wanted))])
        else:
            border = max(wanted, borders[-1] + 1)
        borders.append(min(border, stop))
    return borders


def source_identity(info: SourceInfo) -> dict[str, Any]:
    """What tells one source from another: size and SHA-256 of its first and last MiB.

    For pictures: names and sizes of all of them.
    """
    path = Path(info.path)
    if not info.is_sequence:
        size = path.stat().st_size
        digest = hashlib.sha256()
        with path.open("rb") as file:
            digest.update(file.read(_HASHED_BYTES))
            file.seek(max(0, size - _HASHED_BYTES))
            digest.update(file.read(_HASHED_BYTES))
        return {"bytes": size, "sha256_of_ends": digest.hexdigest()}
    files = [(file.name, file.stat().st_size) for file in sequence_files(info.path)]
    text = json.dumps(files)
    return {
        "files": len(files),
        "sha256_of_names": hashlib.sha256(text.encode()).hexdigest(),
    }


def machine_kind() -> str:
    """System, architecture and the vector instructions that choose an engine's kernels.

    The same network gives the same bytes on machines of one kind.
    """
    wanted = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd"}
    flags: set[str] = set()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                flags = wanted & set(line.split(":", 1)[1].split())
                break
    except OSError:  # not Linux: the architecture alone
        pass
    return " ".join((platform.system(), platform.machine(), *sorted(flags)))
