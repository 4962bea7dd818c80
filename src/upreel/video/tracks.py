# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Streams of sound and of subtitles that a viewer chooses from, and subtitles beside a file.

``film.srt``, ``film.vtt`` and those with words between, such as ``film.en.srt`` and
``film.en.forced.srt``, belong to ``film.mkv``. The first word is a language where it looks like
one.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from upreel.errors import InputError, OptionError
from upreel.video.captions import caption_text

__all__ = [
    "Caption",
    "CaptionFile",
    "Track",
    "caption_words",
    "captions_beside",
    "found_track",
    "read_captions",
    "same_language",
]

_FORMATS = {".srt": "srt", ".vtt": "webvtt"}
_MOST_BYTES = 16 << 20  # of a file of subtitles
_OVERLAPPING = 32  # captions that may be on the screen at once
_MARKS = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})?")
_THREE_LETTERS = {
    "ara": "ar", "bul": "bg", "ces": "cs", "cze": "cs", "chi": "zh", "dan": "da", "deu": "de",
    "dut": "nl", "ell": "el", "eng": "en", "est": "et", "fin": "fi", "fra": "fr", "fre": "fr",
    "ger": "de", "gre": "el", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "ind": "id",
    "ita": "it", "jpn": "ja", "kor": "ko", "lav": "lv", "lit": "lt", "nld": "nl", "nor": "no",
    "per": "fa", "fas": "fa", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru",
    "slk": "sk", "slo": "sk", "slv": "sl", "spa": "es", "srp": "sr", "swe": "sv", "tha": "th",
    "tur": "tr", "ukr": "uk", "vie": "vi", "zho": "zh",
}  # fmt: skip
"""ISO 639-2, both kinds, as ISO 639-1: what containers and people write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A stream that can be chosen.

    Attributes:
        number: from 1.
        language: a code, such as "eng" or "pt-BR", "" if not said.
        title: what else is said of it, "" for nothing.
    """

    number: int
    language: str = ""
    title: str = ""

    @property
    def label(self) -> str:
        """Number, and what is known.

        Example:
            >>> Track(number=2, language="deu", title="Commentary").label, Track(number=1).label
            ('2 (deu, Commentary)', '1')
        """
        known = ", ".join(words for words in (self.language, self.title) if words)
        return f"{self.number} ({known})" if known else str(self.number)


def found_track(tracks: Sequence[Track], wish: str, *, kind: str, name: str) -> int:
    """The place in `tracks` of the one that is wished for.

    Args:
        tracks: what there is.
        wish: a number from 1, or a language by a code of two or three letters.
        kind: of tracks, for the message.
        name: of the source, for the message.

    Raises:
        OptionError: there is none.

    Example:
        >>> tracks = [Track(number=1, language="eng"), Track(number=2, language="ger")]
        >>> [found_track(tracks, wish, kind="sound", name="x") for wish in ("2", "eng", "de")]
        [1, 0, 1]
    """
    for place, track in enumerate(tracks):
        if wish == str(track.number) or same_language(wish, track.language):
            return place
    there = f"there are: {', '.join(track.label for track in tracks)}" if tracks else "it has none"
    raise OptionError(f"{name} has no {kind} track {wish!r}; {there}")


def same_language(one: str, other: str) -> bool:
    """Whether two codes mean the same language; those that say none do not.

    Example:
        >>> same_language("deu", "de-AT"), same_language("en", "de"), same_language("", "")
        (True, False, False)
    """
    return _code(one) == _code(other) != ""


def _code(language: str) -> str:
    """A language without its region, in two letters where it has such a name."""
    base = re.split("[-_]", language.strip().lower())[0]
    return "" if base == "und" else _THREE_LETTERS.get(base, base)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caption:
    """A subtitle's words, shown from `start` to `end` (seconds), of the track at a place from 0."""

    start: Fraction
    end: Fraction
    text: str
    track: int = 0


class CaptionFile:
    """The subtitles of a file of its own.

    Args:
        language: see `Track`.
        title: likewise.
        captions: in any order.
    """

    def __init__(self, language: str, title: str, captions: Sequence[Caption]) -> None:
        self.language = language
        self.title = title
        self._captions = sorted(captions, key=lambda caption: (caption.start, caption.end))
        self._starts = [float(caption.start) for caption in self._captions]

    def __len__(self) -> int:
        return len(self._captions)

    def at(self, media: float) -> list[str]:
        """The words to be read at a time, in seconds from the start of the film."""
        begun = bisect_right(self._starts, media)
        near = self._captions[max(begun - _OVERLAPPING, 0) : begun]
        return [caption.text for caption in near if media < caption.end]


def captions_beside(film: Path) -> list[Path]:
    """The files of subtitles that belong to a film, by name."""
    try:
        files = sorted(file for file in film.parent.iterdir() if file.suffix.lower() in _FORMATS)
    except OSError:
        return []
    return [file for file in files if f"{file.stem}.".startswith(f"{film.stem}.")]


def read_captions(file: Path, film: Path) -> CaptionFile:
    """Read a file of subtitles: UTF-8, UTF-16 with its mark, or else Windows' Western letters.

    Raises:
        InputError: it cannot be read, is too large, or holds none.
    """
    try:
        data = file.read_bytes() if file.stat().st_size <= _MOST_BYTES else None
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}") from error
    if data is None:
        raise InputError(f"{file.name} is larger than {_MOST_BYTES >> 20} MiB: no subtitles")
    captions: list[Caption] = []
    text = io.BytesIO(_decoded(data).encode())
    try:
        with av.open(text, "r", format=_FORMATS[file.suffix.lower()]) as container:
            for packet in container.demux():
                if packet.pts is None or not packet.size:
                    continue
                codec = packet.stream.codec_context.codec.canonical_name
                base = Fraction(packet.time_base)
                start = packet.pts * base
                words = caption_words(codec, bytes(packet))
                if words:
                    end = start + ((packet.duration or 0) * base or 4)
                    captions.append(Caption(start=start, end=end, text=words))
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{file.name} cannot be read: {reason}") from error
    if not captions:
        raise InputError(f"{file.name} holds no subtitles")
    between = file.stem[len(film.stem) :].strip(".").split(".")
    known = _LANGUAGE.fullmatch(between[0]) is not None
    language, rest = (between[0], between[1:]) if known else ("", between)
    return CaptionFile(language, " ".join((*filter(None, rest), file.suffix)), captions)


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def caption_words(codec: str, data: bytes) -> str:
    r"""The words of a packet of subtitles, without marks of style.

    Example:
        >>> caption_words("ass", rb"0,0,Default,,0,0,0,,{\i1}Two\Nlines{\i0}")
        'Two\nlines'
    """
    told = caption_text(codec, data)
    if told is not None:
        return told
    text = data.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1].replace("\\N", "\n").replace("\\n", "\n")
    return _MARKS.sub("", text).strip()
