"""Checking an output against its source: what `upreel upscale` promises to keep.

It knows nothing of how the output was made, and may be used on the work of other tools.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from upreel.video.containers import kept_tags
from upreel.video.frame import Frame
from upreel.video.info import SourceInfo, Timeline
from upreel.video.payload import Carried, carried_streams, common_shift
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan

__all__ = ["Check", "VerifyReport", "compare", "verify"]

_PLACES, _FRAMES = 6, 3
"""Pictures are compared at so many places, so many frames at each."""

_MEAN_LEVELS = 2.0
"""How far the mean of a plane may move, in levels of 8 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One property that was compared.

    Attributes:
        name: what was compared.
        passed: whether it was kept.
        detail: one line with the values.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyReport:
    """The result of `verify`: all checks in order."""

    source: str
    output: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def verify(source: str | Path, output: str | Path) -> VerifyReport:
    """Compare a file with its source: see `compare`.

    Raises:
        ProbeError: one of them cannot be read as video.
    """
    return compare(probe(source), probe(output))


def compare(old: SourceInfo, new: SourceInfo) -> VerifyReport:
    """Compare an output with its source.

    Compared are: the number of frames; every time of every stream, within half a tick of the
    coarser clock and up to one shift common to all; size and shape; colour tags, bit depth,
    chroma layout, HDR10 data; the mean of each plane at several places; all other streams packet
    by packet; languages, titles, dispositions; chapters and tags.

    Raises:
        ProbeError: one of them cannot be read as video.
    """
    old_line, new_line = scan(old), scan(new)
    old_others, new_others = carried_streams(old), carried_streams(new)
    matched = _match(old_others, new_others)
    checks = [
        _frames(old_line, new_line),
        _times(old_line, new_line, matched),
        _size(old, new),
        *_picture_tags(old, new),
        _means(old, new, old_line, new_line),
        *_streams(old_others, matched),
        _chapters(old, new),
        _tags(old, new),
    ]
    return VerifyReport(source=old.path, output=new.path, checks=tuple(checks))


def _frames(old: Timeline, new: Timeline) -> Check:
    before, after = len(old.pts), len(new.pts)
    return Check(name="frames", passed=before == after, detail=f"{before} before, {after} after")


def _seconds(line: Timeline) -> list[Fraction]:
    return [int(t) * line.time_base for t in line.pts]


def _times(old: Timeline, new: Timeline, matched: dict[int, tuple[Carried, Carried]]) -> Check:
    name = "times"
    if len(old.pts) != len(new.pts):
        return Check(name=name, passed=False, detail="not compared: other frames")
    pairs = [(_seconds(old), _seconds(new), max(old.time_base, new.time_base))]
    pairs += [
        (before.times, after.times, max(before.clock, after.clock))
        for before, after in matched.values()
        if len(before.times) == len(after.times)
    ]
    shift = common_shift(pairs)
    if shift is None:
        late = [n for n, pair in enumerate(pairs) if common_shift([pair]) is None]
        what = "streams have moved against each other"
        if 0 in late:
            moved = [float(abs(b - a)) for a, b in zip(*pairs[0][:2], strict=True)]
            what = f"frame times differ by up to {max(moved):.6f} s"
        elif late:
            what = "packet times of copied streams differ"
        return Check(name=name, passed=False, detail=what)
    low, high = shift
    moved_by = Fraction(0) if low <= 0 <= high else (low + high) / 2
    detail = f"{len(pairs)} streams within half a tick"
    if moved_by:
        detail += f", all moved by {float(moved_by):.6f} s"
    return Check(name=name, passed=True, detail=detail)


def _size(old: SourceInfo, new: SourceInfo) -> Check:
    wide, high = Fraction(new.width, old.width), Fraction(new.height, old.height)
    same_shape = abs(wide * old.height - new.height) <= 1 or abs(high * old.width - new.width) <= 1
    times = f"{float(wide):g}" if wide == high else f"{float(wide):g} x {float(high):g}"
    return Check(
        name="size",
        passed=same_shape and wide >= 1 and high >= 1,
        detail=f"{old.width}x{old.height} to {new.width}x{new.height}, {times} times",
    )


def _picture_tags(old: SourceInfo, new: SourceInfo) -> Iterator[Check]:
    def same(name: str, before: object, after: object, *, passed: bool | None = None) -> Check:
        kept = before == after if passed is None else passed
        return Check(name=name, passed=kept, detail=f"{before}" + f" to {after}" * (not kept))

    is_rgb = old.format.model == "rgb"
    yield same(
        "bit depth", old.format.bits, new.format.bits, passed=new.format.bits >= old.format.bits
    )
    yield same(
        "pixel layout",
        old.format.name,
        new.format.name,
        passed=(old.format.model, old.format.log2_chroma, old.format.alpha)
        == (new.format.model, new.format.log2_chroma, new.format.alpha),
    )
    before, after = old.colour, new.colour
    full = bool(before.full_range) or is_rgb, bool(after.full_range) or is_rgb
    yield same("range", *("full" if value else "limited" for value in full))
    yield same("primaries", before.primaries, after.primaries)
    yield same("transfer", before.transfer, after.transfer)
    yield same("matrix", *((0 if is_rgb else c.matrix) for c in (before, after)))
    if old.format.is_420:
        yield same("chroma location", before.chroma_location or 1, after.chroma_location or 1)
    yield same("sample aspect ratio", old.sample_aspect_ratio or 1, new.sample_aspect_ratio or 1)
    yield same("rotation", old.rotation % 360, new.rotation % 360)
    if old.hdr is not None:
        was, now = old.hdr, new.hdr
        yield same("mastering display", was.mastering, now.mastering if now else None)
        yield same(
            "light level",
            (was.max_cll, was.max_fall),
            (now.max_cll, now.max_fall) if now else (None, None),
        )
        lost = [
            word
            for word, flag in (("HDR10+", was.hdr10_plus), ("Dolby Vision", was.dolby_vision))
            if flag
        ]
        if lost:
            yield Check(name="dynamic HDR", passed=False, detail=f"lost: {', '.join(lost)}")


