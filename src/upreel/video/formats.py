"""Pixel formats: from any that a decoder gives to planes, and back, without a colour conversion.

Samples are moved, never computed: ``nv12`` is 4:2:0 with interleaved chroma, ``rgb24`` three
planes with a step of three, ``p010le`` ten bits in the upper part of a word. Where the line size
allows, planes are views of the decoder's memory.

Names    FFmpeg's. The planar form that this project works in has little-endian words above
         8 bits, and full range is a colour tag rather than a format (``yuvj420p`` is ``yuv420p``).
Planes   Y, Cb, Cr, then alpha; Y for grey; R, G, B, then alpha for RGB (FFmpeg stores G, B, R).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.plane import VideoPlane

from upreel.errors import ProbeError
from upreel.video.frame import PixelFormat, Plane, plane_size

__all__ = ["av_from_planes", "full_range_name", "pixel_format", "planes_from_av"]

_Words = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Packed:
    """Where the samples of a packed format lie.

    Attributes:
        planar: the planar format with the same samples.
        samples: for each plane of ours: (plane in memory, first word, words to the next sample).
        shift: unused low bits of a word.
    """

    planar: str
    samples: tuple[tuple[int, int, int], ...]
    shift: int = 0


def _semiplanar(planar: str, *, swapped: bool = False, shift: int = 0) -> _Packed:
    """Luma in one plane, both chroma interleaved in the other."""
    chroma = ((1, 1, 2), (1, 0, 2)) if swapped else ((1, 0, 2), (1, 1, 2))
    return _Packed(planar=planar, samples=((0, 0, 1), *chroma), shift=shift)


def _interleaved(planar: str, *offsets: int, step: int, shift: int = 0) -> _Packed:
    """All components in one plane, each with its own first word and the same step."""
    return _Packed(planar=planar, samples=tuple((0, o, step) for o in offsets), shift=shift)


def _half_chroma(planar: str, y: int, cb: int, cr: int, *, shift: int = 0) -> _Packed:
    """4:2:2 in one plane: two luma samples and one of each chroma in four words."""
    return _Packed(planar=planar, samples=((0, y, 2), (0, cb, 4), (0, cr, 4)), shift=shift)


# One record a packed format; 16-bit words are given by their little-endian name.
_PACKED: dict[str, _Packed] = {
    "nv12": _semiplanar("yuv420p"),
    "nv21": _semiplanar("yuv420p", swapped=True),
    "nv16": _semiplanar("yuv422p"),
    "nv24": _semiplanar("yuv444p"),
    "nv42": _semiplanar("yuv444p", swapped=True),
    "nv20le": _semiplanar("yuv422p10le"),
    "p010le": _semiplanar("yuv420p10le", shift=6),
    "p012le": _semiplanar("yuv420p12le", shift=4),
    "p016le": _semiplanar("yuv420p16le"),
    "p210le": _semiplanar("yuv422p10le", shift=6),
    "p212le": _semiplanar("yuv422p12le", shift=4),
    "p216le": _semiplanar("yuv422p16le"),
    "p410le": _semiplanar("yuv444p10le", shift=6),
    "p412le": _semiplanar("yuv444p12le", shift=4),
    "p416le": _semiplanar("yuv444p16le"),
    "yuyv422": _half_chroma("yuv422p", 0, 1, 3),
    "yvyu422": _half_chroma("yuv422p", 0, 3, 1),
    "uyvy422": _half_chroma("yuv422p", 1, 0, 2),
    "y210le": _half_chroma("yuv422p10le", 0, 1, 3, shift=6),
    "y212le": _half_chroma("yuv422p12le", 0, 1, 3, shift=4),
    "vuyx": _interleaved("yuv444p", 2, 1, 0, step=4),
    "vuya": _interleaved("yuva444p", 2, 1, 0, 3, step=4),
    "ayuv64le": _interleaved("yuva444p16le", 1, 2, 3, 0, step=4),
    "rgb24": _interleaved("gbrp", 0, 1, 2, step=3),
    "bgr24": _interleaved("gbrp", 2, 1, 0, step=3),
    "rgb0": _interleaved("gbrp", 0, 1, 2, step=4),
    "bgr0": _interleaved("gbrp", 2, 1, 0, step=4),
    "0rgb": _interleaved("gbrp", 1, 2, 3, step=4),
    "0bgr": _interleaved("gbrp", 3, 2, 1, step=4),
    "rgba": _interleaved("gbrap", 0, 1, 2, 3, step=4),
    "bgra": _interleaved("gbrap", 2, 1, 0, 3, step=4),
    "argb": _interleaved("gbrap", 1, 2, 3, 0, step=4),
    "abgr": _interleaved("gbrap", 3, 2, 1, 0, step=4),
    "rgb48le": _interleaved("gbrp16le", 0, 1, 2, step=3),
    "bgr48le": _interleaved("gbrp16le", 2, 1, 0, step=3),
    "rgba64le": _interleaved("gbrap16le", 0, 1, 2, 3, step=4),
    "bgra64le": _interleaved("gbrap16le", 2, 1, 0, 3, step=4),
    # Grey with alpha has no planar form in FFmpeg: grey goes into all three colours.
    "ya8": _interleaved("gbrap", 0, 0, 0, 1, step=2),
    "ya16le": _interleaved("gbrap16le", 0, 0, 0, 1, step=2),
}

# Formats of less than 8 bits a sample, or with a table of colours: swscale widens them exactly.
_WIDENED: dict[str, str] = {
    "pal8": "rgb24",
    "monow": "gray",
    "monob": "gray",
    **dict.fromkeys(("rgb8", "bgr8", "rgb4", "bgr4", "rgb4_byte", "bgr4_byte"), "rgb24"),
    **dict.fromkeys(
        tuple(f"{order}{bits}{end}" for order in ("rgb", "bgr") for bits in (444, 555, 565)
              for end in ("le", "be")),
        "rgb24",
    ),
    "x2rgb10le": "gbrp10le",
    "x2bgr10le": "gbrp10le",
}  # fmt: skip


def full_range_name(name: str) -> bool:
    """Whether a format's name alone says full range, as FFmpeg's old ``yuvj…`` do.

    Example:
        >>> full_range_name("yuvj422p"), full_range_name("yuv422p")
        (True, False)
    """
    return name.startswith("yuvj")


def pixel_format(name: str) -> PixelFormat:
    """The planar format in which this project holds the samples of an FFmpeg format.

    Args:
        name: FFmpeg's name of any format a decoder may give.

    Raises:
        ProbeError: a format without planes of 8 to 16 bits: Bayer, float, XYZ, on a device.

    Example:
        >>> pixel_format("nv12").name, pixel_format("p010le").bits, pixel_format("rgb24").name
        ('yuv420p', 10, 'gbrp')
    """
    planar = _planar_name(name)
    if planar is None:
        raise ProbeError(
            f"pixel format {name!r} cannot be read: it must be Y'CbCr, grey or RGB "
            "with 8 to 16 bits a sample"
        )
    form = VideoFormat(planar, 64, 64)
    parts = form.components
    alpha = any(part.is_alpha for part in parts)
    colours = len(parts) - alpha
    model: Literal["yuv", "gray", "rgb"] = (
        "rgb" if form.is_rgb else "gray" if colours == 1 else "yuv"
    )
    log2_chroma = (0, 0)
    if model == "yuv":
        log2_chroma = (
            (64 // parts[1].width).bit_length() - 1,
            (64 // parts[1].height).bit_length() - 1,
        )
    return PixelFormat(
        name=planar, model=model, bits=parts[0].bits, log2_chroma=log2_chroma, alpha=alpha
    )


@cache
def _planar_name(name: str) -> str | None:
    """FFmpeg's planar, little-endian, range-free name of a format; None if there is none."""
    try:
        name = VideoFormat(name, 64, 64).name  # "gray8" is "gray", "yuv420p10" this machine's order
    except ValueError:
        return None
    if full_range_name(name):
        return name.replace("yuvj", "yuv", 1)
    little = _little_endian(name)
    if little in _PACKED:
        return _PACKED[little].planar
    if name in _WIDENED:
        return _planar_name(_WIDENED[name])
    form = VideoFormat(name, 64, 64)
    parts = form.components
    planar = (
        len({part.plane for part in parts}) == len(parts) > 0
        and not (form.is_bayer or form.has_palette or form.is_bit_stream)
        and all(8 <= part.bits <= 16 for part in parts)
        and not any(mark in little for mark in ("f16", "f32", "xyz", "msb"))
    )
    return little if planar else None


