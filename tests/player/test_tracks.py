"""Another sound and other subtitles while a film plays, and where it begins with them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, write_clip
from playing import Shown, repeating, watch

from upreel.errors import OptionError
from upreel.player import HeadlessPresenter, PlayConfig, play
from upreel.player.commands import Command
from upreel.player.presenter import Samples, SoundDevice, TappedSound
from upreel.player.tracks import Wishes
from upreel.video.pieces import SOUND_RATE
from upreel.video.tracks import Track


class Listening(HeadlessPresenter):
    """Hears: (seconds of media time, hertz) of each piece that is long enough."""

    def open_sound(self) -> SoundDevice:
        self.heard: list[tuple[float, float]] = []
        self.sound = TappedSound(self._passed)
        return self.sound

    def _passed(self, samples: Samples, media: float) -> None:
        if len(samples) >= 480 and np.abs(samples).max() > 0.01:
            crossings = np.count_nonzero(np.diff(np.signbit(samples[:, 0])))
            self.heard.append((media, crossings / 2 / (len(samples) / SOUND_RATE)))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sounds, 440 and 3520 Hz; subtitles within it and beside it."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "film.de.srt").write_text("1\n00:00:00,000 --> 00:00:03,000\nbeside\n")
    return write_clip(
        folder / "film.mkv",
        count=75,
        options={"g": "10", "keyint_min": "10", "bf": "2", "sc_threshold": "0"},
        audio=[
            AudioTrack(seconds=Fraction(3)),
            AudioTrack(seconds=Fraction(3), language="deu", hertz=3520),
        ],
        subtitles=[SubtitleTrack(lines=[(Fraction(0), Fraction(3), "within")])],
    )


def test_another_sound_is_heard_from_where_the_film_is(film: Path) -> None:
    shown = Shown()
    presenter = Listening((64, 48), script=[(1.0, Command("sound-track"))], seen=shown.see)
    (stats,) = play(PlayConfig(sources=(str(film),)), presenter, opened=repeating()).titles

    low = [at for at, hertz in presenter.heard if hertz < 1000]
    high = [at for at, hertz in presenter.heard if hertz > 2000]
    assert low
    assert high
    assert presenter.heard == sorted(presenter.heard, key=lambda piece: piece[1] > 1000)
    assert 0.9 < min(high) < 1.6  # at once, not behind what was read on
    assert stats.sound_track == "2 (deu)"
    assert stats.seeks == 0
    assert "sound 2 (deu)" in {view.message for view in shown.views}
    assert abs(stats.offset_ms.summary()["median"]) < 40


def test_the_sound_that_is_asked_for_is_the_only_one(film: Path) -> None:
    presenter = Listening((64, 48))
    config = PlayConfig(sources=(str(film),), sound_track="de", seconds=0.5)
    play(config, presenter, opened=repeating())

    assert presenter.heard
    assert all(hertz > 2000 for _, hertz in presenter.heard)


def test_the_next_subtitles_are_read_and_then_the_first_again(film: Path) -> None:
    script = [(0.8, Command("caption-track")), (1.6, Command("caption-track"))]
    shown = watch(film, script=script)

    words = list(dict.fromkeys(view.caption for view in shown.views))
    assert words[:2] == ["within", "beside"]
    at_last = {
        view.caption
        for view, at in zip(shown.views, shown.times, strict=True)
        if 1.9 < at < 2.5  # words go by the clock, which is ahead of a late picture
    }
    assert at_last <= {"within"}
    messages = {view.message for view in shown.views}
    assert {"subtitles 2 (de, .srt)", "subtitles 1 (fra)"} <= messages
    assert shown.stats.caption_track == "1 (fra)"


def test_choosing_subtitles_turns_them_on(film: Path) -> None:
    shown = watch(film, captions=False, caption_track="1", seconds=1.5,
                  script=[(0.7, Command("caption-track"))])  # fmt: skip

    words = list(dict.fromkeys(view.caption for view in shown.views))
    assert words == ["", "beside"]


def test_where_there_is_no_other_that_is_said(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", count=60, audio=[AudioTrack(seconds=Fraction(2))])
    script = [(0.2, Command("sound-track")), (1.0, Command("caption-track"))]
    shown = watch(clip, script=script)

    messages = {view.message for view in shown.views}
    assert {"there is no other sound", "there are no other subtitles"} <= messages
    assert (shown.stats.sound_track, shown.stats.caption_track) == ("1 (eng)", "")


def test_a_track_that_is_not_there_is_one_line(film: Path) -> None:
    with pytest.raises(OptionError, match=r"no sound track '3'; there are: 1 \(eng\), 2 \(deu\)$"):
        watch(film, sound_track="3")
    with pytest.raises(OptionError, match=r"there are: 1 \(fra\), 2 \(de, \.srt\)$"):
        watch(film, caption_track="en")


def drawn(path: Path, *, sounds: Sequence[str], words: Sequence[str] = ()) -> Path:
    """A film of half a second with tracks of these languages, "und" where none is told."""
    return write_clip(
        path,
        count=12,
        audio=[AudioTrack(language=language) for language in sounds],
        subtitles=[SubtitleTrack(language=language) for language in words],
    )


def test_the_tracks_that_were_chosen_are_those_of_the_next_titles(tmp_path: Path) -> None:
    """By language; a title without it has its first ones, and the one behind it follows again."""
    first = drawn(tmp_path / "1.mkv", sounds=("eng", "deu"), words=("fra", "ita"))
    other = drawn(tmp_path / "2.mkv", sounds=("eng", "spa"), words=("fra", "nld"))
    again = drawn(tmp_path / "3.mkv", sounds=("eng", "spa", "ger"), words=("ita", "fra"))
    script = [(0.1, Command("sound-track")), (0.2, Command("caption-track"))]
    shown = watch(first, other, again, script=script)

    chosen = [(title.sound_track, title.caption_track) for title in shown.titles]
    assert chosen == [("2 (deu)", "2 (ita)"), ("1 (eng)", "1 (fra)"), ("3 (ger)", "1 (ita)")]


def test_what_was_not_chosen_is_not_carried(tmp_path: Path) -> None:
    first = drawn(tmp_path / "1.mkv", sounds=("eng",), words=("fra",))
    other = drawn(tmp_path / "2.mkv", sounds=("deu", "eng"), words=("ita", "fra"))
    shown = watch(first, other)

    assert [title.sound_track for title in shown.titles] == ["1 (eng)", "1 (deu)"]
    assert [title.caption_track for title in shown.titles] == ["1 (fra)", "1 (ita)"]


def test_the_tracks_that_were_asked_for_are_those_of_all_titles_that_have_them(
    tmp_path: Path,
) -> None:
    """A number is that of the first title, whose track may tell a language."""
    first = drawn(tmp_path / "1.mkv", sounds=("eng", "deu"), words=("fra", "ita"))
    other = drawn(tmp_path / "2.mkv", sounds=("deu", "eng"), words=("nld",))
    shown = watch(first, other, sound_track="2", caption_track="it")

    assert [title.sound_track for title in shown.titles] == ["2 (deu)", "1 (deu)"]
    assert [title.caption_track for title in shown.titles] == ["2 (ita)", "1 (nld)"]
    assert not [line for line in shown.told if "no sound track" in line]


def test_the_most_alike_of_several_tracks_is_taken() -> None:
    def found(wish: Track | str, *there: tuple[str, str]) -> int:
        tracks = tuple(
            Track(number=n, language=language, title=title)
            for n, (language, title) in enumerate(there, 1)
        )
        source = SimpleNamespace(
            info=SimpleNamespace(sound_tracks=tracks, caption_tracks=()),
            choose_sound=(taken := [0]).append,
        )
        Wishes(sound=wish, captions=None).carry_to(source)  # type: ignore[arg-type]
        return taken[-1]

    spoken = Track(number=3, language="deu", title="Spoken")
    assert found(spoken, ("eng", ""), ("de", ""), ("ger", "Spoken")) == 2  # by its title
    assert found(spoken, ("deu", ""), ("eng", ""), ("deu", "")) == 2  # by its number
    assert found(spoken, ("eng", ""), ("deu", ""), ("eng", "")) == 1  # by its language
    assert found(spoken, ("eng", ""), ("", ""), ("", "Spoken")) == 0  # there is none
    nameless = Track(number=2)
    assert found(nameless, ("", ""), ("", "")) == 1
    assert found(nameless, ("eng", ""), ("deu", "")) == 0
    assert found("deu", ("eng", ""), ("ger", "")) == 1  # the first title could not be opened
    assert found("5", ("eng", ""), ("ger", "")) == 0
