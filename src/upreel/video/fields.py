"""Interlacing and telecine: told by flags, or seen in the pictures.

FFmpeg's ``idet`` compares each frame's fields with its neighbours'. Flags are believed where they
say "interlaced"; where they are silent, most of the first frames must show it.
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

__all__ = ["FRAMES_LOOKED_AT", "Fields", "detect_fields", "is_pulldown"]

FRAMES_LOOKED_AT = 24
"""Frames that `probe` decodes: about one second."""

_MOST = Fraction(3, 4)  # of the frames looked at must show fields where no flag says so
_FEWEST = 8  # frames that must be there to be judged by their pictures


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """What the first frames are.

    Attributes:
        interlaced: whether they hold two fields of different times.
        top_first: which of the two is earlier.
        telecine: whether fields are repeated to turn film's 24 frames into 30.
    """

    interlaced: bool = False
    top_first: bool = False
    telecine: bool = False


def detect_fields(
    frames: Sequence[av.VideoFrame], times: Sequence[int], *, pixel_format: PixelFormat
) -> Fields:
    """Judge a video by its first frames.

    Args:
        frames: as decoded, in display order.
        times: their PTS.
        pixel_format: their layout; fields are only looked for in Y'CbCr and grey.
    """
    if not frames or pixel_format.model == "rgb":
        return Fields()
    flagged = 2 * sum(frame.interlaced_frame for frame in frames) > len(frames)
    top, bottom, repeated_top, repeated_bottom = _idet(frames)
    seen = len(frames) >= _FEWEST and max(top, bottom) >= _MOST * len(frames)
    telecined = min(repeated_top, repeated_bottom) * 10 >= len(frames) and len(frames) >= _FEWEST
    interlaced = flagged or seen
    top_first = top > bottom if seen else flagged and _flagged_top_first(frames)
    return Fields(
        interlaced=interlaced,
        top_first=top_first,
        telecine=telecined or is_pulldown(times),
    )


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


def _idet(frames: Sequence[av.VideoFrame]) -> tuple[int, int, int, int]:
    """Frames seen as top first, bottom first, with a repeated top and bottom field."""
    graph = _graph(frames[0], ("idet", ""))
    last: dict[str, str] = {}
    for frame in [*frames, None]:
        graph.vpush(frame)
        while True:
            try:
                last = graph.vpull().metadata
            except (NothingYetError, NothingLeftError):
                break
    top, bottom, repeated_top, repeated_bottom = (
        int(Fraction(last.get(f"lavfi.idet.{name}", "0")))
        for name in ("multiple.tff", "multiple.bff", "repeated.top", "repeated.bottom")
    )
    return top, bottom, repeated_top, repeated_bottom


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
