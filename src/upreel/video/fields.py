"""Interlacing and telecine: told by flags, and seen in the pictures.

FFmpeg's ``idet`` compares each frame's fields with its neighbours'. It takes fine horizontal
detail, or rows that were doubled, for fields, so that pictures alone decide nothing: a video is
interlaced where flags say so. Broadcast flags progressive pictures, too (segmented frames): where
the pictures clearly show one time each, they are believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as NothingLeftError
from av.filter import Graph

from upreel.video.frame import PixelFormat
from upreel.video.info import Deinterlace, SourceInfo

__all__ = [
    "FRAMES_LOOKED_AT",
    "Fields",
    "detect_fields",
    "field_notice",
    "is_deinterlaced",
    "is_pulldown",
    "show_fields",
]

FRAMES_LOOKED_AT = 24
"""Frames that `probe` decodes: about one second."""

_MOST = Fraction(3, 4)  # of the frames looked at must show fields to look interlaced
_NEARLY_ALL = Fraction(9, 10)  # of those that show anything must be progressive to be clearly so
_FEWEST = 8  # frames that must be there to be judged by their pictures


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """What the first frames are.

    Attributes:
        flagged: whether flags say that they hold two fields of different times.
        seen: whether they look so.
        progressive: whether they clearly show one time each.
        top_first: which of the two fields is earlier; true where nothing tells.
        telecine: whether fields are repeated to turn film's 24 frames into 30.
    """

    flagged: bool = False
    seen: bool = False
    progressive: bool = False
    top_first: bool = True
    telecine: bool = False

    @property
    def interlaced(self) -> bool:
        """Whether they are to be deinterlaced unasked."""
        return self.flagged and not self.progressive


def detect_fields(
    frames: Sequence[av.VideoFrame],
    times: Sequence[int],
    *,
    pixel_format: PixelFormat,
    field_order: int = 0,
) -> Fields:
    """Judge a video by its first frames.

    Args:
        frames: as decoded, in display order.
        times: their PTS.
        pixel_format: their layout; fields are only looked for in Y'CbCr and grey.
        field_order: what the stream's header says, FFmpeg's AVFieldOrder: 0 nothing,
            1 progressive, 2 to 5 interlaced (the top field is shown first in 2 and 5).
    """
    if not frames or pixel_format.model == "rgb":
        return Fields()
    marked = sum(frame.interlaced_frame for frame in frames)
    counts = _idet(frames)
    enough = len(frames) >= _FEWEST
    seen = enough and max(counts.top, counts.bottom) >= _MOST * len(frames)
    # Hybrid streams flag some frames only: these will do where the pictures agree.
    flagged = 2 * marked > len(frames) or field_order > 1 or (marked > 0 and seen)
    told = counts.top + counts.bottom + counts.progressive
    progressive = counts.progressive >= max(_NEARLY_ALL * told, _FEWEST)
    repeated = min(counts.repeated_top, counts.repeated_bottom)
    if seen or (counts.top != counts.bottom and not flagged):
        top_first = counts.top > counts.bottom
    elif marked:
        top_first = _flagged_top_first(frames)
    else:
        top_first = field_order not in (3, 4)
    return Fields(
        flagged=flagged,
        seen=seen,
        progressive=progressive,
        top_first=top_first,
        telecine=(enough and repeated * 10 >= len(frames)) or is_pulldown(times),
    )


def show_fields(frames: Sequence[av.VideoFrame]) -> bool:
    """Whether some of these frames, from anywhere in a video, show two times each."""
    if len(frames) < 2:
        return False
    counts = _idet(frames)
    fields = max(counts.top, counts.bottom)
    return fields > 1 and fields > (1 - _NEARLY_ALL) * (fields + counts.progressive)


def is_deinterlaced(info: SourceInfo, choice: Deinterlace) -> bool:
    """Whether reading a source makes one picture of the two fields of its frames."""
    return choice == "on" or (choice == "auto" and info.interlaced)


def field_notice(info: SourceInfo, choice: Deinterlace) -> str | None:
    """What is done with a source that is, or may be, interlaced: one line, None if it is neither.

    Args:
        info: from `probe`.
        choice: what was asked for.
    """
    order = f"{'top' if info.top_field_first else 'bottom'} field first"
    if is_deinterlaced(info, choice):
        what = "interlaced" if info.interlaced else "deinterlaced as asked"
        return f"{what}, {order}: each frame's two fields become one picture (bwdif)"
    if info.interlaced:
        return f"interlaced, {order}: left as it is, as asked; its combs are enlarged"
    hint = "" if choice == "off" else "; --deinterlace on treats it"
    if info.flagged_interlaced:
        return f"flagged as interlaced, but its pictures are progressive: left as it is{hint}"
    if info.looks_interlaced:
        return f"looks interlaced, {order}, but is not flagged so: left as it is{hint}"
    return None


def is_pulldown(times: Sequence[int]) -> bool:
    """Whether frames are shown for three and two fields in turn, by repeat flags.

    Example:
        >>> is_pulldown([0, 4504, 7507, 12012, 15015, 19519, 22522, 27027])
        True
    """
    steps = [after - before for before, after in pairwise(times)]
    if len(steps) < 6 or min(steps) <= 0:
        return False
    pairs = list(pairwise(steps))
    # Three fields to two, with a twelfth of room for the rounding of coarse clocks.
    longer = [_is_three_to_two(a, b) for a, b in pairs]
    shorter = [_is_three_to_two(b, a) for a, b in pairs]
    turns = [longer[n] if n % 2 == 0 else shorter[n] for n in range(len(pairs))]
    other = [shorter[n] if n % 2 == 0 else longer[n] for n in range(len(pairs))]
    return all(turns) or all(other)


def _is_three_to_two(long: int, short: int) -> bool:
    return abs(2 * long - 3 * short) * 12 <= 3 * short


@dataclass(frozen=True, slots=True)
class _Counts:
    """Frames seen as top first, bottom first, progressive; with a repeated top, bottom field."""

    top: int
    bottom: int
    progressive: int
    repeated_top: int
    repeated_bottom: int


def _idet(frames: Sequence[av.VideoFrame]) -> _Counts:
    graph = _graph(frames[0], ("idet", ""))
    last: dict[str, str] = {}
    for frame in [*frames, None]:
        graph.vpush(frame)
        while True:
            try:
                last = graph.vpull().metadata
            except (NothingYetError, NothingLeftError):
                break
    names = ("multiple.tff", "multiple.bff", "multiple.progressive", "repeated.top")
    return _Counts(
        *(
            int(Fraction(last.get(f"lavfi.idet.{name}", "0")))
            for name in (*names, "repeated.bottom")
        )
    )


def _flagged_top_first(frames: Sequence[av.VideoFrame]) -> bool:
    """Whether most interlaced frames are flagged top field first."""
    marked = [frame for frame in frames if frame.interlaced_frame]
    graph = _graph(frames[0], ("select", "eq(interlace_type,TOPFIRST)"))
    top = 0
    for frame in marked:
        graph.vpush(frame)
        try:
            graph.vpull()
            top += 1
        except NothingYetError:
            pass
    return 2 * top > len(marked)


def _graph(frame: av.VideoFrame, step: tuple[str, str]) -> Graph:
    """One filter between a source like this frame and a sink."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add(*step), graph.add("buffersink")).configure()
    return graph
