# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""The source's other streams, copied packet by packet beside the new video.

Packets are written in the order of their times; of the source, one packet at a time is held.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from upreel.video.captions import rewritten_codec, rewritten_packet
from upreel.video.containers import (
    OutputKind,
    add_copy,
    is_regenerated,
    kept_tags,
    stream_misfits,
)
from upreel.video.foreign import StreamSource, open_streams, stream_number
from upreel.video.info import SourceInfo
from upreel.video.notice import clock

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = ["Copies", "Cut"]

_PICTURE_TYPES = {
    "mjpeg": ("jpg", "image/jpeg"),
    "png": ("png", "image/png"),
    "bmp": ("bmp", "image/bmp"),
    "gif": ("gif", "image/gif"),
    "webp": ("webp", "image/webp"),
    "tiff": ("tif", "image/tiff"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """Which part of the source's time is kept, and how far it is moved, in seconds.

    Attributes:
        start: packets before it are left out, None to keep from the first.
        stop: packets from it on are left out, None to keep to the last.
        shift: added to every time.
    """

    start: Fraction | None = None
    stop: Fraction | None = None
    shift: Fraction = Fraction(0)


class Copies:
    """Context manager: the streams of a source other than the upscaled one, on their way out.

    Streams are added by `add_before` and `add_after` around the upscaled one, in the source's
    order; then `write_until` and `finish` write their packets.

    Attributes:
        notices: what could not be copied, one line each.
        num_streams: streams added.

    Args:
        info: the source. A pipe and pictures have no other streams.
        kind: the output's container; streams that it cannot hold are left out.
        audio: whether sound is copied.
        subtitles: whether subtitles are copied.
        cut: what is kept of the source's time.
    """

    def __init__(
        self, info: SourceInfo, kind: OutputKind, *, audio: bool, subtitles: bool, cut: Cut
    ) -> None:
        self.notices: list[str] = []
        self.num_streams = 0
        self._info = info
        self._kind = kind
        self._cut = cut
        self._foreign = info.container not in kind.demuxers
        self._unwanted = {"" if audio else "audio", "" if subtitles else "subtitle"}
        self._outputs: dict[int, Stream] = {}
        self._covers: dict[int, bytes] = {}
        self._last: dict[int, int] = {}
        self._started: set[int] = set()
        self._moved: set[int] = set()

    def __enter__(self) -> "Copies":
        with ExitStack() as stack:
            self.source: StreamSource | None = None
            self._wanted: list[Stream] = []
            if not self._info.is_sequence and self._info.seekable:
                self.source = stack.enter_context(open_streams(self._info))
                self._wanted = self._choose(self.source)
                self._covers = _cover_packets(self._info, self._wanted)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _choose(self, source: StreamSource) -> list[Stream]:
        refused = stream_misfits(source, self._kind)
        chapters = bool(source.chapters())
        return [
            stream
            for stream in source.streams
            if stream_number(self._info, stream.index) != self._info.video_index
            and stream.index not in refused
            and stream.type not in self._unwanted
            and not is_regenerated(stream, chapters=chapters)
        ]

    def chapters(self) -> "list[Chapter]":
        """The source's chapters."""
        return [] if self.source is None else list(self.source.chapters())

    def add_before(self, output: OutputContainer) -> None:
        """Add the streams that come before the upscaled one in the source."""
        self._add(output, [s for s in self._wanted if not self._is_after(s)])

    def add_after(self, output: OutputContainer) -> None:
        """Add the streams that come after the upscaled one in the source."""
        self._add(output, [s for s in self._wanted if self._is_after(s)])
        if self.source is not None:
            for stream in self.source.streams:
                if stream.index not in self._outputs:
                    stream.discard = Discard.all
            self._packets = self._demux(self.source)
        else:
            self._packets = iter(())
        self._head = next(self._packets, None)

    def _is_after(self, stream: Stream) -> bool:
        return stream_number(self._info, stream.index) > self._info.video_index

    def _add(self, output: OutputContainer, streams: list[Stream]) -> None:
        for stream in streams:
            self.num_streams += 1
            is_cover = bool(stream.disposition & Disposition.attached_pic)
            if is_cover and self._kind.muxer == "matroska":
                self._attach_cover(output, stream)
                continue
            copied = add_copy(output, stream)
            if stream.type != "attachment":
                self._outputs[stream.index] = copied

    def _attach_cover(self, output: OutputContainer, stream: Stream) -> None:
        data = self._covers.get(stream.index)
        codec = stream.codec_context.name
        if data is None:
            number = stream_number(self._info, stream.index)
            self.notices.append(f"cover art stream {number} is empty: it is left out")
            self.num_streams -= 1
            return
        ending, mime = _PICTURE_TYPES.get(codec, (codec, f"image/{codec}"))
        tags = stream.metadata
        attached = output.add_attachment(
            tags.get("filename", f"cover.{ending}"), tags.get("mimetype", mime), data
        )
        for key, value in kept_tags(tags).items():
            attached.metadata.setdefault(key, value)

    def _demux(self, source: StreamSource) -> Iterator[tuple[Fraction, Packet]]:
        """Packets to be written with the time at which they are due, in the source's order."""
        streams = [s for s in source.streams if s.index in self._outputs]
        if not streams:
            return
        due = Fraction(0)
        try:
            for packet in source.demux(streams):
                if packet.size == 0 and packet.dts is None:
                    continue
                stamp = packet.dts if packet.dts is not None else packet.pts
                if stamp is not None and packet.time_base:
                    due = stamp * Fraction(packet.time_base) + self._cut.shift
                if rewritten_codec(packet.stream, self._kind.muxer) is not None:
                    packet = _rewritten(packet)
                    if packet is None:  # no words in it
                        continue
                if self._fit(packet):
                    yield due, packet
        except av.FFmpegError as error:
            self.notices.append(
                f"the source is damaged at {clock(due - self._cut.shift)}: "
                f"its other streams end there ({error.strerror})"
            )

    def _fit(self, packet: Packet) -> bool:
        """Move a packet to the output's stream and time; False if it is cut off."""
        source = packet.stream
        index = source.index
        if source.disposition & Disposition.attached_pic:
            if index in self._started:
                return False
            self._started.add(index)
            packet.stream = self._outputs[index]
            return True
        if packet.size <= 2 and source.codec_context and source.codec_context.name == "mov_text":
            return False  # the muxer fills the gaps between captions itself
        base = Fraction(packet.time_base)
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.pts is None or packet.dts is None:
            self._tell(index, "has packets without a time: they are left out")
            return False
        if not self._inside(packet, base):
            return False
        shift = round(self._cut.shift / base)
        packet.pts += shift
        packet.dts += shift
        begins = packet.pts * base + _priming(source)
        if begins < 0 and self._kind.family == "matroska" and self._foreign:
            self._tell(
                index,
                "begins before 0, which this container cannot say: all times of the output are "
                "later by the same amount",
            )
        packet.stream = self._outputs[index]
        return self._rising(packet, index, base)

    def _inside(self, packet: Packet, base: Fraction) -> bool:
        start, stop = self._cut.start, self._cut.stop
        if packet.pts is None:
            return False
        time = packet.pts * base
        index = packet.stream.index
        if stop is not None and time >= stop:
            return False
        if start is not None and time < start:
            end = time + (packet.duration or 0) * base
            if packet.stream.type != "subtitle" or end <= start:
                return False
            gone = round(start / base) - packet.pts  # a caption that is on at the cut stays on
            packet.pts += gone
            packet.dts = packet.pts
            packet.duration = (packet.duration or 0) - gone
        if packet.stream.type == "video" and start is not None and index not in self._started:
            if not packet.is_keyframe:
                return False
            self._started.add(index)
        return True

    def _rising(self, packet: Packet, index: int, base: Fraction) -> bool:
        """Keep decoding times rising in the output's clock, as its muxer demands."""
        if self._kind.family == "matroska" or packet.dts is None or packet.pts is None:
            return True
        clock_ = Fraction(self._kind.clock or base)
        due = round(packet.dts * base / clock_)
        last = self._last.get(index)
        if last is not None and due <= last:
            due = last + 1
            packet.dts = -(-(due * clock_) // base) if clock_ != base else due
            packet.pts = max(packet.pts, packet.dts)
            self._tell(index, "has times that do not rise: they were moved by a tick")
        self._last[index] = due
        return True

    def _tell(self, index: int, what: str) -> None:
        if index not in self._moved:
            self._moved.add(index)
            number = stream_number(self._info, index)
            self.notices.append(f"stream {number} of the source {what}")

    def write_until(self, output: OutputContainer, time: Fraction) -> None:
        """Write the packets that are due at `time` (seconds, of the output) or before."""
        while self._head is not None and self._head[0] <= time:
            output.mux_one(self._head[1])
            self._head = next(self._packets, None)

    def finish(self, output: OutputContainer) -> None:
        """Write the packets that are left."""
        while self._head is not None:
            output.mux_one(self._head[1])
            self._head = next(self._packets, None)


def _priming(stream: Stream) -> Fraction:
    """Seconds before its start that a stream of sound may begin at, as Matroska tells of it.

    They are what its decoder swallows; Matroska's clock may add half a millisecond.
    """
    if not isinstance(stream, AudioStream) or not stream.codec_context.sample_rate:
        return Fraction(0)
    told = Fraction(stream.codec_context.delay, stream.codec_context.sample_rate)
    return told + Fraction(1, 2000) if told else told


def _rewritten(packet: Packet) -> Packet | None:
    """A text subtitle in the form of the other container."""
    data = rewritten_packet(packet.stream.codec_context.codec.canonical_name, bytes(packet))
    if not data:
        return None
    new = Packet(data)
    new.stream, new.time_base = packet.stream, packet.time_base
    new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
    return new


def _cover_packets(info: SourceInfo, streams: list[Stream]) -> dict[int, bytes]:
    """The pictures of cover art streams, by index."""
    wanted = [s.index for s in streams if s.disposition & Disposition.attached_pic]
    covers: dict[int, bytes] = {}
    if not wanted:
        return covers
    with open_streams(info) as source:
        for packet in source.demux([source.streams[index] for index in wanted]):
            if packet.size:
                covers.setdefault(packet.stream.index, bytes(packet))
            if len(covers) == len(wanted):
                break
    return covers
