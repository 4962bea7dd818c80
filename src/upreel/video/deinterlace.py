"""Two fields of different times become one frame: ``bwdif``, one frame out for each one in.

The filter sees a frame and its two neighbours, so one frame of context on either side makes a
part's result the same as that of reading straight through. It doubles the clock of its output even
when it keeps the number of frames: frames are matched by order, and keep their own times.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as NothingLeftError
from av.filter import Graph
from av.video.format import VideoFormat

from upreel.video.formats import av_from_planes, planes_from_av
from upreel.video.frame import Frame

__all__ = ["deinterlaced"]

_SMALLEST = (3, 4)  # columns and rows that bwdif takes


def deinterlaced(frames: Iterable[Frame], *, top_first: bool) -> Iterator[Frame]:
    """Deinterlace all frames; planes change, nothing else but the field flags.

    Args:
        frames: in display order, of one format and size.
        top_first: which field is the earlier one.

    Yields:
        As many frames as came in, one frame later. Frames too small for the filter as they are.
    """
    waiting: deque[Frame] = deque()
    graph: Graph | None = None
    for frame in frames:
        if frame.width < _SMALLEST[0] or frame.height < _SMALLEST[1]:
            yield frame
            continue
        if graph is None:
            graph = _graph(frame, top_first=top_first)
        picture = av_from_planes(frame.planes, frame.format)
        picture.pts, picture.time_base = frame.index, Fraction(1, 25)
        graph.vpush(picture)
        waiting.append(frame)
        yield from _pulled(graph, waiting)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, waiting)


def _graph(frame: Frame, *, top_first: bool) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=VideoFormat(frame.format.name, frame.width, frame.height),
        time_base=Fraction(1, 25),
    )
    parity = "tff" if top_first else "bff"
    step = graph.add("bwdif", f"mode=send_frame:parity={parity}:deint=all")
    graph.link_nodes(source, step, graph.add("buffersink")).configure()
    return graph


def _pulled(graph: Graph, waiting: deque[Frame]) -> Iterator[Frame]:
    """All frames that the filter has ready, each with the description of its source."""
    while True:
        try:
            picture = graph.vpull()
        except (NothingYetError, NothingLeftError):
            return
        frame = waiting.popleft()
        yield replace(
            frame,
            planes=planes_from_av(picture, frame.format),
            interlaced=False,
            top_field_first=False,
        )
