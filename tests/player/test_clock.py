"""The clock and the arrivals of a live source, with time that the tests make."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upreel.player.clock import Arrivals, Clock


class Wall:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_runs_from_where_it_is_started_and_stands_where_it_is_stopped() -> None:
    wall = Wall()
    clock = Clock(wall)
    assert clock.now() == 0
    assert not clock.running

    clock.start(5)
    wall.now += 2
    assert clock.now() == 7
    clock.stop()
    wall.now += 10
    assert clock.now() == 7
    clock.start()
    wall.now += 1
    assert clock.now() == 8
    clock.stop(3)
    assert clock.now() == 3


def test_a_stopped_clock_follows_nobody() -> None:
    clock = Clock(Wall())
    clock.stop(4)

    clock.follow(9)

    assert clock.now() == 4


def test_a_large_difference_is_made_up_for_at_once_and_a_small_one_slowly() -> None:
    wall = Wall()
    clock = Clock(wall)
    clock.start(0)

    clock.follow(0.05)
    assert 0 < clock.now() < 0.02
    clock.follow(3)
    assert clock.now() == 3


@settings(deadline=None, max_examples=40)
@given(
    speed=st.floats(0.97, 1.03),
    block=st.floats(0.005, 0.03),
    steps=st.lists(st.floats(0.002, 0.06), min_size=200, max_size=400),
    start=st.floats(-0.09, 0.09),
)
def test_it_stays_near_a_device_that_runs_at_another_speed_and_tells_of_whole_blocks(
    speed: float, block: float, steps: list[float], start: float
) -> None:
    wall = Wall()
    clock = Clock(wall)
    clock.start(start)
    heard, before = 0.0, clock.now()
    for number, step in enumerate(steps):
        wall.now += step
        heard += step * speed
        clock.follow(heard // block * block)
        if number > 20:  # what it began with has been made up for
            assert clock.now() > before - 0.02  # it never goes back by what an eye sees
        before = clock.now()
        if number > 100:
            assert abs(clock.now() - heard) < 0.04 + block


@settings(deadline=None, max_examples=40)
@given(
    lates=st.lists(st.floats(0, 0.2), min_size=50, max_size=200),
    origin=st.floats(-1e4, 1e4),
)
def test_no_picture_of_late_is_too_late_at_the_offset(lates: list[float], origin: float) -> None:
    arrivals = Arrivals(longest=2.0)
    assert arrivals.offset is None
    came: list[tuple[float, float]] = []
    for number, late in enumerate(lates):
        media = number * 0.04
        before = came[-1][1] if came else origin
        came.append((media, max(origin + media + late, before)))
        arrivals.arrived(*came[-1])

        assert arrivals.offset is not None
        wall = came[-1][1]
        looked_at = [w - m for m, w in came if w >= wall - 0.09]
        assert arrivals.offset >= max(looked_at) - 1e-6
        assert arrivals.offset <= origin + 0.2 + 1e-6


def test_what_was_stored_before_is_forgotten_soon() -> None:
    """Three seconds come at once, then each picture at its time."""
    arrivals = Arrivals()
    for number in range(75):
        arrivals.arrived(number * 0.04, 100 + number * 0.001)
    newest = 100.075 - 74 * 0.04
    assert arrivals.offset is not None
    assert arrivals.offset == pytest.approx(100, abs=0.01)

    for number in range(75, 85):
        arrivals.arrived(number * 0.04, newest + number * 0.04)

    assert arrivals.offset == pytest.approx(newest, abs=0.01)


def test_a_source_that_jumped_begins_anew() -> None:
    arrivals = Arrivals()
    arrivals.arrived(0, 50)
    arrivals.forget()
    assert arrivals.offset is None
