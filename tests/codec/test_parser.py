"""The parser: pieces of any size, damage of any kind, streams behind streams, any bytes at all."""

import hashlib
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upv_streams import FULL, PLAIN, packets, stream

from upreel.codec.header import Header, UnknownVersionError, pack_header
from upreel.codec.index import KeyframeIndex
from upreel.codec.packet import MARKER, Packet, PacketType, checksum, pack_packet
from upreel.codec.parser import Damage, End, Event, Parser, Placed
from upreel.errors import BitstreamError

WHOLE = stream()
PACKETS = packets()
GOLDEN = "98ee7bc2ad2914ce727891244d1a174fe83db55574fbee7d88e8ed8c3e7aaed8"


def parse(data: bytes, *, piece: int | None = None) -> list[Event]:
    """All events of a stream, fed at once or in pieces."""
    parser = Parser()
    events: list[Event] = []
    for place in range(0, len(data), piece or max(len(data), 1)):
        events += parser.feed(data[place : place + (piece or len(data))])
    return events + parser.close()


def sound(events: list[Event]) -> list[Packet]:
    return [event.packet for event in events if isinstance(event, Placed)]


def damages(events: list[Event]) -> list[Damage]:
    return [event for event in events if isinstance(event, Damage)]


def test_a_stream_is_as_specified() -> None:
    assert hashlib.sha256(WHOLE).hexdigest() == GOLDEN


def test_all_comes_back() -> None:
    events = parse(WHOLE)

    assert events[0] == FULL
    assert sound(events) == PACKETS
    assert not damages(events)
    index, end = events[-2:]
    assert isinstance(index, KeyframeIndex)
    keys = [e for e in events if isinstance(e, Placed) and e.packet.type is PacketType.VIDEO_KEY]
    assert index.offsets == tuple(key.offset for key in keys)
    assert index.pts == (0, 24, 48)
    assert (index.num_frames, index.end_pts) == (24, 73)
    assert isinstance(end, End)
    assert WHOLE[end.index_offset :].startswith(MARKER + b"\5")
    assert WHOLE[index.header_offset :].startswith(MARKER + b"\4")


@pytest.mark.parametrize("piece", [1, 2, 7, 100, 1000])
def test_pieces_of_any_size_give_the_same(piece: int) -> None:
    assert parse(WHOLE, piece=piece) == parse(WHOLE)


def test_a_packet_is_given_when_its_last_byte_has_come() -> None:
    parser = Parser()
    packed = pack_header(PLAIN) + pack_packet(PACKETS[0])

    assert parser.feed(packed[:-1]) == [PLAIN]
    assert parser.feed(packed[-1:]) == [Placed(offset=len(pack_header(PLAIN)), packet=PACKETS[0])]


