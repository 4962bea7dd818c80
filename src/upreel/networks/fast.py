"""The fast family: a few convolutions on packed planes or luma, for real time on two CPU cores.

A 3x3 convolution into C channels, `depth` more of them in residual pairs, and one to the
answer's 6 s^2 channels (s^2 of luma alone), added to a fixed bicubic interpolation of the current
frame *before* the shuffle (see `upreel.networks.planes` for both layouts). Sub-pixel output after
ESPCN (Shi et al., CVPR 2016), residual pairs after EDSR (Lim et al., CVPR-W 2017). Without skips,
a plain chain of convolutions and ReLU, for arithmetic in whole numbers: nothing is added up on the
way that would need to be rounded again.

Flat stays flat: the first convolution's weights sum to zero over each frame's luma and over each
chroma plane, so a constant added to a plane changes nothing in the features, and what the network
answers to a constant is subtracted. White stays white and mean colours stay where they are, by
construction and not by training. `folded` keeps that promise in bf16 too.

Convolutions are zero-padded, so the outer `radius` positions of the answer are not what the
interior would give: callers hand in that margin and crop it.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.branches import filters
from upreel.networks.planes import interpolated, interpolation_kernel, to_grid
from upreel.networks.sizes import CHANNELS

__all__ = ["FastNetwork", "FoldedFastNetwork", "ResidualPairs", "flat_answer"]


class ResidualPairs(nn.ModuleList):
    """Convolutions from C to C in residual pairs; a pair begins as the identity.

    Without skips they are a plain chain, with a ReLU behind each, which begins near the identity.

    Args:
        channels: features C.
        depth: convolutions, an even number.
        padding_mode: what is beyond a border.
        widths: features within each pair; empty for C.
        skips: whether a pair's features are added to what it was given.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        padding_mode: Literal["zeros", "replicate"] = "zeros",
        widths: Sequence[int] = (),
        *,
        skips: bool = True,
    ) -> None:
        super().__init__(
            nn.Conv2d(*sizes, 3, padding=1, padding_mode=padding_mode)
            for inner in widths or [channels] * (depth // 2)
            for sizes in ((channels, inner), (inner, channels))
        )
        self.skips = skips
        for first, second in self._pairs():
            for layer in [second] if skips else [first, second]:
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
                with torch.no_grad():
                    identity = nn.init.dirac_(torch.empty_like(layer.weight))
                    layer.weight.mul_(0.0 if skips else 0.5).add_(identity, alpha=1 - skips)

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Features behind them."""
        for first, second in self._pairs():
            changed = second(F.relu(first(features)))
            features = features + changed if self.skips else F.relu(changed)
        return features

    def flat(self, values: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
        """What values of a flat picture before ReLU become behind it and all pairs."""
        level = F.relu(values)
        for first, second in self._pairs():
            assert first.bias is not None and second.bias is not None  # noqa: PT018
            inner = F.relu(filters(first).sum(dim=(2, 3)) @ level + first.bias)
            changed = filters(second).sum(dim=(2, 3)) @ inner + second.bias
            level = level + changed if self.skips else F.relu(changed)
        return level

    def _pairs(self) -> list[tuple[nn.Conv2d, nn.Conv2d]]:
        layers = cast("list[nn.Conv2d]", list(self))
        return list(zip(layers[::2], layers[1::2], strict=True))


def flat_answer(bias: Float[Tensor, " C"], body: ResidualPairs, tail: nn.Conv2d) -> Tensor:
    """What features of a flat picture, the first biases alone, become behind body and tail."""
    return tail.weight.sum(dim=(2, 3)) @ body.flat(bias)


class FastNetwork(nn.Module):
    """Packed planes or luma of one frame and its neighbours to the answer.

    Args:
        scale: 2, 3 or 4.
        channels: features C.
        depth: convolutions from C to C, an even number.
        frames: the current one and so many neighbours less one, the current one first.
        layout: "packed" or "luma".
        phase: "centred", or of luma "first": see `upreel.networks.planes.interpolation_kernel`.
        widths: features within each residual pair; empty for C in all of them.
        skips: whether there are residual pairs, or a plain chain.
    """

    def __init__(
        self,
        *,
        scale: int,
        channels: int,
        depth: int,
        frames: int,
        layout: str = "packed",
        phase: str = "centred",
        widths: Sequence[int] = (),
        skips: bool = True,
    ) -> None:
        super().__init__()
        self.radius = depth + 2
        self.each = CHANNELS[layout]
        self.head = nn.Conv2d(self.each * frames, channels, 3, padding=1)
        self.body = ResidualPairs(channels, depth, widths=widths, skips=skips)
        self.tail = nn.Conv2d(channels, self.each * scale * scale, 3, padding=1, bias=False)
        self.interpolation: Tensor
        kernel = interpolation_kernel(scale, layout, phase)
        self.register_buffer("interpolation", kernel, persistent=False)
        nn.init.zeros_(self.tail.weight)  # it begins as bicubic interpolation

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame.

        Args:
            packed: frames in [0, 1], current first, 6 channels each (1 of luma alone).

        Returns:
            The answer at the same grid, about [0, 1], not clipped.
        """
        return self.detail(packed) + self.interpolated(packed)

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The answer less the interpolation."""
        features = F.relu(F.conv2d(packed, self.head_weight(), self.head.bias, padding=1))
        features = self.body(features)
        return F.conv2d(features, self.tail.weight, self.tail_bias(), padding=1)

    def interpolated(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The current frame by bicubic interpolation."""
        return interpolated(packed[:, : self.each], self.interpolation)

    def head_weight(self) -> Float[Tensor, "C F 3 3"]:
        """First weights less their mean over each frame's luma and over each chroma plane."""
        if self.each == 1:
            return self.head.weight - self.head.weight.mean(dim=(2, 3), keepdim=True)
        frames = self.head.weight.unflatten(1, (-1, 6))
        luma, chroma = frames[:, :, :4], frames[:, :, 4:]
        luma = luma - luma.mean(dim=(2, 3, 4), keepdim=True)
        chroma = chroma - chroma.mean(dim=(3, 4), keepdim=True)
        return torch.cat((luma, chroma), dim=2).flatten(1, 2)

    def tail_bias(self) -> Float[Tensor, " C"]:
        """Minus what the network would answer to a constant picture."""
        assert self.head.bias is not None
        return -flat_answer(self.head.bias, self.body, self.tail)

    def folded(self) -> "FoldedFastNetwork":
        """The same function as plain convolutions, ready for export.

        First weights become whole multiples of a power of two, at most 8 bits of it, whose sums
        are still zero: bf16 holds them exactly. The tail's bias is computed from these.
        """
        with torch.no_grad():
            weight = self.head_weight()
            largest = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-6)
            steps = torch.exp2(torch.ceil(torch.log2(largest)) - 7)
            scaled = weight / steps[:, None, None, None]
            frames = scaled.unflatten(1, (-1, self.each))  # (C, T, 6 or 1, 3, 3)
            planes = [frames[:, :, :4], *([frames[:, :, 4:]] if self.each == 6 else [])]
            kept = [
                to_grid(plane.reshape(-1, size), 1.0).reshape(plane.shape)
                for plane, size in zip(planes, (9 * min(self.each, 4), 9), strict=False)
            ]
            weight = torch.cat(kept, dim=2).flatten(1, 2) * steps[:, None, None, None]
            network = FoldedFastNetwork(self)
            network.head.weight.copy_(weight)
        return network


class FoldedFastNetwork(nn.Module):
    """`FastNetwork` with its derived weights worked out: four kinds of plain convolutions."""

    def __init__(self, network: FastNetwork) -> None:
        super().__init__()
        head, tail = network.head, network.tail
        self.head = nn.Conv2d(head.in_channels, head.out_channels, 3, padding=1)
        self.head.load_state_dict(head.state_dict())
        self.body = network.body
        self.tail = nn.Conv2d(tail.in_channels, tail.out_channels, 3, padding=1)
        size = network.interpolation.shape[-1]
        self.interpolation = nn.Conv2d(
            head.in_channels, tail.out_channels, size, padding=size // 2, bias=False
        )
        assert self.tail.bias is not None
        with torch.no_grad():
            self.tail.weight.copy_(tail.weight)
            self.tail.bias.copy_(network.tail_bias())
            self.interpolation.weight.zero_()  # of the neighbours
            self.interpolation.weight[:, : network.each] = network.interpolation

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """As `FastNetwork.forward`."""
        features = self.body(F.relu(self.head(packed)))
        # In this order engines add to the interpolation while it is still f32: see `folded`.
        return self.interpolation(packed) + self.tail(features)
