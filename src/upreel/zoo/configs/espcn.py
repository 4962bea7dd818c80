"""ESPCN's architecture."""

from dataclasses import dataclass
from typing import Literal

from upreel.zoo.configs.common import (
    CENTRED,
    LumaWindowed,
    check_choice,
    check_frames,
    check_kind,
    check_positive,
    check_scale,
    convolution,
)

__all__ = ["EspcnConfig"]


@dataclass(frozen=True, kw_only=True)
class EspcnConfig(LumaWindowed):
    """Architecture of `upreel.networks.baselines.Espcn` (Shi et al., CVPR 2016).

    Attributes:
        scale: 2, 3 or 4.
        frames: an odd number up to 9 (centred), stacked at the input.
        channels: features of its 5x5 and of its first 3x3 convolution.
        activation: after both: "tanh" as in that paper, "relu" as in Liu et al. (ICCV 2017).
        residual: whether its answer is added to bicubic interpolation; the papers' is not.
    """

    scale: int
    frames: int = 1
    channels: tuple[int, int] = (64, 32)
    activation: Literal["tanh", "relu"] = "tanh"
    residual: bool = False
    kind: Literal["espcn"] = "espcn"

    def __post_init__(self) -> None:
        check_kind(self.kind, "espcn")
        check_scale(self.scale)
        check_frames(self.frames, CENTRED)
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON has lists
        check_positive("channels", self.channels, 2)
        check_choice("activation", self.activation, ("tanh", "relu"))

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return 4

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return max(self.channels)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        first, second = self.channels
        return (
            convolution(5, self.frames, first)
            + convolution(3, first, second)
            + convolution(3, second, self.scale**2)
        )

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        first, second = self.channels
        residual = 25 * self.scale**2 if self.residual else 0
        return 25 * self.frames * first + 9 * first * second + 9 * second * self.scale**2 + residual
