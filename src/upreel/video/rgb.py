# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Y'CbCr as R'G'B' and back by swscale, for whoever knows nothing else: pictures, RGB networks."""

from collections.abc import Sequence
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from upreel.errors import InputError
from upreel.video.formats import av_from_planes, planes_from_av
from upreel.video.frame import Colour, PixelFormat, Plane

__all__ = ["EXACTLY", "RgbConverter", "swscale_matrix"]

EXACTLY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Rounded as it should be, chroma interpolated."""

_SPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


def swscale_matrix(matrix: int, height: int) -> Colorspace | None:
    """How swscale calls a matrix, None of one that it does not know.

    Args:
        matrix: H.273 MatrixCoefficients; 2 (not said) is taken as players take it.
        height: rows of the picture, which players guess by.
    """
    if matrix == 2:
        matrix = 1 if height > 576 else 6
    return _SPACES.get(matrix)


class RgbConverter:
    """Planes of 8-bit Y'CbCr to interleaved R'G'B' and back, with one context each way.

    Args:
        fmt: of the planes.
        colour: their matrix and range.
        height: rows of the source, which say the matrix where the tags do not.

    Raises:
        InputError: not 8-bit Y'CbCr, or of a matrix that swscale does not know.
    """

    def __init__(self, fmt: PixelFormat, colour: Colour, height: int) -> None:
        space = swscale_matrix(colour.matrix, height)
        if fmt.model != "yuv" or fmt.bits != 8 or space is None:
            raise InputError(
                f"{fmt.name} of matrix {colour.matrix} (H.273) cannot be made R'G'B' here: it "
                f"must be 8-bit Y'CbCr of matrix {', '.join(map(str, _SPACES))} or 2 (not said)"
            )
        self._format = fmt
        self._range = 2 if colour.full_range else 1
        self._space = space
        self._forth, self._back = VideoReformatter(), VideoReformatter()

    def to_rgb(self, planes: Sequence[Plane]) -> npt.NDArray[np.uint8]:
        """One frame, (H, W, 3), full range."""
        picture = self._forth.reformat(
            av_from_planes(planes, self._format),
            format="rgb24",
            src_colorspace=self._space,
            src_color_range=self._range,
            dst_color_range=2,
            interpolation=EXACTLY,
            threads=1,  # slice threads write over one another's edges in packed formats
        )
        return cast("npt.NDArray[np.uint8]", picture.to_ndarray())

    def to_planes(self, rgb: npt.NDArray[np.uint8]) -> tuple[Plane, ...]:
        """Planes of one frame (H, W, 3), of any even size."""
        picture = self._back.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format=self._format.name,
            src_color_range=2,
            dst_colorspace=self._space,
            dst_color_range=self._range,
            interpolation=EXACTLY,
            threads=1,
        )
        return planes_from_av(picture, self._format)
