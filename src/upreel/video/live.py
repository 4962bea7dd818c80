# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""A live source in pieces of a few seconds, as they come: copied where that is possible, and small.

Nothing is held but the piece that is being made. Pictures that come faster than they can be encoded
are left out of the small versions, so that these do not fall behind.
"""

import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Literal, cast

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from upreel.errors import DamagedError, InputError, OptionError
from upreel.video.codec_names import codec_name
from upreel.video.containers import add_copy
from upreel.video.encode import add_encoder
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.fragments import Fragment, FragmentMuxer
from upreel.video.frame import Colour
from upreel.video.info import SourceInfo
from upreel.video.segments import COPIED, resized, small_settings
from upreel.video.sounds import BLOCK, LEAD_BLOCKS, encode_blocks

__all__ = [
    "LIVE_SCHEMES",
    "REMOTE_PROTOCOLS",
    "LivePiece",
    "LiveTrack",
    "check_live_source",
    "live_pieces",
]

LIVE_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "udp", "rtp", "srt", "tcp")
"""What a live source's address may begin with."""

REMOTE_PROTOCOLS = "http,https,tcp,tls,crypto,httpproxy,udp,rtp,rtsp,rtmp,srt,srtp"
"""FFmpeg's protocols that an address of another machine may lead to: no file of this one."""

_WAIT = 10.0  # seconds without a byte after which a source is given up
_LEAD = 10  # seconds at which a stream's times begin, so that none is below 0
_LONGEST = 12  # seconds between key frames that copying puts up with
_MOST_BYTES = 64 << 20  # of a piece
_LATE = 2.0  # seconds behind after which pictures are left out
_JUMP = 10  # seconds by which times may jump
_RATE = 48000


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveTrack:
    """One rendition of a live stream.

    Attributes:
        name: in URLs.
        kind: what it carries.
        codec: RFC 6381's name.
        width: columns, 0 for sound.
        height: rows, 0 for sound.
        peak_rate: bits a second at most; for copied video that of the first piece.
    """

    name: str
    kind: Literal["video", "audio"]
    codec: str
    width: int = 0
    height: int = 0
    peak_rate: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LivePiece:
    """A piece of one rendition.

    Attributes:
        track: of which it is.
        number: counted from the first of this connection.
        seconds: how long it lasts.
        fragment: what is sent.
    """

    track: LiveTrack
    number: int
    seconds: float
    fragment: Fragment


