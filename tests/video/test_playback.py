"""A source opened for playing: its pictures, sound, words, and going elsewhere in it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, shown_number, write_clip, write_sequence

from upreel.errors import InputError, OptionError
from upreel.video.frame import Frame
from upreel.video.pieces import SOUND_RATE
from upreel.video.playback import Playback
from upreel.video.tracks import Caption

GOP = {"g": "10", "keyint_min": "10", "bf": "2", "sc_threshold": "0"}


def pictures(source: Playback) -> list[Frame]:
    found: list[Frame] = []
    for piece in source.pieces():
        if piece.kind == "video":
            found += source.video(piece)
    return found + source.video(None)


def numbers(frames: list[Frame]) -> list[int]:
    return [shown_number(frame.planes[0]) for frame in frames]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_all_pictures_come_with_their_times_from_the_start(tmp_path: Path, ending: str) -> None:
    clip = write_clip(tmp_path / f"clip.{ending}", count=20, options=GOP)
    with Playback(str(clip)) as source:
        frames = pictures(source)

        assert numbers(frames) == list(range(20))
        times = [float(frame.pts * frame.time_base) for frame in frames]
        assert times == pytest.approx([n / 25 for n in range(20)], abs=0.002)
        assert source.info.rate == 25
        assert source.info.seekable
        assert not source.info.live
        assert (source.info.width, source.info.height) == (64, 48)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("target", [Fraction(0), Fraction(9, 25), Fraction(15, 25), Fraction(5)])
def test_a_seek_gives_the_picture_of_that_time_and_all_after_it(
    tmp_path: Path, ending: str, target: Fraction
) -> None:
    clip = write_clip(tmp_path / f"clip.{ending}", count=40, options=GOP)
    with Playback(str(clip)) as source:
        next(source.pieces())
        source.seek(target)
        source.flush_video()
        found = numbers([f for f in pictures(source) if not f.damaged])

    first = min(round(target * 25), 39)
    assert found[0] <= first
    assert found[-(40 - first) :] == list(range(first, 40))


def test_sound_is_stereo_at_its_own_times(tmp_path: Path) -> None:
    track = AudioTrack(seconds=Fraction(1, 2), start=Fraction(1, 5))
    clip = write_clip(tmp_path / "clip.mkv", count=10, audio=[track])
    with Playback(str(clip)) as source:
        sounds = [s for p in source.pieces() if p.kind == "audio" for s in source.sound(p)]

    assert source.info.has_sound
    assert float(sounds[0].at) == pytest.approx(0.2, abs=0.05)
    whole = np.concatenate([sound.samples for sound in sounds])
    assert len(whole) / 48000 == pytest.approx(0.5, abs=0.05)
    due = sounds[0].at
    for sound in sounds:
        assert sound.at == due
        due += Fraction(len(sound.samples), 48000)
    spectrum = np.abs(np.fft.rfft(whole[4800:19200, 0]))
    assert np.argmax(spectrum) * 48000 / 14400 == pytest.approx(440, abs=5)


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", audio=[AudioTrack()])
    with Playback(str(clip), sound=False) as source:
        assert not source.info.has_sound
        assert {piece.kind for piece in source.pieces()} == {"video"}


@pytest.mark.parametrize(("codec", "ending"), [("subrip", "mkv"), ("mov_text", "mp4")])
def test_words_come_with_their_times(tmp_path: Path, codec: str, ending: str) -> None:
    track = SubtitleTrack(codec=codec)
    clip = write_clip(tmp_path / f"clip.{ending}", subtitles=[track])
    with Playback(str(clip)) as source:
        assert [track.label for track in source.info.caption_tracks] == ["1 (fra)"]
        found = [source.caption(piece) for piece in source.pieces() if piece.kind == "subtitle"]

    tenth = Fraction(1, 10)
    assert [c for c in found if c is not None] == [
        Caption(start=Fraction(0), end=tenth, text="one"),
        Caption(start=tenth, end=2 * tenth, text="two"),
    ]


def two_sounds(path: Path, **options: Any) -> Path:  # noqa: ANN401
    """Left to itself the first is heard: 440 Hz in English, then 1760 Hz in German."""
    tracks = [
        AudioTrack(seconds=Fraction(4, 5), language="eng"),
        AudioTrack(seconds=Fraction(4, 5), language="deu", title="Commentary", hertz=1760),
    ]
    return write_clip(path, count=20, audio=tracks, options=GOP, **options)


def pitch(source: Playback) -> int:
    """Hertz of the sound that comes, by its crossings of zero."""
    heard = [sound for piece in source.pieces() if piece.kind == "audio"
             for sound in source.sound(piece)]  # fmt: skip
    samples = np.concatenate([sound.samples[:, 0] for sound in heard])[2000:-2000]
    crossings = np.count_nonzero(np.diff(np.signbit(samples)))
    return round(crossings / 2 / (len(samples) / SOUND_RATE))


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize(("wish", "hertz"), [(None, 440), ("2", 1760), ("de", 1760), ("eng", 440)])
def test_the_sound_that_is_wished_for_is_given(
    tmp_path: Path, ending: str, wish: str | None, hertz: int
) -> None:
    clip = two_sounds(tmp_path / f"clip.{ending}")
    with Playback(str(clip), sound_track=wish) as source:
        languages = [track.language for track in source.info.sound_tracks]
        assert languages == ["eng", "deu"]
        assert pitch(source) == pytest.approx(hertz, rel=0.02)


def test_another_sound_can_be_chosen_while_it_is_read(tmp_path: Path) -> None:
    with Playback(str(two_sounds(tmp_path / "clip.mkv"))) as source:
        next(piece for piece in source.pieces() if piece.kind == "audio")
        source.choose_sound(1)
        source.seek(Fraction(0))
        assert pitch(source) == pytest.approx(1760, rel=0.02)


def test_a_track_that_is_not_there_is_refused(tmp_path: Path) -> None:
    clip = str(two_sounds(tmp_path / "clip.mkv"))
    with pytest.raises(OptionError) as caught:
        Playback(clip, sound_track="fr")
    assert str(caught.value) == (
        f"{clip} has no sound track 'fr'; there are: 1 (eng), 2 (deu, Commentary)"
    )
    with pytest.raises(OptionError, match=r"no subtitle track '1'; it has none"):
        Playback(clip, caption_track="1")


def test_files_of_subtitles_beside_it_are_the_last_tracks(tmp_path: Path) -> None:
    lines = [(Fraction(0), Fraction(1, 2), "within")]
    clip = write_clip(
        tmp_path / "clip.mkv", count=20, subtitles=[SubtitleTrack(lines=lines)], options=GOP
    )
    (tmp_path / "clip.en.srt").write_text("1\n00:00:00,200 --> 00:00:00,600\nbeside\n")
    (tmp_path / "clip.bad.srt").write_text("nothing of the kind")

    with Playback(str(clip), caption_track="en") as source:
        labels = [track.label for track in source.info.caption_tracks]
        assert labels == ["1 (fra)", "2 (en, .srt)"]
        assert source.caption_place == 1
        assert source.info.notices == ("clip.bad.srt holds no subtitles",)
        assert source.words_beside(1, 0.3) == ["beside"]
        assert source.words_beside(1, 0.7) == source.words_beside(0, 0.3) == []
        words = [source.caption(p) for p in source.pieces() if p.kind == "subtitle"]
        assert [(w.text, w.track) for w in words if w is not None] == [("within", 0)]


def test_interlaced_video_is_to_be_deinterlaced(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", count=30, interlaced=True, top_first=False)
    with Playback(str(clip)) as source:
        assert source.interlaced is False  # the lower field is the earlier one
        assert source.info.notices == ("interlaced: its fields are made whole pictures",)
    with Playback(str(write_clip(tmp_path / "plain.mkv"))) as source:
        assert source.interlaced is None


def test_shape_and_turn_are_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", sar=Fraction(4, 3), rotation=90)
    with Playback(str(clip)) as source:
        assert source.info.sample_aspect_ratio == Fraction(4, 3)
        assert source.info.rotation == 90


def test_what_is_live_can_only_be_played_from_its_start(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv")
    with (
        Playback(str(clip), live=True) as source,
        pytest.raises(OptionError, match="only be played from its start"),
    ):
        source.seek(Fraction(0))


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sequence of pictures"):
        Playback(str(write_sequence(tmp_path / "pictures")))
    with pytest.raises(InputError, match="no such file"):
        Playback(str(tmp_path / "nope.mkv"))
