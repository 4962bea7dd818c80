"""Pixel-wise fidelity: mean squared error and peak signal-to-noise ratio.

Planes   (rows, columns), code values of any real type; computed in float64.
Order    the reference first, the picture that is judged second.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mse", "psnr"]


def mse(reference: npt.NDArray[Any], judged: npt.NDArray[Any]) -> float:
    """Mean squared error of two planes of the same shape, in squared code values.

    Raises:
        ValueError: the shapes differ, or there is no sample.

    Example:
        >>> mse(np.array([[10, 20]], np.uint8), np.array([[12, 20]], np.uint8))
        2.0
    """
    if reference.shape != judged.shape or reference.size == 0:
        raise ValueError(
            f"planes must have one shape and a sample, got {reference.shape}, {judged.shape}"
        )
    difference = reference.astype(np.float64) - judged.astype(np.float64)
    return float(np.mean(np.square(difference)))


def psnr(
    reference: npt.NDArray[Any], judged: npt.NDArray[Any], *, max_value: float = 255.0
) -> float:
    """Peak signal-to-noise ratio, ``10 log10(max_value^2 / mse)``, in dB; infinite where equal.

    Args:
        reference: (H, W).
        judged: (H, W).
        max_value: the peak: 2^bits - 1 for code values, also of limited-range luma, as the
            published tables have it.

    Raises:
        ValueError: the shapes differ, or there is no sample, or the peak is not positive.

    Example:
        >>> round(psnr(np.zeros((1, 2)), np.array([[0, 255]])), 2)
        3.01
    """
    if max_value <= 0:
        raise ValueError(f"max_value must be positive, got {max_value}")
    error = mse(reference, judged)
    return math.inf if error == 0 else 10 * math.log10(max_value * max_value / error)
