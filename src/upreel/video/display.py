# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part.
"""Pictures of any kind as screens take them: 4:2:0, 8 bits, limited range, BT.601 or BT.709.

What is so already is passed on as it is. Full range goes through a table; everything else, HDR
and other chroma siting too, through FFmpeg's scale filter, which tone-maps PQ and HLG into the
range of SDR. No R'G'B' is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.format import VideoFormat

from upreel.video.formats import av_from_planes, full_range_name, pixel_format, planes_from_av
from upreel.video.frame import Plane

__all__ = ["DISPLAY", "DisplayConverter", "SitedScaler", "is_hdr"]

DISPLAY = pixel_format("yuv420p")
"""The pixel format of all pictures on their way to a screen."""

_HDR = (16, 18)  # PQ, HLG
_KNOWN = {1: "bt709", 4: "bt470bg", 5: "bt470bg", 6: "smpte170m"}
_Table = npt.NDArray[np.uint8]


def is_hdr(transfer: int) -> bool:
    """Whether a transfer characteristic (H.273) is PQ or HLG."""
    return transfer in _HDR


def _table(span: int) -> _Table:
    """Code values of full range in limited range: `span` levels about the same middle or black."""
    levels = np.arange(256)
    black, middle = (16, 0) if span == 219 else (128, 128)
    return np.rint((levels - middle) * span / 255 + black).astype(np.uint8)


_LUMA, _CHROMA = _table(219), _table(224)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What of a picture decides how it is converted."""

    name: str
    width: int
    height: int
    full_range: bool
    transfer: int
    matrix: int


class DisplayConverter:
    """Decoded pictures to planes for the screen, whatever comes.

    Args:
        left: whether 4:2:0 has its chroma at the left, as all but old codecs' and JPEG's has;
            other siting is moved there.

    Attributes:
        bt709: whether the planes made last are of BT.709's matrix; of BT.601's else.
    """

    def __init__(self, *, left: bool = True) -> None:
        self.bt709 = False
        self._left = left
        self._kind: _Kind | None = None
        self._graph: Graph | None = None
        self._count = 0

    def __call__(self, frame: av.VideoFrame) -> tuple[Plane, ...]:
        """Y, Cb and Cr, uint8; of pictures that need no change views of the decoder's memory.

        Raises:
            ProbeError: a pixel format that cannot be read.
        """
        kind = _Kind(
            frame.format.name,
            frame.width,
            frame.height,
            full_range_name(frame.format.name) or int(frame.color_range) == 2,
            int(frame.color_trc),
            int(frame.colorspace),
        )
        if kind != self._kind:
            self._kind = kind
            self._prepare(kind)
        if self._graph is None:
            planes = planes_from_av(frame, DISPLAY)
        else:
            frame.pts, frame.time_base = self._count, Fraction(1, 25)
            self._count += 1
            self._graph.vpush(frame)
            planes = planes_from_av(self._graph.vpull(), DISPLAY)
        if kind.full_range and not self._widened:
            tables = (_LUMA, _CHROMA, _CHROMA)
            planes = tuple(table[plane] for table, plane in zip(tables, planes, strict=True))
        return planes

    def _prepare(self, kind: _Kind) -> None:
        fmt = pixel_format(kind.name)
        hdr = is_hdr(kind.transfer)
        # Players take what is not tagged by its size, and so does whoever made it.
        self.bt709 = kind.matrix == 1 or (kind.matrix not in _KNOWN and kind.height > 576)
        direct = fmt == DISPLAY and kind.name in ("yuv420p", "yuvj420p") and self._left
        known = kind.matrix in (*_KNOWN, 2) and fmt.model != "rgb"
        self._graph, self._widened = None, False
        if direct and known and not hdr:
            return
        to = "bt709" if self.bt709 or hdr else "smpte170m"
        self.bt709 = to == "bt709"
        options = "flags=bicubic+accurate_rnd+full_chroma_int:out_chroma_loc=left:threads=1"
        if hdr or not known:
            options += f":out_color_matrix={to}:out_range=tv"
            self._widened = True
        elif kind.full_range:
            options += ":in_range=pc:out_range=pc"
        if hdr:
            options += ":out_primaries=bt709:out_transfer=bt709"
        self._graph = _graph(kind.name, kind.width, kind.height, options)


class SitedScaler:
    """4:2:0 pictures to another size by Lanczos, chroma kept where it belongs, at the left.

    FFmpeg's scaler moves chroma by up to a quarter of a sample of the source if it isn't told.

    Args:
        width: columns of luma, in.
        height: rows of luma, in.
        size: columns and rows, out.
    """

    def __init__(self, width: int, height: int, size: tuple[int, int]) -> None:
        options = f"{size[0]}:{size[1]}:flags=lanczos:in_chroma_loc=left:out_chroma_loc=left"
        same = (width, height) == size
        self._graph = None if same else _graph("yuv420p", width, height, options)
        self._count = 0

    def __call__(self, planes: Sequence[Plane]) -> tuple[Plane, ...]:
        """Planes of `DISPLAY`, in and out."""
        if self._graph is None:
            return tuple(planes)
        picture = av_from_planes(planes, DISPLAY)
        picture.pts, picture.time_base = self._count, Fraction(1, 25)
        self._count += 1
        self._graph.vpush(picture)
        return planes_from_av(self._graph.vpull(), DISPLAY)


def _graph(name: str, width: int, height: int, options: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=VideoFormat(name, width, height),
        time_base=Fraction(1, 25),
    )  # fmt: skip
    nodes = (
        graph.add("scale", options),
        graph.add("format", DISPLAY.name),
        graph.add("buffersink"),
    )
    graph.link_nodes(source, *nodes).configure()
    return graph
