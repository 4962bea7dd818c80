"""VESPCN: motion compensation of neighbours and early fusion of all frames.

Caballero et al., "Real-Time Video Super-Resolution with Spatio-Temporal Networks and Motion
Compensation", CVPR 2017. A coarse flow at a quarter of the size and a fine one at half, added to
it, warp each neighbour onto the current frame (table 1 there); the frames together go through 3x3
convolutions to sub-pixels (early fusion). Flows end in tanh and are told in fractions of the
largest motion, so that what an answer depends on is bounded.

Luma alone: (B, frames, H, W) in [0, 1] to (B, s^2, H, W); H and W divisible by 4.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.alignment import warp
from upreel.networks.planes import interpolated, interpolation_kernel

__all__ = ["MotionCompensation", "Vespcn"]

_FEATURES = 24
_COMPENSATION = 0.01  # beta: weight of the warped frames' squared error
_SMOOTHNESS = 0.001  # lambda: of the flow's Huber loss
_HUBER = 0.01  # epsilon: flows' differences below its root are squared


class MotionCompensation(nn.Module):
    """The flow from the current frame to a neighbour, from coarse to fine.

    Args:
        coarse: pixels that the coarse flow reaches.
        fine: pixels that the fine flow adds at most.
    """

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.reach = (coarse, fine)
        c = _FEATURES
        self.coarse = nn.ModuleDict(
            {
                "head": nn.Conv2d(2, c, 5, stride=2, padding=2),
                "second": nn.Conv2d(c, c, 3, padding=1),
                "third": nn.Conv2d(c, c, 5, stride=2, padding=2),
                "fourth": nn.Conv2d(c, c, 3, padding=1),
                "tail": nn.Conv2d(c, 32, 3, padding=1),
            }
        )
        self.fine = nn.ModuleDict(
            {
                "head": nn.Conv2d(5, c, 5, stride=2, padding=2),
                "second": nn.Conv2d(c, c, 3, padding=1),
                "third": nn.Conv2d(c, c, 3, padding=1),
                "fourth": nn.Conv2d(c, c, 3, padding=1),
                "tail": nn.Conv2d(c, 8, 3, padding=1),
            }
        )
        for tail in (self.coarse["tail"], self.fine["tail"]):  # it begins with no motion
            assert isinstance(tail, nn.Conv2d)
            assert tail.bias is not None
            nn.init.zeros_(tail.weight)
            nn.init.zeros_(tail.bias)

    def forward(
        self, current: Float[Tensor, "N 1 H W"], neighbour: Float[Tensor, "N 1 H W"]
    ) -> Float[Tensor, "N 2 H W"]:
        """The flow (dx, dy) in pixels: ``current[y, x]`` is near ``neighbour[y + dy, x + dx]``."""
        coarse, fine = self.reach
        flow = coarse * _flow(self.coarse, torch.cat((current, neighbour), dim=1), 4)
        warped = warp(neighbour, flow)
        seen = torch.cat((current, neighbour, flow / coarse, warped), dim=1)
        return flow + fine * _flow(self.fine, seen, 2)


def _flow(layers: nn.ModuleDict, frames: Tensor, scale: int) -> Tensor:
    """Convolutions with ReLU, the last one with tanh and sub-pixels; fractions of its reach."""
    for name, layer in layers.items():
        frames = layer(frames) if name == "tail" else F.relu(layer(frames))
    return torch.tanh(F.pixel_shuffle(frames, scale).float())


class Vespcn(nn.Module):
    """Neighbours warped onto the current frame, all of them fused at the first convolution.

    Args:
        scale: 2, 3 or 4.
        frames: 3 or 5, the current one first.
        channels: features of each convolution.
        depth: convolutions, the first and the last counted.
        coarse: pixels that the coarse flow reaches.
        fine: pixels that the fine flow adds at most.
        residual: add the answer to bicubic interpolation; then it begins as that.
    """

    def __init__(
        self,
        *,
        scale: int,
        frames: int,
        channels: int,
        depth: int,
        coarse: int,
        fine: int,
        residual: bool,
    ) -> None:
        super().__init__()
        self.is_residual = residual
        self.motion = MotionCompensation(coarse, fine)
        self.head = nn.Conv2d(frames, channels, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth - 2)
        )
        self.tail = nn.Conv2d(channels, scale * scale, 3, padding=1)
        self.interpolation: Tensor
        self.register_buffer("interpolation", interpolation_kernel(scale, "luma"), persistent=False)
        for layer in (self.head, *self.body):  # else nothing of the picture reaches so deep a tail
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if residual:
            nn.init.zeros_(self.tail.weight)
            nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]
        self._auxiliary: Tensor | None = None

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        features = F.relu(self.head(self.aligned(packed)))
        for layer in self.body:
            features = F.relu(layer(features))
        detail = self.tail(features)
        if not self.is_residual:
            return detail
        return interpolated(packed[:, :1], self.interpolation) + detail

    def aligned(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B F H W"]:
        """The same frames, neighbours warped onto the current one."""
        current, neighbours = packed[:, :1], packed[:, 1:]
        here = current.expand_as(neighbours).flatten(0, 1)[:, None]
        there = neighbours.flatten(0, 1)[:, None]
        flow = self.motion(here, there)
        warped = warp(there, flow)
        self._auxiliary = None
        if self.training:
            count = neighbours.shape[1]
            error = (warped - here).square().mean()
            self._auxiliary = count * (_COMPENSATION * error + _SMOOTHNESS * _roughness(flow))
        moved = warped[:, 0].unflatten(0, (-1, neighbours.shape[1]))
        return torch.cat((current, moved), dim=1)

    def auxiliary_loss(self) -> Tensor | None:
        """Of the last forward pass in training: the warped frames' error and the flow's roughness.

        Summed over the neighbours, means over pixels (equation 7 of the paper).
        """
        return self._auxiliary


def _roughness(flow: Float[Tensor, "N 2 H W"]) -> Tensor:
    """Huber loss of the flow's differences to the right and below (equation 4 of the paper)."""
    right = flow[:, :, :-1, 1:] - flow[:, :, :-1, :-1]
    below = flow[:, :, 1:, :-1] - flow[:, :, :-1, :-1]
    return torch.sqrt(_HUBER + (right.square() + below.square()).sum(dim=1)).mean()
