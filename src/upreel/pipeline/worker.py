"""A job in pieces: planned here, its parts run anywhere, joined here.

    folder = plan_job(job)                       # only demuxes
    for number in range(num_parts(folder)):      # in any order, in any process that sees the folder
        run_part(folder, number)
    join_job(folder)

The folder is the one that `upscale` works in: `upscale` with the same options goes on with it.
"""

import os
from dataclasses import replace
from pathlib import Path

from upreel.errors import ExistsError, OptionError, OutputError, StaleWorkError
from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.finish import output_exists, work_name
from upreel.pipeline.job import UpscaleJob, UpscaleResult
from upreel.pipeline.parts import run_parts
from upreel.pipeline.plan import Plan, fingerprint
from upreel.pipeline.planning import identity_of, make_plan, open_upscaler
from upreel.pipeline.resolve import resolve
from upreel.pipeline.run import upscale
from upreel.pipeline.upv_source import probe_source
from upreel.pipeline.work import PartDone, Work, other_job

__all__ = ["join_job", "num_parts", "plan_job", "run_part"]


def plan_job(job: UpscaleJob, *, backend: Backend | None = None) -> Path:
    """Write the plan of a job; return its folder. No frame is decoded beyond the headers' first.

    Raises:
        OptionError: the source or the output is a pipe.
        ExistsError: the output is there already.
        StaleWorkError: parts of a job are there already.
    """
    backend = backend or DefaultBackend()
    resolved = resolve(job, probe_source(job), backend)
    if resolved.kind == "stdout" or not resolved.info.seekable:
        raise OptionError("a pipe cannot be planned: it can be read or written once only")
    with Work(work_name(resolved)) as work:
        if work.stored_plan() is not None and not job.overwrite:
            raise StaleWorkError(f"{work.folder} holds a job already: join it, or use overwrite")
        if output_exists(resolved) and not job.overwrite:
            raise ExistsError(f"{resolved.output} exists")
        work.clear()
        upscaler = open_upscaler(resolved, backend, tile=job.tile)
        work.save_plan(make_plan(resolved, upscaler, work.folder))
        work.keep = True
        return work.folder


def num_parts(folder: Path) -> int:
    """How many parts the plan in a folder has."""
    return len(_plan(folder)[1].parts)


def run_part(folder: Path, number: int, *, backend: Backend | None = None) -> PartDone:
    """Run one part; a finished one is left as it is. Not twice at the same time.

    A pure function of source, part, card and options: whoever runs it, the file is the same.

    Raises:
        StaleWorkError: this process would give other bytes: another source, version, card,
            engine, precision or kind of machine, or too little memory for the planned tile.
    """
    backend = backend or DefaultBackend()
    work, plan = _plan(folder)
    job = _absolute(plan.job, folder)
    resolved = resolve(job, probe_source(job), backend)
    part = plan.parts[number]
    encoding = replace(resolved.encoding, settings=plan.settings, origin=plan.parts[0].first)
    done = work.finished(part, encoding.suffix)
    if done is not None:
        return done
    upscaler = open_upscaler(resolved, backend, tile=plan.tile)
    identity = identity_of(resolved, upscaler)
    if fingerprint(identity) != fingerprint(plan.identity):
        raise other_job(work, plan.identity, identity)

    def as_planned() -> None:
        # Where a recurrent network's tiles are cut shows; the other parts are cut as planned.
        if resolved.card.state and upscaler.tile != plan.tile:
            raise StaleWorkError(
                f"{work.folder}: part {number} is planned in tiles of {plan.tile}, "
                f"here memory was enough for {upscaler.tile}"
            )

    as_planned()
    run_parts(
        [part],
        info=resolved.info,
        timeline=plan.timeline,
        upscaler=upscaler,
        card=resolved.card,
        work=work,
        encoding=encoding,
        deinterlace=plan.job.deinterlace,
        on_frame=as_planned,
    )
    done = work.finished(part, encoding.suffix)
    assert done is not None
    return done


def join_job(folder: Path, *, backend: Backend | None = None) -> UpscaleResult:
    """Join the finished parts into the output, and remove the folder.

    Raises:
        OutputError: parts are missing; the message names them.
    """
    work, plan = _plan(folder)
    there = {path.name for path in folder.glob("part-*.json")}
    missing = [str(part.index) for part in plan.parts if work.record(part).name not in there]
    if missing:
        raise OutputError(f"parts that are not finished: {', '.join(missing)}")
    return upscale(_absolute(plan.job, folder), backend=backend)


def _plan(folder: Path) -> tuple[Work, Plan]:
    name = folder.name.removeprefix(".").removesuffix(".upreel")
    work = Work(folder.parent / name)
    plan = work.stored_plan()
    if plan is None:
        raise OutputError(f"there is no plan in {folder}")
    return work, plan


def _path(relative: str | None, folder: Path) -> str:
    assert relative is not None
    return os.path.normpath(folder / relative)


def _absolute(job: UpscaleJob, folder: Path) -> UpscaleJob:
    return replace(job, source=_path(job.source, folder), output=_path(job.output, folder))
