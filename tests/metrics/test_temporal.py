"""Consistency over time: hand-made flicker, known shifts, and what each figure does not see."""

import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage.metrics import mean_squared_error

from upreel.metrics import (
    motion_difference,
    mse,
    temporal_difference,
    visible,
    warping_error,
)

STILL = np.zeros((24, 32, 2), np.float32)
SEEN = np.ones((24, 32), bool)


def noise(seed: int, shape: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_the_truth_itself_has_no_temporal_difference() -> None:
    assert temporal_difference(noise(1), noise(2), noise(1), noise(2)) == 0


def test_an_error_that_stays_is_not_flicker() -> None:
    offset = noise(3).astype(int)

    assert temporal_difference(noise(1), noise(2), noise(1) + offset, noise(2) + offset) == 0


def test_an_error_that_alternates_counts_twice() -> None:
    truth = noise(1).astype(int)

    assert temporal_difference(truth, truth, truth + 3, truth - 3) == 6


def test_unsigned_planes_do_not_wrap() -> None:
    black, white = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)

    assert temporal_difference(black, black, black, white) == 255


def test_known_noise_has_the_known_mean() -> None:
    # The difference of two normal errors of deviation s has the mean length 2 s / sqrt(pi).
    random = np.random.default_rng(1)
    flat = np.full((400, 400), 100.0)

    value = temporal_difference(
        flat, flat, flat + random.normal(0, 4, flat.shape), flat + random.normal(0, 4, flat.shape)
    )
    assert value == pytest.approx(2 * 4 / math.sqrt(math.pi), rel=0.01)


def test_without_motion_the_warping_error_is_the_mean_squared_error() -> None:
    assert warping_error(noise(1), noise(2), STILL, SEEN) == pytest.approx(mse(noise(1), noise(2)))


def test_what_moves_with_the_motion_has_no_warping_error() -> None:
    before = noise(1)
    frame = np.roll(before, 3, axis=1)
    field = STILL.copy()
    field[..., 0] = -3

    seen = visible(field, -field)

    assert warping_error(frame, before, field, seen) == 0
    assert warping_error(frame, before, STILL, seen) > 1000


def test_figures_are_those_of_other_libraries_on_random_fields() -> None:
    """SciPy moves by whole samples, over the borders too; NumPy's norm is the distance."""
    random = np.random.default_rng(4)
    frame, before = noise(5), noise(6)
    field = random.integers(-5, 6, (24, 32, 2)).astype(np.float32)
    other = random.normal(size=(24, 32, 2)).astype(np.float32)
    seen = random.random((24, 32)) < 0.7
    y, x = np.mgrid[:24, :32]

    moved = map_coordinates(before, (y + field[..., 1], x + field[..., 0]), order=1, mode="nearest")

    error = mean_squared_error(frame[seen].astype(float), moved[seen].astype(float))
    assert warping_error(frame, before, field, seen) == pytest.approx(error)
    distance = np.linalg.norm((field - other).astype(float), axis=-1).mean()
    assert motion_difference(field, other) == pytest.approx(distance)


def test_only_what_is_seen_in_both_counts() -> None:
    frame = noise(1).copy()
    seen = SEEN.copy()
    frame[:4] ^= 255
    seen[:4] = False

    assert warping_error(frame, noise(1), STILL, seen) == 0
    assert math.isnan(warping_error(frame, noise(1), STILL, ~SEEN))


def test_motion_difference_is_the_mean_distance() -> None:
    judged = STILL.copy()
    judged[:12, :, 0], judged[:12, :, 1] = 3, -4

    assert motion_difference(STILL, STILL) == 0
    assert motion_difference(STILL, judged) == motion_difference(judged, STILL) == 2.5


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="planes must have one shape and a sample"):
        temporal_difference(noise(1), noise(1), noise(1), noise(1)[:1])
    with pytest.raises(ValueError, match="planes must have one shape"):
        warping_error(noise(1), noise(1)[:1], STILL, SEEN)
    with pytest.raises(ValueError, match="motions must have one shape"):
        motion_difference(STILL, STILL[:1])
