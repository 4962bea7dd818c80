# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeArgument=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters.
"""What a file's streams carry, packet by packet, in a form that two containers can be compared in.

Eight bytes of hash and one time a packet: whole films fit into memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b

import av
from av.container import InputContainer
from av.stream import AttachmentStream, Disposition, Stream

from upreel.video.captions import caption_text
from upreel.video.carry import CarriedPacket, CarriedStreams
from upreel.video.containers import is_regenerated, kept_tags
from upreel.video.info import SourceInfo
from upreel.video.restore import open_template
from upreel.video.source import open_source

__all__ = ["Carried", "carried_streams", "common_shift", "restored_streams"]


@dataclass(kw_only=True, slots=True, eq=False)
class Carried:
    """One stream other than the upscaled one.

    Attributes:
        index: its number in the file.
        kind: what it carries, "cover" for an attached picture.
        codec: FFmpeg's name, or the name of an attached file.
        clock: seconds a tick.
        tags: language, title and others.
        disposition: FFmpeg's bits.
        hashes: one for each packet; of an attachment, of its data.
        times: display time of each packet, seconds; none for covers and attachments.
    """

    index: int
    kind: str
    codec: str
    clock: Fraction
    tags: dict[str, str]
    disposition: int
    hashes: list[bytes] = field(default_factory=list[bytes])
    times: list[Fraction] = field(default_factory=list[Fraction])

    @property
    def name(self) -> str:
        """For messages: kind, number, language, codec."""
        language = self.tags.get("language", "")
        spoken = f" ({language})" if language not in ("", "und") else ""
        return f"{self.kind} stream {self.index}{spoken} {self.codec}".rstrip()


def carried_streams(info: SourceInfo) -> list[Carried]:
    """All streams but the upscaled one, with their packets; empty for pipes and pictures.

    Chapter titles and time code of MP4 are left out: they are compared as tags.
    """
    if info.foreign is not None:
        return info.foreign.carried()
    if info.is_sequence or not info.seekable:
        return []
    with open_source(info.path) as source:
        chapters = bool(source.chapters())
        streams = [
            stream
            for stream in source.streams
            if stream.index != info.video_index and not is_regenerated(stream, chapters=chapters)
        ]
        found = _contents(source, streams)
    return list(found.values())


def restored_streams(
    carried: CarriedStreams, packets: Iterable[CarriedPacket], numbers: Sequence[int]
) -> list[Carried]:
    """Streams that were carried through a foreign container, as `carried_streams` gives others.

    Args:
        carried: the streams.
        packets: theirs, in any order.
        numbers: what to call each of the template's streams.

    Raises:
        BitstreamError: the template is damaged.
    """
    if not carried.template:
        return []
    with open_template(carried.template) as template:
        found = _contents(template, list(template.streams))
    for record in packets:
        if 1 <= record.stream <= len(carried.streams):
            stream = carried.streams[record.stream - 1]
            if stream.template_index in found:
                place = found[stream.template_index]
                place.clock = stream.time_base
                _take(place, record.data, record.pts * stream.time_base)
    for place, number in zip(found.values(), numbers, strict=True):
        place.index = number
    return list(found.values())


def _contents(source: InputContainer, streams: list[Stream]) -> dict[int, Carried]:
    """Streams of an opened container by their numbers in it."""
    found = {stream.index: _carried(stream) for stream in streams}
    moving: list[Stream] = []
    for stream in streams:
        if isinstance(stream, AttachmentStream):
            found[stream.index].hashes.append(_digest(stream.data))
        else:
            moving.append(stream)
    try:
        for packet in source.demux(moving) if moving else ():
            stamp = packet.pts if packet.pts is not None else packet.dts
            time = None if stamp is None else stamp * Fraction(packet.time_base)
            _take(found[packet.stream.index], bytes(packet), time)
    except av.FFmpegError:
        pass  # a damaged end: what came before it counts
    return found


def _carried(stream: Stream) -> Carried:
    is_cover = bool(stream.disposition & Disposition.attached_pic)
    coded = stream.type in ("video", "audio", "subtitle")
    codec = stream.codec_context.codec.canonical_name if coded else stream.name or ""
    return Carried(
        index=stream.index,
        kind="cover" if is_cover else stream.type,
        codec=codec,
        clock=Fraction(stream.time_base or 1),
        tags=kept_tags(stream.metadata),
        disposition=int(stream.disposition),
    )


def _take(carried: Carried, data: bytes, time: Fraction | None) -> None:
    if not data or (carried.kind == "cover" and carried.hashes):
        return
    words = caption_text(carried.codec, data)
    if words is not None:
        if not words:
            return  # a gap between captions, which each muxer writes in its own way
        data = words.encode()  # the same in each container's form
    if carried.kind != "cover":
        if time is None:
            return
        carried.times.append(time)
    carried.hashes.append(_digest(_without_framing(carried.codec, data)))


def _without_framing(codec: str, data: bytes) -> bytes:
    """The payload without what a container adds: AAC has a header of its own in MPEG-TS (ADTS)."""
    if codec == "aac" and len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
        return data[7 if data[1] & 1 else 9 :]
    return data


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()


def common_shift(
    pairs: list[tuple[list[Fraction], list[Fraction], Fraction]],
) -> tuple[Fraction, Fraction] | None:
    """The shifts of an output by which all of its times lie within half a tick of the source's.

    Args:
        pairs: for each stream the source's times, the output's and the coarser clock, seconds.

    Returns:
        The least and the largest such shift, None if there is none: then some stream has moved
        against another, or single times have.

    Example:
        >>> tick = Fraction(1, 10)
        >>> common_shift([([Fraction(0), Fraction(1)], [Fraction(2), Fraction(3)], tick)])
        (Fraction(39, 20), Fraction(41, 20))
    """
    low: Fraction | None = None
    high: Fraction | None = None
    for source, output, tick in pairs:
        moved = [b - a for a, b in zip(source, output, strict=True)]
        if not moved:
            continue
        least, most = max(moved) - tick / 2, min(moved) + tick / 2
        low = least if low is None else max(low, least)
        high = most if high is None else min(high, most)
    if low is None or high is None:
        return Fraction(0), Fraction(0)
    return (low, high) if low <= high else None
