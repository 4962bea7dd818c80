"""How pictures of one format are given to a network, and what becomes of its answer.

Packed planes: 4:2:0 with chroma sited left goes through the network whole. Of 4:2:2, 4:4:4 and
otherwise sited chroma the network sees a 4:2:0 form beside luma and answers luma; grey is given
neutral chroma. Luma: the network sees and answers luma alone. What it does not answer, chroma and
alpha, is resized by Lanczos with its own siting. RGB becomes BT.709 Y'CbCr 4:4:4 in floating point
(luma in 16 bits) and comes back.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import resample
from upreel.errors import OptionError
from upreel.video.frame import (
    Colour,
    PixelFormat,
    Plane,
    luma_weights,
    plane_origins,
    plane_size,
)
from upreel.zoo import ModelCard

__all__ = ["PictureForm", "Planes", "enlarged_plane"]

Planes = tuple[Plane, ...]
_Values = npt.NDArray[np.float32]
_Triple = tuple[_Values, _Values, _Values]
_LEFT = (0.5, 0.25)
_RED, _BLUE = map(np.float32, luma_weights(0))  # as good as any for a way there and back
_ONE, _HALF = np.float32(1), np.float32(0.5)


class PictureForm:
    """Pictures of one size and format on their way through a model.

    Args:
        card: the model.
        pixel_format: of the planes, in and out.
        colour: its chroma location is respected.
        width: columns of luma, in.
        height: rows of luma, in.
        output_size: (width, height) out; None for `card.scale` times the input.

    Raises:
        OptionError: an output size that cannot be.

    Attributes:
        in_size: rows and columns of luma, in.
        bits: of the integers that the network is given.
        network_chroma: whether the network makes the output's chroma.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        pixel_format: PixelFormat,
        colour: Colour,
        width: int,
        height: int,
        output_size: tuple[int, int] | None,
    ) -> None:
        if output_size is not None and min(output_size) < 1:
            raise OptionError(f"the output must be at least 1x1, got {output_size}")
        self.card = card
        self.format = pixel_format
        self.colour = colour
        self.in_size = (height, width)
        self.width, self.height = output_size or (card.scale * width, card.scale * height)
        # Luma of RGB is made in floating point and given to the network in 16 bits.
        self.bits = 16 if pixel_format.model == "rgb" else pixel_format.bits
        left = plane_origins(pixel_format, colour, 1) == _LEFT
        self.network_chroma = card.layout == "packed" and pixel_format.is_420 and left

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Of the integers that the network is given."""
        return np.uint8 if self.bits == 8 else np.uint16

    def empty_answer(self) -> tuple[Plane, tuple[Plane, Plane] | None]:
        """Luma, and chroma where the network makes it, for its answer to be put into."""
        scale = self.card.scale
        rows, columns = (scale * side for side in self.in_size)
        luma = cast("Plane", np.empty((rows, columns), self.dtype))
        if not self.network_chroma:
            return luma, None
        size = plane_size(self.format, 1, width=columns, height=rows)
        cb, cr = (cast("Plane", np.empty(size, self.dtype)) for _ in range(2))
        return luma, (cb, cr)

    def network_planes(self, planes: Planes) -> tuple[Plane, tuple[Plane, Plane] | None]:
        """Luma, and for packed planes 4:2:0 chroma sited left, integers of `bits` bits."""
        if self.card.layout == "luma":
            if self.format.model == "rgb":
                return _to_levels(_from_rgb(planes, self.format.max_value)[0], 16), None
            return planes[0], None
        if self.network_chroma:
            return planes[0], (planes[1], planes[2])
        height, width = -(-self.in_size[0] // 2), -(-self.in_size[1] // 2)
        if self.format.model == "gray":
            neutral = np.full((height, width), 1 << (self.bits - 1), planes[0].dtype)
            return planes[0], (cast("Plane", neutral), cast("Plane", neutral))
        if self.format.model == "rgb":
            y, cb, cr = _from_rgb(planes, self.format.max_value)
            luma, values = _to_levels(y, 16), (cb, cr)
            origins, log2_chroma = (0.5, 0.5), (0, 0)
        else:
            luma, values = planes[0], (planes[1], planes[2])
            origins = plane_origins(self.format, self.colour, 1)
            log2_chroma = self.format.log2_chroma
        ratio = (2 / (1 << log2_chroma[1]), 2 / (1 << log2_chroma[0]))
        chroma = [
            resample(
                plane,
                height,
                width,
                kernel="bicubic",
                ratio=ratio,
                in_origin=origins,
                out_origin=_LEFT,
            )
            for plane in values
        ]
        if self.format.model == "rgb":
            cb, cr = (_to_levels(plane, 16) for plane in chroma)
        else:
            limit = self.format.max_value
            cb, cr = (_clip_round(plane, limit, planes[1].dtype) for plane in chroma)
        return luma, (cb, cr)

    def finish(self, source: Planes, network: Planes) -> Planes:
        """All planes of the output, from the network's and the source frame's."""
        scale, limit = self.card.scale, self.format.max_value
        height, width = self.in_size
        planes: list[Plane]
        if self.format.model == "rgb":
            _, cb, cr = _from_rgb(source, limit)
            big = (scale * height, scale * width)
            origin = 0.5 + self._shift
            cb, cr = (
                resample(plane, *big, kernel="lanczos3", out_origin=(origin, origin))
                for plane in (cb, cr)
            )
            rgb = _to_rgb(network[0].astype(np.float32) / np.float32(65535), cb, cr)
            dtype = source[0].dtype
            planes = [_clip_round(value * np.float32(limit), limit, dtype) for value in rgb]
        elif self.format.model == "gray" or self.network_chroma:
            planes = list(network)
        else:
            planes = [network[0], *(self._resized(source, p) for p in (1, 2))]
        if self.format.alpha:
            planes.append(self._resized(source, self.format.num_planes - 1))
        big_size = (scale * height, scale * width)
        if (self.height, self.width) != big_size:
            planes = [self._to_output_size(planes, p) for p in range(len(planes))]
        return tuple(planes)

    def _resized(self, source: Planes, plane: int) -> Plane:
        return enlarged_plane(
            source[plane],
            self.card.scale,
            plane,
            pixel_format=self.format,
            colour=self.colour,
            height=self.in_size[0],
            width=self.in_size[1],
            shift=self._shift,
        )

    @property
    def _shift(self) -> float:
        """Luma samples of the output that the network's answer lies behind the centred one."""
        return (self.card.scale - 1) / 2 if self.card.network.answer_phase == "first" else 0.0

    def _to_output_size(self, planes: Sequence[Plane], plane: int) -> Plane:
        """One plane of the network's size at the output's size, by Lanczos with its siting."""
        scale = self.card.scale
        rows, columns = plane_size(self.format, plane, width=self.width, height=self.height)
        origin = plane_origins(self.format, self.colour, plane)
        values = resample(
            planes[plane],
            rows,
            columns,
            kernel="lanczos3",
            ratio=(scale * self.in_size[0] / self.height, scale * self.in_size[1] / self.width),
            in_origin=origin,
            out_origin=origin,
        )
        return _clip_round(values, self.format.max_value, planes[plane].dtype)


