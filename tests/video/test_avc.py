"""Frames that are stored as two pictures: two packets of H.264, one frame."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import draw_frame, drop_packets, write_clip
from field_pictures import HEIGHT, WIDTH, field_pictures, write_field_clip

from upreel.video.avc import FieldPairs
from upreel.video.formats import pixel_format, planes_from_av
from upreel.video.frame import Frame
from upreel.video.notice import Notice
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan


def read(path: Path, first: int = 0, stop: int | None = None) -> tuple[list[Frame], list[Notice]]:
    notices: list[Notice] = []
    info = probe(path)
    frames = read_frames(
        info, timeline=scan(info), first=first, stop=stop, deinterlace="off",
        on_notice=notices.append,
    )  # fmt: skip
    return list(frames), notices


def assert_drawn(frame: Frame, number: int, *, top_first: bool = True) -> None:
    drawn = draw_frame(number, width=WIDTH, height=HEIGHT, interlaced=True, top_first=top_first)
    for plane, expected in zip(
        frame.planes, planes_from_av(drawn, pixel_format("yuv420p")), strict=True
    ):
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("fields_a_packet", [1, 2])
@pytest.mark.parametrize("ending", ["ts", "mp4", "mkv", "h264"])
def test_two_fields_are_one_frame_wherever_they_are_stored(
    tmp_path: Path, ending: str, fields_a_packet: int, top_first: bool
) -> None:
    path = write_field_clip(
        tmp_path / f"a.{ending}", count=9, top_first=top_first, fields_a_packet=fields_a_packet
    )
    info = probe(path)
    timeline = scan(info)

    frames, notices = read(path)

    assert (info.interlaced, info.top_field_first, info.rate) == (True, top_first, 25)
    assert [int(t) * timeline.time_base for t in timeline.pts] == [
        Fraction(n, 25) for n in range(9)
    ]
    assert timeline.last_duration * timeline.time_base == Fraction(1, 25)
    assert info.num_frames in (None, 9)
    assert notices == []
    for number, frame in enumerate(frames):
        assert_drawn(frame, number, top_first=top_first)
    assert len(frames) == 9


def test_any_part_of_it_is_the_same(tmp_path: Path) -> None:
    path = write_field_clip(tmp_path / "a.ts", count=10)

    for first in range(10):
        frames, _ = read(path, first, min(first + 2, 10))
        assert [frame.index for frame in frames] == list(range(first, min(first + 2, 10)))
        for frame in frames:
            assert_drawn(frame, frame.index)


def test_frames_coded_whole_in_between(tmp_path: Path) -> None:
    path = write_field_clip(tmp_path / "a.ts", count=8, coded_whole=[2, 3, 5])

    frames, notices = read(path)

    assert [frame.pts for frame in frames] == list(range(0, 8 * 3600, 3600))
    assert notices == []
    for number, frame in enumerate(frames):
        assert_drawn(frame, number)


def test_scaling_lists_are_passed_over(tmp_path: Path) -> None:
    frames, _ = read(write_field_clip(tmp_path / "a.ts", scaling=True))

    assert len(frames) == 6
    for number, frame in enumerate(frames):
        assert_drawn(frame, number)


@pytest.mark.parametrize("lost", [5, 6])
def test_a_lost_field_takes_no_other_frame_with_it(tmp_path: Path, lost: int) -> None:
    """Packet 5 is the second field of frame 2, packet 6 the first of frame 3."""
    whole = write_field_clip(tmp_path / "a.mkv", count=8)
    path = drop_packets(whole, tmp_path / "b.mkv", [lost])

    frames, _ = read(path)

    assert len(frames) == 8
    for number in {0, 1, 4, 5, 6, 7}:
        assert_drawn(frames[number], number)
    assert [f.pts for f in frames if f.index != 3] == [40 * n for n in range(8) if n != 3]
    assert frames[3].pts == (140 if lost == 6 else 120)


@pytest.mark.parametrize("interlaced", [True, False])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_a_real_encoder_s_frames_are_not_taken_for_fields(
    tmp_path: Path, ending: str, pix_fmt: str, interlaced: bool
) -> None:
    options = {"x264-params": "cqm=jvt:slices=3:bframes=2:tff=1"} if interlaced else {}
    path = write_clip(
        tmp_path / f"a.{ending}", count=9, interlaced=interlaced, pix_fmt=pix_fmt, options=options
    )

    with av.open(str(path)) as container:
        pairs = FieldPairs(container.streams.video[0].codec_context.extradata or b"")
        assert pairs.possible == interlaced
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert not any(pairs.is_second(packet) for packet in packets)
    assert len(scan(probe(path)).pts) == 9


def test_fields_pair_only_with_the_other_field_of_their_own_frame() -> None:
    (top, bottom), (other_top, other_bottom), whole = [
        *field_pictures(2, group=8), field_pictures(3, coded_whole=[2], group=8)[2]
    ]  # fmt: skip

    def seen(*packets: bytes) -> list[bool]:
        pairs = FieldPairs(b"")
        return [pairs.is_second(packet) for packet in packets]

    assert seen(top, bottom, other_top, other_bottom) == [False, True, False, True]
    assert seen(top, other_bottom, other_top) == [False, False, True]
    assert seen(top, top, bottom, bottom) == [False, False, True, False]
    assert seen(top, whole[0], bottom) == [False, False, False]
    assert seen(top + bottom, bottom) == [False, False]
    assert seen(top + bottom, other_top, other_bottom) == [False, False, True]


def test_parameter_sets_may_come_in_the_packets_alone() -> None:
    pairs = FieldPairs(b"")

    assert pairs.possible
    assert not pairs.is_second(b"\0\0\1\x41\x9a\x00")  # a slice before any parameter set


@pytest.mark.parametrize("header", [b"", b"\1", b"\1M@\x1f\xff\xe1\0", b"\0\0\1", b"\0\0\1\x67M"])
def test_broken_headers_and_packets_say_nothing(header: bytes) -> None:
    pairs = FieldPairs(header)

    assert not pairs.is_second(b"")
    assert not pairs.is_second(b"\0\0\1\x65\xff\xff\0\0\0\5\x65")
