"""High-resolution clips in memory, from a folder of videos and pictures or drawn on the spot."""

# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import resample
from upreel.errors import InputError
from upreel.video.frame import Frame, plane_origins
from upreel.video.probe import probe
from upreel.video.read import read_frames

__all__ = ["Clip", "drawn_clips", "load_clips"]

_LARGEST = 1000  # columns; wider material is halved, which also cleans it
_ENDINGS = {".mkv", ".mp4", ".mov", ".webm", ".avi", ".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Consecutive frames of one shot in 8-bit 4:2:0, chroma sited left.

    Attributes:
        name: file name without its ending.
        luma: (T, H, W).
        chroma: (T, 2, H/2, W/2): Cb, Cr.
    """

    name: str
    luma: npt.NDArray[np.uint8]
    chroma: npt.NDArray[np.uint8]

    @property
    def source(self) -> str:
        """What it was cut from: the name before ``_``."""
        return self.name.split("_")[0]


def load_clips(folders: Sequence[Path]) -> list[Clip]:
    """Decode every video and picture below `folders` into memory, in the order of their names.

    Anything but 8-bit 4:2:0 is converted to it, material wider than 1000 columns is halved until
    it is not (once is enough to hide most camera and codec traces), and sizes are cut to
    multiples of 24 so that every scale divides them.

    Raises:
        InputError: a folder is missing or holds nothing to train on, or a file is RGB or too small.
    """
    clips: list[Clip] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder")
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS)
        if not files:
            raise InputError(f"{folder} holds no {', '.join(sorted(_ENDINGS))} file")
        for file in files:
            frames = [_planes(frame) for frame in read_frames(probe(file))]
            luma = np.stack([frame[0] for frame in frames])
            chroma = np.stack([frame[1] for frame in frames])
            clips.append(Clip(name=file.stem, luma=luma, chroma=chroma))
    return clips


def _planes(frame: Frame) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Luma (H, W) and chroma (2, H/2, W/2) in 8 bits, sited left, sizes multiples of 24."""
    if frame.format.model == "rgb":
        raise InputError(f"training takes Y'CbCr or grey material, got {frame.format.name}")
    halvings = 0
    while frame.width >> halvings > _LARGEST:
        halvings += 1
    height = (frame.height >> halvings) // 24 * 24
    width = (frame.width >> halvings) // 24 * 24
    if not height or not width:
        raise InputError(
            f"training takes pictures of 24x24 and more, got {frame.width}x{frame.height}"
        )
    step = 1 << halvings
    gain = 255 / frame.format.max_value
    luma = frame.planes[0]
    if halvings:
        luma = resample(luma, height, width, kernel="area", ratio=(step, step))
    luma = _to_8_bit(luma[:height, :width] * gain)
    if frame.format.model == "gray":
        return luma, np.full((2, height // 2, width // 2), 128, np.uint8)
    log2_x, log2_y = frame.format.log2_chroma
    chroma = [
        resample(
            frame.planes[plane],
            height // 2,
            width // 2,
            kernel="area",
            ratio=(2 * step / (1 << log2_y), 2 * step / (1 << log2_x)),
            in_origin=plane_origins(frame.format, frame.colour, plane),
            out_origin=(0.5, 0.25),
        )
        for plane in (1, 2)
    ]
    return luma, _to_8_bit(np.stack(chroma) * gain)


def _to_8_bit(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


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
            luma[t] = _to_8_bit(np.where(disc, 180 - 40 * grating, 90 + 60 * grating))
            tint = np.where(disc, 160.0, 110 + 20 * np.sin(u / 30))[::2, ::2]
            chroma[t] = _to_8_bit(np.stack([tint, 255 - tint]))
        clips.append(Clip(name=f"drawn{number}_0", luma=luma, chroma=chroma))
    return clips
