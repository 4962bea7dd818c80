"""Decoding times over whole films, from display times in coded order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.video.order import decoding_times, reorder_delay, scale_of_movie


def test_delay_of_a_pyramid_of_b_frames() -> None:
    assert reorder_delay(np.array([0, 8, 4, 2, 6, 16, 12])) == 2


@pytest.mark.parametrize("coded", [[], [7], [0, 1, 2, 3]])
def test_no_delay_without_reordering(coded: list[int]) -> None:
    assert reorder_delay(np.array(coded, np.int64)) == 0


def test_one_long_frame_does_not_move_the_others() -> None:
    shown = np.array([0, 1, 2, 1000, 1001, 1002, 1003])

    due = decoding_times(shown, 2)

    assert due.tolist() == [-2, -1, 0, 1, 2, 1000, 1001]


@given(
    steps=st.lists(st.integers(1, 10**9), min_size=1, max_size=40),
    start=st.integers(-(10**12), 10**12),
    window=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_times_rise_and_are_early_enough(
    steps: list[int], start: int, window: int, seed: int
) -> None:
    shown = start + np.cumsum(np.array(steps, np.int64))
    order = np.argsort(
        np.arange(len(shown)) + np.random.default_rng(seed).uniform(0, window, len(shown))
    )
    coded = shown[order]

    due = decoding_times(shown, reorder_delay(coded))

    assert np.all(np.diff(due) > 0)
    assert np.all(due <= coded)


def test_three_hours_at_nanoseconds_do_not_overflow() -> None:
    shown = np.arange(3 * 3600 * 60, dtype=np.int64) * 16_666_667

    due = decoding_times(shown, 3)

    assert due[-1] == shown[-4]
    assert np.all(np.diff(due) > 0)


@pytest.mark.parametrize(
    ("denominators", "scale", "exact"),
    [
        ((), 1000, True),
        ((30_000, 48_000), 240_000, True),
        ((90_000, 44_100), 4_410_000, True),
        ((1_000_000_007, 48_000), 1_000_000_007, False),
    ],
)
def test_scale_of_movie(denominators: tuple[int, ...], scale: int, exact: bool) -> None:
    assert scale_of_movie(denominators) == (scale, exact)
