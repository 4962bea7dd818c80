"""From planes to latents and back, over three sizes, with what is known already beside them.

Planes are packed (`upreel.networks.planes`) and folded once more: 24 channels at a quarter of
luma's rows and columns. Transforms after Balle et al. (ICLR 2018) with residual pairs in place of
divisive normalisation; what is known of a frame, its context, is given to both of them at each size
(conditional coding: Li et al., "Deep contextual video compression", NeurIPS 2021).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.fast import ResidualPairs

__all__ = ["FOLDED", "Analysis", "Context", "Synthesis"]

FOLDED = 24
"""Channels of a frame at a quarter of luma's rows and columns."""
Features = Sequence[Tensor]


def _smaller(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def _larger(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2))


class Context(nn.Module):
    """What is known of a frame before it is sent, at three sizes.

    Args:
        channels: features at a quarter, an eighth, a sixteenth.
    """

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.head = nn.Conv2d(FOLDED + fine, fine, 3, padding=1)
        self.body = ResidualPairs(fine, 2)
        self.middle = _smaller(fine, middle)
        self.coarse = _smaller(middle, coarse)

    def forward(
        self, expected: Float[Tensor, "B 24 H W"], features: Float[Tensor, "B C H W"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features at three sizes.

        Args:
            expected: the frame before, moved, folded.
            features: that it was made from, moved.
        """
        fine = self.body(F.relu(self.head(torch.cat((expected, features), dim=1))))
        middle = F.relu(self.middle(fine))
        return fine, middle, F.relu(self.coarse(middle))


class Analysis(nn.Module):
    """A frame's latents.

    Args:
        channels: see `Context`.
        latents: channels out.
        knows: whether there is a context.
    """

    def __init__(self, channels: tuple[int, int, int], latents: int, *, knows: bool) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.head = nn.Conv2d(FOLDED + (FOLDED + fine) * knows, fine, 3, padding=1)
        self.fine = ResidualPairs(fine, 2)
        self.smaller = _smaller(fine, middle)
        self.middle = ResidualPairs(middle, 2)
        self.smallest = _smaller(middle, coarse)
        self.tail = nn.Conv2d(coarse, latents, 3, padding=1)
        if knows:
            self.known = nn.ModuleList(nn.Conv2d(c, c, 1, bias=False) for c in (middle, coarse))

    def forward(
        self,
        frame: Float[Tensor, "B 24 H W"],
        expected: Tensor | None = None,
        context: Features = (),
    ) -> Float[Tensor, "B N h w"]:
        """Latents at a sixteenth of luma's rows and columns, real numbers.

        Args:
            frame: folded.
            expected: see `Context`.
            context: its features at three sizes.
        """
        seen = [frame]
        if expected is not None:
            seen = [frame, frame - expected, context[0]]
        fine = self.fine(F.relu(self.head(torch.cat(seen, dim=1))))
        middle = self.smaller(fine)
        if context:
            middle = middle + self.known[0](context[1])
        coarse = self.smallest(self.middle(F.relu(middle)))
        if context:
            coarse = coarse + self.known[1](context[2])
        return self.tail(F.relu(coarse))


class Synthesis(nn.Module):
    """A frame from its latents: features, and what is added to what was expected.

    Args:
        channels: see `Context`.
        latents: channels in.
        knows: whether there is a context.
    """

    def __init__(self, channels: tuple[int, int, int], latents: int, *, knows: bool) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.head = nn.Conv2d(latents, coarse, 3, padding=1)
        self.larger = _larger(coarse, middle)
        self.middle = ResidualPairs(middle, 2)
        self.largest = _larger(middle, fine)
        self.fine = ResidualPairs(fine, 2)
        self.tail = nn.Conv2d(fine, FOLDED, 3, padding=1)
        if knows:
            self.known = nn.ModuleList(
                nn.Conv2d(c, c, 1, bias=False) for c in (fine, middle, coarse)
            )

    def forward(
        self, latents: Float[Tensor, "B N h w"], context: Features = ()
    ) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B 24 H W"]]:
        """Features at a quarter, and the change of the folded frame."""
        coarse = self.head(latents)
        if context:
            coarse = coarse + self.known[2](context[2])
        middle = self.larger(F.relu(coarse))
        if context:
            middle = middle + self.known[1](context[1])
        fine = self.largest(self.middle(F.relu(middle)))
        if context:
            fine = fine + self.known[0](context[0])
        features = self.fine(F.relu(fine))
        return features, self.tail(features)
