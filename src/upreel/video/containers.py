# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""What each output container can hold, said before a run rather than found out after it.

Whether a stream fits is not looked up but tried: FFmpeg's own muxer is asked to write a header
with it, into memory.
"""

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from upreel.errors import EncoderError, InputError, OutputError
from upreel.video.captions import add_captions, rewritten_codec
from upreel.video.encoders import EncoderSettings, choose_encoder
from upreel.video.foreign import StreamSource, open_streams, stream_number
from upreel.video.frame import PixelFormat
from upreel.video.info import HdrInfo, SourceInfo, StreamInfo

__all__ = [
    "CONTAINERS",
    "OutputKind",
    "add_copy",
    "container_losses",
    "default_output",
    "is_regenerated",
    "kept_tags",
    "needs_named_tags",
    "output_kind",
    "stream_misfits",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputKind:
    """A container that can be written.

    Attributes:
        suffixes: endings, with the dot.
        muxer: FFmpeg's name of its muxer.
        demuxers: FFmpeg's names of sources that are of this kind.
        family: which of the rules below hold.
        clock: seconds a tick where all streams share one, None where each has its own.
        chapters: whether it holds chapters.
        any_tags: whether it holds tags of any name.
    """

    suffixes: tuple[str, ...]
    muxer: str
    demuxers: tuple[str, ...]
    family: Literal["iso", "matroska", "ts"]
    clock: Fraction | None = None
    chapters: bool = True
    any_tags: bool = True


_ISO = ("mov,mp4,m4a,3gp,3g2,mj2", "mov", "mp4")
_MATROSKA = ("matroska,webm", "matroska", "webm")
_MILLISECOND = Fraction(1, 1000)

CONTAINERS: tuple[OutputKind, ...] = (
    OutputKind(suffixes=(".mp4", ".m4v"), muxer="mp4", demuxers=_ISO, family="iso"),
    OutputKind(suffixes=(".mov",), muxer="mov", demuxers=_ISO, family="iso"),
    OutputKind(
        suffixes=(".mkv",),
        muxer="matroska",
        demuxers=_MATROSKA,
        family="matroska",
        clock=_MILLISECOND,
    ),
    OutputKind(
        suffixes=(".webm",),
        muxer="webm",
        demuxers=_MATROSKA,
        family="matroska",
        clock=_MILLISECOND,
    ),
    OutputKind(
        suffixes=(".ts", ".m2ts", ".mts"),
        muxer="mpegts",
        demuxers=("mpegts",),
        family="ts",
        clock=Fraction(1, 90_000),
        chapters=False,
        any_tags=False,
    ),
)
"""Containers without frame times, such as AVI, are read but not written."""


def output_kind(suffix: str) -> OutputKind:
    """The container that an ending stands for.

    Raises:
        OutputError: none that is written; the message lists the endings.

    Example:
        >>> output_kind(".M4V").muxer
        'mp4'
    """
    for kind in CONTAINERS:
        if suffix.lower() in kind.suffixes:
            return kind
    known = " ".join(s for kind in CONTAINERS for s in kind.suffixes)
    raise OutputError(f"cannot write {suffix or 'a file without an ending'!r}; endings: {known}")


def is_regenerated(stream: Stream, *, chapters: bool) -> bool:
    """Whether a data stream of MP4 repeats what is kept otherwise: chapter titles, time code."""
    if stream.type != "data":
        return False
    if "timecode" in stream.metadata:
        return True
    return chapters and getattr(stream, "name", None) == "bin_data"


def stream_misfits(source: StreamSource, kind: OutputKind) -> dict[int, str]:
    """Why a muxer refuses a stream, by index, for those that it refuses.

    Text subtitles that can be rewritten for it are not among them.
    Cover art goes into Matroska as an attachment and is not tried.
    """
    misfits: dict[int, str] = {}
    for stream in source.streams:
        if kind.muxer == "matroska" and stream.disposition & Disposition.attached_pic:
            continue
        if is_regenerated(stream, chapters=bool(source.chapters())):
            continue
        reason = _misfit(stream, kind)
        if reason is not None:
            misfits[stream.index] = reason
    return misfits


def _misfit(stream: Stream, kind: OutputKind) -> str | None:
    if stream.type not in ("video", "audio", "subtitle", "data", "attachment"):
        return "is of an unknown kind"
    if stream.type == "attachment" and kind.muxer != "matroska":
        return "is an attachment"
    if rewritten_codec(stream, kind.muxer) is not None:
        return None
    with av.open(io.BytesIO(), "w", format=kind.muxer) as scratch:
        try:
            add_copy(scratch, stream)
            scratch.start_encoding()
        except (ValueError, av.FFmpegError):
            return "does not fit"
        finally:
            with suppress(av.FFmpegError):
                scratch.close()
    return None


def add_copy(output: OutputContainer, stream: Stream) -> Stream:
    """Add a stream that takes another one's packets as they are, or text subtitles rewritten.

    Raises:
        ValueError: the container does not hold such a codec.
    """
    captions = rewritten_codec(stream, output.format.name)
    if captions is not None:
        copied = add_captions(output, captions)
    else:
        copied = output.add_stream_from_template(stream, opaque=True)
    copied.disposition = stream.disposition
    copied.metadata.clear()
    copied.metadata.update(kept_tags(stream.metadata))
    if isinstance(copied, VideoStream) and isinstance(stream, VideoStream):
        rate = stream.average_rate
        if rate:
            copied.codec_context.framerate = rate
    if isinstance(copied, AudioStream) and copied.codec_context.name.startswith("pcm"):
        # MP4 wants to know which speakers; AVI and WAV only count them.
        usual = _USUAL_LAYOUTS.get(copied.codec_context.layout.name)
        if usual is not None:
            copied.codec_context.layout = usual
    return copied


_USUAL_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo", "6 channels": "5.1",
                  "8 channels": "7.1"}  # fmt: skip


def _describe(stream: StreamInfo) -> str:
    kind = "cover art" if stream.cover_art else stream.kind
    language = f" ({stream.language})" if stream.language else ""
    name = stream.codec or stream.metadata.get("filename", "")
    return f"{kind} stream {stream.index}{language} {name}".rstrip()


def container_losses(
    info: SourceInfo, container: str, settings: EncoderSettings | None = None
) -> list[str]:
    """One line for each thing of the source that a container cannot hold.

    Args:
        info: the source.
        container: ending of the output (``.mp4``).
        settings: the encoder's, for what depends on it: chroma location, HDR side data.

    Raises:
        OutputError: no such container is written; the message lists the endings.
    """
    kind = output_kind(container)
    losses = [*_stream_losses(info, kind), *_rewritten(info, kind)]
    if kind.clock is not None and info.time_base % kind.clock:
        losses.append(
            f"{container} counts time in steps of {_step(kind.clock)}, the source in steps of "
            f"{_step(info.time_base)}: frame times are rounded to the nearest"
        )
    if info.chapters and not kind.chapters:
        losses.append(f"{container} holds no chapters: {len(info.chapters)} are lost")
    tags = {key for key in info.metadata if key.lower() not in _MUXER_TAGS}
    if kind.family == "iso" and _has_cover(info):
        tags = {key for key in tags if key.lower() not in _ISO_TAGS}
    elif kind.any_tags:
        tags = set[str]()
    if tags:
        losses.append(f"{container} does not hold these tags: {', '.join(sorted(tags))}")
    if kind.family == "ts" and any(s.disposition for s in info.streams):
        losses.append(f"{container} holds no marks of streams as default, forced and the like")
    if info.rotation and kind.family == "ts":
        losses.append(f"{container} holds no rotation: {info.rotation} degrees are lost")
    losses += _colour_losses(info, kind, settings)
    if settings is not None and _loses_aspect(info, kind, settings.encoder):
        losses.append(
            f"{settings.encoder} in {container} has no sample aspect ratio: "
            f"{info.sample_aspect_ratio} is lost"
        )
    return losses


def _loses_aspect(info: SourceInfo, kind: OutputKind, encoder: str) -> bool:
    """PyAV sets the aspect of a codec, Matroska's muxer takes that of a stream."""
    silent = encoder in ("ffv1", "prores", "svtav1", "vp9") and kind.family == "matroska"
    silent = silent or (encoder == "svtav1" and kind.family == "iso")
    return silent and info.sample_aspect_ratio not in (0, 1)


