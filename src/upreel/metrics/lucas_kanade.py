"""Dense motion between two frames, and frames moved along it: Lucas-Kanade on a pyramid.

Axes     rows, columns; a sample's centre has whole coordinates.
Motion   (H, W, 2) float32, samples: channel 0 is dx (to the right), channel 1 is dy (down), from
         a frame to an earlier or later one: ``frame[y, x]`` is found at ``other[y + dy, x + dx]``.
Method   Lucas and Kanade (IJCAI 1981) in the coarse-to-fine form of Bouguet (2000): at each level
         of a pyramid of 2 x 2 means, a Gaussian window around every sample gives the displacement
         that makes both windows equal in the least-squares sense; `ITERATIONS` rounds a level.
         The gradients are the frame's own, so that the normal matrix is made once a level. A
         ridge of `RIDGE` on it keeps flat regions at what the coarser level said.
Limits   sub-sample where there is texture; along an edge only the motion across it is known.
"""

from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

__all__ = ["MOTION_SMALLEST", "motion", "visible", "warp"]

Plane = npt.NDArray[np.floating[Any]]
Motion = npt.NDArray[np.floating[Any]]

WINDOW_SIGMA = 3.0  # samples, of the Gaussian window
ITERATIONS = 3  # a level
RIDGE = 4.0  # squared code values a sample, of 255
LONGEST_STEP = 1.0  # samples of a level that one round may move

MOTION_SMALLEST = 16
"""Samples a side that `motion` needs; levels are added while they keep as many."""

_RADIUS = 8
_BLOCK = 32


@lru_cache(maxsize=8)
def _band(out_size: int) -> Plane:
    """(out_size, out_size + 2 * radius): each row holds the window, one sample further."""
    x = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-0.5 * np.square(x / WINDOW_SIGMA))
    window /= window.sum()
    band = np.zeros((out_size, out_size + 2 * _RADIUS), np.float32)
    for tap, weight in enumerate(window):
        band[np.arange(out_size), np.arange(out_size) + tap] = weight
    return band


def _smooth_rows(values: Plane) -> Plane:
    padded = np.pad(values, ((_RADIUS, _RADIUS), (0, 0)), mode="edge")
    result = np.empty_like(values)
    for start in range(0, values.shape[0], _BLOCK):
        size = min(_BLOCK, values.shape[0] - start)
        part = padded[start : start + size + 2 * _RADIUS]
        np.matmul(_band(size), part, out=result[start : start + size])
    return result


def _smooth(values: Plane) -> Plane:
    """The window's weighted mean around every sample; beyond the border the edge is repeated."""
    return np.ascontiguousarray(_smooth_rows(np.ascontiguousarray(_smooth_rows(values).T)).T)


def _halved(plane: Plane) -> Plane:
    rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
    blocks = plane[: 2 * rows, : 2 * columns]
    mean = (blocks[::2, ::2] + blocks[1::2, ::2]) + (blocks[::2, 1::2] + blocks[1::2, 1::2])
    return mean * np.float32(0.25)


def _doubled(field: Motion, rows: int, columns: int) -> Motion:
    """A coarser level's motion on a grid of twice the size, linearly, in its samples."""
    y = np.clip((np.arange(rows) - 0.5) / 2, 0, field.shape[0] - 1).astype(np.float32)
    x = np.clip((np.arange(columns) - 0.5) / 2, 0, field.shape[1] - 1).astype(np.float32)
    top, left = np.floor(y), np.floor(x)
    down, across = (y - top)[:, None, None], (x - left)[None, :, None]
    upper, start = top.astype(np.intp), left.astype(np.intp)
    below = np.minimum(upper + 1, field.shape[0] - 1)
    right = np.minimum(start + 1, field.shape[1] - 1)
    tall = field[upper] * (1 - down) + field[below] * down
    return 2 * (tall[:, start] * (1 - across) + tall[:, right] * across)


def _positions(field: Motion) -> tuple[Plane, Plane]:
    """Rows and columns that a motion points to."""
    rows, columns = field.shape[:2]
    y = np.arange(rows, dtype=np.float32)[:, None] + field[..., 1]
    return y, np.arange(columns, dtype=np.float32) + field[..., 0]


def _bilinear(plane: Plane, y: Plane, x: Plane) -> Plane:
    rows, columns = plane.shape
    y, x = np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)
    top, left = np.minimum(np.floor(y), max(rows - 2, 0)), np.floor(x)
    np.minimum(left, max(columns - 2, 0), out=left)
    down, across = y - top, x - left
    flat: npt.NDArray[np.floating[Any]] = plane.reshape(-1)
    first = top.astype(np.intp) * columns + left.astype(np.intp)
    right, below = min(1, columns - 1), min(1, rows - 1) * columns

    def at(offset: int) -> Plane:
        return cast("Plane", flat.take(first + offset))

    upper = at(0) + across * (at(right) - at(0))
    lower = at(below) + across * (at(below + right) - at(below))
    return upper + down * (lower - upper)


def _cubic(t: Plane) -> tuple[Plane, Plane, Plane, Plane]:
    """Keys' weights (IEEE TASSP 29(6), 1981, a = -1/2) of the samples at -1, 0, 1, 2."""
    t2, t3 = t * t, t * t * t
    before = -0.5 * t3 + t2 - 0.5 * t
    here = 1.5 * t3 - 2.5 * t2 + 1
    after = -1.5 * t3 + 2 * t2 + 0.5 * t
    return before, here, after, 1 - before - here - after


