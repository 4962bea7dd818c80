"""What numbers cost, and how finely they are rounded: the parts of the codec that make its rate.

Scales   the distributions are Laplace's around zero with standard deviations in geometric steps
         from `SMALLEST` to `LARGEST_DEVIATION`, by index: those that are written with.
Gains    latents are multiplied by a gain before they are rounded, and by another one behind; both
         are learned at some qualities, and between two of these interpolated by their logarithms
         (Cui et al., "Asymmetric gained deep image compression", CVPR 2021).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from upreel.networks.sizes import QUALITIES

__all__ = ["LARGEST_DEVIATION", "SCALES", "SMALLEST", "Gains", "laplace_bits", "trade_off"]

SCALES = 64
SMALLEST = 0.07
LARGEST_DEVIATION = 64.0
_FLOOR = 2.0**-16  # of a probability: what is less likely is written as an escape
_GAINS = (4.0, 48.0)  # to begin with, at the ends
_TRADE_OFFS = (0.0006, 0.06)


def trade_off(quality: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Bits a luma sample that a squared error of one level of 255 is worth."""
    low, high = (math.log(value) for value in _TRADE_OFFS)
    return torch.exp(low + (high - low) * quality / (QUALITIES - 1))


def laplace_bits(
    values: Float[Tensor, "*shape"], index: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Bits of numbers around zero: minus log2 of the mass within half a unit.

    Args:
        values: whole, or with noise in place of rounding.
        index: of the scale, 0 to 63.
    """
    step = math.log(LARGEST_DEVIATION / SMALLEST) / (SCALES - 1)
    spread = torch.exp(step * index.float()) * (SMALLEST / math.sqrt(2))
    distance = values.float().abs()
    # Symmetric: where both ends lie on one side of zero, and where zero lies between.
    near = torch.exp(-(distance - 0.5).abs() / spread)
    far = torch.exp(-(distance + 0.5) / spread)
    mass = torch.where(distance >= 0.5, 0.5 * (near - far), 1 - 0.5 * (near + far))
    return -torch.log2(mass.clamp(min=_FLOOR))


class Gains(nn.Module):
    """Gains of latents before rounding and behind it.

    Args:
        latents: channels.
        anchors: qualities that they are learned at.
    """

    def __init__(self, latents: int, anchors: int) -> None:
        super().__init__()
        low, high = (math.log(value) for value in _GAINS)
        begin = torch.linspace(low, high, anchors)[:, None].repeat(1, latents)
        self.before = nn.Parameter(begin.clone())
        self.behind = nn.Parameter(-begin)

    def forward(
        self, quality: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B C 1 1"], Float[Tensor, "B C 1 1"]]:
        """Both of them at some qualities, 0 to 63."""
        place = quality.float() * (len(self.before) - 1) / (QUALITIES - 1)
        lower = place.floor().long().clamp(max=len(self.before) - 2)
        share = (place - lower)[:, None]
        before, behind = (
            torch.exp(table[lower] * (1 - share) + table[lower + 1] * share)[..., None, None]
            for table in (self.before, self.behind)
        )
        return before, behind
