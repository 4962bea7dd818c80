"""What someone should know of a source before it is upscaled, one line a thing."""

from fractions import Fraction

from upreel.video.fields import field_notice
from upreel.video.info import Deinterlace, SourceInfo, Timeline

__all__ = ["advice", "frame_rate", "is_variable", "source_notices"]


def source_notices(
    info: SourceInfo, timeline: Timeline | None = None, *, deinterlace: Deinterlace = "auto"
) -> list[str]:
    """What will not come out as it went in, whatever the output's container.

    HDR10+ and Dolby Vision are told by `upreel.video.join.container_losses`.

    Args:
        info: from `probe`.
        timeline: from `scan`, where there is one.
        deinterlace: what was asked for.
    """
    notices = [] if info.foreign is None else list(info.foreign.notices)
    fields = field_notice(info, deinterlace)
    if fields is not None:
        notices.append(fields)
    if info.telecine:
        notices.append("telecined film (repeated fields): the repetition is not undone")
    others = [
        s for s in info.streams if s.kind == "video" and s.index != info.video_index
        and not s.cover_art
    ]  # fmt: skip
    if others:
        numbers = ", ".join(str(stream.index) for stream in others)
        notices.append(f"further video streams ({numbers}) are copied, not upscaled")
    if info.colour.transfer in (16, 18):
        name = "PQ" if info.colour.transfer == 16 else "HLG"
        notices.append(f"HDR ({name}): its code values are upscaled as they are")
    if timeline is not None and not timeline.exact:
        notices.append("its packets tell no times: frames are timed by counting, parts read slowly")
    return notices


def advice(info: SourceInfo, timeline: Timeline | None = None) -> list[str]:
    """What to do about it, in commands where there is one."""
    hints: list[str] = []
    fields = field_notice(info, "auto")
    if not info.interlaced and fields is not None:
        hints.append(fields)
    if info.telecine:
        hints.append("undo the telecine first (FFmpeg: fieldmatch, decimate) for the best picture")
    if not info.seekable:
        hints.append("a pipe is read once, without a plan: give a file to be able to resume")
    if info.width * info.height > 1920 * 1088:
        hints.append(f"{info.width}x{info.height} is large already: expect it to take long")
    if info.width < 16 or info.height < 16:
        hints.append(f"{info.width}x{info.height} is too small for a network to find detail in")
    if timeline is not None and is_variable(timeline):
        hints.append("variable frame rate: every time is kept; .mp4, .mov or .mkv hold it")
    return hints


def is_variable(timeline: Timeline) -> bool:
    """Whether frames last differently, beyond the rounding of the clock (one tick)."""
    if len(timeline.pts) < 3:
        return False
    steps = timeline.pts[1:] - timeline.pts[:-1]
    return int(steps.max()) - int(steps.min()) > 1


def frame_rate(timeline: Timeline) -> Fraction | None:
    """Frames a second on average, exactly; None for one frame."""
    if len(timeline.pts) < 2:
        return None
    span = int(timeline.pts[-1] - timeline.pts[0]) * timeline.time_base
    return (len(timeline.pts) - 1) / span
