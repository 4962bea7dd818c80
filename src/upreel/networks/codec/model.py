"""The learned codec as it is trained: frames alone, and frames from the one before.

Axes      B clips, C channels, H rows, W columns.
Planes    packed (`upreel.networks.planes`), float in [0, 1]; H and W divisible by 8, so that luma
          is divisible by 16.
State     what the next frame is made from: the decoded planes, the features that they were made
          from, and the latents, which alone the distribution of the next ones is made from.
Latents   multiplied by a gain and rounded around their mean: what is sent is whole.
Bits      of a frame, estimated; motion's are not counted here, because no gradient comes of them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from upreel.networks.codec.movement import found_motion, moved_features, moved_frame
from upreel.networks.codec.prior import (
    FRACTION,
    HyperAnalysis,
    HyperPrior,
    Prior,
    padded,
    seen_past,
)
from upreel.networks.codec.rates import Gains, laplace_bits
from upreel.networks.codec.transforms import Analysis, Context, Synthesis
from upreel.networks.codec.whole import straight

__all__ = ["Codec", "Coded", "FrameCodec", "Rounding", "State"]

Rounding = Literal["mixed", "noise", "straight"]
"""How rounding is passed by in training: noise for the rate and rounding for the picture; noise for
both; rounding for both."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What a frame leaves to the next.

    Attributes:
        planes: decoded, (B, 6, H, W).
        features: (B, C, H/2, W/2).
        latents: (B, N, H/8, W/8), whole, in units of 1/8.
    """

    planes: Tensor
    features: Tensor
    latents: Tensor


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A frame that was sent.

    Attributes:
        state: what the receiver has of it.
        bits: of latents, (B,).
        hyper_bits: of hyper-latents, (B,).
        symbols: what was sent of latents, whole, (B, N, h, w).
        index: scales that they were sent with.
        hyper: hyper-latents, whole, (B, Z, v, u).
        motion: (B, 2, h, w) in quarters, None for a frame alone.
    """

    state: State
    bits: Tensor
    hyper_bits: Tensor
    symbols: Tensor
    index: Tensor
    hyper: Tensor
    motion: Tensor | None


def folded(planes: Float[Tensor, "B 6 H W"]) -> Float[Tensor, "B 24 h w"]:
    """Packed planes once more by 2x2."""
    return F.pixel_unshuffle(planes, 2)


def unfolded(values: Float[Tensor, "B 24 h w"]) -> Float[Tensor, "B 6 H W"]:
    """Packed planes again, in f32."""
    return F.pixel_shuffle(values.float(), 2)


class FrameCodec(nn.Module):
    """Sends frames of one kind.

    Args:
        channels: features at a quarter, an eighth and a sixteenth of luma's rows and columns.
        latents: numbers for each cell of 16x16 luma samples.
        hyper: numbers for each 64x64.
        prior: features of the network of whole numbers.
        anchors: qualities that gains are learned at.
        knows: whether there is a frame before.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        latents: int,
        hyper: int,
        prior: int,
        anchors: int,
        *,
        knows: bool,
    ) -> None:
        super().__init__()
        self.context = Context(channels) if knows else None
        self.analysis = Analysis(channels, latents, knows=knows)
        self.synthesis = Synthesis(channels, latents, knows=knows)
        self.hyper_analysis = HyperAnalysis(latents, hyper)
        self.hyper_prior = HyperPrior(hyper)
        self.prior = Prior(latents, hyper, prior, past=knows)
        self.gains = Gains(latents, anchors)

    def forward(
        self,
        planes: Float[Tensor, "B 6 H W"],
        quality: Int[Tensor, " B"],
        before: State | None = None,
        rounding: Rounding = "mixed",
    ) -> Coded:
        """A frame there and back.

        Args:
            planes: packed.
            quality: 0 to 63.
            before: of the frame before; None for a frame alone.
            rounding: in training; otherwise numbers are rounded.
        """
        expected, context, motion = None, (), None
        if self.context is not None:
            assert before is not None
            motion = found_motion(planes, before.planes)
            expected = folded(moved_frame(before.planes, motion))
            context = self.context(expected, moved_features(before.features, motion))
        gain, gain_back = self.gains(quality)
        latents = self.analysis(folded(planes), expected, context) * gain
        hyper, hyper_bits = self._sent_hyper(self.hyper_analysis(padded(latents)), rounding)
        past = None if before is None else seen_past(before.latents)
        size = (latents.shape[-2], latents.shape[-1])
        mean, index = self.prior(hyper, quality, size, past)
        symbols, bits, kept = self._sent(latents - mean / FRACTION, index, rounding)
        received = kept + mean / FRACTION
        features, change = self.synthesis(received * gain_back, context)
        base = 0.5 if expected is None else expected
        decoded = unfolded(base + change)
        if not self.training:
            decoded = decoded.clamp(0, 1)
        whole = (FRACTION * symbols + mean).detach()
        return Coded(
            state=State(planes=decoded, features=features, latents=whole),
            bits=bits.flatten(1).sum(dim=1),
            hyper_bits=hyper_bits.flatten(1).sum(dim=1),
            symbols=symbols,
            index=index,
            hyper=hyper,
            motion=motion,
        )

    def _sent_hyper(self, values: Tensor, rounding: Rounding) -> tuple[Tensor, Tensor]:
        """Hyper-latents as received, and their bits."""
        mean, index = self.hyper_prior()
        mean, index = mean[:, None, None], index[:, None, None].expand_as(values)
        whole = straight(values.round(), values)
        noisy = self._noisy(values, rounding)
        return whole, laplace_bits((whole if noisy is None else noisy) - mean, index)

    def _sent(
        self, values: Tensor, index: Tensor, rounding: Rounding
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Symbols, their bits, and what the picture is made from."""
        values = values.float()
        symbols = straight(values.round(), values)
        if not self.training:  # what is that certain is not sent
            symbols = torch.where(index > 0, symbols, 0)
        noisy = self._noisy(values, rounding)
        bits = laplace_bits(symbols if noisy is None else noisy, index)
        kept = noisy if noisy is not None and rounding == "noise" else symbols
        return symbols, bits, kept

    def _noisy(self, values: Tensor, rounding: Rounding) -> Tensor | None:
        if not self.training or rounding == "straight":
            return None
        return values + torch.rand_like(values) - 0.5


class Codec(nn.Module):
    """Frames alone, and frames from the one before.

    Args:
        channels: see `FrameCodec`, as all that follows.
        latents: see there.
        hyper: see there.
        prior: see there.
        anchors: see there.
    """

    def __init__(
        self, *, channels: tuple[int, int, int], latents: int, hyper: int, prior: int, anchors: int
    ) -> None:
        super().__init__()
        self.alone = FrameCodec(channels, latents, hyper, prior, anchors, knows=False)
        self.next = FrameCodec(channels, latents, hyper, prior, anchors, knows=True)

    def forward(
        self,
        planes: Float[Tensor, "B 6 H W"],
        quality: Int[Tensor, " B"],
        before: State | None = None,
        rounding: Rounding = "mixed",
    ) -> Coded:
        """See `FrameCodec.forward`."""
        kind = self.alone if before is None else self.next
        return kind(planes, quality, before, rounding)
