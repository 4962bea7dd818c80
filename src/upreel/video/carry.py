# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""The source's other streams on their way through a container that FFmpeg does not know.

A *template* is a Matroska file that holds the streams and not one of their packets: codec,
parameters, language, disposition, attachments. The packets travel beside it as plain records, and
both together are muxed again by `upreel.video.restore`. What Matroska cannot hold is left out by
name; text subtitles of MP4 become SubRip, AAC loses the header that MPEG-TS puts before each
packet (ADTS).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from upreel.errors import DamagedError, InputError
from upreel.video.captions import rewritten_codec, rewritten_packet
from upreel.video.containers import (
    add_copy,
    is_regenerated,
    kept_tags,
    output_kind,
    stream_misfits,
)
from upreel.video.foreign import open_streams, stream_number
from upreel.video.info import SourceInfo, StreamInfo
from upreel.video.mux import Cut

__all__ = [
    "MAX_CARRIED",
    "MAX_TEMPLATE",
    "Carriage",
    "CarriedPacket",
    "CarriedStream",
    "CarriedStreams",
    "carried_packets",
    "carry",
]

MAX_CARRIED = 255
"""Streams with packets, at most."""

MAX_TEMPLATE = 15 << 20
"""Bytes of a template, at most: covers and attached files are left out rather than exceed it."""

_EMPTY_CLUSTER = bytes.fromhex("1f43b675 83 e78100")  # without one, FFmpeg takes no such file
_PICTURES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}


