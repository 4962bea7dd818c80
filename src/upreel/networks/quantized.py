"""A network of the fast family in whole numbers, as training sees it and as engines run it.

Weights are whole numbers of 8 bits, symmetric, with a step for each of a convolution's outputs;
activations have a step for each tensor: `activation_bits` bits, without a sign behind a ReLU, with
one in the stream of residual pairs, of which a plain chain has none. Biases are whole multiples of
both steps' product, so that a convolution is a sum of whole numbers below 2^24, which f32 holds
exactly, too. Training goes through the same rounding, with the gradient of the values before it
(straight through, Bengio et al., 2013) and with steps that are learned (Esser et al., "Learned Step
Size Quantization", ICLR 2020).

The picture's own interpolation is not rounded: only the detail that is added to it is made of
whole numbers. First weights are rounded so that they still sum to zero over each plane, so that
flat stays flat here too; see `upreel.networks.fast`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.fast import FastNetwork
from upreel.networks.planes import to_grid
from upreel.networks.precision import in_f32

__all__ = [
    "LARGEST_WEIGHT",
    "Layer",
    "QuantizedNetwork",
    "Range",
    "best_step",
    "sampled",
    "straight",
    "to_whole",
    "whole_layer",
    "whole_weights",
]

LARGEST_WEIGHT = 127
_LARGEST_BIAS = 1 << 22
_TRIED = range(24, 65)  # 64ths of the largest value, as the end of a range
_SEEN = 1 << 20  # values that a range is chosen by


@dataclass(frozen=True, kw_only=True)
class Range:
    """Whole numbers that an activation is rounded to.

    Attributes:
        least: 0 behind a ReLU.
        most: its largest.
    """

    least: int
    most: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A convolution in whole numbers.

    Attributes:
        weight: (O, I, 3, 3), from -127 to 127.
        bias: (O,), in units of `step` times `weight_step`.
        weight_step: (O,): what a weight of 1 stands for.
        meaning: (O,): what a sum of 1 stands for, `step` times that.
        step: what 1 stands for in its input.
    """

    weight: Tensor
    bias: Tensor
    weight_step: Tensor
    meaning: Tensor
    step: float


