# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Carried streams muxed again: the other half of `upreel.video.carry`."""

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from math import lcm
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from upreel.errors import BitstreamError, OutputError
from upreel.video.captions import rewritten_codec, rewritten_packet
from upreel.video.carry import CarriedPacket, CarriedStreams
from upreel.video.containers import OutputKind, add_copy, kept_tags, stream_misfits
from upreel.video.info import StreamInfo
from upreel.video.probe import stream_info

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = ["CarriedSource", "Restored", "RestoredStreams", "carried_infos", "open_template"]

Chapters = Sequence[tuple[Fraction, Fraction, str]]
"""(start, end, title), in seconds."""


class Restored:
    """Context manager: carried streams on their way into an output.

    `add_before` and `add_after` add them around the video, in the source's order. When the output
    has begun, `start` writes covers, and `write` takes the packets in the order of their times.

    Attributes:
        notices: what the output cannot hold, one line each.

    Args:
        carried: the streams.
        kind: the output's container.

    Raises:
        BitstreamError: the template is damaged.
    """

    def __init__(self, carried: CarriedStreams, kind: OutputKind) -> None:
        self.notices: list[str] = []
        self._carried = carried
        self._kind = kind
        self._streams: list[Stream] = []
        self._misfits: set[int] = set()
        self._outputs: dict[int, Stream] = {}
        self._pictures: dict[int, bytes] = {}
        self._last: dict[int, int] = {}

    def __enter__(self) -> "Restored":
        with ExitStack() as stack:
            if self._carried.template:
                template = stack.enter_context(open_template(self._carried.template))
                self._streams = list(template.streams)
                self._misfits = set(stream_misfits(template, self._kind))
                with open_template(self._carried.template) as again:
                    for packet in again.demux():
                        if packet.size:
                            self._pictures.setdefault(packet.stream.index, bytes(packet))
            places = [stream.template_index for stream in self._carried.streams]
            if max(places, default=-1) >= len(self._streams):
                raise BitstreamError("the template of the other streams lacks some of them")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def num_streams(self) -> int:
        """How many there are, those that the output cannot hold left out."""
        return len(self._streams) - len(self._misfits)

    @property
    def has_cover(self) -> bool:
        """Whether one of them is a picture beside the video."""
        return any(map(_is_cover, self._streams))

    def add_before(self, output: OutputContainer) -> None:
        """Add the streams that come before the video."""
        self._add(output, self._streams[: self._carried.video_place])

    def add_after(self, output: OutputContainer) -> None:
        """Add the streams that come after the video."""
        self._add(output, self._streams[self._carried.video_place :])

    def _add(self, output: OutputContainer, streams: list[Stream]) -> None:
        clocks = {s.template_index: s.time_base for s in self._carried.streams}
        for stream in streams:
            is_cover = _is_cover(stream)
            if stream.index in self._misfits:
                suffix = self._kind.suffixes[0]
                self.notices.append(f"{suffix} cannot hold {_name(stream)}: it is left out")
            elif is_cover and self._kind.muxer == "matroska":
                tags = stream.metadata
                attached = output.add_attachment(
                    tags.get("filename", "cover"),
                    tags.get("mimetype", "application/octet-stream"),
                    self._pictures.get(stream.index, b""),
                )
                for key, value in kept_tags(tags).items():
                    attached.metadata.setdefault(key, value)
            else:
                copied = add_copy(output, stream)
                if stream.index in clocks:
                    copied.time_base = clocks[stream.index]
                if stream.type != "attachment":
                    self._outputs[stream.index] = copied

    def start(self, output: OutputContainer) -> None:
        """Write what has no time: covers."""
        for index, copied in self._outputs.items():
            if _is_cover(self._streams[index]):
                packet = Packet(self._pictures.get(index, b""))
                packet.stream = copied
                packet.pts = packet.dts = 0
                packet.is_keyframe = True
                output.mux_one(packet)

    def write(self, output: OutputContainer, record: CarriedPacket) -> None:
        """Write one packet; those of streams that the output does not hold are dropped.

        Raises:
            BitstreamError: there is no stream of that number.
            OutputError: the container refuses the packet.
        """
        if not 1 <= record.stream <= len(self._carried.streams):
            raise BitstreamError(f"no stream {record.stream} is described, but it has packets")
        carried = self._carried.streams[record.stream - 1]
        copied = self._outputs.get(carried.template_index)
        if copied is None:
            return
        stream = self._streams[carried.template_index]
        data = record.data
        if rewritten_codec(stream, self._kind.muxer) is not None:
            data = rewritten_packet(stream.codec_context.codec.canonical_name, data)
        packet = _packet(replace(record, data=data), copied, carried.time_base)
        self._keep_rising(packet, record.stream)
        try:
            output.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"{_name(stream)} cannot be written: {error}") from error

    def _keep_rising(self, packet: Packet, number: int) -> None:
        """MP4 and MPEG-TS want decoding times that rise."""
        if self._kind.family == "matroska" or packet.dts is None or packet.pts is None:
            return
        last = self._last.get(number)
        if last is not None and packet.dts <= last:
            packet.dts = last + 1
            packet.pts = max(packet.pts, packet.dts)
        self._last[number] = packet.dts


