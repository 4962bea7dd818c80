"""A clip to measure with where none is given: drawn, the same on every machine.

Textured enough that neither the decoder nor the encoder has an easy time.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np

from upreel.evaluation.clips import YUV420P
from upreel.evaluation.vmaf import write_y4m
from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Colour, Frame, Plane
from upreel.video.write import PartWriter

__all__ = ["draw_clip", "draw_planes", "draw_truth"]

_DRAWN_FRAMES = 32
_BT709 = Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=1)


def _texture(rows: int, columns: int, seed: int) -> np.ndarray:
    """Noise with as much at coarse as at fine scales, 0 to 1."""
    random = np.random.default_rng(seed)
    total = np.zeros((rows, columns))
    for step in (1, 2, 4, 8, 16, 32):
        coarse = random.random((-(-rows // step), -(-columns // step)))
        total += np.repeat(np.repeat(coarse, step, 0), step, 1)[:rows, :columns]
    return total / 6


def draw_planes(number: int, width: int, height: int, canvas: np.ndarray) -> tuple[Plane, ...]:
    """Frame `number`: a texture that pans by (3, 1) pixels a frame under a moving bright disc.

    Args:
        number: of the frame, from 0.
        width: even.
        height: even.
        canvas: luma of the texture, (height, width), 0 to 1; it wraps around.
    """
    luma = 40 + 150 * np.roll(canvas, (-number, -3 * number), axis=(0, 1))
    y, x = np.ogrid[:height, :width]
    disc = (y - height / 2) ** 2 + (x - (7 * number) % width) ** 2 < (height / 6) ** 2
    luma = np.where(disc, 255 - luma / 2, luma)
    chroma = luma[::2, ::2] / 8 + 110
    return tuple(np.rint(p).astype(np.uint8) for p in (luma, chroma, 256 - chroma))


def draw_clip(
    path: Path, *, width: int, height: int, seconds: float, rate: Fraction = Fraction(30)
) -> Path:
    """Draw a clip and code it with x264 at crf 23.

    Args:
        path: ends in ``.mp4``.
        width: even.
        height: even.
        seconds: length, rounded to whole frames, at least one.
        rate: frames a second.

    Returns:
        `path`.
    """
    settings = EncoderSettings(
        encoder="x264",
        format=YUV420P,
        width=width,
        height=height,
        time_base=1 / rate,
        rate=rate,
        crf=23,
        preset="veryfast",
        colour=_BT709,
    )
    canvas = _texture(height, width, seed=1)
    with PartWriter(path, settings) as writer:
        for n in range(max(round(seconds * rate), 1)):
            writer.write(
                Frame(
                    planes=draw_planes(n, width, height, canvas),
                    format=YUV420P,
                    index=n,
                    pts=n,
                    time_base=1 / rate,
                    duration=1,
                    colour=_BT709,
                )
            )
    return path


def draw_truth(path: Path, *, pans: bool, count: int | None = None) -> Path:
    """Draw a clip of 352x288 without losses: what codecs are tried on where no clip is given.

    Args:
        path: ends in ``.y4m``.
        pans: whether the texture moves, as in `draw_planes`, or the disc alone.
        count: frames, None for 32.

    Returns:
        `path`.
    """
    height, width = 288, 352
    coarse = _texture(height // 4, width // 4, seed=2).repeat(4, 0).repeat(4, 1)
    canvas = 0.7 * coarse + 0.3 * _texture(height, width, seed=1)
    frames = (
        draw_planes(n, width, height, canvas if pans else np.roll(canvas, (n, 3 * n), (0, 1)))
        for n in range(min(count or _DRAWN_FRAMES, _DRAWN_FRAMES))
    )
    write_y4m(path, frames, YUV420P, Fraction(30))
    return path
