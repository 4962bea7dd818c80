"""Playing .upv files: pictures, sound and words as of the file that they were made of.

Mutations tried: a receiver that is kept over a seek; sound of all tracks at once; times that count
from the picture alone; a damaged keyframe sought; the keyframe at the very time passed over; damage
not told, or told twice; range and matrix not handed to the screen; subtitles dropped.
"""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, shown_number, write_clip
from compressing import packed
from playing import watch
from stand_in_codec import StandInCodecs
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.codec.file import UpvFile
from upreel.codec.packet import pack_packet
from upreel.codec.parser import Placed
from upreel.errors import DamagedError, OptionError
from upreel.player.upv import UpvPlayback
from upreel.video.frame import Colour, Frame
from upreel.video.pieces import PlaySource, Sound
from upreel.video.playback import Playback
from upreel.video.tracks import Caption
from upreel.zoo.codec_card import CodecCard

COUNT, KEYS = 50, 10


@pytest.fixture(autouse=True)
def _codecs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "small_codec" not in request.fixturenames:
        monkeypatch.setattr("upreel.pipeline.upv_source.DefaultCodecs", StandInCodecs)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full range, two sounds, of which the first begins late, and words."""
    return write_clip(
        tmp_path_factory.mktemp("film") / "film.mkv",
        count=COUNT,
        codec="ffv1",
        colour=Colour(full_range=True, primaries=1, transfer=1, matrix=1),
        audio=[
            AudioTrack(codec="flac", seconds=Fraction(1), start=Fraction(1, 4)),
            AudioTrack(codec="flac", seconds=Fraction(1), hertz=660, language="deu"),
        ],
        subtitles=[SubtitleTrack(), SubtitleTrack(codec="ass", language="deu")],
    )


@pytest.fixture(scope="module")
def upv(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("upv") / "film.upv"
    packed(film, target, quality=63, keyint=KEYS)
    return target


@pytest.fixture(scope="module")
def keys(upv: Path) -> list[int]:
    """Numbers of the frames alone; some are at what looks like a scene cut."""
    with UpvFile(upv) as file:
        return [round(pts * file.header.time_base * 25) for pts in file.index.pts]


def damaged(source: Path, target: Path, number: int) -> Path:
    """A copy in which the last byte of a frame is another."""
    with UpvFile(source) as file:
        events = [event for event in file.read() if isinstance(event, Placed)]
    frame = [event for event in events if event.packet.type.is_video][number]
    data = bytearray(source.read_bytes())
    data[frame.offset + len(pack_packet(frame.packet)) - 1] ^= 0xFF
    target.write_bytes(data)
    return target


def played(source: PlaySource) -> tuple[list[Frame], list[Sound], list[Caption]]:
    """All that comes from where it is."""
    frames: list[Frame] = []
    sounds: list[Sound] = []
    captions: list[Caption] = []
    for piece in source.pieces():
        if piece.kind == "video":
            frames += source.video(piece)
        elif piece.kind == "audio":
            sounds += source.sound(piece)
        elif (caption := source.caption(piece)) is not None:
            captions.append(caption)
    return [*frames, *source.video(None)], sounds, captions


def test_a_processor_without_the_sender_s_precision_is_told_of(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(film, tmp_path / "a.upv", precision="bf16")
    monkeypatch.setattr(StandInCodecs, "precisions", lambda *_: ("f32",))

    with UpvPlayback(str(tmp_path / "a.upv")) as source:
        (notice,) = source.info.notices

    assert notice.startswith("made in bf16 and decoded in f32: pictures drift")


@pytest.mark.parametrize("track", ["1", "de"])
def test_it_gives_what_its_source_gives(track: str, film: Path, upv: Path) -> None:
    with (
        UpvPlayback(str(upv), sound_track=track) as source,
        Playback(str(film), sound_track=track) as other,
    ):
        assert source.info.sound_tracks == other.info.sound_tracks
        assert source.info.caption_tracks == other.info.caption_tracks
        assert (source.info.rate, source.info.duration) == (25, 2)
        (frames, sounds, words), (wanted, expected, told) = played(source), played(other)
        assert source.bt709 is other.bt709 is True
    times = [[f.pts * f.time_base for f in of] for of in (frames, wanted)]
    assert times[0] == times[1] == [Fraction(n, 25) for n in range(COUNT)]
    for one, two in zip(frames, wanted, strict=True):
        assert all(map(np.array_equal, one.planes, two.planes))
    assert sounds[0].at == expected[0].at
    samples = [np.concatenate([sound.samples for sound in of]) for of in (sounds, expected)]
    assert np.array_equal(samples[0], samples[1])
    assert words == told != []


@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_times_count_from_the_first_of_all(codec: str, tmp_path: Path) -> None:
    times = [Fraction(1, 5) + Fraction(n, 25) for n in range(5)]
    clip = write_clip(
        tmp_path / "a.mkv", times=times, codec="ffv1", audio=[AudioTrack(codec=codec)]
    )
    packed(clip, tmp_path / "a.upv", quality=63)
    with UpvPlayback(str(tmp_path / "a.upv")) as source, Playback(str(clip)) as other:
        (frames, sounds, _), (wanted, expected, _) = played(source), played(other)
    shown = [[f.pts * f.time_base for f in of] for of in (frames, wanted)]
    assert shown[0] == shown[1]
    assert shown[0][0] > 0
    ends = [of[-1].at + Fraction(len(of[-1].samples), 48_000) for of in (sounds, expected)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-3)
    assert sounds[0].at <= expected[0].at


def test_it_goes_on_from_the_keyframe_before(upv: Path, keys: list[int]) -> None:
    with UpvPlayback(str(upv)) as source:
        played(source)
        places = ((keys[2], keys[2]), (keys[2] - 1, keys[1]), (999, keys[-1]))
        for number, first in places:
            source.seek(Fraction(number, 25))
            source.flush_video()
            source.flush_sound()
            frames, sounds, _ = played(source)
            assert [shown_number(f.planes[0]) for f in frames] == list(range(first, COUNT))
            assert not any(frame.damaged for frame in frames)
            assert all(sound.at >= Fraction(first, 25) - Fraction(1, 5) for sound in sounds)


def test_damage_is_concealed_and_told_once(upv: Path, keys: list[int], tmp_path: Path) -> None:
    lost = keys[1] - 2
    with UpvPlayback(str(damaged(upv, tmp_path / "a.upv", lost))) as source:
        frames, _, _ = played(source)
        told = source.news()
        source.seek(Fraction(0))
        source.flush_video()
        again, _, _ = played(source)
        assert source.news() == []
    assert [frame.damaged for frame in frames] == [lost <= n < keys[1] for n in range(COUNT)]
    assert shown_number(frames[keys[1] - 1].planes[0]) == lost - 1
    at = f"0:00:00.{lost * 40:03}"
    assert told == [f"2 frames from {at} on cannot be decoded: the one before is shown"]
    assert len(again) == COUNT


def test_a_damaged_keyframe_is_not_sought(upv: Path, keys: list[int], tmp_path: Path) -> None:
    with UpvPlayback(str(damaged(upv, tmp_path / "a.upv", keys[2]))) as source:
        source.seek(Fraction(keys[2], 25))
        source.flush_video()
        frames, _, _ = played(source)
    assert shown_number(frames[0].planes[0]) == keys[1]


def test_it_is_played_on_time(upv: Path, tmp_path: Path) -> None:
    shown = watch(damaged(upv, tmp_path / "a.upv", 44), codec="stand-in", start=Fraction(1))
    assert shown.stats.shown + shown.stats.skipped == 25
    assert shown.numbers[0] >= 25
    undamaged = [(n, at) for n, at in zip(shown.numbers, shown.times, strict=True) if n < 43]
    assert [round(at * 25) for _, at in undamaged] == [n for n, _ in undamaged]
    (line,) = [text for text in shown.stats.notices if "cannot be decoded" in text]
    assert any(text.endswith(line) for text in shown.told)


def test_a_track_that_is_not_there_is_named(upv: Path) -> None:
    with pytest.raises(OptionError, match="has no sound track 'fr'"):
        UpvPlayback(str(upv), sound_track="fr")


def test_a_file_without_a_frame_is_refused(upv: Path, tmp_path: Path) -> None:
    with UpvFile(upv) as file:
        (first, *_) = [event for event in file.read() if isinstance(event, Placed)]
    (tmp_path / "a.upv").write_bytes(upv.read_bytes()[: first.offset])
    with pytest.raises(DamagedError, match="no frame of"):
        UpvPlayback(str(tmp_path / "a.upv"))


def upreel(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_takes_the_codecs_card(small_codec: CodecCard, tmp_path: Path) -> None:
    card = small_codec.folder / f"{small_codec.name}.json"
    clip = write_clip(tmp_path / "a.mkv", count=6, codec="ffv1", audio=[AudioTrack()])
    upv, stats = tmp_path / "a.upv", tmp_path / "stats.json"
    assert upreel("compress", clip, upv, "--codec", card, "--threads", 1).exit_code == 0
    options = ("--no-window", "--stats", stats, "-m", "lanczos", "--threads", 1)

    done = upreel("play", upv, *options, "--codec", card)

    assert done.exit_code == 0, done.output
    (title,) = json.loads(stats.read_text())["titles"]
    assert title["shown"] + title["skipped"] == 6
    without = upreel("play", upv, *options)
    assert without.exit_code == 1
    assert without.stderr.splitlines()[-1].startswith(f"upreel: {upv} was made by codec 'drawn'")
    assert without.stderr.endswith(
        "give the path of its card as --codec (of upscale, compress and evaluate: --upv-codec)\n"
    )

    output = tmp_path / "b.mkv"
    upscaled = upreel("upscale", upv, "-o", output, "--upv-codec", card, "-m", "fast-x2", "-q")
    assert upscaled.exit_code == 0, upscaled.output
    assert output.exists()


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.upv").write_bytes(b"something else, and long enough for a header")
    done = upreel("play", tmp_path / "a.upv", "--no-window", "-m", "lanczos")
    assert done.exit_code == 1
    assert done.stderr == "upreel: not an .upv stream: it begins with other bytes\n"
