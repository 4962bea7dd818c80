"""The player's clock: which moment of the video belongs on the screen now. No threads, no sleep.

Time runs by a steady clock and is corrected by what is heard: sound devices tell where they are
in steps of a hardware block, so each answer moves the clock by a share of the difference only. A
difference that no jitter explains, such as after a gap, moves it at once.

Media    seconds of the video's own time, from its start.
Wall     seconds of the steady clock that is handed over; only differences of it mean anything.
"""

import time
from collections import deque
from collections.abc import Callable

__all__ = ["Arrivals", "Clock"]

_SHARE = 0.1  # of a difference to the sound that is made up for at each answer
_JUMP = 0.1  # seconds of difference from which on the clock moves at once


class Clock:
    """Media time, running or standing.

    Args:
        wall: a steady clock in seconds.

    Example:
        >>> seconds = iter([10.0, 12.0])
        >>> clock = Clock(lambda: next(seconds))
        >>> clock.start(1.5)
        >>> clock.now()
        3.5
    """

    def __init__(self, wall: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        # A media time and the wall time of it, None where it stands: one value, which other
        # threads read.
        self._at: tuple[float, float | None] = (0.0, None)

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._at[1] is not None

    def now(self) -> float:
        """The media time."""
        media, since = self._at
        return media if since is None else media + self._wall() - since

    def start(self, media: float | None = None) -> None:
        """Run on from a media time; None: from where it stands."""
        self._at = (self.now() if media is None else media, self._wall())

    def stop(self, media: float | None = None) -> None:
        """Stand at a media time; None: where it is."""
        self._at = (self.now() if media is None else media, None)

    def follow(self, media: float) -> None:
        """Something that keeps time better, such as the sound that is heard, is at `media`."""
        before, since = self._at
        if since is None:
            return
        off = media - self.now()
        self._at = (before + (off if abs(off) > _JUMP else off * _SHARE), since)


class Arrivals:
    """How long after their own time a live source's pictures come, and so what delay they need.

    A picture of time `t` arrives at wall time `t + origin + delay`. Shown at ``wall - offset``, no
    picture of the last seconds came too late where `offset` is the largest difference among
    them. What the source had stored before it was opened comes late once: at first the window
    is short, so that this is soon forgotten.

    Args:
        longest: seconds that are looked back at, at most.
    """

    def __init__(self, longest: float = 4.0) -> None:
        self._longest = longest
        self._first: float | None = None
        self._largest: deque[tuple[float, float]] = deque()  # (wall, difference), falling

    def arrived(self, media: float, wall: float) -> None:
        """A picture of that media time can be shown from that wall time on."""
        if self._first is None:
            self._first = wall
        late = wall - media
        while self._largest and self._largest[-1][1] <= late:
            self._largest.pop()
        self._largest.append((wall, late))
        window = min(self._longest, max(0.1, (wall - self._first) / 2))
        while self._largest[0][0] < wall - window:
            self._largest.popleft()

    def forget(self) -> None:
        """Begin anew: the source jumped."""
        self._first = None
        self._largest.clear()

    @property
    def offset(self) -> float | None:
        """Wall time less media time at which nothing of late was too late; None: none came yet."""
        return self._largest[0][1] if self._largest else None
