"""The classic single-image networks, exact to their papers: what others are measured against.

Architectures are the papers'; where they begin is not: both begin close to bicubic interpolation,
as the other networks of this project do, because from random filters most of a short training goes
into learning to hand on the picture (docs/experiments.md).

Luma alone: (B, frames, H, W) in [0, 1] to (B, s^2, H, W), see `upreel.networks.planes`. ESPCN works
at the input's size and answers sub-pixels; SRCNN works on the bicubic-upscaled picture.
Convolutions are zero-padded: callers hand in a margin of the config's radius and crop it.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.planes import interpolated, interpolation_kernel, upscaled_frames

__all__ = ["Espcn", "Srcnn"]


class Espcn(nn.Module):
    """ESPCN (Shi et al., CVPR 2016): 5x5 and 3x3 convolutions, then 3x3 to s^2 sub-pixels.

    Args:
        scale: 2, 3 or 4.
        frames: stacked at the input, the current one first.
        channels: features of the first two convolutions.
        activation: "tanh" (Shi et al.) or "relu" (Liu et al., ICCV 2017).
        residual: add the answer to bicubic interpolation; then it begins as that.

    Without, it begins close to it where each layer has the s^2 features to hand it on.
    """

    def __init__(
        self,
        *,
        scale: int,
        frames: int,
        channels: Sequence[int],
        activation: str,
        residual: bool,
    ) -> None:
        super().__init__()
        first, second = channels
        self.is_residual = residual
        self.activation = {"tanh": torch.tanh, "relu": torch.relu}[activation]
        self.head = nn.Conv2d(frames, first, 5, padding=2)
        self.body = nn.Conv2d(first, second, 3, padding=1)
        self.tail = nn.Conv2d(second, scale * scale, 3, padding=1)
        self.interpolation: Tensor
        self.register_buffer("interpolation", interpolation_kernel(scale, "luma"), persistent=False)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]
        if not residual and min(channels) >= scale * scale:
            self._hand_on(gain=0.25 if activation == "tanh" else 1.0)

    @torch.no_grad()
    def _hand_on(self, gain: float) -> None:
        """Make the first features the interpolation, `gain` times and about zero if that is < 1.

        tanh is straight enough there: 0.25 changes black and white by 1 of 255 levels.
        """
        count, middle = len(self.interpolation), 0.5 if gain < 1 else 0.0
        for layer in (self.head, self.body, self.tail):
            assert layer.bias is not None
            layer.weight[:count].zero_()
            layer.bias[:count].zero_()
        self.head.weight[:count, :1] = gain * self.interpolation
        self.head.bias[:count] = -gain * middle  # pyright: ignore[reportOptionalSubscript]
        self.tail.bias.fill_(middle)  # pyright: ignore[reportOptionalMemberAccess]
        for k in range(count):
            self.body.weight[k, k, 1, 1] = 1
            self.tail.weight[k, k, 1, 1] = 1 / gain

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        detail = self.detail(packed)
        return self.interpolated(packed) + detail if self.is_residual else detail

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The answer, less the interpolation where the network is residual."""
        features = self.activation(self.head(packed))
        return self.tail(self.activation(self.body(features)))

    def interpolated(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The current frame by bicubic interpolation."""
        return interpolated(packed[:, :1], self.interpolation)


class Srcnn(nn.Module):
    """SRCNN (Dong et al., IEEE TPAMI 2016): three convolutions on the upscaled picture.

    Args:
        scale: 2, 3 or 4.
        frames: upscaled each and stacked at the input, the current one first.
        channels: features of the first two convolutions.
        sizes: of the three filters, odd.
    """

    def __init__(
        self, *, scale: int, frames: int, channels: Sequence[int], sizes: Sequence[int]
    ) -> None:
        super().__init__()
        self.scale = scale
        first, second = channels
        widths = ((frames, first), (first, second), (second, 1))
        self.head, self.body, self.tail = (
            nn.Conv2d(inputs, outputs, size, padding=size // 2)
            for size, (inputs, outputs) in zip(sizes, widths, strict=True)
        )
        self.interpolation: Tensor
        self.register_buffer("interpolation", interpolation_kernel(scale, "luma"), persistent=False)
        with torch.no_grad():
            self.tail.weight.zero_()
            for layer, size in zip((self.head, self.body, self.tail), sizes, strict=True):
                assert layer.bias is not None
                layer.weight[0].zero_()  # a first feature that hands on the picture
                layer.weight[0, 0, size // 2, size // 2] = 1
                layer.bias[0] = 0

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        return self.detail(packed)

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The whole answer: it is not residual."""
        upscaled = upscaled_frames(packed, self.interpolation)
        features = F.relu(self.body(F.relu(self.head(upscaled))))
        return F.pixel_unshuffle(self.tail(features), self.scale)
