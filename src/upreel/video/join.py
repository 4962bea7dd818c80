# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Joining part files and the source's other streams into the output, without re-encoding.

All decoding times are computed anew over the whole film, for those of the parts overlap at the
joints. Nothing is held but one packet a stream and eight bytes a frame.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from upreel.errors import InputError, OutputError
from upreel.video.aside import AsideFile, output_error
from upreel.video.containers import (
    OutputKind,
    container_losses,
    default_output,
    kept_tags,
    needs_named_tags,
    output_kind,
)
from upreel.video.encode import add_encoder, ticks
from upreel.video.encoders import EncoderSettings
from upreel.video.info import SourceInfo, Timeline
from upreel.video.mux import Copies, Cut
from upreel.video.order import decoding_times, fine_clock, reorder_delay, scale_of_movie

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = ["JoinReport", "OtherStreams", "container_losses", "default_output", "film_cut", "join"]


class OtherStreams(Protocol):
    """What stands around the video in the output: see `upreel.video.mux.Copies`."""

    notices: list[str]
    num_streams: int

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...

    def add_before(self, output: OutputContainer, /) -> None:
        """Add the streams that come before the video."""
        ...

    def add_after(self, output: OutputContainer, /) -> None:
        """Add the streams that come after the video."""
        ...

    def write_until(self, output: OutputContainer, time: Fraction, /) -> None:
        """Write the packets that are due at `time` (seconds, of the output) or before."""
        ...

    def finish(self, output: OutputContainer, /) -> None:
        """Write the packets that are left."""
        ...

    def chapters(self) -> "list[Chapter]":
        """The source's chapters."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinReport:
    """What was written.

    Attributes:
        num_frames: frames of the upscaled video.
        num_bytes: size of the output.
        num_streams: streams of the output.
        notices: one line for each thing that could not be kept.
    """

    num_frames: int
    num_bytes: int
    num_streams: int
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Times:
    """Times of the film's frames in display order, in ticks of `base` seconds."""

    base: Fraction
    pts: npt.NDArray[np.int64]
    dts: npt.NDArray[np.int64]
    durations: npt.NDArray[np.int64]


