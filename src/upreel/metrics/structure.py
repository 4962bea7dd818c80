"""Structural similarity, at one scale and at five.

Planes   (rows, columns), code values of any real type; computed in float64.
Window   Gaussian, 11 x 11, standard deviation 1.5, only where it lies inside the picture: the
         map is 10 rows and 10 columns smaller than the planes.
Speed    both passes of the window are banded matrix products, a block of rows at a time.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MS_SSIM_SMALLEST", "SSIM_SMALLEST", "ms_ssim", "ssim"]

Array = npt.NDArray[np.float64]

WINDOW = 11  # samples a side
SIGMA = 1.5  # samples
K1, K2 = 0.01, 0.03

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, the full size first (Wang et al. 2003, section 4)."""

SSIM_SMALLEST = WINDOW
"""Samples a side that `ssim` needs."""

MS_SSIM_SMALLEST = WINDOW << (len(SCALE_WEIGHTS) - 1)
"""Samples a side that `ms_ssim` needs: the window still fits after four halvings."""

_BLOCK = 32  # output samples a product makes at once


@lru_cache(maxsize=8)
def _band(out_size: int) -> Array:
    """(out_size, out_size + WINDOW - 1): each row holds the window, one sample further."""
    x = np.arange(WINDOW) - (WINDOW - 1) / 2
    window = np.exp(-0.5 * np.square(x / SIGMA))
    window /= window.sum()
    band = np.zeros((out_size, out_size + WINDOW - 1))
    for tap in range(WINDOW):
        band[np.arange(out_size), np.arange(out_size) + tap] = window[tap]
    return band


def _blur_rows(values: Array) -> Array:
    """Window along the first axis: (H, W) -> (H - 10, W)."""
    out_size = values.shape[0] - WINDOW + 1
    result = np.empty((out_size, values.shape[1]))
    for start in range(0, out_size, _BLOCK):
        size = min(_BLOCK, out_size - start)
        np.matmul(
            _band(size),
            values[start : start + size + WINDOW - 1],
            out=result[start : start + size],
        )
    return result


def _blur(values: Array) -> Array:
    """Window along both axes: (H, W) -> (H - 10, W - 10)."""
    columns = np.ascontiguousarray(_blur_rows(values).T)
    return np.ascontiguousarray(_blur_rows(columns).T)


def _maps(a: Array, b: Array, max_value: float) -> tuple[Array, Array]:
    """Luminance, and contrast times structure, of every window: (H - 10, W - 10) each."""
    mean_a, mean_b = _blur(a), _blur(b)
    product, squares = mean_a * mean_b, np.square(mean_a) + np.square(mean_b)
    covariance = _blur(a * b) - product
    variances = _blur(np.square(a) + np.square(b)) - squares  # the formula needs only their sum
    c1, c2 = (K1 * max_value) ** 2, (K2 * max_value) ** 2
    return (2 * product + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def _check(
    reference: npt.NDArray[Any], judged: npt.NDArray[Any], smallest: int, max_value: float
) -> None:
    if reference.shape != judged.shape or min(reference.shape) < smallest:
        raise ValueError(
            f"planes must have one shape of at least {smallest} x {smallest}, "
            f"got {reference.shape}, {judged.shape}"
        )
    if max_value <= 0:
        raise ValueError(f"max_value must be positive, got {max_value}")


def ssim(
    reference: npt.NDArray[Any], judged: npt.NDArray[Any], *, max_value: float = 255.0
) -> float:
    """Mean structural similarity index (Wang et al., IEEE TIP 13(4), 2004, equation 13).

    As the authors' ``ssim_index.m``: constants K1 = 0.01 and K2 = 0.03, population moments, no
    downsampling beforehand, the mean over all windows that lie inside the picture.

    Args:
        reference: (H, W), at least 11 x 11.
        judged: (H, W).
        max_value: dynamic range of the code values, 2^bits - 1.

    Returns:
        At most 1, and 1 only where both are equal.

    Raises:
        ValueError: the shapes differ, a side is below 11 samples, or the range is not positive.

    Example:
        >>> plane = np.arange(144.0).reshape(12, 12)
        >>> ssim(plane, plane)
        1.0
    """
    _check(reference, judged, SSIM_SMALLEST, max_value)
    luminance, structure = _maps(reference.astype(np.float64), judged.astype(np.float64), max_value)
    return float(np.mean(luminance * structure))


def _halved(plane: Array) -> Array:
    """Mean of 2 x 2; an odd last row or column is left out."""
    rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
    blocks = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    return np.ascontiguousarray(blocks.mean(axis=(1, 3)))


def ms_ssim(
    reference: npt.NDArray[Any], judged: npt.NDArray[Any], *, max_value: float = 255.0
) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli, Bovik, Asilomar 2003, equation 7).

    Five scales, each the 2 x 2 mean of the one before. Contrast times structure is averaged over
    the windows of each scale, at the coarsest scale multiplied by the luminance term before that;
    the averages are raised to `SCALE_WEIGHTS` and multiplied. An average below zero, which has no
    real power, counts as 0.

    Args:
        reference: (H, W), at least 176 x 176.
        judged: (H, W).
        max_value: dynamic range of the code values, 2^bits - 1.

    Returns:
        From 0 to 1, and 1 only where both are equal.

    Raises:
        ValueError: the shapes differ, a side is below 176 samples, or the range is not positive.

    Example:
        >>> plane = np.arange(176.0 * 176).reshape(176, 176) % 251
        >>> ms_ssim(plane, plane)
        1.0
    """
    _check(reference, judged, MS_SSIM_SMALLEST, max_value)
    a, b = reference.astype(np.float64), judged.astype(np.float64)
    result = 1.0
    for weight in SCALE_WEIGHTS[:-1]:
        _, structure = _maps(a, b, max_value)
        result *= max(float(np.mean(structure)), 0.0) ** weight
        a, b = _halved(a), _halved(b)
    luminance, structure = _maps(a, b, max_value)
    return result * max(float(np.mean(luminance * structure)), 0.0) ** SCALE_WEIGHTS[-1]
