"""join(): what the preservation contract promises, by clips that have the property."""

import errno
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Attachment, AudioTrack, SubtitleTrack, write_clip, write_sequence
from doubling import double, film_times, settings_for, write_parts

from upreel.errors import DiskFullError, OutputError
from upreel.video import aside
from upreel.video.frame import Colour
from upreel.video.join import container_losses, default_output, join
from upreel.video.probe import probe
from upreel.video.scan import scan
from upreel.video.verify import verify

UNEVEN = [Fraction(n, 30) for n in (0, 1, 3, 7, 8, 9, 40, 41)]


def faults(source: Path, output: Path) -> list[str]:
    return [f"{c.name}: {c.detail}" for c in verify(source, output).checks if not c.passed]


def packets(path: Path, stream: int) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [p for p in container.demux(container.streams[stream]) if p.size]


@pytest.mark.parametrize("cuts", [(), (4,), (1, 2, 7)])
def test_everything_in_an_mp4_is_kept(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    source = write_clip(
        tmp_path / "in.mp4",
        times=[time + Fraction(1001, 30_000) for time in UNEVEN],
        sar=Fraction(4, 3),
        rotation=90,
        colour=Colour(full_range=True, primaries=5, transfer=6, matrix=5, chroma_location=3),
        audio=[AudioTrack(), AudioTrack(language="deu", title="two", start=Fraction(1, 4))],
        subtitles=[SubtitleTrack(codec="mov_text")],
        chapters=["A", "B"],
        cover=True,
        metadata={"title": "T", "comment": "c"},
        extra_video=1,
    )

    report = double(source, tmp_path / "out.mp4", cuts=cuts, preset="veryfast")

    assert faults(source, tmp_path / "out.mp4") == []
    assert report.notices == ()
    assert report.num_frames == 8


def test_everything_in_an_mkv_is_kept(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv",
        times=UNEVEN,
        sar=Fraction(4, 3),
        rotation=270,
        colour=Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=2),
        audio=[AudioTrack(codec="libopus"), AudioTrack(codec="flac", language="deu")],
        subtitles=[SubtitleTrack(), SubtitleTrack(codec="ass", language="jpn", title="signs")],
        attachments=[Attachment(), Attachment(name="b.otf", mimetype="font/otf", data=b"b")],
        chapters=["A", "B"],
        cover=True,
        metadata={"title": "T", "anything": "goes"},
        extra_video=1,
    )

    report = double(source, tmp_path / "out.mkv")

    assert faults(source, tmp_path / "out.mkv") == []
    assert report.notices == ()


@pytest.mark.parametrize(
    ("codec", "ending", "pix_fmt"),
    [
        ("x264", ".mov", "yuv422p10le"),
        ("x265", ".mp4", "yuv420p12le"),
        ("x265", ".mp4", "bgr0"),
        ("ffv1", ".mkv", "yuv420p"),
        ("ffv1", ".mkv", "gray"),
        ("ffv1", ".mkv", "bgra"),
        ("svtav1", ".webm", "yuv420p10le"),
        ("vp9", ".webm", "yuv444p"),
        ("prores", ".mov", "yuv422p10le"),
    ],
)
def test_each_encoder_keeps_times_and_tags(
    tmp_path: Path, codec: str, ending: str, pix_fmt: str
) -> None:
    tags = Colour(full_range=False, primaries=9, transfer=14, matrix=9)
    source = write_clip(
        tmp_path / "in.mkv", times=UNEVEN, codec="ffv1", pix_fmt=pix_fmt, colour=tags
    )

    double(source, tmp_path / f"out{ending}", codec=codec)

    assert faults(source, tmp_path / f"out{ending}") == []


@pytest.mark.parametrize("codec", ["ffv1", "vp9", "svtav1", "x264", "x265"])
def test_chroma_location_reaches_matroska(tmp_path: Path, codec: str) -> None:
    source = write_clip(tmp_path / "in.mp4", colour=Colour(chroma_location=3))

    double(source, tmp_path / "out.mkv", codec=codec)

    assert probe(tmp_path / "out.mkv").colour.chroma_location == 3


@pytest.mark.parametrize("codec", ["x265", "x264", "svtav1"])
def test_hdr10_is_read_back(tmp_path: Path, codec: str) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="libx265", pix_fmt="yuv420p10le", hdr=True)

    double(source, tmp_path / "out.mp4", codec=codec)

    hdr = probe(tmp_path / "out.mp4").hdr
    assert hdr == probe(source).hdr
    assert hdr is not None
    assert hdr.max_cll == 1000


