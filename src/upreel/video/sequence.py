"""Frames of an image sequence: one file each, counted by their order."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
from av.error import FFmpegError

from upreel.errors import DamagedError, InputError, ProbeError
from upreel.video.formats import planes_from_av
from upreel.video.frame import Frame
from upreel.video.info import SourceInfo
from upreel.video.notice import Notice, clock
from upreel.video.source import open_picture, picture_stream, sequence_files

__all__ = ["sequence_frames"]


def sequence_frames(
    info: SourceInfo, *, first: int, stop: int | None, tell: Callable[[Notice], None]
) -> Iterator[Frame]:
    """Pictures `first` to `stop` (not included) of a sequence.

    A picture that cannot be decoded is a repetition of the nearest one before it that can, else
    of the nearest one after it.

    Raises:
        InputError: a picture of another size or pixel format; the message names the file.
        DamagedError: no picture can be decoded.
    """
    files = sequence_files(info.path)
    end = len(files) if stop is None else min(stop, len(files))
    for index in range(first, end):
        frame = _picture(info, files[index], index)
        if frame is None:
            frame = _stand_in(info, files, index)
            time = index * info.time_base
            text = f"{files[index].name} at {clock(time)} cannot be decoded: a neighbour is shown"
            tell(Notice(kind="repeated", text=text, index=index, time=time))
        yield frame


def _stand_in(info: SourceInfo, files: list[Path], index: int) -> Frame:
    for other in [*range(index - 1, -1, -1), *range(index + 1, len(files))]:
        frame = _picture(info, files[other], other)
        if frame is not None:
            return replace(frame, index=index, pts=index, damaged=True)
    raise DamagedError(f"{info.path}: no picture can be decoded")


def _picture(info: SourceInfo, file: Path, index: int) -> Frame | None:
    """One picture; None if it cannot be decoded."""
    try:
        with open_picture(file) as container:
            stream = picture_stream(container, str(file))
            picture = next(iter(container.decode(stream)), None)
    except (ProbeError, FFmpegError):
        return None
    if picture is None:
        return None
    return _as_frame(info, file, index, picture)


def _as_frame(info: SourceInfo, file: Path, index: int, picture: av.VideoFrame) -> Frame:
    if (picture.width, picture.height) != (info.width, info.height):
        raise InputError(
            f"{file} is {picture.width}x{picture.height}, the sequence began as "
            f"{info.width}x{info.height}: all pictures must be of one size"
        )
    try:
        planes = planes_from_av(picture, info.format)
    except ProbeError as error:
        raise InputError(
            f"{file} is {picture.format.name}, the sequence began as {info.stored_format}: "
            "all pictures must be of one pixel format"
        ) from error
    return Frame(
        planes=planes,
        format=info.format,
        index=index,
        pts=index,
        time_base=info.time_base,
        duration=1,
        colour=info.colour,
        sample_aspect_ratio=info.sample_aspect_ratio,
        damaged=picture.is_corrupt,
    )
