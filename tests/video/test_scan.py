"""Times from packets alone: exact, in display order, over hours, and without presentation times."""

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import draw_frame, truncate, write_clip, write_sequence
from hypothesis import given, settings
from hypothesis import strategies as st

from upreel.video.probe import probe
from upreel.video.scan import PacketTime, scan, timeline_from_packets

NTSC_FILM = Fraction(24000, 1001)
GOP = {"g": "5", "bf": "2", "keyint_min": "1", "sc_threshold": "0"}


def decoded_times(path: Path) -> list[int]:
    """Another way to the same times: decode everything."""
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_times_are_those_of_the_decoded_frames(tmp_path: Path, ending: str) -> None:
    times = [Fraction(n, 24) for n in (0, 1, 3, 4, 8, 9, 10, 15, 16)]
    path = write_clip(tmp_path / f"a.{ending}", times=times, rate=Fraction(24), options=GOP)

    timeline = scan(probe(path))

    assert timeline.exact
    assert timeline.pts.tolist() == decoded_times(path)
    assert timeline.keyframes.tolist() == [0, 5]


def test_bytes_and_reorder_delay_are_those_of_the_packets(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=12, options={**GOP, "preset": "medium"})
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    coded = [packet.pts for packet in packets]

    timeline = scan(probe(path))

    sizes = {packet.pts: packet.size for packet in packets}
    assert timeline.sizes is not None
    assert timeline.sizes.tolist() == [sizes[time] for time in sorted(coded)]
    places = [sorted(coded).index(time) for time in coded]
    assert timeline.delay == max(k - place for k, place in enumerate(places)) > 0


def test_uneven_times_are_exact_where_the_container_is(tmp_path: Path) -> None:
    times = [Fraction(1001 * n, 30000) for n in (0, 1, 3, 7, 8)]
    path = write_clip(tmp_path / "a.mp4", times=times, rate=Fraction(30000, 1001))

    timeline = scan(probe(path))

    assert [int(t) * timeline.time_base for t in timeline.pts] == times


def test_three_hours_of_film_are_exact_to_the_tick() -> None:
    count = 3 * 3600 * 24
    # As an encoder with two B-frames in a row stores them: I B B P becomes I P B B.
    packets: list[PacketTime] = []
    for n in range(0, count, 3):
        for shown in (n, *range(n - 2, n)):
            if 0 <= shown < count:
                packets.append(PacketTime(1001 * shown, None, 1001, shown % 240 == 0))
    packets += [PacketTime(1001 * n, None, 1001) for n in range(count - 2, count)]

    timeline = timeline_from_packets(packets, time_base=Fraction(1, 24000), rate=NTSC_FILM)

    assert timeline.exact
    assert len(timeline.pts) == count
    assert timeline.pts.tolist() == list(range(0, 1001 * count, 1001))
    assert timeline.keyframes.tolist() == list(range(0, count, 240))


def test_three_hours_without_any_times_are_counted_without_drift() -> None:
    count = 3 * 3600 * 24
    timeline = timeline_from_packets(
        [PacketTime(None, None)] * count, time_base=Fraction(1, 90_000), rate=NTSC_FILM
    )

    # Frame n is due at n * 90000 * 1001 / 24000 ticks: compared in whole numbers.
    late = 24_000 * timeline.pts - np.arange(count, dtype=np.int64) * 90_000 * 1001
    assert not timeline.exact
    assert int(np.abs(late).max()) * 2 <= 24_000  # half a tick, after three hours too
    assert (np.diff(timeline.pts) > 0).all()


