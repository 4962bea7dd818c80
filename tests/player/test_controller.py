"""The choice of rung, on a machine that is simulated: a clock, a shelf, and what rungs take."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upreel.player.controller import Controller

BUDGET = 40.0  # milliseconds between two pictures
AHEAD = 6  # pictures that may be ready before they are due

Costs = Callable[[int, float], float]
"""What a rung takes at a time, in milliseconds."""


@dataclass
class Showing:
    """What a simulated showing came to: for each picture the rung, None if it was too late."""

    rungs: list[int | None] = field(default_factory=list[int | None])
    controller: Controller | None = None

    def share(self, since: float = 0, until: float = 1e9) -> dict[int | None, float]:
        part = self.rungs[round(since * 25) : min(round(until * 25), len(self.rungs))]
        return {rung: part.count(rung) / len(part) for rung in set(part)}


def show(tried: list[float], costs: Costs, seconds: float) -> Showing:
    """Let a controller enlarge 25 pictures a second."""
    names = [(f"r{n}", ms) for n, ms in enumerate(tried)]
    controller = Controller(names, BUDGET, 0.0)
    showing = Showing(controller=controller)
    now, number = 0.0, 0  # seconds; the next picture to enlarge
    while now < seconds:
        due = number * BUDGET / 1000 + 0.2
        if number and due - now > AHEAD * BUDGET / 1000 + 1e-6:
            trial = controller.trial(now)
            if trial is not None:
                ms = costs(trial, now)
                now += ms / 1000
                controller.tried(trial, ms, now)
            else:
                now = due - AHEAD * BUDGET / 1000
            continue
        if due < now:  # too late to begin with: shown as it is
            showing.rungs.append(None)
            number += 1
            continue
        rung = controller.rung
        ms = costs(rung, now)
        now += ms / 1000
        showing.rungs.append(rung if now <= due else None)
        number += 1
        controller.measured(ms, now)
    return showing


def steady(*ms: float) -> Costs:
    return lambda rung, _: ms[rung]


def test_the_best_that_fits_is_chosen_to_begin_with() -> None:
    assert Controller([("a", 90), ("b", 29), ("c", 1)], BUDGET, 0).name == "b"
    assert Controller([("a", 20), ("b", 9), ("c", 1)], BUDGET, 0).name == "a"
    assert Controller([("a", 90), ("b", 80), ("c", 70)], BUDGET, 0).name == "c"


def test_what_is_known_from_before_is_said_of_the_rung_chosen_alone() -> None:
    rungs = [("a", 90), ("b", 29), ("c", 1)]
    first = Controller(rungs, BUDGET, 0, remembered={"b"}).choices[0]
    other = Controller(rungs, BUDGET, 0, remembered={"a"}).choices[0]

    assert first.reason == "29 of 40 ms, as measured before"
    assert other.reason == "29 of 40 ms"


def test_there_must_be_something_to_choose_from() -> None:
    with pytest.raises(ValueError, match="budget above 0"):
        Controller([], BUDGET, 0)
    with pytest.raises(ValueError, match="budget above 0"):
        Controller([("a", 1)], 0, 0)


@given(ms=st.lists(st.floats(0.5, 300), min_size=1, max_size=5))
@settings(deadline=None, max_examples=20)
def test_steady_costs_lead_to_the_best_that_fits_and_there_it_stays(ms: list[float]) -> None:
    ms = [*sorted(ms, reverse=True), 1.0]
    fitting = next(n for n, cost in enumerate(ms) if cost <= 0.75 * BUDGET)

    showing = show(ms, steady(*ms), 60)

    assert showing.controller is not None
    assert showing.controller.rung == fitting
    assert len(showing.controller.choices) == 1
    assert showing.share(5).get(fitting, 0) > 0.9


@given(
    noise=st.lists(st.floats(0.6, 1.9), min_size=97, max_size=97),
    ms=st.floats(8, 35),
)
@settings(deadline=None, max_examples=20)
def test_jitter_does_not_make_it_swing(noise: list[float], ms: float) -> None:
    """Costs that vary about a mean that may or may not fit."""
    count = 0

    def costs(rung: int, _now: float) -> float:
        nonlocal count
        count += 1
        return (ms if rung == 0 else 2.0) * noise[count % len(noise)]

    showing = show([ms, 2.0], costs, 120)

    assert showing.controller is not None
    assert len(showing.controller.choices) < 16  # in two minutes
    assert showing.share(5).get(None, 0) < 0.05


@given(factor=st.floats(10, 40), at=st.floats(5, 15))
@settings(deadline=None, max_examples=20)
def test_a_network_ten_times_too_slow_is_left_within_two_seconds(factor: float, at: float) -> None:
    def costs(rung: int, now: float) -> float:
        return 25 * factor if rung == 0 and at <= now < at + 10 else (25.0, 8.0, 1.0)[rung]

    showing = show([25.0, 8.0, 1.0], costs, 90)

    assert showing.controller is not None
    assert 0 not in showing.share(at + 2, at + 10)
    assert showing.share(at + 2, at + 10).get(None, 0) <= (0.15 if factor > 12 else 0.01)
    taken_up = [choice.at for choice in showing.controller.choices[1:] if choice.rung == "r0"]
    assert min(taken_up) > at + 10  # not before it is fast again
    left = [choice.at for choice in showing.controller.choices if choice.rung != "r0"]
    assert at <= left[0] < at + 2
    assert showing.share(80) == {0: 1.0}  # and it is taken up again


@given(load=st.floats(2, 6))
@settings(deadline=None, max_examples=20)
def test_a_busy_machine_slows_all_rungs_and_the_best_comes_back(load: float) -> None:
    ms = (24.0, 9.0, 1.0)

    def costs(rung: int, now: float) -> float:
        return ms[rung] * (load if 10 <= now < 30 else 1)

    showing = show(list(ms), costs, 120)

    assert showing.share(13, 30).get(None, 0) < 0.06
    assert showing.share(100) == {0: 1.0}


def test_a_rung_that_was_tried_out_at_a_busy_moment_is_tried_again() -> None:
    """Nothing is late meanwhile: the trial is made where there is time."""
    showing = show([400.0, 300.0, 1.0], steady(20.0, 9.0, 1.0), 30)

    assert showing.share(15) == {0: 1.0}
    assert None not in showing.share()


def test_a_rung_that_never_fits_costs_next_to_nothing() -> None:
    showing = show([130.0, 1.0], steady(130.0, 1.0), 300)

    assert showing.controller is not None
    assert len(showing.controller.choices) == 1
    assert showing.share().get(None, 0) < 0.001


def test_pictures_at_another_rate_have_another_budget() -> None:
    controller = Controller([("a", 25), ("b", 1)], BUDGET, 0)
    controller.set_budget(20)
    for number in range(3):
        controller.measured(25, number)

    assert controller.name == "b"
    assert controller.choices[-1].reason == "a took 25 ms of 20"
