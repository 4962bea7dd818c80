# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""What players get of a source, whatever opens it: packets, sound, words, and what it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet
from av.stream import Stream

from upreel.video.frame import Frame
from upreel.video.source import is_cover
from upreel.video.tracks import Caption, Track, caption_words

__all__ = [
    "SOUND_RATE",
    "Piece",
    "PlayInfo",
    "PlaySource",
    "Sound",
    "SoundDecoder",
    "caption_of",
    "is_known",
    "is_text",
    "tracks_of",
]

SOUND_RATE = 48000
"""Samples of sound a second, two channels of float32."""

_TEXT = ("subrip", "mov_text", "ass", "ssa", "webvtt", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A packet.

    Attributes:
        kind: what is in it.
        size: bytes.
        ticks: `Frame.pts` of the picture in it, None if it does not say, or holds none.
        packet: PyAV's.
    """

    kind: Literal["video", "audio", "subtitle"]
    size: int
    ticks: int | None
    packet: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """Some sound.

    Attributes:
        at: seconds from the source's start.
        samples: float32 (N, 2) in [-1, 1], at `SOUND_RATE`.
    """

    at: Fraction
    samples: npt.NDArray[np.float32]

    @property
    def end(self) -> Fraction:
        """Seconds at which what follows it begins."""
        return self.at + Fraction(len(self.samples), SOUND_RATE)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayInfo:
    """What a source is, as far as playing it goes.

    Attributes:
        name: to show.
        width: columns of luma.
        height: rows of luma.
        rate: pictures a second, 25 where nothing tells.
        duration: seconds, None where it has no end that is known.
        live: whether it is played with as little delay as possible.
        seekable: whether it can be played from elsewhere.
        resumable: whether it can be connected to anew where it breaks off.
        rotation: degrees counter-clockwise that a picture is turned by.
        sample_aspect_ratio: of a sample, above 0.
        codec: of the video.
        sound_tracks: what can be heard.
        caption_tracks: subtitles of text, those of files beside it last.
        notices: what the viewer should know, one line each.
    """

    name: str
    width: int
    height: int
    rate: Fraction
    duration: Fraction | None
    live: bool
    seekable: bool
    resumable: bool = False
    rotation: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)
    codec: str = ""
    sound_tracks: tuple[Track, ...] = ()
    caption_tracks: tuple[Track, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def has_sound(self) -> bool:
        """Whether there is sound."""
        return bool(self.sound_tracks)

    @property
    def ends(self) -> bool:
        """Whether it is a film, which waits where it is not read; else it goes on meanwhile."""
        return self.duration is not None and not self.live


class PlaySource(Protocol):
    """A source that is open for playing: see `upreel.video.playback.Playback`.

    Attributes:
        info: what it is.
        sound_place: the track that is heard, by its place from 0.
        caption_place: the subtitles that are wanted, likewise.
    """

    info: PlayInfo
    sound_place: int
    caption_place: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def interlaced(self) -> bool | None:
        """None: it is not; else whether the upper field is the earlier one."""
        ...

    @property
    def bt709(self) -> bool:
        """Whether the pictures made last are of BT.709's matrix; of BT.601's else."""
        ...

    def news(self) -> list[str]:
        """What the viewer should know that turned up since this was asked last, one line each."""
        ...

    def choose_sound(self, place: int) -> None:
        """Give the sound of another track."""
        ...

    def choose_captions(self, place: int) -> None:
        """Have the subtitles of another track."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """All packets from where it is."""
        ...

    def seek(self, seconds: Fraction) -> None:
        """Go on with the packets of the key frame at or before a time."""
        ...

    def reopen(self, at: Callable[[], Fraction], *, wait: float) -> bool:
        """Connect anew to a source that broke off, if it is resumable; see `Playback.reopen`."""
        ...

    def flush_video(self) -> None:
        """The next packet does not follow the last one."""
        ...

    def flush_sound(self) -> None:
        """Likewise."""
        ...

    def video(self, piece: Piece | None) -> list[Frame]:
        """Pictures as screens take them, in display order; None gives the last ones."""
        ...

    def sound(self, piece: Piece) -> list[Sound]:
        """The sound of a packet; nothing where it is damaged, or of another track by now."""
        ...

    def caption(self, piece: Piece) -> Caption | None:
        """The words of a packet of subtitles, None if there are none."""
        ...

    def words_beside(self, place: int, media: float) -> list[str]:
        """What a file beside it that is a track by that place says at a time, in seconds."""
        ...


class SoundDecoder:
    """Packets of sound to samples; a step in their times is followed where it is no rounding."""

    def __init__(self) -> None:
        self._due: Fraction | None = None
        self._resampler = _resampler()

    def flush(self) -> None:
        """The next packet does not follow the last one."""
        self._due, self._resampler = None, _resampler()

    def __call__(self, packet: Packet, origin: Fraction) -> list[Sound]:
        """The sound of a packet; nothing where it is damaged.

        Args:
            packet: of one stream, until `flush`.
            origin: seconds in the packets' clock at which the source begins.
        """
        try:
            frames = [cast("AudioFrame", frame) for frame in packet.decode()]
        except av.FFmpegError:
            return []
        found: list[Sound] = []
        for frame in frames:
            at = self._due
            if frame.pts is not None and frame.time_base:
                told = frame.pts * Fraction(frame.time_base) - origin
                if at is None or abs(told - at) > Fraction(1, 20):  # else their clock's rounding
                    at = told
            if at is None:
                continue
            frame.pts = None
            try:
                pieces = self._resampler.resample(frame)
            except ValueError:  # another form than before, as broadcasts have
                self._resampler = _resampler()
                pieces = self._resampler.resample(frame)
            for part in pieces:
                samples = np.asarray(part.to_ndarray(), np.float32).reshape(-1, 2)
                found.append(Sound(at=at, samples=samples))
                at += Fraction(len(samples), SOUND_RATE)
            self._due = at
        return found


def _resampler() -> AudioResampler:
    return AudioResampler(format="flt", layout="stereo", rate=SOUND_RATE)


def caption_of(piece: Piece, texts: Sequence[Any], origin: Fraction) -> Caption | None:
    """The words of a packet of subtitles, None if there are none.

    Args:
        piece: the packet.
        texts: streams of subtitles, as the tracks are.
        origin: seconds in the packets' clock at which the source begins.
    """
    packet = piece.packet
    if packet.pts is None or piece.kind != "subtitle":
        return None
    text = caption_words(packet.stream.codec_context.codec.canonical_name, bytes(packet))
    start = packet.pts * Fraction(packet.time_base) - origin
    length = (packet.duration or 0) * Fraction(packet.time_base)
    track = next(n for n, stream in enumerate(texts) if stream is packet.stream)
    if not text:
        return None
    return Caption(start=start, end=start + (length or 4), text=text, track=track)


def is_known(stream: Stream) -> bool:
    """Whether FFmpeg has a decoder for it."""
    return getattr(stream, "codec_context", None) is not None


def is_text(stream: Any) -> bool:  # noqa: ANN401 - any of PyAV's streams
    """Whether it is of subtitles whose words can be told."""
    context = getattr(stream, "codec_context", None)
    if stream.type != "subtitle" or context is None or is_cover(stream):
        return False
    return context.codec.canonical_name in _TEXT


def tracks_of(streams: Sequence[Any]) -> tuple[Track, ...]:
    """What is said of streams, or of files."""
    found: list[Track] = []
    for number, stream in enumerate(streams, 1):
        told = stream.metadata if isinstance(stream, Stream) else {}
        language = told.get("language", "") or getattr(stream, "language", None) or ""
        title = told.get("title", "") or getattr(stream, "title", "") or ""
        known = "" if language == "und" else language
        found.append(Track(number=number, language=known, title=title))
    return tuple(found)
