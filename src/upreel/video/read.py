"""Frames of a source in display order, each with its own time; none is ever left out.

Straight reading decodes from the start. A range that begins later seeks one keyframe early,
checks where it landed, and decodes from the start where that was not exact. Both ways give the
same frames: what is damaged is decoded by one thread, since the concealment of several depends on
their timing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from upreel.errors import DamagedError, InputError, OptionError, ProbeError
from upreel.video.decode import RereadError, decode_from
from upreel.video.deinterlace import deinterlaced
from upreel.video.fields import field_notice, is_deinterlaced
from upreel.video.formats import planes_from_av
from upreel.video.frame import Frame
from upreel.video.info import Deinterlace, SourceInfo, Timeline
from upreel.video.notice import Notice, NoticeKind, clock
from upreel.video.probe import side_data_bytes
from upreel.video.sequence import sequence_frames

__all__ = ["read_frames"]


def read_frames(
    info: SourceInfo,
    *,
    timeline: Timeline | None = None,
    first: int = 0,
    stop: int | None = None,
    deinterlace: Deinterlace = "auto",
    threads: int = 0,
    on_notice: Callable[[Notice], None] | None = None,
) -> Iterator[Frame]:
    """Frames `first` to `stop` (not included) in display order.

    With a timeline, exactly its frames come out, each with its PTS and duration: one that cannot
    be decoded is a repetition of the one before (the first: of the one after), marked damaged and
    reported. Planes may be views of the decoder's memory: read-only, and valid as long as the
    arrays live.

    Args:
        info: from `probe`.
        timeline: from `scan`; without it (pipes) frames are counted as they come.
        first: index of the first frame; above 0 it needs a timeline.
        stop: index after the last frame, None for all.
        deinterlace: make the two fields of each frame one picture (`bwdif`): "auto" where the
            source is interlaced, "on" always, "off" never.
        threads: of the decoder, 0 for as many as there are cores. It never changes the frames.
        on_notice: told of damage, repetitions, truncation, and reading again, once each.

    Raises:
        OptionError: `first` or `stop` is outside of the video, or `first` without a timeline.
        InputError: the size or the pixel format changes in mid-stream; the message tells the time.
        DamagedError: nothing at all can be decoded.
    """
    count = len(timeline.pts) if timeline else None
    end = count if stop is None else stop
    if first < 0 or (end is not None and end < first) or (count is not None and (end or 0) > count):
        raise OptionError(
            f"frames {first} to {stop} are outside of the video, which has "
            f"{'an unknown number' if count is None else count} of them"
        )
    if first > 0 and timeline is None:
        raise OptionError(f"reading from frame {first} needs the times of all frames")
    tell = on_notice or _nobody
    if not is_deinterlaced(info, deinterlace):
        frames = _frames(info, timeline, first, end, threads, tell)
        return frames if deinterlace == "off" else _telling_of_fields(frames, tell)
    text = field_notice(info, deinterlace)
    if first == 0 and text is not None:
        tell(Notice(kind="deinterlaced", text=text))
    return _deinterlaced(info, timeline, first, end, threads, tell)


def _nobody(_: Notice) -> None:
    """Where notices go that nobody asked for."""


def _telling_of_fields(frames: Iterator[Frame], tell: Callable[[Notice], None]) -> Iterator[Frame]:
    """Frames as they are; the first flagged one of a video that does not begin so is told of."""
    told = False
    for frame in frames:
        if frame.interlaced and not told:
            told = True
            what = (
                "is flagged as interlaced: left as it is; --deinterlace on treats the whole video"
            )
            _tell_of(frame, "fields", what, tell)
        yield frame


def _deinterlaced(
    info: SourceInfo,
    timeline: Timeline | None,
    first: int,
    stop: int | None,
    threads: int,
    tell: Callable[[Notice], None],
) -> Iterator[Frame]:
    """The range with one frame of context on both sides, which is then left out."""
    before = max(first - 1, 0)
    after = None if stop is None else stop + 1
    if after is not None and timeline is not None:
        after = min(after, len(timeline.pts))

    def within(notice: Notice) -> None:
        if notice.index < 0 or (first <= notice.index and (stop is None or notice.index < stop)):
            tell(notice)

    raw = _frames(info, timeline, before, after, threads, within)
    for frame in deinterlaced(raw, top_first=info.top_field_first):
        if frame.index >= first and (stop is None or frame.index < stop):
            yield frame


@dataclass(kw_only=True, slots=True)
class _Place:
    """Where a reading is: the next frame to give, and the last one decoded."""

    next: int
    last: Frame | None = None


def _frames(
    info: SourceInfo,
    timeline: Timeline | None,
    first: int,
    stop: int | None,
    threads: int,
    tell: Callable[[Notice], None],
) -> Iterator[Frame]:
    if stop is not None and first >= stop:
        return
    if info.foreign is not None:
        line = timeline or info.foreign.timeline()
        yield from info.foreign.frames(line, first, len(line.pts) if stop is None else stop, tell)
        return
    if info.is_sequence:
        yield from sequence_frames(info, first=first, stop=stop, tell=tell)
        return
    place = _Place(next=first)
    from_start = timeline is None or not timeline.exact
    one_thread = threads == 1 or not info.seekable
    while True:
        strict = not one_thread  # damage is not to be passed over, but read again
        decoded = decode_from(
            info,
            None if from_start else timeline,
            place.next,
            threads=1 if one_thread else threads,
            stop_at_damage=strict,
        )
        place.last = None if place.next == first else place.last
        try:
            if timeline is not None and timeline.exact:
                yield from _timed(info, timeline, decoded, place, stop, tell, strict=strict)
            else:
                yield from _counted(info, timeline, decoded, place, stop, tell, strict=strict)
        except RereadError as why:
            if why.damage:
                one_thread = True
            else:
                from_start = True
                tell(Notice(kind="reread", text=f"{info.path}: {why}; decoding from the start"))
            continue
        return


def _timed(
    info: SourceInfo,
    timeline: Timeline,
    decoded: Iterator[av.VideoFrame | None],
    place: _Place,
    stop: int | None,
    tell: Callable[[Notice], None],
    *,
    strict: bool,
) -> Iterator[Frame]:
    """Frames matched to the timeline by their PTS."""
    end = len(timeline.pts) if stop is None else stop
    for source in decoded:
        if source is None or source.pts is None:
            continue
        index = int(np.searchsorted(timeline.pts, source.pts))
        if index >= len(timeline.pts) or timeline.pts[index] != source.pts:
            continue
        if index < place.next:
            place.last = _frame(info, timeline, source, index)
            continue
        # Several threads may lose frames that one does not.
        if strict and (source.is_corrupt or index > place.next):
            raise RereadError("damage", damage=True)
        frame = _frame(info, timeline, source, index)
        yield from _repeated(timeline, place, min(index, end), frame, tell)
        if index >= end:
            return
        _tell_if_damaged(frame, tell)
        place.last, place.next = frame, index + 1
        yield frame
        if place.next >= end:
            return
    if strict:
        raise RereadError("damage", damage=True)
    if place.last is None:
        raise DamagedError(f"{info.path}: none of frames {place.next} to {end} can be decoded")
    at = clock(int(timeline.pts[place.next]) * timeline.time_base)
    tell(
        Notice(
            kind="truncated",
            text=f"the video cannot be decoded from {at} on ({end - place.next} frames)",
            index=place.next,
            time=int(timeline.pts[place.next]) * timeline.time_base,
        )
    )
    yield from _repeated(timeline, place, end, place.last, tell)


def _repeated(
    timeline: Timeline,
    place: _Place,
    until: int,
    following: Frame,
    tell: Callable[[Notice], None],
) -> Iterator[Frame]:
    """Stand-ins for the frames before `until` that could not be decoded."""
    while place.next < until:
        index = place.next
        like = place.last or following
        frame = replace(
            like,
            index=index,
            pts=int(timeline.pts[index]),
            duration=_duration(timeline, index),
            side_data={},
            damaged=True,
        )
        _tell_of(frame, "repeated", "cannot be decoded: a neighbour is shown", tell)
        place.next += 1
        yield frame


def _counted(
    info: SourceInfo,
    timeline: Timeline | None,
    decoded: Iterator[av.VideoFrame | None],
    place: _Place,
    stop: int | None,
    tell: Callable[[Notice], None],
    *,
    strict: bool,
) -> Iterator[Frame]:
    """Frames matched to the timeline, if there is one, by counting from the first."""
    last_pts: int | None = None  # of the frame before, for those without a time
    for index, source in enumerate(decoded):
        if stop is not None and index >= stop:
            return
        if source is None:
            if timeline is not None and place.last is not None and index >= place.next:
                yield from _repeated(timeline, place, index + 1, place.last, tell)
            continue
        if strict and source.is_corrupt:
            raise RereadError("damage", damage=True)
        frame = _frame(info, timeline, source, index, after=last_pts)
        last_pts, place.last = frame.pts, frame
        if index >= place.next:
            _tell_if_damaged(frame, tell)
            place.next = index + 1
            yield frame
    end = place.next if timeline is None else len(timeline.pts) if stop is None else stop
    if place.next < end:
        if strict:  # several threads may lose frames that one does not
            raise RereadError("damage", damage=True)
        text = f"{end - place.next} packets at the end gave no frame"
        tell(Notice(kind="truncated", text=text, index=place.next))
    if place.last is None:
        raise DamagedError(f"{info.path}: no frame can be decoded")


def _frame(
    info: SourceInfo,
    timeline: Timeline | None,
    source: av.VideoFrame,
    index: int,
    *,
    after: int | None = None,
) -> Frame:
    """A decoded frame in this project's form, with its time."""
    if timeline is not None and index < len(timeline.pts):
        pts, duration = int(timeline.pts[index]), _duration(timeline, index)
    elif timeline is not None:  # more frames than packets
        duration = timeline.last_duration
        pts = int(timeline.pts[-1]) + duration * (index + 1 - len(timeline.pts))
    else:
        pts, duration = _untimed(info, source, after)
    time = pts * info.time_base
    if (source.width, source.height) != (info.width, info.height):
        raise InputError(
            f"{info.path}: the picture's size changes from {info.width}x{info.height} to "
            f"{source.width}x{source.height} at {clock(time)}; only one size can be upscaled"
        )
    try:
        planes = planes_from_av(source, info.format)
    except ProbeError as error:
        raise InputError(
            f"{info.path}: the pixel format changes from {info.format.name} to "
            f"{source.format.name} at {clock(time)}; only one can be upscaled"
        ) from error
    interlaced = info.interlaced or (source.interlaced_frame and not info.flagged_interlaced)
    return Frame(
        planes=planes,
        format=info.format,
        index=index,
        pts=pts,
        time_base=info.time_base,
        duration=duration,
        colour=info.colour,
        sample_aspect_ratio=info.sample_aspect_ratio,
        rotation=info.rotation,
        interlaced=interlaced,
        top_field_first=interlaced and info.top_field_first,
        side_data=side_data_bytes(source),
        damaged=source.is_corrupt,
    )


def _tell_if_damaged(frame: Frame, tell: Callable[[Notice], None]) -> None:
    if frame.damaged:
        _tell_of(frame, "damaged", "is damaged: errors in it are concealed", tell)


def _tell_of(frame: Frame, kind: NoticeKind, what: str, tell: Callable[[Notice], None]) -> None:
    time = frame.pts * frame.time_base
    text = f"frame {frame.index} at {clock(time)} {what}"
    tell(Notice(kind=kind, text=text, index=frame.index, time=time))


def _untimed(info: SourceInfo, source: av.VideoFrame, after: int | None) -> tuple[int, int]:
    """PTS and duration without a timeline: the decoder's, if it goes on, or one frame later."""
    step = round(1 / info.rate / info.time_base) if info.rate else 1
    duration = source.duration or max(step, 1)
    pts = source.pts
    if pts is None or (after is not None and pts <= after):
        pts = 0 if after is None else after + max(step, 1)
    return pts, duration


def _duration(timeline: Timeline, index: int) -> int:
    if index + 1 < len(timeline.pts):
        return int(timeline.pts[index + 1] - timeline.pts[index])
    return timeline.last_duration
