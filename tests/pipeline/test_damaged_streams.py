"""Damaged, cut-off and misused .upv files are decompressed as far as they go, and told of.

Mutations tried: waiting for a keyframe forgotten; a hole taken for nothing; frames of a hole not
filled; a lost packet of sound taken for one of video.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import AudioTrack, write_clip
from compressing import frames_of, moving, packed, packets_of, still_pictures, unpacked
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.header import Header
from upreel.codec.packet import PacketType, pack_packet
from upreel.codec.parser import Damage, Placed
from upreel.codec.writer import Writer
from upreel.errors import DamagedError
from upreel.pipeline.coding import DecompressResult
from upreel.pipeline.sending import Receiver
from upreel.video.frame import Frame

FRAMES, KEYS = 20, (0, 8, 16)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames, keyframes at 0, 8 and 16."""
    folder = tmp_path_factory.mktemp("stream")
    clip = still_pictures(folder / "a.mkv", [moving(n) for n in range(FRAMES)])
    packed(clip, folder / "a.upv", quality=63, keyint=8)
    return folder / "a.upv"


def placed(path: Path) -> list[Placed]:
    with UpvFile(path) as file:
        return [event for event in file.read() if isinstance(event, Placed)]


Change = Callable[[bytearray, list[tuple[int, int]]], bytearray | None]


def damaged(source: Path, target: Path, change: Change) -> DecompressResult:
    """Decompress a changed copy; `change` gets the bytes, and each packet's place and size."""
    data = bytearray(source.read_bytes())
    places = [(e.offset, len(pack_packet(e.packet))) for e in placed(source)]
    data = change(data, places) or data
    target.with_suffix(".upv").write_bytes(data)
    return unpacked(target.with_suffix(".upv"), target, encoder="ffv1", overwrite=True)


def shown(path: Path) -> list[int]:
    """Which picture each frame is."""
    pictures = {moving(n)[0].tobytes(): n for n in range(FRAMES)}
    return [pictures[frame.planes[0].tobytes()] for frame in frames_of(path)]


def flip(number: int, at: int) -> Change:
    """Spoil a byte of a packet, from its end if `at` is negative."""

    def change(data: bytearray, places: list[tuple[int, int]]) -> None:
        offset, size = places[number]
        data[offset + at % size] ^= 0xFF

    return change


def until_the_keyframe(broken: int) -> list[int]:
    """Pictures shown where a frame is lost: the one before, until the next keyframe."""
    end = next((key for key in KEYS if key > broken), FRAMES)
    return [*range(broken), *[broken - 1] * (end - broken), *range(end, FRAMES)]


@pytest.mark.parametrize("at", [-1, 1], ids=["payload", "head"])
@pytest.mark.parametrize("broken", [3, 7, 8, 12])
def test_the_frame_before_is_shown_until_the_next_keyframe(
    broken: int, at: int, stream: Path, tmp_path: Path
) -> None:
    done = damaged(stream, tmp_path / "b.mkv", flip(broken, at))
    expected = until_the_keyframe(broken)
    lost = sum(n != picture for n, picture in enumerate(expected))
    assert shown(tmp_path / "b.mkv") == expected
    assert [f.pts * f.time_base for f in frames_of(tmp_path / "b.mkv")] == [
        Fraction(n, 25) for n in range(FRAMES)
    ]
    assert (done.frames, done.damaged_frames) == (FRAMES, lost)
    frames = "1 frame" if lost == 1 else f"{lost} frames"
    at_time = f"0:00:00.{broken * 40:03}"
    assert done.notices == (
        f"{frames} from {at_time} on cannot be decoded: the one before is shown",
    )


def test_two_stretches_are_told_apart(stream: Path, tmp_path: Path) -> None:
    def change(data: bytearray, places: list[tuple[int, int]]) -> None:
        flip(6, -1)(data, places)
        flip(18, -1)(data, places)

    done = damaged(stream, tmp_path / "b.mkv", change)
    assert done.damaged_frames == 4
    assert [notice.split(" cannot")[0] for notice in done.notices] == [
        "2 frames from 0:00:00.240 on",
        "2 frames from 0:00:00.720 on",
    ]


def test_frames_before_the_first_keyframe_that_decodes_are_left_out(
    stream: Path, tmp_path: Path
) -> None:
    done = damaged(stream, tmp_path / "b.mkv", flip(0, -1))
    assert shown(tmp_path / "b.mkv") == list(range(8, FRAMES))
    assert done.notices == ("8 frames from 0:00:00.000 on cannot be decoded: they are left out",)


@pytest.mark.parametrize("kept", [5, 9, 13])
def test_a_file_that_is_cut_off_gives_what_is_there(
    kept: int, stream: Path, tmp_path: Path
) -> None:
    done = damaged(stream, tmp_path / "b.mkv", lambda data, places: data[: places[kept][0]])
    assert shown(tmp_path / "b.mkv") == list(range(kept))
    assert done.damaged_frames == 0
    (notice,) = done.notices
    assert notice == f"the file is cut off at 0:00:00.{kept * 40:03}: what was there is kept"


