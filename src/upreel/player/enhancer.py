"""The thread that enlarges pictures, by the rung that the controller chooses.

It takes what it can finish in time and leaves the rest as it is. Networks are opened and tried out
here too, so that playing goes on with plain pictures meanwhile; one whose speed is known from
before is not tried out.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from upreel.player.controller import Choice, Controller
from upreel.player.rungs import (
    LANCZOS,
    KnownSpeed,
    LanczosRung,
    NetworkRung,
    OpenNetwork,
    Rung,
    cards_for,
)
from upreel.player.shelf import Picture, Shelf
from upreel.player.stats import Series
from upreel.zoo import ModelCard

__all__ = ["Enhancer"]

_WAIT = 0.05  # seconds after which a thread that waits for a picture looks around


@dataclass(frozen=True, slots=True)
class _Work:
    picture: Picture
    rung: Rung
    submitted: float


class Enhancer:
    """Enlarges the pictures of a shelf.

    Args:
        shelf: that they are on.
        model: see `cards_for`.
        size: columns and rows that are wanted of a source's columns, rows: asked for each.
        opened: opens networks.
        budget_ms: milliseconds between two pictures.
        due: media time now, or None while the clock stands.
        low_delay: have one picture under way, not as many as the network takes.
        known: what networks take, as far as it is known before.
        wall: a steady clock in seconds.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        model: str | None,
        size: Callable[[int, int], tuple[int, int]],
        opened: OpenNetwork,
        budget_ms: float,
        due: Callable[[], float | None],
        low_delay: bool,
        known: KnownSpeed | None = None,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf = shelf
        self._model = model
        self._size = size
        self._opened = opened
        self._budget_ms = budget_ms
        self._due = due
        self._low_delay = low_delay
        self._known = known or _nothing
        self._wall = wall
        self._source = (0, 0)
        self._fitted = (0, 0)
        self._rungs: list[Rung] = []
        self._networks: dict[str, NetworkRung] = {}
        self._controller: Controller | None = None
        self._latest: Picture | None = None
        self._done_at = 0.0
        self._flying: deque[_Work] = deque()
        self._choices: list[Choice] = []
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.tried_ms: dict[str, float] = {}
        self.remembered: set[str] = set()
        self.network_ms = Series()
        self._thread = threading.Thread(target=self._guarded, name="upreel-enlarge", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread, once the shelf is closed."""
        self._thread.join()

    def check(self) -> None:
        """Raise what the thread failed with."""
        if self.failure is not None:
            raise self.failure

    @property
    def rung(self) -> str:
        """The name of the rung in use."""
        return self._controller.name if self._controller else ""

    @property
    def expected_ms(self) -> float:
        """What a picture takes."""
        return self._controller.mean_ms if self._controller else 0.0

    @property
    def choices(self) -> list[Choice]:
        """All changes of rung so far."""
        return self._choices + (self._controller.choices if self._controller else [])

    def describe(self) -> dict[str, str]:
        """What each rung runs on."""
        return {rung.name: rung.describe() for rung in self._rungs}

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as failure:  # noqa: BLE001 - raised again by the main thread
            self.failure = failure
        finally:
            self.ready.set()
            for work in self._flying:
                work.rung.drop()

    def _run(self) -> None:
        while not self._shelf.closed:
            picture = self._shelf.claim(self._least, wait=0 if self._flying else _WAIT)
            if picture is not None:
                self._prepare(picture)
                self._latest = picture
                assert self._controller is not None
                rung = self._rungs[self._controller.rung]
                if self._flying and self._flying[-1].rung is not rung:
                    self._finish_all()
                self._flying.append(_Work(picture, rung, self._wall()))
                rung.submit(picture.window)
            if self._flying:
                depth = 1 if self._low_delay else self._flying[-1].rung.depth
                if picture is None or len(self._flying) >= depth:
                    self._finish_one()
            elif picture is None:
                self._try_again()

    def _least(self) -> float:
        """The media time that a picture must have to be finished before it is due."""
        due = self._due()
        if due is None:
            return float("-inf")
        # Whatever a rung takes, some pictures are tried: else nobody would know when it recovers.
        return due + min(self.expected_ms / 1000, self._shelf.span / 2)

    def _finish_all(self) -> None:
        while self._flying:
            self._finish_one()

    def _finish_one(self) -> None:
        work = self._flying[0]
        planes = work.rung.collect()
        self._flying.popleft()
        now = self._wall()
        ms = (now - max(work.submitted, self._done_at)) * 1000
        self._done_at = now
        self._shelf.finish(work.picture, planes, work.rung.name)
        self.network_ms.add(ms)
        assert self._controller is not None
        if self._rungs[self._controller.rung] is work.rung:
            self._controller.measured(ms, now)

    def _try_again(self) -> None:
        """There is time: try a better rung once more, on a picture that has been shown."""
        if self._controller is None or self._latest is None or self._due() is None:
            return
        number = self._controller.trial(self._wall())
        if number is not None:
            ms = self._tried(self._rungs[number], self._latest, runs=1)
            self._controller.tried(number, ms, self._wall())
            self._done_at = self._wall()

    def _prepare(self, picture: Picture) -> None:
        """Have rungs for pictures of this size, at the size that is wanted now."""
        source = (picture.frame.width, picture.frame.height)
        size = self._size(*source)
        if (source, size) == (self._source, self._fitted):
            return
        self._finish_all()
        if source != self._source:
            self._networks.clear()
            self.tried_ms.clear()
            self.remembered.clear()
        self._source, self._fitted = source, size
        cards = cards_for(self._model, source, size)
        for card in reversed(cards):  # the cheapest first
            network = self._networks.get(card.name)
            if network is None:
                network = NetworkRung(card, *source, size, opened=self._opened)
                self._networks[card.name] = network
            network.fit(size)
        last = LanczosRung(*source, size)
        rungs: list[Rung] = [*(self._networks[card.name] for card in cards), last]
        if last.name not in self.tried_ms:
            self.tried_ms[last.name] = self._tried(last, picture, runs=3)
        for card in reversed(cards):
            if card.name not in self.tried_ms:
                self.tried_ms[card.name] = self._expected(card, picture)
        if self._controller is not None:
            self._choices += self._controller.choices
        self._rungs = rungs
        named = [(rung.name, self.tried_ms[rung.name]) for rung in rungs]
        self._controller = Controller(
            named, self._budget_ms, self._wall(), remembered=self.remembered
        )
        self.ready.set()

    def _expected(self, card: ModelCard, picture: Picture) -> float:
        """Milliseconds that a network takes: as known before, or tried out."""
        rung = self._networks[card.name]
        known = self._known(card, *self._source)
        if known is None:
            return self._tried(rung, picture, runs=3)
        self.remembered.add(card.name)
        if known <= self._budget_ms:
            self._tried(rung, picture, runs=1)  # the first one is slow, and would count
        return known + (self.tried_ms[LANCZOS] if rung.scales_on else 0.0)

    def _tried(self, rung: Rung, picture: Picture, *, runs: int) -> float:
        """Milliseconds for a picture: the least of some runs, the first of which warms up."""
        taken: list[float] = []
        while len(taken) < runs and not (self._shelf.closed and taken):
            began = self._wall()
            rung.submit(picture.window)
            rung.collect()
            taken.append((self._wall() - began) * 1000)
        return min(taken)


def _nothing(_card: ModelCard, _width: int, _height: int) -> None:
    """Nobody knows."""
