"""Pictures turned over in the eight ways that a square lies on itself, by their last two axes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["WAYS", "mean_answer", "turned"]

WAYS = range(8)


@torch.no_grad()
def mean_answer(network: nn.Module, frames: Float[Tensor, "T H W"], scale: int) -> Tensor:
    """The mean of what a network of luma answers to frames turned over in all eight ways.

    Args:
        network: in evaluation mode.
        frames: in the order that it takes.
        scale: s.

    Returns:
        (s^2, H, W), of a recurrent network (T, s^2, H, W).
    """
    answers = [
        _turned_back(F.pixel_shuffle(network(turned(frames, way)[None])[0], scale), way)
        for way in WAYS
    ]
    return F.pixel_unshuffle(torch.stack(answers).mean(dim=0), scale)


def turned(x: Tensor, way: int) -> Tensor:
    """A picture in one of the eight ways."""
    axes = [axis for axis, bit in ((-1, 1), (-2, 2)) if way & bit]
    x = x.flip(axes) if axes else x
    return x.transpose(-1, -2) if way & 4 else x


def _turned_back(x: Tensor, way: int) -> Tensor:
    """The inverse of `turned`."""
    x = x.transpose(-1, -2) if way & 4 else x
    axes = [axis for axis, bit in ((-1, 1), (-2, 2)) if way & bit]
    return x.flip(axes) if axes else x
