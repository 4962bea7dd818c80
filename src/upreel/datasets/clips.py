"""High-resolution clips in memory, and some that are drawn on the spot."""

# pyright: reportUnknownArgumentType=false

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Clip", "drawn_clips", "to_8_bit"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Consecutive frames of one shot in 8-bit 4:2:0, chroma sited left.

    Attributes:
        name: file name without its ending.
        luma: (T, H, W).
        chroma: (T, 2, H/2, W/2): Cb, Cr.
        has_chroma: whether that is the clip's own, and not neutral grey in its place.
    """

    name: str
    luma: npt.NDArray[np.uint8]
    chroma: npt.NDArray[np.uint8]
    has_chroma: bool = True

    @property
    def source(self) -> str:
        """What it was cut from: the name before ``_``."""
        return self.name.split("_")[0]


def drawn_clips(
    count: int = 4, *, num_frames: int = 8, height: int = 96, width: int = 144, seed: int = 0
) -> list[Clip]:
    """Clips drawn from a seed: drifting gratings, edges and discs over soft shading.

    They stand in for real material in tests and in a first try of a recipe.
    """
    clips: list[Clip] = []
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    for number in range(count):
        random = np.random.default_rng([seed, number])
        angle, period = random.uniform(0, np.pi), random.uniform(5, 20)
        velocity = random.uniform(-1.5, 1.5, size=2)
        centre, radius = random.uniform(0.2, 0.8, size=2) * (height, width), height / 4
        luma = np.empty((num_frames, height, width), np.uint8)
        chroma = np.empty((num_frames, 2, height // 2, width // 2), np.uint8)
        for t in range(num_frames):
            v, u = y - t * velocity[0], x - t * velocity[1]
            grating = np.sin(2 * np.pi * (u * np.cos(angle) + v * np.sin(angle)) / period)
            disc = np.hypot(v - centre[0], u - centre[1]) < radius
            luma[t] = to_8_bit(np.where(disc, 180 - 40 * grating, 90 + 60 * grating))
            tint = np.where(disc, 160.0, 110 + 20 * np.sin(u / 30))[::2, ::2]
            chroma[t] = to_8_bit(np.stack([tint, 255 - tint]))
        clips.append(Clip(name=f"drawn{number}_0", luma=luma, chroma=chroma))
    return clips


def to_8_bit(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Rounded and clipped."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
