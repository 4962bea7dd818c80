"""The decoder's loop: packets in, decoded frames out, errors noted and passed over."""

from collections.abc import Iterator
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from upreel.video.info import SourceInfo, Timeline
from upreel.video.source import open_source

__all__ = ["RereadError", "decode_from"]


class RereadError(Exception):
    """This reading cannot go on exactly; another one will: caught by the reader, never shown.

    Attributes:
        damage: True where one thread is to decode what follows, False where seeking missed.
    """

    def __init__(self, why: str, *, damage: bool) -> None:
        super().__init__(why)
        self.damage = damage


def decode_from(
    info: SourceInfo,
    timeline: Timeline | None,
    first: int,
    *,
    threads: int,
    stop_at_damage: bool,
) -> Iterator[av.VideoFrame | None]:
    """Frames in display order, beginning at or before frame `first`; None where a packet failed.

    Args:
        info: the source.
        timeline: an exact one to seek by; None to decode from the start.
        first: index of the first frame that will be used.
        threads: of the decoder, 0 for as many as there are cores.
        stop_at_damage: raise `RereadError` at the first error instead of going on.

    Raises:
        RereadError: seeking did not land where the timeline says, or see `stop_at_damage`.
    """
    with open_source(info.path) as container:
        stream = cast("VideoStream", container.streams[info.video_index])
        context = stream.codec_context
        context.thread_count = threads
        context.thread_type = "NONE" if threads == 1 else "AUTO"
        context.flags |= Flags.output_corrupt
        landing = _seek(container, stream, timeline, first) if timeline is not None else None
        for frame in _decoded(container, stream, stop_at_damage=stop_at_damage):
            if landing is not None and timeline is not None and frame is not None:
                _check(timeline, frame, landing)
                landing = None
            yield frame


def _seek(
    container: InputContainer, stream: VideoStream, timeline: Timeline, first: int
) -> int | None:
    """Go to the keyframe before the one that `first` depends on; None: stay at the start."""
    before = int(np.searchsorted(timeline.keyframes, first, side="right")) - 2
    if before < 1:
        return None
    target = int(timeline.keyframes[before])
    try:
        container.seek(int(timeline.pts[target]), stream=stream)
    except FFmpegError as error:
        raise RereadError("seeking failed", damage=False) from error
    return target


def _check(timeline: Timeline, frame: av.VideoFrame, landing: int) -> None:
    """The first frame after seeking must be one of the timeline's, no later than intended."""
    pts = frame.pts
    index = int(np.searchsorted(timeline.pts, pts)) if pts is not None else len(timeline.pts)
    if index > landing or timeline.pts[index] != pts:
        raise RereadError("seeking did not land on a known frame", damage=False)


def _decoded(
    container: InputContainer, stream: VideoStream, *, stop_at_damage: bool
) -> Iterator[av.VideoFrame | None]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:  # the file breaks off: take what the decoder still holds
            yield from _flushed(stream)
            return
        if packet is None:
            return
        if packet.is_discard and packet.size == 0:
            continue
        try:
            frames = packet.decode()
        except FFmpegError as error:
            if stop_at_damage:
                raise RereadError("damage", damage=True) from error
            yield None
            continue
        yield from frames


def _flushed(stream: VideoStream) -> list[av.VideoFrame]:
    try:
        return stream.codec_context.decode()  # pyright: ignore[reportUnknownMemberType]
    except FFmpegError:
        return []
