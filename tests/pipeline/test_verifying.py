"""`upreel verify` of .upv files: what is sound passes, every fault is found and named.

Mutations tried: damages not counted; an index that is believed; falling times passed over.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import Attachment, AudioTrack, SubtitleTrack, write_clip
from compressing import frames_of, moving, packed, still_pictures, unpacked
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.index import pack_index
from upreel.codec.packet import Packet, PacketType, pack_packet
from upreel.codec.parser import Placed
from upreel.codec.writer import END_BYTES, Writer
from upreel.errors import UnknownModelError
from upreel.pipeline.upv_source import UpvSource
from upreel.pipeline.verifying import verify
from upreel.video.notice import Notice
from upreel.video.verify import VerifyReport


def checked(source: Path, output: Path) -> VerifyReport:
    return verify(source, output, codec="stand-in", backend=StandInCodecs())


def failed(report: VerifyReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if not check.passed}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(
        tmp_path_factory.mktemp("film") / "film.mkv",
        count=20,
        codec="ffv1",
        audio=[AudioTrack()],
        subtitles=[SubtitleTrack()],
        attachments=[Attachment()],
        chapters=["one", "two"],
        metadata={"title": "A film"},
        cover=True,
    )


@pytest.fixture
def upv(film: Path, tmp_path: Path) -> Path:
    packed(film, tmp_path / "film.upv", quality=63, keyint=6)
    return tmp_path / "film.upv"


def test_what_is_sound_passes(film: Path, upv: Path, tmp_path: Path) -> None:
    report = checked(film, upv)
    assert failed(report) == {}
    details = {check.name: check.detail for check in report.checks}
    assert details["packets"].endswith(" packets, all sound")
    assert details["index"] == "4 of 4 keyframes"
    assert details["decoding"] == "20 frames"
    assert details["frames"] == "20 before, 20 after"
    assert [name for name in details if name.startswith(("audio", "subtitle", "cover"))]

    unpacked(upv, tmp_path / "back.mkv", encoder="ffv1")
    assert failed(checked(upv, tmp_path / "back.mkv")) == {}


def test_an_mp4_keeps_its_exact_times(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mp4",
        times=[Fraction(n, 90_000) for n in (0, 3001, 9000, 9007)],
        time_base=Fraction(1, 90_000),
        audio=[AudioTrack()],
        options={"bf": "0"},
    )
    packed(clip, tmp_path / "a.upv", quality=63)
    assert failed(checked(clip, tmp_path / "a.upv")) == {}


def flipped(upv: Path, mark: bytes) -> int:
    """Damage the payload of the last packet that begins so; returns where it stands."""
    data = bytearray(upv.read_bytes())
    place = data.rindex(mark, 0, len(data) - 600)
    data[place + 40] ^= 1
    upv.write_bytes(data)
    return place


def test_damaged_packets_are_named(film: Path, upv: Path) -> None:
    place = flipped(upv, b"\x9c\xe5\x01")

    found = failed(checked(film, upv))

    assert f"damaged: byte {place}: " in found["packets"]
    assert " (video at 0:00:00." in found["packets"]
    assert "from 0:00:00." in found["decoding"]
    assert "cannot be decoded: the one before is shown" in found["decoding"]
    assert "it counts 20 frames, there are 19" in found["index"]


def test_damaged_sound_is_named_by_its_own_time(film: Path, upv: Path) -> None:
    with UpvFile(upv) as file:
        bases = [s.time_base for s in file.header.others.streams]
        sound = [
            event
            for event in file.read()
            if isinstance(event, Placed) and event.packet.stream and len(event.packet.payload) > 50
        ][-1]
    data = bytearray(upv.read_bytes())
    data[sound.offset + 40] ^= 1
    upv.write_bytes(data)
    time = float(sound.packet.pts * bases[sound.packet.stream - 1])

    found = failed(checked(film, upv))

    number = sound.packet.stream
    assert f"(stream {number} at 0:00:00.{int(time * 1000):03})" in found["packets"]
    assert any(name.startswith("audio stream") for name in found)
    assert "frames" not in found


def test_an_index_that_is_cut_off_is_told(film: Path, upv: Path) -> None:
    upv.write_bytes(upv.read_bytes()[:-30])
    found = failed(checked(film, upv))
    assert found["index"] == "none that is sound: seeking reads the file through"
    assert "the file is cut off" in found["decoding"]


def test_an_index_that_is_wrong_is_told(film: Path, upv: Path) -> None:
    data = upv.read_bytes()
    with UpvFile(upv) as file:
        index = file.index
    wrong = replace(index, offsets=(*index.offsets[:-1], index.offsets[-1] + 1))
    place = int.from_bytes(data[-12:-4], "big")
    whole = pack_packet(Packet(type=PacketType.INDEX, pts=0, payload=pack_index(wrong)))
    upv.write_bytes(data[:place] + whole + data[-END_BYTES:])
    assert failed(checked(film, upv)) == {"index": "1 keyframes are not where it says"}


def rewritten(upv: Path, change: Callable[[list[Packet]], list[Packet]]) -> None:
    """Write a file again with other packets."""
    with UpvFile(upv) as file:
        packets = [event.packet for event in file.read() if isinstance(event, Placed)]
        target = io.BytesIO()
        writer = Writer(target, file.header)
    for packet in change(packets):
        writer.write(packet)
    writer.finish()
    upv.write_bytes(target.getvalue())


def test_times_that_fall_are_named(film: Path, upv: Path) -> None:
    def swapped(packets: list[Packet]) -> list[Packet]:
        inter = [n for n, p in enumerate(packets) if p.type is PacketType.VIDEO_INTER]
        a, b = inter[1:3]
        packets[a], packets[b] = packets[b], packets[a]
        return packets

    rewritten(upv, swapped)
    found = failed(checked(film, upv))
    assert found["order of times"].startswith("they fall: video at 0:00:00.")


def test_codes_that_do_not_decode_are_told(film: Path, upv: Path) -> None:
    def broken(packets: list[Packet]) -> list[Packet]:
        last = max(n for n, p in enumerate(packets) if p.type is PacketType.VIDEO_INTER)
        packets[last] = replace(packets[last], payload=b"no code")
        return packets

    rewritten(upv, broken)
    assert list(failed(checked(film, upv))) == ["decoding"]


def test_a_codec_is_asked_for(film: Path, upv: Path) -> None:
    class Nothing(StandInCodecs):
        def load_card(self, name: str) -> None:  # type: ignore[override]
            raise UnknownModelError(f"no codec {name!r}")

    with pytest.raises(UnknownModelError, match="give the path of its card as --codec"):
        verify(film, upv, backend=Nothing())


@pytest.mark.parametrize("first", [0, 1, 5, 6, 7, 11, 12, 13, 17])
def test_any_stretch_is_that_of_reading_straight_through(first: int, tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(18)])
    upv = tmp_path / "a.upv"
    packed(clip, upv, quality=63, keyint=6)
    place = flipped_keyframe(upv, 2)  # of 0, 6 and 12 the last: frames from 12 on are concealed
    source = UpvSource(upv, backend=StandInCodecs())
    line = source.timeline()
    told: list[Notice] = []

    whole = list(source.frames(line, 0, 18, told.append))
    part = list(source.frames(line, first, 18, told.append))

    assert place > 0
    assert [frame.damaged for frame in whole] == [False] * 12 + [True] * 6
    assert [frame.index for frame in part] == list(range(first, 18))
    for frame, other in zip(whole[first:], part, strict=True):
        assert (frame.pts, frame.duration, frame.damaged) == (
            other.pts,
            other.duration,
            other.damaged,
        )
        assert all(map(np.array_equal, frame.planes, other.planes))
    for frame, other in zip(whole[:12], frames_of(clip), strict=False):
        assert all(map(np.array_equal, frame.planes, other.planes))


def flipped_keyframe(upv: Path, number: int) -> int:
    with UpvFile(upv) as file:
        place = file.index.offsets[number]
    data = bytearray(upv.read_bytes())
    data[place + 60] ^= 1
    upv.write_bytes(data)
    return place


def test_a_first_keyframe_that_is_lost_is_made_up_for(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(12)])
    packed(clip, tmp_path / "a.upv", quality=63, keyint=6)
    flipped_keyframe(tmp_path / "a.upv", 0)
    source = UpvSource(tmp_path / "a.upv", backend=StandInCodecs())
    line = source.timeline()
    frames = list(source.frames(line, 0, len(line.pts), lambda _: None))
    assert [frame.index for frame in frames] == list(range(len(line.pts)))
    assert [f.pts for f in frames] == [40 * n for n in range(12)][-len(frames) :]
    assert not frames[-1].damaged
