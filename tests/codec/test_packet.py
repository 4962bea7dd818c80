"""Packets: literal bytes, round trips, the limits of every field on both sides."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.codec.numbers import MAX_SIGNED, pack_signed, pack_unsigned
from upreel.codec.packet import (
    MARKER,
    MAX_PAYLOAD,
    Packet,
    PacketType,
    checksum,
    pack_packet,
    unpack_head,
)
from upreel.errors import BitstreamError

KEY = Packet(type=PacketType.VIDEO_KEY, pts=90_000, duration=3003, quality=63, payload=b"abc")
SOUND = Packet(
    type=PacketType.OTHER, stream=2, pts=-1024, dts=-2048, duration=1024, payload=b"\0",
    keyframe=True, corrupt=True,
)  # fmt: skip


def head(*, kind: int, number: int = 0, rest: bytes = b"\0\0\0") -> bytes:
    """A head with a right checksum, whatever it says."""
    body = bytes((kind, number)) + rest
    return MARKER + body + checksum(body)


@pytest.mark.parametrize(
    ("packet", "packed"),
    [
        (KEY, "9ce5 00 3f a0fe0a bb17 03 ef2dd1b9 616263 352441c2"),
        (Packet(type=PacketType.REPEAT, pts=1, duration=1), "9ce5 02 00 02 01 00 a67d4152"),
        (SOUND, "9ce5 73 02 ff0f 8010 8008 01 b1765235 00 d202ef8d"),
    ],
)
def test_bytes_are_as_specified(packet: Packet, packed: str) -> None:
    assert pack_packet(packet).hex() == packed.replace(" ", "")


times = st.integers(-MAX_SIGNED, MAX_SIGNED)
videos = st.builds(
    Packet,
    type=st.sampled_from([PacketType.VIDEO_KEY, PacketType.VIDEO_INTER]),
    payload=st.binary(max_size=300),
    pts=times,
    duration=st.integers(0, MAX_SIGNED),
    quality=st.integers(0, 63),
)
others = st.builds(
    Packet,
    type=st.just(PacketType.OTHER),
    payload=st.binary(max_size=300),
    pts=st.integers(-MAX_SIGNED // 2, MAX_SIGNED // 2),
    dts=st.integers(-MAX_SIGNED // 2, MAX_SIGNED // 2),
    duration=st.integers(0, MAX_SIGNED),
    stream=st.integers(1, 255),
    keyframe=st.booleans(),
    corrupt=st.booleans(),
)


@given(videos | others, st.binary(max_size=20))
def test_packets_come_back(packet: Packet, behind: bytes) -> None:
    packed = pack_packet(packet)

    found = unpack_head(packed + behind)

    assert found is not None
    assert found.total == len(packed)
    same = replace(packet, dts=None) if packet.dts == packet.pts else packet
    assert found.with_payload(packed + behind) == same


@given(videos | others, st.data())
def test_a_head_that_is_cut_off_asks_for_more(packet: Packet, data: st.DataObject) -> None:
    packed = pack_packet(packet)
    whole = unpack_head(packed)
    assert whole is not None
    size = data.draw(st.integers(len(MARKER), whole.size - 1))

    assert unpack_head(packed[:size]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"pts": MAX_SIGNED + 1},
        {"pts": -MAX_SIGNED - 1},
        {"duration": -1},
        {"duration": MAX_SIGNED + 1},
        {"quality": -1},
        {"quality": 64},
        {"stream": 1},
        {"dts": 0},
        {"keyframe": True},
        {"corrupt": True},
        {"type": PacketType.REPEAT},
        {"type": PacketType.OTHER},
    ],
    ids=str,
)
def test_fields_out_of_range_are_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|belong to"):
        replace(KEY, **change)


def test_a_payload_of_more_than_64_mib_is_not_written() -> None:
    with pytest.raises(ValueError, match="0 to 67108864, got 67108865"):
        replace(KEY, payload=bytes(MAX_PAYLOAD + 1))


@pytest.mark.parametrize(
    "change",
    [{"stream": 0}, {"stream": 256}, {"quality": 1}, {"dts": MAX_SIGNED}, {"dts": -MAX_SIGNED - 1}],
    ids=str,
)
def test_fields_of_other_streams_out_of_range_are_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(SOUND, **change)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (head(kind=7), "its type is 7"),
        (head(kind=0x80), "its type is 128"),
        (head(kind=0x10), "belong to"),
        (head(kind=0x40, rest=b"\0\2\0\0"), "belong to"),
        (head(kind=0x43, number=1, rest=b"\0\0\0\0"), "lead of 0"),
        (head(kind=0, number=64), "quality must be"),
        (head(kind=3, number=0), "stream must be"),
        (head(kind=5, number=1), "quality must be"),
        (head(kind=2, rest=b"\0\0\1"), "repeated frame has no payload"),
        (head(kind=0, rest=b"\0" + pack_unsigned(MAX_SIGNED + 1) + b"\0"), "duration must be"),
        (head(kind=0, rest=b"\0\0" + pack_unsigned(MAX_PAYLOAD + 1)), "bytes of payload"),
        (
            head(kind=0x43, number=1, rest=pack_signed(-MAX_SIGNED) + pack_signed(9) + b"\0\0"),
            "dts must be",
        ),
        (head(kind=0, rest=b"\x80\0\0\0"), "longer than it may be"),
        (head(kind=0)[:-1] + b"\0", "head is damaged"),
    ],
)
def test_heads_out_of_range_are_not_read(data: bytes, match: str) -> None:
    with pytest.raises(BitstreamError, match=match):
        unpack_head(data)


def test_every_bit_of_a_packet_is_covered() -> None:
    packed = pack_packet(SOUND)

    for bit in range(8 * len(MARKER), 8 * len(packed)):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):  # noqa: PT012 - either of the two finds it
            found = unpack_head(flipped + bytes(40))
            assert found is not None
            found.with_payload(flipped)
