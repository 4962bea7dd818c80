"""A source that broke off: how long it is waited for, how often it is asked. Pure: no clock.

An *outage* lasts from the moment at which packets end until the next picture comes. Attempts follow
each other at growing distances; one that connects, but brings no picture, is one more of the same
outage.
"""

from dataclasses import dataclass

__all__ = ["Outage", "Patience"]

_FIRST, _LONGEST = 0.25, 8.0  # seconds between two attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """A time without pictures.

    Attributes:
        since: seconds on the caller's clock.
        until: likewise, None while it lasts.
        reason: what happened, one line.
    """

    since: float
    until: float | None
    reason: str

    @property
    def seconds(self) -> float | None:
        """How long it lasted; None while it does."""
        return None if self.until is None else self.until - self.since


class Patience:
    """Says when to try again.

    Args:
        seconds: that an outage may last; 0: it is not tried again.

    Attributes:
        outages: all so far, the last one may last still.

    Example:
        >>> patience = Patience(1.0)
        >>> patience.broke_off("no route", 10.0)
        >>> [patience.pause(10.0), patience.pause(10.25), patience.pause(10.75), patience.pause(11)]
        [0.25, 0.5, 0.25, None]
        >>> patience.came_back(10.9)
        >>> patience.outages
        [Outage(since=10.0, until=10.9, reason='no route')]
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.outages: list[Outage] = []
        self._next = _FIRST

    @property
    def outage(self) -> Outage | None:
        """The one that lasts."""
        last = self.outages[-1] if self.outages else None
        return None if last is None or last.until is not None else last

    def broke_off(self, reason: str, now: float) -> None:
        """Packets ended; within an outage that goes on."""
        if self.outage is None:
            self.outages.append(Outage(since=now, until=None, reason=reason))
            self._next = _FIRST

    def came_back(self, now: float) -> None:
        """A picture came."""
        outage = self.outage
        if outage is not None:
            self.outages[-1] = Outage(since=outage.since, until=now, reason=outage.reason)

    def left(self, now: float) -> float:
        """Seconds for which the outage may last on, at least 0."""
        outage = self.outage
        return self.seconds if outage is None else max(outage.since + self.seconds - now, 0.0)

    def pause(self, now: float) -> float | None:
        """Seconds to wait before the next attempt; None: it has lasted too long."""
        left = self.left(now)
        if left <= 0:
            return None
        pause, self._next = self._next, min(self._next * 2, _LONGEST)
        return min(pause, left)
