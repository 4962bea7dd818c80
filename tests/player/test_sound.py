"""Sound at its own time: gaps filled, overlaps cut, what comes too late left out."""

from collections import deque
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.player.clock import Clock
from upreel.player.presenter import SilentSound
from upreel.player.sound import SoundFeed
from upreel.video.pieces import Sound

RATE = 48000


class Device(SilentSound):
    """Keeps what it was given."""

    def __init__(self, wall: "Wall") -> None:
        super().__init__(wall)
        self.given: list[tuple[float, np.ndarray]] = []

    def queue(self, samples: np.ndarray, media: float) -> None:
        super().queue(samples, media)
        self.given.append((media, samples))


class Wall:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    def __init__(self, *sounds: tuple[float, float]) -> None:
        self.sounds = deque(
            Sound(at=Fraction(at), samples=np.full((round(length * RATE), 2), 0.5, np.float32))
            for at, length in sounds
        )

    def take_sound(self) -> Sound | None:
        return self.sounds.popleft() if self.sounds else None


def made(*sounds: tuple[float, float], live: bool = False) -> tuple[SoundFeed, Device, Clock, Wall]:
    wall = Wall()
    device, clock = Device(wall), Clock(wall)
    return SoundFeed(device, Source(*sounds), clock, live=live), device, clock, wall


def test_only_so_much_is_queued_and_what_is_heard_is_known() -> None:
    feed, device, clock, wall = made(*((n / 10, 0.1) for n in range(20)))
    feed.begin(0)
    assert device.queued == pytest.approx(0.2)
    assert feed.heard == pytest.approx(0)
    feed.play()
    clock.start(0)
    for _ in range(15):
        wall.now += 0.05
        feed.feed()
        assert feed.heard == pytest.approx(wall.now)
        assert device.queued <= 0.3


def test_a_gap_is_silence_and_an_overlap_is_cut() -> None:
    feed, device, _, _ = made((0.0, 0.05), (0.1, 0.05), (0.12, 0.05))
    feed.begin(0)

    assert [round(at, 3) for at, _ in device.given] == [0, 0.05, 0.1, 0.15]
    assert [round(len(s) / RATE, 3) for _, s in device.given] == [0.05, 0.05, 0.05, 0.02]
    assert [float(s.max()) for _, s in device.given] == [0.5, 0, 0.5, 0.5]


def test_sound_of_before_the_start_is_left_out() -> None:
    feed, device, _, _ = made((1.0, 0.1), (1.1, 0.1))
    feed.begin(1.15)

    ((at, samples),) = device.given
    assert at == 1.15
    assert len(samples) == round(0.05 * RATE)


def test_what_comes_too_late_is_left_out_and_the_clock_runs_on() -> None:
    feed, device, clock, wall = made((0.0, 0.2))
    feed.begin(0)
    feed.play()
    clock.start(0)
    wall.now = 1.0
    assert feed.heard is None
    feed._source = Source((0.2, 0.1), (0.9, 0.3))  # type: ignore[assignment]
    feed.feed()

    at, samples = device.given[-1]
    assert at == pytest.approx(1.0)
    assert len(samples) == pytest.approx(0.2 * RATE, abs=2)
    assert feed.heard == pytest.approx(1.0)


def test_volume_and_silence() -> None:
    feed, device, _, _ = made((0.0, 0.1))
    feed.volume = 0.5
    feed.begin(0)
    assert device.given[-1][1].max() == 0.25
    feed, device, _, _ = made((0.0, 0.1))
    feed.muted = True
    feed.begin(0)
    assert device.given[-1][1].max() == 0


@given(steps=st.lists(st.floats(-0.02, 0.02), min_size=20, max_size=60))
def test_live_sound_stays_with_the_clock(steps: list[float]) -> None:
    """Pieces that come when they will; the device never is more than 60 ms from the clock."""
    feed, device, clock, wall = made(live=True)
    feed.begin(0)
    feed.play()
    clock.start(0)
    at = 0.0
    for step in steps:
        wall.now += 0.04
        at = max(at + 0.04, wall.now + step - 0.02)
        feed._source = Source((at, 0.04))  # type: ignore[assignment]
        feed.feed()
        if device.queued > 0:
            assert feed.heard == pytest.approx(clock.now(), abs=0.06)
