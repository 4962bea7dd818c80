"""Architectures as plain values: what a card stores, and all that callers may ask of a network.

Grid      positions of a network's tensors. ``packed``: blocks of 2x2 luma samples with their Cb
          and Cr, 6 channels a frame; ``luma``: luma samples, 1 channel a frame (chroma is resized).
Offsets   frames in the order of the input channels, relative to the current one.
Radius    positions around a position that its answer depends on: the margin that callers hand in.
Multiple  positions by which the grid (margins counted) must be divisible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "FastConfig",
    "Layout",
    "NetworkConfig",
    "network_config",
]

Layout = Literal["packed", "luma"]
_CHANNELS: dict[str, int] = {"packed": 6, "luma": 1}
_NEAREST_FIRST = (0, -1, 1, -2, 2)


def _check_scale(scale: int) -> None:
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, got {scale}")


def _check_kind(kind: str, expected: str) -> None:
    if kind != expected:
        raise ValueError(f"kind must be {expected}, got {kind!r}")


def _convolution(size: int, inputs: int, outputs: int, *, bias: bool = True) -> int:
    """Parameters of one."""
    return size * size * inputs * outputs + (outputs if bias else 0)


def _check_frames(frames: int, allowed: tuple[int, ...]) -> None:
    if frames not in allowed:
        raise ValueError(f"frames must be one of {allowed}, got {frames}")


def _check_layout(layout: str) -> None:
    if layout not in _CHANNELS:
        raise ValueError(f"layout must be packed or luma, got {layout!r}")


@dataclass(frozen=True, kw_only=True)
class FastConfig:
    """Architecture of `upreel.networks.fast.FastNetwork`.

    Attributes:
        scale: 2, 3 or 4.
        channels: features of each convolution.
        depth: convolutions between the first and the last, an even number.
        frames: 1, 2 (current and previous), 3 or 5 (centred).
        layout: "packed" or "luma".
    """

    scale: int
    channels: int
    depth: int
    frames: int = 1
    layout: Layout = "packed"
    kind: Literal["fast"] = "fast"

    def __post_init__(self) -> None:
        _check_kind(self.kind, "fast")
        _check_scale(self.scale)
        _check_frames(self.frames, (1, 2, 3, 5))
        _check_layout(self.layout)
        if self.channels < 1:
            raise ValueError(f"channels must be at least 1, got {self.channels}")
        if self.depth < 0 or self.depth % 2:
            raise ValueError(f"depth must be an even number from 0 on, got {self.depth}")

    @property
    def offsets(self) -> tuple[int, ...]:
        """Frames in the order of the input channels; 0 is the current one."""
        return _NEAREST_FIRST[: self.frames]

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return self.depth + 2

    @property
    def multiple(self) -> int:
        """Any size will do."""
        return 1

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return self.channels

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        each = _CHANNELS[self.layout]
        return (
            _convolution(3, each * self.frames, self.channels)
            + self.depth * _convolution(3, self.channels, self.channels)
            + _convolution(3, self.channels, each * self.scale**2, bias=False)
        )

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        each, c = _CHANNELS[self.layout], self.channels
        taps = 9 if self.layout == "packed" else 25
        body = 9 * each * self.frames * c + self.depth * 9 * c * c
        return body + (9 * c + taps * each) * each * self.scale**2


NetworkConfig = FastConfig
_KINDS: dict[str, type[NetworkConfig]] = {
    "fast": FastConfig,
}


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """The config that ``dataclasses.asdict`` made these values of, as JSON gives them back.

    Raises:
        ValueError: no such kind, or a value that it does not allow.
        TypeError: a value that is missing or not of this kind.
    """
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - JSON
        raise TypeError(f"a network is an object, got {values!r}")
    kind = values.get("kind", "fast")
    if kind not in _KINDS:
        raise ValueError(f"no network of kind {kind!r}; there are: {', '.join(_KINDS)}")
    return _KINDS[kind](**values)
