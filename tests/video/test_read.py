"""Reading: every frame, its own time, and the same frames wherever reading starts."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.stream import VideoStream
from clips import (
    damage_packets,
    drop_packets,
    frame_times,
    shown_number,
    truncate,
    write_clip,
)

from upreel.errors import DamagedError, InputError, OptionError
from upreel.video import decode
from upreel.video.frame import Frame
from upreel.video.info import Deinterlace, SourceInfo, Timeline
from upreel.video.notice import Notice
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan

GOP = {"g": "5", "bf": "2", "keyint_min": "1", "sc_threshold": "0"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=5:min-keyint=1:bframes=2:scenecut=0"}
OPEN_HEVC = {"x265-params": "open-gop=1:keyint=5:min-keyint=1:bframes=2"}
REFRESH = {"x264-params": "intra-refresh=1:keyint=6:bframes=0"}  # no whole picture but the first
SOURCES = [
    ("a.mp4", "libx264", GOP),
    ("a.mkv", "libx264", GOP),
    ("a.ts", "libx264", GOP),
    ("a.avi", "libx264", GOP),
    ("a.h264", "libx264", GOP),
    ("open.mp4", "libx264", OPEN_GOP),
    ("open.mkv", "libx264", OPEN_GOP),
    ("open.ts", "libx264", OPEN_GOP),
    ("refresh.ts", "libx264", REFRESH),
    ("refresh.mkv", "libx264", REFRESH),
    ("hevc.mp4", "libx265", OPEN_HEVC),
    ("hevc.ts", "libx265", OPEN_HEVC),
    ("a.mpg", "mpeg2video", {"g": "5", "bf": "2"}),
    ("m4v.avi", "mpeg4", {"g": "5"}),
    ("a.webm", "libvpx-vp9", {"g": "5", "cpu-used": "8"}),
    ("ffv1.mkv", "ffv1", {"g": "1"}),
]
COUNT = 17


@dataclass
class Reading:
    """What one reading gave."""

    frames: list[Frame]
    notices: list[Notice] = field(default_factory=list[Notice])

    @property
    def marks(self) -> list[tuple[int, int, int, bool]]:
        return [(f.index, f.pts, f.duration, f.damaged) for f in self.frames]

    @property
    def numbers(self) -> list[int]:
        return [shown_number(f.planes[0]) for f in self.frames]


def read(
    info: SourceInfo, timeline: Timeline | None, first: int = 0, stop: int | None = None,
    *, threads: int = 0, deinterlace: Deinterlace = "auto",
) -> Reading:  # fmt: skip
    reading = Reading([])
    frames = read_frames(
        info, timeline=timeline, first=first, stop=stop, threads=threads,
        deinterlace=deinterlace, on_notice=reading.notices.append,
    )  # fmt: skip
    reading.frames = list(frames)
    return reading


def source(path: Path) -> tuple[SourceInfo, Timeline]:
    info = probe(path)
    return info, scan(info)


def assert_same_frames(got: Sequence[Frame], wanted: Sequence[Frame]) -> None:
    assert [f.index for f in got] == [f.index for f in wanted]
    for frame, expected in zip(got, wanted, strict=True):
        assert (frame.pts, frame.duration) == (expected.pts, expected.duration)
        assert frame.damaged == expected.damaged
        for plane, other in zip(frame.planes, expected.planes, strict=True):
            np.testing.assert_array_equal(plane, other, err_msg=f"frame {frame.index}")


@pytest.mark.parametrize(("name", "codec", "options"), SOURCES)
def test_any_range_gives_the_frames_of_straight_reading(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    info, timeline = source(write_clip(tmp_path / name, count=COUNT, codec=codec, options=options))

    whole = read(info, timeline)

    assert whole.numbers == list(range(COUNT))
    assert [f.pts for f in whole.frames] == timeline.pts.tolist()
    assert not whole.notices
    for first in range(0, COUNT, 3):
        stop = min(first + 4, COUNT)
        assert_same_frames(read(info, timeline, first, stop).frames, whole.frames[first:stop])


@pytest.mark.parametrize(("name", "codec", "options"), SOURCES[:3])
def test_pixels_are_those_of_the_plain_decoder(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = write_clip(tmp_path / name, count=COUNT, codec=codec, options=options)
    with av.open(str(path)) as container:
        wanted = [frame.to_ndarray() for frame in container.decode(video=0)]

    frames = read(*source(path)).frames

    for frame, picture in zip(frames, wanted, strict=True):
        joined = np.concatenate([plane.ravel() for plane in frame.planes])
        np.testing.assert_array_equal(joined, picture.ravel())


def test_pictures_go_when_they_are_let_go(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mp4", count=60, options=GOP))
    gc.collect()
    gc.disable()  # memory must not wait for Python to look for rings; all that is new stays young
    try:
        held = [
            sum(type(thing) is av.VideoFrame for thing in gc.get_objects(generation=0))
            for _ in read_frames(info)
        ]
    finally:
        gc.enable()

    assert len(held) == 60
    assert 1 <= max(held) <= 20  # what the decoder's threads have on their way


def test_uneven_times_and_durations_are_kept(tmp_path: Path) -> None:
    times = [5 + Fraction(1001 * n, 30000) for n in (0, 1, 3, 7, 8)]
    path = write_clip(tmp_path / "a.mp4", times=times, rate=Fraction(30000, 1001))

    frames = read(*source(path)).frames

    assert [f.pts * f.time_base for f in frames] == times
    steps = [after - before for before, after in pairwise(times)]
    assert [f.duration * f.time_base for f in frames[:-1]] == steps


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(tmp_path: Path, threads: int) -> None:
    path = write_clip(tmp_path / "a.mp4", count=COUNT, options=GOP)
    damage_packets(path, [3, 12])
    damage_packets(path, [7], share=Fraction(1, 2))
    info, timeline = source(path)

    one, several = read(info, timeline, threads=1), read(info, timeline, threads=threads)

    assert any(frame.damaged for frame in one.frames)
    assert_same_frames(several.frames, one.frames)
    assert several.notices == one.notices


@pytest.mark.parametrize(
    ("ending", "spoilt"),
    [
        *((ending, spoilt) for ending in ("mp4", "mkv") for spoilt in ([0], [4], [7, 8], [16])),
        *(("avi", spoilt) for spoilt in ([4], [7, 8], [16])),  # its packet 0 is its headers too
    ],
)
def test_damage_is_told_and_no_frame_is_lost(
    tmp_path: Path, ending: str, spoilt: list[int]
) -> None:
    path = write_clip(tmp_path / f"a.{ending}", count=COUNT, options=GOP)
    healthy = read(*source(path))
    info, timeline = source(damage_packets(path, spoilt))

    reading = read(info, timeline)

    assert [f.pts for f in reading.frames] == timeline.pts.tolist()
    assert len(reading.frames) == COUNT
    damaged = [f.index for f in reading.frames if f.damaged]
    assert len(damaged) >= len(spoilt)
    told = [n for n in reading.notices if n.kind in ("damaged", "repeated")]
    assert [n.index for n in told] == damaged
    for notice in told:
        assert notice.time == int(timeline.pts[notice.index]) * timeline.time_base
    for frame, other in zip(reading.frames, healthy.frames, strict=True):
        if frame.index < min(damaged):
            np.testing.assert_array_equal(frame.planes[0], other.planes[0])


@pytest.mark.parametrize("spoilt", [[0], [4], [7, 8], [16]])
def test_damage_of_the_container_itself_is_survived(tmp_path: Path, spoilt: list[int]) -> None:
    path = write_clip(tmp_path / "a.ts", count=COUNT, options=GOP)
    info, timeline = source(damage_packets(path, spoilt))

    reading = read(info, timeline)

    assert [f.pts for f in reading.frames] == timeline.pts.tolist()
    assert len(reading.frames) >= COUNT - 2 * len(spoilt)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_parts_of_a_damaged_file_equal_straight_reading(tmp_path: Path, ending: str) -> None:
    path = write_clip(tmp_path / f"a.{ending}", count=COUNT, options=GOP)
    info, timeline = source(damage_packets(path, [7, 8]))
    whole = read(info, timeline)
    count = len(timeline.pts)

    for first in range(0, count, 2):
        stop = min(first + 3, count)
        assert_same_frames(read(info, timeline, first, stop).frames, whole.frames[first:stop])


def test_an_undecodable_frame_repeats_the_one_before(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=9, options={"g": "1"})
    reading = read(*source(damage_packets(path, [4])))

    assert reading.numbers == [0, 1, 2, 3, 3, 5, 6, 7, 8]
    assert [f.index for f in reading.frames if f.damaged] == [4]
    assert [n.kind for n in reading.notices] == ["repeated"]
    assert "0:00:00.160" in reading.notices[0].text


def test_an_undecodable_first_frame_shows_the_next(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=4, options={"g": "1"})
    reading = read(*source(damage_packets(path, [0])))

    assert reading.numbers == [1, 1, 2, 3]


def test_a_last_frame_that_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=4, options={"g": "1"})
    reading = read(*source(damage_packets(path, [2, 3])))

    assert reading.numbers == [0, 1, 1, 1]
    assert [n.kind for n in reading.notices] == ["truncated", "repeated", "repeated"]
    assert "0:00:00.080" in reading.notices[0].text


@pytest.mark.parametrize("ending", ["mkv", "ts", "avi", "mpg"])
@pytest.mark.parametrize("keep", [Fraction(1, 2), Fraction(4, 5), Fraction(97, 100)])
def test_a_truncated_file_gives_all_that_is_there(
    tmp_path: Path, ending: str, keep: Fraction
) -> None:
    codec = "mpeg2video" if ending == "mpg" else "libx264"
    path = write_clip(tmp_path / f"a.{ending}", count=24, codec=codec, options=GOP)
    truncate(path, keep=keep)
    info, timeline = source(path)

    reading = read(info, timeline)

    assert len(reading.frames) == len(timeline.pts)
    healthy = [f for f in reading.frames if not f.damaged]
    numbers = [shown_number(f.planes[0]) for f in healthy]
    if ending == "avi":
        # It tells no times: what a missing frame leaves is closed up. Nor that its last packet is
        # cut: the decoder conceals it by the picture before, and does not always say so.
        assert numbers == sorted(numbers)
        assert len(numbers) - len(set(numbers)) <= 1
    else:
        assert numbers == sorted(set(numbers))
        start = timeline.pts[0]
        assert numbers == [round((f.pts - start) * f.time_base * 25) for f in healthy]
    assert len(healthy) >= len(timeline.pts) - 3


def test_lost_packets_leave_the_other_times_alone(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", count=12, options={**GOP, "bf": "0"})
    info, timeline = source(drop_packets(path, tmp_path / "b.mkv", [6, 7]))

    reading = read(info, timeline)

    assert [f.pts for f in reading.frames] == [40 * n for n in range(12) if n not in (6, 7)]


def test_a_stream_that_starts_within_a_group_keeps_its_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.ts", count=15, options=GOP)
    info, timeline = source(drop_packets(path, tmp_path / "b.ts", [0, 1]))

    reading = read(info, timeline)

    assert len(reading.frames) == len(timeline.pts) == 13
    assert {n.kind for n in reading.notices} == {"damaged"}  # what there is of them is shown
    assert reading.frames[0].damaged
    assert not reading.frames[-1].damaged
    assert reading.numbers[-10:] == list(range(5, 15))


@pytest.mark.parametrize("ending", ["h264", "ts"])
def test_a_change_of_size_is_refused_with_its_time(tmp_path: Path, ending: str) -> None:
    first = write_clip(tmp_path / "a.h264", count=6, options={"bf": "0"})
    second = write_clip(tmp_path / "b.h264", count=6, width=96, height=64, options={"bf": "0"})
    joined = tmp_path / "c.h264"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    info, timeline = source(joined if ending == "h264" else as_transport_stream(joined))

    with pytest.raises(InputError, match=r"64x48 to 96x64 at 0:00:00\.240"):
        read(info, timeline)
    with pytest.raises(InputError, match=r"64x48 to 96x64 at 0:00:00\.240"):
        read(info, timeline, 4, 8)
    assert read(info, timeline, 2, 5).numbers == [2, 3, 4]


def as_transport_stream(raw: Path) -> Path:
    """The pictures of a bare H.264 stream, 25 a second."""
    path = raw.with_suffix(".ts")
    with av.open(str(raw)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(p for p in reading.demux(video=0) if p.size):
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            writing.mux(packet)
    return path


def test_a_change_of_pixel_format_is_refused_with_its_time(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", count=6, options={"bf": "0"})
    second = write_clip(tmp_path / "b.h264", count=6, pix_fmt="yuv422p", options={"bf": "0"})
    joined = tmp_path / "c.h264"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    info, timeline = source(joined)

    with pytest.raises(InputError, match=r"yuv420p to yuv422p at 0:00:00\.240"):
        read(info, timeline)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (65, 49), (64, 2)])
@pytest.mark.parametrize("count", [1, 2])
def test_small_odd_and_short_clips(tmp_path: Path, size: tuple[int, int], count: int) -> None:
    path = write_clip(tmp_path / "a.mkv", count=count, codec="ffv1", width=size[0], height=size[1])

    frames = read(*source(path)).frames

    assert [(f.width, f.height) for f in frames] == [size] * count
    assert frames[0].planes[1].shape == (-(-size[1] // 2), -(-size[0] // 2))


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize(("ending", "codec"), [("mp4", "libx264"), ("mpg", "mpeg2video")])
def test_interlaced_frames_keep_their_times_and_lose_the_comb(
    tmp_path: Path, ending: str, codec: str, top_first: bool
) -> None:
    path = write_clip(
        tmp_path / f"a.{ending}", count=12, codec=codec, interlaced=True, top_first=top_first
    )
    info, timeline = source(path)

    woven, frames = read(info, timeline, deinterlace="off"), read(info, timeline)

    assert [f.pts for f in frames.frames] == timeline.pts.tolist()
    assert frames.numbers[1:] == [2 * n for n in range(1, 12)]  # the earlier field is kept
    assert [n.kind for n in frames.notices] == ["deinterlaced"]
    assert woven.frames[3].interlaced
    assert not frames.frames[3].interlaced
    assert comb(frames.frames[5]) < comb(woven.frames[5]) / 2


@pytest.mark.parametrize("top_first", [True, False])
def test_fields_without_flags_are_treated_when_asked(tmp_path: Path, top_first: bool) -> None:
    path = write_clip(
        tmp_path / "a.mkv", count=12, interlaced=True, top_first=top_first, flagged=False,
        codec="ffv1",
    )  # fmt: skip
    info, timeline = source(path)

    left, treated = read(info, timeline), read(info, timeline, deinterlace="on")

    assert left.notices == []
    assert [n.kind for n in treated.notices] == ["deinterlaced"]
    for frame, woven in zip(treated.frames, left.frames, strict=True):
        assert_earlier_field_is_kept(frame, woven, top_first=top_first)
    assert [f.pts for f in treated.frames] == timeline.pts.tolist()


def test_progressive_pictures_in_flagged_frames_are_left_as_they_are(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", count=12, interlaced=True, woven=False)
    info, timeline = source(path)

    plain, off = read(info, timeline), read(info, timeline, deinterlace="off")

    assert plain.notices == []
    assert_same_frames(plain.frames, off.frames)


@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p10le", "yuv444p", "yuv420p12le", "gray", "gray16le", "bgr0", "yuva420p",
     "bgra", "gbrp12le", "yuv410p", "yuv411p"],
)  # fmt: skip
def test_any_layout_can_be_deinterlaced(tmp_path: Path, pix_fmt: str) -> None:
    path = write_clip(
        tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, interlaced=True, flagged=False, count=9
    )
    info, timeline = source(path)

    woven, frames = read(info, timeline, deinterlace="off"), read(info, timeline, deinterlace="on")

    for frame, stored in zip(frames.frames, woven.frames, strict=True):
        assert frame.format == stored.format
        assert_earlier_field_is_kept(frame, stored, top_first=True)


def test_a_video_that_turns_interlaced_later_is_told_of(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{n}.h264", count=30, interlaced=n == 1, options={"bf": "0"})
        for n in range(2)
    ]
    joined = tmp_path / "all.h264"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    info, timeline = source(joined)
    assert not info.flagged_interlaced

    auto, off = read(info, timeline), read(info, timeline, deinterlace="off")
    later = read(info, timeline, 40, 50)
    on = read(info, timeline, deinterlace="on")

    (notice,) = auto.notices
    assert (notice.kind, notice.index, notice.time) == ("fields", 30, Fraction(30, 25))
    assert notice.text.startswith("frame 30 at 0:00:01.200 is flagged as interlaced: left as it is")
    assert [f.interlaced for f in auto.frames] == [False] * 30 + [True] * 30
    assert off.notices == []
    assert [n.index for n in later.notices] == [40]
    assert_same_frames(auto.frames, off.frames)
    assert not any(f.interlaced for f in on.frames)
    assert comb(on.frames[45]) < comb(auto.frames[45]) / 2


def assert_earlier_field_is_kept(frame: Frame, woven: Frame, *, top_first: bool) -> None:
    """Its lines stay as they are; those between them are no longer the later field's."""
    earlier, later = (0, 1) if top_first else (1, 0)
    for plane, stored in zip(frame.planes, woven.planes, strict=True):
        np.testing.assert_array_equal(plane[earlier::2], stored[earlier::2])
    assert (frame.planes[0][later::2] != woven.planes[0][later::2]).mean() > 0.2


