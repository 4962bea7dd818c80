"""The video encoders: what each can keep, and the settings that one is opened with.

`ENCODERS` is the one table. An encoder is chosen by what it keeps (bit depth, chroma layout,
size) and by what the output's container can hold; it is never a silent downgrade.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from upreel.errors import EncoderError, OptionError
from upreel.video.frame import Colour, PixelFormat
from upreel.video.info import HdrInfo

__all__ = ["ENCODERS", "Encoder", "EncoderSettings", "choose_encoder", "encoder_named"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoder:
    """One encoder and what it can keep.

    Attributes:
        name: the word for ``--codec``.
        codec: FFmpeg's name of the codec, as a probe of the output says it.
        library: FFmpeg's name of the encoder.
        formats: planar pixel formats (FFmpeg's names) that it keeps bit by bit or nearly.
        containers: endings of the files that can hold it, with the dot.
        part: ending of a part file, one that keeps every PTS.
        minimum: least width and height.
        maximum: largest width and height.
        even_chroma: whether subsampled sizes must be multiples of the subsampling.
        crf: least and largest quality number (lower is better), None for a fixed quality.
        default_crf: what is used where none is given.
        presets: from fast to slow; empty where there is no such choice.
        default_preset: what is used where none is given, "" where there is no such choice.
        alias: other words for ``--codec``.
    """

    name: str
    codec: str
    library: str
    formats: tuple[str, ...]
    containers: tuple[str, ...]
    part: str
    minimum: tuple[int, int] = (1, 1)
    maximum: tuple[int, int] = (16384, 16384)
    even_chroma: bool = False
    crf: tuple[float, float] | None = None
    default_crf: float | None = None
    presets: tuple[str, ...] = ()
    default_preset: str = ""
    alias: tuple[str, ...] = ()

    def misfit(self, fmt: PixelFormat, *, width: int, height: int) -> str | None:
        """Why it cannot keep such a picture, or None if it can."""
        if fmt.name not in self.formats:
            return f"does not keep {fmt.name}"
        log2_x, log2_y = fmt.log2_chroma
        if self.even_chroma and (width % (1 << log2_x) or height % (1 << log2_y)):
            return f"cannot encode an odd {width}x{height} in {fmt.name}"
        if width < self.minimum[0] or height < self.minimum[1]:
            return f"needs at least {self.minimum[0]}x{self.minimum[1]}"
        if width > self.maximum[0] or height > self.maximum[1]:
            return f"takes at most {self.maximum[0]}x{self.maximum[1]}"
        return None


ENCODERS: tuple[Encoder, ...] = ()


def encoder_named(name: str) -> Encoder:
    """The encoder that `name` (or FFmpeg's word for it) stands for.

    Raises:
        EncoderError: there is none; the message lists the names.
    """
    raise EncoderError(name)


def choose_encoder(
    fmt: PixelFormat,
    *,
    width: int,
    height: int,
    container: str,
    codec: str | None = None,
    hdr: HdrInfo | None = None,
) -> Encoder:
    """The first encoder of the table that keeps depth, chroma and size and fits the container.

    Args:
        fmt: pixel format of the output.
        width: columns of the output.
        height: rows of the output.
        container: ending of the output (``.mp4``), or ``""`` for any.
        codec: the one asked for, None to choose.
        hdr: HDR side data to be kept; x265 is then preferred to x264.

    Raises:
        EncoderError: `codec` cannot, or none can; the message names those that can.
    """
    raise EncoderError(codec)


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderSettings:
    """All that an encoder is opened with: the same settings give the same bytes.

    Attributes:
        encoder: name in `ENCODERS`.
        format: pixel format of what is encoded.
        width: columns.
        height: rows.
        time_base: seconds a tick of the frames' times.
        rate: average frames a second, for rate control and headers; None if not known.
        crf: quality, lower is better; None for the encoder's default.
        preset: speed, None for the encoder's default.
        threads: encoder threads; another number may give other bytes.
        options: further FFmpeg options of the encoder, as ``-e key=value`` gives them.
        colour: colour tags.
        sample_aspect_ratio: 0 if not known.
        hdr: HDR side data to be written, None for SDR.
    """

    encoder: str
    format: PixelFormat
    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None = None
    crf: float | None = None
    preset: str | None = None
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    colour: Colour = field(default_factory=Colour)
    sample_aspect_ratio: Fraction = Fraction(0)
    hdr: HdrInfo | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; fractions become "num/den"."""
        raise OptionError

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "EncoderSettings":
        """The settings that `to_json` was called on."""
        raise OptionError