def join(
    output: Path,
    *,
    parts: Sequence[Path],
    info: SourceInfo,
    timeline: Timeline,
    settings: EncoderSettings,
    audio: bool = True,
    subtitles: bool = True,
    trim: tuple[int, int] | None = None,
    others: OtherStreams | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> JoinReport:
    """Write `output` from the parts' packets and the source's other streams.

    Args:
        output: its ending names the container.
        parts: part files in display order.
        info: the source.
        timeline: the source's frame times.
        settings: what the parts were encoded with.
        audio: whether sound is copied.
        subtitles: whether subtitles are copied.
        trim: frames [first, stop) that the parts hold, None for all. The first one then takes
            the time of the source's first frame, and the other streams are cut and moved with it.
        others: the other streams, None to copy the source's.
        progress: called with (frames written, frames in all).

    Raises:
        OutputError: parts that do not fit the timeline or each other, or an unwritable place.
        DiskFullError: no room; nothing is left under `output`.
    """
    kind = output_kind(output.suffix)
    first, stop = trim or (0, len(timeline.pts))
    coded = _coded_times(parts, timeline, settings, first, stop)
    cut = film_cut(info, timeline, first, stop, kind=kind, trimmed=trim is not None)
    times = _times(timeline, settings, coded, first, stop, cut)
    file = AsideFile(output)
    try:
        copies = others or Copies(info, kind, audio=audio, subtitles=subtitles, cut=cut)
        with copies:
            notices = _moved(timeline, cut)
            options = _muxer_options(kind, info, settings, times, notices)
            container = av.open(file, "w", format=kind.muxer, container_options=options)
            try:
                copies.add_before(container)
                with av.open(str(parts[0])) as part:
                    stream = _add_video(container, part, kind, info, settings, times)
                copies.add_after(container)
                _copy_tags(container, copies, info, kind, cut)
                _write(container, stream, parts, coded, times, copies, file, progress)
                container.close()
            except BaseException:
                with suppress(av.FFmpegError, OSError):
                    container.close()
                raise
            size = file.commit()
    except OSError as error:
        file.discard()
        file.check()
        raise output_error(error, output) from error
    except av.FFmpegError as error:
        file.discard()
        raise OutputError(f"cannot write {output}: its muxer says {error.strerror!r}") from error
    except BaseException:
        file.discard()
        raise
    return JoinReport(
        num_frames=stop - first,
        num_bytes=size,
        num_streams=copies.num_streams + 1,
        notices=(*notices, *copies.notices),
    )


def _video_packets(part: InputContainer) -> Iterator[Packet]:
    for packet in part.demux(part.streams.video[0]):
        if packet.size:
            yield packet


def _coded_times(
    parts: Sequence[Path], timeline: Timeline, settings: EncoderSettings, first: int, stop: int
) -> npt.NDArray[np.int64]:
    """The frame number of every packet in coded order, with the parts checked on the way."""
    wanted = np.array(
        [ticks(int(pts), timeline.time_base, settings.time_base) for pts in timeline.pts], np.int64
    )
    found: list[npt.NDArray[np.int64]] = []
    headers: bytes | None = None
    begin = first
    for path in parts:
        try:
            with av.open(str(path)) as part:
                stream = part.streams.video[0]
                header = stream.codec_context.extradata or b""
                base = stream.time_base or settings.time_base
                stamps = [
                    ticks(packet.pts, base, settings.time_base)
                    for packet in _video_packets(part)
                    if packet.pts is not None
                ]
        except (av.FFmpegError, IndexError) as error:
            raise OutputError(f"part {path.name} cannot be read: write it again") from error
        if headers is not None and header != headers:
            raise OutputError(f"part {path.name} was encoded with other settings than the first")
        headers = header
        coded = np.array(stamps, np.int64)
        shown = np.sort(coded)
        end = begin + len(coded)
        expected = wanted[begin:end]
        if len(expected) and expected[0] < 0:  # a part begins at 0 then, see `PartWriter`
            expected = expected - expected[0]
        if end > stop or not np.array_equal(shown, expected):
            raise OutputError(
                f"part {path.name} holds {len(coded)} frames that are not frames "
                f"{begin} to {end} of the source"
            )
        found.append(begin + np.searchsorted(shown, coded))
        begin = end
    if begin != stop or begin == first:
        raise OutputError(f"the parts hold {begin - first} frames, the film has {stop - first}")
    return np.concatenate(found) - first


def film_cut(
    info: SourceInfo, timeline: Timeline, first: int, stop: int, *, kind: OutputKind, trimmed: bool
) -> Cut:
    """What the other streams keep, and how all times move.

    Args:
        info: the source.
        timeline: its frame times.
        first: index of the first frame that is kept.
        stop: index after the last one.
        kind: the output's container.
        trimmed: whether frames were asked for: the first then takes the source's first time.
    """
    base = timeline.time_base
    shift = Fraction(0)
    broadcast = info.container in ("mpegts", "mpeg") and kind.family != "ts"
    if broadcast or timeline.pts[0] < 0:
        # Broadcast clocks start anywhere, before 0 where they wrap around; files start near 0.
        # One shift for all streams.
        starts = [s.start * s.time_base for s in info.streams if s.start is not None]
        shift = -min([*starts, int(timeline.pts[0]) * base])
    if not trimmed:
        return Cut(shift=shift)
    begin = int(timeline.pts[first]) * base
    end = None
    if stop < len(timeline.pts):
        end = int(timeline.pts[stop]) * base
    shift += int(timeline.pts[0]) * base - begin
    return Cut(start=begin if first else None, stop=end, shift=shift)


def _moved(timeline: Timeline, cut: Cut) -> list[str]:
    if timeline.pts[0] >= 0:
        return []
    later = f"{float(cut.shift):.3f} s"
    return [f"the source begins before 0, which files cannot say: all times are later by {later}"]


def _times(
    timeline: Timeline,
    settings: EncoderSettings,
    coded: npt.NDArray[np.int64],
    first: int,
    stop: int,
    cut: Cut,
) -> _Times:
    base = settings.time_base
    pts = np.array(
        [round((int(t) * timeline.time_base + cut.shift) / base) for t in timeline.pts[first:stop]],
        np.int64,
    )
    if stop < len(timeline.pts):
        last = int(timeline.pts[stop] - timeline.pts[stop - 1])
    else:
        last = timeline.last_duration
    durations = np.append(np.diff(pts), ticks(last, timeline.time_base, base))
    return _Times(
        base=base,
        pts=pts,
        dts=decoding_times(pts, reorder_delay(coded)),
        durations=durations.astype(np.int64),
    )


def _muxer_options(
    kind: OutputKind,
    info: SourceInfo,
    settings: EncoderSettings,
    times: _Times,
    notices: list[str],
) -> dict[str, str]:
    options = {
        "fflags": "+bitexact",
        "strict": "experimental",
        "max_interleave_delta": "1000000",  # microseconds: packets come nearly sorted
    }
    if kind.family == "ts" and info.container == "mpegts":
        options["mpegts_copyts"] = "1"
    if kind.family != "iso":
        return options
    options["video_track_timescale"] = str(fine_clock(settings.time_base.denominator))
    late = [(int(times.pts[0]) * times.base, settings.time_base.denominator)]
    late += [
        (s.start * s.time_base, s.time_base.denominator)
        for s in info.streams
        if s.start is not None and s.index != info.video_index
    ]
    scale, exact = scale_of_movie(tuple(clock for start, clock in late if (start * 1000) % 1))
    options["movie_timescale"] = str(scale)
    if not exact:
        notices.append(
            f"start times are kept to 1/{scale} s: an MP4 file has no finer common clock"
        )
    if needs_named_tags(info):
        options["movflags"] = "+use_metadata_tags"
    return options


def _add_video(
    container: OutputContainer,
    part: InputContainer,
    kind: OutputKind,
    info: SourceInfo,
    settings: EncoderSettings,
    times: _Times,
) -> VideoStream:
    """The upscaled stream, with the old one's tags and the new one's codec parameters."""
    template = part.streams.video[0]
    rate = info.rate or _average_rate(times)
    if settings.encoder in ("ffv1", "vp9", "prores"):
        # A part file does not hold their chroma location: the encoder itself says it.
        stream = add_encoder(container, replace(settings, rate=rate))
    else:
        stream = container.add_stream_from_template(template, opaque=True)
        stream.codec_context.framerate = rate.limit_denominator(100_000)
    if settings.encoder == "x265" and kind.family == "iso":
        stream.codec_context.codec_tag = "hvc1"  # parameter sets are in the header alone
    stream.time_base = settings.time_base
    old = next(s for s in info.streams if s.index == info.video_index)
    stream.metadata.clear()
    stream.metadata.update(kept_tags(old.metadata, recoded=True))
    stream.disposition = Disposition(old.disposition)
    if info.rotation:
        stream.set_display_rotation(info.rotation)
    return stream


def _average_rate(times: _Times) -> Fraction:
    span = int(times.pts[-1] - times.pts[0] + times.durations[-1]) * times.base
    return len(times.pts) / span if span > 0 else Fraction(25)


def _copy_tags(
    container: OutputContainer,
    copies: OtherStreams,
    info: SourceInfo,
    kind: OutputKind,
    cut: Cut,
) -> None:
    container.metadata.update(kept_tags(info.metadata))
    if not kind.chapters:
        return
    chapters: list[Chapter] = []
    for chapter in copies.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        start, end = chapter["start"] * base, chapter["end"] * base
        if cut.start is not None and end <= cut.start:
            continue
        if cut.stop is not None and start >= cut.stop:
            continue
        start = max(start, cut.start if cut.start is not None else start) + cut.shift
        end = min(end, cut.stop if cut.stop is not None else end) + cut.shift
        moved = chapter.copy()
        moved["start"] = round(max(start, Fraction(0)) / base)
        moved["end"] = round(end / base)
        chapters.append(moved)
    container.set_chapters(chapters)


def _write(
    container: OutputContainer,
    stream: VideoStream,
    parts: Sequence[Path],
    coded: npt.NDArray[np.int64],
    times: _Times,
    copies: OtherStreams,
    file: AsideFile,
    progress: Callable[[int, int], None] | None,
) -> None:
    place = 0
    for path in parts:
        with av.open(str(path)) as part:
            for packet in _video_packets(part):
                frame = int(coded[place])
                packet.time_base = times.base
                packet.pts = int(times.pts[frame])
                packet.dts = int(times.dts[place])
                packet.duration = int(times.durations[frame])
                packet.stream = stream
                copies.write_until(container, packet.dts * times.base)
                container.mux_one(packet)
                file.check()
                place += 1
                if progress is not None:
                    progress(place, len(coded))
    if place != len(coded):
        raise InputError(f"a part lost frames while it was read: {len(coded) - place} are missing")
    copies.finish(container)
    file.check()