class RestoredStreams:
    """Carried streams in the order of their times, as `upreel.video.join.join` takes them.

    Attributes:
        notices: what the output cannot hold, one line each.
        num_streams: streams of the output beside the video.

    Args:
        restored: them, entered.
        packets: theirs, in the order in which they are due.
        time_bases: seconds a tick of each stream, in their order.
        chapters: (start, end, title) in seconds.
        shift: added to every time, seconds.
    """

    def __init__(
        self,
        restored: Restored,
        packets: Iterator[CarriedPacket],
        *,
        time_bases: Sequence[Fraction],
        chapters: Chapters = (),
        shift: Fraction = Fraction(0),
    ) -> None:
        self.notices = restored.notices
        self.num_streams = restored.num_streams
        self._restored = restored
        self._packets = packets
        self._bases = time_bases
        self._chapters = chapters
        self._shift = shift
        self._head: CarriedPacket | None = None

    def __enter__(self) -> "RestoredStreams":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open here."""

    def add_before(self, output: OutputContainer) -> None:
        """Add the streams that come before the video."""
        self._restored.add_before(output)

    def add_after(self, output: OutputContainer) -> None:
        """Add the streams that come after the video, and write covers."""
        self._restored.add_after(output)
        self._head = self._moved()
        self._begun = False

    def write_until(self, output: OutputContainer, time: Fraction) -> None:
        """Write the packets that are due at `time` (seconds, of the output) or before."""
        self._begin(output)
        while self._head is not None and self._due(self._head) <= time:
            self._restored.write(output, self._head)
            self._head = self._moved()

    def finish(self, output: OutputContainer) -> None:
        """Write the packets that are left."""
        self._begin(output)
        while self._head is not None:
            self._restored.write(output, self._head)
            self._head = self._moved()

    def _begin(self, output: OutputContainer) -> None:
        if not self._begun:
            self._begun = True
            self._restored.start(output)

    def chapters(self) -> "list[Chapter]":
        """The source's chapters."""
        return _chapters(self._chapters)

    def _due(self, record: CarriedPacket) -> Fraction:
        return record.dts * self._bases[record.stream - 1]

    def _moved(self) -> CarriedPacket | None:
        record = next(self._packets, None)
        if record is None or not 1 <= record.stream <= len(self._bases):
            return None if record is None else self._moved()
        later = round(self._shift / self._bases[record.stream - 1])
        return replace(record, pts=record.pts + later, dts=record.dts + later)