@dataclass(frozen=True, kw_only=True, slots=True)
class CarriedStream:
    """One stream whose packets are carried.

    Attributes:
        template_index: its number in the template.
        time_base: seconds a tick of its packets.
    """

    template_index: int
    time_base: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class CarriedStreams:
    """The streams of a source other than its video.

    Attributes:
        template: a Matroska file without packets; empty if there are no such streams.
        video_place: how many of the template's streams come before the video.
        streams: those with packets, which call their stream by its place here, from 1 on.
    """

    template: bytes = b""
    video_place: int = 0
    streams: tuple[CarriedStream, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CarriedPacket:
    """One packet of another stream.

    Attributes:
        stream: place of its stream in `CarriedStreams.streams`, from 1 on.
        data: its bytes.
        pts: when it is shown, ticks of its stream's time base.
        dts: when it is decoded, ticks.
        duration: ticks, 0 if not known.
        keyframe: whether decoding may start from it.
        corrupt: whether the source says that it is damaged.
    """

    stream: int
    data: bytes
    pts: int
    dts: int
    duration: int = 0
    keyframe: bool = True
    corrupt: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Carriage:
    """What `carry` found.

    Attributes:
        streams: what goes into the header.
        sources: place in what `open_streams` gives of each of `streams.streams`.
        notices: what is left out or changed, one line each.
    """

    streams: CarriedStreams
    sources: tuple[int, ...]
    notices: tuple[str, ...]


def carry(info: SourceInfo, *, audio: bool = True, subtitles: bool = True) -> Carriage:
    """Find the streams of a source that can be carried, and make their template.

    Args:
        info: the source. A pipe and pictures have no other streams.
        audio: whether sound is carried.
        subtitles: whether subtitles are carried.
    """
    if info.is_sequence or not info.seekable:
        return Carriage(streams=CarriedStreams(), sources=(), notices=())
    kind = output_kind(".mkv")
    unwanted = {"" if audio else "audio", "" if subtitles else "subtitle"}
    names = {stream.index: _name(stream) for stream in info.streams}
    video = None if info.foreign is not None else info.video_index
    notices: list[str] = []
    with open_streams(info) as source:
        chapters = bool(source.chapters())
        wanted = [
            stream
            for stream in source.streams
            if stream.index != video
            and stream.type not in unwanted
            and not is_regenerated(stream, chapters=chapters)
        ]
        misfits = set(stream_misfits(source, kind))
        firsts = _first_packets(info, wanted)
        configs = {
            stream.index: aac_config(firsts.get(stream.index, b""))
            for stream in wanted
            if _has_adts(stream)
        }
        misfits |= {index for index, config in configs.items() if not config}
        misfits |= {s.index for s in wanted if _is_cover(s) and not firsts.get(s.index)}
        kept = [stream for stream in wanted if stream.index not in misfits]
        kept.sort(key=lambda stream: not _has_packets(stream))  # Matroska has attachments last
        template = _template(kept, firsts, configs)
        foreign = _foreign(kept, template)
        if len(template) > MAX_TEMPLATE:
            foreign |= {stream.index for stream in kept if not _has_packets(stream)}
        if foreign:
            kept = [stream for stream in kept if stream.index not in foreign]
            template = _template(kept, firsts, configs)
        notices += [
            f".upv cannot hold {names[stream_number(info, stream.index)]}: it is left out"
            for stream in wanted
            if stream.index in misfits | foreign
        ]
        notices += [
            f"{names[stream_number(info, stream.index)]} becomes SubRip: words and times are kept"
            for stream in kept
            if rewritten_codec(stream, kind.muxer) is not None
        ]
        moving = [(place, stream) for place, stream in enumerate(kept) if _has_packets(stream)]
        if len(kept) > MAX_CARRIED:
            raise InputError(f"{len(kept)} streams beside the video, of {MAX_CARRIED} at most")
        streams = CarriedStreams(
            template=template,
            video_place=sum(
                stream_number(info, stream.index) < info.video_index for _, stream in moving
            ),
            streams=tuple(
                CarriedStream(template_index=place, time_base=Fraction(stream.time_base or 1))
                for place, stream in moving
            ),
        )
        sources = tuple(stream.index for _, stream in moving)
    return Carriage(streams=streams, sources=sources, notices=tuple(notices))


def _name(stream: StreamInfo) -> str:
    kind = "cover art" if stream.cover_art else stream.kind
    language = f" ({stream.language})" if stream.language else ""
    name = stream.codec or stream.metadata.get("filename", "")
    return f"{kind} stream {stream.index}{language} {name}".rstrip()


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _has_packets(stream: Stream) -> bool:
    return stream.type != "attachment" and not _is_cover(stream)


def _has_adts(stream: Stream) -> bool:
    if stream.type != "audio":
        return False
    context = stream.codec_context
    return context.codec.canonical_name == "aac" and not context.extradata


def _first_packets(info: SourceInfo, streams: list[Stream]) -> dict[int, bytes]:
    """The pictures of covers, and a packet of each AAC stream that does not describe itself."""
    wanted = {s.index for s in streams if _is_cover(s) or _has_adts(s)}
    found: dict[int, bytes] = {}
    if not wanted:
        return found
    with open_streams(info) as source:
        for packet in source.demux([source.streams[index] for index in sorted(wanted)]):
            if packet.size:
                found.setdefault(packet.stream.index, bytes(packet))
            if len(found) == len(wanted):
                break
    return found


def aac_config(packet: bytes) -> bytes:
    """What a container says of AAC once (AudioSpecificConfig), from a packet's ADTS header.

    Nothing if there is no such header, or if the packet itself describes its channels.

    Example:
        >>> aac_config(bytes.fromhex("fff14c80013ffc")).hex()
        '1190'
    """
    if adts_size(packet) == 0:
        return b""
    profile, rate = packet[2] >> 6, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    if not channels or rate > 12:
        return b""
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def adts_size(packet: bytes) -> int:
    """Bytes of the header that MPEG-TS puts before a packet of AAC, 0 if there is none."""
    if len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return 0
    return 7 if packet[1] & 1 else 9


def _template(streams: list[Stream], firsts: dict[int, bytes], configs: dict[int, bytes]) -> bytes:
    if not streams:
        return b""
    file = io.BytesIO()
    options = {"fflags": "+bitexact", "strict": "experimental"}
    with av.open(file, "w", format="matroska", options=options) as output:
        for stream in streams:
            if _is_cover(stream):
                _attach(output, stream, firsts.get(stream.index, b""))
                continue
            copied = add_copy(output, stream)
            if stream.index in configs:
                copied.codec_context.extradata = configs[stream.index]
        output.start_encoding()
        head = file.getvalue()  # what closing adds would need packets
    return head + _EMPTY_CLUSTER


def _attach(output: OutputContainer, stream: Stream, data: bytes) -> None:
    codec = stream.codec_context.name
    ending, mime = _PICTURES.get(codec, (codec, f"image/{codec}"))
    tags = stream.metadata
    attached = output.add_attachment(
        tags.get("filename", f"cover.{ending}"), tags.get("mimetype", mime), data
    )
    for key, value in kept_tags(tags).items():
        attached.metadata.setdefault(key, value)


def _foreign(streams: list[Stream], template: bytes) -> set[int]:
    """Streams whose packets the template does not describe: H.264 of MPEG-TS, for one."""
    if not template:
        return set()
    with av.open(io.BytesIO(template)) as opened:
        if len(opened.streams) != len(streams):
            raise InputError("its other streams cannot be carried: leave them out")
        return {
            stream.index
            for stream, described in zip(streams, opened.streams, strict=True)
            if stream.type == "video"
            and not _is_cover(stream)
            and stream.codec_context.extradata != described.codec_context.extradata
        }


def carried_packets(
    info: SourceInfo, carriage: Carriage, cut: Cut | None = None
) -> Iterator[tuple[Fraction, CarriedPacket]]:
    """The packets of the carried streams in the source's order, each with its time in seconds.

    Packets without any time are left out, and so are empty captions.

    Args:
        info: the source.
        carriage: what `carry` said of it.
        cut: which part of the source's time is kept and how far it is moved, None for all of it.

    Raises:
        DamagedError: the source breaks off here.
    """
    if not carriage.sources:
        return
    numbers = {index: place + 1 for place, index in enumerate(carriage.sources)}
    with open_streams(info) as source:
        streams = [source.streams[index] for index in carriage.sources]
        kinds = {stream.index: stream.type for stream in streams}
        begun: set[int] = set()
        adts = {stream.index for stream in streams if _has_adts(stream)}
        rewritten = {s.index: rewritten_codec(s, "matroska") is not None for s in streams}
        packets = source.demux(streams)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                raise DamagedError(f"its other streams end there: {error.strerror}") from error
            if packet is None:
                return
            index = packet.stream.index
            record = _record(packet, numbers[index])
            if record is None:
                continue
            if index in adts:
                record = replace(record, data=record.data[adts_size(record.data) :])
            elif rewritten[index]:
                codec = packet.stream.codec_context.codec.canonical_name
                record = replace(record, data=rewritten_packet(codec, record.data))
            if not record.data:
                continue
            base = Fraction(packet.time_base)
            if cut is not None:
                begins = index in begun or record.keyframe or cut.start is None
                if kinds[index] == "video" and not begins:
                    continue
                kept = _cut_out(record, kinds[index], base, cut)
                if kept is None:
                    continue
                record = kept
                begun.add(index)
            yield record.dts * base, record


def _cut_out(record: CarriedPacket, kind: str, base: Fraction, cut: Cut) -> CarriedPacket | None:
    """A packet moved with the film; None if it is not within what is kept."""
    time = record.pts * base
    if cut.stop is not None and time >= cut.stop:
        return None
    if cut.start is not None and time < cut.start:
        end = time + record.duration * base
        if kind != "subtitle" or end <= cut.start:
            return None
        gone = round(cut.start / base) - record.pts  # a caption that is on at the cut stays on
        begin = record.pts + gone
        record = replace(record, pts=begin, dts=begin, duration=max(record.duration - gone, 0))
    shift = round(cut.shift / base)
    return replace(record, pts=record.pts + shift, dts=record.dts + shift)


def _record(packet: Packet, stream: int) -> CarriedPacket | None:
    pts = packet.pts if packet.pts is not None else packet.dts
    dts = packet.dts if packet.dts is not None else packet.pts
    if pts is None or dts is None or not packet.size:
        return None
    return CarriedPacket(
        stream=stream,
        data=bytes(packet),
        pts=pts,
        dts=dts,
        duration=max(packet.duration or 0, 0),
        keyframe=bool(packet.is_keyframe),
        corrupt=bool(packet.is_corrupt),
    )