class QuantizedNetwork(nn.Module):
    """A `FastNetwork` whose convolutions go through whole numbers.

    Args:
        network: values of its config.
        activation_bits: 8 or 7.
    """

    def __init__(self, *, network: Mapping[str, Any], activation_bits: int) -> None:
        super().__init__()
        self.network = FastNetwork(**{k: v for k, v in network.items() if k != "kind"})
        self.input_step = 1 / ((1 << activation_bits) - 1)
        self.skips = self.network.body.skips
        self.ranges = _ranges(len(self.network.body), activation_bits, signed=self.skips)
        self.input_range = Range(least=0, most=(1 << activation_bits) - 1)
        # log2 of what 1 stands for, so that learning changes it by factors.
        self.steps = nn.Parameter(torch.full((len(self.ranges),), -8.0))

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """As `FastNetwork.forward`, in f32."""
        with in_f32(packed.device.type):
            values = packed.float()
            tail = self.network.tail.weight
            seen = self._features(values)
            detail = self._convolved(seen, tail, -self._flat(), len(self.ranges))
            return self.network.interpolated(values) + detail

    def _features(
        self, seen: Float[Tensor, "B F H W"], upto: int | None = None, *, flat: bool = False
    ) -> Float[Tensor, "B C H W"]:
        """Whole numbers that the last convolution sees, or values before rounding number `upto`.

        Args:
            seen: frames.
            upto: number of an activation; None for all of them.
            flat: whether `seen` is one position of a picture that is the same everywhere.
        """
        biases = self._biases
        whole = to_whole(seen / self.input_step, self.input_range)
        first = self.network.head_weight()
        values = F.relu(self._convolved(whole, first, biases[0], 0, flat=flat))
        if upto == 0:
            return values
        stream = self._whole(values, 0)
        for k in range(0, len(self.ranges) - 1, 2):
            one, two = (cast("nn.Conv2d", self.network.body[k + j]).weight for j in (0, 1))
            inner = F.relu(self._convolved(stream, one, biases[k + 1], k + 1, flat=flat))
            if upto == k + 1:
                return inner
            change = self._convolved(
                self._whole(inner, k + 1), two, biases[k + 2], k + 2, flat=flat
            )
            before = stream * self._step_before(k + 1) if self.skips else None
            values = F.relu(change) if before is None else before + change
            if upto == k + 2:
                return values
            stream = self._whole(values, k + 2)
        return stream

    def _convolved(
        self, whole: Tensor, weight: Tensor, bias: Tensor, k: int, *, flat: bool = False
    ) -> Tensor:
        """Convolution `k`, 0 the first, of whole numbers by whole numbers; then what they mean."""
        rounded, biases, meaning = self._rounded(weight, bias, k)
        if flat:
            sums = F.conv2d(whole, rounded.sum(dim=(2, 3), keepdim=True), biases)
        else:
            sums = F.conv2d(whole, rounded, biases, padding=1)
        return sums * meaning[:, None, None]

    def _flat(self) -> Float[Tensor, " C"]:
        """What the last convolution makes of a flat picture, before its bias."""
        none = self.steps.new_zeros(1, self.network.head.in_channels, 1, 1)
        features = self._features(none, flat=True)[0, :, 0, 0]
        tail, last = self.network.tail.weight, len(self.ranges)
        rounded, _, meaning = self._rounded(tail, tail.new_zeros(len(tail)), last)
        return rounded.sum(dim=(2, 3)) @ features * meaning

    def _whole(self, values: Tensor, k: int) -> Tensor:
        """Activation `k` in its steps."""
        return to_whole(values / self.steps[k].exp2(), self.ranges[k])

    def _step_before(self, k: int) -> Tensor:
        """What 1 stands for in what convolution `k` sees."""
        return self.steps.new_tensor(self.input_step) if k == 0 else self.steps[k - 1].exp2()

    def _rounded(self, weight: Tensor, bias: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Convolution `k` in whole numbers; see `whole_weights`."""
        sums = self._zero_sums if k == 0 else None
        return whole_weights(weight, bias, self._step_before(k), sums)

    def _zero_sums(self, whole: Float[Tensor, "C F 3 3"]) -> Float[Tensor, "C F 3 3"]:
        """First weights rounded so that they sum to zero over each plane that they summed over."""
        each = self.network.each
        frames = whole.unflatten(1, (-1, each))  # (C, T, 6 or 1, 3, 3)
        planes = [frames[:, :, : min(each, 4)], *frames[:, :, 4:].split(1, dim=2)]
        kept = [to_grid(plane.flatten(2).flatten(0, 1), 1.0).view_as(plane) for plane in planes]
        return torch.cat(kept, dim=2).flatten(1, 2)

    @property
    def _biases(self) -> list[Tensor]:
        layers = [self.network.head, *(cast("nn.Conv2d", layer) for layer in self.network.body)]
        found = [layer.bias for layer in layers]
        assert all(bias is not None for bias in found)
        return cast("list[Tensor]", found)

    @torch.no_grad()
    def calibrate(self, inputs: Sequence[Float[Tensor, "B F H W"]]) -> None:
        """Choose steps by what activations are on such inputs, one after the other."""
        for k, span in enumerate(self.ranges):
            values = sampled([self._features(each, upto=k).flatten() for each in inputs])
            self.steps[k] = best_step(values, span).log2()

    @torch.no_grad()
    def layers(self) -> list[Layer]:
        """All convolutions, the last one's bias worked out: what is exported."""
        convolutions = [
            self.network.head_weight(),
            *(cast("nn.Conv2d", layer).weight for layer in self.network.body),
            self.network.tail.weight,
        ]
        biases = [*self._biases, -self._flat()]
        found: list[Layer] = []
        for k, (weight, bias) in enumerate(zip(convolutions, biases, strict=True)):
            found.append(whole_layer(*self._rounded(weight, bias, k), self._step_before(k)))
        return found


def whole_weights(
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"],
    step: Tensor,
    zero_sums: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights and biases of a convolution in whole numbers, and what a sum of 1 means.

    Numbers are as large as fits: the largest weight of an output is the largest whole number, but
    where that would take its bias beyond what sums of f32 hold exactly.

    Args:
        weight: of the convolution.
        bias: of it.
        step: what 1 stands for in its input.
        zero_sums: rounds first weights so that their sums stay zero, for which one may become
            larger by one; None rounds each for itself.
    """
    with torch.no_grad():
        largest = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-8)
        room = LARGEST_WEIGHT - (zero_sums is not None)
        unit = torch.maximum(largest / room, bias.abs() / (step * _LARGEST_BIAS))
    scaled = weight / unit[:, None, None, None]
    if zero_sums is None:
        scaled = straight(scaled)
    else:
        scaled = scaled + (zero_sums(scaled.detach()) - scaled.detach())
    meaning = step * unit
    return scaled, straight(bias / meaning), meaning


def whole_layer(weight: Tensor, bias: Tensor, meaning: Tensor, step: Tensor) -> Layer:
    """What is exported of `whole_weights`, and of what 1 stands for in its input."""
    return Layer(
        weight=weight.round().to(torch.int8),
        bias=bias.round().to(torch.int32),
        weight_step=meaning / step,
        meaning=meaning,
        step=float(step),
    )


def best_step(values: Tensor, span: Range) -> Tensor:
    """The step with the least squared error: of ends of a range, fractions of the largest value."""
    largest = values.abs().max().clamp(min=1e-6) / span.most
    tried = [largest * part / max(_TRIED) for part in _TRIED]
    errors = [(to_whole(values / step, span) * step - values).square().mean() for step in tried]
    return tried[int(torch.stack(errors).argmin())]


def sampled(parts: Sequence[Tensor]) -> Tensor:
    """Some of all values, as many as a range is chosen by."""
    # An odd stride: sides of pictures are even, and every column shall be seen.
    return torch.cat([part[:: -(-len(part) * len(parts) // _SEEN) | 1].clone() for part in parts])


def _ranges(depth: int, bits: int, *, signed: bool) -> tuple[Range, ...]:
    """Behind the first convolution, then of each pair within it and, perhaps signed, behind it."""
    positive = Range(least=0, most=(1 << bits) - 1)
    behind = Range(least=-(1 << (bits - 1)), most=(1 << (bits - 1)) - 1) if signed else positive
    return (positive, *(positive, behind) * (depth // 2))


def straight(values: Tensor) -> Tensor:
    """Rounded, with the gradient of what was there before."""
    return values + (values.round() - values).detach()


def to_whole(values: Tensor, span: Range) -> Tensor:
    """Rounded into a range; no gradient beyond its ends."""
    return straight(values.clamp(span.least, span.most))
