"""The frame-recurrent network's architecture."""

from dataclasses import dataclass
from typing import Literal

from upreel.networks.sizes import CELL, FLOW_MULTIPLE
from upreel.zoo.configs.common import (
    LumaFrame,
    check_kind,
    check_positive,
    check_scale,
    convolution,
)

__all__ = ["FrameRecurrentConfig"]


@dataclass(frozen=True, kw_only=True)
class FrameRecurrentConfig(LumaFrame):
    """Architecture of `upreel.networks.frame_recurrent.FrameRecurrentNetwork`.

    Attributes:
        scale: 2, 3 or 4.
        channels: features of each convolution.
        depth: convolutions between the first and the last.
        carried: features that the next frame sees.
        rounds: of Lucas-Kanade, at each level of the pyramid that motion is found on.
    """

    scale: int
    channels: int = 32
    depth: int = 6
    carried: int = 16
    rounds: int = 1
    kind: Literal["frame_recurrent"] = "frame_recurrent"

    def __post_init__(self) -> None:
        check_kind(self.kind, "frame_recurrent")
        check_scale(self.scale)
        check_positive("channels", (self.channels,))
        check_positive("depth", (self.depth,))
        check_positive("carried", (self.carried,))
        check_positive("rounds", (self.rounds,))
        if self.carried > self.channels:
            raise ValueError(
                f"carried must be at most channels {self.channels}, got {self.carried}"
            )

    @property
    def recurrent(self) -> bool:
        """From each frame to the next."""
        return True

    @property
    def warm_up(self) -> tuple[int, int]:
        """It warms up on the ones before; it waits for none."""
        return (16, 0)

    @property
    def cells(self) -> tuple[str, ...]:
        """Motion between two frames, and a step."""
        return ("motion", "step")

    @property
    def exact_cells(self) -> tuple[str, ...]:
        """That with places in it, of which bf16 keeps eight bits."""
        return ("motion",)

    @property
    def step_channels(self) -> int:
        """The frame, the answer before it and the features that are carried."""
        return 1 + self.scale**2 + self.carried

    @property
    def radius(self) -> int:
        """Positions around a position that matter to its answer; over many steps any does."""
        return 64

    @property
    def margin(self) -> int:
        """None: what is beyond a border is part of the network."""
        return 0

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return max(self.channels, self.step_channels)

    @property
    def multiple(self) -> int:
        """Motion is found on cells."""
        return CELL

    @property
    def motion_multiple(self) -> int:
        """Of the frames that motion is found between: on a pyramid."""
        return FLOW_MULTIPLE

    @property
    def num_parameters(self) -> int:
        """Trained weights; there are no biases."""
        return self.macs_per_position

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of a position; motion, copies and interpolation do not count."""
        channels = self.channels
        return (
            convolution(3, self.step_channels, channels, bias=False)
            + self.depth * convolution(3, channels, channels, bias=False)
            + convolution(3, channels, self.scale**2, bias=False)
        )