def comb(frame: Frame) -> float:
    """How much lines differ from those above more than from those two above."""
    luma = frame.planes[0].astype(np.float64)
    return float(np.abs(luma[1:] - luma[:-1]).mean())


def test_deinterlaced_parts_equal_straight_reading(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=14, interlaced=True, options=GOP)
    info, timeline = source(path)
    whole = read(info, timeline)

    for first in range(14):
        stop = min(first + 2, 14)
        part = read(info, timeline, first, stop)
        assert_same_frames(part.frames, whole.frames[first:stop])


def test_frames_carry_what_the_source_says(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mp4", rotation=90, sar=Fraction(4, 3), codec="libx265",
        pix_fmt="yuv420p10le", hdr=True,
    )  # fmt: skip

    frame = read(*source(path)).frames[2]

    assert frame.rotation == 90
    assert frame.sample_aspect_ratio == Fraction(4, 3)
    assert (frame.colour.primaries, frame.colour.transfer, frame.colour.matrix) == (9, 16, 9)
    assert frame.colour.chroma_location == 3
    assert frame.planes[0].dtype == np.uint16
    assert int(frame.planes[0].max()) > 255


def test_planes_outlive_the_reading(tmp_path: Path) -> None:
    info, timeline = source(write_clip(tmp_path / "a.mp4", count=COUNT, options=GOP))
    kept = [f.planes[0] for f in read_frames(info, timeline=timeline)]

    assert [shown_number(plane) for plane in kept] == list(range(COUNT))


