"""What a packet of video holds: motion, hyper-latents and latents of a frame, in one code.

Passes    1. motion of every other cell, as on a chessboard, beginning with the first: differences
             from the motion of the frame before (0 behind a frame alone) at the same place, first
             all of dx, then all of dy;
          2. motion of the rest: differences from the middle of their four neighbours;
          3. hyper-latents less their channel's mean;
          4. latents less their mean, those left out whose table is number 0: they are 0.
          Passes 1 and 2 are missing in frames alone.
Tables    of motion by how much motion differs around the cell.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from upreel.codec.distributions import zero_mean_tables
from upreel.codec.entropy import Decoder, Encoder, Tables
from upreel.codec.whole import Numbers, WholePrior
from upreel.errors import BitstreamError

__all__ = ["FARTHEST_MOTION", "FrameNumbers", "pack_frame", "tables", "unpack_frame"]

FARTHEST_MOTION = 127
"""Quarters of a luma sample."""
_LARGEST_HYPER = 1 << 15
_LARGEST_LATENT = 1 << 20  # in units of 1/8: no f32 of it is rounded

# The table of a difference of motion, by how many quarters motion differs around: a standard
# deviation of 0.22 + 0.33 times that.
# fmt: off
_BY_SPREAD = np.array(
    [
        11, 19, 23, 26, 29, 30, 32, 33, 34, 35, 36, 37, 38, 38, 39, 40,
        40, 41, 41, 42, 42, 43, 43, 44, 44, 44, 45, 45, 45, 46, 46, 46,
        47, 47, 47, 47, 48, 48, 48, 48, 49, 49, 49, 49, 49, 50, 50, 50,
        50, 50, 51, 51, 51, 51, 51, 51, 52, 52, 52, 52, 52, 52, 53, 53,
    ],
    np.int64,
)
# fmt: on


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameNumbers:
    """All that is sent of a frame.

    Attributes:
        motion: (2, h, w): dx, dy in quarters of a luma sample; None for a frame alone.
        hyper: (Z, v, u).
        symbols: latents less their means, (N, h, w).
    """

    motion: Numbers | None
    hyper: Numbers
    symbols: Numbers


def tables() -> Tables:
    """Those that everything is coded under."""
    return zero_mean_tables("laplace")


def pack_frame(
    numbers: FrameNumbers,
    index: Numbers,
    prior: WholePrior,
    *,
    before: Numbers | None,
) -> bytes:
    """A frame's code.

    Args:
        numbers: what is sent; symbols whose table is number 0 must be 0.
        index: tables of the symbols, as `WholePrior` gives them.
        prior: of this kind of frame.
        before: motion of the frame before; None where that was alone, or this one is.
    """
    coder = Encoder(tables())
    if numbers.motion is not None:
        motion = numbers.motion
        first, second = _chessboard(motion.shape[1:])
        expected, spread = _from_before(motion.shape, before)
        coder.write((motion - expected)[:, first].ravel(), _by_spread(spread, first))
        expected, spread = _from_neighbours(np.where(first, motion, 0), first)
        coder.write((motion - expected)[:, second].ravel(), _by_spread(spread, second))
    mean, which = _of_hyper(prior, numbers.hyper.shape)
    coder.write((numbers.hyper - mean).ravel(), which)
    sent = index > 0
    assert not numbers.symbols[~sent].any()
    coder.write(numbers.symbols[sent], index[sent])
    return coder.finish()


def unpack_frame(
    code: bytes,
    prior: WholePrior,
    *,
    quality: int,
    size: tuple[int, int],
    hyper_size: tuple[int, int],
    alone: bool,
    before: Numbers | None,
    past: Numbers | None,
) -> tuple[FrameNumbers, Numbers]:
    """What was sent of a frame, and its latents in units of 1/8.

    Args:
        code: of `pack_frame`.
        prior: of this kind of frame.
        quality: 0 to 63.
        size: rows and columns of latents.
        hyper_size: rows and columns of hyper-latents.
        alone: whether there is no motion.
        before: motion of the frame before, see `pack_frame`.
        past: latents of the frame before in units of 1/8; None for a frame alone.

    Raises:
        BitstreamError: no frame was packed so.
    """
    coder = Decoder(tables(), code)
    motion: Numbers | None = None
    if not alone:
        motion = np.zeros((2, *size), np.int32)
        first, second = _chessboard(size)
        expected, spread = _from_before(motion.shape, before)
        found = coder.read(_by_spread(spread, first)).reshape(2, -1)
        motion[:, first] = expected[:, first] + found
        expected, spread = _from_neighbours(motion, first)
        found = coder.read(_by_spread(spread, second)).reshape(2, -1)
        motion[:, second] = expected[:, second] + found
        if np.abs(motion).max(initial=0) > FARTHEST_MOTION:
            raise BitstreamError(f"motion of more than {FARTHEST_MOTION} quarters of a sample")
    shape = (len(prior.hyper_mean), *hyper_size)
    mean, which = _of_hyper(prior, shape)
    hyper = coder.read(which).reshape(shape) + mean
    if np.abs(hyper).max(initial=0) > _LARGEST_HYPER:
        raise BitstreamError(f"hyper-latents beyond {_LARGEST_HYPER}")
    means, index = prior(hyper, quality, size, past)
    symbols = np.zeros(means.shape, np.int32)
    sent = index > 0
    symbols[sent] = coder.read(index[sent])
    coder.finish()
    if np.abs(symbols).max(initial=0) > _LARGEST_LATENT // 8:
        raise BitstreamError(f"latents beyond {_LARGEST_LATENT // 8}")
    return FrameNumbers(motion=motion, hyper=hyper, symbols=symbols), 8 * symbols + means


def _chessboard(
    size: tuple[int, ...],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Cells of the first pass, the upper left one among them, and the others."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    first = (rows + columns) % 2 == 0
    return first, ~first


def _from_before(
    shape: tuple[int, ...], before: Numbers | None
) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """What motion is expected from that of the frame before, and how much that differs around."""
    expected = np.zeros(shape, np.int32) if before is None else before
    around = np.stack([expected, *_neighbours(expected)])
    spread = np.ptp(around, axis=0).max(axis=0).astype(np.int64)
    return expected, spread + _UNCERTAIN


def _from_neighbours(
    motion: Numbers, known: npt.NDArray[np.bool_]
) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """The middle of four neighbours, rounded down, and how much they differ.

    Beyond a border the neighbour on the other side stands in.
    """
    assert known[0, 0]
    around = np.sort(np.stack(_neighbours(motion)), axis=0)
    middle = (around[1] + around[2]) >> 1
    spread = (around[3] - around[0]).max(axis=0).astype(np.int64)
    return middle, spread


def _neighbours(motion: Numbers) -> tuple[Numbers, ...]:
    """Left, right, above and below of each cell; at a border the one on the other side.

    A row or a column that is alone has none: the other axis's stand in.
    """
    _, height, width = motion.shape
    if height == 1 and width == 1:
        return (np.zeros_like(motion),) * 4
    across = down = None
    if width > 1:
        padded = np.pad(motion, ((0, 0), (0, 0), (1, 1)), mode="reflect")
        across = (padded[..., :-2], padded[..., 2:])
    if height > 1:
        padded = np.pad(motion, ((0, 0), (1, 1), (0, 0)), mode="reflect")
        down = (padded[:, :-2], padded[:, 2:])
    across, down = across or down, down or across
    assert across is not None
    assert down is not None
    return (*across, *down)


_UNCERTAIN = 2  # quarters that motion changes by from frame to frame, besides


def _by_spread(
    spread: npt.NDArray[np.int64], cells: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Tables of both components of some cells."""
    return np.tile(_BY_SPREAD[np.minimum(spread[cells], len(_BY_SPREAD) - 1)], 2)


def _of_hyper(prior: WholePrior, shape: tuple[int, ...]) -> tuple[Numbers, Numbers]:
    """Means of hyper-latents, and the table of each."""
    mean = prior.hyper_mean[:, None, None]
    return mean, np.broadcast_to(prior.hyper_index[:, None, None], shape).ravel()
