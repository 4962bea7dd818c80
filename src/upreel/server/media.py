"""One title as it is sent: its tracks, and how each piece of them is made.

Everything here blocks: it is called by workers, never on the event loop.
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from upreel.codec.survey import is_upv
from upreel.errors import InputError, ProbeError
from upreel.pipeline.coding import CodecBackend
from upreel.pipeline.upv_source import made_by, probe_any
from upreel.server.library import Title
from upreel.video.codec_names import codec_name
from upreel.video.encoders import EncoderSettings
from upreel.video.info import SourceInfo, StreamInfo, Timeline
from upreel.video.poster import poster
from upreel.video.probe import probe
from upreel.video.scan import scan
from upreel.video.segments import (
    Cutting,
    copy_video,
    cut_video,
    encode_video,
    encoded_init,
    small_settings,
)
from upreel.video.sounds import (
    SOUNDS_COPIED,
    copied_sound_init,
    copy_sound,
    encode_sound,
    encoded_sound_init,
    sound_bit_rate,
)
from upreel.video.source import is_self_contained
from upreel.video.webvtt import TEXT_CODECS, webvtt

__all__ = ["Media", "Track", "read_timeline", "stored_timeline"]

_DEFAULT = 1  # FFmpeg's AV_DISPOSITION_DEFAULT
_TALLEST = 1080  # rows of a video that has to be encoded anyway
_BITS_A_PIXEL = Fraction(12, 100)
_LEAST_RATE, _MOST_RATE = 120_000, 8_000_000  # bits a second
_BURST = Fraction(5, 4)  # of the rate, over one segment: the encoder's buffer holds a second
_OVERHEAD = 20  # bytes a frame that the container takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One rendition of a title.

    Attributes:
        name: in URLs.
        kind: what it carries.
        index: of the stream that it is made of.
        copied: whether that is sent as it is.
        codec: RFC 6381's name; "" for text.
        peak_rate: bits a second, over any segment, at most.
        mean_rate: bits a second.
        width: columns as shown, 0 for sound and text.
        height: rows as shown, 0 likewise.
        language: ISO 639 code, "" if not said.
        label: for people.
        default: whether it is the one to begin with.
        settings: of the encoder, for video that is not copied.
    """

    name: str
    kind: Literal["video", "audio", "text"]
    index: int
    copied: bool
    codec: str = ""
    peak_rate: int = 0
    mean_rate: int = 0
    width: int = 0
    height: int = 0
    language: str = ""
    label: str = ""
    default: bool = False
    settings: EncoderSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Media:
    """A title whose file has been read through once.

    Attributes:
        title: what it is made of.
        info: what the file is.
        cutting: how its video is cut.
        tracks: all renditions; the largest video first.
    """

    title: Title
    info: SourceInfo
    cutting: Cutting
    tracks: tuple[Track, ...]

    @staticmethod
    def look(title: Title, *, codecs: Sequence[str], backend: CodecBackend) -> SourceInfo:
        """What a title's file is.

        Args:
            title: the title.
            codecs: of .upv files: names of codecs, or paths of their cards.
            backend: where codecs come from.

        Raises:
            InputError: it is no video that can be played, or is gone.
        """
        if not title.is_current():
            raise InputError(f"{title.name} has changed or is gone")
        if is_upv(title.path):
            codec = made_by(title.path, codecs, backend)
            return probe_any(title.path, codec=codec, backend=backend)
        if not is_self_contained(str(title.path)):
            raise ProbeError(f"{title.name} is not a video that can be read")
        return probe(title.path)

    @classmethod
    def prepare(
        cls,
        title: Title,
        info: SourceInfo,
        timeline: bytes,
        *,
        rungs: tuple[int, ...],
        seconds: int,
    ) -> "Media":
        """A title ready to be sent.

        Args:
            title: the title.
            info: from `look`.
            timeline: from `stored_timeline`.
            rungs: heights of the small versions; those that are smaller than it are made.
            seconds: least length of a segment.
        """
        cutting = cut_video(info, read_timeline(timeline), seconds=Fraction(seconds))
        tracks = [
            _full_size(info, cutting),
            *(_small(info, height) for height in reversed(rungs) if height < info.height),
            *_sounds(info),
            *_texts(info),
        ]
        return cls(title=title, info=info, cutting=cutting, tracks=tuple(tracks))

    def track(self, name: str) -> Track | None:
        """The rendition of this name."""
        return next((track for track in self.tracks if track.name == name), None)

    def of_kind(self, kind: Literal["video", "audio", "text"]) -> list[Track]:
        """All renditions that carry this."""
        return [track for track in self.tracks if track.kind == kind]

    def init(self, track: Track) -> bytes:
        """The init segment of a rendition of video or sound."""
        if track.kind == "audio":
            make = copied_sound_init if track.copied else encoded_sound_init
            return make(self.info, track.index)
        if track.settings is not None:
            return encoded_init(self.info, track.settings)
        return copy_video(self.info, self.cutting, 0).init

    def segment(self, track: Track, number: int, check: Callable[[], None]) -> bytes:
        """A media segment of video or sound.

        Args:
            track: which rendition.
            number: which stretch.
            check: called now and then; what it raises ends the work.
        """
        if not self.title.is_current():
            raise InputError(f"{self.title.name} has changed or is gone")
        if track.kind == "audio":
            make = copy_sound if track.copied else encode_sound
            span = self.cutting.span(number)
            return make(self.info, track.index, span, number, shift=self.cutting.shift).media
        if track.settings is not None:
            return encode_video(self.info, self.cutting, number, track.settings, check).media
        return copy_video(self.info, self.cutting, number).media

    def text(self, track: Track, *, hls: bool) -> str:
        """The words of a rendition of text.

        Args:
            track: which one.
            hls: timed as the segments; else as a player times the plain file.
        """
        if hls:
            return webvtt(self.info, track.index, shift=Fraction(self.cutting.shift), hls=True)
        base = self.info.time_base
        begin = int(self.cutting.timeline.pts[0]) * base
        return webvtt(self.info, track.index, shift=-begin)

    def picture(self) -> bytes:
        """A poster."""
        return poster(self.info)