def enlarged_plane(
    values: Plane,
    scale: int,
    plane: int,
    *,
    pixel_format: PixelFormat,
    colour: Colour,
    height: int,
    width: int,
    shift: float = 0.0,
) -> Plane:
    """A plane that no network makes, `scale` times larger by Lanczos with its own siting.

    Args:
        values: the plane.
        scale: 2, 3 or 4.
        plane: which one of the picture.
        pixel_format: of the picture.
        colour: its chroma location is respected.
        height: rows of luma, before.
        width: columns of luma, before.
        shift: luma samples of the answer by which it lies behind the centred one, along both axes.
    """
    rows, columns = plane_size(pixel_format, plane, width=scale * width, height=scale * height)
    origin = plane_origins(pixel_format, colour, plane)
    subsampled = pixel_format.model == "yuv" and plane in (1, 2)
    log2_x, log2_y = pixel_format.log2_chroma if subsampled else (0, 0)
    larger = resample(
        values,
        rows,
        columns,
        kernel="lanczos3",
        ratio=(1 / scale, 1 / scale),
        in_origin=origin,
        out_origin=(origin[0] + shift / (1 << log2_y), origin[1] + shift / (1 << log2_x)),
    )
    return _clip_round(larger, pixel_format.max_value, values.dtype)


def _clip_round(
    values: _Values, limit: int, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
) -> Plane:
    return cast("Plane", np.clip(np.rint(values), 0, limit).astype(dtype))


def _to_levels(values: _Values, bits: int) -> Plane:
    limit = (1 << bits) - 1
    return _clip_round(values * np.float32(limit), limit, np.dtype(np.uint16))


def _from_rgb(planes: Planes, limit: int) -> _Triple:
    """BT.709 Y, Cb, Cr in [0, 1], chroma about one half."""
    red, green, blue = (plane.astype(np.float32) / np.float32(limit) for plane in planes[:3])
    luma = _RED * red + (_ONE - _RED - _BLUE) * green + _BLUE * blue
    cb = (blue - luma) * (_HALF / (_ONE - _BLUE)) + _HALF
    cr = (red - luma) * (_HALF / (_ONE - _RED)) + _HALF
    return cast("_Triple", (luma, cb, cr))


def _to_rgb(luma: _Values, cb: _Values, cr: _Values) -> _Triple:
    red = luma + (cr - _HALF) * ((_ONE - _RED) / _HALF)
    blue = luma + (cb - _HALF) * ((_ONE - _BLUE) / _HALF)
    green = (luma - _RED * red - _BLUE * blue) / (_ONE - _RED - _BLUE)
    return cast("_Triple", (red, green, blue))
