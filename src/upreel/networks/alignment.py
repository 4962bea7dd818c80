"""Motion alignment: neighbouring frames onto the current frame's pixel grid.

Pure functions and one small network, tensors in, tensors out, in plain operations that every
engine has: what they are exported as needs no library.

Axes          B clips, K neighbours, H rows, W columns of luma, both divisible by 8.
Displacement  channel 0 is dx (to the right), channel 1 is dy (down), in pixels; it points from
              the current frame to the neighbour: ``aligned[y, x] = source[y + dy, x + dx]``.
Cells         displacements are one for each cell of 4x4 pixels: (H/4, W/4).

Rectified alignment follows Liu et al. (ICCV 2017, section 3.3), where the flow's mean over a patch
is rounded to whole pixels, so that no sample is interpolated and nothing blurs. Here whole pixels
are sought to begin with, by matching blocks from coarse to fine.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["CELL", "REACH", "Localisation", "rectified_displacement", "shift", "warp"]

CELL = 4
"""Pixels of a cell, a side."""
_BLOCK = 8  # pixels of the blocks that coarse displacements are found for
_COARSE = 4  # half-size pixels that these reach
REACH = 2 * _COARSE + 1
"""Pixels that a displacement reaches, along rows and along columns."""

# Comparisons are of 8-bit levels in powers of two: every sum below is exact in f32, so that all
# engines find the same displacements. Motion costs this much more error (mean levels of 255).
_PER_COARSE_PIXEL = 1 / 8  # for each half-size pixel of |dx| + |dy|, so that flat areas stay
_OFF_COARSE = 1 / 8  # for leaving the coarse displacement, by each pixel
_TIE = 2.0**-15  # smaller than a step of the errors: of equals the nearest is taken


def _candidates(reach: int, penalty: float) -> tuple[list[tuple[int, int]], Float[Tensor, " D"]]:
    """Displacements (dx, dy) from the nearest on, and what each costs."""
    found = [(x, y) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
    found.sort(key=lambda d: (abs(d[0]) + abs(d[1]), max(abs(d[0]), abs(d[1]))))
    costs = [penalty * (abs(x) + abs(y)) + _TIE * k for k, (x, y) in enumerate(found)]
    return found, torch.tensor(costs)


def rectified_displacement(
    current: Float[Tensor, "B 1 H W"], neighbours: Float[Tensor, "B K H W"]
) -> Float[Tensor, "B K 2 H/4 W/4"]:
    """Whole pixels by which each cell of each neighbour has moved, within `REACH`.

    Coarse: for each block of 8x8 pixels the displacement at half size that differs least over a
    window of 16x16. Fine: for each of its cells that one or a pixel beside it, whichever differs
    least over a window of 8x8. Larger displacements must match better.

    Args:
        current: luma in [0, 1].
        neighbours: luma of the other frames.

    Returns:
        Whole numbers, (dx, dy).
    """
    count = neighbours.shape[1]
    # One comparison for all neighbours: K is folded into the batch.
    here = _levels(current).expand_as(neighbours).flatten(0, 1)[:, None]
    there = _levels(neighbours).flatten(0, 1)[:, None]
    coarse = _coarse(F.avg_pool2d(here, 2), F.avg_pool2d(there, 2))
    return _fine(here, there, coarse).unflatten(0, (-1, count))


def _levels(luma: Tensor) -> Tensor:
    """Whole levels of 255, without a gradient."""
    return (luma.detach().clamp(0, 1) * 255).round()


def _coarse(
    here: Float[Tensor, "N 1 h w"], there: Float[Tensor, "N 1 h w"]
) -> Float[Tensor, "N 2 h/4 w/4"]:
    """Displacements of blocks of 4x4 half-size pixels, in whole-size pixels."""
    candidates, costs = _candidates(_COARSE, _PER_COARSE_PIXEL)
    half = _BLOCK // 2
    none = here.new_zeros(here.shape[0], 2, here.shape[2] // half, here.shape[3] // half)
    own = _windows(here, none, half, 0)  # (N, 16, h/4, w/4)
    around = _windows(there, none, half, _COARSE)  # (N, 144, h/4, w/4)
    errors: list[Tensor] = []
    for error in _errors(own, around, candidates, half, 2 * _COARSE + 1):
        errors.append(_pairs(_pairs(error, 2), 3))  # halves of blocks: (N, 9, 2, 2, h/4, w/4)
    error = _around(_around(torch.cat(errors, dim=1), 3, -1), 2, -2)
    best = torch.argmin(error / 64 + costs.to(here)[:, None, None], dim=1)
    return 2 * torch.tensor(candidates).to(here)[best].movedim(-1, 1)


def _errors(
    own: Float[Tensor, "N P h w"],
    moved: Float[Tensor, "N Q h w"],
    candidates: list[tuple[int, int]],
    side: int,
    at_once: int,
) -> Iterator[Float[Tensor, "N D S S h w"]]:
    """Absolute differences of windows of `side` and larger ones, for so many candidates at once.

    All of them at once would not fit a processor's cache.
    """
    large = math.isqrt(moved.shape[1])
    margin = (large - side) // 2
    for first in range(0, len(candidates), at_once):
        places = [
            (margin + y + row) * large + margin + x + column
            for x, y in candidates[first : first + at_once]
            for row in range(side)
            for column in range(side)
        ]
        taken = moved.index_select(1, torch.tensor(places, device=moved.device))
        yield (
            (taken.unflatten(1, (-1, side * side)) - own[:, None]).abs().unflatten(2, (side, side))
        )


def _pairs(values: Tensor, axis: int) -> Tensor:
    """Sums of neighbours along an axis: half as long."""
    values = values.unflatten(axis, (-1, 2))
    return values.select(axis + 1, 0) + values.select(axis + 1, 1)


def _around(halves: Tensor, axis: int, blocks: int) -> Tensor:
    """Both halves of each block, and those that touch it: `axis` tells halves, `blocks` blocks.

    Outside of the frame nothing is added.
    """
    first, second = halves.unbind(axis)
    size = first.shape[blocks]
    edge = (0, 0) if blocks == -2 else ()
    before = F.pad(second, (*edge, 1, 0)).narrow(blocks, 0, size)
    after = F.pad(first, (*edge, 0, 1)).narrow(blocks, 1, size)
    return before + first + second + after


def _fine(
    here: Float[Tensor, "N 1 H W"],
    there: Float[Tensor, "N 1 H W"],
    coarse: Float[Tensor, "N 2 H/8 W/8"],
) -> Float[Tensor, "N 2 H/4 W/4"]:
    """Displacements of cells, at most a pixel from their block's."""
    candidates, costs = _candidates(1, _OFF_COARSE)
    margin = CELL // 2
    own = _windows(here, torch.zeros_like(coarse), _BLOCK, margin)  # (N, 144, H/8, W/8)
    moved = _windows(there, coarse, _BLOCK, margin + 1)  # (N, 196, H/8, W/8)
    errors: list[Tensor] = []
    for error in _errors(own, moved, candidates, _BLOCK + 2 * margin, 3):
        rows = _pairs(_pairs(error, 2), 2)  # 3 by 3 sums of 4x4, two by two a cell's window
        rows = rows.narrow(2, 0, 2) + rows.narrow(2, 1, 2)
        columns = _pairs(_pairs(rows, 3), 3)
        errors.append(columns.narrow(3, 0, 2) + columns.narrow(3, 1, 2))
    error = torch.cat(errors, dim=1) / 64  # (N, 9, 2, 2, H/8, W/8)
    best = torch.argmin(error + costs.to(own)[:, None, None, None, None], dim=1)
    off = torch.tensor(candidates).to(own)[best]  # (N, 2, 2, H/8, W/8, 2)
    off = off.permute(0, 5, 3, 1, 4, 2).flatten(4, 5).flatten(2, 3)
    return off + coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _windows(
    frame: Float[Tensor, "N 1 H W"],
    displacement: Float[Tensor, "N 2 h w"],
    block: int,
    margin: int,
) -> Float[Tensor, "N S h w"]:
    """Each block with a margin around it, displaced; border pixels go on outside.

    Places within a window are channels: all that follows works on rows of blocks at once.
    """
    height, width = frame.shape[2:]
    side = torch.arange(-margin, block + margin, device=frame.device)
    top = block * torch.arange(height // block, device=frame.device)
    left = block * torch.arange(width // block, device=frame.device)
    whole = displacement.long()[:, :, None]  # (N, 2, 1, h, w)
    rows = (whole[:, 1] + side[:, None, None] + top[:, None]).clamp(0, height - 1)
    columns = (whole[:, 0] + side[:, None, None] + left).clamp(0, width - 1)
    index = (rows * width)[:, :, None] + columns[:, None]  # (N, side, side, h, w)
    index = index.flatten(1, 2)
    return frame.flatten(1).gather(1, index.flatten(1)).view(index.shape)


def shift(
    source: Float[Tensor, "B K H W"], displacement: Float[Tensor, "B K 2 h w"]
) -> Float[Tensor, "B K H W"]:
    """Samples at whole-pixel displacements, which are one for each cell; exact copies.

    Positions outside the frame take the nearest border pixel.

    Args:
        source: planes.
        displacement: (dx, dy) whole numbers; (h, w) divides (H, W).

    Example:
        >>> ramp = torch.arange(4.0).reshape(1, 1, 1, 4)
        >>> right = torch.tensor([1.0, 0.0]).reshape(1, 1, 2, 1, 1)
        >>> shift(ramp, right).flatten().tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    height, width = source.shape[-2:]
    rows, columns = _positions(source, displacement)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return source.flatten(2).gather(2, index.flatten(2)).view(source.shape)


def _positions(
    source: Float[Tensor, "B K H W"], displacement: Float[Tensor, "B K 2 h w"]
) -> tuple[Int[Tensor, "B K H W"], Int[Tensor, "B K H W"]]:
    """Rows and columns that each pixel is taken from."""
    height, width = source.shape[-2:]
    cells_high, cells_wide = displacement.shape[-2:]
    whole = displacement.long()
    whole = whole.repeat_interleave(height // cells_high, dim=3)
    whole = whole.repeat_interleave(width // cells_wide, dim=4)
    rows = torch.arange(height, device=source.device)[:, None] + whole[:, :, 1]
    return rows, torch.arange(width, device=source.device) + whole[:, :, 0]


def warp(
    source: Float[Tensor, "B C H W"], flow: Float[Tensor, "B 2 H W"]
) -> Float[Tensor, "B C H W"]:
    """Sample `source` bilinearly at the positions that `flow` points to.

    Positions outside the frame take the nearest border pixel.

    Args:
        source: planes or features.
        flow: displacement in pixels (dx, dy), any numbers.

    Example:
        >>> ramp = torch.arange(4.0).reshape(1, 1, 1, 4)
        >>> right = torch.tensor([0.5, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 4)
        >>> warp(ramp, right).flatten().tolist()
        [0.5, 1.5, 2.5, 3.0]
    """
    height, width = source.shape[-2:]
    # In f32: positions of bf16 would be off by pixels.
    x = torch.arange(width, device=flow.device) + flow[:, 0].float()
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1].float()
    # grid_sample wants -1 and 1 at the outer edges of the outer pixels.
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    return F.grid_sample(
        source.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )


class Localisation(nn.Module):
    """A translation for each patch of 32x32 pixels: the spatial alignment network of Liu et al.

    Two 9x9 convolutions of 32 features, each followed by 2x2 pooling, then fully connected
    layers of 100 and of 2 (ICCV 2017, section 3.3), which are convolutions here, so that a frame
    of any size is patches side by side. It begins with no motion.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(2, 32, 9, padding=4)
        self.body = nn.Conv2d(32, 32, 9, padding=4)
        self.connected = nn.Conv2d(32, 100, _PATCH, stride=_PATCH)
        self.tail = nn.Conv2d(100, 2, 1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self, current: Float[Tensor, "N 1 H W"], neighbour: Float[Tensor, "N 1 H W"]
    ) -> Float[Tensor, "N 2 h w"]:
        """Translations (dx, dy) in pixels; patch (i, j) is centred on pixel (32 i, 32 j)."""
        pair = torch.cat((current, neighbour), dim=1)
        features = F.max_pool2d(F.relu(self.head(pair)), 2)
        features = F.max_pool2d(F.relu(self.body(features)), 2)
        return self.tail(F.relu(self.connected(F.pad(features, _AROUND)))).float()


_PATCH = 8  # cells of a localisation patch, a side
_AROUND = (4, 7, 4, 7)  # cells: patches centred on every 8th cell from the first, all covered


def patch_means(cells: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C h w"]:
    """Means over the cells of each of `Localisation`'s patches, those outside left out."""
    inside = F.pad(torch.ones_like(cells[:, :1]), _AROUND)
    sums = F.avg_pool2d(F.pad(cells, _AROUND), _PATCH)
    return sums / F.avg_pool2d(inside, _PATCH)


def spread(
    patches: Float[Tensor, "N C h w"], like: Float[Tensor, "N D H W"]
) -> Float[Tensor, "N C H W"]:
    """Values of patches at every pixel: bilinear between their centres."""
    height, width = patches.shape[-2:]
    side = _PATCH * CELL
    x = torch.arange(like.shape[-1], device=like.device) / side
    y = torch.arange(like.shape[-2], device=like.device) / side
    grid = torch.stack(
        torch.broadcast_tensors((2 * x + 1) / width - 1, ((2 * y + 1) / height - 1)[:, None]),
        dim=-1,
    )
    grid = grid.expand(patches.shape[0], -1, -1, -1)
    return F.grid_sample(patches, grid, mode="bilinear", padding_mode="border", align_corners=False)
