r"""Packets of an .upv stream: one record a packet, and its bytes.

    marker   2  0x9C 0xE5
    type     1  lower half: `PacketType`; upper half: flags of packets of other streams
    number   1  quality of video, number of another stream, else 0
    pts      1 to 10, signed
    lead     1 to 10, signed: pts less dts; only where the flag says so
    duration 1 to 10
    length   1 to 10, of the payload
    CRC-32   4  of all from the type on
    payload     and its CRC-32, 4; both are missing where the length is 0

Numbers of several bytes are big-endian, or as `upreel.codec.numbers` has them.
"""

import zlib
from dataclasses import dataclass, replace
from enum import IntEnum

from upreel.codec.numbers import (
    MAX_SIGNED,
    Buffer,
    IncompleteError,
    pack_signed,
    pack_unsigned,
    unpack_signed,
    unpack_unsigned,
)
from upreel.errors import BitstreamError

__all__ = [
    "MARKER",
    "MAX_PAYLOAD",
    "MAX_QUALITY",
    "MAX_STREAMS",
    "Packet",
    "PacketHead",
    "PacketType",
    "checksum",
    "pack_packet",
    "unpack_head",
]

MARKER = b"\x9c\xe5"
MAX_PAYLOAD = 1 << 26
"""Bytes of a payload, at most: 64 MiB."""
MAX_QUALITY = 63
MAX_STREAMS = 255
"""Other streams, at most."""

_CRC_BYTES = 4
_KEYFRAME, _CORRUPT, _HAS_LEAD = 0x10, 0x20, 0x40


class PacketType(IntEnum):
    """What a packet holds."""

    VIDEO_KEY = 0
    """A frame that decoding may start from."""
    VIDEO_INTER = 1
    """A frame that is decoded with the help of earlier ones."""
    REPEAT = 2
    """The frame before it, shown again; no payload."""
    OTHER = 3
    """A packet of another stream of the source, byte for byte."""
    HEADER = 4
    """The header once more."""
    INDEX = 5
    """Where the keyframes are."""
    END = 6
    """The last packet; it says where the index is."""

    @property
    def is_video(self) -> bool:
        """Whether it is a frame."""
        return self <= PacketType.REPEAT


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """One packet. Times are in ticks of the video's, or of the other stream's, time base.

    Attributes:
        type: what it holds.
        payload: up to `MAX_PAYLOAD` bytes; none of a repeated frame.
        pts: when it is shown, -(2^63 - 1) to 2^63 - 1; 0 where it has no time.
        dts: when it is decoded, None if that is `pts`; of other streams only.
        duration: ticks that it is shown, 0 to 2^63 - 1, 0 where that is not known.
        quality: of video, 0 to 63.
        stream: 0 for the video, 1 to 255 for another stream.
        keyframe: whether decoding may start from it; of other streams only.
        corrupt: whether the source says that it is damaged; of other streams only.

    Raises:
        ValueError: a field is out of its range.
    """

    type: PacketType
    payload: bytes = b""
    pts: int = 0
    dts: int | None = None
    duration: int = 0
    quality: int = 0
    stream: int = 0
    keyframe: bool = False
    corrupt: bool = False

    def __post_init__(self) -> None:
        other = self.type is PacketType.OTHER
        lead = self.pts - (self.pts if self.dts is None else self.dts)
        _check("pts", self.pts, -MAX_SIGNED, MAX_SIGNED)
        _check("pts - dts", lead, -MAX_SIGNED, MAX_SIGNED)
        _check("duration", self.duration, 0, MAX_SIGNED)
        _check("quality", self.quality, 0, MAX_QUALITY if self.type.is_video else 0)
        _check("stream", self.stream, int(other), MAX_STREAMS if other else 0)
        repeated = self.type is PacketType.REPEAT
        _check("length of the payload", len(self.payload), 0, 0 if repeated else MAX_PAYLOAD)
        if not other and (self.dts is not None or self.keyframe or self.corrupt):
            raise ValueError("dts and flags belong to packets of other streams")
        if self.dts is not None:
            _check("dts", self.dts, -MAX_SIGNED, MAX_SIGNED)


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most}, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PacketHead:
    """What stands before a payload.

    Attributes:
        packet: without its payload.
        length: bytes of the payload.
        size: bytes of the head itself.
    """

    packet: Packet
    length: int
    size: int

    @property
    def total(self) -> int:
        """Bytes of the whole packet."""
        return self.size + (self.length + _CRC_BYTES if self.length else 0)

    def with_payload(self, data: Buffer) -> Packet:
        """The packet, from the `total` bytes that begin with its marker.

        Raises:
            BitstreamError: the payload is damaged.
        """
        if not self.length:
            return self.packet
        payload = bytes(data[self.size : self.size + self.length])
        if bytes(data[self.size + self.length : self.total]) != checksum(payload):
            raise BitstreamError("the payload is damaged")
        return replace(self.packet, payload=payload)