def warp(plane: npt.NDArray[Any], field: Motion) -> npt.NDArray[np.float32]:
    """A frame moved along a motion: ``result[y, x] = plane[y + dy, x + dx]``.

    Between samples by Keys' cubic, which blurs less than a bilinear one and is exact on whole
    samples; beyond the border the nearest sample is taken.

    Args:
        plane: (H, W), the other frame.
        field: (H, W, 2), towards it.

    Returns:
        (H, W) float32.

    Example:
        >>> ramp = np.arange(4.0).reshape(1, 4)
        >>> right = np.zeros((1, 4, 2), np.float32); right[..., 0] = 1
        >>> warp(ramp, right).tolist()
        [[1.0, 2.0, 3.0, 3.0]]
    """
    if field.shape != (*plane.shape, 2):
        raise ValueError(f"motion of {plane.shape} must be (H, W, 2), got {field.shape}")
    rows, columns = plane.shape
    values: npt.NDArray[np.float32] = plane.astype(np.float32, copy=False).reshape(-1)
    y, x = _positions(field)
    y, x = np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)
    top, left = np.floor(y), np.floor(x)
    across, down = _cubic(x - left), _cubic(y - top)
    places = [np.clip(left.astype(np.intp) + k, 0, columns - 1) for k in (-1, 0, 1, 2)]
    result = np.zeros(plane.shape, np.float32)
    for k, weight in zip((-1, 0, 1, 2), down, strict=True):
        start = np.clip(top.astype(np.intp) + k, 0, rows - 1) * columns
        line = np.zeros(plane.shape, np.float32)
        for tap, place in zip(across, places, strict=True):
            line += tap * cast("Plane", values.take(start + place))
        result += weight * line
    return result


def _pyramid(plane: Plane) -> list[Plane]:
    levels = [plane]
    while min(levels[-1].shape) >= 2 * MOTION_SMALLEST:
        levels.append(_halved(levels[-1]))
    return levels


def _refined(frame: Plane, other: Plane, field: Motion) -> Motion:
    """`ITERATIONS` rounds of Lucas-Kanade on one level."""
    dy, dx = np.empty_like(frame), np.empty_like(frame)
    dy[1:-1], dx[:, 1:-1] = (frame[2:] - frame[:-2]) / 2, (frame[:, 2:] - frame[:, :-2]) / 2
    dy[0], dy[-1] = frame[1] - frame[0], frame[-1] - frame[-2]
    dx[:, 0], dx[:, -1] = frame[:, 1] - frame[:, 0], frame[:, -1] - frame[:, -2]
    xx, xy, yy = _smooth(dx * dx), _smooth(dx * dy), _smooth(dy * dy)
    xx, yy = xx + np.float32(RIDGE), yy + np.float32(RIDGE)
    scale = 1 / (xx * yy - xy * xy)
    for _ in range(ITERATIONS):
        difference = frame - _bilinear(other, *_positions(field))
        along_x, along_y = _smooth(dx * difference), _smooth(dy * difference)
        step = np.stack((yy * along_x - xy * along_y, xx * along_y - xy * along_x), axis=-1)
        field = field + np.clip(step * scale[..., None], -LONGEST_STEP, LONGEST_STEP)
    return field


def motion(
    frame: npt.NDArray[Any], other: npt.NDArray[Any], *, max_value: float = 255.0
) -> npt.NDArray[np.float32]:
    """Where each sample of a frame is found in another one.

    Args:
        frame: (H, W) luma, at least 16 x 16.
        other: (H, W), the frame before or after it.
        max_value: 2^bits - 1; the ridge is meant for 255.

    Returns:
        (H, W, 2) float32: dx, dy in samples.

    Raises:
        ValueError: the shapes differ, a side is below 16 samples, or the peak is not positive.
    """
    if frame.shape != other.shape or min(frame.shape) < MOTION_SMALLEST:
        raise ValueError(
            f"planes must have one shape of at least {MOTION_SMALLEST} x {MOTION_SMALLEST}, "
            f"got {frame.shape}, {other.shape}"
        )
    if max_value <= 0:
        raise ValueError(f"max_value must be positive, got {max_value}")
    unit = np.float32(255 / max_value)
    levels = list(
        zip(
            _pyramid(frame.astype(np.float32) * unit),
            _pyramid(other.astype(np.float32) * unit),
            strict=True,
        )
    )
    field: Motion = np.zeros((*levels[-1][0].shape, 2), np.float32)
    for n, (a, b) in enumerate(reversed(levels)):
        field = _refined(a, b, _doubled(field, *a.shape) if n else field)
    return field.astype(np.float32, copy=False)


def visible(forth: Motion, back: Motion) -> npt.NDArray[np.bool_]:
    """Samples whose motion the other frame's own motion confirms: neither covered nor outside.

    The test of Sundaram, Brox and Keutzer (ECCV 2010, equation 5): the way there and back again
    misses its start by at most ``sqrt(0.01 (|there|^2 + |back|^2) + 0.5)`` samples.

    Args:
        forth: (H, W, 2), from a frame to the other.
        back: (H, W, 2), from the other to this one.

    Returns:
        (H, W), True where it is seen in both.
    """
    if forth.shape != back.shape:
        raise ValueError(f"motions must have one shape, got {forth.shape}, {back.shape}")
    y, x = _positions(forth)
    rows, columns = y.shape
    returned = np.stack(
        [_bilinear(np.ascontiguousarray(back[..., c]), y, x) for c in (0, 1)], axis=-1
    )
    miss = np.square(forth + returned).sum(axis=-1)
    length = np.square(forth).sum(axis=-1) + np.square(returned).sum(axis=-1)
    inside = (x >= 0) & (x <= columns - 1) & (y >= 0) & (y <= rows - 1)
    return inside & (miss <= 0.01 * length + 0.5)