def test_a_file_that_ends_within_a_frame_says_so(stream: Path, tmp_path: Path) -> None:
    done = damaged(stream, tmp_path / "b.mkv", lambda data, places: data[: places[5][0] + 40])
    assert shown(tmp_path / "b.mkv") == [0, 1, 2, 3, 4, 4]
    assert done.damaged_frames == 1
    assert "cut off at 0:00:00.240" in done.notices[0]


def test_without_a_frame_there_is_no_video(stream: Path, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="no frame of"):
        damaged(stream, tmp_path / "b.mkv", lambda data, places: data[: places[0][0] + 30])
    assert not (tmp_path / "b.mkv").exists()
    assert not list(tmp_path.glob(".*"))


def test_damaged_sound_spoils_no_picture(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=10, codec="ffv1", audio=[AudioTrack()])
    packed(clip, tmp_path / "a.upv", quality=63)
    events = placed(tmp_path / "a.upv")
    sounds = [n for n, event in enumerate(events) if event.packet.type is PacketType.OTHER]
    for at in (-1, 1):  # payload; head, of which nothing is known then
        done = damaged(tmp_path / "a.upv", tmp_path / "b.mkv", flip(sounds[4], at))
        assert done.damaged_frames == 0
        for frame, other in zip(frames_of(clip), frames_of(tmp_path / "b.mkv"), strict=True):
            assert np.array_equal(frame.planes[0], other.planes[0])
        told = ("1 damaged packet of another stream (1) left out",)
        assert done.notices == (told if at == -1 else ())


def test_repetitions_behind_damage_repeat_it(tmp_path: Path) -> None:
    pictures = [*(moving(n) for n in range(4)), moving(3), moving(3), moving(4)]
    clip = still_pictures(tmp_path / "a.mkv", pictures)
    packed(clip, tmp_path / "a.upv", quality=63)
    kinds = [packet.type for packet in packets_of(tmp_path / "a.upv")]
    assert kinds[4:6] == [PacketType.REPEAT] * 2
    done = damaged(tmp_path / "a.upv", tmp_path / "b.mkv", flip(3, -1))
    assert shown(tmp_path / "b.mkv") == [0, 1, 2, 2, 2, 2, 2]
    assert done.damaged_frames == 4
    lost = damaged(tmp_path / "a.upv", tmp_path / "b.mkv", flip(4, 1))  # a head is all it has
    assert shown(tmp_path / "b.mkv") == [0, 1, 2, 3, 3, 3, 3]
    assert lost.damaged_frames == 3


def receive(events: list[Placed | Damage], header: Header) -> tuple[list[Frame], list[str]]:
    told: list[str] = []
    codec = StandInCodecs().open(
        StandInCodecs().load_card("stand-in"), height=48, width=64, bits=8, device="cpu",
        precision="f32", threads=0, sends=False,
    )  # fmt: skip
    return list(Receiver(codec, header, told.append).frames(events)), told


def test_a_hole_in_which_no_frame_was_costs_none(stream: Path) -> None:
    with UpvFile(stream) as file:
        header = file.header
    events = placed(stream)
    hole = Damage(offset=0, num_bytes=300, reason="")
    frames, told = receive([*events[:4], hole, *events[4:]], header)
    assert [frame.damaged for frame in frames] == [False] * FRAMES
    assert told == []


def test_times_that_do_not_rise_are_left_out(stream: Path) -> None:
    with UpvFile(stream) as file:
        header = file.header
    events = placed(stream)
    frames, told = receive([*events, *events[:3]], header)
    assert len(frames) == FRAMES
    assert told == ["3 frames whose times do not rise: they are left out"]


def test_a_hole_of_any_length_ends(stream: Path) -> None:
    with UpvFile(stream) as file:
        header = file.header
    first, *_, last = placed(stream)
    far = replace(last, packet=replace(last.packet, pts=1 << 60))
    frames, _ = receive([first, Damage(offset=0, num_bytes=9, reason=""), far], header)
    assert len(frames) == 100_002


def test_what_is_shown_is_cut_out_of_what_is_coded(stream: Path) -> None:
    with UpvFile(stream) as file:
        header = replace(file.header, width=61, height=37)
    frames, _ = receive(list(placed(stream)), header)
    assert [plane.shape for plane in frames[5].planes] == [(37, 61), (19, 31), (19, 31)]
    assert np.array_equal(frames[5].planes[0], moving(5)[0][:37, :61])


def test_a_stream_without_an_index_and_of_unknown_length(tmp_path: Path, stream: Path) -> None:
    with UpvFile(stream) as file, (tmp_path / "live.upv").open("wb") as output:
        writer = Writer(output, file.header, index=False)
        for event in file.read():
            assert isinstance(event, Placed)
            writer.write(event.packet)
        writer.finish()
    assert unpacked(tmp_path / "live.upv", tmp_path / "b.mkv", encoder="ffv1").frames == FRAMES


def test_a_payload_of_another_kind_is_damage(stream: Path) -> None:
    with UpvFile(stream) as file:
        header = file.header
    events = placed(stream)
    liar = replace(events[4].packet, payload=events[0].packet.payload)
    frames, told = receive([*events[:4], replace(events[4], packet=liar), *events[5:]], header)
    assert [frame.damaged for frame in frames] == [4 <= n < 8 for n in range(FRAMES)]
    assert len(told) == 1