def check_live_source(source: str) -> None:
    """Refuse what cannot be a live source.

    Raises:
        OptionError: no address, device or "-".
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if source == "-" or re.fullmatch(r"/dev/video\d+", source) or scheme in LIVE_SCHEMES:
        return
    raise OptionError(
        f"--live takes an address ({', '.join(f'{name}://' for name in LIVE_SCHEMES)}), "
        f"/dev/videoN or -, got {source!r}"
    )


def _open(source: str) -> InputContainer:
    try:
        if source == "-":
            return av.open(sys.stdin.buffer, "r", metadata_errors="replace")
        if source.startswith("/dev/"):
            return av.open(source, "r", format="v4l2", timeout=_WAIT)
        options = {"protocol_whitelist": REMOTE_PROTOCOLS}
        if source.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        return av.open(source, "r", options=options, timeout=_WAIT, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the live source cannot be opened: {reason}") from error


def live_pieces(
    source: str, *, rungs: tuple[int, ...], seconds: int, check: Callable[[], None]
) -> Iterator[LivePiece]:
    """Pieces of all renditions until the source ends.

    Args:
        source: an address, ``/dev/videoN`` or "-".
        rungs: heights of the small versions; those that are smaller than it are made.
        seconds: least length of a piece.
        check: called now and then; what it raises ends the work.

    Raises:
        InputError: it cannot be opened, or breaks off.
    """
    check_live_source(source)
    with _open(source) as container:
        if not container.streams.video:
            raise InputError("the live source has no video")
        maker = _Maker(container, rungs, seconds)
        try:
            for packet in container.demux(maker.streams):
                check()
                if packet.size:
                    yield from maker.take(packet)
            yield from maker.end()
        except av.FFmpegError as error:
            raise InputError(f"the live source broke off: {error.strerror}") from error


class _Maker:
    """Pieces from packets."""

    def __init__(self, container: InputContainer, rungs: tuple[int, ...], seconds: int) -> None:
        self._video: VideoStream = container.streams.video[0]
        sounds = container.streams.audio
        self._sound = _Sound(sounds[0], seconds) if sounds else None
        self.streams = [self._video, *sounds[:1]]
        self._rungs = rungs
        self._seconds = seconds
        context = self._video.codec_context
        needs_header = context.codec.canonical_name in ("h264", "hevc")
        self._copies = context.codec.canonical_name in COPIED and bool(
            context.extradata or not needs_header
        )
        self._base = Fraction(self._video.time_base or Fraction(1, 90_000))
        self._origin: int | None = None  # ticks of the first key frame
        self._last = 0
        self._began = 0.0
        self._packets: list[Packet] = []
        self._num_bytes = self._number = 0
        self._copied_track: LiveTrack | None = None
        self._cuts: deque[int] = deque()  # where pieces end, for the small versions
        self._small: _Small | None = None

    def take(self, packet: Packet) -> Iterator[LivePiece]:
        if packet.stream.type == "audio":
            if self._sound is not None and self._origin is not None:
                yield from self._sound.take(packet, self._origin * self._base)
            return
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.pts is None:
            return
        if self._origin is None:
            if not packet.is_keyframe:
                return
            self._origin = self._last = packet.pts
            self._began = time.monotonic()
        if abs(packet.pts - self._last) * self._base > _JUMP:
            raise DamagedError("the live source's times jump")
        self._last = packet.pts
        frames = self._decoded(packet) if not self._copies or self._rungs else []
        if self._copies:
            yield from self._copy(packet)
        for frame in frames:
            yield from self._encode(frame)

    def end(self) -> Iterator[LivePiece]:
        """What is left when the source ends."""
        if self._origin is None:
            return
        if self._packets:
            yield self._copied(self._packets[-1].pts or 0)
        if self._small is not None:
            try:
                rest = self._video.codec_context.decode(None)
            except av.FFmpegError:
                rest = []
            for frame in rest:
                yield from self._encode(frame)
            yield from self._small.close(None)
        if self._sound is not None:
            yield from self._sound.cut(None)

    def _decoded(self, packet: Packet) -> list[av.VideoFrame]:
        try:
            return [cast("av.VideoFrame", frame) for frame in packet.decode()]
        except av.FFmpegError:
            return []  # damaged: the next key frame mends it

    def _copy(self, packet: Packet) -> Iterator[LivePiece]:
        pts = packet.pts or 0
        if self._packets:
            lasted = (pts - (self._packets[0].pts or 0)) * self._base
            if packet.is_keyframe and lasted >= self._seconds:
                yield self._copied(pts)
                if self._small is not None or self._rungs:
                    self._cuts.append(pts)
                if self._sound is not None:
                    yield from self._sound.cut(self._seconds_at(pts))
            elif lasted > _LONGEST or self._num_bytes > _MOST_BYTES:
                raise DamagedError(f"the live source shows no key frame for {_LONGEST} s")
        self._num_bytes += packet.size
        self._packets.append(packet)

    def _seconds_at(self, pts: int) -> Fraction:
        return (pts - (self._origin or 0)) * self._base

    def _copied(self, end: int) -> LivePiece:
        packets, self._packets, self._num_bytes = self._packets, [], 0
        begin = packets[0].pts or 0
        moved = round(_LEAD / self._base) - (self._origin or 0)
        due: int | None = None
        for packet in packets:
            wanted = packet.dts if packet.dts is not None else packet.pts or 0
            due = wanted if due is None else max(wanted, due + 1)
            packet.dts = due + moved
            packet.pts = max((packet.pts or 0) + moved, packet.dts)
        muxer = FragmentMuxer(self._base.denominator)
        target = add_copy(muxer.container, self._video)
        target.time_base = self._base
        context = self._video.codec_context
        if context.codec.canonical_name == "hevc":
            cast("VideoStream", target).codec_context.codec_tag = "hvc1"
        muxer.add(target, packets)
        fragment = muxer.fragment(self._number)
        lasted = float(max(end - begin, 1) * self._base)
        if self._copied_track is None:
            self._copied_track = LiveTrack(
                name="source",
                kind="video",
                codec=codec_name(fragment.init),
                width=context.width,
                height=context.height,
                peak_rate=round(len(fragment.media) * 8 * 2 / lasted),
            )
        number, self._number = self._number, self._number + 1
        return LivePiece(track=self._copied_track, number=number, seconds=lasted, fragment=fragment)

    def _encode(self, frame: av.VideoFrame) -> Iterator[LivePiece]:
        if frame.pts is None or self._origin is None or frame.pts < self._origin:
            return
        if self._small is None:
            heights = [height for height in self._rungs if height < frame.height]
            self._small = _Small(frame, self._video, heights, full=not self._copies)
        elapsed = self._seconds_at(frame.pts)
        if self._copies:
            ends = bool(self._cuts) and frame.pts >= self._cuts[0]
            if ends:
                self._cuts.popleft()
        else:
            ends = elapsed - self._small.begin >= self._seconds
        if ends:
            yield from self._small.close(elapsed)
            if not self._copies and self._sound is not None:
                yield from self._sound.cut(elapsed)
        late = time.monotonic() - self._began - float(elapsed)
        self._small.take(frame, elapsed, late=late > _LATE)


class _Small:
    """The encoded versions: all of them cut at the same frames."""

    def __init__(
        self, frame: av.VideoFrame, stream: VideoStream, heights: list[int], *, full: bool
    ) -> None:
        info = _described(frame, stream)
        wanted = [("source", min(frame.height // 2 * 2, 1080))] if full else []
        wanted += [(f"{height}p", height) for height in reversed(heights)]
        self._versions: list[tuple[str, EncoderSettings]] = []
        for name, height in wanted:
            wide = small_settings(info, height=height, max_rate=1000)
            rate = int(wide.width * height * (info.rate or 25) * Fraction(12, 100))
            settings = small_settings(
                info, height=height, max_rate=min(max(rate, 120_000), 8 << 20)
            )
            options = {**settings.options, "tune": "zerolatency", "bf": "0"}
            self._versions.append((name, replace(settings, options=options)))
        self._base = info.time_base
        self._scaler = VideoReformatter()
        self.begin = Fraction(0)
        self._number = 0
        self._origin = frame.pts or 0
        self._last: Fraction | None = None
        self._open()

    def _open(self) -> None:
        self._making: list[tuple[FragmentMuxer, VideoStream, list[Packet]]] = []
        for _, settings in self._versions:
            muxer = FragmentMuxer(settings.time_base.denominator, header_first=True)
            self._making.append((muxer, add_encoder(muxer.container, settings), []))
        self._count = 0

    def take(self, frame: av.VideoFrame, elapsed: Fraction, *, late: bool) -> None:
        """Encode a frame, unless it is late; a piece's first one always is."""
        if (late and self._count) or (self._last is not None and elapsed <= self._last):
            return
        self._count += 1
        self._last = elapsed
        for (_, settings), (_, stream, packets) in zip(self._versions, self._making, strict=True):
            picture = resized(frame, settings, self._scaler)
            picture.pts = round((elapsed + _LEAD) / settings.time_base)
            packets += stream.encode(picture)

    def close(self, end: Fraction | None) -> Iterator[LivePiece]:
        """The pieces up to `end`, None for all that there is."""
        if not self._count:
            return
        step = Fraction(1, 25)
        lasted = max((self._last or Fraction(0)) + step if end is None else end, step) - self.begin
        for (name, settings), (muxer, stream, packets) in zip(
            self._versions, self._making, strict=True
        ):
            packets += stream.encode(None)
            for packet in packets:
                packet.dts = packet.pts
            muxer.add(stream, packets)
            fragment = muxer.fragment(self._number)
            track = LiveTrack(
                name=name,
                kind="video",
                codec=codec_name(fragment.init),
                width=settings.width,
                height=settings.height,
                peak_rate=int(settings.options["maxrate"]) * 5 // 4,
            )
            yield LivePiece(
                track=track, number=self._number, seconds=float(lasted), fragment=fragment
            )
        self._number += 1
        if end is not None:
            self.begin = end
            self._open()
        else:
            self._count = 0


