"""Reading an .upv stream as its bytes arrive.

Whatever the bytes are, the parser goes on: what cannot be read is told as `Damage`, and reading
goes on at the next marker behind which a sound packet's head stands. A packet whose payload is
damaged is passed over as a whole, so that the work is in proportion to the bytes. It holds one
packet, or one header, at most.
"""

from dataclasses import dataclass

from upreel.codec.header import (
    MAGIC,
    PREFIX_BYTES,
    Header,
    UnknownVersionError,
    unpack_body,
    unpack_prefix,
)
from upreel.codec.index import KeyframeIndex, unpack_index
from upreel.codec.packet import (
    MARKER,
    Packet,
    PacketHead,
    PacketType,
    checksum,
    unpack_head,
)
from upreel.errors import BitstreamError

__all__ = ["Damage", "End", "Event", "Parser", "Placed", "unpack_end", "unpack_header"]

_CRC_BYTES = 4
_LIKE_MAGIC = 6  # equal bytes of the eight: damaged, rather than another format


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A sound packet of video or of another stream.

    Attributes:
        offset: where it begins, bytes from the start of the stream.
        packet: it.
    """

    offset: int
    packet: Packet


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """A stretch that could not be read.

    Attributes:
        offset: where it begins, bytes from the start of the stream.
        num_bytes: how long it is; 0 where bytes are missing.
        reason: one line.
        lost: the packet without its payload, where its head is sound.
    """

    offset: int
    num_bytes: int
    reason: str
    lost: Packet | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The stream's last packet.

    Attributes:
        index_offset: where the index's packet begins, 0 if there is none.
    """

    index_offset: int


Event = Header | Placed | KeyframeIndex | End | Damage


class Parser:
    """Turns bytes into events, however they are cut into pieces.

    Args:
        offset: where the first byte stands in its stream. At 0, a header is expected; elsewhere
            reading begins at the next packet.

    Example:
        >>> Parser().feed(b"an AVI file, or so")
        Traceback (most recent call last):
        upreel.errors.BitstreamError: not an .upv stream: it begins with other bytes
    """

    def __init__(self, offset: int = 0) -> None:
        self._buffer = bytearray()
        self._offset = offset  # of the buffer's first byte
        self._damaged_from: int | None = None
        self._at_start = offset == 0
        self._first = True  # no stream has been seen yet
        self._has_header = False
        self._has_ended = False
        self._closed = False
        self._head: PacketHead | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Take further bytes; returns what they complete, in the stream's order.

        A stream may follow its predecessor's end: it gives another header.

        Raises:
            BitstreamError: the stream is of another format or of an unknown version.
        """
        if self._closed:
            raise ValueError("the parser is closed")
        self._buffer += data
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def close(self) -> list[Event]:
        """Say that no more bytes come; returns the damages that only show then."""
        self._closed = True
        events: list[Event] = []
        size = len(self._buffer)
        if self._head is not None:
            damage = Damage(
                offset=self._offset, num_bytes=size, reason="cut off", lost=self._head.packet
            )
            events.append(damage)
            self._skip(size)
        else:  # what may be the beginning of a head is too short to hide a packet
            self._junk(size)
        if self._damaged_from is not None:
            self._tell_damage(events)
        if not self._has_ended:
            reason = "the stream ends without its last packet"
            events.append(Damage(offset=self._offset, num_bytes=0, reason=reason))
        return events

    def _step(self, events: list[Event]) -> bool:
        """Read one thing; False if it takes more bytes."""
        if self._at_start:
            return self._read_header(events)
        if self._head is None and not self._find_packet(events):
            return False
        return self._read_packet(events)

    def _read_header(self, events: list[Event]) -> bool:
        if not self._buffer:
            return False
        known = min(len(self._buffer), len(MAGIC))
        equal = sum(a == b for a, b in zip(self._buffer, MAGIC, strict=False))
        if self._first and known - equal > len(MAGIC) - _LIKE_MAGIC:
            raise BitstreamError("not an .upv stream: it begins with other bytes")
        if len(self._buffer) < PREFIX_BYTES:
            return False
        try:
            length = unpack_prefix(self._buffer)
        except UnknownVersionError:
            raise
        except BitstreamError:
            self._begun()  # packets are looked for from its first byte on
            return True
        size = PREFIX_BYTES + length + _CRC_BYTES
        if len(self._buffer) < size:
            return False
        try:
            header = unpack_header(bytes(self._buffer[:size]))
        except BitstreamError as error:
            damage = Damage(offset=self._offset, num_bytes=size, reason=str(error))
            events.append(damage)
        else:
            events.append(header)
            self._has_header = True
        self._skip(size)
        self._begun()
        return True

    def _begun(self) -> None:
        self._at_start = self._first = False
        self._has_ended = False

    def _find_packet(self, events: list[Event]) -> bool:
        """Bring a sound packet's head to the buffer's front; False if it takes more bytes."""
        while True:
            place = self._buffer.find(MARKER)
            if place < 0:
                kept = self._buffer.endswith(MARKER[:1])
                self._junk(len(self._buffer) - kept)
                return False
            self._junk(place)
            try:
                self._head = unpack_head(self._buffer)
            except BitstreamError:
                self._junk(len(MARKER))
                continue
            if self._head is None:
                return False
            if self._damaged_from is not None:
                self._tell_damage(events)
            return True

    def _read_packet(self, events: list[Event]) -> bool:
        head = self._head
        assert head is not None
        if len(self._buffer) < head.total:
            return False
        start, lost = self._offset, head.packet
        try:
            packet = head.with_payload(self._buffer)
            event = self._event(start, packet)
        except BitstreamError as error:
            event = Damage(offset=start, num_bytes=head.total, reason=str(error), lost=lost)
        if event is not None:
            events.append(event)
        self._skip(head.total)
        self._head = None
        return True

    def _event(self, offset: int, packet: Packet) -> Event | None:
        if packet.type is PacketType.INDEX:
            return unpack_index(packet.payload)
        if packet.type is PacketType.END:
            end = End(index_offset=unpack_end(packet.payload))
            self._has_ended = self._at_start = True
            self._has_header = False
            return end
        if packet.type is PacketType.HEADER:
            header = unpack_header(packet.payload)
            if self._has_header:
                return None
            self._has_header = True
            return header
        return Placed(offset=offset, packet=packet)

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count

    def _junk(self, count: int) -> None:
        if count and self._damaged_from is None:
            self._damaged_from = self._offset
        self._skip(count)

    def _tell_damage(self, events: list[Event]) -> None:
        start = self._damaged_from if self._damaged_from is not None else self._offset
        size = self._offset - start
        events.append(Damage(offset=start, num_bytes=size, reason="no packet can be read"))
        self._damaged_from = None


def unpack_header(data: bytes) -> Header:
    """A header from its bytes, from the magic on: as a stream begins, and as its copy has them.

    Raises:
        BitstreamError: damaged, or of another version.
    """
    length = unpack_prefix(data)
    body = data[PREFIX_BYTES : PREFIX_BYTES + length]
    if len(data) != PREFIX_BYTES + length + _CRC_BYTES:
        raise BitstreamError("the header is cut off")
    if checksum(body) != data[-_CRC_BYTES:]:
        raise BitstreamError("the header is damaged")
    return unpack_body(body)


def unpack_end(payload: bytes) -> int:
    """Where the index begins, from the payload of the last packet.

    Raises:
        BitstreamError: it is not 8 bytes long.
    """
    if len(payload) != 8:
        raise BitstreamError("the last packet is not as long as it must be")
    return int.from_bytes(payload, "big")
