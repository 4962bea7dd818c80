"""The writer: what it refuses, what it ends with."""

import io

import pytest
from upv_streams import FULL, PLAIN, stream

from upreel.codec import writer as module
from upreel.codec.index import KeyframeIndex
from upreel.codec.packet import Packet, PacketType
from upreel.codec.parser import End, Parser, Placed
from upreel.codec.writer import END_BYTES, Writer

KEY = Packet(type=PacketType.VIDEO_KEY, payload=b"x")


def test_the_last_packet_says_where_the_index_is() -> None:
    data = stream()

    parser = Parser(len(data) - END_BYTES)
    (end,) = parser.feed(data[-END_BYTES:])

    assert isinstance(end, End)
    (index, _) = Parser(end.index_offset).feed(data[end.index_offset :])
    assert isinstance(index, KeyframeIndex)


def test_a_live_stream_has_no_index() -> None:
    events = Parser().feed(stream(index=False))

    assert events[-1] == End(index_offset=0)
    assert all(isinstance(event, Placed) for event in events[1:-1])


@pytest.mark.parametrize(
    ("before", "packet", "match"),
    [
        ([], Packet(type=PacketType.VIDEO_INTER), "first frame must be a keyframe"),
        ([], Packet(type=PacketType.REPEAT), "first frame must be a keyframe"),
        ([KEY], KEY, "times of keyframes must rise, got 0 after 0"),
        ([], Packet(type=PacketType.OTHER, stream=3), "describes 2 other streams, not 3"),
        ([], Packet(type=PacketType.END), "written by `finish`"),
        ([], Packet(type=PacketType.INDEX), "written by `finish`"),
        ([], Packet(type=PacketType.HEADER), "written by `finish`"),
    ],
)
@pytest.mark.parametrize("index", [True, False])
def test_packets_out_of_place_are_refused(
    before: list[Packet], packet: Packet, match: str, index: bool
) -> None:
    writer = Writer(io.BytesIO(), FULL, index=index)
    for earlier in before:
        writer.write(earlier)

    with pytest.raises(ValueError, match=match):
        writer.write(packet)


def test_nothing_is_written_behind_the_end() -> None:
    file = io.BytesIO()
    writer = Writer(file, PLAIN)
    size = writer.finish()

    assert writer.finish() == size == len(file.getvalue()) == writer.size
    with pytest.raises(ValueError, match="finished"):
        writer.write(KEY)


def test_the_index_gets_coarser_rather_than_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYFRAMES", 4)
    keys = [Packet(type=PacketType.VIDEO_KEY, pts=n, payload=b"x") for n in range(11)]

    events = Parser().feed(stream(PLAIN, keys))

    index = next(event for event in events if isinstance(event, KeyframeIndex))
    offsets = {event.packet.pts: event.offset for event in events if isinstance(event, Placed)}
    assert len(index.pts) <= 4
    assert index.pts[0] == 0
    assert index.pts[-1] == 10
    assert [offsets[pts] for pts in index.pts] == list(index.offsets)
