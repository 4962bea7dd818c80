"""Short clips held in memory: what a measurement reads, degrades, enhances and compares.

Planes   as in `upreel.video.frame`: code values in the video's own Y'CbCr.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from upreel.errors import InputError
from upreel.pipeline.upv_source import probe_any
from upreel.video.frame import Colour, Frame, PixelFormat, Plane, luma_weights, plane_size
from upreel.video.read import read_frames

__all__ = [
    "YUV420P",
    "Clip",
    "crop_to_multiple",
    "fitted",
    "frames_of",
    "luma_clip",
    "luma_plane",
    "read_clip",
]

YUV420P = PixelFormat(name="yuv420p", model="yuv", bits=8, log2_chroma=(1, 1))
_GREY = PixelFormat(name="gray", model="gray", bits=8)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clip:
    """Frames of one shot, all of one size.

    Attributes:
        name: what tables call it.
        planes: for each frame its planes, at least one frame.
        format: layout of the planes.
        colour: colour tags; the chroma location matters for every resize.
        rate: frames a second.
    """

    name: str
    planes: tuple[tuple[Plane, ...], ...]
    format: PixelFormat
    colour: Colour = field(default_factory=Colour)
    rate: Fraction = Fraction(25)

    def __post_init__(self) -> None:
        if not self.planes:
            raise ValueError(f"clip {self.name!r} must have a frame")

    @property
    def num_frames(self) -> int:
        """How many frames it has."""
        return len(self.planes)

    @property
    def width(self) -> int:
        """Columns of luma."""
        return self.planes[0][0].shape[1]

    @property
    def height(self) -> int:
        """Rows of luma."""
        return self.planes[0][0].shape[0]


def luma_plane(planes: Sequence[npt.NDArray[Any]], fmt: PixelFormat) -> npt.NDArray[Any]:
    """A frame's luma: its first plane, or of R, G and B their weighted mean (BT.709), not rounded.

    Args:
        planes: of the frame, code values, or the same in floating point.
        fmt: says what they mean.

    Returns:
        (rows, columns), in the same unit; float32 of RGB.

    Example:
        >>> fmt = PixelFormat(name="gbrp", model="rgb", bits=8)
        >>> luma = luma_plane([np.full((1, 1), value) for value in (100, 200, 50)], fmt)
        >>> round(float(luma[0, 0]), 2)
        167.91
    """
    if fmt.model != "rgb":
        return planes[0]
    kr, kb = map(np.float32, luma_weights(0))  # as the pipeline's
    red, green, blue = (plane.astype(np.float32) for plane in planes[:3])
    return kr * red + (np.float32(1) - kr - kb) * green + kb * blue


def luma_clip(clip: Clip) -> Clip:
    """The first plane of each frame alone, as grey.

    Raises:
        InputError: it is R'G'B', or of more than 8 bits.
    """
    if clip.format.model == "rgb" or clip.format.bits != 8:
        raise InputError(f"{clip.name} is {clip.format.name}; 8-bit Y'CbCr or grey is taken")
    return replace(clip, planes=tuple(planes[:1] for planes in clip.planes), format=_GREY)


def frames_of(clip: Clip) -> Iterator[Frame]:
    """The clip as the pipeline takes it: one tick a frame."""
    for index, planes in enumerate(clip.planes):
        yield Frame(
            planes=planes,
            format=clip.format,
            index=index,
            pts=index,
            time_base=1 / clip.rate,
            duration=1,
            colour=clip.colour,
        )


def read_clip(path: Path, *, limit: int | None = None, upv_codec: str | None = None) -> Clip:
    """Decode a file into memory.

    Args:
        path: any video that `upreel.video.read` takes, or an .upv file.
        limit: at most so many frames, from the start; None for all.
        upv_codec: of .upv files: a codec's name, or the path of its card; None: what they name.

    Raises:
        InputError: not a readable video, or no frame in it.
    """
    info = probe_any(path, codec=upv_codec)
    planes = tuple(frame.planes for frame in islice(read_frames(info, deinterlace="off"), limit))
    if not planes:
        raise InputError(f"{path}: no frame could be decoded")
    return Clip(
        name=path.stem,
        planes=planes,
        format=info.format,
        colour=info.colour,
        rate=info.rate or Fraction(25),
    )


def crop_to_multiple(clip: Clip, multiple: int) -> Clip:
    """Cut rows at the bottom and columns at the right until both sides divide by `multiple`.

    Args:
        clip: what to cut.
        multiple: a multiple of the chroma subsampling, so that chroma is cut at the same place.

    Raises:
        InputError: nothing would be left.
    """
    width, height = clip.width // multiple * multiple, clip.height // multiple * multiple
    if not width or not height:
        raise InputError(
            f"{clip.name}: {clip.width}x{clip.height} is too small, at least {multiple}x{multiple}"
        )
    if (width, height) == (clip.width, clip.height):
        return clip
    sizes = [
        plane_size(clip.format, n, width=width, height=height)
        for n in range(clip.format.num_planes)
    ]
    planes = tuple(
        tuple(plane[:rows, :columns] for plane, (rows, columns) in zip(frame, sizes, strict=True))
        for frame in clip.planes
    )
    return replace(clip, planes=planes)


def fitted(clip: Clip, width: int, height: int) -> Clip:
    """The clip at another size with its samples as they are.

    At the right and at the bottom it is cut, or mirrored as often as needed.

    Args:
        clip: what to fit.
        width: columns of luma, even.
        height: rows of luma, even.
    """
    clip = crop_to_multiple(clip, 1 << max(clip.format.log2_chroma))
    sizes = [
        plane_size(clip.format, n, width=width, height=height)
        for n in range(clip.format.num_planes)
    ]

    def fit(plane: Plane, size: tuple[int, int]) -> Plane:
        part = plane[: size[0], : size[1]]
        missing = [(0, want - have) for have, want in zip(part.shape, size, strict=True)]
        return cast("Plane", np.pad(part, missing, mode="symmetric"))

    planes = tuple(
        tuple(fit(plane, size) for plane, size in zip(frame, sizes, strict=True))
        for frame in clip.planes
    )
    return replace(clip, planes=planes)