def test_hdr10_is_encoded_by_x265_unless_asked_otherwise(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="libx265", pix_fmt="yuv420p10le", hdr=True)

    assert settings_for(probe(source), ".mkv").encoder == "x265"


def test_hevc_in_mp4_is_tagged_for_all_players(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")

    double(source, tmp_path / "out.mp4", codec="x265")

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", width=65, height=49, codec="ffv1")

    double(source, tmp_path / "out.mkv", scale=3)

    assert faults(source, tmp_path / "out.mkv") == []
    assert probe(tmp_path / "out.mkv").codec == "ffv1"


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".webm", ".ts"])
def test_the_same_bytes_on_every_run(tmp_path: Path, ending: str) -> None:
    audio = [AudioTrack(codec="libopus" if ending == ".webm" else "aac")]
    source = write_clip(tmp_path / "in.mkv", audio=audio)
    first, second = tmp_path / f"a{ending}", tmp_path / f"b{ending}"

    double(source, first)
    double(source, second)

    assert first.read_bytes() == second.read_bytes()


def test_transport_stream_becomes_a_file_that_starts_near_zero(tmp_path: Path) -> None:
    late = [9000 + Fraction(n, 25) for n in range(8)]
    source = write_clip(
        tmp_path / "in.ts", times=late, audio=[AudioTrack(start=Fraction(9000))],
        muxer_options={"mpegts_copyts": "1"},
    )  # fmt: skip
    assert film_times(source)[0] == 9000

    double(source, tmp_path / "out.mkv")

    assert faults(source, tmp_path / "out.mkv") == []
    assert film_times(tmp_path / "out.mkv")[0] < Fraction(1, 10)


