"""ssim(): a slow twin written from the paper, scikit-image, torchmetrics, and known values."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from upreel.metrics import ssim


def noise(seed: int, *, peak: int = 255, shape: tuple[int, int] = (29, 83)) -> np.ndarray:
    dtype = np.uint8 if peak <= 255 else np.uint16
    return np.random.default_rng(seed).integers(0, peak + 1, shape).astype(dtype)


def slow_ssim(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    """Window by window, with weighted moments about the weighted means."""
    weights = np.array(
        [[math.exp(-(y * y + x * x) / (2 * 1.5**2)) for x in range(-5, 6)] for y in range(-5, 6)]
    )
    weights /= weights.sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p = a[y : y + 11, x : x + 11].astype(float)
            q = b[y : y + 11, x : x + 11].astype(float)
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            var_p = (weights * (p - mean_p) ** 2).sum()
            var_q = (weights * (q - mean_q) ** 2).sum()
            covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
            luminance = (2 * mean_p * mean_q + c1) / (mean_p**2 + mean_q**2 + c1)
            values.append(luminance * (2 * covariance + c2) / (var_p + var_q + c2))
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [(11, 11), (29, 83), (43, 42), (75, 11)])
def test_matches_the_slow_twin(shape: tuple[int, int]) -> None:
    a = noise(1, shape=shape)
    b = (a * 0.7 + noise(2, shape=shape) * 0.3).astype(np.uint8)

    assert ssim(a, b) == pytest.approx(slow_ssim(a, b, 255), rel=1e-9)


@pytest.mark.parametrize("peak", [255, 1023])
def test_agrees_with_scikit_image(peak: int) -> None:
    a = noise(1, peak=peak)
    b = (a * 0.9 + noise(2, peak=peak) * 0.1).astype(a.dtype)

    expected = structural_similarity(
        a, b, data_range=peak, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b, max_value=peak) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_torchmetrics_where_no_window_is_padded() -> None:
    from_numpy = pytest.importorskip("torch").from_numpy
    functional = pytest.importorskip("torchmetrics.functional.image")
    a, b = noise(1), noise(2)

    _, similarity = functional.structural_similarity_index_measure(
        from_numpy(a.astype(np.float64))[None, None],
        from_numpy(b.astype(np.float64))[None, None],
        data_range=255.0,
        sigma=1.5,
        return_full_image=True,
    )
    assert ssim(a, b) == pytest.approx(float(similarity[..., 5:-5, 5:-5].mean()), abs=1e-9)


def test_flat_planes_are_compared_by_their_means_alone() -> None:
    dark, bright = np.full((16, 16), 50, np.uint8), np.full((16, 16), 100, np.uint8)
    c1 = 2.55**2

    assert ssim(dark, bright) == pytest.approx((2 * 50 * 100 + c1) / (50**2 + 100**2 + c1))


def test_the_border_counts_only_through_whole_windows() -> None:
    a = noise(1, shape=(21, 21))
    b = a.copy()
    b[0, 0] ^= 255

    assert 0 < 1 - ssim(a, b) < 1e-6  # seen by one window of 121, by its outermost weight


def test_below_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"11 x 11, got \(10, 40\)"):
        ssim(np.zeros((10, 40)), np.zeros((10, 40)))
