"""Architectures that work on the bicubic-upscaled picture: SRCNN, and the encoder-decoder CNN."""

import math
from dataclasses import dataclass
from typing import Literal

from upreel.zoo.configs.common import (
    CENTRED,
    LumaWindowed,
    check_frames,
    check_kind,
    check_positive,
    check_scale,
    convolution,
    reach_after_upscaling,
)

__all__ = ["EncoderDecoderConfig", "SrcnnConfig"]


@dataclass(frozen=True, kw_only=True)
class SrcnnConfig(LumaWindowed):
    """Architecture of `upreel.networks.baselines.Srcnn` (Dong et al., IEEE TPAMI 2016).

    Attributes:
        scale: 2, 3 or 4.
        frames: an odd number up to 9 (centred), stacked at the input; the paper has one.
        channels: features of its first two convolutions.
        sizes: rows and columns of its three filters, odd: 9-5-5 is the paper's best form.
    """

    scale: int
    frames: int = 1
    channels: tuple[int, int] = (64, 32)
    sizes: tuple[int, int, int] = (9, 5, 5)
    kind: Literal["srcnn"] = "srcnn"

    def __post_init__(self) -> None:
        check_kind(self.kind, "srcnn")
        check_scale(self.scale)
        check_frames(self.frames, CENTRED)
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON has lists
        object.__setattr__(self, "sizes", tuple(self.sizes))
        check_positive("channels", self.channels, 2)
        check_positive("sizes", self.sizes, 3)
        if any(size % 2 == 0 for size in self.sizes):
            raise ValueError(f"sizes must be odd, got {self.sizes}")

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return reach_after_upscaling(self.scale, sum(size // 2 for size in self.sizes))

    @property
    def widest(self) -> int:
        """Channels of the largest feature map, counted at the input's size."""
        return max(self.channels) * self.scale**2

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        return sum(convolution(*layer) for layer in self._layers())

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        each = sum(convolution(*layer, bias=False) for layer in self._layers())
        return self.scale**2 * (each + 25 * self.frames)

    def _layers(self) -> tuple[tuple[int, int, int], ...]:
        """Filter size, inputs and outputs of each convolution."""
        first, second = self.channels
        inputs, outputs = (self.frames, first, second), (first, second, 1)
        return tuple(zip(self.sizes, inputs, outputs, strict=True))


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig(LumaWindowed):
    """Architecture of `upreel.networks.encoder_decoder.EncoderDecoder`.

    Attributes:
        scale: 2, 3 or 4.
        frames: an odd number up to 9 (centred), stacked at the input.
        channels: features at the upscaled picture's size, and at its half and its quarter.
    """

    scale: int
    frames: int = 1
    channels: tuple[int, int] = (32, 64)
    kind: Literal["encoder_decoder"] = "encoder_decoder"

    def __post_init__(self) -> None:
        check_kind(self.kind, "encoder_decoder")
        check_scale(self.scale)
        check_frames(self.frames, CENTRED)
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON has lists
        check_positive("channels", self.channels, 2)

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on.

        Pooling has a grid: positions differ by where they lie on it, and the most is told, to
        the left, where it is never less than to the right.
        """
        reach = 0
        for position in range(self.multiple):
            start = position * self.scale
            full = start - 1  # the last convolution
            bottom = 2 * (2 * (full // 4 - 1)) - 2  # up to the quarter, its convolution, down
            first = min(full, 2 * (full // 2 - 1), bottom) - 1
            reach = max(reach, reach_after_upscaling(self.scale, start - first, start=start))
        return reach

    @property
    def multiple(self) -> int:
        """The upscaled picture is halved twice."""
        return 4 // math.gcd(4, self.scale)

    @property
    def widest(self) -> int:
        """Channels of the largest feature map, counted at the input's size."""
        return max(self.channels[0], -(-self.channels[1] // 4)) * self.scale**2

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases, batch norm's counted."""
        first, second = self.channels
        filters = convolution(3, self.frames, first) + convolution(3, first, second)
        filters += convolution(3, second, second) + convolution(2, second, second)
        filters += convolution(2, second, first) + convolution(3, first, 1)
        return filters + 2 * (2 * first + 3 * second)

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        first, second = self.channels
        full = first * second + 9 * first  # a transposed filter has one tap here
        full += self.frames * (9 * first + 25)
        half = 9 * first * second + second * second
        quarter = 9 * second * second
        return round(self.scale**2 * (full + half / 4 + quarter / 16))
