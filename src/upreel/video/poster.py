# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: errors not re-exported.
"""One picture that stands for a video, as a small JPEG."""

import io
from typing import cast

import av
from av.video.stream import VideoStream

from upreel.errors import DamagedError
from upreel.video.formats import av_from_planes
from upreel.video.info import SourceInfo
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.source import open_source

__all__ = ["poster"]

_PLACE = 10  # of a hundred: past most black beginnings


def poster(info: SourceInfo, *, width: int = 480) -> bytes:
    """A key frame from the first tenth of a video, as JPEG with square pixels, turned upright.

    Args:
        info: the source.
        width: of the picture as it is stored, at most; smaller videos are not enlarged.

    Raises:
        DamagedError: no frame can be decoded.
    """
    frame = _frame(info)
    ratio = info.sample_aspect_ratio or 1
    shown = round(frame.width * ratio)
    width = max(min(width, shown), 2) // 2 * 2
    height = max(round(frame.height * width / max(shown, 1)), 2) // 2 * 2
    picture = frame.reformat(width=width, height=height, format="rgb24", threads=1).to_image()
    if info.rotation:
        picture = picture.rotate(info.rotation, expand=True)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def _frame(info: SourceInfo) -> av.VideoFrame:
    if info.foreign is not None:
        return _foreign_frame(info)
    with open_source(info.path) as container:
        stream = cast("VideoStream", container.streams[info.video_index])
        stream.codec_context.thread_count = 1
        places = [0] if info.duration is None else [round(info.duration * 10_000 * _PLACE), 0]
        for place in places:  # microseconds
            try:
                container.seek((container.start_time or 0) + place)
                for frame in container.decode(stream):
                    return frame
            except av.FFmpegError:
                continue
    raise DamagedError(f"{info.path}: no frame can be decoded")


def _foreign_frame(info: SourceInfo) -> av.VideoFrame:
    """The last key frame of the first tenth."""
    line = scan(info)
    until = line.pts[0] + (line.pts[-1] - line.pts[0]) * _PLACE // 100
    keys = line.keyframes[line.pts[line.keyframes] <= until]
    place = int(keys[-1]) if len(keys) else 0
    reading = read_frames(info, timeline=line, first=place, stop=place + 1, deinterlace="off")
    frame = next(reading)
    picture = av_from_planes(frame.planes, frame.format)
    picture.color_range = 2 if info.colour.full_range else 1
    picture.colorspace = info.colour.matrix
    return picture
