# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""A file through FFmpeg's own scaler: what people do without a network, for comparison.

PyAV from end to end, one scaler context, no copy through NumPy, all threads.
"""

from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Literal

import av
import av.video.frame
from av.video.reformatter import VideoReformatter

from upreel.errors import InputError, ProbeError
from upreel.video.encode import add_encoder
from upreel.video.encoders import EncoderSettings

__all__ = ["rescale"]


def rescale(
    source: Path,
    output: Path,
    settings: EncoderSettings,
    *,
    interpolation: Literal["bicubic", "lanczos"],
    end: Fraction | None = None,
) -> int:
    """Decode, scale and encode the video of a file; nothing else of it is kept.

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
