"""The frame-recurrent network: one step a frame, from the answer before, for real time.

The answer to the frame before and some of its features are moved along the motion between the two
frames and seen beside the current one: frame-recurrent super-resolution (Sajjadi et al., CVPR 2018,
section 3) with features that are carried along as in RLSP (Fuoli et al., ICCV-W 2019). No frame is
waited for, and none is answered twice.

State  answer (B, s^2, H, W), what was shown, and features (B, K, H, W): whole multiples of 1/255 in
       [0, 1], so that both are bytes wherever they are kept. A scene begins with the first
       frame's interpolation and features of zero.

Both are moved by whole samples of their own size, the answer's at its own, the features' at the low
resolution: a copy of bytes for each position, and nothing that is carried is blurred by being
interpolated over and over (rectified flow: Liu et al., ICCV 2017, section 3.3).

Flat stays flat: no convolution has a bias, the first one's weights over the frame sum to zero, and
the answer is seen as its difference from the frame's interpolation; so a flat picture is zero to
every convolution, at borders too, where zeros are what is beyond. Without biases a network also
answers to a picture of half the contrast with half the detail (Mohan et al., ICLR 2020).

Luma alone: (B, T, H, W) in [0, 1], in display order, H and W divisible by 4, to (B, T, s^2, H, W).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.alignment import shift
from upreel.networks.motion import ITERATIONS, cell_motion, enlarged_motion
from upreel.networks.planes import channels_last, interpolation_kernel
from upreel.networks.precision import in_f32
from upreel.networks.sizes import CELL, FLOW_MULTIPLE

__all__ = ["LEVELS", "FrameRecurrentNetwork", "FrameStep", "moved"]

LEVELS = 255
"""Of what is carried: it is whole multiples of their reciprocal."""


class FrameRecurrentNetwork(nn.Module):
    """One step for each frame of a scene, in display order.

    Args:
        scale: s.
        channels: features C of each convolution.
        depth: convolutions between the first and the last.
        carried: features K that the next frame sees, at most C.
        rounds: of Lucas-Kanade, at each level of the pyramid that motion is found on.
    """

    def __init__(
        self, *, scale: int, channels: int, depth: int, carried: int, rounds: int = 1
    ) -> None:
        super().__init__()
        self.iterations: tuple[int, ...] = (rounds,) * len(ITERATIONS)
        self.scale, self.each, self.carried = scale, scale * scale, carried
        self.head = _convolution(1 + self.each + carried, channels, padding=0)
        self.body = nn.ModuleList(_convolution(channels, channels) for _ in range(depth))
        self.tail = _convolution(channels, self.each)
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(layer.weight)))
        nn.init.zeros_(self.tail.weight)  # it begins as bicubic interpolation
        self.interpolation: Tensor
        kernel = interpolation_kernel(scale, "luma", "centred")
        self.register_buffer("interpolation", kernel, persistent=False)

    @property
    def layers(self) -> list[nn.Conv2d]:
        """Convolutions between the first and the last."""
        return [cast("nn.Conv2d", layer) for layer in self.body]

    def forward(self, frames: Float[Tensor, "B T H W"]) -> Float[Tensor, "B T A H W"]:
        """Super-resolve the frames of one scene: about [0, 1], not clipped.

        Args:
            frames: in display order.
        """
        return self.answers(frames)

    def answers(
        self,
        frames: Float[Tensor, "B T H W"],
        around: int = 0,
        step: "Callable[[Tensor], tuple[Tensor, Tensor]] | None" = None,
    ) -> Float[Tensor, "B K A H W"]:
        """Answers to all frames but the first `around`.

        Args:
            frames: in display order.
            around: frames that are gone through for the state's sake alone: no gradient goes
                through them (truncated back-propagation).
            step: in place of this network's own.
        """
        motion = motion_to_past(frames, self.iterations)
        found: list[Tensor] = []
        state: tuple[Tensor, Tensor] | None = None
        for t, frame in enumerate(frames.split(1, dim=1)):
            seen = self.begin(frame) if state is None else torch.cat((frame, *state), dim=1)
            with torch.set_grad_enabled(torch.is_grad_enabled() and t >= around):
                answer, features = (step or self.step)(seen)
                if t + 1 < frames.shape[1]:
                    state = moved(_in_bytes(answer), _in_bytes(features), motion[:, t])
            if t >= around:
                found.append(answer)
        return torch.stack(found, dim=1)

    def begin(self, frame: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B S H W"]:
        """What the first frame of a scene sees; see `step`."""
        answer = _in_bytes(self.interpolated(frame))
        features = frame.new_zeros(len(frame), self.carried, *frame.shape[2:])
        return torch.cat((frame, answer, features), dim=1)

    def interpolated(self, frame: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B A H W"]:
        """A frame by bicubic interpolation, its border samples repeated."""
        with in_f32(frame.device.type):
            m = self.interpolation.shape[-1] // 2
            return F.conv2d(F.pad(frame, (m, m, m, m), mode="replicate"), self.interpolation)

    def step(
        self, seen: Float[Tensor, "B S H W"]
    ) -> tuple[Float[Tensor, "B A H W"], Float[Tensor, "B K H W"]]:
        """The answer to a frame, about [0, 1], and its features from 0 to 1.

        Args:
            seen: the frame, the answer before it and the features, both moved onto it: S = 1 +
                s^2 + K channels.
        """
        frame, answer, features = seen.split((1, self.each, self.carried), dim=1)
        first = self.interpolated(frame)
        # Beyond a border the frame's samples repeat the last one; the rest, which is zero where
        # the picture is flat, is zero.
        carried = torch.cat((answer - first, features), dim=1)
        around = (1, 1, 1, 1)
        padded = (F.pad(frame, around, mode="replicate"), F.pad(carried, around))
        values = F.relu(F.conv2d(channels_last(torch.cat(padded, dim=1)), self.head_weight()))
        for layer in self.layers:
            values = F.relu(layer(values))
        values = _bounded(values)
        return first + self.tail(values), values[:, : self.carried]

    def head_weight(self) -> Float[Tensor, "C S 3 3"]:
        """First weights, over the frame less their mean."""
        weight = self.head.weight
        own = weight[:, :1] - weight[:, :1].mean(dim=(2, 3), keepdim=True)
        return torch.cat((own, weight[:, 1:]), dim=1)


class FrameStep(nn.Module):
    """A step with its derived weights worked out and one tensor as its answer: what is exported."""

    def __init__(self, network: FrameRecurrentNetwork) -> None:
        super().__init__()
        self.each, self.carried = network.each, network.carried
        self.head = _convolution(network.head.in_channels, network.head.out_channels, padding=0)
        self.interpolation = nn.Conv2d(1, self.each, network.interpolation.shape[-1], bias=False)
        self.body, self.tail = network.body, network.tail
        with torch.no_grad():
            self.head.weight.copy_(network.head_weight())
            self.interpolation.weight.copy_(network.interpolation)

    def forward(self, seen: Float[Tensor, "B S H W"]) -> Float[Tensor, "B N H W"]:
        """The answer, then the features: N = s^2 + K channels; see `FrameRecurrentNetwork.step`."""
        frame, answer, features = seen.split((1, self.each, self.carried), dim=1)
        m = self.interpolation.kernel_size[0] // 2
        first = self.interpolation(F.pad(frame, (m, m, m, m), mode="replicate"))
        around = (1, 1, 1, 1)
        carried = F.pad(torch.cat((answer - first, features), dim=1), around)
        padded = torch.cat((F.pad(frame, around, mode="replicate"), carried), dim=1)
        values = F.relu(self.head(padded))
        for layer in self.body:
            values = F.relu(layer(values))
        values = values.clamp(max=1)
        return torch.cat((first + self.tail(values), values[:, : self.carried]), dim=1)


def motion_to_past(
    frames: Float[Tensor, "B T H W"], iterations: tuple[int, ...] = ITERATIONS
) -> Float[Tensor, "B T-1 2 H/4 W/4"]:
    """From each frame but the first to the one before it, `upreel.networks.motion.cell_motion`."""
    rows, columns = frames.shape[2:]
    far = [-side % FLOW_MULTIPLE for side in (columns, rows)]
    padded = F.pad(frames, (0, far[0], 0, far[1]), mode="replicate")
    here, before = (part.flatten(0, 1)[:, None] for part in (padded[:, 1:], padded[:, :-1]))
    motion = cell_motion(here, before, iterations)[:, 0].unflatten(0, (len(frames), -1))
    return motion[..., : rows // CELL, : columns // CELL]


def moved(
    answer: Float[Tensor, "B A H W"],
    features: Float[Tensor, "B K H W"],
    motion: Float[Tensor, "B 2 h w"],
) -> tuple[Float[Tensor, "B A H W"], Float[Tensor, "B K H W"]]:
    """A state onto the next frame's grid, by whole samples.

    Args:
        answer: to the frame before.
        features: of it.
        motion: from the next frame to that one, `upreel.networks.motion.cell_motion`.
    """
    scale = int(answer.shape[1] ** 0.5)
    flow = enlarged_motion(motion, CELL)[:, None]
    plane = shift(F.pixel_shuffle(answer, scale), (scale * flow).round())
    same = flow.round().expand(-1, features.shape[1], -1, -1, -1)
    return F.pixel_unshuffle(plane, scale), shift(features, same)


def _convolution(inputs: int, outputs: int, padding: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=padding, bias=False)


def _in_bytes(values: Tensor) -> Tensor:
    """Whole multiples of 1/255 in [0, 1], with the gradient of what was there before; in f32."""
    values = values.float()  # bf16 holds few of them
    kept = (values.clamp(0, 1) * LEVELS).round() / LEVELS
    return values + (kept - values).detach()


def _bounded(values: Tensor) -> Tensor:
    """At most 1, with the gradient of what was there before: learning finds back from there."""
    return values + (values.clamp(max=1) - values).detach()
