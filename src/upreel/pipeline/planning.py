"""Making a plan, and telling whether an earlier one is of the same job."""

import os
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from upreel import __version__
from upreel.errors import DamagedError, OptionError
from upreel.pipeline.backend import Backend, ReportingUpscaler
from upreel.pipeline.parts import Encoding
from upreel.pipeline.plan import (
    Part,
    Plan,
    frame_range,
    machine_kind,
    part_borders,
    source_identity,
)
from upreel.pipeline.resolve import Resolved
from upreel.video.info import SourceInfo, Timeline
from upreel.video.scan import scan

__all__ = [
    "identity_of",
    "least_bytes",
    "make_plan",
    "missing_end",
    "open_upscaler",
]


def open_upscaler(
    resolved: Resolved, backend: Backend, *, tile: int | tuple[int, int] | None
) -> ReportingUpscaler:
    """The network of a resolved job."""
    job, info = resolved.job, resolved.info
    return backend.open(
        resolved.card,
        pixel_format=info.format,
        colour=info.colour,
        width=info.width,
        height=info.height,
        output_size=(resolved.width, resolved.height),
        device=job.device,
        precision=job.precision,
        threads=job.threads,
        tile=tile,
        self_ensemble=job.self_ensemble,
    )


def make_plan(resolved: Resolved, upscaler: ReportingUpscaler, folder: Path) -> Plan:
    """The plan of a job; demuxes the source.

    Args:
        resolved: the job.
        upscaler: its network, for what was chosen.
        folder: that the plan's paths are relative to.

    Raises:
        DamagedError: there is no frame in the source.
        OptionError: no frame between start and end.
    """
    job, info, report = resolved.job, resolved.info, upscaler.describe()
    timeline = scan(info)
    if not len(timeline.pts):
        raise DamagedError(f"{info.path} has no frames")
    trim = None
    first, stop = 0, len(timeline.pts)
    if job.start is not None or job.end is not None:
        first, stop = trim = frame_range(timeline, job.start, job.end)
        if first >= stop:
            length = (timeline.pts[-1] - timeline.pts[0] + timeline.last_duration) * float(
                timeline.time_base
            )
            raise OptionError(f"no frame from start to end: the source has {length:.3f} s")
    borders = part_borders(timeline, first, stop, seconds=job.part_seconds)
    return Plan(
        identity=identity_of(resolved, upscaler),
        job=replace(
            job,
            source=os.path.relpath(info.path, folder),
            output=os.path.relpath(resolved.output, folder),
            overwrite=False,
        ),
        engine=report.engine,
        device=report.device,
        precision=report.precision,
        tile=upscaler.tile,
        output_size=(resolved.width, resolved.height),
        context=resolved.card.context,
        settings=resolved.encoding.settings,
        trim=trim,
        timeline=timeline,
        parts=tuple(Part(index=n, first=a, stop=b) for n, (a, b) in enumerate(pairwise(borders))),
    )


def identity_of(resolved: Resolved, upscaler: ReportingUpscaler) -> dict[str, Any]:
    """All that decides the output's bytes, by a name that messages can use."""
    job, report = resolved.job, upscaler.describe()
    settings = resolved.encoding.settings.to_json()
    settings.pop("threads")  # a resumed job takes them from the plan
    return {
        "version": __version__,
        "source": source_identity(resolved.info),
        "model": resolved.card.name,
        "weights": resolved.card.identity(report.precision),
        "engine": report.engine,
        "device": report.device,
        "precision": report.precision,
        "tile": job.tile,
        "self-ensemble": job.self_ensemble,
        "size": [resolved.width, resolved.height],
        "encoder": settings,
        "container": resolved.output.suffix,
        "start": None if job.start is None else str(job.start),
        "end": None if job.end is None else str(job.end),
        "deinterlacing": job.deinterlace,
        "audio": job.audio,
        "subtitles": job.subtitles,
        "part length": str(job.part_seconds),
        "machine": machine_kind(),
        **({} if resolved.info.foreign is None else resolved.info.foreign.identity()),
    }


def missing_end(info: SourceInfo, timeline: Timeline) -> str | None:
    """What to say of a source that ends earlier than its headers promise, None if it does not.

    The container's duration may be that of a longer sound track, so that only half a second
    counts, and nothing is concluded from it.
    """
    if info.num_frames is not None and info.num_frames > len(timeline.pts):
        return (
            f"the source promises {info.num_frames} frames and has {len(timeline.pts)}: "
            "it may be truncated"
        )
    tick = timeline.time_base
    starts = [
        stream.start * stream.time_base for stream in info.streams if stream.start is not None
    ]
    end = (int(timeline.pts[-1]) + timeline.last_duration) * tick
    length = end - min([int(timeline.pts[0]) * tick, *starts])
    if info.duration is not None and info.duration - length > Fraction(1, 2):
        return (
            f"the source promises {float(info.duration):.1f} s and its picture ends after "
            f"{float(length):.1f} s: it may be truncated"
        )
    return None


def least_bytes(plan: Plan, encoding: Encoding) -> int:
    """Room that parts and output will take at the very least, in bytes.

    0.02 bits a pixel for lossy encoders (a still scene at a good quality), a quarter of the
    samples for lossless ones and pictures; twice, for the parts are there while joining.
    """
    settings = plan.settings
    width, height = plan.output_size
    fmt = settings.format
    samples = width * height * (1 if fmt.model == "gray" else 3 / (1 << sum(fmt.log2_chroma)))
    lossless = encoding.pictures or settings.encoder in ("ffv1", "prores")
    bits = samples * fmt.bits / 4 if lossless else width * height * 0.02
    copies = 1 if encoding.pictures else 2
    return int(plan.num_frames * bits / 8 * copies)
