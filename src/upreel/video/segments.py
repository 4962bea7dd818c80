# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""A video cut into stretches, each made on its own: copied packet by packet, or encoded small.

Stretches begin at key frames of the source where copying wants that, and are the same for all
sizes of a video, so that a player may change from one to another at any of them. Any stretch may
be made first; nothing is carried from one to the next. Decoding times are those of the whole film:
the k-th packet takes the k-th display time, less a delay in frames that all versions share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from upreel.errors import DamagedError
from upreel.video.containers import add_copy
from upreel.video.encode import add_encoder
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import av_from_planes
from upreel.video.fragments import Fragment, FragmentMuxer
from upreel.video.frame import Colour, PixelFormat
from upreel.video.info import SourceInfo, Timeline
from upreel.video.order import decoding_times
from upreel.video.read import read_frames
from upreel.video.source import open_source

__all__ = [
    "COPIED",
    "Cutting",
    "Stretch",
    "copy_misfit",
    "copy_video",
    "cut_video",
    "encode_video",
    "encoded_init",
    "resized",
    "small_settings",
    "small_width",
]

COPIED = ("h264", "hevc", "av1", "vp9")
"""Codecs, by FFmpeg's name, that are sent as they are."""

_REORDER = 2  # places that x264 moves a packet by at most
_BEFORE = Fraction(1, 10)  # seconds of sound before a stream's own start: what decoders swallow
_LONGEST = 15  # seconds between key frames that copying puts up with
_YUV420 = PixelFormat(name="yuv420p", model="yuv", bits=8, log2_chroma=(1, 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Some frames in a row.

    Attributes:
        first: index of the first frame.
        stop: index after the last one.
        start: time of the first frame, ticks of the video's clock.
        end: time at which the next stretch begins, or the last frame ends.
    """

    first: int
    stop: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cutting:
    """How a video is cut, the same for all of its versions.

    Attributes:
        timeline: the video's times.
        stretches: what it is cut into.
        shift: whole seconds added to every time of every track, so that none is below 0.
        due: decoding times of the film's packets, ticks before `shift`, int64 (N,).
        misfit: why it is not sent as it is, None if it is.
    """

    timeline: Timeline
    stretches: tuple[Stretch, ...]
    shift: int
    due: npt.NDArray[np.int64]
    misfit: str | None

    def seconds(self, number: int) -> Fraction:
        """How long a stretch lasts."""
        stretch = self.stretches[number]
        return (stretch.end - stretch.start) * self.timeline.time_base

    def span(self, number: int) -> tuple[Fraction | None, Fraction | None]:
        """Times at which a stretch begins and ends, in seconds of the source; None: open.

        The first one takes what comes before the picture, the last what comes after it.
        """
        base, last = self.timeline.time_base, len(self.stretches) - 1
        stretch = self.stretches[number]
        return (
            None if number == 0 else stretch.start * base,
            None if number == last else stretch.end * base,
        )


def copy_misfit(info: SourceInfo, timeline: Timeline) -> str | None:
    """Why a video cannot be sent as it is, or None if it can."""
    if info.codec not in COPIED:
        return f"{info.codec} is not among {', '.join(COPIED)}"
    if info.is_sequence or not timeline.exact:
        return "its packets tell no exact times"
    if info.interlaced:
        return "it is interlaced, which browsers do not undo"
    if not len(timeline.keyframes) or timeline.keyframes[0] != 0:
        return "it does not begin with a key frame"
    if info.time_base.numerator != 1:
        return "its clock is not a whole number of ticks a second"
    if _longest_gap(timeline) > _LONGEST:
        return f"its key frames are more than {_LONGEST} s apart"
    return None


def _longest_gap(timeline: Timeline) -> float:
    """Seconds between two key frames, or from the last one to the end, at most."""
    gaps = np.diff([*timeline.pts[timeline.keyframes], timeline.pts[-1]])
    return float(gaps.max(initial=0) * timeline.time_base)


def cut_video(info: SourceInfo, timeline: Timeline, *, seconds: Fraction) -> Cutting:
    """Cut a video into stretches of about so many seconds.

    Args:
        info: the source.
        timeline: its times.
        seconds: a stretch ends at the first place that is this long after its start, or later:
            at a key frame if the video can be sent as it is, else at any frame. Of a foreign
            source at key frames, too: with a network behind them, frames are too dear to be
            decoded twice.
    """
    misfit = copy_misfit(info, timeline)
    at_keyframes = misfit is None or (
        info.foreign is not None
        and len(timeline.keyframes) > 0
        and _longest_gap(timeline) <= _LONGEST
    )
    due = decoding_times(timeline.pts, max(timeline.delay, _REORDER))
    starts = [int(due[0]) * timeline.time_base]
    starts += [
        stream.start * stream.time_base - _BEFORE
        for stream in info.streams
        if stream.kind == "audio" and stream.start is not None
    ]
    return Cutting(
        timeline=timeline,
        stretches=_stretches(timeline, seconds, at_keyframes=at_keyframes),
        shift=-floor(min(starts)),
        due=due,
        misfit=misfit,
    )


def _stretches(timeline: Timeline, seconds: Fraction, *, at_keyframes: bool) -> tuple[Stretch, ...]:
    places = timeline.keyframes if at_keyframes else np.arange(len(timeline.pts))
    times = timeline.pts[places]
    wanted = max(int(seconds / timeline.time_base), 1)
    firsts = [0]
    while True:
        k = int(np.searchsorted(times, int(timeline.pts[firsts[-1]]) + wanted))
        if k >= len(places):
            break
        firsts.append(int(places[k]))
    starts = [int(timeline.pts[first]) for first in firsts]
    stops = [*firsts[1:], len(timeline.pts)]
    ends = [*starts[1:], int(timeline.pts[-1]) + timeline.last_duration]
    return tuple(
        Stretch(first=first, stop=stop, start=start, end=end)
        for first, stop, start, end in zip(firsts, stops, starts, ends, strict=True)
    )


def copy_video(info: SourceInfo, cutting: Cutting, number: int) -> Fragment:
    """A stretch of a video as it is.

    Args:
        info: the source.
        cutting: one without a `misfit`.
        number: of the stretch.

    Raises:
        DamagedError: its packets are not where they were when the timeline was made.
    """
    stretch, pts = cutting.stretches[number], cutting.timeline.pts
    until = None if stretch.stop >= len(pts) else int(pts[stretch.stop])
    for seek in (True, False):  # where seeking misses: from the start, without decoding
        with open_source(info.path) as container:
            stream = cast("VideoStream", container.streams[info.video_index])
            packets = _packets_between(container, stream, stretch.start, until, seek=seek)
            if packets is None:
                continue
            muxer = FragmentMuxer(info.time_base.denominator)
            target = add_copy(muxer.container, stream)
            target.time_base = info.time_base
            if info.codec == "hevc":  # not "hev1": Apple's players want it so
                cast("VideoStream", target).codec_context.codec_tag = "hvc1"
            _set_times(packets, cutting, info.time_base)
            muxer.add(target, packets)
            return muxer.fragment(number)
    raise DamagedError(f"{info.path}: frame {stretch.first} is not where it was")


def _set_times(packets: list[Packet], cutting: Cutting, clock: Fraction) -> None:
    """Set decoding times and durations by the film's, and shift all."""
    line = cutting.timeline
    factor = int(line.time_base / clock)  # an encoder's clock may be finer
    moved = int(cutting.shift / clock)
    place = int(np.searchsorted(line.pts * factor, min(packet.pts or 0 for packet in packets)))
    for k, packet in enumerate(packets, start=place):
        due = int(cutting.due[min(k, len(cutting.due) - 1)])
        after = int(cutting.due[k + 1]) if k + 1 < len(cutting.due) else due + line.last_duration
        packet.pts = (packet.pts or 0) + moved
        packet.dts = due * factor + moved
        packet.duration = max((after - due) * factor, 1)


def _packets_between(
    container: InputContainer,
    stream: VideoStream,
    start: int,
    until: int | None,
    *,
    seek: bool,
) -> list[Packet] | None:
    """Packets from the key frame at `start` to that at `until`; None if the first is not found."""
    packets: list[Packet] = []
    try:
        if seek:
            container.seek(start, stream=stream)
        for packet in container.demux(stream):
            if not packet.size or packet.pts is None:
                continue
            if packet.is_keyframe and not packets and packet.pts > start:
                return None
            if packet.is_keyframe and until is not None and packet.pts >= until:
                break
            if (packets or (packet.is_keyframe and packet.pts == start)) and not packet.is_discard:
                packets.append(packet)
    except av.FFmpegError:
        pass  # the file breaks off here: what came before is the video
    return packets or None


def small_width(info: SourceInfo, height: int) -> int:
    """Columns of a version of so many rows with square pixels: even, the picture's shape kept.

    Example:
        >>> from types import SimpleNamespace
        >>> dvd = SimpleNamespace(width=720, height=576, sample_aspect_ratio=Fraction(64, 45))
        >>> small_width(dvd, 288)
        512
    """
    shown = info.width * (info.sample_aspect_ratio or 1)
    return max(2 * round(shown * height / info.height / 2), 2)


def small_settings(
    info: SourceInfo, *, height: int, max_rate: int, preset: str = "veryfast", threads: int = 1
) -> EncoderSettings:
    """How a version of so many rows is encoded: H.264, 8 bits, 4:2:0, as every player takes it.

    Args:
        info: the source.
        height: rows, even.
        max_rate: bits a second that it is held to.
        preset: of x264.
        threads: of x264.
    """
    colour = info.colour
    if info.format.model == "rgb":
        colour = Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=1)
    return EncoderSettings(
        encoder="x264",
        format=_YUV420,
        width=small_width(info, height),
        height=height,
        time_base=Fraction(1, info.time_base.denominator),
        rate=info.rate,
        crf=23,
        preset=preset,
        threads=threads,
        colour=colour,
        sample_aspect_ratio=Fraction(1),
        options={
            "profile": "main",
            "maxrate": str(max_rate),
            "bufsize": str(max_rate),
            "g": "100000",
            "sc_threshold": "0",
        },
    )


def encoded_init(info: SourceInfo, settings: EncoderSettings) -> bytes:
    """The init segment of an encoded version, before any of it is encoded."""
    muxer = FragmentMuxer(settings.time_base.denominator, header_first=True)
    stream = add_encoder(muxer.container, settings)
    if info.rotation:
        stream.set_display_rotation(info.rotation)
    return muxer.header().init


def encode_video(
    info: SourceInfo,
    cutting: Cutting,
    number: int,
    settings: EncoderSettings,
    on_frame: Callable[[], None] | None = None,
) -> Fragment:
    """A stretch of a video in another size, every frame and its time kept.

    Args:
        info: the source.
        cutting: how it is cut.
        number: of the stretch.
        settings: from `small_settings`.
        on_frame: called before each frame; what it raises ends the work.

    Raises:
        InputError: the source cannot be read there.
    """
    stretch = cutting.stretches[number]
    muxer = FragmentMuxer(settings.time_base.denominator, header_first=True)
    stream = add_encoder(muxer.container, settings)
    if info.rotation:
        stream.set_display_rotation(info.rotation)
    scaler = VideoReformatter()
    packets: list[Packet] = []
    for frame in read_frames(
        info, timeline=cutting.timeline, first=stretch.first, stop=stretch.stop, threads=1
    ):
        if on_frame is not None:
            on_frame()
        picture = resized(av_from_planes(frame.planes, frame.format), settings, scaler)
        picture.pts = frame.pts * info.time_base.numerator
        packets += stream.encode(picture)
    packets += stream.encode(None)
    _set_times(packets, cutting, settings.time_base)
    muxer.add(stream, packets)
    return muxer.fragment(number)


def resized(
    picture: av.VideoFrame, settings: EncoderSettings, scaler: VideoReformatter
) -> av.VideoFrame:
    """A picture in an encoder's size and format, its time base set and its PTS not."""
    wanted = settings.colour
    colours = {}
    if picture.format.is_rgb:  # all others keep their colours: swscale is told of none
        colours = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
    small = scaler.reformat(
        picture,
        width=settings.width,
        height=settings.height,
        format=settings.format.name,
        interpolation="BICUBIC",
        threads=1,
        **colours,
    )
    if small is picture:  # it had that size and format; what is set here is not to be its own
        small = picture.reformat(format=settings.format.name)
    small.time_base = settings.time_base
    small.pict_type = 0
    small.color_range = 2 if wanted.full_range else 1
    small.color_primaries, small.color_trc = wanted.primaries, wanted.transfer
    small.colorspace = wanted.matrix
    return small
