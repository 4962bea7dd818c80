"""BD, the field's other degradation: a Gaussian blur, then every s-th sample from the first on."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BLUR_SIGMA", "blur_shrink"]

BLUR_SIGMA = 1.6  # samples of the ground truth's plane
_BLUR_REACH = 6  # samples to either side


def blur_shrink(
    plane: npt.NDArray[Any],
    out_height: int,
    out_width: int,
    scale: int,
    first: tuple[float, float] = (0.0, 0.0),
) -> npt.NDArray[np.float32]:
    """A plane blurred by a Gaussian of 13 x 13 samples, and every `scale`-th sample of it.

    Args:
        plane: (rows, columns); its borders are mirrored.
        out_height: rows of the answer.
        out_width: columns of the answer.
        scale: samples from one to the next.
        first: row and column of the first one, also between samples.
    """
    rows, columns = plane.shape
    vertical = _matrix(rows, out_height, scale, first[0])
    horizontal = _matrix(columns, out_width, scale, first[1])
    return np.matmul(vertical @ plane.astype(np.float32), horizontal.T, dtype=np.float32)


@lru_cache(maxsize=16)
def _matrix(in_size: int, out_size: int, scale: int, first: float) -> npt.NDArray[np.float32]:
    """(out_size, in_size): a Gaussian about every `scale`-th sample."""
    centres = first + scale * np.arange(out_size)
    taps = np.floor(centres + 0.5)[:, None] + np.arange(-_BLUR_REACH, _BLUR_REACH + 1)
    weights = np.exp(-0.5 * np.square((taps - centres[:, None]) / BLUR_SIGMA))
    weights /= weights.sum(axis=1, keepdims=True)
    places = taps.astype(np.int64) % (2 * in_size)
    places = np.where(places < in_size, places, 2 * in_size - 1 - places)
    matrix = np.zeros((out_size, in_size))
    np.add.at(matrix, (np.arange(out_size)[:, None], places), weights)
    return matrix.astype(np.float32)
