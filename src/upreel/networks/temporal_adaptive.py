"""The temporal adaptive network: branches that see more and more frames, weighed at each pixel.

Liu et al., "Robust Video Super-Resolution with Learned Temporal Dynamics", ICCV 2017. Branch i
super-resolves from 2i - 1 frames; where motion is simple the branches with many frames know
most, where it is not the ones with few. The modulation branch looks at the largest window and
gives each branch a weight for every sample of the answer, and the answer is the weighted sum.

Two things differ from the paper, both so that a flat picture stays flat whatever the weights are:
what is weighed is the branches' detail beside bicubic interpolation where they are residual; and
weights may be normalised ("softmax"), while "free" ones are the paper's.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.alignment import (
    CELL,
    Localisation,
    patch_means,
    rectified_displacement,
    shift,
    spread,
    warp,
)
from upreel.networks.baselines import Espcn
from upreel.networks.fast import FastNetwork, FoldedFastNetwork
from upreel.networks.planes import CHANNELS, interpolation_kernel

__all__ = ["Modulation", "TemporalAdaptiveNetwork"]


class Modulation(nn.Module):
    """The modulation branch: a weight for each branch and each sample of the answer.

    Args:
        in_channels: of the largest window.
        channels: features of its 5x5 and its first 3x3 convolution.
        answer_channels: samples of the answer at one position.
        branches: N.
        normalised: whether weights of a sample are positive and sum to one.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        answer_channels: int,
        branches: int,
        *,
        normalised: bool,
    ) -> None:
        super().__init__()
        first, second = channels
        self.branches = branches
        self.normalised = normalised
        self.head = nn.Conv2d(in_channels, first, 5, padding=2)
        self.body = nn.Conv2d(first, second, 3, padding=1)
        self.tail = nn.Conv2d(second, branches * answer_channels, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # it begins as the plain average
        assert self.tail.bias is not None
        nn.init.constant_(self.tail.bias, 0.0 if normalised else 1 / branches)

    def forward(self, frames: Float[Tensor, "B F H W"]) -> Float[Tensor, "B N C H W"]:
        """Weights of the branches."""
        weights = self.tail(F.relu(self.body(F.relu(self.head(frames)))))
        weights = weights.unflatten(1, (self.branches, -1))
        return weights.softmax(dim=1) if self.normalised else weights


class TemporalAdaptiveNetwork(nn.Module):
    """Branches, their weights, and the alignment before both.

    Args:
        branch: values of the single-frame branch's config.
        branches: N.
        modulation: "softmax", "free" or "mean".
        modulation_channels: features of the modulation branch.
        alignment: "none", "rectified" or "spatial".
        spatial_weight: lambda of the spatial alignment's auxiliary loss.
    """

    def __init__(
        self,
        *,
        branch: Mapping[str, Any],
        branches: int,
        modulation: str,
        modulation_channels: Sequence[int],
        alignment: str,
        spatial_weight: float,
    ) -> None:
        super().__init__()
        kinds: dict[str, type[FastNetwork | Espcn]] = {"fast": FastNetwork, "espcn": Espcn}
        values = {k: v for k, v in branch.items() if k not in ("kind", "frames")}
        make = kinds[branch["kind"]]
        scale: int = branch["scale"]
        layout: str = branch.get("layout", "luma")
        self.each = CHANNELS[layout]
        self.alignment = alignment
        self.spatial_weight = spatial_weight
        self.branches = nn.ModuleList(make(frames=2 * i + 1, **values) for i in range(branches))
        self.is_residual = bool(branch.get("residual", True))
        self.modulation = (
            None
            if modulation == "mean"
            else Modulation(
                self.each * (2 * branches - 1),
                modulation_channels,
                self.each * scale * scale,
                branches,
                normalised=modulation == "softmax",
            )
        )
        self.localisation = Localisation() if alignment == "spatial" else None
        self.interpolation: Tensor
        kernel = interpolation_kernel(scale, layout)
        self.register_buffer("interpolation", kernel, persistent=False)
        self._auxiliary: Tensor | None = None

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        frames = self.aligned(packed)
        details = torch.stack(self.details(frames), dim=1)  # (B, N, C, H, W)
        weights = self.weights(frames)
        weighed = details.mean(dim=1) if weights is None else (weights * details).sum(dim=1)
        if not self.is_residual:
            return weighed
        current = packed[:, : self.each]
        size = self.interpolation.shape[-1]
        return F.conv2d(current, self.interpolation, padding=size // 2) + weighed

    def details(self, frames: Float[Tensor, "B F H W"]) -> list[Float[Tensor, "B C H W"]]:
        """What each branch answers to aligned frames, less the interpolation if residual."""
        return [
            cast("FastNetwork | Espcn", branch).detail(frames[:, : self.each * (2 * i + 1)])
            for i, branch in enumerate(self.branches)
        ]

    def weights(self, frames: Float[Tensor, "B F H W"]) -> Float[Tensor, "B N C H W"] | None:
        """Of the branches, from aligned frames; None where they are averaged."""
        return None if self.modulation is None else self.modulation(frames)

    def auxiliary_loss(self) -> Tensor | None:
        """Of the last forward pass in training: how far translations are from rectified ones."""
        return self._auxiliary

    def aligned(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B F H W"]:
        """The same frames, neighbours brought onto the current one."""
        self._auxiliary = None
        if self.alignment == "none" or packed.shape[1] == self.each:
            return packed
        if self.each == 1:
            moved, _ = self._moved(packed)
            return torch.cat((packed[:, :1], moved), dim=1)
        planes = packed.unflatten(1, (-1, 6))  # each frame's planes are moved at their own size
        moved, flow = self._moved(F.pixel_shuffle(planes[:, :, :4].flatten(1, 2), 2))
        chroma = planes[:, 1:, 4:]
        shape = chroma.shape
        chroma = warp(chroma.flatten(0, 1), F.avg_pool2d(flow, 2) / 2).view(shape)
        moved = F.pixel_unshuffle(moved, 2).unflatten(1, (-1, 4))
        neighbours = torch.cat((moved, chroma), dim=2).flatten(1, 2)
        return torch.cat((packed[:, :6], neighbours), dim=1)

    def _moved(
        self, luma: Float[Tensor, "B T H W"]
    ) -> tuple[Float[Tensor, "B K H W"], Float[Tensor, "B*K 2 H W"]]:
        """Neighbours' luma on the current frame's grid, and how far each pixel was moved."""
        current, neighbours = luma[:, :1], luma[:, 1:]
        if self.alignment == "rectified":
            displacement = rectified_displacement(current, neighbours)
            flow = displacement.flatten(0, 1)
            flow = flow.repeat_interleave(CELL, dim=2).repeat_interleave(CELL, dim=3)
            return shift(neighbours, displacement), flow
        flow = self._translations(current, neighbours)
        moved = warp(neighbours.flatten(0, 1)[:, None], flow)
        return moved[:, 0].unflatten(0, (-1, neighbours.shape[1])), flow

    def _translations(
        self, current: Float[Tensor, "B 1 H W"], neighbours: Float[Tensor, "B K H W"]
    ) -> Float[Tensor, "B*K 2 H W"]:
        """Of the localisation network, spread over the pixels; its loss is kept in training."""
        assert self.localisation is not None
        there = neighbours.flatten(0, 1)[:, None]
        here = current.expand_as(neighbours).flatten(0, 1)[:, None]
        theta = self.localisation(here, there)
        if self.training:
            wanted = rectified_displacement(current, neighbours).flatten(0, 1)
            distance = (theta - patch_means(wanted)).square().sum(dim=1).mean()
            self._auxiliary = self.spatial_weight * distance
        return spread(theta, there)

    def folded(self) -> "TemporalAdaptiveNetwork":
        """The same function with the branches' derived weights worked out, ready for export."""
        network = copy.deepcopy(self).eval()
        network.branches = nn.ModuleList(
            _FoldedBranch(branch.folded()) if isinstance(branch, FastNetwork) else branch
            for branch in network.branches
        )
        return network


class _FoldedBranch(nn.Module):
    """The detail of a folded branch alone: its interpolation is not computed again."""

    def __init__(self, branch: FoldedFastNetwork) -> None:
        super().__init__()
        self.head, self.body, self.tail = branch.head, branch.body, branch.tail

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The answer less the interpolation."""
        features = F.relu(self.head(packed))
        for first, second in zip(self.body[::2], self.body[1::2], strict=True):
            features = features + second(F.relu(first(features)))
        return self.tail(features)
