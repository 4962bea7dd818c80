# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""FFmpeg's own scaler, what people do without a network: for comparison, with all threads."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Literal, get_args

import av
import av.video.frame
from av.video.reformatter import VideoReformatter

from upreel.errors import InputError, ProbeError
from upreel.video.encode import add_encoder
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import av_from_planes, planes_from_av
from upreel.video.frame import PixelFormat, Plane

__all__ = ["INTERPOLATIONS", "Interpolation", "PlaneScaler", "rescale"]

Interpolation = Literal["bicubic", "lanczos", "spline"]
"""swscale's algorithms that are compared with."""

INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)


class PlaneScaler:
    """Frames held in memory, one scaler context for all of them.

    Args:
        fmt: of the planes, in and out.
        width: columns of luma, out.
        height: rows of luma, out.
        interpolation: swscale's algorithm.
    """

    def __init__(
        self, fmt: PixelFormat, width: int, height: int, interpolation: Interpolation
    ) -> None:
        self._format = fmt
        self._size = {"width": width, "height": height}
        self._interpolation = interpolation.upper()
        self._scaler = VideoReformatter()

    def __call__(self, planes: Sequence[Plane]) -> tuple[Plane, ...]:
        """Planes of one frame at the new size."""
        large = self._scaler.reformat(
            av_from_planes(planes, self._format),
            **self._size,
            format=self._format.name,
            interpolation=self._interpolation,
        )
        return planes_from_av(large, self._format)


def rescale(
    source: Path,
    output: Path,
    settings: EncoderSettings,
    *,
    interpolation: Interpolation,
    end: Fraction | None = None,
) -> int:
    """Decode, scale and encode the video of a file; nothing else of it is kept.

    PyAV from end to end, one scaler context, no copy through NumPy.

    Args:
        source: any video.
        output: file to write; its ending names the container.
        settings: of the encoder; its size is what is scaled to.
        interpolation: swscale's algorithm.
        end: seconds after which frames are left out, None for all.

    Returns:
        Frames written.

    Raises:
        ProbeError: not a video.
        InputError: no frame in it.
    """
    try:
        reading = av.open(str(source))
    except (av.FFmpegError, OSError) as error:
        raise ProbeError(f"cannot read {source}: {error.strerror}") from error
    num_frames = 0
    with reading, av.open(str(output), "w") as writing:
        reading.streams.video[0].thread_type = "AUTO"
        stream = add_encoder(writing, settings)
        scaler = VideoReformatter()
        frames = reading.decode(video=0)
        for frame in takewhile(lambda frame: _before(frame, end), frames):
            large = scaler.reformat(
                frame,
                width=settings.width,
                height=settings.height,
                format=settings.format.name,
                interpolation=interpolation.upper(),
            )
            large.pts, large.time_base = num_frames, 1 / (settings.rate or Fraction(25))
            large.pict_type = 0
            for packet in stream.encode(large):
                writing.mux_one(packet)
            num_frames += 1
        for packet in stream.encode(None) if num_frames else ():
            writing.mux_one(packet)
    if not num_frames:
        raise InputError(f"{source}: no frame could be decoded")
    return num_frames


def _before(frame: av.video.frame.VideoFrame, end: Fraction | None) -> bool:
    return end is None or frame.pts is None or frame.pts * (frame.time_base or 0) < end