@given(
    steps=st.lists(st.integers(1, 10**9), min_size=1, max_size=60),
    start=st.integers(-(10**12), 10**12),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_any_order_of_packets_gives_the_same_rising_times(
    steps: list[int], start: int, seed: int
) -> None:
    times = [start + sum(steps[:n]) for n in range(len(steps))]
    packets = [PacketTime(t, None, 7, n % 4 == 0) for n, t in enumerate(times)]
    random.Random(seed).shuffle(packets)

    timeline = timeline_from_packets(packets, time_base=Fraction(1, 1000), rate=None)

    assert timeline.pts.tolist() == times
    assert timeline.keyframes.tolist() == list(range(0, len(times), 4))
    assert timeline.last_duration == 7


@given(delay=st.integers(0, 5), known=st.sets(st.integers(0, 29), min_size=1))
@settings(max_examples=60, deadline=None)
def test_missing_presentation_times_are_filled_in(delay: int, known: set[int]) -> None:
    """Decoding times are there for all, presentation times for some: as in program streams."""
    packets = [
        PacketTime((n + delay) * 3600 if n in known | {0} else None, n * 3600, 3600)
        for n in range(30)
    ]

    timeline = timeline_from_packets(packets, time_base=Fraction(1, 90_000), rate=Fraction(25))

    assert timeline.pts.tolist() == [(n + delay) * 3600 for n in range(30)]


def test_repeated_presentation_times_are_not_believed() -> None:
    packets = [PacketTime(t, d, 1) for t, d in ((0, 0), (1, 1), (1, 2), (3, 3))]

    timeline = timeline_from_packets(packets, time_base=Fraction(1, 25), rate=Fraction(25))

    assert not timeline.exact
    assert (np.diff(timeline.pts) > 0).all()


def test_the_last_frame_lasts_as_long_as_the_container_says() -> None:
    packets = [PacketTime(0, 0, 10), PacketTime(10, 10, 25)]

    told = timeline_from_packets(packets, time_base=Fraction(1, 100), rate=Fraction(10))
    untold = timeline_from_packets(
        [PacketTime(0, 0), PacketTime(7, 7)], time_base=Fraction(1, 100), rate=None
    )

    assert (told.last_duration, untold.last_duration) == (25, 7)


def test_avi_with_reordered_frames_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", count=12, options=GOP)

    timeline = scan(probe(path))

    assert not timeline.exact
    assert timeline.pts.tolist() == list(range(12))


def test_avi_without_reordering_is_exact(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", count=12, codec="mpeg4", options={"g": "5"})

    timeline = scan(probe(path))

    assert timeline.exact
    assert timeline.pts.tolist() == list(range(12))


def test_a_raw_stream_is_timed_by_its_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.h264", count=10, options=GOP)
    info = probe(path)

    timeline = scan(info)

    assert not timeline.exact
    assert [int(t) * timeline.time_base for t in timeline.pts] == [
        Fraction(n, 25) for n in range(10)
    ]


def test_a_truncated_file_gives_what_is_left(tmp_path: Path) -> None:
    whole = scan(probe(write_clip(tmp_path / "a.mkv", count=20, options=GOP)))

    cut = scan(probe(truncate(tmp_path / "a.mkv", keep=Fraction(1, 2))))

    assert 2 < len(cut.pts) < 20
    assert cut.pts.tolist() == sorted(set(cut.pts.tolist()) & set(whole.pts.tolist()))


def test_what_an_edit_list_cuts_off_is_not_counted(tmp_path: Path) -> None:
    """Copying from the second keyframe with times below zero makes the muxer write an edit list."""
    path, cut = write_clip(tmp_path / "a.mp4", count=20, options=GOP), tmp_path / "cut.mp4"
    with av.open(str(path)) as reading, av.open(str(cut), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - 512 * 7, packet.dts - 512 * 7
                packet.stream = stream
                writing.mux(packet)

    timeline = scan(probe(cut))

    assert timeline.pts.tolist() == decoded_times(cut)
    assert len(timeline.pts) == 13


def test_pictures_are_counted(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=3)

    timeline = scan(probe(folder, sequence_rate=NTSC_FILM))

    assert timeline.pts.tolist() == timeline.keyframes.tolist() == [0, 1, 2]
    assert timeline.time_base == Fraction(1001, 24000)


def test_drawn_frames_differ() -> None:
    """What the other tests rest on: no two drawn frames are alike."""
    pictures = {draw_frame(n).to_ndarray().tobytes() for n in range(256)}

    assert len(pictures) == 256
