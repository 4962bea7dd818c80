"""Checking an output against its source, .upv files among both."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from upreel.codec.file import UpvFile
from upreel.codec.packet import PacketType
from upreel.codec.parser import Damage, Placed
from upreel.pipeline.coding import CodecBackend
from upreel.pipeline.upv_source import UpvSource, probe_any
from upreel.video.info import SourceInfo
from upreel.video.notice import Notice, clock
from upreel.video.verify import Check, VerifyReport, compare

__all__ = ["verify"]

_MOST_NAMED = 20  # damaged packets


def verify(
    source: str | Path,
    output: str | Path,
    *,
    codec: str | None = None,
    backend: CodecBackend | None = None,
) -> VerifyReport:
    """Compare an output with its source: see `upreel.video.verify.compare`.

    Of an output that is an .upv file, four things more are checked: every packet's checksum; the
    index against the packets; that times rise; that every frame decodes.

    Args:
        source: a video, .upv files among them.
        output: what was made of it, likewise.
        codec: of .upv files: a codec's name, or the path of its card; None: what they name.
        backend: where codecs come from; None: cards and the engines.

    Raises:
        UpreelError: one of them cannot be read, or the codec is another one.
    """
    old, new = (probe_any(path, codec=codec, backend=backend) for path in (source, output))
    report = compare(old, new)
    if not isinstance(new.foreign, UpvSource):
        return report
    found = _read_through(output)
    checks = (_packets(found), _index(found), _order(found), _decoding(new))
    return replace(report, checks=(*checks, *report.checks))


@dataclass(kw_only=True, slots=True)
class _Found:
    """What reading a file through gave."""

    num_packets: int = 0
    damages: list[str] = field(default_factory=list[str])
    num_damages: int = 0
    keyframes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    num_frames: int = 0
    end_pts: int | None = None
    indexed: bool = True
    index: tuple[list[tuple[int, int]], int, int] = field(default_factory=lambda: ([], 0, 0))
    backwards: list[str] = field(default_factory=list[str])


def _read_through(path: str | Path) -> _Found:
    found = _Found()
    last: dict[int, int] = {}
    with UpvFile(path) as file:
        bases = [file.header.time_base, *(s.time_base for s in file.header.others.streams)]
        index = file.index
        found.indexed = not file.scanned
        places = list(zip(index.pts, index.offsets, strict=True))
        found.index = (places, index.num_frames, index.end_pts)
        for event in file.read():
            if not isinstance(event, Placed):
                found.num_damages += 1
                if len(found.damages) < _MOST_NAMED:
                    found.damages.append(_damage(event, bases))
                continue
            packet = event.packet
            found.num_packets += 1
            number = packet.stream if packet.type is PacketType.OTHER else 0
            due = packet.pts if packet.dts is None else packet.dts
            rises = due > last.get(number, due - 1) or (number and due == last[number])
            if not rises and number < len(bases):
                found.backwards.append(f"{_name(number)} at {clock(due * bases[number])}")
            last[number] = max(due, last.get(number, due))
            if packet.type is PacketType.VIDEO_KEY:
                found.keyframes.append((packet.pts, event.offset))
            if packet.type.is_video:
                found.num_frames += 1
                end = packet.pts + packet.duration
                found.end_pts = end if found.end_pts is None else max(found.end_pts, end)
    return found


def _damage(event: Damage, bases: list[Fraction]) -> str:
    """A damaged stretch by its place, and the packet that is lost by its time."""
    lost, what = event.lost, ""
    if lost is not None and lost.stream < len(bases):
        what = f" ({_name(lost.stream)} at {clock(lost.pts * bases[lost.stream])})"
    return f"byte {event.offset}: {event.reason}{what}"


def _name(number: int) -> str:
    return f"stream {number}" if number else "video"


def _packets(found: _Found) -> Check:
    detail = f"{found.num_packets} packets, all sound"
    if found.num_damages:
        more = found.num_damages - len(found.damages)
        named = "; ".join([*found.damages, *([f"and {more} more"] if more else [])])
        detail = f"{found.num_packets} sound packets, damaged: {named}"
    return Check(name="packets", passed=not found.num_damages, detail=detail)


def _index(found: _Found) -> Check:
    listed, num_frames, end_pts = found.index
    faults: list[str] = []
    if not found.indexed:
        faults.append("none that is sound: seeking reads the file through")
    else:
        foreign = len(set(listed) - set(found.keyframes))
        faults += [f"{foreign} keyframes are not where it says"] * bool(foreign)
        if num_frames != found.num_frames:
            faults.append(f"it counts {num_frames} frames, there are {found.num_frames}")
        if end_pts != found.end_pts:
            faults.append(f"it ends at tick {end_pts}, the video at {found.end_pts}")
    detail = "; ".join(faults) or f"{len(listed)} of {len(found.keyframes)} keyframes"
    return Check(name="index", passed=not faults, detail=detail)


def _order(found: _Found) -> Check:
    named = found.backwards[:_MOST_NAMED]
    more = len(found.backwards) - len(named)
    named += [f"and {more} more"] if more else []
    detail = f"they fall: {', '.join(named)}" if named else "they rise in every stream"
    return Check(name="order of times", passed=not named, detail=detail)


def _decoding(new: SourceInfo) -> Check:
    """Whether every frame is its own, and none stands for one that cannot be decoded."""
    assert new.foreign is not None
    line = new.foreign.timeline()
    notices: list[Notice] = []
    for _ in new.foreign.frames(line, 0, len(line.pts), notices.append):
        pass
    told = list(dict.fromkeys(notice.text for notice in notices))
    detail = "; ".join(told) or f"{len(line.pts)} frames"
    return Check(name="decoding", passed=not told, detail=detail)