class CarriedSource:
    """Carried streams read like those of a container: see `upreel.video.foreign.StreamSource`.

    Attributes:
        streams: the template's, with the clocks that their packets have; the video is not there.

    Args:
        carried: the streams.
        packets: their packets from about a time on (seconds; None: from the first), in the order
            in which they are due.
        chapters: of the source.

    Raises:
        BitstreamError: the template is damaged, or lacks a stream.
    """

    def __init__(
        self,
        carried: CarriedStreams,
        packets: Callable[[Fraction | None], Generator[CarriedPacket]],
        *,
        chapters: Chapters = (),
    ) -> None:
        self.streams: list[Any] = []
        self._carried, self._packets, self._chapters = carried, packets, chapters
        self._start: Fraction | None = None
        self._template: InputContainer | None = None
        if carried.template:
            self._template = open_template(carried.template)
            self.streams = list(self._template.streams)
        for stream in carried.streams:
            if stream.template_index >= len(self.streams):
                self._close()
                raise BitstreamError("the template of the other streams lacks some of them")
            self.streams[stream.template_index].time_base = stream.time_base

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._template is not None:
            self._template.close()

    def chapters(self) -> "list[Chapter]":
        """The source's chapters."""
        return _chapters(self._chapters)

    def seek(self, offset: int) -> None:
        """Go on with packets of about a time, in microseconds, or of an earlier one."""
        self._start = Fraction(offset, av.time_base)

    def demux(self, streams: Stream | Sequence[Stream]) -> Iterator[Packet]:
        """The packets of a stream, or of several: covers first, then the others as they are due."""
        chosen = list(streams) if isinstance(streams, Sequence) else [streams]
        wanted = {stream.index for stream in chosen}
        if self._template is not None and any(map(_is_cover, chosen)):
            for packet in self._template.demux():
                if packet.size and packet.stream.index in wanted:
                    packet.pts = packet.dts = 0
                    yield packet
        records = self._packets(self._start)
        try:
            for record in records:
                packet = self.packet(record)
                if packet is not None and packet.stream.index in wanted:
                    yield packet
        finally:
            records.close()

    def packet(self, record: CarriedPacket) -> Packet | None:
        """A packet of one of `streams`, None if it is of none that is described."""
        if not 1 <= record.stream <= len(self._carried.streams):
            return None
        carried = self._carried.streams[record.stream - 1]
        return _packet(record, self.streams[carried.template_index], carried.time_base)


def _packet(record: CarriedPacket, stream: Stream, base: Fraction) -> Packet:
    packet = Packet(record.data)
    packet.stream, packet.time_base = stream, base
    packet.pts, packet.dts, packet.duration = record.pts, record.dts, record.duration
    packet.is_keyframe, packet.is_corrupt = record.keyframe, record.corrupt
    return packet


def _chapters(chapters: Chapters) -> "list[Chapter]":
    """Chapters as PyAV has them, their times exact."""
    found: list[Chapter] = []
    for number, (start, end, title) in enumerate(chapters, 1):
        clock = lcm(start.denominator, end.denominator)
        found.append(
            {
                "id": number,
                "start": int(start * clock),
                "end": int(end * clock),
                "time_base": Fraction(1, clock),
                "metadata": {"title": title} if title else {},
            }
        )
    return found


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def carried_infos(carried: CarriedStreams) -> tuple[StreamInfo, ...]:
    """What the template says of its streams, those without packets among them.

    Raises:
        BitstreamError: the template is damaged.
    """
    if not carried.template:
        return ()
    with open_template(carried.template) as template:
        return tuple(stream_info(stream) for stream in template.streams)


def open_template(template: bytes) -> InputContainer:
    """Open a template; the caller closes it.

    Raises:
        BitstreamError: it is damaged.
    """
    try:
        return av.open(io.BytesIO(template), "r", format="matroska")
    except (av.FFmpegError, ValueError) as error:
        raise BitstreamError("the template of the other streams is damaged") from error


def _name(stream: Stream) -> str:
    context = getattr(stream, "codec_context", None)
    codec = context.name if context is not None else stream.metadata.get("filename", "")
    return f"{stream.type} stream {stream.index} {codec}".rstrip()
