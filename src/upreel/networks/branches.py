"""Filters that learn as a sum and run as one: a 1x1 branch beside each 3x3 between features.

Two linear branches over the same features are one 3x3 convolution, whose middle is the sum of
both: the same network, another way to it, because each branch has its own step (RepVGG, Ding et
al., CVPR 2021; for super-resolution ECBSR, Zhang et al., ACM MM 2021). The third branch of these,
the identity, is what filters of a network without skips begin as here: `ResidualPairs`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["BranchedConv2d", "filters", "merged", "with_branches"]

_ONE = "one"


class BranchedConv2d(nn.Conv2d):
    """A 3x3 convolution with a 1x1 beside it, which begins as nothing.

    Args:
        convolution: whose weights the 3x3 has.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__(
            convolution.in_channels,
            convolution.out_channels,
            3,
            padding=1,
            padding_mode=convolution.padding_mode,
        )
        self.load_state_dict(convolution.state_dict())
        self.one = nn.Parameter(torch.zeros_like(self.weight[..., :1, :1]))

    def forward(self, input: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O H W"]:  # noqa: A002 - nn.Conv2d's name
        """As one convolution: nothing is computed twice."""
        return self._conv_forward(input, filters(self), self.bias)


def filters(convolution: nn.Conv2d) -> Float[Tensor, "O I 3 3"]:
    """What a convolution filters with, its branches added up."""
    if isinstance(convolution, BranchedConv2d):
        return convolution.weight + F.pad(convolution.one, (1, 1, 1, 1))
    return convolution.weight


def with_branches(network: nn.Module) -> nn.Module:
    """Give every convolution between features of a network its branch, in place."""
    body = cast("nn.ModuleList", network.get_submodule("body"))
    for k, convolution in enumerate(body):
        body[k] = BranchedConv2d(cast("nn.Conv2d", convolution))
    return network


def merged(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network with branches as those of one without; others as they are."""
    found = {name: t for name, t in weights.items() if not name.endswith(f".{_ONE}")}
    for name, one in weights.items():
        owner, _, last = name.rpartition(".")
        if last == _ONE:
            found[f"{owner}.weight"] = found[f"{owner}.weight"] + F.pad(one, (1, 1, 1, 1))
    return found
