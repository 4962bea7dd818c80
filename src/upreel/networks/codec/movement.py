"""Motion as it is sent, and frames moved along it.

Whole quarters of a luma sample for each cell of 16x16, found by `upreel.networks.motion` against
what was decoded, so that it points to what there is to be moved. Between the cells' middles motion
is interpolated, which blocks have no borders by. Luma is moved by a cubic, all else bilinearly.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from upreel.networks.alignment import sampling_grid, warp
from upreel.networks.motion import cell_motion, enlarged_motion
from upreel.networks.planes import pack
from upreel.networks.precision import in_f32
from upreel.networks.sizes import CELL, LATENT_CELL

__all__ = ["QUARTERS", "found_motion", "moved_features", "moved_frame"]

QUARTERS = 4
"""Units of motion in a luma sample."""
_FARTHEST = 127  # quarters


@torch.no_grad()
def found_motion(
    frame: Float[Tensor, "B 6 H W"], before: Float[Tensor, "B 6 H W"]
) -> Float[Tensor, "B 2 H/8 W/8"]:
    """Where each cell is found in the frame before: (dx, dy), whole quarters of a luma sample.

    Args:
        frame: packed planes in [0, 1]; rows and columns divisible by 8.
        before: the one before, decoded.
    """
    luma, other = (F.pixel_shuffle(planes[:, :4], 2) for planes in (frame, before))
    motion = cell_motion(luma, other)[:, 0]
    cells = F.avg_pool2d(motion, LATENT_CELL // CELL)
    return (QUARTERS * cells).round().clamp(-_FARTHEST, _FARTHEST)


def moved_frame(
    before: Float[Tensor, "B 6 H W"], motion: Float[Tensor, "B 2 h w"]
) -> Float[Tensor, "B 6 H W"]:
    """The frame before where this one's content is; see `found_motion`."""
    with in_f32(before.device.type):
        luma = F.pixel_shuffle(before[:, :4].float(), 2)
        flow = enlarged_motion(motion / QUARTERS, LATENT_CELL)
        height, width = luma.shape[-2:]
        pixel = torch.stack([flow.new_tensor(2.0) / side for side in (width, height)])
        grid = sampling_grid(luma) + pixel[:, None, None] * flow
        luma = F.grid_sample(
            luma,
            grid.permute(0, 2, 3, 1),
            mode="bicubic",
            padding_mode="border",
            align_corners=False,
        )
        half = enlarged_motion(motion / (2 * QUARTERS), LATENT_CELL // 2)
        return pack(luma, warp(before[:, 4:].float(), half))


def moved_features(
    features: Float[Tensor, "B C H W"], motion: Float[Tensor, "B 2 h w"]
) -> Float[Tensor, "B C H W"]:
    """Features at a quarter of luma's rows and columns, likewise."""
    factor = LATENT_CELL // 4
    return warp(features, enlarged_motion(motion / (4 * QUARTERS), factor))
