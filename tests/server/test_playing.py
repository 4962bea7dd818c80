"""A real HLS client, FFmpeg's, plays all renditions: frames, their times and their sound."""

import io
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, shown_number, write_clip
from serving import Running

GOP = {"g": "10", "keyint_min": "10", "bf": "2", "sc_threshold": "0"}
Start = Callable[..., Running]


def frames(url: str) -> list[tuple[Fraction, int, tuple[int, int]]]:
    """Time, shown number and size of every frame."""
    with av.open(url) as container:
        return [
            (
                frame.pts * frame.time_base,
                shown_number(frame.to_ndarray(format="gray")),
                (frame.width, frame.height),
            )
            for frame in container.decode(video=0)
        ]


def sound(source: str | io.BytesIO) -> tuple[Fraction, np.ndarray]:
    """Time of the first sample, and all samples of the first channel."""
    with av.open(source) as container:
        decoded = list(container.decode(audio=0))
    first = decoded[0].pts * decoded[0].time_base
    return first, np.concatenate([frame.to_ndarray()[0] for frame in decoded])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    return write_clip(
        folder / "film.mp4", count=50, width=192, height=108, options=GOP,
        audio=[AudioTrack(seconds=Fraction(2)), AudioTrack(hertz=660, language="fra",
                                                           seconds=Fraction(2))],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"options": GOP}),
        ("a.ts", {"options": GOP}),
        ("a.mkv", {"codec": "libx265", "options": {"x265-params": "keyint=10:open-gop=1"}}),
        ("a.webm", {"codec": "libvpx-vp9", "options": {"g": "10", "cpu-used": "8"}}),
        ("a.avi", {"codec": "mpeg4", "options": {"g": "10"}}),
        ("uneven.mp4", {"times": [Fraction(n * n, 50) for n in range(30)], "options": GOP}),
    ],
)
def test_every_rung_plays_every_frame_at_its_time(
    tmp_path: Path, start: Start, name: str, options: dict[str, object]
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    clip = write_clip(folder / name, **{"count": 30, "width": 192, "height": 108, **options})
    server = start(folder, rungs=(54,), segment_seconds=1)
    stem = name.partition(".")[0]
    shift = server.rungs(stem)["shift_seconds"]
    expected = frames(str(clip))

    for track, size in (("source", (192, 108)), ("54p", (96, 54))):
        played = frames(server.address + server.tracks(stem)[track]["playlist"])
        assert [(time, number) for time, number, _ in played] == [
            (time + shift, number) for time, number, _ in expected
        ]
        assert {found for _, _, found in played} == {size}


def test_master_plays_and_tells_the_truth(film: Path, start: Start) -> None:
    server = start(film.parent, rungs=(54,), segment_seconds=1)
    title = server.title("film")
    text = server.get(title["master"]).body.decode()

    with av.open(server.address + title["master"]) as container:
        kinds = sorted(stream.type for stream in container.streams)
    assert kinds == ["audio", "audio", "video", "video"]
    variants = re.findall(r"#EXT-X-STREAM-INF:(.*)\n(.*)\n", text)
    assert [re.search(r"RESOLUTION=(\S+?),", told)[1] for told, _ in variants] == [
        "192x108", "96x54",
    ]  # fmt: skip
    for told, place in variants:
        assert 'CODECS="avc1.' in told
        assert "mp4a.40.2" in told
        assert "FRAME-RATE=25.000" in told
        most = int(re.search(r"\bBANDWIDTH=(\d+)", told)[1])
        sounds = max(t["bits_per_second"] for t in server.rungs("film")["tracks"]
                     if t["kind"] == "audio")  # fmt: skip
        base = f"/titles/{title['id']}/{place.removesuffix('index.m3u8')}"
        listed = server.get(base + "index.m3u8").body.decode()
        found = re.findall(r"#EXTINF:([\d.]+),\n(\S+)", listed)
        assert len(found) == 2
        for seconds, name in found:
            bits = 8 * len(server.get(base + name).body)
            assert bits / float(seconds) <= most - sounds


def test_sounds_are_renditions_copied_bit_by_bit(film: Path, start: Start) -> None:
    server = start(film.parent, rungs=(), segment_seconds=1)
    shift = server.rungs("film")["shift_seconds"]
    tracks = {name: track for name, track in server.tracks("film").items()
              if track["kind"] == "audio"}  # fmt: skip
    assert [track["language"] for track in tracks.values()] == ["eng", "fra"]

    with av.open(str(film)) as container:
        for stream, track in zip(container.streams.audio, tracks.values(), strict=True):
            container.seek(0)
            wanted = [(p.pts * p.time_base + shift, bytes(p)) for p in container.demux(stream)
                      if p.size]  # fmt: skip
            with av.open(server.address + track["playlist"]) as played:
                found = [(p.pts * p.time_base, bytes(p)) for p in played.demux() if p.size]
            assert found == wanted


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "ac3"), ("ts", "mp2"), ("mkv", "pcm_s16le")])
def test_other_sound_becomes_aac_without_a_gap_or_a_click(
    tmp_path: Path, start: Start, ending: str, codec: str
) -> None:
    clip = write_clip(tmp_path / f"a.{ending}", count=75, options=GOP,
                      audio=[AudioTrack(codec=codec, seconds=Fraction(3))])  # fmt: skip
    server = start(clip, rungs=(), segment_seconds=1)
    track = next(t for t in server.rungs("a")["tracks"] if t["kind"] == "audio")
    assert not track["copied"]

    _, samples = sound(server.address + track["playlist"])
    middle = samples[9600:-9600].astype(np.float64)

    # A sine of 440 Hz is what is left of it two periods later; a click or a gap is not.
    period = 48000 / 440 * 11
    moved = np.interp(np.arange(len(middle) - 1300) + period, np.arange(len(middle)), middle)
    assert np.abs(middle[: len(moved)] - moved).max() < 0.05 * np.abs(middle).max() * 2
    assert np.abs(middle).max() > 0.1


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "aac"), ("mkv", "ac3"), ("ts", "aac")])
def test_sound_that_begins_late_and_ends_early_stays_in_its_place(
    tmp_path: Path, start: Start, ending: str, codec: str
) -> None:
    late = AudioTrack(codec=codec, start=Fraction(3, 2), seconds=Fraction(1, 2))
    clip = write_clip(tmp_path / f"a.{ending}", count=100, options=GOP, audio=[late])
    server = start(clip, rungs=(), segment_seconds=1)
    shift = server.rungs("a")["shift_seconds"]
    track = next(t for t in server.rungs("a")["tracks"] if t["kind"] == "audio")

    def loud(source: str) -> tuple[float, float]:
        """When the sine begins and ends."""
        times: list[float] = []
        with av.open(source) as container:
            for frame in container.decode(audio=0):
                places = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)
                times += [float(frame.pts * frame.time_base) + int(n) / 48000 for n in places]
        return times[0], times[-1]

    begin, end = loud(str(clip))
    assert loud(server.address + track["playlist"]) == pytest.approx(
        (begin + shift, end + shift), abs=0.03
    )


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("a.mkv", {"codec": "ffv1", "width": 65, "height": 49}, "ffv1 is not among"),
        ("a.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}, "ffv1 is not among"),
        ("a.mp4", {"interlaced": True}, "it is interlaced"),
        ("a.mp4", {"rate": Fraction(1), "count": 20, "options": {"g": "100"}},
         "its key frames are more than 15 s apart"),
        ("a.mp4", {"count": 1}, None),
        ("a.mp4", {"pix_fmt": "yuv422p"}, None),
    ],
)  # fmt: skip
def test_what_is_not_sent_as_it_is_keeps_its_frames(
    tmp_path: Path, start: Start, name: str, options: dict[str, object], reason: str | None
) -> None:
    clip = write_clip(tmp_path / name, **{"count": 6, **options})
    server = start(clip, rungs=(36,))
    told = server.rungs("a")

    assert (told["reason"] or "").startswith(reason or "")
    assert told["tracks"][0]["copied"] == (reason is None)
    with av.open(str(clip)) as container:
        times = [f.pts * f.time_base + told["shift_seconds"] for f in container.decode(video=0)]
    for track in told["tracks"]:
        with av.open(server.address + track["playlist"]) as container:
            assert [f.pts * f.time_base for f in container.decode(video=0)] == times


