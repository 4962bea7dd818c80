"""What is run for a picture, chosen by measured milliseconds. Pure: no threads, no clock.

Rungs    numbered from 0, the best, down to the last, which is always fast enough: Lanczos.
Budget   milliseconds between two pictures of the source. A rung fits while it takes less.
Load     what a rung takes beside what it took when it was tried out. A busy machine slows all of
         them alike, so that the load of the one that runs says what the next better would take.

Down     at once: a measurement of three budgets is enough, or a mean above the budget. The rung
         then is the best that is expected to fit.
Up       one rung, after the load has left room for it for a second.
Trial    a rung that took too long, in use or when it was tried out, may have met a busy moment: it
         is tried again aside, on a picture that is not shown. The time between two trials doubles
         and is forgotten after the rung has run for a while: there is no swinging between two.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

__all__ = ["Choice", "Controller"]

_MEASURED = 6  # measurements whose mean counts
_FULL = 0.95  # share of the budget that a rung may take before it is given up
_ROOM = 0.75  # share of the budget that a rung may be expected to take to be taken up
_STEADY = 1.0  # seconds that there must be room before a better rung is tried
_WAIT, _LONGEST_WAIT = 4.0, 120.0  # seconds before a rung that failed is tried again
_PROVEN = 20.0  # seconds after which a rung's failures are forgotten


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A change of rung.

    Attributes:
        at: seconds on the caller's clock.
        rung: name of the rung chosen.
        reason: why, one line.
    """

    at: float
    rung: str
    reason: str


@dataclass(kw_only=True, slots=True)
class _Record:
    name: str
    tried_ms: float  # when the machine did nothing else
    wait: float = _WAIT
    barred_until: float = float("-inf")
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_MEASURED))


class Controller:
    """Chooses among rungs, best first.

    Args:
        rungs: names and the milliseconds that each took when it was tried out, best first; the
            last one is taken whatever it takes.
        budget_ms: milliseconds between two pictures.
        now: seconds, any clock.
        remembered: names of those whose milliseconds are known from before.

    Attributes:
        choices: all changes so far, the first choice included.

    Example:
        >>> chooser = Controller([("x3", 90.0), ("x2", 20.0), ("lanczos", 2.0)], 40.0, 0.0)
        >>> chooser.name
        'x2'
        >>> chooser.measured(200.0, 1.0)  # the machine is busy with something else
        >>> chooser.name
        'lanczos'
    """

    def __init__(
        self,
        rungs: Sequence[tuple[str, float]],
        budget_ms: float,
        now: float,
        *,
        remembered: Collection[str] = (),
    ) -> None:
        if not rungs or budget_ms <= 0:
            raise ValueError(f"rungs and a budget above 0 are needed, got {rungs=}, {budget_ms=}")
        self._records = [_Record(name=name, tried_ms=max(ms, 0.01)) for name, ms in rungs]
        self._budget = budget_ms
        self._rung = next(
            (n for n, r in enumerate(self._records) if r.tried_ms <= _ROOM * budget_ms),
            len(rungs) - 1,
        )
        for record in self._records[: self._rung]:
            record.barred_until = now + record.wait
        self._since = self._room_since = now
        self.choices: list[Choice] = []
        before = ", as measured before" if self.name in remembered else ""
        first = self._records[self._rung]
        self._note(now, f"{first.tried_ms:.0f} of {budget_ms:.0f} ms{before}")

    @property
    def rung(self) -> int:
        """The rung chosen."""
        return self._rung

    @property
    def name(self) -> str:
        """Its name."""
        return self._records[self._rung].name

    @property
    def mean_ms(self) -> float:
        """What it takes of late; what it took when it was tried, before anything was measured."""
        record = self._records[self._rung]
        return _mean(record.recent) if record.recent else record.tried_ms

    def set_budget(self, budget_ms: float) -> None:
        """Pictures come at another rate."""
        if budget_ms > 0:
            self._budget = budget_ms

    def measured(self, ms: float, now: float) -> None:
        """The rung chosen took `ms` milliseconds for a picture that is ready `now`."""
        record = self._records[self._rung]
        record.recent.append(ms)
        mean = _mean(record.recent)
        last = self._rung == len(self._records) - 1
        hopeless = ms > 3 * self._budget
        too_slow = len(record.recent) >= 3 and mean > _FULL * self._budget
        if not last and (hopeless or too_slow):
            self._step_down(ms if hopeless else mean, now)
            return
        if now - self._since >= _PROVEN:
            record.wait = _WAIT
        if self._rung == 0 or not self._has_room(mean, now):
            self._room_since = now
        elif now - self._room_since >= _STEADY:
            better = self._records[self._rung - 1]
            self._move(self._rung - 1, now, f"{self._expected(better, mean):.0f} ms expected")

    def trial(self, now: float) -> int | None:
        """The rung that is worth being tried again aside; None: there is none at the moment."""
        recent = self._records[self._rung].recent
        if self._rung == 0 or len(recent) < 3:
            return None
        better = self._records[self._rung - 1]
        fits = self._expected(better, _mean(recent)) <= _ROOM * self._budget
        return None if fits or now < better.barred_until else self._rung - 1

    def tried(self, rung: int, ms: float, now: float) -> None:
        """A rung took `ms` milliseconds for a picture aside."""
        record = self._records[rung]
        record.tried_ms = max(ms / self._load(self.mean_ms), 0.01)
        if ms > _ROOM * self._budget:
            self._bar(record, now)

    def _has_room(self, mean: float, now: float) -> bool:
        """Whether the next better rung may be tried."""
        better = self._records[self._rung - 1]
        if now < better.barred_until or len(self._records[self._rung].recent) < 3:
            return False
        return self._expected(better, mean) <= _ROOM * self._budget

    def _expected(self, other: _Record, mean: float) -> float:
        """What another rung would take under the load of the present one."""
        return other.tried_ms * self._load(mean)

    def _load(self, mean: float) -> float:
        """How much longer the present rung takes than when it was tried out, at least 1."""
        if self._rung == len(self._records) - 1:
            return 1.0  # what takes a millisecond is no measure of a network
        return max(mean / self._records[self._rung].tried_ms, 1.0)

    def _bar(self, record: _Record, now: float) -> None:
        record.barred_until = now + record.wait
        record.wait = min(record.wait * 2, _LONGEST_WAIT)

    def _step_down(self, ms: float, now: float) -> None:
        failed = self._records[self._rung]
        self._bar(failed, now)
        load = ms / failed.tried_ms
        failed.tried_ms = ms  # it has to show aside that it is faster again
        below = range(self._rung + 1, len(self._records))
        fits = (n for n in below if self._records[n].tried_ms * load <= _ROOM * self._budget)
        self._move(
            next(fits, len(self._records) - 1), now, f"{failed.name} took {ms:.0f} ms of "
            f"{self._budget:.0f}",
        )  # fmt: skip

    def _move(self, rung: int, now: float, reason: str) -> None:
        self._rung = rung
        self._since = self._room_since = now
        self._records[rung].recent.clear()
        self._note(now, reason)

    def _note(self, now: float, reason: str) -> None:
        self.choices.append(Choice(at=now, rung=self.name, reason=reason))


def _mean(values: Sequence[float] | deque[float]) -> float:
    return sum(values) / len(values)