def _described(frame: av.VideoFrame, stream: VideoStream) -> SourceInfo:
    """As much of a live source as `small_settings` asks for."""
    return SourceInfo(
        path="-",
        container="",
        streams=(),
        video_index=stream.index,
        codec=stream.codec_context.name,
        format=pixel_format(frame.format.name),
        stored_format=frame.format.name,
        width=frame.width,
        height=frame.height,
        colour=Colour(
            full_range={1: False, 2: True}.get(int(frame.color_range)),
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
            matrix=int(frame.colorspace),
        ),
        sample_aspect_ratio=Fraction(stream.sample_aspect_ratio or 0),
        rotation=0,
        time_base=Fraction(1, 90_000),
        rate=Fraction(stream.average_rate) if stream.average_rate else None,
        duration=None,
        num_frames=None,
    )


class _Sound:
    """The sound: AAC on a grid of blocks, cut with the video a moment later."""

    def __init__(self, stream: AudioStream, seconds: int) -> None:
        channels = stream.codec_context.layout.nb_channels
        self._layout = "mono" if channels == 1 else "stereo"
        self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=_RATE)
        self._samples = np.zeros((1 if channels == 1 else 2, 0), np.float32)
        self._origin = 0  # block that `samples` begin with
        self._first = 0  # block that the next piece begins with
        self._begin = Fraction(0)
        self._ends: deque[Fraction] = deque()
        self._most = (seconds + 2 * _LONGEST) * _RATE
        self._number = 0
        self._anchored = False  # smaller steps later on are the clock's rounding

    def take(self, packet: Packet, origin: Fraction) -> Iterator[LivePiece]:
        """Decode a packet; pieces whose sound is complete come out."""
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            if frame.pts is None or not frame.time_base:
                continue
            place = round((frame.pts * Fraction(frame.time_base) - origin) * _RATE)
            frame.pts = None
            try:
                pieces = self._resampler.resample(frame)
            except ValueError:  # another form than before, as broadcasts have
                self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=_RATE)
                pieces = self._resampler.resample(frame)
            for piece in pieces:
                self._append(np.asarray(piece.to_ndarray(), np.float32), place)
                place += piece.samples
        while self._ends and self._stop >= _block(self._ends[0]) + 2:
            yield self._piece(self._ends.popleft())

    @property
    def _stop(self) -> int:
        return self._origin + self._samples.shape[1] // BLOCK

    def _append(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]], at: int) -> None:
        """Add samples where they belong: silence before them, or what overlaps cut off."""
        held = self._origin * BLOCK + self._samples.shape[1]
        if abs(at - held) > _RATE // 20 or not self._anchored:
            self._anchored = True
            if at > held:
                gap = min(at - held, self._most)
                self._samples = np.pad(self._samples, ((0, 0), (0, gap)))
            else:
                samples = samples[:, held - at :]
        self._samples = np.concatenate((self._samples, samples), axis=1)[:, : self._most]

    def cut(self, end: Fraction | None) -> Iterator[LivePiece]:
        """A piece of the video has ended; a piece of sound that still waits goes as it is."""
        while self._ends:
            yield self._piece(self._ends.popleft())
        if end is not None:
            self._ends.append(end)
        elif self._stop > self._first:
            yield self._piece(Fraction(self._stop * BLOCK, _RATE))

    def _piece(self, end: Fraction) -> LivePiece:
        stop = max(_block(end), self._first + 1)
        fragment = encode_blocks(
            self._samples, self._origin, (self._first, stop), _RATE, self._layout, self._number,
            shift=_LEAD,
        )  # fmt: skip
        seconds = float(end - self._begin)
        kept = max(stop - LEAD_BLOCKS, self._origin)
        self._samples = self._samples[:, (kept - self._origin) * BLOCK :]
        self._origin, self._first, self._begin = kept, stop, end
        number, self._number = self._number, self._number + 1
        track = LiveTrack(name="audio", kind="audio", codec="mp4a.40.2", peak_rate=160_000)
        return LivePiece(track=track, number=number, seconds=seconds, fragment=fragment)


def _block(seconds: Fraction) -> int:
    return ceil(seconds * _RATE / BLOCK)
