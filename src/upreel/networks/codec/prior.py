"""How latents are distributed, in whole numbers from whole numbers that were sent before.

Mean and scale of each latent (mean-scale hyperprior: Minnen et al., NeurIPS 2018) come from the
frame's hyper-latents, from the latents of the frame before, and from the quality, through
`WholeConv` alone: they are the same on every machine.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from upreel.networks.codec.rates import SCALES
from upreel.networks.codec.whole import LARGEST, WholeConv, straight
from upreel.networks.sizes import QUALITIES

__all__ = [
    "FRACTION",
    "HYPER_CELL",
    "HyperAnalysis",
    "HyperPrior",
    "Prior",
    "padded",
    "seen_past",
]

FRACTION = 8
"""Means are whole multiples of 1/8."""
HYPER_CELL = 4
"""Cells of latents of a side of a cell of hyper-latents."""
_FARTHEST = 1023  # units of a mean
_PAST = 4  # units of 1/8 that one of what is seen of the past stands for


def seen_past(latents: Float[Tensor, "B N h w"]) -> Float[Tensor, "B N h w"]:
    """What the prior sees of latents of the frame before, in halves, cut off.

    Args:
        latents: in units of 1/8, whole.
    """
    return ((latents + _PAST // 2) / _PAST).floor().clamp(-LARGEST, LARGEST)


def padded(latents: Float[Tensor, "B N h w"]) -> Float[Tensor, "B N H W"]:
    """Latents with their last rows and columns repeated to whole cells of hyper-latents."""
    height, width = latents.shape[-2:]
    sides = (0, -width % HYPER_CELL, 0, -height % HYPER_CELL)
    return F.pad(latents, sides, mode="replicate")


class HyperAnalysis(nn.Module):
    """Hyper-latents of latents: real numbers, of which whole ones are sent.

    Args:
        latents: channels.
        hyper: channels out.
    """

    def __init__(self, latents: int, hyper: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(latents, 2 * hyper, 3, padding=1)
        self.smaller = nn.Conv2d(2 * hyper, 2 * hyper, 3, stride=2, padding=1)
        self.tail = nn.Conv2d(2 * hyper, hyper, 3, stride=2, padding=1)

    def forward(self, latents: Float[Tensor, "B N h w"]) -> Float[Tensor, "B Z v u"]:
        """At a fourth of their rows and columns, which are `padded`."""
        return self.tail(F.relu(self.smaller(F.relu(self.head(latents)))))


class HyperPrior(nn.Module):
    """The distribution of hyper-latents: a mean and a scale for each channel.

    Args:
        hyper: channels.
    """

    def __init__(self, hyper: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(hyper))
        self.index = nn.Parameter(torch.full((hyper,), SCALES / 2))

    def forward(self) -> tuple[Float[Tensor, " Z"], Float[Tensor, " Z"]]:
        """Means and indices of scales, whole numbers."""
        index = self.index.clamp(0, SCALES - 1)
        return straight(self.mean.round(), self.mean), straight(index.round(), index)


class Prior(nn.Module):
    """Means and scales of latents.

    Args:
        latents: channels.
        hyper: channels of hyper-latents.
        features: of what is between.
        past: whether latents of a frame before are seen.
    """

    def __init__(self, latents: int, hyper: int, features: int, *, past: bool) -> None:
        super().__init__()
        self.first = WholeConv(hyper, 4 * features, 3, hidden=True)
        self.second = WholeConv(features, 4 * features, 3, hidden=True)
        self.past = WholeConv(latents, features, 3, hidden=True) if past else None
        self.mixed = WholeConv(features * (1 + past) + 2, features, 3, hidden=True)
        self.tail = WholeConv(features, 2 * latents, 1, hidden=False)
        with torch.no_grad():
            self.tail.bias[latents:] = SCALES / 2

    def forward(
        self,
        hyper: Float[Tensor, "B Z v u"],
        quality: Int[Tensor, " B"],
        size: tuple[int, int],
        past: Float[Tensor, "B N h w"] | None = None,
    ) -> tuple[Float[Tensor, "B N h w"], Float[Tensor, "B N h w"]]:
        """Means in units of 1/8 and indices of scales, whole numbers.

        Args:
            hyper: whole numbers.
            quality: 0 to 63.
            size: rows and columns of latents.
            past: `seen_past` of the frame before.
        """
        height, width = size
        seen = hyper.clamp(-LARGEST, LARGEST)
        for layer in (self.first, self.second):
            seen = F.pixel_shuffle(layer(seen), 2)
        parts = [seen[..., :height, :width]]
        if self.past is not None:
            assert past is not None
            parts.append(self.past(past))
        level = quality.to(hyper.dtype)[:, None, None, None].expand(-1, 1, height, width)
        parts += [2 * level, 2 * (QUALITIES - 1 - level)]
        mean, index = self.tail(self.mixed(torch.cat(parts, dim=1))).chunk(2, dim=1)
        return mean.clamp(-_FARTHEST, _FARTHEST), index.clamp(0, SCALES - 1)
