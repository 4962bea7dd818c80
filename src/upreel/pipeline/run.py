"""A whole job: plan, parts, join, or straight through where there is nothing to come back to."""

from collections.abc import Callable
from dataclasses import replace

from upreel.errors import DamagedError, ExistsError, OutputError, StaleWorkError
from upreel.pipeline.backend import Backend, DefaultBackend, ReportingUpscaler
from upreel.pipeline.finish import join_parts, output_exists, work_name
from upreel.pipeline.job import Progress, UpscaleJob, UpscaleResult
from upreel.pipeline.parts import Encoding, run_parts
from upreel.pipeline.plan import Part, Plan, fingerprint
from upreel.pipeline.planning import (
    identity_of,
    least_bytes,
    make_plan,
    missing_end,
    open_upscaler,
)
from upreel.pipeline.resolve import Resolved, resolve
from upreel.pipeline.straight import run_straight
from upreel.pipeline.summary import Counter, OnProgress, no_progress, result_of
from upreel.pipeline.upv_source import probe_source
from upreel.pipeline.usage import CpuMeter
from upreel.pipeline.work import PartDone, Work, check_free_space, other_job

__all__ = ["upscale"]


def upscale(
    job: UpscaleJob,
    on_progress: OnProgress | None = None,
    *,
    on_notice: Callable[[str], None] | None = None,
    backend: Backend | None = None,
) -> UpscaleResult:
    """Do a job, or go on with it where an earlier run was stopped.

    Args:
        job: what to do.
        on_progress: called with how far the job is.
        on_notice: told before the work begins what will be lost or changed, one line each; these
            are in the result, too.
        backend: where networks come from; None: the zoo and the engines.

    Raises:
        UpreelError: one line for the user; finished parts stay.
    """
    backend = backend or DefaultBackend()
    meter = CpuMeter()
    resolved = resolve(job, probe_source(job), backend)
    tell = on_progress or no_progress
    if on_notice is not None:
        for notice in (*resolved.notices, *resolved.losses):
            on_notice(notice)
    if resolved.kind == "stdout" or not resolved.info.seekable:
        return run_straight(resolved, backend, tell, meter)
    with Work(work_name(resolved)) as work:
        return _Run(resolved, work, backend, tell, meter).run()


class _Run:
    """One run of a job under the lock of its folder."""

    def __init__(
        self,
        resolved: Resolved,
        work: Work,
        backend: Backend,
        tell: OnProgress,
        meter: CpuMeter,
    ) -> None:
        self.resolved = resolved
        self.work = work
        self.backend = backend
        self.tell = tell
        self.meter = meter

    def run(self) -> UpscaleResult:
        plan, upscaler = self._plan()
        encoding = replace(
            self.resolved.encoding, settings=plan.settings, origin=plan.parts[0].first
        )
        done = {part.index: self.work.finished(part, encoding.suffix) for part in plan.parts}
        unfinished = [part for part in plan.parts if done[part.index] is None]
        finished = [part for part in done.values() if part is not None]
        resumed = sum(part.frames for part in finished)
        if unfinished:
            used = sum(part.bytes for part in finished)
            check_free_space(self.work.folder, least_bytes(plan, encoding) - used)
            self._run_missing(plan, upscaler, encoding, unfinished, finished)
        parts = [self._finished(part, encoding) for part in plan.parts]
        frames = sum(part.frames for part in parts)
        fps = self.meter.rate(frames - resumed)
        if not frames:
            self.work.clear()
            raise DamagedError(f"no frame of {self.resolved.info.path} can be decoded")
        num_bytes, join_notices = join_parts(
            plan, parts, self.resolved, self.work, encoding, tell=self.tell
        )
        self.work.remove()
        lost = plan.num_frames - frames
        missing = missing_end(self.resolved.info, plan.timeline)
        return result_of(
            self.resolved,
            upscaler,
            self.meter,
            frames=frames,
            resumed_frames=resumed,
            lost_frames=lost,
            damaged_frames=sum(len(part.damaged) for part in parts),
            fps=fps,
            num_bytes=num_bytes,
            notices=(
                *(notice for part in parts for notice in part.notices),
                *([missing] if missing else []),
                *([f"{lost} frames at the end cannot be decoded"] if lost else []),
                *join_notices,
            ),
        )

    def _plan(self) -> tuple[Plan, ReportingUpscaler]:
        """The stored plan if it is this job's, else a new one; and the opened network."""
        job = self.resolved.job
        try:
            stored = self.work.stored_plan()
        except StaleWorkError as error:
            if not job.overwrite:
                raise StaleWorkError(f"{error}; remove it with --overwrite") from error
            self.work.clear()
            stored = None
        if stored is None and not job.overwrite and output_exists(self.resolved):
            raise ExistsError(f"{self.resolved.output} exists; --overwrite replaces it")
        tile = stored.tile if stored is not None else job.tile
        upscaler = open_upscaler(self.resolved, self.backend, tile=tile)
        if stored is not None:
            identity = identity_of(self.resolved, upscaler)
            if fingerprint(identity) == fingerprint(stored.identity):
                return stored, upscaler
            if not job.overwrite:
                raise other_job(self.work, stored.identity, identity)
            if tile != job.tile:
                upscaler = open_upscaler(self.resolved, self.backend, tile=job.tile)
        self.work.clear()
        self.tell(Progress(stage="scan", done=0, total=None))
        plan = make_plan(self.resolved, upscaler, self.work.folder)
        self.work.save_plan(plan)
        return plan, upscaler

    def _run_missing(
        self,
        plan: Plan,
        upscaler: ReportingUpscaler,
        encoding: Encoding,
        parts: list[Part],
        finished: list[PartDone],
    ) -> None:
        """Run parts, counting what goes through."""
        counter = Counter(
            "upscale",
            plan.num_frames,
            self.tell,
            resumed=sum(part.frames for part in finished),
            resumed_bytes=sum(part.bytes for part in finished),
        )
        tile = plan.tile

        def on_part(done: PartDone) -> None:
            nonlocal tile
            counter.part_done(done.frames, done.bytes)
            now = upscaler.tile
            if now != tile:  # a lack of memory made it smaller: a resumed run begins with that
                tile = now
                self.work.save_plan(replace(plan, tile=now))

        run_parts(
            parts,
            info=self.resolved.info,
            timeline=plan.timeline,
            upscaler=upscaler,
            card=self.resolved.card,
            work=self.work,
            encoding=encoding,
            deinterlace=self.resolved.job.deinterlace,
            on_frame=counter.frame_done,
            on_part=on_part,
        )

    def _finished(self, part: Part, encoding: Encoding) -> PartDone:
        done = self.work.finished(part, encoding.suffix)
        if done is None:
            raise OutputError(f"part {part.index} in {self.work.folder} has gone")
        return done
