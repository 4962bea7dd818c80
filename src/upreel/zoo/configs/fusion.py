"""The architecture that fuses a network's answers to several frames."""

import math
from dataclasses import dataclass
from typing import Literal

from upreel.networks.sizes import FLOW_MULTIPLE
from upreel.zoo.configs.common import (
    CENTRED,
    LumaWindowed,
    check_choice,
    check_depth,
    check_frames,
    check_kind,
    check_positive,
    convolution,
)
from upreel.zoo.configs.espcn import EspcnConfig
from upreel.zoo.configs.fast import FastConfig
from upreel.zoo.configs.srcnn import EncoderDecoderConfig, SrcnnConfig

__all__ = [
    "FLOW_RADIUS",
    "FLOW_REACH",
    "BranchConfig",
    "FusionConfig",
    "check_branch",
    "check_centred",
]

BranchConfig = FastConfig | EspcnConfig | SrcnnConfig | EncoderDecoderConfig
"""A network of one frame; each has a form for more, stacked at its input."""

FLOW_REACH = 14
"""Pixels that a displacement of it reaches: a pixel of a level each round."""
FLOW_RADIUS = 192
"""Pixels around a pixel that its displacement depends on, from above."""


def check_branch(branch: object) -> None:
    """Refuse what is no network of one frame."""
    if not isinstance(branch, BranchConfig):
        raise ValueError(
            f"branch must be of kind fast, espcn, srcnn or encoder_decoder, got {branch!r}"
        )
    if branch.frames != 1:
        raise ValueError(f"branch must be of one frame, got {branch.frames}")


def check_centred(branch: BranchConfig) -> None:
    """Refuse one whose answers cannot be put beside centred ones."""
    if branch.answer_phase != "centred":
        raise ValueError(f"phase of a branch must be centred, got {branch.answer_phase!r}")


@dataclass(frozen=True, kw_only=True)
class FusionConfig(LumaWindowed):
    """Architecture of `upreel.networks.fusion.FusionNetwork`.

    Attributes:
        first: the network of one frame, on luma.
        frames: 3, 5, 7 or 9 (centred) whose answers are fused.
        channels: features of the fusion.
        depth: its convolutions between the first and the last, an even number.
        alignment: of the answers: "flow" (sub-pixel motion) or "none".
    """

    first: BranchConfig
    frames: int = 5
    channels: int = 32
    depth: int = 8
    alignment: Literal["flow", "none"] = "flow"
    kind: Literal["fusion"] = "fusion"

    def __post_init__(self) -> None:
        check_kind(self.kind, "fusion")
        check_branch(self.first)
        check_centred(self.first)
        if self.first.layout != "luma":
            raise ValueError(f"first must be of layout luma, got {self.first.layout!r}")
        check_frames(self.frames, CENTRED[1:])
        check_positive("channels", (self.channels,))
        check_depth(self.depth)
        check_choice("alignment", self.alignment, ("flow", "none"))

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.first.scale

    @property
    def each_frame(self) -> str:
        """The first network."""
        return "first"

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on, with the largest motion."""
        answers = self.first.radius
        if self.alignment == "flow":
            answers = max(FLOW_RADIUS, FLOW_REACH + 1 + answers)
        return self.depth + 2 + answers

    @property
    def margin(self) -> int:
        """As many as its convolutions reach; motion goes by the frame alone."""
        return max(self.first.radius, self.depth + 2)

    @property
    def multiple(self) -> int:
        """The first network's, and of motion, which is found on a pyramid of cells."""
        return math.lcm(self.first.multiple, FLOW_MULTIPLE if self.alignment == "flow" else 1)

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        answers = self.frames * self.scale**2
        return max(self.frames * self.first.widest, self.channels, answers)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        return self.first.num_parameters + self.own_parameters

    @property
    def own_parameters(self) -> int:
        """The same of the fusion alone."""
        c, answer = self.channels, self.scale**2
        return (
            convolution(3, answer * self.frames, c)
            + self.depth * convolution(3, c, c)
            + convolution(3, c, answer, bias=False)
        )

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position; motion and warping are not counted."""
        return self.frames * self.first.macs_per_position + self.own_macs

    @property
    def own_macs(self) -> int:
        """The same of the fusion alone."""
        c, answer = self.channels, self.scale**2
        return 9 * answer * self.frames * c + self.depth * 9 * c * c + 9 * c * answer