def _little_endian(name: str) -> str:
    return f"{name[:-2]}le" if name.endswith("be") else name


def _stored_order(pixel_format: PixelFormat) -> tuple[int, ...]:
    """For each of our planes, its number in FFmpeg's memory: RGB lies there as G, B, R."""
    if pixel_format.model != "rgb":
        return tuple(range(pixel_format.num_planes))
    return (2, 0, 1, 3)[: pixel_format.num_planes]


def _memory(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    """The bytes of one plane as FFmpeg holds them."""
    return np.frombuffer(memoryview(cast("bytes", plane)), dtype=np.uint8)


def _words(plane: VideoPlane, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> _Words:
    """All words of one plane in memory as (rows, words a line), a view, not to be written."""
    line_size = plane.line_size
    data = _memory(plane)
    rows = data.size // line_size
    lines = data[: rows * line_size].reshape(rows, line_size)
    lines = lines[:, : line_size - line_size % dtype.itemsize]
    lines.flags.writeable = False
    return cast("_Words", lines.view(dtype))


def planes_from_av(frame: av.VideoFrame, fmt: PixelFormat) -> tuple[Plane, ...]:
    """The planes of a decoded frame; read-only views of its memory wherever that is possible.

    A copy is made of big-endian words, of samples in the upper bits of a word, and of formats
    below 8 bits. The arrays keep the frame's memory alive.

    Args:
        frame: as the decoder gave it.
        fmt: `pixel_format` of the stream.

    Returns:
        One array a plane in the order of `Frame.planes`, each (rows, columns).

    Raises:
        ProbeError: the frame is in another format than `fmt`.
    """
    name = frame.format.name
    if _planar_name(name) != fmt.name:
        raise ProbeError(f"a frame is {name}, the stream began as {fmt.name}")
    if name in _WIDENED:
        frame = frame.reformat(format=_WIDENED[name], threads=1)
        name = _WIDENED[name]
    if any(plane.line_size <= 0 for plane in frame.planes):  # lines from bottom to top
        frame = _upright(frame)
    little = _little_endian(name)
    packed = _PACKED.get(little)
    samples = packed.samples if packed else tuple((p, 0, 1) for p in _stored_order(fmt))
    dtype = fmt.dtype.newbyteorder(">") if name != little else fmt.dtype
    planes: list[Plane] = []
    for n, (source, first, step) in enumerate(samples):
        rows, columns = plane_size(fmt, n, width=frame.width, height=frame.height)
        lines = _words(frame.planes[source], dtype)
        plane = lines[:rows, first : first + (columns - 1) * step + 1 : step]
        if name != little:
            plane = plane.astype(fmt.dtype)
        if packed and packed.shift:
            plane = plane >> packed.shift
        planes.append(cast("Plane", plane))
    return tuple(planes)


def _upright(frame: av.VideoFrame) -> av.VideoFrame:
    """The same frame with its lines from top to bottom."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    graph.link_nodes(source, graph.add("copy"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def av_from_planes(planes: Sequence[Plane], fmt: PixelFormat) -> av.VideoFrame:
    """A new FFmpeg frame with these planes; times and tags are for the caller to set.

    Args:
        planes: in the order of `Frame.planes`, each (rows, columns) of `fmt.dtype`.
        fmt: their layout; the frame gets its name.

    Raises:
        ValueError: another number of planes, type or size than `fmt` asks for.
    """
    if len(planes) != fmt.num_planes:
        raise ValueError(f"{fmt.name} has {fmt.num_planes} planes, got {len(planes) = }")
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, fmt.name)
    for n, (plane, stored) in enumerate(zip(planes, _stored_order(fmt), strict=True)):
        size = plane_size(fmt, n, width=width, height=height)
        if plane.shape != size or plane.dtype != fmt.dtype:
            raise ValueError(
                f"plane {n} of {fmt.name} at {width}x{height} must be {fmt.dtype} {size}, "
                f"got {plane.dtype} {plane.shape}"
            )
        memory = frame.planes[stored]
        lines = _memory(memory)
        rows = lines.size // memory.line_size
        words = lines.reshape(rows, memory.line_size).view(fmt.dtype)
        words[: size[0], : size[1]] = plane
    return frame
