# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Image sequences: one PNG or TIFF file a frame, 8 or 16 bits a sample.

Grey and RGB(A) samples of 8 and 16 bits are stored as they are; other depths are spread over
16 bits, and Y'CbCr becomes RGB by its own matrix and range.
"""

import os
import re
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

from upreel.errors import EncoderError, OutputError
from upreel.video.aside import AsideFile
from upreel.video.formats import av_from_planes, planes_from_av
from upreel.video.frame import Frame, PixelFormat, Plane
from upreel.video.rgb import EXACTLY, swscale_matrix

__all__ = ["ImageWriter", "image_pattern"]

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_SUFFIXES = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}


def image_pattern(path: str | Path) -> str:
    """``DIR/%06d.png`` for a folder; a pattern as it is.

    Args:
        path: a pattern with one ``%d`` or ``%06d`` ending in .png, .tif or .tiff, or a folder.

    Raises:
        OutputError: another ending, or more than one number.
    """
    text = os.fspath(path)
    if "%" not in text and Path(text).suffix.lower() not in _SUFFIXES:
        return str(Path(text) / "%06d.png")
    name = Path(text).name
    if Path(name).suffix.lower() not in _SUFFIXES:
        raise OutputError(f"pictures are .png, .tif or .tiff, not {name}")
    if len(_NUMBER.findall(name)) != 1 or "%" in _NUMBER.sub("", name):
        raise OutputError(f"a sequence of pictures needs one number such as %06d, not {name}")
    return text


class ImageWriter:
    """Context manager that writes each frame as one picture.

    Every picture is written aside and renamed; pictures already complete stay if a later frame
    fails.

    Attributes:
        num_frames: pictures written.
        num_bytes: their sizes together.

    Args:
        pattern: ``DIR/%06d.png`` or a folder, see `image_pattern`; folders are made.
        first: number of the first picture.

    Raises:
        DiskFullError: no room for a picture.
        OutputError: the place cannot be written to, or the pattern is not one.
    """

    def __init__(self, pattern: str | Path, *, first: int = 1) -> None:
        self._pattern = Path(image_pattern(pattern))
        self._number = first
        self._contexts: dict[tuple[str, int, int], VideoCodecContext] = {}
        self.num_frames = 0
        self.num_bytes = 0

    def __enter__(self) -> Self:
        try:
            self._pattern.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {self._pattern.parent}: {error.strerror}") from error
        return self

    def path(self, number: int) -> Path:
        """The file of picture `number`."""
        name = _NUMBER.sub(lambda m: f"{number:0{int(m[1] or 1)}d}", self._pattern.name)
        return self._pattern.with_name(name)

    def write(self, frame: Frame) -> None:
        """Write one frame as the next picture."""
        suffix = self._pattern.suffix.lower()
        picture = _storable(frame, _SUFFIXES[suffix])
        data = self._encode(picture)
        file = AsideFile(self.path(self._number))
        file.write(data)
        self.num_bytes += file.commit()
        self._number += 1
        self.num_frames += 1

    def _encode(self, picture: av.VideoFrame) -> bytes:
        codec = _SUFFIXES[self._pattern.suffix.lower()]
        context = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = picture.format.name
        context.framerate = Fraction(25)
        context.options = {"flags": "+bitexact"}
        picture.pts = 0
        packets = [*context.encode(picture), *context.encode(None)]
        if len(packets) != 1:
            raise EncoderError(f"{codec} made {len(packets)} packets of one picture")
        return bytes(packets[0])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self.num_frames:
            raise OutputError(f"no frames for {self._pattern}")


def _storable(frame: Frame, codec: str) -> av.VideoFrame:
    """The frame in a format that PNG or TIFF stores, with as many samples."""
    planes, fmt = frame.planes, frame.format
    if fmt.model == "yuv":
        planes, fmt = _to_rgb(frame)
    deep = fmt.bits > 8
    scaled = [_spread(plane, fmt.bits) for plane in planes] if deep else planes
    if fmt.model == "gray" and not fmt.alpha:
        name = "gray16" if deep else "gray"
        samples: npt.NDArray[np.uint8 | np.uint16] = scaled[0]
    else:
        colours = [scaled[0]] * 3 if fmt.model == "gray" else list(scaled[:3])
        if fmt.alpha:
            colours.append(scaled[-1])
        kind: Literal["rgba", "rgb"] = "rgba" if fmt.alpha else "rgb"
        name = f"{kind}{16 * len(colours)}" if deep else {"rgb": "rgb24", "rgba": "rgba"}[kind]
        samples = np.stack(colours, axis=-1)
    if deep:
        name += "be" if codec == "png" else "le"
        samples = samples.astype(">u2" if codec == "png" else "<u2")
    return _from_samples(samples, name)


def _from_samples(samples: npt.NDArray[np.uint8 | np.uint16], name: str) -> av.VideoFrame:
    """A frame in a packed format from (rows, columns[, channels]) in its byte order."""
    height, width = samples.shape[:2]
    picture = av.VideoFrame(width, height, name)
    memory = picture.planes[0]
    lines = np.frombuffer(memoryview(memory), np.uint8).reshape(-1, memory.line_size)
    data = np.ascontiguousarray(samples).reshape(height, -1).view(np.uint8)
    lines[:height, : data.shape[1]] = data
    return picture


def _spread(plane: Plane, bits: int) -> npt.NDArray[np.uint16]:
    """Code values of 9 to 16 bits over the whole of 16 bits, to the nearest."""
    if bits == 16:
        return plane.astype(np.uint16)
    maximum = (1 << bits) - 1
    return ((plane.astype(np.uint32) * 65535 + maximum // 2) // maximum).astype(np.uint16)


def _to_rgb(frame: Frame) -> tuple[tuple[Plane, ...], PixelFormat]:
    """Y'CbCr as R'G'B' of 8 or 16 bits by swscale, exactly rounded, chroma interpolated."""
    deep = frame.format.bits > 8
    target = PixelFormat(
        name=("gbrap" if frame.format.alpha else "gbrp") + ("16le" if deep else ""),
        model="rgb",
        bits=16 if deep else 8,
        alpha=frame.format.alpha,
    )
    space = swscale_matrix(frame.colour.matrix, frame.height)
    if space is None:
        raise EncoderError(
            f"pictures cannot be made from Y'CbCr of matrix {frame.colour.matrix} (H.273); "
            "possible are 1, 4, 5, 6, 7, 9 and 2 (not said)"
        )
    picture = av_from_planes(frame.planes, frame.format).reformat(
        format=target.name,
        src_colorspace=space,
        src_color_range=2 if frame.colour.full_range else 1,
        dst_color_range=2,
        interpolation=EXACTLY,
        threads=1,  # see `encode.encodable`
    )
    return planes_from_av(picture, target), target
