"""Code frames with a real encoder and decode them again, in memory: what delivery does to video."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import io
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["RECODERS", "Recoder", "recode"]

Recoder = Literal["x264", "x265", "svtav1", "vp9"]

_X265_DELAY = 8  # frames, with room to spare

RECODERS: dict[Recoder, tuple[str, dict[str, str]]] = {
    "x264": ("libx264", {"preset": "medium", "x264-params": "cpu-independent=1"}),
    "x265": ("libx265", {"preset": "fast", "x265-params": "log-level=error"}),
    "svtav1": ("libsvtav1", {"preset": "10"}),
    "vp9": ("libvpx-vp9", {"b": "0", "deadline": "good", "cpu-used": "5"}),
}
"""Encoder in FFmpeg and the options that go with it, by the name this project uses."""

Planes = npt.NDArray[np.uint8]


def recode(
    luma: Planes, chroma: Planes, *, codec: Recoder, crf: int, rate: int = 25
) -> tuple[Planes, Planes]:
    """Frames as a viewer gets them after lossy coding at constant quality.

    Args:
        luma: (T, H, W), 8 bits, limited range; H and W even and at least 64.
        chroma: (T, 2, H/2, W/2): Cb, Cr.
        codec: a key of `RECODERS`.
        crf: the encoder's own quality scale.
        rate: frames a second that the encoder is told.

    Returns:
        Luma and chroma of the same shapes.
    """
    import av  # here: what trains on clean clips from a pack needs no PyAV

    name, options = RECODERS[codec]
    num_frames, height, width = luma.shape
    if codec == "x265" and num_frames < _X265_DELAY:
        # Fewer frames than it reorders get decoding times from nowhere, which no muxer takes.
        options = {"preset": "fast", "x265-params": "log-level=error:bframes=0"}
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(name, rate=rate, options={**options, "crf": str(crf)})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1  # the same bytes on every machine
        for t in range(num_frames):
            packed = np.concatenate((luma[t].ravel(), chroma[t].ravel())).reshape(-1, width)
            frame = av.VideoFrame.from_ndarray(packed, format="yuv420p")
            frame.pts, frame.time_base = t, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    decoded_luma, decoded_chroma = np.empty_like(luma), np.empty_like(chroma)
    count = 0
    with av.open(file, "r") as coded:
        for frame in coded.decode(video=0):
            planes = frame.to_ndarray().reshape(-1)
            decoded_luma[count] = planes[: height * width].reshape(height, width)
            decoded_chroma[count] = planes[height * width :].reshape(chroma.shape[1:])
            count += 1
    assert count == num_frames, f"{name} returned {count} of {num_frames} frames"
    return decoded_luma, decoded_chroma
