"""Clips from a folder of videos and pictures."""

# pyright: reportUnknownArgumentType=false

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from upreel.datasets.clips import Clip, to_8_bit
from upreel.degradation.resample import resample
from upreel.errors import InputError
from upreel.video.frame import Frame, PixelFormat, plane_origins
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.ycbcr import ycbcr_levels

__all__ = ["load_folder"]

_LARGEST = 1000  # columns; wider material is halved, which also cleans it
_YUV444 = PixelFormat(name="yuv444p", model="yuv", bits=8, log2_chroma=(0, 0))
_ENDINGS = {".mkv", ".mp4", ".mov", ".webm", ".avi", ".jpg", ".jpeg", ".png"}


def load_folder(folder: Path) -> list[Clip]:
    """Decode every video and picture below `folder` into memory, in the order of their names.

    Anything but 8-bit 4:2:0 is converted to it (R'G'B' by BT.601, limited range), material wider
    than 1000 columns is halved until it is not (once is enough to hide most camera and codec
    traces), and sizes are cut to multiples of 24 so that every scale divides them.

    Raises:
        InputError: it holds nothing to train on, or a file is too small.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS)
    if not files:
        raise InputError(f"{folder} holds no {', '.join(sorted(_ENDINGS))} file")
    clips: list[Clip] = []
    for file in files:
        frames = [_planes(frame, file) for frame in read_frames(probe(file))]
        luma = np.stack([frame[0] for frame in frames])
        chroma = np.stack([frame[1] for frame in frames])
        clips.append(Clip(name=file.stem, luma=luma, chroma=chroma))
    return clips


def _planes(frame: Frame, file: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Luma (H, W) and chroma (2, H/2, W/2) in 8 bits, sited left, sizes multiples of 24."""
    if frame.format.model == "rgb":
        levels = ycbcr_levels(*frame.planes[:3], largest=frame.format.max_value)
        frame = replace(frame, planes=tuple(to_8_bit(plane) for plane in levels), format=_YUV444)
    halvings = 0
    while frame.width >> halvings > _LARGEST:
        halvings += 1
    height = (frame.height >> halvings) // 24 * 24
    width = (frame.width >> halvings) // 24 * 24
    if not height or not width:
        raise InputError(
            f"{file}: training takes pictures of 24x24 and more, got {frame.width}x{frame.height}"
        )
    step = 1 << halvings
    gain = 255 / frame.format.max_value
    luma = frame.planes[0]
    if halvings:
        luma = resample(luma, height, width, kernel="area", ratio=(step, step))
    luma = to_8_bit(luma[:height, :width] * gain)
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
    return luma, to_8_bit(np.stack(chroma) * gain)