def test_without_a_timeline_frames_are_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", times=[Fraction(1) + t for t in frame_times(5)])

    frames = read(probe(path), None).frames

    assert [(f.index, f.pts) for f in frames] == [(n, 1000 + 40 * n) for n in range(5)]


def test_a_seek_that_lands_too_late_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, timeline = source(write_clip(tmp_path / "a.ts", count=COUNT, options=GOP))
    whole = read(info, timeline)
    landed: list[int] = []

    def late(container: InputContainer, stream: VideoStream, *_: object) -> int:
        landed.append(15)
        container.seek(int(timeline.pts[15]), stream=stream)
        return 5

    monkeypatch.setattr(decode, "_seek", late)

    part = read(info, timeline, 11, 14)

    assert landed == [15]
    assert_same_frames(part.frames, whole.frames[11:14])
    assert [n.kind for n in part.notices] == ["reread"]


def test_a_plan_of_another_file_is_noticed(tmp_path: Path) -> None:
    info, timeline = source(write_clip(tmp_path / "a.ts", count=COUNT, options=GOP))
    moved = replace(timeline, pts=timeline.pts + 1)

    with pytest.raises(DamagedError, match="none of frames 16 to 17"):
        read(info, moved, 16, 17)


@pytest.mark.parametrize(("first", "stop"), [(-1, 3), (0, 9), (5, 4), (9, None)])
def test_ranges_outside_of_the_video_are_refused(
    tmp_path: Path, first: int, stop: int | None
) -> None:
    info, timeline = source(write_clip(tmp_path / "a.mp4"))

    with pytest.raises(OptionError, match="8 of them"):
        read_frames(info, timeline=timeline, first=first, stop=stop)


def test_a_later_start_needs_the_times(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mp4"))

    with pytest.raises(OptionError, match="needs the times"):
        read_frames(info, first=2)
