"""Separable resampling of one plane with exact phases, MATLAB's conventions and borders.

Positions  output sample ``j`` looks at ``(j + out_origin) * ratio - in_origin`` in input samples,
           where an origin is the centre of a plane's first sample (`upreel.video.frame`): so
           co-sited chroma stays where it belongs in luma's grid.
Weights    as MATLAB's imresize: a kernel is widened by the ratio when it shrinks, the weights of
           each output sample are normalised, and borders are mirrored with the edge sample
           repeated ("symmetric").
Values     any range; results are float32 and are not rounded or clipped.

Both passes are banded matrix products: a block of output samples needs only a narrow band of
input samples, which a BLAS multiplies far faster than a gather of each tap does.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["KERNELS", "Kernel", "kernel_weights", "resample"]

Kernel = Literal["bicubic", "lanczos3", "area", "gaussian"]
KERNELS: tuple[Kernel, ...] = ("bicubic", "lanczos3", "area", "gaussian")

_BLOCK = 64  # output samples a banded product makes at once


def _bicubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic with a = -1/2 (IEEE TASSP 29(6), 1981, equation 15)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _lanczos3(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _gaussian(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Standard deviation of half an output sample: the softer lens of a small camera."""
    return np.exp(-0.5 * (x / 0.5) ** 2)


_SHAPES: dict[str, tuple[Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], float]] = {
    "bicubic": (_bicubic, 2.0),
    "lanczos3": (_lanczos3, 3.0),
    "gaussian": (_gaussian, 2.0),
}


def kernel_weights(
    in_size: int,
    out_size: int,
    *,
    kernel: Kernel,
    ratio: float,
    in_origin: float = 0.5,
    out_origin: float = 0.5,
    antialias: bool = True,
) -> npt.NDArray[np.float64]:
    """The resampling matrix of one axis.

    Args:
        in_size: input samples.
        out_size: output samples.
        kernel: one of `KERNELS`.
        ratio: input samples an output sample advances by; above 1 it shrinks.
        in_origin: centre of the first input sample, in input samples.
        out_origin: centre of the first output sample, in output samples.
        antialias: whether the kernel is widened by a ratio above 1.

    Returns:
        Weights (out_size, in_size); each row sums to 1.

    Example:
        >>> kernel_weights(4, 2, kernel="area", ratio=2).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    if kernel not in KERNELS:
        raise ValueError(f"no kernel {kernel!r}; there are: {', '.join(KERNELS)}")
    if in_size < 1 or out_size < 1 or ratio <= 0:
        raise ValueError(f"sizes and ratio must be positive, got {in_size}, {out_size}, {ratio}")
    centres = (np.arange(out_size) + out_origin) * ratio - in_origin
    widening = max(ratio, 1.0) if antialias else 1.0
    shape, support = _SHAPES.get(kernel, (None, 0.5))
    reach = support * widening + (0.5 if shape is None else 0)
    taps = int(np.ceil(2 * reach)) + 2
    first = np.floor(centres - reach).astype(np.int64)
    positions = first[:, None] + np.arange(taps)
    if shape is None:  # area: the overlap of each input sample with the output sample
        low = np.maximum(positions - 0.5, centres[:, None] - widening / 2)
        high = np.minimum(positions + 0.5, centres[:, None] + widening / 2)
        weights = np.maximum(high - low, 0.0)
    else:
        weights = shape((positions - centres[:, None]) / widening)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = positions % (2 * in_size)
    mirrored = np.where(mirrored < in_size, mirrored, 2 * in_size - 1 - mirrored)
    matrix = np.zeros((out_size, in_size))
    np.add.at(matrix, (np.arange(out_size)[:, None], mirrored), weights)
    return matrix


@lru_cache(maxsize=256)
def _bands(
    in_size: int,
    out_size: int,
    kernel: Kernel,
    ratio: float,
    in_origin: float,
    out_origin: float,
    *,
    antialias: bool,
) -> tuple[tuple[slice, slice, npt.NDArray[np.float32]], ...]:
    """The matrix cut into (output rows, input columns, dense block) along its diagonal."""
    matrix = kernel_weights(
        in_size,
        out_size,
        kernel=kernel,
        ratio=ratio,
        in_origin=in_origin,
        out_origin=out_origin,
        antialias=antialias,
    )
    bands: list[tuple[slice, slice, npt.NDArray[np.float32]]] = []
    for start in range(0, out_size, _BLOCK):
        rows = slice(start, min(start + _BLOCK, out_size))
        used = np.flatnonzero(np.any(matrix[rows] != 0, axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        block = np.ascontiguousarray(matrix[rows, columns].astype(np.float32))
        bands.append((rows, columns, block))
    return tuple(bands)


def resample(
    plane: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.floating],
    height: int,
    width: int,
    *,
    kernel: Kernel,
    ratio: tuple[float, float] | None = None,
    in_origin: tuple[float, float] = (0.5, 0.5),
    out_origin: tuple[float, float] = (0.5, 0.5),
    antialias: bool = True,
) -> npt.NDArray[np.float32]:
    """Resample one plane to `height` x `width`.

    Args:
        plane: (H, W), any range.
        height: rows of the result.
        width: columns of the result.
        kernel: one of `KERNELS`; "bicubic" is MATLAB's.
        ratio: input samples an output sample advances by (vertical, horizontal). None: the
            quotient of the sizes. Name it for subsampled planes of odd pictures, whose sizes are
            rounded up.
        in_origin: centre of the plane's first sample (vertical, horizontal).
        out_origin: the same of the result.
        antialias: widen the kernel when it shrinks.

    Returns:
        (height, width) float32, neither rounded nor clipped.

    Example:
        >>> resample(np.array([[10, 20, 30, 40]]), 1, 2, kernel="area").tolist()
        [[15.0, 35.0]]
    """
    in_height, in_width = plane.shape
    ratio_y, ratio_x = ratio or (in_height / height, in_width / width)
    values = plane.astype(np.float32, copy=False)
    down = np.empty((height, in_width), np.float32)
    for rows, columns, block in _bands(
        in_height, height, kernel, ratio_y, in_origin[0], out_origin[0], antialias=antialias
    ):
        np.matmul(block, values[columns], out=down[rows])
    result = np.empty((height, width), np.float32)
    for rows, columns, block in _bands(
        in_width, width, kernel, ratio_x, in_origin[1], out_origin[1], antialias=antialias
    ):
        np.matmul(down[:, columns], block.T, out=result[:, rows])
    return result
