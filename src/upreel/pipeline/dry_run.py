"""What a job would do, without doing it: `upreel upscale --dry-run`."""

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from upreel.errors import OptionError
from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.parts import run_parts
from upreel.pipeline.plan import Part
from upreel.pipeline.planning import make_plan, open_upscaler
from upreel.pipeline.resolve import resolve
from upreel.pipeline.upv_source import probe_source
from upreel.pipeline.work import PartDone, Work

__all__ = ["Preview", "preview"]

SAMPLE_FRAMES = 24
_SAMPLE_CONTEXTS = 4  # a network's context counts for little beside the sample, as beside a part


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a job would give, guessed from a few frames in the middle.

    Attributes:
        source: as asked for.
        output: where it would be.
        width: columns of the output.
        height: rows of the output.
        frames: of the output.
        parts: that it would be made in.
        model: name of the card.
        engine: what would run it.
        device: where.
        precision: how.
        reason: why these were chosen.
        encoder: word for the encoder.
        fps: frames a second, measured on the sample.
        seconds: that the job would take.
        bytes: of the output's picture.
        sampled_frames: that `fps`, `seconds` and `bytes` were guessed from.
        notices: what would be lost or changed, one line each.
    """

    source: str
    output: str
    width: int
    height: int
    frames: int
    parts: int
    model: str
    engine: str
    device: str
    precision: str
    reason: str
    encoder: str
    fps: float
    seconds: float
    bytes: int
    sampled_frames: int
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return asdict(self)


def preview(job: UpscaleJob, *, backend: Backend | None = None) -> Preview:
    """Plan a job and run a few frames of it in a temporary folder.

    Raises:
        OptionError: the source is a pipe, which cannot be read twice.
        UpreelError: what would stop the job itself, too.
    """
    backend = backend or DefaultBackend()
    if job.source == "-":
        raise OptionError("a dry run needs a source that can be read twice, not standard input")
    resolved = resolve(job, probe_source(job), backend)
    upscaler = open_upscaler(resolved, backend, tile=job.tile)
    sampled: list[PartDone] = []
    with tempfile.TemporaryDirectory(prefix="upreel-") as name, Work(Path(name) / "sample") as work:
        plan = make_plan(resolved, upscaler, work.folder)
        first, stop = plan.parts[0].first, plan.parts[-1].stop
        wanted = max(SAMPLE_FRAMES, _SAMPLE_CONTEXTS * sum(resolved.card.context))
        first = max(first, (first + stop - wanted) // 2)
        encoding = resolved.encoding
        if encoding.suffix == ".y4m":  # of raw planes the size is known: a picture a frame will do
            encoding = replace(encoding, suffix="", pictures=".png")
        start = time.perf_counter()
        run_parts(
            [Part(index=0, first=first, stop=min(stop, first + wanted))],
            info=resolved.info,
            timeline=plan.timeline,
            upscaler=upscaler,
            card=resolved.card,
            work=work,
            encoding=encoding,
            deinterlace=job.deinterlace,
            on_part=sampled.append,
        )
        seconds = time.perf_counter() - start
    count = max(1, sum(part.frames for part in sampled))
    report = upscaler.describe()
    return Preview(
        source=job.source,
        output=str(resolved.output),
        width=resolved.width,
        height=resolved.height,
        frames=plan.num_frames,
        parts=len(plan.parts),
        model=resolved.card.name,
        engine=report.engine,
        device=report.device,
        precision=report.precision,
        reason=report.reason,
        encoder=resolved.encoding.encoder,
        fps=count / seconds,
        seconds=plan.num_frames * seconds / count,
        bytes=sum(part.bytes for part in sampled) * plan.num_frames // count,
        sampled_frames=count,
        notices=(*resolved.notices, *resolved.losses, *upscaler.notices),
    )