def _means(old: SourceInfo, new: SourceInfo, old_line: Timeline, new_line: Timeline) -> Check:
    name = "colour means"
    num = min(len(old_line.pts), len(new_line.pts))
    if old.format.model != new.format.model or old.format.num_planes != new.format.num_planes:
        return Check(name=name, passed=False, detail="not compared: another pixel layout")
    starts = sorted({num * k // _PLACES for k in range(_PLACES)})
    worst = 0.0
    for first in starts:
        stop = min(first + _FRAMES, num)
        before = _plane_means(read_frames(old, timeline=old_line, first=first, stop=stop))
        after = _plane_means(read_frames(new, timeline=new_line, first=first, stop=stop))
        worst = max(worst, float(np.abs(before - after).max()))
    return Check(
        name=name,
        passed=worst <= _MEAN_LEVELS,
        detail=f"moved by at most {worst:.2f} of 255 at {len(starts)} places",
    )


def _plane_means(frames: Iterator[Frame]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean of each plane over some frames, in levels of 8 bits."""
    rows = [
        [float(plane.mean()) * 255 / frame.format.max_value for plane in frame.planes]
        for frame in frames
    ]
    return np.array(rows).mean(axis=0)


def _match(old: list[Carried], new: list[Carried]) -> dict[int, tuple[Carried, Carried]]:
    """For each stream of the source by index, the stream of the output that it became."""
    left = list(new)
    pairs: dict[int, tuple[Carried, Carried]] = {}
    for identical in (True, False):
        for before in old:
            if before.index in pairs:
                continue
            after = next((s for s in left if _alike(before, s, identical=identical)), None)
            if after is not None:
                pairs[before.index] = before, after
                left.remove(after)
    return pairs


def _alike(before: Carried, after: Carried, *, identical: bool) -> bool:
    if before.kind != after.kind:
        return False
    return before.hashes == after.hashes if identical else before.codec == after.codec


def _streams(old: list[Carried], matched: dict[int, tuple[Carried, Carried]]) -> Iterator[Check]:
    for before in old:
        if before.index not in matched:
            yield Check(name=before.name, passed=False, detail="is missing")
            continue
        _, after = matched[before.index]
        faults = list(_faults(before, after))
        detail = "; ".join(faults) or f"{len(before.hashes)} packets, the same"
        yield Check(name=before.name, passed=not faults, detail=detail)


def _faults(before: Carried, after: Carried) -> Iterator[str]:
    if before.hashes != after.hashes:
        same = sum(a == b for a, b in zip(before.hashes, after.hashes, strict=False))
        yield f"{len(before.hashes)} packets, {len(after.hashes)} after, {same} the same"
    for key in ("language", "title"):
        was, now = (_spoken(stream.tags, key) for stream in (before, after))
        if was != now:
            yield f"{key} {was or 'none'!r} became {now or 'none'!r}"
    # Muxers switch on the first stream of a kind where none is: "default" is not compared then.
    if before.disposition & ~1 != after.disposition & ~1 or before.disposition & ~after.disposition:
        yield f"disposition {before.disposition} became {after.disposition}"


def _spoken(tags: dict[str, str], key: str) -> str:
    value = next((v for k, v in tags.items() if k.lower() == key), "")
    return "" if value == "und" else value


def _chapters(old: SourceInfo, new: SourceInfo) -> Check:
    tolerance = Fraction(1, 1000)
    same = len(old.chapters) == len(new.chapters) and all(
        a[2] == b[2] and abs((b[0] - b[1]) - (a[0] - a[1])) <= 2 * tolerance
        for a, b in zip(old.chapters, new.chapters, strict=True)
    )
    counts = f"{len(old.chapters)} before, {len(new.chapters)} after"
    return Check(name="chapters", passed=same, detail=counts)


def _tags(old: SourceInfo, new: SourceInfo) -> Check:
    now = {key.lower(): value for key, value in new.metadata.items()}
    wanted = kept_tags(old.metadata)
    lost = sorted(key for key, value in wanted.items() if now.get(key.lower()) != value)
    detail = f"lost or changed: {', '.join(lost)}" if lost else f"{len(wanted)}, the same"
    return Check(name="tags", passed=not lost, detail=detail)