def checksum(data: Buffer) -> bytes:
    r"""CRC-32 of some bytes, as in PNG, gzip and Ethernet.

    Example:
        >>> checksum(b"123456789").hex()
        'cbf43926'
    """
    return zlib.crc32(data).to_bytes(_CRC_BYTES, "big")


def pack_packet(packet: Packet) -> bytes:
    """A packet's bytes."""
    flags = _KEYFRAME * packet.keyframe | _CORRUPT * packet.corrupt
    lead = packet.pts - packet.dts if packet.dts is not None else 0
    if lead:
        flags |= _HAS_LEAD
    number = packet.stream if packet.type is PacketType.OTHER else packet.quality
    head = bytes((packet.type | flags, number)) + pack_signed(packet.pts)
    if lead:
        head += pack_signed(lead)
    head += pack_unsigned(packet.duration) + pack_unsigned(len(packet.payload))
    packed = MARKER + head + checksum(head)
    return packed + packet.payload + checksum(packet.payload) if packet.payload else packed


def unpack_head(data: Buffer) -> PacketHead | None:
    """The head of the packet whose marker the data begin with; None if more bytes are needed.

    Raises:
        BitstreamError: there is no packet here, or its head is damaged.
    """
    try:
        return _unpack_head(data)
    except IncompleteError:
        return None
    except ValueError as error:  # a field out of its range
        raise BitstreamError(f"no packet: {error}") from error


def _unpack_head(data: Buffer) -> PacketHead:
    place = len(MARKER)
    if len(data) < place + 2:
        raise IncompleteError("the bytes end within a packet's head")
    kind, number = data[place], data[place + 1]
    if kind & 0x80 or kind & 0x0F > max(PacketType):
        raise BitstreamError(f"no packet: its type is {kind}")
    pts, place = unpack_signed(data, place + 2)
    lead = 0
    if kind & _HAS_LEAD:
        lead, place = unpack_signed(data, place)
        if not lead:
            raise BitstreamError("no packet: it tells a lead of 0")
    duration, place = unpack_unsigned(data, place)
    length, place = unpack_unsigned(data, place)
    end = place + _CRC_BYTES
    if length > MAX_PAYLOAD:
        raise BitstreamError(f"no packet: {length} bytes of payload, of {MAX_PAYLOAD} at most")
    if len(data) < end:
        raise IncompleteError("the bytes end within a packet's head")
    if bytes(data[place:end]) != checksum(bytes(data[len(MARKER) : place])):
        raise BitstreamError("the packet's head is damaged")
    type_ = PacketType(kind & 0x0F)
    if length and type_ is PacketType.REPEAT:
        raise BitstreamError("no packet: a repeated frame has no payload")
    other = type_ is PacketType.OTHER
    packet = Packet(
        type=type_,
        pts=pts,
        dts=pts - lead if lead else None,
        duration=duration,
        quality=0 if other else number,
        stream=number if other else 0,
        keyframe=bool(kind & _KEYFRAME),
        corrupt=bool(kind & _CORRUPT),
    )
    return PacketHead(packet=packet, length=length, size=end)