_loads = threading.BoundedSemaphore(2)  # files that are read through at once


def stored_timeline(info: SourceInfo) -> bytes:
    """A video's times, read from all of its packets, as bytes to keep."""
    with _loads:
        line = scan(info)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        pts=line.pts,
        keyframes=line.keyframes,
        sizes=line.sizes if line.sizes is not None else np.zeros(0, np.int64),
        numbers=np.array(
            [
                line.time_base.numerator,
                line.time_base.denominator,
                line.last_duration,
                int(line.exact),
                line.delay,
            ],
            np.int64,
        ),
    )
    return file.getvalue()


def read_timeline(data: bytes) -> Timeline:
    """The times that `stored_timeline` stored."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        numerator, denominator, last, exact, delay = (int(n) for n in stored["numbers"])
        sizes = stored["sizes"]
        return Timeline(
            pts=stored["pts"],
            keyframes=stored["keyframes"],
            time_base=Fraction(numerator, denominator),
            last_duration=last,
            exact=bool(exact),
            sizes=sizes if len(sizes) else None,
            delay=delay,
        )


def _shown_size(info: SourceInfo, width: int, height: int) -> tuple[int, int]:
    return (height, width) if info.rotation % 180 else (width, height)


def _full_size(info: SourceInfo, cutting: Cutting) -> Track:
    if cutting.misfit is not None:
        return _encoded(info, min(info.height // 2 * 2, _TALLEST), "source")
    peak, mean = _rates(cutting)
    width = round(info.width * (info.sample_aspect_ratio or 1))
    shown = _shown_size(info, width, info.height)
    return Track(
        name="source",
        kind="video",
        index=info.video_index,
        copied=True,
        codec=codec_name(copy_video(info, cutting, 0).init),
        peak_rate=peak,
        mean_rate=mean,
        width=shown[0],
        height=shown[1],
        label=f"{info.height}p",
    )


def _rates(cutting: Cutting) -> tuple[int, int]:
    """The most and the mean bits a second of copied segments, containers included."""
    sizes = cutting.timeline.sizes
    if sizes is None:
        return _MOST_RATE, _MOST_RATE
    bits = [
        8 * (int(sizes[s.first : s.stop].sum()) + _OVERHEAD * (s.stop - s.first) + 500)
        for s in cutting.stretches
    ]
    seconds = [float(cutting.seconds(number)) for number in range(len(bits))]
    peak = max(amount / time for amount, time in zip(bits, seconds, strict=True))
    return round(peak) + 1, round(sum(bits) / sum(seconds)) + 1


def _small(info: SourceInfo, height: int) -> Track:
    return _encoded(info, height, f"{height}p")


def _encoded(info: SourceInfo, height: int, name: str) -> Track:
    height = max(height, 2)
    wide = small_settings(info, height=height, max_rate=_MOST_RATE).width
    rate = int(wide * height * (info.rate or 25) * _BITS_A_PIXEL)
    rate = min(max(rate, _LEAST_RATE), _MOST_RATE)
    settings = small_settings(info, height=height, max_rate=rate)
    overhead = int((info.rate or 25) * _OVERHEAD * 8) + 4000
    shown = _shown_size(info, settings.width, height)
    return Track(
        name=name,
        kind="video",
        index=info.video_index,
        copied=False,
        codec=codec_name(encoded_init(info, settings)),
        peak_rate=int(rate * _BURST) + overhead,
        mean_rate=rate + overhead,
        width=shown[0],
        height=shown[1],
        label=f"{height}p",
        settings=settings,
    )


def _sounds(info: SourceInfo) -> list[Track]:
    streams = [s for s in info.streams if s.kind == "audio" and s.codec]
    chosen = next((s for s in streams if s.disposition & _DEFAULT), streams[0] if streams else None)
    tracks: list[Track] = []
    for number, stream in enumerate(streams, start=1):
        copied = stream.codec in SOUNDS_COPIED
        rate = sound_bit_rate(info, stream.index)
        tracks.append(
            Track(
                name=f"audio{stream.index}",
                kind="audio",
                index=stream.index,
                copied=copied,
                codec="opus" if stream.codec == "opus" else "mp4a.40.2",
                peak_rate=rate * 5 // 4,
                mean_rate=rate,
                language=stream.language,
                label=_label(stream, f"Sound {number}"),
                default=stream is chosen,
            )
        )
    return tracks


def _texts(info: SourceInfo) -> list[Track]:
    streams = [s for s in info.streams if s.kind == "subtitle" and s.codec in TEXT_CODECS]
    return [
        Track(
            name=f"text{stream.index}",
            kind="text",
            index=stream.index,
            copied=False,
            language=stream.language,
            label=_label(stream, f"Subtitles {number}"),
            default=bool(stream.disposition & _DEFAULT),
        )
        for number, stream in enumerate(streams, start=1)
    ]


def _label(stream: StreamInfo, otherwise: str) -> str:
    words = stream.metadata.get("title", "") or stream.language
    return "".join(c for c in words if c.isprintable()).strip()[:80] or otherwise
