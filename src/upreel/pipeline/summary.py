"""Counting while a job runs, and what is said when it is done."""

from collections.abc import Callable

from upreel.pipeline.backend import ReportingUpscaler
from upreel.pipeline.job import Progress, Stage, UpscaleResult
from upreel.pipeline.resolve import Resolved
from upreel.pipeline.usage import CpuMeter, peak_memory_bytes

__all__ = ["Counter", "OnProgress", "no_progress", "result_of"]

OnProgress = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """For callers who do not want to know."""


class Counter:
    """Turns finished frames and parts into `Progress`.

    Args:
        stage: what is done.
        total: frames of it, None where it is not known.
        tell: told of each frame.
        resumed: frames of it that an earlier run has done.
        resumed_bytes: what these take.
    """

    def __init__(
        self,
        stage: Stage,
        total: int | None,
        tell: OnProgress,
        *,
        resumed: int = 0,
        resumed_bytes: int = 0,
    ) -> None:
        self._stage: Stage = stage
        self._total, self._tell = total, tell
        self._done = self._resumed = self._in_parts = resumed
        self._bytes = resumed_bytes
        self._meter = CpuMeter()

    def frame_done(self) -> None:
        """One more frame has left the network."""
        self._done += 1
        expected = None
        if self._in_parts and self._total is not None:
            expected = self._bytes * self._total // self._in_parts
        self._tell(
            Progress(
                stage=self._stage,
                done=self._done,
                total=self._total,
                fps=self._meter.rate(self._done - self._resumed),
                expected_bytes=expected,
            )
        )

    def part_done(self, frames: int, num_bytes: int) -> None:
        """One more part, of so many frames and bytes, is on the disk."""
        self._in_parts += frames
        self._bytes += num_bytes


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
