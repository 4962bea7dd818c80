"""The fast family's architecture."""

from dataclasses import dataclass
from typing import Literal

from upreel.networks.sizes import CHANNELS
from upreel.zoo.configs.common import (
    CENTRED,
    Layout,
    Phase,
    Windowed,
    check_choice,
    check_depth,
    check_frames,
    check_kind,
    check_positive,
    check_scale,
    convolution,
)

__all__ = ["FastConfig"]


@dataclass(frozen=True, kw_only=True)
class FastConfig(Windowed):
    """Architecture of `upreel.networks.fast.FastNetwork`.

    Attributes:
        scale: 2, 3 or 4.
        channels: features of each convolution.
        depth: convolutions between the first and the last, an even number.
        frames: 2 (current and previous), or an odd number up to 9 (centred).
        layout: "packed" or "luma".
        phase: of the answer: "centred", or for luma "first", as for BD.
        widths: features within each residual pair; empty for `channels` in all of them.
        skips: whether each pair adds to what it was given; else a plain chain.
    """

    scale: int
    channels: int
    depth: int
    frames: int = 1
    layout: Layout = "packed"
    phase: Phase = "centred"
    widths: tuple[int, ...] = ()
    skips: bool = True
    kind: Literal["fast"] = "fast"

    def __post_init__(self) -> None:
        check_kind(self.kind, "fast")
        check_scale(self.scale)
        check_frames(self.frames, (2, *CENTRED))
        check_choice("layout", self.layout, ("packed", "luma"))
        check_choice("phase", self.phase, ("centred", "first"))
        if self.phase == "first" and self.layout != "luma":
            raise ValueError(f"phase first is for layout luma, got {self.layout!r}")
        check_positive("channels", (self.channels,))
        check_depth(self.depth)
        object.__setattr__(self, "widths", tuple(self.widths))  # JSON has lists
        if self.widths:
            check_positive("widths", self.widths, self.depth // 2)

    @property
    def answer_phase(self) -> Phase:
        """Where its answer lies in the picture."""
        return self.phase

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return self.depth + 2

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return max((self.channels, *self.inner))

    @property
    def inner(self) -> tuple[int, ...]:
        """Features within each residual pair."""
        return self.widths or (self.channels,) * (self.depth // 2)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        each, c = CHANNELS[self.layout], self.channels
        return (
            convolution(3, each * self.frames, c)
            + sum(convolution(3, c, inner) + convolution(3, inner, c) for inner in self.inner)
            + convolution(3, c, each * self.scale**2, bias=False)
        )

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        each, c = CHANNELS[self.layout], self.channels
        taps = 9 if self.layout == "packed" else 25
        body = 9 * each * self.frames * c + 2 * 9 * c * sum(self.inner)
        return body + (9 * c + taps * each) * each * self.scale**2
