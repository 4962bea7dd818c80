"""Planes to batches and answers back to planes: NumPy copies, no arithmetic.

Layouts are those of `upreel.networks.planes`, channels last. A packed position holds the 2x2
block of luma and its Cb and Cr, an answer position 2s x 2s of luma, then s x s of Cb and of Cr.
Rows of a block lie side by side in the channels, so whole rows are moved as one wide item each.
Of luma alone a position is a sample, and an answer position s x s of luma.
"""

from typing import cast

import numpy as np
import numpy.typing as npt

from upreel.inference.engine import Batch
from upreel.video.frame import Plane
from upreel.zoo import Layout

__all__ = ["pack_frame", "pad_margins", "unpack_answer"]


def pack_frame(
    batch: Batch, luma: Plane, chroma: tuple[Plane, Plane] | None, frame: int, margin: int
) -> None:
    """Write one frame into a batch's interior; the margins are left to `pad_margins`.

    Args:
        batch: (H + 2 margin, W + 2 margin, 6 T), or T channels of luma alone; the planes' type.
        luma: up to (2H, 2W), or (H, W): what is missing at the bottom and right repeats the last
            sample.
        chroma: Cb and Cr, up to (H, W), likewise; None in the luma layout.
        frame: which of the T frames.
        margin: positions around the interior.
    """
    height, width = batch.shape[0] - 2 * margin, batch.shape[1] - 2 * margin
    interior = batch[margin : margin + height, margin : margin + width]
    if chroma is None:
        _fill(interior[..., frame], luma)
        return
    rows, columns = luma.shape
    if (rows, columns) != (2 * height, 2 * width) or luma.strides[1] != luma.itemsize:
        missing = ((0, 2 * height - rows), (0, 2 * width - columns))
        luma = cast("Plane", np.ascontiguousarray(np.pad(luma, missing, mode="edge")))
    pair = np.dtype((np.void, 2 * luma.itemsize))
    blocks = luma.view(pair).reshape(height, 2, width)
    interior.view(pair)[..., 3 * frame : 3 * frame + 2] = blocks.transpose(0, 2, 1)
    for k, plane in enumerate(chroma):
        _fill(interior[..., 6 * frame + 4 + k], plane)


def _fill(target: Batch, plane: Plane) -> None:
    """Copy a plane, its last row and column repeated as far as the target goes."""
    rows, columns = plane.shape
    target[:rows, :columns] = plane
    target[rows:, :columns] = target[rows - 1 : rows, :columns]
    target[:, columns:] = target[:, columns - 1 : columns]


_BEFORE = ([0, 0, 2, 2, 4, 5], [0, 1, 0, 1, 4, 5])  # samples left of a block, above it
_AFTER = ([1, 1, 3, 3, 4, 5], [2, 3, 2, 3, 4, 5])  # right of it, below it


def pad_margins(batch: Batch, margin: int, layout: Layout = "packed") -> None:
    """Repeat the border samples of the interior outwards, in place."""
    if margin == 0:
        return
    each = 6 if layout == "packed" else 1
    blocks = batch.reshape(*batch.shape[:2], -1, each)  # (H, W, T, 6 or 1)
    inside = slice(margin, -margin)
    for axis in (1, 0):  # columns first: corners repeat them
        for edge, outside, kept in (
            (margin, slice(None, margin), _BEFORE[1 - axis]),
            (-margin - 1, slice(-margin, None), _AFTER[1 - axis]),
        ):
            samples = kept if layout == "packed" else [0]
            if axis == 1:
                blocks[inside, outside] = blocks[inside, edge][..., samples][:, None]
            else:
                blocks[outside] = blocks[edge][..., samples][None]


def unpack_answer(
    answer: Batch,
    scale: int,
    luma: Plane,
    chroma: tuple[Plane, Plane] | None,
    layout: Layout = "packed",
) -> None:
    """Copy an answer into planes, cutting what lies beyond them.

    Args:
        answer: (H, W, 6 s^2), or s^2 channels of luma alone; margins already cut.
        scale: s.
        luma: filled, at most (2s H, 2s W), or (s H, s W).
        chroma: filled, at most (s H, s W) each; None where chroma comes from elsewhere, as it
            must in the luma layout.
        layout: "packed" or "luma".
    """
    if layout == "luma":
        _shuffle(answer, 0, scale, luma)
        return
    _shuffle(answer, 0, 2 * scale, luma)
    if chroma is not None:
        _shuffle(answer, 4 * scale, scale, chroma[0])
        _shuffle(answer, 5 * scale, scale, chroma[1])


def _shuffle(answer: Batch, first: int, block: int, plane: Plane) -> None:
    """Channels ``first * block`` on, as block x block samples a position, into a plane."""
    answer = answer[: -(-plane.shape[0] // block), : -(-plane.shape[1] // block)]
    height, width = answer.shape[:2]
    item = np.dtype((np.void, block * answer.itemsize))
    rows = answer.view(item)[..., first : first + block].transpose(0, 2, 1)
    target: npt.NDArray[np.void]
    if plane.shape == (height * block, width * block) and plane.strides[1] == plane.itemsize:
        target = plane.view(item)
        # A plane may be a part of a larger one (a tile): split its rows without a copy.
        pitch = plane.strides[0]
        target = np.lib.stride_tricks.as_strided(
            target, rows.shape, (block * pitch, pitch, item.itemsize)
        )
        target[...] = rows
    else:
        whole = np.ascontiguousarray(rows).view(answer.dtype)
        whole = cast("Plane", whole.reshape(height * block, width * block))
        plane[...] = whole[: plane.shape[0], : plane.shape[1]]