def _stream_losses(info: SourceInfo, kind: OutputKind) -> list[str]:
    others = [s for s in info.streams if s.index != info.video_index]
    if not others or info.is_sequence or not info.seekable:
        return []
    suffix = kind.suffixes[0]
    with open_streams(info) as source:
        misfits = {stream_number(info, place) for place in stream_misfits(source, kind)}
    return [
        f"{suffix} cannot hold {_describe(s)}: it is left out" for s in others if s.index in misfits
    ]


def _rewritten(info: SourceInfo, kind: OutputKind) -> list[str]:
    if info.is_sequence or not info.seekable or info.container in kind.demuxers:
        return []
    with open_streams(info) as source:
        codecs = {
            stream_number(info, s.index): rewritten_codec(s, kind.muxer) for s in source.streams
        }
    return [
        f"{kind.suffixes[0]} holds {_describe(s)} as {codecs[s.index]}: words and times are kept, "
        "styles are not"
        for s in info.streams
        if codecs.get(s.index) is not None
    ]


def _colour_losses(
    info: SourceInfo, kind: OutputKind, settings: EncoderSettings | None
) -> list[str]:
    losses: list[str] = []
    hdr = info.hdr or HdrInfo()
    if hdr.hdr10_plus:
        losses.append("HDR10+ dynamic metadata cannot be kept; HDR10 is")
    if hdr.dolby_vision:
        losses.append("Dolby Vision metadata cannot be kept")
    if settings is None:
        return losses
    silent = settings.encoder in ("ffv1", "vp9", "prores")
    if silent and (hdr.mastering is not None or hdr.max_cll is not None):
        losses.append(f"{settings.encoder} carries no HDR10 mastering or light-level data")
    if silent and kind.family != "matroska" and settings.colour.chroma_location:
        losses.append(f"{settings.encoder} in {kind.suffixes[0]} has no tag for chroma location")
    if settings.encoder in ("ffv1", "vp9", "prores", "svtav1") and kind.family == "ts":
        losses.append(f"{settings.encoder} does not go into {kind.suffixes[0]}")
    return losses