def test_any_flipped_bit_is_found_and_the_rest_is_read() -> None:
    chance = random.Random(7)

    for bit in [chance.randrange(8 * len(WHOLE)) for _ in range(1000)]:
        data = bytearray(WHOLE)
        data[bit // 8] ^= 1 << bit % 8
        events = parse(bytes(data))

        assert damages(events), bit
        whole = sound(events)
        missing = [packet for packet in PACKETS if packet not in whole]
        assert len(missing) <= 1, bit
        assert whole == [packet for packet in PACKETS if packet not in missing], bit
        assert FULL in events, bit


def test_any_truncation_is_found_and_what_came_before_is_read() -> None:
    chance = random.Random(8)
    ends = [event.offset for event in parse(WHOLE) if isinstance(event, Placed)][1:]

    for size in [chance.randrange(len(WHOLE)) for _ in range(1000)]:
        events = parse(WHOLE[:size])

        assert damages(events), size
        assert damages(events)[-1].reason == "the stream ends without its last packet"
        count = sum(end <= size for end in ends)
        assert sound(events)[:count] == PACKETS[:count], size


def test_a_damaged_payload_is_told_with_its_time() -> None:
    offset = next(e.offset for e in parse(WHOLE) if isinstance(e, Placed) and e.packet.pts == 24)
    data = bytearray(WHOLE)
    data[offset + 60] ^= 0x40

    (damage,) = damages(parse(bytes(data)))

    lost = next(packet for packet in PACKETS if packet.pts == 24)
    assert damage == Damage(
        offset=offset,
        num_bytes=len(pack_packet(lost)),
        reason="the payload is damaged",
        lost=replace(lost, payload=b""),
    )


def test_a_damaged_head_costs_its_packet_alone() -> None:
    first = pack_packet(PACKETS[0])
    start = len(pack_header(FULL))
    data = bytearray(WHOLE)
    data[start + 4] ^= 1  # its time

    (damage,) = damages(parse(bytes(data)))

    assert (damage.offset, damage.num_bytes, damage.lost) == (start, len(first), None)


def test_lost_and_inserted_bytes_cost_what_they_hit() -> None:
    start = len(pack_header(FULL)) + 70  # within the first payload

    lost = parse(WHOLE[:start] + WHOLE[start + 20 :])
    inserted = parse(WHOLE[:start] + bytes(20) + WHOLE[start:])

    assert sound(lost)[-40:] == PACKETS[-40:]
    assert damages(lost)[0].lost == replace(PACKETS[0], payload=b"")
    assert sound(inserted)[-40:] == PACKETS[-40:]
    assert damages(inserted)[0].lost == replace(PACKETS[0], payload=b"")


def test_a_damaged_header_is_replaced_by_its_copy() -> None:
    data = bytearray(WHOLE)
    data[40] ^= 1

    events = parse(bytes(data))

    assert isinstance(events[0], Damage)
    assert events[0].reason == "the header is damaged"
    assert sound(events) == PACKETS
    assert events[-3] == FULL


def test_streams_may_follow_one_another() -> None:
    other = stream(PLAIN, PACKETS[:1])

    events = parse(WHOLE + other)

    assert [event for event in events if isinstance(event, Header)] == [FULL, PLAIN]
    assert sound(events) == [*PACKETS, PACKETS[0]]
    assert not damages(events)


def test_bytes_behind_the_last_packet_are_told() -> None:
    (damage,) = damages(parse(WHOLE + b"\0" * 30))[:1]

    assert (damage.offset, damage.num_bytes) == (len(WHOLE), 30)
    (damage,) = damages(parse(WHOLE + b"\0" * 3))[:1]
    assert (damage.offset, damage.num_bytes) == (len(WHOLE), 3)


def test_reading_begins_at_any_packet() -> None:
    placed = [event for event in parse(WHOLE) if isinstance(event, Placed)]
    start = placed[20].offset

    parser = Parser(start)
    events = parser.feed(WHOLE[start:]) + parser.close()

    assert [event for event in events if isinstance(event, Placed)] == placed[20:]
    assert not damages(events)


def test_cut_at_a_keyframe_and_joined_again() -> None:
    index = next(event for event in parse(WHOLE) if isinstance(event, KeyframeIndex))

    events = parse(pack_header(FULL) + WHOLE[index.offsets[1] :])

    assert not damages(events)
    assert sound(events) == PACKETS[PACKETS.index(next(p for p in PACKETS if p.pts == 24)) :]


@pytest.mark.parametrize("data", [b"RIFF", b"\x89PNG\r\n\x1a\n" + bytes(30), bytes(100)])
def test_other_formats_are_refused(data: bytes) -> None:
    with pytest.raises(BitstreamError, match=r"not an \.upv stream"):
        parse(data)


def test_an_unknown_version_is_refused_by_its_number() -> None:
    data = WHOLE[:8] + b"\0\2" + WHOLE[10:14]

    with pytest.raises(UnknownVersionError, match="version 2"):
        parse(data + checksum(data) + WHOLE[18:])


def test_nothing_at_all_is_a_stream_without_an_end() -> None:
    assert parse(b"") == [
        Damage(offset=0, num_bytes=0, reason="the stream ends without its last packet")
    ]


def test_types_of_packets_with_unsound_payloads_are_told() -> None:
    made = [
        Packet(type=PacketType.INDEX, payload=b"\xff"),
        Packet(type=PacketType.HEADER, payload=b"\xff"),
        Packet(type=PacketType.END, payload=b"\xff"),
    ]
    data = pack_header(PLAIN) + b"".join(map(pack_packet, made))

    assert [damage.lost and damage.lost.type for damage in damages(parse(data))] == [
        PacketType.INDEX, PacketType.HEADER, PacketType.END, None,
    ]  # fmt: skip


noise = st.lists(
    st.binary(max_size=30)
    | st.just(MARKER)
    | st.sampled_from([pack_packet(packet) for packet in PACKETS[:6]])
    | st.just(pack_header(PLAIN))
    | st.integers(0, len(WHOLE) - 50).map(lambda place: WHOLE[place : place + 50]),
    max_size=12,
).map(b"".join)


@given(noise, st.integers(1, 50))
@settings(max_examples=300)
def test_any_bytes_are_accounted_for(tail: bytes, piece: int) -> None:
    head = pack_header(PLAIN)
    try:
        events = parse(head + tail)
    except UnknownVersionError:
        return

    assert parse(head + tail, piece=piece) == events
    place = len(head)
    for event in events:
        if isinstance(event, Placed):
            assert event.offset >= place
            place = event.offset + len(pack_packet(event.packet))
        elif isinstance(event, Damage):
            assert event.offset >= place
            place = event.offset + event.num_bytes
            assert place <= len(head + tail)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        events = parse(data)
    except BitstreamError:
        return

    assert damages(events)


def test_work_is_in_proportion_to_the_bytes() -> None:
    """Packets nested in damaged payloads: each would be read again if a payload were searched."""
    inner = b""
    for _ in range(300):
        inner = pack_packet(Packet(type=PacketType.VIDEO_INTER, payload=inner or b"x"))
        inner = inner[:-1] + bytes((inner[-1] ^ 1,))

    events = parse(pack_header(PLAIN) + inner)

    assert len(damages(events)) == 2
    assert damages(events)[0].num_bytes == len(inner)


@pytest.mark.parametrize("kind", [b"\x00\x00", b"\x43\x01", b"\x43", b"\x40\x00\x80\x80", b""])
def test_a_head_that_only_seems_to_begin_hides_no_packet(kind: bytes) -> None:
    """A marker, and what follows it taken for the rest of its head as far as that goes."""
    last = pack_packet(Packet(type=PacketType.REPEAT, pts=9, quality=20))

    events = parse(pack_header(PLAIN) + MARKER + kind + last)

    assert [packet.pts for packet in sound(events)] == [9]
    assert damages(events)[0].num_bytes == len(MARKER + kind)


def test_no_more_than_a_packet_is_held() -> None:
    parser = Parser()
    parser.feed(pack_header(PLAIN))
    for _ in range(10):
        parser.feed(MARKER * 5000)
        assert len(parser._buffer) < 64


def test_it_takes_nothing_when_it_is_closed() -> None:
    parser = Parser()
    parser.close()

    with pytest.raises(ValueError, match="closed"):
        parser.feed(b"x")


def test_times_are_exact() -> None:
    header = replace(PLAIN, time_base=Fraction(1, 2**31 - 1))
    late = Packet(type=PacketType.VIDEO_KEY, pts=2**63 - 1, payload=b"x")

    assert sound(parse(stream(header, [late]))) == [late]
