"""Convolutions of whole numbers, which give the same on every machine.

What decides how many bits a number takes must be the same where it is written and where it is read,
or all that follows is noise; sums of floating-point numbers differ from machine to machine. So
weights are whole numbers of 8 bits in units of 1/`UNIT`, what they see are whole numbers of at most
`LARGEST`, and sums stay below 2^24, where f32 holds every whole number (as Balle et al., "Integer
networks for data compression with latent-variable models", ICLR 2019, but with one fixed step).

While it learns, rounding is passed by as if it were not there (straight through).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.precision import in_f32

__all__ = ["LARGEST", "UNIT", "WholeConv", "straight"]

UNIT = 64
"""Weights are whole multiples of 1/64."""
LARGEST = 127
"""Of a weight in its units, and of the numbers that convolutions see."""
_LARGEST_BIAS = 1 << 20


def straight(rounded: Tensor, values: Tensor) -> Tensor:
    """The rounded values with the gradient of those before."""
    return values + (rounded - values).detach()


class WholeConv(nn.Module):
    """A convolution of whole numbers, rounded to whole numbers.

    Args:
        inputs: channels.
        outputs: channels.
        size: rows and columns of a filter, odd.
        hidden: whether what comes out is cut off below 0 and above `LARGEST`.
        level: of the biases to begin with.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, *, hidden: bool, level: float = 0.0
    ) -> None:
        super().__init__()
        deviation = math.sqrt((2 if hidden else 1) / (inputs * size * size))
        self.weight = nn.Parameter(deviation * torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.full((outputs,), level))
        self.hidden = hidden

    def numbers(self) -> tuple[Float[Tensor, "O I k k"], Float[Tensor, " O"]]:
        """Weights and biases as whole numbers, in units of 1/`UNIT`."""
        weight, bias = UNIT * self.weight, UNIT * self.bias
        return (
            straight(weight.round().clamp(-LARGEST, LARGEST), weight),
            straight(bias.round().clamp(-_LARGEST_BIAS, _LARGEST_BIAS), bias),
        )

    def forward(self, whole: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O H W"]:
        """Sums divided by `UNIT`, halves rounded up.

        Args:
            whole: whole numbers from -127 to 127.
        """
        with in_f32(whole.device.type):
            weight, bias = self.numbers()
            sums = F.conv2d(whole.to(weight.dtype), weight, bias, padding=weight.shape[-1] // 2)
            values = sums / UNIT
            rounded = straight(((sums + UNIT // 2) / UNIT).floor(), values)
            return rounded.clamp(0, LARGEST) if self.hidden else rounded
