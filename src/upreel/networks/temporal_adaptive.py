"""The temporal adaptive network: branches that see more and more frames, weighed at each pixel.

Liu et al., "Robust Video Super-Resolution with Learned Temporal Dynamics", ICCV 2017. Branch i
super-resolves from 2i - 1 frames; where motion is simple the branches with many frames know
most, where it is not the ones with few. The modulation branch looks at the largest window and
gives each branch a weight for every sample of the answer, and the answer is the weighted sum.

Two things differ from the paper, both so that a flat picture stays flat whatever the weights are:
what is weighed is the branches' detail beside bicubic interpolation where they are residual; and
weights may be normalised ("softmax"), while "free" ones are the paper's.

The branches of more frames see those frames, as in the paper, or with ``fusion`` the first branch's
answers to each of them, aligned at the answer's size (`upreel.networks.fusion`); what is weighed
then is their detail beside the first branch's answer, and the modulation branch looks at the same.
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
    Localisation,
    patch_means,
    shift,
    spread,
    warp,
)
from upreel.networks.baselines import Espcn, Srcnn
from upreel.networks.encoder_decoder import EncoderDecoder
from upreel.networks.fast import FastNetwork, FoldedFastNetwork
from upreel.networks.fusion import AnswerFusion, aligned_answers, make_branch
from upreel.networks.motion import rectified_displacement
from upreel.networks.planes import channels_last, interpolated, interpolation_kernel
from upreel.networks.sizes import CELL, CHANNELS

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
        alignment: "none", "rectified" or "spatial"; "none" or "flow" with `fusion`.
        spatial_weight: lambda of the spatial alignment's auxiliary loss.
        fusion: features and depth of the branches that fuse answers; none: they see frames.
    """

    def __init__(
        self,
        *,
        branch: Mapping[str, Any],
        branches: int,
        fusion: Sequence[int],
        modulation: str,
        modulation_channels: Sequence[int],
        alignment: str,
        spatial_weight: float,
    ) -> None:
        super().__init__()
        self.scale: int = branch["scale"]
        layout: str = branch.get("layout", "luma")
        self.each = CHANNELS[layout]
        self.alignment = alignment
        self.spatial_weight = spatial_weight
        self.fuses_answers = bool(fusion)
        answer = self.each * self.scale**2
        self.seen = answer if fusion else self.each  # channels that branches see of a frame
        self.branches = nn.ModuleList([make_branch(branch, 1)])
        for frames in range(3, 2 * branches, 2):
            self.branches.append(
                AnswerFusion(scale=self.scale, frames=frames, channels=fusion[0], depth=fusion[1])
                if fusion
                else make_branch(branch, frames)
            )
        self.is_residual = branch["kind"] != "srcnn" and bool(branch.get("residual", True))
        self.modulation = (
            None
            if modulation == "mean"
            else Modulation(
                self.seen * (2 * branches - 1),
                modulation_channels,
                answer,
                branches,
                normalised=modulation == "softmax",
            )
        )
        self.localisation = Localisation() if alignment == "spatial" else None
        self.interpolation: Tensor
        kernel = interpolation_kernel(self.scale, layout)
        self.register_buffer("interpolation", kernel, persistent=False)
        self._auxiliary: Tensor | None = None

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        return self.combined(packed, self.aligned(packed))

    def combined(
        self, packed: Float[Tensor, "B F H W"], frames: Float[Tensor, "B G H W"]
    ) -> Float[Tensor, "B C H W"]:
        """The answer from the frames and what `aligned` made of them."""
        if self.fuses_answers:
            return self.fused(frames)
        weighed = self._weighed(frames)
        if not self.is_residual:
            return weighed
        return interpolated(packed[:, : self.each], self.interpolation) + weighed

    def fused(self, answers: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The answer from the first branch's answers, which `aligned` gives, where it fuses."""
        return answers[:, : self.seen] + self._weighed(answers)

    def _weighed(self, frames: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The sum of the branches' details."""
        details = torch.stack(self.details(frames), dim=1)  # (B, N, C, H, W)
        weights = self.weights(frames)
        return details.mean(dim=1) if weights is None else (weights * details).sum(dim=1)

    def details(self, frames: Float[Tensor, "B F H W"]) -> list[Float[Tensor, "B C H W"]]:
        """What each branch adds to the base, from what `aligned` gives.

        The base is the first branch's answer where answers are fused, so that it adds nothing;
        else the interpolation, or black where branches are not residual.
        """
        seen = [frames[:, : self.seen * (2 * i + 1)] for i in range(len(self.branches))]
        details = [torch.zeros_like(seen[0])] if self.fuses_answers else []
        for branch, part in zip(self.branches[len(details) :], seen[len(details) :], strict=True):
            own = cast("FastNetwork | Espcn | Srcnn | EncoderDecoder | AnswerFusion", branch)
            details.append(own.detail(part))
        return details

    def weights(self, frames: Float[Tensor, "B F H W"]) -> Float[Tensor, "B N C H W"] | None:
        """Of the branches, from aligned frames; None where they are averaged."""
        return None if self.modulation is None else self.modulation(frames)

    def auxiliary_loss(self) -> Tensor | None:
        """Of the last forward pass in training: how far translations are from rectified ones."""
        return self._auxiliary

    def aligned(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B G H W"]:
        """The same frames, or the first branch's answers, neighbours' on the current one's grid."""
        self._auxiliary = None
        if self.fuses_answers:
            moves = self.alignment == "flow"
            return aligned_answers(self.branches[0], packed, self.scale, moves=moves)
        if self.alignment == "none" or packed.shape[1] == self.each:
            return packed
        if self.each == 1:
            moved, _ = self._moved(packed)
            return channels_last(torch.cat((packed[:, :1], moved), dim=1))
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
        branches = list(network.branches)
        for k, branch in enumerate(branches):
            if isinstance(branch, FastNetwork):
                branches[k] = (
                    branch.folded() if self.fuses_answers else _FoldedBranch(branch.folded())
                )
            elif isinstance(branch, EncoderDecoder):
                branches[k] = branch.folded()
        network.branches = nn.ModuleList(branches)
        return network


class _FoldedBranch(nn.Module):
    """The detail of a folded branch alone: its interpolation is not computed again."""

    def __init__(self, branch: FoldedFastNetwork) -> None:
        super().__init__()
        self.head, self.body, self.tail = branch.head, branch.body, branch.tail

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """The answer less the interpolation."""
        return self.tail(self.body(F.relu(self.head(packed))))
