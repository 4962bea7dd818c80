"""A network in whole numbers: what it is of, and of how many bits."""

from dataclasses import dataclass
from typing import Literal

from upreel.zoo.configs.common import Architecture, Layout, Phase, check_kind
from upreel.zoo.configs.fast import FastConfig
from upreel.zoo.configs.frame_recurrent import FrameRecurrentConfig

__all__ = ["QuantizedConfig"]


@dataclass(frozen=True, kw_only=True)
class QuantizedConfig(Architecture):
    """Architecture of `upreel.networks.quantized.QuantizedNetwork`, or of a step of such.

    Attributes:
        network: in floating point; a frame-recurrent one has steps.
        activation_bits: 8, or of the fast family 7 for WebAssembly's relaxed dot product, which
            multiplies signed bytes by numbers from 0 to 127.
    """

    network: FastConfig | FrameRecurrentConfig
    activation_bits: Literal[7, 8] = 8
    kind: Literal["quantized"] = "quantized"

    def __post_init__(self) -> None:
        check_kind(self.kind, "quantized")
        if not isinstance(self.network, FastConfig | FrameRecurrentConfig):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(
                f"network must be of kind fast or frame_recurrent, got {self.network!r}"
            )
        if self.activation_bits not in (7, 8):
            raise ValueError(f"activation_bits must be 7 or 8, got {self.activation_bits}")
        if self.network.recurrent and self.activation_bits != 8:
            raise ValueError("activation_bits must be 8 of a frame-recurrent network, got 7")

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.network.scale

    @property
    def layout(self) -> Layout:
        """That of the network."""
        return self.network.layout

    @property
    def frames(self) -> int:
        """Of the window."""
        return self.network.frames

    @property
    def offsets(self) -> tuple[int, ...]:
        """Frames in the order of the input channels; 0 is the current one."""
        return self.network.offsets

    @property
    def answer_phase(self) -> Phase:
        """Where its answer lies in the picture."""
        return self.network.answer_phase

    @property
    def recurrent(self) -> bool:
        """Whether it carries a state from frame to frame."""
        return self.network.recurrent

    @property
    def warm_up(self) -> tuple[int, int]:
        """Frames before and after a stretch of video that a recurrent one is shown beside it."""
        return self.network.warm_up

    @property
    def step_channels(self) -> int:
        """Channels that its ``step`` sees of a frame and of what is carried; 0: it has none."""
        return self.network.step_channels

    @property
    def multiple(self) -> int:
        """That of the network."""
        return self.network.multiple

    @property
    def margin(self) -> int:
        """That of the network."""
        return self.network.margin

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return self.network.radius

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return self.network.widest

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases, and a step for each kind of activation."""
        kinds = self.network.depth + (0 if self.network.recurrent else 1)
        return self.network.num_parameters + kinds

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        return self.network.macs_per_position
