"""What the configs share: layouts, checks, and how far a picture's samples reach."""

from abc import ABC, abstractmethod
from typing import Literal

from upreel.networks.sizes import NEAREST_FIRST

__all__ = [
    "CENTRED",
    "Architecture",
    "Layout",
    "LumaFrame",
    "LumaWindowed",
    "Phase",
    "Windowed",
    "check_choice",
    "check_depth",
    "check_frames",
    "check_kind",
    "check_positive",
    "check_scale",
    "convolution",
    "reach_after_upscaling",
]

Layout = Literal["packed", "luma"]
Phase = Literal["centred", "first"]
"""Where an answer lies: around the frame's samples, or its first one on the frame's first (BD)."""
CENTRED = (1, 3, 5, 7, 9)
"""Frames of a window about the current one."""


class Architecture(ABC):
    """What a network is asked for, where most of them answer the same."""

    @property
    @abstractmethod
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""

    @property
    def margin(self) -> int:
        """Positions that a frame's border samples are repeated outwards for."""
        return self.radius

    @property
    def multiple(self) -> int:
        """Any size will do."""
        return 1

    @property
    def period(self) -> int:
        """Positions after which its own grid of blocks or patches begins again."""
        return self.multiple

    @property
    def answer_phase(self) -> Phase:
        """Where its answer lies in the picture."""
        return "centred"

    @property
    def each_frame(self) -> str:
        """The part that answers to each frame of a window alone, on luma; "" where none does."""
        return ""

    @property
    def recurrent(self) -> bool:
        """Whether it answers every frame of a scene at once; else one, from its window."""
        return False

    @property
    def cells(self) -> tuple[str, ...]:
        """Networks that it is run as; a single one needs no name."""
        return ("",)

    @property
    def step_channels(self) -> int:
        """Channels that its ``step`` sees of a frame and of what is carried; 0: it has none."""
        return 0

    @property
    def warm_up(self) -> tuple[int, int]:
        """Frames before and after a stretch of video that a recurrent one is shown beside it."""
        return (0, 0)

    @property
    def exact_cells(self) -> tuple[str, ...]:
        """Those that are computed in f32, whatever the others are."""
        return ()


class Windowed(Architecture):
    """One that takes a window of as many frames as its field of that name says."""

    frames: int

    @property
    def offsets(self) -> tuple[int, ...]:
        """Frames in the order of the input channels; 0 is the current one."""
        return NEAREST_FIRST[: self.frames]


class LumaWindowed(Windowed):
    """The same, of luma alone."""

    @property
    def layout(self) -> Layout:
        """Luma at full size."""
        return "luma"


class LumaFrame(Architecture):
    """One that takes the current frame's luma."""

    @property
    def layout(self) -> Layout:
        """Luma at full size."""
        return "luma"

    @property
    def frames(self) -> int:
        """The current one."""
        return 1

    @property
    def offsets(self) -> tuple[int, ...]:
        """Frames in the order of the input channels; 0 is the current one."""
        return (0,)


def check_depth(depth: int) -> None:
    """Refuse an odd number of convolutions between the first and the last."""
    if depth < 0 or depth % 2:
        raise ValueError(f"depth must be an even number from 0 on, got {depth}")


def check_scale(scale: int) -> None:
    """Refuse other scales than 2, 3 and 4."""
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, got {scale}")


def check_kind(kind: str, expected: str) -> None:
    """Refuse values that describe another kind of network."""
    if kind != expected:
        raise ValueError(f"kind must be {expected}, got {kind!r}")


def check_frames(frames: int, allowed: tuple[int, ...]) -> None:
    """Refuse windows that a network has no form for."""
    if frames not in allowed:
        raise ValueError(f"frames must be one of {allowed}, got {frames}")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is none of `allowed`."""
    if value not in allowed:
        words = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise ValueError(f"{name} must be {words}, got {value!r}")


def check_positive(name: str, values: tuple[int, ...], count: int = 1) -> None:
    """Refuse anything but `count` whole numbers from 1 on."""
    if len(values) != count or min(values) < 1:
        allowed = "at least 1" if count == 1 else f"{count} numbers from 1 on"
        raise ValueError(f"{name} must be {allowed}, got {values if count > 1 else values[0]}")


def convolution(size: int, inputs: int, outputs: int, *, bias: bool = True) -> int:
    """Parameters of one; without its bias also its multiply-accumulates for one position."""
    return size * size * inputs * outputs + (outputs if bias else 0)


def reach_after_upscaling(scale: int, left: int, *, start: int = 0) -> int:
    """Positions to the left of one that its answer depends on through bicubic interpolation.

    Args:
        scale: of the interpolation, `upreel.networks.planes.interpolation_kernel` of luma.
        left: upscaled samples that are needed to the left of the answer's first sample.
        start: upscaled samples after which that first sample's position begins.

    Example:
        >>> reach_after_upscaling(2, 8)  # four positions, whose samples need two more
        6
        >>> reach_after_upscaling(3, 8)  # the eighth sample lies on a low-resolution one
        4
    """
    reach = 0
    for sample in range(start - left, start + scale):
        phase = 2 * (sample % scale) + 1 - scale  # from its position's centre, in 1/(2 s)
        taps = 2 if phase < 0 else 1 if phase > 0 else 0
        reach = max(reach, start // scale - sample // scale + taps)
    return reach
