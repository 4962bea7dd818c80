"""A frame-recurrent network in whole numbers, as training sees it and as engines run it.

As `upreel.networks.quantized`: weights of 8 bits with a step for each of a convolution's outputs,
activations of 8 bits without a sign, nothing that a sum of f32 does not hold exactly. What a step
sees has one step for all its channels, that of a level: the frame and what is carried are bytes as
they are, and the answer's difference from the interpolation is rounded to levels and shifted by
128, which the first convolution's biases take away again. The last features are levels, too: what
is carried is what the last convolution sees.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.frame_recurrent import LEVELS, FrameRecurrentNetwork
from upreel.networks.planes import to_grid
from upreel.networks.precision import in_f32
from upreel.networks.quantized import (
    Layer,
    Range,
    best_step,
    sampled,
    straight,
    to_whole,
    whole_layer,
    whole_weights,
)

__all__ = ["MIDDLE", "QuantizedStepNetwork"]

MIDDLE = 128
"""What no difference is."""
_BYTES = Range(least=0, most=LEVELS)


class QuantizedStepNetwork(nn.Module):
    """A `FrameRecurrentNetwork` whose convolutions go through whole numbers.

    Args:
        network: values of its config.
    """

    def __init__(self, *, network: Mapping[str, Any]) -> None:
        super().__init__()
        values = {name: value for name, value in network.items() if name != "kind"}
        self.network = FrameRecurrentNetwork(**values)
        # log2 of what 1 stands for behind each convolution but the last two.
        self.steps = nn.Parameter(torch.full((len(self.network.body),), -8.0))

    def forward(self, frames: Float[Tensor, "B T H W"]) -> Float[Tensor, "B T A H W"]:
        """As `FrameRecurrentNetwork.forward`."""
        return self.answers(frames)

    def answers(
        self, frames: Float[Tensor, "B T H W"], around: int = 0
    ) -> Float[Tensor, "B K A H W"]:
        """As `FrameRecurrentNetwork.answers`."""
        return self.network.answers(frames, around, step=self.step)

    def step(
        self, seen: Float[Tensor, "B S H W"]
    ) -> tuple[Float[Tensor, "B A H W"], Float[Tensor, "B K H W"]]:
        """As `FrameRecurrentNetwork.step`, in f32."""
        with in_f32(seen.device.type):
            network, values = self.network, seen.float()
            whole = self._features(values)
            detail = self._convolved(whole, len(network.body) + 1)
            first = network.interpolated(values[:, :1])
            return first + detail, whole[:, : network.carried] / LEVELS

    def _features(self, seen: Float[Tensor, "B S H W"], upto: int | None = None) -> Tensor:
        """Whole numbers that the last convolution sees, or values before rounding number `upto`."""
        network, around = self.network, (1, 1, 1, 1)
        frame, answer, features = seen.split((1, network.each, network.carried), dim=1)
        difference = LEVELS * (answer - network.interpolated(frame))
        signed = Range(least=-MIDDLE, most=LEVELS - MIDDLE)
        whole = torch.cat(
            (
                F.pad(to_whole(LEVELS * frame, _BYTES), around, mode="replicate"),
                F.pad(to_whole(difference, signed) + MIDDLE, around, value=MIDDLE),
                F.pad(to_whole(LEVELS * features, _BYTES), around),
            ),
            dim=1,
        )
        for k in range(len(network.body) + 1):
            values = F.relu(self._convolved(whole, k))
            if upto == k:
                return values
            whole = to_whole(values / self._step_before(k + 1), _BYTES)
        return whole

    def _convolved(self, whole: Tensor, k: int) -> Tensor:
        """Convolution `k`, 0 the first, of whole numbers by whole numbers; then what they mean."""
        weight, bias, meaning = self._rounded(k)
        return F.conv2d(whole, weight, bias, padding=int(k > 0)) * meaning[:, None, None]

    def _step_before(self, k: int) -> Tensor:
        """What 1 stands for in what convolution `k` sees."""
        inner = 0 < k <= len(self.steps)
        return self.steps[k - 1].exp2() if inner else self.steps.new_tensor(1 / LEVELS)

    def _rounded(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Convolution `k` in whole numbers; see `upreel.networks.quantized.whole_weights`."""
        network = self.network
        layers = [network.head_weight(), *(layer.weight for layer in network.layers)]
        weight = [*layers, network.tail.weight][k]
        none = weight.new_zeros(len(weight))
        zero_sums = _zero_sums if k == 0 else None
        whole, bias, meaning = whole_weights(weight, none, self._step_before(k), zero_sums)
        if k == 0:
            shifted = whole[:, 1 : 1 + network.each]
            bias = -MIDDLE * shifted.sum(dim=(1, 2, 3))
        return whole, bias, meaning

    @torch.no_grad()
    def calibrate(self, inputs: Sequence[Float[Tensor, "B T H W"]]) -> None:
        """Choose steps by what activations are on the last of such frames, one after the other."""
        last: list[Tensor] = []

        def step(values: Tensor) -> tuple[Tensor, Tensor]:
            last[-1] = values
            return self.network.step(values)

        for frames in inputs:
            last.append(frames)
            self.network.answers(frames, frames.shape[1] - 1, step)
        for k in range(len(self.steps)):
            values = sampled([self._features(each, upto=k).flatten() for each in last])
            self.steps[k] = best_step(values, _BYTES).log2()

    @torch.no_grad()
    def layers(self) -> list[Layer]:
        """All convolutions: what is exported."""
        numbers = range(len(self.network.body) + 2)
        return [whole_layer(*self._rounded(k), self._step_before(k)) for k in numbers]


def _zero_sums(whole: Float[Tensor, "C S 3 3"]) -> Float[Tensor, "C S 3 3"]:
    """First weights rounded, those over the frame so that they sum to zero."""
    own = to_grid(whole[:, 0].flatten(1), 1.0).view_as(whole[:, :1])
    return torch.cat((own, straight(whole[:, 1:])), dim=1)
