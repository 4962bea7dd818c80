"""Straight through, without parts: from standard input, or to standard output.

    [decoder thread] -> [network thread] -> encoder and writer in the calling thread

There is nothing to come back to: what cannot be read twice cannot be resumed.
"""

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from upreel.errors import DamagedError, ExistsError
from upreel.pipeline.backend import Backend, ReportingUpscaler
from upreel.pipeline.channel import prefetched
from upreel.pipeline.enhance import QUEUE_FRAMES, enhance
from upreel.pipeline.finish import join_parts, output_exists, work_name
from upreel.pipeline.job import UpscaleResult
from upreel.pipeline.plan import Part, Plan, frame_range
from upreel.pipeline.planning import open_upscaler
from upreel.pipeline.resolve import Resolved
from upreel.pipeline.summary import Counter, OnProgress, result_of
from upreel.pipeline.usage import CpuMeter
from upreel.pipeline.work import PartDone, Work
from upreel.video.frame import Frame
from upreel.video.info import Timeline
from upreel.video.notice import Notice
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.write import ImageWriter, PartWriter, StreamWriter

__all__ = ["run_straight", "trimmed"]


def trimmed(
    frames: Iterator[Frame], start: Fraction | None, end: Fraction | None
) -> Iterator[Frame]:
    """Frames shown from `start` to `end`, seconds after the first frame, as they come."""
    origin: Fraction | None = None
    for frame in frames:
        time = frame.pts * frame.time_base
        origin = time if origin is None else origin
        if end is not None and time - origin >= end:
            return
        if start is None or time - origin >= start:
            yield frame


class _Writer(Protocol):
    def write(self, frame: Frame) -> None: ...


@dataclass
class _Seen:
    """What went through."""

    pts: list[int] = field(default_factory=list[int])
    last_duration: int = 0
    damaged: int = 0
    notices: list[Notice] = field(default_factory=list[Notice])


def run_straight(
    resolved: Resolved, backend: Backend, tell: OnProgress, meter: CpuMeter
) -> UpscaleResult:
    """Do a job from or to a pipe.

    Raises:
        DamagedError: no frame could be decoded.
        UpreelError: whatever else went wrong in any of the threads.
    """
    if resolved.kind != "stdout":
        with Work(work_name(resolved)) as work:
            if not resolved.job.overwrite and output_exists(resolved):
                raise ExistsError(f"{resolved.output} exists; --overwrite replaces it")
            work.clear()
            return _to_file(resolved, backend, tell, meter, work)
    upscaler = open_upscaler(resolved, backend, tile=resolved.job.tile)
    encoding, seen = resolved.encoding, _Seen()
    kind = "y4m" if encoding.suffix == ".y4m" else "matroska"
    with (
        _enlarged(resolved, upscaler, seen) as (frames, total),
        StreamWriter(sys.stdout.buffer, encoding.settings, kind=kind) as writer,
    ):
        _write(frames, writer, seen, Counter("upscale", total, tell))
    if not seen.pts:
        raise DamagedError(f"no frame of {resolved.info.path} can be decoded")
    return _result(resolved, upscaler, meter, seen, num_bytes=0)


def _to_file(
    resolved: Resolved, backend: Backend, tell: OnProgress, meter: CpuMeter, work: Work
) -> UpscaleResult:
    """From a pipe to a file: one part, whose times are known when it is written, then the join."""
    upscaler = open_upscaler(resolved, backend, tile=resolved.job.tile)
    encoding, seen = resolved.encoding, _Seen()
    path = work.part_path(Part(index=0, first=0, stop=0), encoding.suffix)
    with _enlarged(resolved, upscaler, seen) as (frames, total):
        first = next(frames, None)
        if first is None:
            raise DamagedError(f"no frame of {resolved.info.path} can be decoded")
        with (
            ImageWriter(path / f"%06d{encoding.pictures}")
            if encoding.pictures
            else PartWriter(path, encoding.settings)
        ) as writer:
            writer.write(_noted(first, seen))
            _write(frames, writer, seen, Counter("upscale", total, tell))
    count = len(seen.pts)
    report = upscaler.describe()
    plan = Plan(
        identity={},
        job=resolved.job,
        engine=report.engine,
        device=report.device,
        precision=report.precision,
        tile=upscaler.tile,
        output_size=(resolved.width, resolved.height),
        context=resolved.card.context,
        settings=encoding.settings,
        trim=None,
        timeline=Timeline(
            pts=np.array(seen.pts, np.int64),
            keyframes=np.zeros(1, np.int64),
            time_base=resolved.info.time_base,
            last_duration=seen.last_duration,
            exact=True,
        ),
        parts=(Part(index=0, first=0, stop=count),),
    )
    # Only the picture came through the pipe.
    info = resolved.info
    streams = tuple(stream for stream in info.streams if stream.index == info.video_index)
    resolved = replace(resolved, info=replace(info, streams=streams))
    done = PartDone(frames=count, bytes=writer.num_bytes)
    num_bytes, notices = join_parts(plan, [done], resolved, work, encoding, tell=tell)
    work.remove()
    return _result(resolved, upscaler, meter, seen, num_bytes=num_bytes, notices=notices)


@contextmanager
def _enlarged(
    resolved: Resolved, upscaler: ReportingUpscaler, seen: _Seen
) -> Generator[tuple[Iterator[Frame], int | None], None, None]:
    """The enlarged frames, and how many there will be where that is known."""
    job, info, card = resolved.job, resolved.info, resolved.card
    if info.seekable:
        timeline = scan(info)
        first, stop = frame_range(timeline, job.start, job.end)
        past, future = card.context
        frames = read_frames(
            info,
            timeline=timeline,
            first=max(0, first - past),
            stop=min(len(timeline.pts), stop + future),
            deinterlace=job.deinterlace,
            on_notice=seen.notices.append,
        )
        total = stop - first
    else:
        reading = read_frames(info, deinterlace=job.deinterlace, on_notice=seen.notices.append)
        frames = trimmed(reading, job.start, job.end)
        first = stop = total = None
    enlarged = enhance(frames, upscaler, card, first=first, stop=stop)
    with prefetched(enlarged, size=QUEUE_FRAMES, name="upreel-network") as ahead:
        yield ahead, total


def _noted(frame: Frame, seen: _Seen) -> Frame:
    seen.pts.append(frame.pts)
    seen.last_duration = frame.duration
    seen.damaged += frame.damaged
    return frame


def _write(frames: Iterable[Frame], writer: _Writer, seen: _Seen, counter: Counter) -> None:
    for frame in frames:
        writer.write(_noted(frame, seen))
        counter.frame_done()


def _result(
    resolved: Resolved,
    upscaler: ReportingUpscaler,
    meter: CpuMeter,
    seen: _Seen,
    *,
    num_bytes: int,
    notices: tuple[str, ...] = (),
) -> UpscaleResult:
    frames = len(seen.pts)
    return result_of(
        resolved,
        upscaler,
        meter,
        frames=frames,
        damaged_frames=seen.damaged,
        fps=meter.rate(frames),
        num_bytes=num_bytes,
        notices=(*(notice.text for notice in seen.notices), *notices),
    )
