# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Writing straight through into a pipe: y4m (raw planes) or Matroska (encoded)."""

from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Literal, Self

import av
import numpy as np

from upreel.errors import OptionError, OutputError
from upreel.video.aside import PipeFile
from upreel.video.encode import DueTimes, add_encoder, encodable
from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Colour, Frame, PixelFormat

__all__ = ["StreamWriter", "Y4mWriter", "y4m_tag"]

_CHROMA_420 = {0: "420jpeg", 1: "420mpeg2", 2: "420jpeg", 3: "420paldv"}


def y4m_tag(fmt: PixelFormat, colour: Colour) -> str:
    """The ``C`` word of a YUV4MPEG2 header for a pixel format.

    Raises:
        OptionError: y4m has no word for it.

    Example:
        >>> y4m_tag(PixelFormat(name="yuv422p10le", model="yuv", bits=10, log2_chroma=(1, 0)),
        ...         Colour())
        '422p10'
    """
    words = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (2, 0): "411", (0, 1): "440"}
    if fmt.model == "gray" and not fmt.alpha:
        return "mono" if fmt.bits == 8 else f"mono{fmt.bits}"
    if fmt.model == "yuv" and fmt.log2_chroma in words:
        word = words[fmt.log2_chroma]
        if fmt.alpha and (word, fmt.bits) == ("444", 8):
            return "444alpha"
        if not fmt.alpha and fmt.bits > 8 and word in ("420", "422", "444"):
            return f"{word}p{fmt.bits}"
        if not fmt.alpha and fmt.bits == 8:
            return _CHROMA_420.get(colour.chroma_location, word) if word == "420" else word
    raise OptionError(f"y4m cannot hold {fmt.name}; it holds Y'CbCr 4:2:0, 4:2:2, 4:4:4 and grey")


class Y4mWriter:
    """Context manager that writes raw planes as YUV4MPEG2.

    y4m has a frame rate and no times: frames that do not follow it are refused.

    Args:
        file: an open binary file; it need not be seekable and stays open.
        settings: format, size, rate, colour and sample aspect ratio of the frames.

    Raises:
        OptionError: a pixel format that y4m has no word for, or no constant rate.
        OutputError: the reader is gone, or a frame is off the rate.
    """

    def __init__(self, file: BinaryIO, settings: EncoderSettings) -> None:
        if settings.rate is None:
            raise OptionError("y4m needs a constant frame rate, and this source has none")
        self._settings = settings
        self._rate = settings.rate
        self._file = PipeFile(file)
        self._start: Fraction | None = None
        self.num_frames = 0

    def __enter__(self) -> Self:
        s = self._settings
        aspect = s.sample_aspect_ratio
        words = [
            f"YUV4MPEG2 W{s.width} H{s.height}",
            f"F{self._rate.numerator}:{self._rate.denominator} Ip",
            f"A{aspect.numerator}:{aspect.denominator if aspect else 0}",
            f"C{y4m_tag(s.format, s.colour)}",
        ]
        if s.colour.full_range is not None:
            words.append(f"XCOLORRANGE={'FULL' if s.colour.full_range else 'LIMITED'}")
        self._file.write(" ".join(words).encode() + b"\n")
        return self

    def write(self, frame: Frame) -> None:
        """Write one frame; its time must lie within half a frame of the rate's."""
        s = self._settings
        if (frame.width, frame.height, frame.format.name) != (s.width, s.height, s.format.name):
            raise OutputError(
                f"frame {frame.index} is {frame.width}x{frame.height} {frame.format.name}, "
                f"the stream began as {s.width}x{s.height} {s.format.name}"
            )
        time = frame.pts * frame.time_base
        if self._start is None:
            self._start = time
        if round((time - self._start) * self._rate) != self.num_frames:
            raise OutputError(
                f"frame {frame.index} at {float(time):.3f} s is off the rate of {self._rate} "
                "frames a second; y4m holds a constant rate only: write Matroska instead"
            )
        self._file.write(b"FRAME\n")
        word = s.format.dtype.newbyteorder("<")
        for plane in frame.planes:
            self._file.write(np.ascontiguousarray(plane, dtype=word).tobytes())
        self._file.check()
        self.num_frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._file.flush()


class StreamWriter:
    """Context manager that writes frames to a pipe as they come.

    Args:
        file: an open binary file such as ``sys.stdout.buffer``; need not be seekable, stays open.
        settings: how to encode (Matroska), or the frames' shape (y4m).
        kind: "y4m" for raw planes, "matroska" for encoded video alone (no other streams).

    Raises:
        OptionError: what the kind cannot hold.
        OutputError: the reader of the pipe is gone.
    """

    def __init__(
        self, file: BinaryIO, settings: EncoderSettings, *, kind: Literal["y4m", "matroska"]
    ) -> None:
        self._writer = (
            Y4mWriter(file, settings) if kind == "y4m" else _MatroskaWriter(file, settings)
        )

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    @property
    def num_frames(self) -> int:
        """Frames written."""
        return self._writer.num_frames

    def write(self, frame: Frame) -> None:
        """Write one frame; frames come in display order."""
        self._writer.write(frame)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)


class _MatroskaWriter:
    """Encoded video as Matroska without seeking; its clock is one millisecond."""

    def __init__(self, file: BinaryIO, settings: EncoderSettings) -> None:
        self._settings = settings
        self._file = PipeFile(file)
        self._due = DueTimes(settings)
        self.num_frames = 0

    def __enter__(self) -> Self:
        self._container = av.open(
            self._file, "w", format="matroska", container_options={"fflags": "+bitexact"}
        )
        self._stream = add_encoder(self._container, self._settings)
        return self

    def write(self, frame: Frame) -> None:
        picture = encodable(frame, self._settings)
        self._due.show(picture.pts or 0)
        self._mux(picture)
        self.num_frames += 1

    def _mux(self, picture: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            packet.dts = self._due.due()
            self._container.mux_one(packet)
        self._file.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            return
        self._mux(None)
        self._container.close()
        self._file.flush()
