"""What a source is: from its headers and its first second, decoded.

Nothing here is trusted further than it must be: numbers of frames and durations are hints, and
times come from `upreel.video.scan`.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import av.logging
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer
from av.stream import Stream
from av.video.stream import VideoStream

from upreel.errors import ProbeError
from upreel.video.fields import FRAMES_LOOKED_AT, detect_fields, show_fields
from upreel.video.formats import full_range_name, pixel_format
from upreel.video.frame import Colour
from upreel.video.hdr import hdr_info
from upreel.video.info import SourceInfo, StreamInfo
from upreel.video.source import (
    is_cover,
    is_sequence,
    open_picture,
    open_source,
    picture_stream,
    sequence_files,
)

__all__ = ["probe", "side_data_bytes", "siting_and_aspect", "stream_info"]

_PLACES = 4  # looked at further on, where flags and first pictures disagree
_log_level = threading.Lock()  # FFmpeg has one for all threads
_LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")


def probe(path: str | Path, *, sequence_rate: Fraction = Fraction(25)) -> SourceInfo:
    """Describe a source by its headers and first frames.

    Args:
        path: a file, a folder or ``%06d`` pattern of pictures, or "-" for y4m or Matroska on
            standard input (which stays readable: see `upreel.video.source`).
        sequence_rate: pictures a second of a sequence, which has no clock of its own.

    Raises:
        InputError: no such file or folder, or it may not be read.
        ProbeError: not a video, no decodable video stream, or an unsupported pixel format.
    """
    source = str(path)
    if is_sequence(source):
        return _probe_sequence(source, sequence_rate)
    name = "standard input" if source == "-" else source
    with open_source(source, last=False) as container:
        stream = picture_stream(container, name)
        frames = _first_frames(container, stream, FRAMES_LOOKED_AT)
        if not frames:
            raise ProbeError(
                f"{name}: none of its {stream.codec_context.name} video can be decoded"
            )
        info = _describe(source, container, stream, frames)
    if info.flagged_interlaced and not info.interlaced and _shows_fields_further_on(info):
        return replace(info, interlaced=True)
    return info


def _shows_fields_further_on(info: SourceInfo) -> bool:
    """Whether a video that is flagged as interlaced, and does not begin so, is so later on."""
    if info.duration is None or not info.seekable:
        return False
    for place in range(1, _PLACES + 1):
        with open_source(info.path) as container:
            stream = cast("VideoStream", container.streams[info.video_index])
            start = stream.start_time or 0
            try:
                time = start + int(info.duration * place / (_PLACES + 1) / info.time_base)
                container.seek(time, stream=stream)
            except FFmpegError:
                return False
            frames = _first_frames(container, stream, FRAMES_LOOKED_AT)
            whole = next((n for n, frame in enumerate(frames) if frame.key_frame), len(frames))
            if show_fields(frames[whole:]):  # those before it lack what they are made from
                return True
    return False


def _probe_sequence(path: str, rate: Fraction) -> SourceInfo:
    if rate <= 0:
        raise ProbeError(f"pictures a second must be above 0, got {rate}")
    files = sequence_files(path)
    with open_picture(files[0]) as container:
        stream = picture_stream(container, str(files[0]))
        frames = _first_frames(container, stream, 1)
        if not frames:
            raise ProbeError(f"{files[0]} cannot be decoded")
        info = _describe(path, container, stream, frames)
    only = StreamInfo(
        index=0, kind="video", codec=info.codec, time_base=1 / rate, start=0, duration=len(files)
    )
    return _as_sequence(info, only, rate, len(files))


def _as_sequence(info: SourceInfo, stream: StreamInfo, rate: Fraction, count: int) -> SourceInfo:
    return SourceInfo(
        path=info.path,
        container="image2",
        streams=(stream,),
        video_index=0,
        codec=info.codec,
        format=info.format,
        stored_format=info.stored_format,
        width=info.width,
        height=info.height,
        colour=info.colour,
        sample_aspect_ratio=info.sample_aspect_ratio,
        rotation=info.rotation,
        time_base=1 / rate,
        rate=rate,
        duration=count / rate,
        num_frames=count,
        hdr=info.hdr,
        is_sequence=True,
    )


def _first_frames(
    container: InputContainer, stream: VideoStream, count: int
) -> list[av.VideoFrame]:
    """Up to `count` frames; errors are passed over, as long as any frame can be decoded."""
    stream.codec_context.thread_type = "SLICE"
    stream.codec_context.flags |= Flags.output_corrupt
    frames: list[av.VideoFrame] = []
    packets = container.demux(stream)
    while len(frames) < count:
        try:
            packet = next(packets, None)
        except FFmpegError:  # the file breaks off
            break
        if packet is None:
            break
        try:
            frames += packet.decode()
        except FFmpegError:
            continue
    sound = [frame for frame in frames if not frame.is_corrupt]
    return (sound or frames)[:count]


def _describe(
    path: str, container: InputContainer, stream: VideoStream, frames: list[av.VideoFrame]
) -> SourceInfo:
    first = frames[0]
    fmt = pixel_format(first.format.name)
    time_base = _fraction(stream.time_base) or Fraction(1, 1000)
    location, sample_aspect_ratio = siting_and_aspect(first)
    colour = Colour(
        full_range=full_range_name(first.format.name) or {1: False, 2: True}.get(first.color_range),
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
        matrix=int(first.colorspace),
        chroma_location=location,
    )
    times = [frame.pts or 0 for frame in frames]
    fields = detect_fields(
        frames, times, pixel_format=fmt, field_order=int(stream.codec_context.field_order)
    )
    rate, twice = _rate(stream, frames, time_base)
    side_data = [side_data_bytes(frame) for frame in frames]
    streams = cast("Iterable[Stream]", container.streams)
    return SourceInfo(
        path=path,
        container=container.format.name,
        streams=tuple(stream_info(item) for item in streams),
        video_index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        format=fmt,
        stored_format=first.format.name,
        width=first.width,
        height=first.height,
        colour=colour,
        sample_aspect_ratio=_fraction(stream.sample_aspect_ratio) or sample_aspect_ratio,
        rotation=first.rotation,
        time_base=time_base,
        rate=rate,
        duration=_duration(container, stream, time_base),
        num_frames=None if twice else stream.frames or None,
        interlaced=fields.interlaced,
        flagged_interlaced=fields.flagged,
        looks_interlaced=fields.seen,
        top_field_first=fields.top_first,
        telecine=fields.telecine,
        hdr=hdr_info(side_data, transfer=colour.transfer, codec_tags=[str(stream.codec_tag)]),
        chapters=_chapters(container),
        metadata=dict(container.metadata),
        seekable=path != "-",
    )


def _rate(
    stream: VideoStream, frames: list[av.VideoFrame], time_base: Fraction
) -> tuple[Fraction | None, bool]:
    """Frames a second, and whether the container counts two fields for each of them."""
    average = _fraction(stream.average_rate)
    rate = average or _fraction(stream.guessed_rate)
    times = [frame.pts for frame in frames if frame.pts is not None]
    steps = sorted(after - before for before, after in pairwise(times))
    step = steps[len(steps) // 2] * time_base if steps else Fraction(0)
    if rate is None or step <= 0:
        return rate, False
    if any(frame.interlaced_frame for frame in frames) and abs(rate * step - 2) * 50 < 1:
        return rate / 2, True
    # Without an average, FFmpeg's guess may be no more than the ticks of the clock.
    return (1 / step if average is None and rate * step > 3 else rate), False


def side_data_bytes(frame: av.VideoFrame) -> dict[str, bytes]:
    """A frame's side data as bytes by FFmpeg's name.

    A frame with a kind that PyAV has no name for gives none at all.
    """
    try:
        return {item.type.name: bytes(item) for item in _side_data(frame)}
    except ValueError:
        return {}


def _side_data(frame: av.VideoFrame) -> Iterable[SideData]:
    # `frame.side_data` would keep what it makes, which keeps the frame: a ring that holds a whole
    # picture until Python happens to look for rings.
    make = cast("Callable[[av.VideoFrame], Iterable[SideData]]", SideDataContainer)
    return make(frame)


def siting_and_aspect(frame: av.VideoFrame) -> tuple[int, Fraction]:
    """Chroma location and sample aspect ratio of a frame.

    PyAV has no attribute for either. The filter ``showinfo`` prints both in its first line, on
    this thread's log, and to that end only.
    """
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    show = graph.add("showinfo", "checksum=0")
    graph.link_nodes(source, show, graph.add("buffersink")).configure()
    with _log_level:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            with av.logging.Capture(local=True) as lines:
                graph.vpush(frame)
                graph.vpull()
        finally:
            av.logging.set_level(level)
    text = "".join(message for _, name, message in lines if name == "showinfo")
    location = re.search(r"\bcl:(\w+)", text)
    ratio = re.search(r"\bsar:(\d+)/(\d+)", text)
    return (
        _LOCATIONS.index(location[1]) if location and location[1] in _LOCATIONS else 0,
        Fraction(int(ratio[1]), int(ratio[2])) if ratio and int(ratio[2]) else Fraction(0),
    )


def _fraction(value: Fraction | int | None) -> Fraction | None:
    return Fraction(value) if value else None


def _duration(
    container: InputContainer, stream: VideoStream, time_base: Fraction
) -> Fraction | None:
    if container.duration is not None and container.duration > 0:
        return Fraction(container.duration, 1_000_000)
    return stream.duration * time_base if stream.duration else None


def stream_info(stream: Stream) -> StreamInfo:
    """What a container says of one stream."""
    kind = stream.type if stream.type in ("video", "audio", "subtitle", "attachment") else "data"
    context = getattr(stream, "codec_context", None)
    return StreamInfo(
        index=stream.index,
        kind=kind,
        codec=context.codec.canonical_name if context is not None else "",
        time_base=_fraction(stream.time_base) or Fraction(1, 1000),
        start=stream.start_time,
        duration=stream.duration,
        language=stream.language or stream.metadata.get("language", ""),
        disposition=int(stream.disposition),
        cover_art=is_cover(stream) and stream.type == "video",
        metadata=dict(stream.metadata),
    )


def _chapters(container: InputContainer) -> tuple[tuple[Fraction, Fraction, str], ...]:
    return tuple(
        (
            chapter["start"] * chapter["time_base"],
            chapter["end"] * chapter["time_base"],
            chapter["metadata"].get("title", ""),
        )
        for chapter in container.chapters()
        if chapter["time_base"] is not None
    )
