"""Counting while a job runs, and what is said when it is done."""

import time
from collections.abc import Callable, Sequence

from upreel.pipeline.backend import ReportingUpscaler
from upreel.pipeline.job import Progress, UpscaleResult
from upreel.pipeline.resolve import Resolved
from upreel.pipeline.usage import CpuMeter, peak_memory_bytes
from upreel.pipeline.work import PartDone

__all__ = ["Counter", "OnProgress", "no_progress", "result_of"]

OnProgress = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """For callers who do not want to know."""


class Counter:
    """Turns finished frames and parts into `Progress`."""

    def __init__(self, total: int | None, tell: OnProgress, finished: Sequence[PartDone]) -> None:
        self._total = total
        self._tell = tell
        self._done = sum(part.frames for part in finished)
        self._resumed = self._done
        self._in_parts = self._done
        self._bytes = sum(part.bytes for part in finished)
        self._start = time.perf_counter()

    def frame_done(self) -> None:
        """One more frame has left the network."""
        self._done += 1
        expected = None
        if self._in_parts and self._total is not None:
            expected = self._bytes * self._total // self._in_parts
        seconds = time.perf_counter() - self._start
        self._tell(
            Progress(
                stage="upscale",
                done=self._done,
                total=self._total,
                fps=(self._done - self._resumed) / max(seconds, 1e-9),
                expected_bytes=expected,
            )
        )

    def part_done(self, part: PartDone) -> None:
        """One more part is on the disk."""
        self._bytes += part.bytes
        self._in_parts += part.frames


def result_of(
    resolved: Resolved,
    upscaler: ReportingUpscaler,
    meter: CpuMeter,
    *,
    frames: int,
    fps: float,
    num_bytes: int,
    notices: tuple[str, ...],
    resumed_frames: int = 0,
    lost_frames: int = 0,
    damaged_frames: int = 0,
) -> UpscaleResult:
    """The summary of a job that is done."""
    report = upscaler.describe()
    everything = (*resolved.notices, *resolved.losses, *upscaler.notices, *notices)
    return UpscaleResult(
        source=resolved.job.source,
        output=str(resolved.output),
        width=resolved.width,
        height=resolved.height,
        frames=frames,
        resumed_frames=resumed_frames,
        lost_frames=lost_frames,
        damaged_frames=damaged_frames,
        seconds=meter.seconds,
        fps=fps,
        bytes=num_bytes,
        model=resolved.card.name,
        engine=report.engine,
        device=report.device,
        precision=report.precision,
        reason=report.reason,
        encoder=resolved.encoding.encoder,
        peak_memory_bytes=peak_memory_bytes(),
        cpu_use=meter.use,
        notices=tuple(dict.fromkeys(everything)),
    )
