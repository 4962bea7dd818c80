"""A network in whole numbers: what it is of, and of how many bits."""

from dataclasses import dataclass
from typing import Literal

from upreel.zoo.configs.common import Architecture, Layout, Phase, check_kind
from upreel.zoo.configs.fast import FastConfig

__all__ = ["QuantizedConfig"]


@dataclass(frozen=True, kw_only=True)
class QuantizedConfig(Architecture):
    """Architecture of `upreel.networks.quantized.QuantizedNetwork`.

    Attributes:
        network: in floating point.
        activation_bits: 8, or 7 for WebAssembly's relaxed dot product, which multiplies signed
            bytes by numbers from 0 to 127.
    """

    network: FastConfig
    activation_bits: Literal[7, 8] = 8
    kind: Literal["quantized"] = "quantized"

    def __post_init__(self) -> None:
        check_kind(self.kind, "quantized")
        if not isinstance(self.network, FastConfig):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"network must be of kind fast, got {self.network!r}")
        if self.activation_bits not in (7, 8):
            raise ValueError(f"activation_bits must be 7 or 8, got {self.activation_bits}")

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
        return self.network.num_parameters + 1 + self.network.depth

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        return self.network.macs_per_position
