"""Fusion of answers: each frame is super-resolved alone, then the answers are put together.

What one frame lost to aliasing differs from frame to frame with the motion's sub-pixel phase, and
so do the errors of its answers. Brought onto the current frame at the answer's size they cancel:
already their plain average is better than any of them, where frames that are stacked at the
network's input leave it to find both the motion and its phase (docs/experiments.md has figures).
Warping at the answer's size and folding it back into channels is after FRVSR (Sajjadi et al., CVPR
2018, section 3), here over a window of frames and without recurrence.

Luma alone: (B, T, H, W) in [0, 1], the current frame first, to (B, s^2, H, W).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.alignment import warp
from upreel.networks.baselines import Espcn, Srcnn
from upreel.networks.encoder_decoder import EncoderDecoder
from upreel.networks.fast import FastNetwork, ResidualPairs, flat_answer
from upreel.networks.motion import cell_motion, enlarged_motion
from upreel.networks.planes import channels_last
from upreel.networks.sizes import CELL

__all__ = ["AnswerFusion", "FusionNetwork", "aligned_answers", "make_branch", "moved_answers"]


def make_branch(
    branch: Mapping[str, Any], frames: int
) -> FastNetwork | Espcn | Srcnn | EncoderDecoder:
    """A network of so many frames, from the values of the config that it has with one frame."""
    kinds: dict[str, type[FastNetwork | Espcn | Srcnn | EncoderDecoder]] = {
        "fast": FastNetwork,
        "espcn": Espcn,
        "srcnn": Srcnn,
        "encoder_decoder": EncoderDecoder,
    }
    values = {k: v for k, v in branch.items() if k not in ("kind", "frames")}
    return kinds[branch["kind"]](frames=frames, **values)


def aligned_answers(
    first: nn.Module, frames: Float[Tensor, "B T H W"], scale: int, *, moves: bool
) -> Float[Tensor, "B T*{scale}*{scale} H W"]:
    """Answers to each frame alone, the neighbours' moved onto the current one.

    Args:
        first: the network of one frame.
        frames: luma, the current frame first; H and W divisible by 16 if `moves`.
        scale: s.
        moves: whether motion is made up for, or answers stay where they are.
    """
    num_frames = frames.shape[1]
    answers = first(frames.flatten(0, 1)[:, None]).to(frames.dtype).unflatten(0, (-1, num_frames))
    if not moves or num_frames == 1:
        return channels_last(answers.flatten(1, 2))
    return moved_answers(answers, cell_motion(frames[:, :1], frames[:, 1:]))


def moved_answers(
    answers: Float[Tensor, "B T A H W"], motion: Float[Tensor, "B K 2 h w"]
) -> Float[Tensor, "B T*A H W"]:
    """Answers on the first one's grid, side by side.

    Args:
        answers: to each frame alone, the current frame's first.
        motion: from the current frame to each of the others, `upreel.networks.motion.cell_motion`.
    """
    scale = int(answers.shape[2] ** 0.5)
    flow = scale * enlarged_motion(motion.flatten(0, 1), scale * CELL)
    others = warp(F.pixel_shuffle(answers[:, 1:].flatten(0, 1), scale), flow)
    others = F.pixel_unshuffle(others, scale).unflatten(0, (-1, answers.shape[1] - 1))
    return channels_last(torch.cat((answers[:, 0], others.flatten(1, 2)), dim=1))


class AnswerFusion(nn.Module):
    """Aligned answers to the detail that the current one lacks.

    It begins with none. Neighbours are seen as differences from the current answer, and first
    weights sum to zero over that, so that a flat picture stays flat.

    Args:
        scale: s.
        frames: answers that it fuses.
        channels: features C.
        depth: convolutions from C to C, an even number.
    """

    def __init__(self, *, scale: int, frames: int, channels: int, depth: int) -> None:
        super().__init__()
        self.each = scale * scale
        self.head = nn.Conv2d(self.each * frames, channels, 3, padding=1)
        self.body = ResidualPairs(channels, depth)
        self.tail = nn.Conv2d(channels, self.each, 3, padding=1, bias=False)
        nn.init.zeros_(self.tail.weight)

    def detail(self, answers: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """What is added to the current answer."""
        current, others = answers[:, : self.each], answers[:, self.each :]
        others = others.unflatten(1, (-1, self.each)) - current[:, None]
        seen = channels_last(torch.cat((current, others.flatten(1, 2)), dim=1))
        weight, bias = self.head.weight, self.head.bias
        assert bias is not None
        own = weight[:, : self.each]
        own = own - own.mean(dim=(1, 2, 3), keepdim=True)
        weight = torch.cat((own, weight[:, self.each :]), dim=1)
        features = self.body(F.relu(F.conv2d(seen, weight, bias, padding=1)))
        flat = flat_answer(bias, self.body, self.tail)
        return F.conv2d(features, self.tail.weight, -flat, padding=1)


class FusionNetwork(AnswerFusion):
    """A network of one frame, and the fusion of its answers to several.

    Args:
        first: values of the single-frame network's config.
        frames: an odd number from 3 on, the current one first.
        channels: features of the fusion.
        depth: its convolutions between the first and the last.
        alignment: "flow" or "none".
    """

    def __init__(
        self, *, first: Mapping[str, Any], frames: int, channels: int, depth: int, alignment: str
    ) -> None:
        super().__init__(scale=first["scale"], frames=frames, channels=channels, depth=depth)
        self.scale: int = first["scale"]
        self.first = make_branch(first, 1)
        self.moves = alignment == "flow"

    def forward(self, packed: Float[Tensor, "B T H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        answers = aligned_answers(self.first, packed, self.scale, moves=self.moves)
        return answers[:, : self.each] + self.detail(answers)
