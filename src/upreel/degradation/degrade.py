"""High-resolution planes to the low-resolution planes that people have.

A `Degradation` is a distribution and a `Drawn` one sample of it: both are plain values that go
into a weight file's header, and a seed decides which sample a clip gets.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from upreel.degradation.blur import blur_shrink
from upreel.degradation.resample import KERNELS, Kernel, resample
from upreel.video.recode import RECODERS, Recoder, recode

__all__ = ["DELIVERY", "Coding", "Degradation", "Drawn", "degrade", "shrink"]

Planes = npt.NDArray[np.uint8]
Downscale = Kernel | Literal["blur"]
_DOWNSCALES: tuple[Downscale, ...] = (*KERNELS, "blur")

_LEFT = (0.5, 0.25)  # origin of chroma sited left (`upreel.video.frame`)


@dataclass(frozen=True, kw_only=True)
class Coding:
    """One encoder and the range of quality it is used at.

    Attributes:
        codec: encoder.
        crf: lowest and highest quality setting, both included.
    """

    codec: Recoder
    crf: tuple[int, int]

    def __post_init__(self) -> None:
        if self.codec not in RECODERS:
            raise ValueError(f"codec must be one of {', '.join(RECODERS)}, got {self.codec!r}")
        if not 0 <= self.crf[0] <= self.crf[1] <= 63:
            raise ValueError(f"crf must be a rising pair from 0 to 63, got {self.crf}")


DELIVERY = (
    Coding(codec="x264", crf=(18, 30)),
    Coding(codec="x264", crf=(20, 28)),
    Coding(codec="x265", crf=(20, 30)),
    Coding(codec="vp9", crf=(24, 40)),
    Coding(codec="svtav1", crf=(24, 42)),
)
"""Encoders as video is delivered by them, x264 twice as likely as another."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What one clip goes through.

    Attributes:
        kernel: of the downscale, "blur" for BD's (`upreel.degradation.blur`).
        codec: encoder afterwards, None for none.
        crf: its quality setting.
    """

    kernel: Downscale
    codec: Recoder | None = None
    crf: int = 0


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What clips may go through.

    Attributes:
        kernels: downscales, each as likely.
        codings: encoders, each as likely.
        uncoded: share of clips that are not coded, 0 to 1; 1 where there are no codings.
    """

    kernels: tuple[Downscale, ...]
    codings: tuple[Coding, ...] = ()
    uncoded: float = 1.0

    def __post_init__(self) -> None:
        if not self.kernels or set(self.kernels) - set(_DOWNSCALES):
            known = ", ".join(_DOWNSCALES)
            raise ValueError(f"kernels must be some of {known}, got {self.kernels}")
        if not 0 <= self.uncoded <= 1 or (not self.codings and self.uncoded != 1):
            raise ValueError(f"uncoded must be 0 to 1, and 1 without codings, got {self.uncoded}")

    def draw(self, random: np.random.Generator) -> Drawn:
        """One sample of this distribution."""
        kernel = self.kernels[random.integers(len(self.kernels))]
        if random.random() < self.uncoded:
            return Drawn(kernel=kernel)
        coding = self.codings[random.integers(len(self.codings))]
        crf = int(random.integers(coding.crf[0], coding.crf[1] + 1))
        return Drawn(kernel=kernel, codec=coding.codec, crf=crf)

    def describe(self) -> str:
        """One line for a weight file's header and for people."""
        kernels = "/".join(self.kernels)
        if not self.codings:
            return f"{kernels} downscale, 8-bit"
        codings = ", ".join(f"{c.codec} crf {c.crf[0]}-{c.crf[1]}" for c in self.codings)
        return f"{kernels} downscale, then {codings}; {self.uncoded:.0%} not coded"


def _round(plane: npt.NDArray[np.float32]) -> Planes:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)


def shrink(luma: Planes, chroma: Planes, scale: int, kernel: Downscale) -> tuple[Planes, Planes]:
    """Downscale 4:2:0 planes by a whole number, chroma staying sited left of luma.

    Args:
        luma: (T, H, W), H and W multiples of 2 * scale.
        chroma: (T, 2, H/2, W/2).
        scale: 1 or more.
        kernel: see `upreel.degradation.resample`; "blur" is BD's, whose first luma sample is
            that of the large picture.

    Returns:
        Luma (T, H/scale, W/scale) and chroma to match, 8 bits.
    """
    num_frames, height, width = luma.shape
    if height % (2 * scale) or width % (2 * scale):
        raise ValueError(f"{width}x{height} is no multiple of {2 * scale} in both directions")
    height, width = height // scale, width // scale
    small_luma = np.empty((num_frames, height, width), np.uint8)
    small_chroma = np.empty((num_frames, 2, height // 2, width // 2), np.uint8)
    if kernel == "blur":
        lies = tuple((scale - 1) * (origin - 0.25) for origin in _LEFT)  # in the same luma grid
        for t in range(num_frames):
            small_luma[t] = _round(blur_shrink(luma[t], height, width, scale))
            for c in range(2):
                small_chroma[t, c] = _round(
                    blur_shrink(chroma[t, c], height // 2, width // 2, scale, (lies[0], lies[1]))
                )
        return small_luma, small_chroma
    for t in range(num_frames):
        small_luma[t] = _round(resample(luma[t], height, width, kernel=kernel))
        for c in range(2):
            small_chroma[t, c] = _round(
                resample(
                    chroma[t, c],
                    height // 2,
                    width // 2,
                    kernel=kernel,
                    in_origin=_LEFT,
                    out_origin=_LEFT,
                )
            )
    return small_luma, small_chroma


def degrade(luma: Planes, chroma: Planes, scale: int, drawn: Drawn) -> tuple[Planes, Planes]:
    """Downscale and code a clip as `drawn` says; shapes as in `shrink`."""
    small_luma, small_chroma = shrink(luma, chroma, scale, drawn.kernel)
    if drawn.codec is None:
        return small_luma, small_chroma
    return recode(small_luma, small_chroma, codec=drawn.codec, crf=drawn.crf)
