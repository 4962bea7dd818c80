"""Frames that another system made: PNG files in a folder, one folder a clip.

Layout   ``DIR/CLIP/*.png``, or for a set of one clip also ``DIR/*.png``; the last number in a
         file's name is its frame's, counted from 0 or from 1.
Colours  8-bit R'G'B' goes to the ground truth's planes in floating point, not rounded, by BT.709
         where the clip says so and BT.601 else, as published figures are computed; chroma is the
         mean of the samples around its place.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from upreel.degradation.resample import resample
from upreel.errors import InputError
from upreel.evaluation.clips import Clip
from upreel.evaluation.contestants import Expected, Picture
from upreel.video.frame import Colour, PixelFormat, luma_weights, plane_origins, plane_size

__all__ = ["FrameFolder", "from_rgb", "list_frames"]

_NAMED = 5  # missing frames that a message names
_MODES = {
    "L": "grey",
    "I;16": "grey",
    "LA": "grey with alpha",
    "P": "palette",
    "RGBA": "RGB with alpha",
}


def _number(path: Path) -> int | None:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def _png_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png")


def list_frames(folder: Path, count: int, *, exact: bool = True) -> list[Path]:
    """The PNG files of one clip in the order of their numbers.

    Args:
        folder: where they lie.
        count: frames that the clip has.
        exact: whether more of them are a mistake, rather than the rest of a longer clip.

    Raises:
        InputError: no PNG files, names without numbers or with the same one, frames that are
            missing, or more of them than the clip has.
    """
    by_number: dict[int, Path] = {}
    for path in _png_files(folder):
        number = _number(path)
        if number is None:
            raise InputError(f"{path}: the name has no number that says which frame it is")
        if number in by_number:
            raise InputError(f"{path} and {by_number[number].name} are both frame {number}")
        by_number[number] = path
    if not by_number:
        raise InputError(f"no .png file in {folder}")
    first = 0 if 0 in by_number else 1
    missing = [n for n in range(first, first + count) if n not in by_number]
    if missing:
        names = ", ".join(str(n) for n in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InputError(
            f"{folder} lacks frame {names}{more}; the clip has {count}, numbered from {first}"
        )
    if exact and len(by_number) > count:
        raise InputError(f"{folder} has {len(by_number)} frames, the clip has {count}")
    return [by_number[n] for n in range(first, first + count)]


def from_rgb(rgb: npt.NDArray[np.uint8], fmt: PixelFormat, colour: Colour) -> Picture:
    """R'G'B' as planes of a format, not rounded.

    Args:
        rgb: (H, W, 3).
        fmt: layout of the planes.
        colour: the range, the matrix and the place of chroma.

    Returns:
        Planes in code values, float32.
    """
    peak = fmt.max_value
    red, green, blue = (rgb[..., n].astype(np.float64) / 255 for n in range(3))
    if fmt.model == "rgb":
        return tuple((plane * peak).astype(np.float32) for plane in (red, green, blue))
    kr, kb = luma_weights(colour.matrix)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    unit = 1 << (fmt.bits - 8)
    full = colour.full_range is True
    y = luma * peak if full else luma * (219 * unit) + 16 * unit
    planes = [y.astype(np.float32)]
    if fmt.model == "gray":
        return tuple(planes)
    log2_x, log2_y = fmt.log2_chroma
    for n, difference in ((1, (blue - luma) / (2 * (1 - kb))), (2, (red - luma) / (2 * (1 - kr)))):
        values = difference * (peak if full else 224 * unit) + 128 * unit
        rows, columns = plane_size(fmt, n, width=rgb.shape[1], height=rgb.shape[0])
        planes.append(
            resample(
                values.astype(np.float32),
                rows,
                columns,
                kernel="area",
                ratio=(1 << log2_y, 1 << log2_x),
                out_origin=plane_origins(fmt, colour, n),
            )
        )
    return tuple(planes)


class FrameFolder:
    """A contestant that was run elsewhere: its frames are read, its speed is not known.

    Args:
        name: what the table calls it.
        folder: where the PNG files lie.
        exact: whether more frames than the clip has are a mistake.

    Raises:
        InputError: no such folder.
    """

    timed = False

    def __init__(self, name: str, folder: Path, *, exact: bool = True) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; --frames takes NAME=DIR with PNG files")
        self.name = name
        self.facts: dict[str, Any] = {"kind": "frames", "frames": str(folder)}
        self._folder = folder
        self._exact = exact
        self._flat = False

    def check(self, clips: Sequence[Expected]) -> None:
        """Refuse a set of which frames are missing, by their names and headers.

        Raises:
            InputError: a clip has no folder, and it is not the only one; a frame is missing, of
                another size or no 8-bit RGB PNG.
        """
        names = [clip.name for clip in clips]
        missing = [name for name in names if not (self._folder / name).is_dir()]
        self._flat = bool(missing) and len(clips) == 1 and bool(_png_files(self._folder))
        if missing and not self._flat:
            alone = "; PNG files of one clip may also lie in it directly" * (len(clips) == 1)
            raise InputError(
                f"{self._folder} has no folder {missing[0]}; expected one with PNG files for "
                f"each clip: {', '.join(names)}{alone}"
            )
        for clip in clips:
            for path in self._files(clip.name, clip.num_frames):
                with _opened(path, (clip.width, clip.height)):
                    pass

    def prepare(self, clip: Clip) -> None:
        """Needs nothing."""

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        """Read the frames of a clip.

        Raises:
            InputError: a frame is missing, of another size or no 8-bit RGB PNG.
        """
        size = (clip.width * scale, clip.height * scale)
        for path in self._files(clip.name, clip.num_frames):
            with _opened(path, size) as image:
                rgb = np.asarray(image, dtype=np.uint8)
            yield from_rgb(rgb, clip.format, clip.colour)

    def _files(self, clip: str, count: int) -> list[Path]:
        """Of a clip's frames."""
        folder = self._folder if self._flat else self._folder / clip
        return list_frames(folder, count, exact=self._exact)


@contextmanager
def _opened(path: Path, size: tuple[int, int]) -> Generator[Image.Image]:
    """A PNG file that is what it should be, as far as its header says."""
    try:
        with path.open("rb") as file:
            header = file.read(26)
        with Image.open(path, formats=["PNG"]) as image:
            if image.size != size:
                raise InputError(
                    f"{path} is {image.width}x{image.height}; "
                    f"the ground truth is {size[0]}x{size[1]}"
                )
            # Pillow shows 16-bit RGB as 8-bit: byte 24 of a PNG file is the true depth.
            if image.mode != "RGB" or header[24] != 8:
                kind = _MODES.get(image.mode, image.mode)
                raise InputError(f"{path} is {header[24]}-bit {kind}; 8-bit RGB is allowed")
            yield image
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path} cannot be read as PNG: {error}") from error
