"""Files: seeking with and without an index, damaged beginnings and ends."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from upv_streams import FULL, PLAIN, packets, stream

from upreel.codec.file import UpvFile
from upreel.codec.index import KeyframeIndex, pack_index
from upreel.codec.packet import MARKER, Packet, PacketType, pack_packet
from upreel.codec.parser import Damage, Placed
from upreel.codec.survey import is_upv
from upreel.codec.writer import END_BYTES
from upreel.errors import BitstreamError, InputError

PACKETS = packets(80, interval=7, size=9000)  # some of it beyond the first piece that is read
WHOLE = stream(FULL, PACKETS)
VIDEO_INTER = PacketType.VIDEO_INTER
KEYS = [p.pts for p in PACKETS if p.type is PacketType.VIDEO_KEY]


def upv(folder: Path, data: bytes) -> Path:
    path = folder / "a.upv"
    path.write_bytes(data)
    return path


def sound(events: list[Placed | Damage]) -> list[Packet]:
    return [event.packet for event in events if isinstance(event, Placed)]


def test_a_file_is_read_from_its_start(tmp_path: Path) -> None:
    with UpvFile(upv(tmp_path, WHOLE)) as file:
        assert file.header == FULL
        assert not file.scanned
        assert list(file.index.pts) == KEYS
        assert sound(list(file.read())) == PACKETS


@pytest.mark.parametrize("cut", [0, 1, END_BYTES, 100])
def test_every_keyframe_is_reached(tmp_path: Path, cut: int) -> None:
    with UpvFile(upv(tmp_path, WHOLE[: len(WHOLE) - cut])) as file:
        assert file.scanned == (cut > 0)
        assert list(file.index.pts) == KEYS
        assert file.index.num_frames == 80
        assert file.index.end_pts == PACKETS[-2].pts + 3
        for pts in KEYS:
            for wanted in (pts, pts + 2):
                first = next(file.read(wanted))
                assert isinstance(first, Placed)
                assert first.packet.type is PacketType.VIDEO_KEY
                assert first.packet.pts == pts


def test_of_pipes_nothing_is_read(tmp_path: Path) -> None:
    """Nor of devices: that would take pictures from a camera that is to be played."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # a writer is there: nobody waits for one
    try:
        os.write(end, WHOLE[:100])
        assert not is_upv(pipe)
        assert os.read(end, 100) == WHOLE[:100]
    finally:
        os.close(end)
    assert is_upv(upv(tmp_path, WHOLE))


def test_times_before_the_first_keyframe_begin_there(tmp_path: Path) -> None:
    with UpvFile(upv(tmp_path, WHOLE)) as file:
        assert sound(list(file.read(-1000))) == PACKETS


def test_several_readings_do_not_disturb_one_another(tmp_path: Path) -> None:
    with UpvFile(upv(tmp_path, WHOLE)) as file:
        one, other = file.read(), file.read(KEYS[3])
        pairs = list(zip(one, other, strict=False))

    assert sound([pair[0] for pair in pairs]) == PACKETS[: len(pairs)]
    assert sound([pair[1] for pair in pairs]) == PACKETS[-len(pairs) :]


def with_index(index: KeyframeIndex) -> bytes:
    """The file with another index."""
    data = WHOLE[: WHOLE.rindex(MARKER + bytes((PacketType.INDEX,)))]
    end = Packet(type=PacketType.END, payload=len(data).to_bytes(8, "big"))
    changed = Packet(type=PacketType.INDEX, payload=pack_index(index))
    return data + pack_packet(changed) + pack_packet(end)


@pytest.mark.parametrize("lie", ["another keyframe", "an inter frame", "wrong throughout"])
def test_an_index_that_lies_is_not_followed(tmp_path: Path, lie: str) -> None:
    with UpvFile(upv(tmp_path, WHOLE)) as file:
        true = file.index
        placed = [event for event in file.read() if isinstance(event, Placed)]
    inter = next(e for e in placed if e.packet.pts > KEYS[2] and e.packet.type is VIDEO_INTER)
    pts, offsets = tuple(KEYS[:3]), (*true.offsets[:2], true.offsets[3])
    if lie == "an inter frame":
        pts, offsets = (*KEYS[:2], inter.packet.pts), (*true.offsets[:2], inter.offset)
    elif lie == "wrong throughout":
        offsets = tuple(offset + 5 for offset in true.offsets[:3])
    data = with_index(replace(true, pts=pts, offsets=offsets))

    with UpvFile(upv(tmp_path, data)) as file:
        assert not file.scanned
        read = sound(list(file.read(inter.packet.pts)))

    assert read[0].pts == (KEYS[0] if lie == "wrong throughout" else KEYS[1])
    assert read == PACKETS[PACKETS.index(read[0]) :]


def test_a_damaged_keyframe_is_not_begun_with(tmp_path: Path) -> None:
    with UpvFile(upv(tmp_path, WHOLE)) as file:
        place = file.index.offsets[2]
    data = bytearray(WHOLE)
    data[place + 3] ^= 1

    with UpvFile(upv(tmp_path, bytes(data))) as file:
        first = next(file.read(KEYS[2]))

    assert isinstance(first, Placed)
    assert first.packet.pts == KEYS[1]


@pytest.mark.parametrize("place", [0, 9, 15, 50])
@pytest.mark.parametrize("cut", [0, END_BYTES])
def test_a_damaged_header_is_read_from_its_copy(tmp_path: Path, place: int, cut: int) -> None:
    data = bytearray(WHOLE[: len(WHOLE) - cut])
    data[place] ^= 1

    with UpvFile(upv(tmp_path, bytes(data))) as file:
        assert file.header == FULL
        assert sound(list(file.read(KEYS[1])))[0].pts == KEYS[1]


def test_a_damaged_header_without_a_copy_is_told(tmp_path: Path) -> None:
    data = bytearray(stream(FULL, PACKETS[:2], index=False))
    data[50] ^= 1

    with pytest.raises(BitstreamError, match="damaged header, and no copy"):
        UpvFile(upv(tmp_path, bytes(data)))


def test_a_file_without_frames_is_empty(tmp_path: Path) -> None:
    with UpvFile(upv(tmp_path, stream(PLAIN, []))) as file:
        assert list(file.read(5)) == []
        assert file.index.num_frames == 0


@pytest.mark.parametrize(
    ("data", "match"), [(b"", "damaged header"), (b"x" * 99, "not an .upv stream")]
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(BitstreamError, match=match):
        UpvFile(upv(tmp_path, data))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*a\.upv"):
        UpvFile(tmp_path / "a.upv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="may not be read"):
        UpvFile(tmp_path)
