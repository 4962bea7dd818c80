"""Motion alignment: neighbouring frames onto the current frame's pixel grid.

Pure functions and one small network, tensors in, tensors out, in plain operations that every
engine has: what they are exported as needs no library.

Axes          B clips, K neighbours, H rows, W columns of luma, both divisible by 8.
Displacement  channel 0 is dx (to the right), channel 1 is dy (down), in pixels; it points from
              the current frame to the neighbour: ``aligned[y, x] = source[y + dy, x + dx]``.
Cells         displacements are one for each cell of 4x4 pixels: (H/4, W/4).

Displacements come from `upreel.networks.motion` or from `Localisation`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from upreel.networks.sizes import CELL

__all__ = [
    "FARTHEST",
    "Interpolation",
    "Localisation",
    "patch_means",
    "sample",
    "sampling_grid",
    "shift",
    "spread",
    "warp",
]

Interpolation = Literal["bilinear", "bicubic"]
FARTHEST = 16.0
"""Pixels that a translation of `Localisation` reaches, along rows and along columns."""


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
    source: Float[Tensor, "B C H W"],
    flow: Float[Tensor, "B 2 H W"],
    mode: Interpolation = "bilinear",
) -> Float[Tensor, "B C H W"]:
    """Sample `source` at the positions that `flow` points to.

    Positions outside the frame take the nearest border pixel.

    Args:
        source: planes or features.
        flow: displacement in pixels (dx, dy), any numbers.
        mode: "bilinear", or "bicubic", which blurs less what lies between pixels.

    Example:
        >>> ramp = torch.arange(4.0).reshape(1, 1, 1, 4)
        >>> right = torch.tensor([0.5, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 4)
        >>> warp(ramp, right).flatten().tolist()
        [0.5, 1.5, 2.5, 3.0]
    """
    return sample(source, flow, sampling_grid(source), mode)


def sampling_grid(source: Float[Tensor, "B C H W"]) -> Float[Tensor, "2 H W"]:
    """Each pixel's own place (x, y) as `sample` wants it: -1 and 1 at the outer pixels' edges."""
    height, width = source.shape[-2:]
    x = (2 * torch.arange(width, device=source.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=source.device)[:, None] + 1) / height - 1
    return torch.stack(torch.broadcast_tensors(x, y))


def sample(
    source: Float[Tensor, "B C H W"],
    flow: Float[Tensor, "B 2 H W"],
    places: Float[Tensor, "2 H W"],
    mode: Interpolation = "bilinear",
) -> Float[Tensor, "B C H W"]:
    """`warp` with the grid already made, for more than one flow, or by a cubic (a = -3/4)."""
    height, width = source.shape[-2:]
    # In f32: positions of bf16 would be off by pixels.
    pixel = torch.stack([flow.new_tensor(2.0).float() / side for side in (width, height)])
    grid = places + pixel[:, None, None] * flow.float()
    return F.grid_sample(
        source.float(),
        grid.permute(0, 2, 3, 1),
        mode=mode,
        padding_mode="border",
        align_corners=False,
    )


class Localisation(nn.Module):
    """A translation for each patch of 32x32 pixels: the spatial alignment network of Liu et al.

    Two 9x9 convolutions of 32 features, each followed by 2x2 pooling, then fully connected
    layers of 100 and of 2 (ICCV 2017, section 3.3), which are convolutions here, so that a frame
    of any size is patches side by side. It begins with no motion. Unlike the paper's, translations
    are bounded, by `FARTHEST`: what an answer depends on has an end, and tiles have no seams.
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
        patches = self.tail(F.relu(self.connected(F.pad(features, _AROUND)))).float()
        return FARTHEST * torch.tanh(patches / FARTHEST)


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
