"""Another sound and other subtitles while a film plays, and where it begins with them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, write_clip
from playing import Shown, repeating, watch

from upreel.errors import OptionError
from upreel.player import HeadlessPresenter, PlayConfig, play
from upreel.player.commands import Command
from upreel.player.presenter import Samples, SoundDevice, TappedSound
from upreel.video.pieces import SOUND_RATE


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
