"""Tracks by what is wished for, and files of subtitles beside a film.

Mutations tried: the number counted from 0; languages compared as they are written; a file of
another film with a longer name taken; captions that overlap told one at a time.
"""

from fractions import Fraction
from pathlib import Path

import pytest

from upreel.errors import InputError, OptionError
from upreel.video.tracks import Track, captions_beside, found_track, read_captions

TRACKS = [
    Track(number=1, language="eng"),
    Track(number=2, language="ger", title="Commentary"),
    Track(number=3, language="pt-BR"),
    Track(number=4),
]
SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Grüße</i> &
zwei

2
00:00:02,000 --> 00:00:03,000
{\\an8}oben
"""
VTT = """WEBVTT

00:01.000 --> 00:02.500
<v Ann>Grüße

00:00:02.000 --> 00:00:03.000 line:0
oben
"""


@pytest.mark.parametrize(
    ("wish", "number"),
    [("1", 1), ("4", 4), ("eng", 1), ("en", 1), ("EN", 1), ("en-GB", 1), ("de", 2), ("deu", 2),
     ("ger", 2), ("pt", 3), ("por", 3)],
)  # fmt: skip
def test_a_track_is_found_by_number_or_language(wish: str, number: int) -> None:
    place = found_track(TRACKS, wish, kind="sound", name="film")
    assert TRACKS[place].number == number


@pytest.mark.parametrize("wish", ["0", "5", "fr", "", "und", "Commentary"])
def test_one_that_is_not_there_is_told_with_those_that_are(wish: str) -> None:
    with pytest.raises(OptionError) as caught:
        found_track(TRACKS, wish, kind="sound", name="film")
    assert str(caught.value) == (
        f"film has no sound track {wish!r}; there are: 1 (eng), 2 (ger, Commentary), 3 (pt-BR), 4"
    )


def test_files_belong_to_a_film_by_name(tmp_path: Path) -> None:
    names = ["film.srt", "film.en.srt", "film.de.forced.VTT", "film.mkv", "film.txt", "film2.srt",
             "films.en.srt", "other.srt"]  # fmt: skip
    for name in names:
        (tmp_path / name).write_text("")

    found = [file.name for file in captions_beside(tmp_path / "film.mkv")]

    assert found == ["film.de.forced.VTT", "film.en.srt", "film.srt"]
    assert captions_beside(tmp_path / "no folder" / "film.mkv") == []


@pytest.mark.parametrize(("name", "text"), [("film.de.srt", SRT), ("film.de.vtt", VTT)])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_words_and_times_are_read(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode(encoding))

    read = read_captions(file, tmp_path / "film.mkv")

    first = "Grüße &\nzwei" if name.endswith("srt") else "Grüße"
    assert (read.language, read.title) == ("de", file.suffix)
    assert len(read) == 2
    assert [read.at(at) for at in (0.99, 1.0, 2.2, 2.5, 3.0)] == [
        [], [first], [first, "oben"], ["oben"], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "language", "title"),
    [("film.srt", "", ".srt"), ("film.pt-BR.srt", "pt-BR", ".srt"),
     ("film.en.forced.srt", "en", "forced .srt"), ("film.directors.cut.srt", "",
     "directors cut .srt")],
)  # fmt: skip
def test_the_words_of_a_name_tell_what_it_is(
    tmp_path: Path, name: str, language: str, title: str
) -> None:
    (tmp_path / name).write_text(SRT)
    read = read_captions(tmp_path / name, tmp_path / "film.mkv")
    assert (read.language, read.title) == (language, title)


def test_what_holds_no_subtitles_is_told_of(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    for name, text in (
        ("film.srt", "no\nsubtitles\n"),
        ("film.vtt", "WEBVTT\n\n"),
        ("film.en.srt", ""),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=rf"^{name} (holds no subtitles|cannot be read: .+)$"):
            read_captions(tmp_path / name, film)
    with pytest.raises(InputError, match=r"^film\.fr\.srt cannot be read: No such file"):
        read_captions(tmp_path / "film.fr.srt", film)
    large = tmp_path / "film.de.srt"
    with large.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(InputError, match=r"film\.de\.srt is larger than 16 MiB"):
        read_captions(large, film)


def test_a_long_film_is_looked_up_from_the_place_it_is_at(tmp_path: Path) -> None:
    file = tmp_path / "film.srt"
    file.write_text(
        "".join(
            f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},900\nw{n}\n\n"
            for n in range(3000)
        )
    )
    read = read_captions(file, tmp_path / "film.mkv")
    assert len(read) == 3000
    assert read.at(2999.5) == ["w2999"]
    assert read.at(float(Fraction(1234))) == ["w1234"]
    assert read.at(1234.95) == []
