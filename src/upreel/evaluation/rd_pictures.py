"""The same patch of a frame by every codec, at equal bits, side by side in one PNG.

Each codec is asked for other qualities until its file is within `TOLERANCE` of one size, or as near
as its scale gets. The size lies a fifth of the way, in logarithms, from the least that all reach to
the largest. The frame is the middle one (no keyframe), the patch the busiest one of the source.

In the JSON each picture is one object: ``file``, ``clip``, ``frame`` (from 0), ``patch`` (x, y,
width, height in luma samples), ``target_bytes``, and ``tiles``: ``name``, ``quality``, ``bytes``,
``psnr_y`` (of the whole clip at that size; null where it is equal).
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from upreel.errors import OptionError
from upreel.evaluation.clips import Clip
from upreel.evaluation.pictures import busiest_patch, to_rgb
from upreel.evaluation.rd import ClipFacts, Point
from upreel.evaluation.rd_coders import Coder
from upreel.evaluation.rd_measure import compare, frames_in
from upreel.video.info import SourceInfo

__all__ = ["TOLERANCE", "Tile", "common_size", "draw_tiles", "matched_quality", "side_by_side"]

TOLERANCE = 0.01
"""Of the size that all are to have."""

_TRIES = 5
_PATCH = 160  # luma samples a side
_ZOOM = 2
_COLUMNS = 4
_MARGIN, _LINE, _FONT = 8, 19, 15  # pixels
_PAPER, _INK = (255, 255, 255), (28, 32, 36)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tile:
    """One picture with lines of text below it; pixels are (rows, columns, 3)."""

    pixels: Pixels
    lines: tuple[str, ...]


def common_size(sizes: Sequence[Sequence[float]]) -> float | None:
    """Bytes that every codec can be brought to, None if there is no such size.

    Args:
        sizes: bytes of each codec's files.

    Example:
        >>> round(common_size([(1000, 90_000), (500, 32_000)]))
        2000
        >>> common_size([(1, 2), (3, 4)])
    """
    low, high = max(map(min, sizes)), min(map(max, sizes))
    return low**0.8 * high**0.2 if low <= high else None


def matched_quality(known: dict[float, float], target: float, coder: Coder) -> float | None:
    """The quality to try next: between the nearest two by size, on a line in log size.

    Args:
        known: bytes by quality, at least two.
        target: bytes.
        coder: rounds it to its scale.

    Returns:
        None where it is known already: nothing nearer can be asked for.
    """
    above = [(size, q) for q, size in known.items() if size >= target]
    below = [(size, q) for q, size in known.items() if size < target]
    if not above or not below:
        return None
    (high, at_high), (low, at_low) = min(above), max(below)
    share = math.log(target / low) / math.log(high / low)
    quality = coder.nearest(at_low + share * (at_high - at_low))
    return None if quality in known else quality


def side_by_side(
    info: SourceInfo, clip: ClipFacts, truth: Path, coders: Sequence[Coder], points: Sequence[Point]
) -> tuple[dict[str, Any], bytes]:
    """A picture of one clip, and what is told of it.

    Args:
        info: of the clip: its colour.
        clip: its facts.
        truth: its frames, y4m; coded files are written beside it.
        coders: at least one.
        points: what was measured on this clip.

    Returns:
        The object for the JSON, and the PNG.

    Raises:
        OptionError: there is no size that all reach.
    """
    name = Path(info.path).stem
    sizes = {c.name: {p.quality: p.num_bytes for p in points if p.coder == c.name} for c in coders}
    target = common_size([list(each.values()) for each in sizes.values()])
    if target is None:
        raise OptionError(f"there is no size of {name} that all codecs reach")
    number = _shown_frame(clip.num_frames, coders)
    source = next(islice(frames_in(truth), number, None))
    height, width = (min(_PATCH, side) for side in (clip.height, clip.width))
    row, column = (n // 2 * 2 for n in busiest_patch(source.planes[0], _PATCH))

    def cut(path: Path) -> Pixels:
        frame = next(islice(frames_in(path), number, None))
        whole = Clip(name=name, planes=(frame.planes,), format=info.format, colour=info.colour)
        pixels = to_rgb(frame.planes, whole)[row : row + height, column : column + width]
        return pixels.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)

    tiles = [Tile(pixels=cut(truth), lines=(f"{name}, frame {number}", "source"))]
    told: list[dict[str, Any]] = []
    for coder in coders:
        quality, num_bytes, path = _match(coder, truth, clip, dict(sizes[coder.name]), target)
        judged = truth.with_name("judged.y4m")
        coder.decode(path, judged, clip)
        psnr = compare(
            (f.planes for f in frames_in(truth)),
            (f.planes for f in frames_in(judged)),
            bits=clip.bits,
            without=["ms_ssim_y"],
        )["psnr_y"]
        size = f"{num_bytes / 1000:.2f} kB ({num_bytes / target - 1:+.1%})"
        tiles.append(Tile(pixels=cut(judged), lines=(coder.name, f"{size}, {psnr:.2f} dB")))
        finite = round(psnr, 5) if math.isfinite(psnr) else None
        told.append({"name": coder.name, "quality": quality, "bytes": num_bytes, "psnr_y": finite})
    values = {
        "file": f"frames_{name}.png",
        "clip": name,
        "frame": number,
        "patch": [column, row, width, height],
        "target_bytes": round(target),
        "tiles": told,
    }
    return values, draw_tiles(tiles)


def _shown_frame(num_frames: int, coders: Sequence[Coder]) -> int:
    """The middle frame, or the one before it where that is a keyframe."""
    middle = num_frames // 2
    return middle - 1 if middle and middle % coders[0].keyint == 0 else middle


def _match(
    coder: Coder, truth: Path, clip: ClipFacts, known: dict[float, float], target: float
) -> tuple[float, int, Path]:
    """Quality, bytes and file of the nearest size found."""
    path = truth.with_name(f"matched{coder.suffix}")

    def error(quality: float) -> float:
        return abs(known[quality] / target - 1)

    for _ in range(_TRIES):
        if error(min(known, key=error)) <= TOLERANCE:
            break
        quality = matched_quality(known, target, coder)
        if quality is None:
            break
        known[quality] = coder.encode(truth, path, clip, quality).num_bytes
    best = min(known, key=error)
    return best, coder.encode(truth, path, clip, best).num_bytes, path


def draw_tiles(tiles: Sequence[Tile]) -> bytes:
    """Tiles of one size in rows of `_COLUMNS`, as a PNG file.

    Args:
        tiles: at least one, with as many lines of text each.
    """
    rows, columns = tiles[0].pixels.shape[:2]
    font = ImageFont.load_default(_FONT)
    text = len(tiles[0].lines) * _LINE
    longest = max(font.getlength(line) for tile in tiles for line in tile.lines)
    step_x = max(columns, math.ceil(longest)) + _MARGIN
    step_y = rows + text + 2 * _MARGIN
    across = min(len(tiles), _COLUMNS)
    size = (_MARGIN + across * step_x, _MARGIN + -(-len(tiles) // across) * step_y)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for n, tile in enumerate(tiles):
        left, top = _MARGIN + n % across * step_x, _MARGIN + n // across * step_y
        sheet.paste(Image.fromarray(tile.pixels), (left, top))
        for line, words in enumerate(tile.lines):
            pen.text((left, top + rows + 2 + line * _LINE), words, fill=_INK, font=font)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()
