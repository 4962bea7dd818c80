"""One frame of video: its planes, its exact time, its colour description.

Planes   NumPy arrays of code values, ``(rows, columns)``, uint8 for 8 bits and uint16 above.
         Order: Y, Cb, Cr; Y alone for grey; R, G, B for RGB; alpha, where there is one, last.
Time     whole ticks of an exact `Fraction` of a second. Never float seconds.
Offsets  a plane's *origin* is where the centre of its first sample lies, in its own sample
         units, from the picture's left (top) edge: 1/2 for luma and for chroma sited between
         two luma samples, 1/4 for 2:1 subsampled chroma sited on the first one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "Colour",
    "Frame",
    "PixelFormat",
    "Plane",
    "luma_weights",
    "plane_origins",
    "plane_size",
]

type_ = np.uint8 | np.uint16
Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Code values of one plane, (rows, columns); uint8 for 8 bits, uint16 for more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelFormat:
    """How the samples of a picture are laid out; `name` is FFmpeg's.

    Attributes:
        name: FFmpeg's planar pixel format, such as ``yuv420p10le``.
        model: what the planes mean.
        bits: significant bits of a sample, 8 to 16.
        log2_chroma: log2 of the horizontal and vertical chroma subsampling: (1, 1) for 4:2:0.
        alpha: whether the last plane is alpha.
    """

    name: str
    model: Literal["yuv", "gray", "rgb"]
    bits: int
    log2_chroma: tuple[int, int] = (0, 0)
    alpha: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 16:
            raise ValueError(f"bits must be 8 to 16, got {self.bits = }")

    @property
    def num_planes(self) -> int:
        """Planes of a frame in this format, alpha counted."""
        return (1 if self.model == "gray" else 3) + self.alpha

    @property
    def max_value(self) -> int:
        """The largest code value, 2^bits - 1."""
        return (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The array type that holds a sample."""
        return np.dtype(np.uint8) if self.bits == 8 else np.dtype(np.uint16)

    @property
    def is_420(self) -> bool:
        """Whether chroma is halved in both directions."""
        return self.model == "yuv" and self.log2_chroma == (1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Colour:
    """The colour tags of a stream as H.273 code points; 2 is "unspecified".

    Attributes:
        full_range: True for full ("pc"), False for limited ("tv"), None if not said.
        primaries: H.273 ColourPrimaries.
        transfer: H.273 TransferCharacteristics; 16 is PQ, 18 is HLG.
        matrix: H.273 MatrixCoefficients.
        chroma_location: FFmpeg's AVChromaLocation: 0 unspecified, 1 left, 2 center, 3 topleft,
            4 top, 5 bottomleft, 6 bottom.
    """

    full_range: bool | None = None
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    chroma_location: int = 0


def luma_weights(matrix: int) -> tuple[float, float]:
    """Red's and blue's share of luma, Kr and Kb (H.273, table 4).

    Args:
        matrix: `Colour.matrix`; 0 (R'G'B', which has none) counts as BT.709, and all that
            is neither BT.709 nor BT.2020 as BT.601.
    """
    if matrix in (0, 1):
        return 0.2126, 0.0722
    return (0.2627, 0.0593) if matrix in (9, 10) else (0.299, 0.114)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One picture with all that is known about it.

    Attributes:
        planes: one array a plane, see the module header.
        format: layout of the planes.
        index: number of the frame in display order, from 0 at the start of the video.
        pts: presentation time in ticks of `time_base`.
        time_base: seconds a tick.
        duration: ticks that it is shown, 0 if not known.
        colour: colour tags.
        sample_aspect_ratio: width of a sample over its height; 0 if not known.
        rotation: degrees counter-clockwise that a player turns it by.
        interlaced: whether it holds two fields of different times.
        top_field_first: which of the two is the earlier one.
        repeat: extra fields that it is shown for (telecine).
        side_data: raw bytes by FFmpeg's side data name.
        damaged: whether the decoder concealed errors in it.
    """

    planes: tuple[Plane, ...]
    format: PixelFormat
    index: int
    pts: int
    time_base: Fraction
    duration: int = 0
    colour: Colour = field(default_factory=Colour)
    sample_aspect_ratio: Fraction = Fraction(0)
    rotation: int = 0
    interlaced: bool = False
    top_field_first: bool = False
    repeat: int = 0
    side_data: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    damaged: bool = False

    @property
    def width(self) -> int:
        """Columns of luma."""
        return self.planes[0].shape[1]

    @property
    def height(self) -> int:
        """Rows of luma."""
        return self.planes[0].shape[0]


def plane_size(
    pixel_format: PixelFormat, plane: int, *, width: int, height: int
) -> tuple[int, int]:
    """Rows and columns of one plane of a picture; subsampled sizes are rounded up.

    Example:
        >>> yuv = PixelFormat(name="yuv420p", model="yuv", bits=8, log2_chroma=(1, 1))
        >>> plane_size(yuv, 1, width=65, height=49)
        (25, 33)
    """
    if pixel_format.model != "yuv" or plane not in (1, 2):
        return height, width
    log2_x, log2_y = pixel_format.log2_chroma
    return -(-height >> log2_y), -(-width >> log2_x)


def plane_origins(pixel_format: PixelFormat, colour: Colour, plane: int) -> tuple[float, float]:
    """Centre of a plane's first sample (vertical, horizontal), in its own sample units.

    An unspecified chroma location is taken as left, the default of MPEG-2 and of all later codecs.

    Example:
        >>> yuv = PixelFormat(name="yuv420p", model="yuv", bits=8, log2_chroma=(1, 1))
        >>> plane_origins(yuv, Colour(), 1)
        (0.5, 0.25)
    """
    if pixel_format.model != "yuv" or plane not in (1, 2):
        return 0.5, 0.5
    log2_x, log2_y = pixel_format.log2_chroma
    location = colour.chroma_location or 1
    cosited_x = location in (1, 3, 5)
    x = 0.5 / (1 << log2_x) if cosited_x else 0.5
    if location in (3, 4):
        y = 0.5 / (1 << log2_y)
    elif location in (5, 6):
        y = 1 - 0.5 / (1 << log2_y)
    else:
        y = 0.5
    return y, x
