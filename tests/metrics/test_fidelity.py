"""mse() and psnr(): hand-made cases, and scikit-image as the independent reference."""

import math

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from upreel.metrics import mse, psnr


def noise(seed: int, *, peak: int = 255, shape: tuple[int, int] = (13, 17)) -> np.ndarray:
    dtype = np.uint8 if peak <= 255 else np.uint16
    return np.random.default_rng(seed).integers(0, peak + 1, shape).astype(dtype)


def test_mse_of_unsigned_planes_does_not_wrap() -> None:
    black, white = np.zeros((2, 3), np.uint8), np.full((2, 3), 255, np.uint8)

    assert mse(black, white) == mse(white, black) == 255.0**2


def test_psnr_of_one_level_off_everywhere() -> None:
    plane = np.full((4, 4), 100, np.uint8)

    assert psnr(plane, plane + 1) == pytest.approx(48.1308, abs=1e-4)


def test_psnr_of_equal_planes_is_infinite() -> None:
    assert psnr(noise(1), noise(1)) == math.inf


@pytest.mark.parametrize("peak", [255, 1023])
def test_agrees_with_scikit_image(peak: int) -> None:
    a, b = noise(1, peak=peak), noise(2, peak=peak)

    assert mse(a, b) == pytest.approx(mean_squared_error(a, b), rel=1e-12)
    assert psnr(a, b, max_value=peak) == pytest.approx(
        peak_signal_noise_ratio(a, b, data_range=peak), rel=1e-12
    )


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(13, 17\), \(1, 17\)"):
        mse(noise(1), noise(1)[:1])


def test_a_peak_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="max_value must be positive, got 0"):
        psnr(noise(1), noise(2), max_value=0)
