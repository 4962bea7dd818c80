""".upv files in a library: listed, shown, made into every version, and sent as they are.

Mutations tried: clocks of carried sound left at milliseconds; stretches that begin between key
frames; sound by the number of another stream; posters of the first frame alone; a codec opened anew
for each stretch; the first card taken whatever a file was made by; damage logged for each piece,
counted for each version of a title again, or not at all.
"""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, shown_number, write_clip
from compressing import packed
from serving import Running
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.packet import PacketType, pack_packet
from upreel.codec.parser import Placed

Start = Callable[..., Running]
COUNT, KEYS = 50, 10


@pytest.fixture(autouse=True)
def codecs(monkeypatch: pytest.MonkeyPatch) -> StandInCodecs:
    made = StandInCodecs()
    monkeypatch.setattr("upreel.server.catalog.DefaultCodecs", lambda: made)
    return made


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one film as .upv, and the same as MP4 beside that folder."""
    folder = tmp_path_factory.mktemp("films")
    clip = write_clip(
        folder / "film.mp4", count=COUNT, width=192, height=108, options={"bf": "0"},
        audio=[
            AudioTrack(seconds=Fraction(2)),
            AudioTrack(codec="ac3", seconds=Fraction(3, 2), start=Fraction(1, 4), hertz=660),
        ],
        subtitles=[SubtitleTrack(codec="mov_text")],
    )  # fmt: skip
    (folder / "upv").mkdir()
    packed(clip, folder / "upv" / "film.upv", quality=63, keyint=KEYS)
    return folder


def numbers(url: str) -> list[tuple[Fraction, int, tuple[int, int]]]:
    with av.open(url) as container:
        return [
            (
                frame.pts * frame.time_base,
                shown_number(frame.to_ndarray(format="gray")),
                (frame.width, frame.height),
            )
            for frame in container.decode(video=0)
        ]


def sound(url: str) -> tuple[Fraction, np.ndarray]:
    with av.open(url) as container:
        decoded = list(container.decode(audio=0))
    first = decoded[0].pts * decoded[0].time_base
    return first, np.concatenate([frame.to_ndarray()[0] for frame in decoded])


def test_every_version_is_that_of_its_source(
    films: Path, start: Start, tmp_path: Path, codecs: StandInCodecs
) -> None:
    options = {"rungs": (48,), "segment_seconds": 1, "encoders": 1}
    server = start(films / "upv", codecs=("stand-in",), **options)
    other = start(films / "film.mp4", cache=tmp_path / "other", **options)

    title = server.title("film")
    assert (title["state"], title["codec"], title["width"]) == ("ready", "upv", 192)
    rungs = server.rungs("film")
    assert rungs["reason"] == "upv is not among h264, hevc, av1, vp9"
    tracks = {track["name"]: track for track in rungs["tracks"]}
    assert list(tracks) == ["source", "48p", "audio1", "audio2", "text3"]
    shift = rungs["shift_seconds"]
    for name, size in (("source", (192, 108)), ("48p", (86, 48))):
        found = numbers(server.address + tracks[name]["playlist"])
        assert found == [(n * Fraction(1, 25) + shift, n, size) for n in range(COUNT)]
    assert len(codecs.opened) == 1  # by the one thread that encodes

    for name, begins, hertz in (("audio1", 0, 440), ("audio2", Fraction(1, 4), 660)):
        first, samples = sound(server.address + tracks[name]["playlist"])
        heard = int(np.argmax(np.abs(samples) > 0.05))
        assert abs(first + Fraction(heard, 48_000) - shift - begins) < 0.005
        tone = np.abs(np.fft.rfft(samples[heard : heard + 48_000]))
        assert int(tone.argmax()) == hertz
    kept = other.tracks("film")
    words = [
        running.get(known["text3"]["plain"]).body
        for running, known in ((server, tracks), (other, kept))
    ]
    assert words[0] == words[1] != b""


def test_stretches_begin_where_nothing_is_decoded_twice(
    films: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[None] = []
    counting = StandInCodecs(on_send=lambda: seen.append(None))
    monkeypatch.setattr("upreel.server.catalog.DefaultCodecs", lambda: counting)
    server = start(films / "upv", codecs=("stand-in",), rungs=(), segment_seconds=1)
    place = server.tracks("film")["source"]["playlist"].removesuffix("index.m3u8")
    assert server.rungs("film")["segments"] == 2
    for number in (0, 1):
        assert server.get(f"{place}{number}.m4s").status == 200
    assert len(seen) <= COUNT + 1  # the frame behind a stretch tells what is missing at its end


def test_the_poster_is_a_key_frame_of_the_first_tenth(tmp_path: Path, start: Start) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=40, codec="ffv1")
    packed(clip, tmp_path / "a.upv", quality=63, keyint=2)
    server = start(tmp_path / "a.upv", codecs=("stand-in",))
    answer = server.get(server.title("a")["poster"])
    assert answer.headers["content-type"] == "image/jpeg"
    with av.open(io.BytesIO(answer.body)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    assert shown_number(picture) == 2


def test_the_file_is_sent_in_ranges(films: Path, start: Start) -> None:
    server = start(films / "upv", codecs=("stand-in",))
    place, data = server.titles()["film"]["file"], (films / "upv" / "film.upv").read_bytes()
    whole = server.get(place)
    assert (whole.status, whole.body) == (200, data)
    assert whole.headers["content-type"] == "video/x-upv"
    part = server.get(place, range="bytes=100-199")
    assert (part.status, part.body) == (206, data[100:200])


def test_the_card_is_the_one_that_a_file_was_made_by(films: Path, start: Start) -> None:
    right = start(films / "upv", codecs=("another", "stand-in"))
    assert right.title("film")["state"] == "ready"


def test_without_its_card_it_says_what_it_was_made_by(
    films: Path, start: Start, tmp_path: Path
) -> None:
    server = start(films / "upv", codecs=("another",))
    title = server.title("film")
    assert title["state"] == "broken"
    assert title["reason"].startswith("film was made by codec 'stand-in' (SHA-256 ")
    assert str(films) not in title["reason"]
    unknown = start(films / "upv", codecs=("unknown",), cache=tmp_path / "b").title("film")
    assert unknown["reason"] == "no codec 'unknown'"


def test_damage_is_logged_once_and_counted(
    films: Path, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, path = films / "upv" / "film.upv", tmp_path / "a.upv"
    with UpvFile(source) as file:
        events = [event for event in file.read() if isinstance(event, Placed)]
    frames = [event for event in events if event.packet.type.is_video]
    keys = [n for n, e in enumerate(frames) if e.packet.type is PacketType.VIDEO_KEY] + [COUNT]
    data = bytearray(source.read_bytes())
    lost = [keys[2] - 2, keys[-1] - 1]  # the last two before a keyframe, and the last one
    for number in lost:
        data[frames[number].offset + len(pack_packet(frames[number].packet)) - 1] ^= 1
    path.write_bytes(data)
    whole = start(source, cache=tmp_path / "whole", codecs=("stand-in",), segment_seconds=1)
    server = start(path, codecs=("stand-in",), rungs=(48,), segment_seconds=1)
    seen: list[int | None] = [server.title("a")["damaged_frames"]]
    for name in ("source", "48p"):
        place = server.tracks("a")[name]["playlist"].removesuffix("index.m3u8")
        for number in range(server.rungs("a")["segments"]):
            assert server.get(f"{place}{number}.m4s").status == 200
            seen.append(server.title("a")["damaged_frames"])
    assert seen[0] == 0
    assert seen == sorted(seen)  # type: ignore[type-var]
    assert seen[-1] == 3
    assert [record.getMessage() for record in caplog.records] == [
        "a is damaged: frames that cannot be decoded are shown as the ones before"
    ]
    assert numbers(whole.address + whole.tracks("film")["source"]["playlist"])
    assert whole.title("film")["damaged_frames"] == 0
    assert len(caplog.records) == 1


def test_what_is_no_such_file_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.upv").write_bytes(b"something else, and long enough for a header")
    title = start(tmp_path / "a.upv").title("a")
    assert title["state"] == "broken"
    assert title["reason"] == "not an .upv stream: it begins with other bytes"