def _step(clock: Fraction) -> str:
    return f"{clock.numerator}/{clock.denominator} s"


def default_output(info: SourceInfo, scale: int, *, fmt: PixelFormat | None = None) -> Path:
    """``NAME_x2.EXT`` beside the source: its own container if that holds all, else ``.mkv``.

    A coarser clock does not count as a loss when both are Matroska. Pictures give a folder
    ``NAME_x2``.

    Args:
        info: the source.
        scale: how many times larger.
        fmt: pixel format of the output, the source's if None.
    """
    path = Path(info.path)
    if info.path == "-":
        return Path("-")
    if info.is_sequence:
        folder = path.parent if "%" in path.name else path
        return folder.with_name(f"{folder.name}_x{scale}")
    suffix = path.suffix.lower()
    target = path.with_name(f"{path.stem}_x{scale}.mkv")
    with suppress(OutputError, EncoderError, InputError):
        kind = output_kind(suffix)
        encoder = choose_encoder(
            fmt or info.format,
            width=info.width * scale,
            height=info.height * scale,
            container=suffix,
            hdr=info.hdr,
        )
        own = info.container in kind.demuxers
        if own and not _stream_losses(info, kind) and not _loses_aspect(info, kind, encoder.name):
            target = target.with_suffix(path.suffix)
    return target


_ISO_TAGS = {
    *("title", "artist", "album", "album_artist", "composer", "comment", "genre", "date"),
    *("copyright", "description", "synopsis", "show", "encoder", "grouping", "lyrics"),
    *("creation_time", "track", "disc", "location", "timecode"),
}


def _has_cover(info: SourceInfo) -> bool:
    return any(stream.cover_art for stream in info.streams)


def needs_named_tags(info: SourceInfo) -> bool:
    """Whether MP4 must store tags by name (``mdta``) to hold all of them.

    FFmpeg then writes no cover art, so a source with cover art keeps the tags known to MP4 alone.
    """
    others = [key for key in kept_tags(info.metadata) if key.lower() not in _ISO_TAGS]
    return bool(others) and not _has_cover(info)


_MUXER_TAGS = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}


def kept_tags(metadata: Mapping[str, str], *, recoded: bool = False) -> dict[str, str]:
    """Tags to be written, without those that describe the old file and its packets.

    Args:
        metadata: of a container or stream.
        recoded: whether the stream's packets are new, so that statistics of the old are wrong.

    Example:
        >>> kept_tags({"title": "A", "major_brand": "isom", "BPS-eng": "9"}, recoded=True)
        {'title': 'A'}
    """
    statistics = ("bps", "number_of_frames", "number_of_bytes", "_statistics")
    return {
        ("title" if key == "name" else key): value  # MP4's name of a track's title
        for key, value in metadata.items()
        if key.lower() not in _MUXER_TAGS
        and not (recoded and (key.lower().startswith(statistics) or key.lower() == "vendor_id"))
        and not key.lower().startswith("duration-")
    }
