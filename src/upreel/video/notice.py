"""What reading a source found that its user should know: plain records, in the order found."""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

__all__ = ["Notice", "NoticeKind", "clock", "drained"]

NoticeKind = Literal[
    "damaged",
    "repeated",
    "truncated",
    "reread",
    "deinterlaced",
    "fields",
    "times",
]
"""damaged: the decoder concealed errors in a frame. repeated: a frame could not be decoded, its
neighbour is shown in its place. truncated: the file ends within a frame or before its last one.
reread: seeking was not exact, so decoding went from the start. deinterlaced: two fields were made
one frame. fields: frames further on are flagged as interlaced, and left as they are. times: frames
without a time, or with a wrong one, got one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing to tell.

    Attributes:
        kind: what it is about, see `NoticeKind`.
        text: one line for the user; it names the time where there is one.
        index: number of the frame that it is about, -1 for the whole source.
        time: that frame's time in seconds, None for the whole source.
    """

    kind: NoticeKind
    text: str
    index: int = -1
    time: Fraction | None = None


def drained(notices: deque[Notice]) -> tuple[str, ...]:
    """Texts of those that are there, which are taken out; a reading thread may add more."""
    return tuple(notices.popleft().text for _ in range(len(notices)))


def clock(seconds: Fraction) -> str:
    """An exact time as people read it, to the millisecond (rounded down).

    Example:
        >>> clock(Fraction(7384001, 1000)), clock(Fraction(-1, 2))
        ('2:03:04.001', '-0:00:00.500')
    """
    sign = "-" if seconds < 0 else ""
    milliseconds = int(abs(seconds) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
