"""From finished parts to the output under its name."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from upreel.pipeline.job import Progress
from upreel.pipeline.parts import Encoding
from upreel.pipeline.plan import Plan
from upreel.pipeline.resolve import Resolved
from upreel.pipeline.work import PartDone, Work, os_errors, put_in_place
from upreel.video.info import Timeline
from upreel.video.join import join

__all__ = ["decoded_timeline", "join_parts", "output_exists", "work_name"]


def work_name(resolved: Resolved) -> Path:
    """What the work folder is named after: a pattern of pictures stands for its folder."""
    output = resolved.output
    if resolved.kind == "pictures" and "%" in output.name:
        return output.parent if output.parent.name else Path(output.parent.resolve())
    return output


def output_exists(resolved: Resolved) -> bool:
    """Whether the job would replace something."""
    output = resolved.output
    if resolved.kind == "pictures" and "%" in output.name:
        return output.parent.is_dir() and any(output.parent.glob(f"*{output.suffix}"))
    return output.exists()


def join_parts(
    plan: Plan,
    parts: Sequence[PartDone],
    resolved: Resolved,
    work: Work,
    encoding: Encoding,
    *,
    tell: Callable[[Progress], None] = lambda _progress: None,
) -> tuple[int, tuple[str, ...]]:
    """Join finished parts and bring the result under its name.

    Returns:
        Size of the output in bytes, and what the user should know.
    """
    if encoding.pictures:
        return _move_pictures(plan, parts, resolved, work), ()
    output = resolved.output
    joined = work.folder / f"joined{output.suffix}"
    timeline, trim = decoded_timeline(plan, parts)
    report = join(
        joined,
        parts=[
            work.part_path(part, encoding.suffix)
            for part, done in zip(plan.parts, parts, strict=True)
            if done.frames
        ],
        info=resolved.info,
        timeline=timeline,
        settings=plan.settings,
        audio=plan.job.audio,
        subtitles=plan.job.subtitles,
        trim=trim,
        progress=lambda done, total: tell(Progress(stage="join", done=done, total=total)),
    )
    put_in_place(joined, output, overwrite=resolved.job.overwrite)
    return report.num_bytes, report.notices


def decoded_timeline(
    plan: Plan, parts: Sequence[PartDone]
) -> tuple[Timeline, tuple[int, int] | None]:
    """Timeline and trim without the frames that a truncated source has lost."""
    first = plan.parts[0].first
    kept = np.concatenate(
        [
            np.arange(part.first, part.first + done.frames)
            for part, done in zip(plan.parts, parts, strict=True)
        ]
    )
    if len(kept) == plan.num_frames:
        return plan.timeline, plan.trim
    timeline, trim = plan.timeline, plan.trim
    if trim is not None:
        trim = (first, first + len(kept))
    indices = np.concatenate([np.arange(first), kept])
    keyframes = timeline.keyframes[timeline.keyframes < len(indices)]
    return replace(timeline, pts=timeline.pts[indices], keyframes=keyframes), trim


def _move_pictures(plan: Plan, parts: Sequence[PartDone], resolved: Resolved, work: Work) -> int:
    """Move all pictures from the parts' folders to their place; return their bytes."""
    output = resolved.output
    num_bytes = sum(done.bytes for done in parts)
    with os_errors(output):
        if "%" in output.name:
            output.parent.mkdir(exist_ok=True)
        for part in plan.parts:
            folder = work.part_path(part, "")
            # From the last one: a part is unfinished as soon as one is gone, and is done again.
            for picture in sorted(folder.glob(f"*{output.suffix}"), reverse=True):
                picture.replace(numbered(output, int(picture.stem)))
    return num_bytes


def numbered(pattern: Path, number: int) -> Path:
    """``DIR/%06d.png`` with a number in it; a name without a place for one as it is."""
    return pattern.with_name(pattern.name % number) if "%" in pattern.name else pattern