def test_transport_stream_stays_one_with_its_times(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.ts", audio=[AudioTrack()])

    double(source, tmp_path / "out.ts")

    assert faults(source, tmp_path / "out.ts") == []
    assert film_times(tmp_path / "out.ts") == film_times(source)


@pytest.mark.parametrize("cuts", [(), (1, 3, 6)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_broadcast_clock_that_wraps_around_begins_before_zero(
    tmp_path: Path, ending: str, cuts: tuple[int, ...]
) -> None:
    """33 bits of 1/90000 s: FFmpeg counts what comes before the wrap from below 0."""
    start = Fraction(2**33, 90_000) - Fraction(14_400, 90_000)  # four frames
    source = write_clip(
        tmp_path / "in.ts", times=[start + Fraction(n, 25) for n in range(9)],
        time_base=Fraction(1, 90_000), audio=[AudioTrack(start=start)],
        muxer_options={"mpegts_copyts": "1"}, options={"bf": "2"},
    )  # fmt: skip
    before = film_times(source)
    assert before[0] < 0 < before[-1]

    report = double(source, tmp_path / f"out.{ending}", cuts=cuts)

    out = tmp_path / f"out.{ending}"
    assert [f for f in faults(source, out) if "disposition" not in f] == []
    (notice,) = [n for n in report.notices if "before 0" in n]
    assert "all times are later by 0.1" in notice
    apart = [
        min(p.pts * p.time_base for p in packets(path, 1)) - film_times(path)[0]
        for path in (source, out)
    ]
    assert abs(apart[0] - apart[1]) <= Fraction(1, 1000)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_what_an_edit_list_cuts_off_leaves_sound_and_picture_together(
    tmp_path: Path, ending: str
) -> None:
    """Times below zero become an edit list in MP4: its first packets are decoded, not shown."""
    whole, source = tmp_path / "whole.mp4", tmp_path / "in.mp4"
    write_clip(whole, count=14, audio=[AudioTrack()], options={"bf": "2"})
    with (
        av.open(str(whole)) as reading,
        av.open(str(source), "w", container_options={"avoid_negative_ts": "disabled"}) as writing,
    ):
        streams = {s.index: writing.add_stream_from_template(s) for s in reading.streams}
        for packet in reading.demux():
            if packet.size:
                ticks = int(Fraction(3, 25) / packet.time_base)
                packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
                packet.stream = streams[packet.stream.index]
                writing.mux(packet)
    assert film_times(source) == [Fraction(n, 25) for n in range(11)]

    double(source, tmp_path / f"out.{ending}")

    assert faults(source, tmp_path / f"out.{ending}") == []
    sound = [
        {bytes(p): p.pts * p.time_base - film_times(path)[0] for p in packets(path, 1)}
        for path in (source, tmp_path / f"out.{ending}")
    ]
    assert sound[0].keys() == sound[1].keys()
    assert all(abs(time - sound[1][data]) <= Fraction(1, 1000) for data, time in sound[0].items())


def test_times_of_three_hours_are_exact(tmp_path: Path) -> None:
    times = [10_800 + Fraction(1001 * n, 24_000) for n in range(6)]
    source = write_clip(tmp_path / "in.mp4", times=times)

    double(source, tmp_path / "out.mp4", preset="veryfast")

    assert film_times(tmp_path / "out.mp4") == times


def test_a_start_between_milliseconds_is_exact(tmp_path: Path) -> None:
    times = [Fraction(1001 * n, 30_000) for n in range(1, 6)]
    source = write_clip(
        tmp_path / "in.mp4", times=times, muxer_options={"movie_timescale": "30000"}
    )
    assert film_times(source) == times

    double(source, tmp_path / "out.mp4")

    assert film_times(tmp_path / "out.mp4") == times


def test_pictures_become_a_film(tmp_path: Path) -> None:
    source = write_sequence(tmp_path / "shots", count=5)

    double(source, tmp_path / "out.mp4")

    assert faults(source, tmp_path / "out.mp4") == []


@pytest.mark.parametrize(("source_ending", "ending"), [(".avi", ".mp4"), (".mkv", ".mov")])
def test_plain_samples_of_sound_are_kept(tmp_path: Path, source_ending: str, ending: str) -> None:
    source = write_clip(tmp_path / f"in{source_ending}", audio=[AudioTrack(codec="pcm_s16le")])

    double(source, tmp_path / f"out{ending}")

    assert faults(source, tmp_path / f"out{ending}") == []


@pytest.mark.parametrize("count", [1, 2])
def test_few_frames(tmp_path: Path, count: int) -> None:
    source = write_clip(tmp_path / "in.mp4", count=count)

    double(source, tmp_path / "out.mp4", preset="veryfast")

    assert faults(source, tmp_path / "out.mp4") == []


def test_decoding_times_rise_over_parts_with_reordering(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", times=[Fraction(n * n, 30) for n in range(16)])

    double(source, tmp_path / "out.mp4", cuts=(1, 2, 9), preset="veryfast")

    due = [(p.dts, p.pts) for p in packets(tmp_path / "out.mp4", 0)]
    assert all(a[0] < b[0] for a, b in pairwise(due))
    assert all(dts <= pts for dts, pts in due)
    assert any(a[1] > b[1] for a, b in pairwise(due))


def test_sound_and_video_are_interleaved(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", count=50, audio=[AudioTrack(seconds=Fraction(2))])

    double(source, tmp_path / "out.mp4", cuts=(25,))

    with av.open(str(tmp_path / "out.mp4")) as container:
        stored = sorted(
            (p.pos, p.stream.index, p.dts * p.time_base) for p in container.demux() if p.size
        )
    latest = {0: Fraction(0), 1: Fraction(0)}
    for _, stream, time in stored:
        latest[stream] = time
        assert abs(latest[0] - latest[1]) < Fraction(1, 4)


def test_trim_moves_sound_with_the_picture(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv",
        count=50,
        audio=[AudioTrack(seconds=Fraction(2), codec="flac")],
        subtitles=[
            SubtitleTrack(
                lines=[
                    (Fraction(0), Fraction(1, 2), "gone"),
                    (Fraction(9, 10), Fraction(3, 2), "cut"),
                    (Fraction(8, 5), Fraction(2), "late"),
                ]
            )
        ],
        chapters=["A", "B"],
    )

    double(source, tmp_path / "out.mkv", trim=(25, 40), cuts=(5,))

    out = tmp_path / "out.mkv"
    assert film_times(out) == [Fraction(n, 25) for n in range(15)]
    sound = [p.pts * p.time_base for p in packets(out, 1)]
    assert 0 <= sound[0] < Fraction(1, 10)
    assert Fraction(1, 2) - Fraction(1, 10) < sound[-1] < Fraction(3, 5)
    whole = {bytes(p): p.pts * p.time_base for p in packets(source, 1)}
    assert all(whole[bytes(p)] - p.pts * p.time_base == 1 for p in packets(out, 1))
    lines = [(p.pts, p.duration, bytes(p)) for p in packets(out, 2)]
    assert lines == [(0, 500, b"cut")]
    assert [(int(a * 1000), int(b * 1000), t) for a, b, t in probe(out).chapters] == [(0, 600, "B")]


def test_sound_and_subtitles_can_be_left_out(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", audio=[AudioTrack()], subtitles=[SubtitleTrack()])

    double(source, tmp_path / "out.mkv", audio=False, subtitles=False)

    assert [s.kind for s in probe(tmp_path / "out.mkv").streams] == ["video"]


def test_what_mp4_cannot_hold_is_said_and_moves_the_default_to_mkv(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv", subtitles=[SubtitleTrack()], attachments=[Attachment()]
    )

    info = probe(source)

    assert container_losses(info, ".mp4") == [
        ".mp4 cannot hold attachment stream 2 font.ttf: it is left out",
        ".mp4 holds subtitle stream 1 (fra) subrip as mov_text: words and times are kept, "
        "styles are not",
    ]
    assert container_losses(info, ".mkv") == []
    assert default_output(info, 2) == tmp_path / "in_x2.mkv"


def test_a_coarser_clock_is_said(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "in.mp4", rate=Fraction(30_000, 1001)))

    (loss,) = container_losses(info, ".mkv")

    assert loss.startswith(".mkv counts time in steps of 1/1000 s, the source in steps of 1/")


@pytest.mark.parametrize(
    ("ending", "wanted"),
    [(".mp4", ".mp4"), (".mov", ".mov"), (".ts", ".ts"), (".avi", ".mkv"), (".mkv", ".mkv")],
)
def test_default_output_keeps_the_container_if_it_can(
    tmp_path: Path, ending: str, wanted: str
) -> None:
    info = probe(write_clip(tmp_path / f"my clip{ending}"))

    assert default_output(info, 4) == tmp_path / f"my clip_x4{wanted}"


def test_a_container_without_times_is_refused(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "in.mp4"))

    with pytest.raises(OutputError, match=r"cannot write '.avi'; endings: .mp4 .m4v"):
        container_losses(info, ".avi")


def test_parts_that_do_not_follow_each_other_are_refused(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "in.mp4"))
    timeline, settings = scan(info), settings_for(info, ".mp4")
    parts = write_parts(info, timeline, settings, tmp_path / "parts", borders=(0, 4, 8))

    with pytest.raises(OutputError, match="holds 4 frames that are not frames 0 to 4"):
        join(
            tmp_path / "out.mp4", parts=parts[::-1], info=info, timeline=timeline,
            settings=settings,
        )  # fmt: skip
    with pytest.raises(OutputError, match="the parts hold 4 frames, the film has 8"):
        join(tmp_path / "out.mp4", parts=parts[:1], info=info, timeline=timeline, settings=settings)
    assert not list(tmp_path.glob("out*"))


def test_a_full_disk_leaves_nothing_under_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=[AudioTrack()])
    written = 0

    def write(self: aside.AsideFile, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if self.path.name == "out.mp4" and written > 60_000:
            self._error = OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    monkeypatch.setattr(aside.AsideFile, "write", write)
    info = probe(source)
    timeline, settings = scan(info), settings_for(info, ".mp4")
    monkeypatch.undo()
    parts = write_parts(info, timeline, settings, tmp_path / "parts", borders=(0, 8))
    written = 60_000
    monkeypatch.setattr(aside.AsideFile, "write", write)

    with pytest.raises(DiskFullError, match=r"no room left for .*out.mp4"):
        join(tmp_path / "out.mp4", parts=parts, info=info, timeline=timeline, settings=settings)

    assert not list(tmp_path.glob("out*"))
    assert parts[0].exists()


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "in.mp4"))
    timeline, settings = scan(info), settings_for(info, ".mp4")
    parts = write_parts(info, timeline, settings, tmp_path / "parts", borders=(0, 8))

    with pytest.raises(OutputError, match=r"cannot write .*nowhere.out.mp4: No such file"):
        join(
            tmp_path / "nowhere" / "out.mp4", parts=parts, info=info, timeline=timeline,
            settings=settings,
        )  # fmt: skip


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "in.mp4"))
    timeline, settings = scan(info), settings_for(info, ".mp4")
    parts = write_parts(info, timeline, settings, tmp_path / "parts", borders=(0, 3, 8))
    seen: list[tuple[int, int]] = []

    join(
        tmp_path / "out.mp4", parts=parts, info=info, timeline=timeline, settings=settings,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip

    assert seen == [(n, 8) for n in range(1, 9)]


def test_pixels_are_those_of_the_parts(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1")

    double(source, tmp_path / "out.mkv", codec="ffv1")

    with av.open(str(source)) as old, av.open(str(tmp_path / "out.mkv")) as new:
        for before, after in zip(old.decode(video=0), new.decode(video=0), strict=True):
            expected = before.to_ndarray(format="gray").repeat(2, axis=0).repeat(2, axis=1)
            assert np.array_equal(after.to_ndarray(format="gray"), expected)