def test_segments_made_in_any_order_are_the_same(film: Path, start: Start, tmp_path: Path) -> None:
    pieces: list[dict[str, bytes]] = []
    for n in range(2):
        server = start(film.parent, rungs=(72,), segment_seconds=1, cache=tmp_path / f"cache{n}")
        places = []
        for track in server.tracks("film").values():
            base = track["playlist"].removesuffix("index.m3u8")
            places += [base + name for name in ("init.mp4", "0.m4s", "1.m4s")]
        if n:
            random.Random(3).shuffle(places)
        pieces.append({place: server.get(place).body for place in places})

    assert pieces[0] == pieces[1]
    assert all(pieces[0].values())


def test_seeking_into_the_middle_needs_no_segment_before(film: Path, start: Start) -> None:
    server = start(film.parent, rungs=(54,), segment_seconds=1)
    base = server.tracks("film")["54p"]["playlist"].removesuffix("index.m3u8")

    data = server.get(base + "init.mp4").body + server.get(base + "1.m4s").body
    with av.open(io.BytesIO(data)) as container:
        played = [shown_number(f.to_ndarray(format="gray")) for f in container.decode(video=0)]

    cut = server.get(base + "index.m3u8").body.count(b"#EXTINF")
    assert cut == 2
    assert played == list(range(30, 50))


def test_subtitles_are_webvtt_for_the_stream_and_for_the_file(tmp_path: Path, start: Start) -> None:
    lines = ((Fraction(0), Fraction(1, 2), "<i>one</i> & two"), (Fraction(1, 2), Fraction(1), "x"))
    clip = write_clip(tmp_path / "a.mkv", count=25, audio=[AudioTrack()],
                      subtitles=[SubtitleTrack(lines=lines)])  # fmt: skip
    server = start(clip, rungs=())
    track = next(t for t in server.rungs("a")["tracks"] if t["kind"] == "text")
    assert server.rungs("a")["shift_seconds"] == 1

    base = track["playlist"].removesuffix("index.m3u8")
    stream = server.get(base + "words.vtt").body.decode()
    plain = server.get(track["plain"]).body.decode()

    assert "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0" in stream
    assert "00:00:01.000 --> 00:00:01.500\none &amp; two" in stream
    assert "00:00:00.000 --> 00:00:00.500\none &amp; two" in plain
    assert "words.vtt" in server.get(track["playlist"]).body.decode()


def test_square_pixels_and_even_sizes(tmp_path: Path, start: Start) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=5, width=90, height=72, sar=Fraction(64, 45))
    server = start(clip, rungs=(50, 70, 72, 144))

    tracks = server.tracks("a")

    assert set(tracks) == {"source", "50p", "70p"}
    assert (tracks["source"]["width"], tracks["source"]["height"]) == (128, 72)
    assert [(tracks[n]["width"], tracks[n]["height"]) for n in ("70p", "50p")] == [
        (124, 70), (88, 50),
    ]  # fmt: skip
    with av.open(server.address + tracks["50p"]["playlist"]) as container:
        assert container.streams.video[0].codec_context.width == 88
