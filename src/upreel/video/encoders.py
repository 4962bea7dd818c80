"""The video encoders: what each can keep, and the settings that one is opened with.

`ENCODERS` is the one table. An encoder is chosen by what it keeps (bit depth, chroma layout,
size) and by what the output's container can hold; it is never a silent downgrade.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

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
        native: the encoder's own name of a format, where it is packed and not planar.
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
    native: Mapping[str, str] = field(default_factory=dict[str, str])
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


_YUV8 = ("yuv420p", "yuv422p", "yuv444p")
_YUV10 = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
_YUV12 = ("yuv420p12le", "yuv422p12le", "yuv444p12le")
_GRAY = ("gray", "gray10le", "gray12le")
_FFV1 = (
    *(*_YUV8, *_YUV10, *_YUV12, *_GRAY, "gray9le", "gray14le", "gray16le"),
    *("yuv440p", "yuv411p", "yuv410p", "yuv440p10le", "yuv440p12le"),
    *("yuv420p9le", "yuv422p9le", "yuv444p9le"),
    *("yuv420p14le", "yuv420p16le", "yuv422p16le", "yuv444p16le"),
    *("gbrp", "gbrp9le", "gbrp10le", "gbrp12le", "gbrp14le", "gbrp16le"),
    *("gbrap", "gbrap10le", "gbrap12le", "gbrap14le", "gbrap16le"),
    *("yuva420p", "yuva422p", "yuva444p", "yuva420p10le", "yuva422p10le", "yuva444p10le"),
    *("yuva422p12le", "yuva444p12le", "yuva420p16le", "yuva422p16le", "yuva444p16le"),
)
_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)

ENCODERS: tuple[Encoder, ...] = (
    Encoder(
        name="x264",
        codec="h264",
        library="libx264",
        formats=(*_YUV8, *_YUV10),  # its grey is read back as 4:2:0
        containers=(".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts"),
        part=".mp4",
        even_chroma=True,
        crf=(0, 51),
        default_crf=17,
        presets=_X26X_PRESETS,
        default_preset="veryfast",
        alias=("h264", "avc", "libx264"),
    ),
    Encoder(
        name="x265",
        codec="hevc",
        library="libx265",
        formats=(*_YUV8, *_YUV10, *_YUV12, *_GRAY, "gbrp", "gbrp10le", "gbrp12le"),
        containers=(".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts"),
        part=".mp4",
        minimum=(16, 16),
        even_chroma=True,
        crf=(0, 51),
        default_crf=19,
        presets=_X26X_PRESETS,
        default_preset="superfast",
        alias=("h265", "hevc", "libx265"),
    ),
    Encoder(
        name="ffv1",
        codec="ffv1",
        library="ffv1",
        formats=_FFV1,
        native={"gbrp": "bgr0", "gbrap": "bgra"},
        containers=(".mkv",),
        part=".mp4",
        alias=("libffv1",),
    ),
    Encoder(
        name="svtav1",
        codec="av1",
        library="libsvtav1",
        formats=("yuv420p", "yuv420p10le"),
        containers=(".mp4", ".mkv", ".webm"),
        part=".mp4",
        minimum=(4, 4),
        crf=(0, 63),
        default_crf=22,
        presets=tuple(str(n) for n in range(13, -1, -1)),
        default_preset="10",
        alias=("av1", "libsvtav1"),
    ),
    Encoder(
        name="vp9",
        codec="vp9",
        library="libvpx-vp9",
        formats=(*_YUV8, "gbrp"),
        containers=(".mp4", ".mkv", ".webm"),
        part=".mp4",
        crf=(0, 63),
        default_crf=20,
        presets=tuple(str(n) for n in range(8, -1, -1)),
        default_preset="6",
        alias=("libvpx-vp9", "vpx"),
    ),
    Encoder(
        name="prores",
        codec="prores",
        library="prores_ks",
        formats=("yuv422p10le", "yuv444p10le", "yuva444p10le"),
        containers=(".mov", ".mkv"),
        part=".mov",
        alias=("prores_ks",),
    ),
)
"""In the order in which one is chosen: each from small and common to large and rare."""


def encoder_named(name: str) -> Encoder:
    """The encoder that `name` (or FFmpeg's word for it) stands for.

    Raises:
        EncoderError: there is none; the message lists the names.

    Example:
        >>> encoder_named("hevc").name
        'x265'
    """
    for encoder in ENCODERS:
        if name.lower() in (encoder.name, *encoder.alias):
            return encoder
    names = ", ".join(encoder.name for encoder in ENCODERS)
    raise EncoderError(f"no encoder {name!r}; there are: {names}")


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
        hdr: HDR side data to be kept: x265 is then preferred to x264, which few players expect
            it in.

    Raises:
        EncoderError: `codec` cannot, or none can; the message names those that can.
    """
    shape = f"{width}x{height} {fmt.name}"
    able = [e for e in ENCODERS if e.misfit(fmt, width=width, height=height) is None]
    fitting = [e for e in able if not container or container.lower() in e.containers]
    where = f" in {container}" if container else ""
    if codec is not None:
        asked = encoder_named(codec)
        if asked in fitting:
            return asked
        reason = asked.misfit(fmt, width=width, height=height) or f"does not go into {container}"
        raise EncoderError(f"{asked.name} {reason}; {_able(shape + where, fitting, able)}")
    if hdr is not None and (hdr.mastering is not None or hdr.max_cll is not None):
        fitting.sort(key=lambda e: e.name == "x264")
    if not fitting:
        raise EncoderError(f"no encoder keeps {shape}{where}; {_able(shape, [], able)}")
    return fitting[0]


def _able(shape: str, fitting: Sequence[Encoder], able: Sequence[Encoder]) -> str:
    if fitting:
        return f"for {shape} there are: {', '.join(e.name for e in fitting)}"
    if able:
        return "elsewhere there are: " + ", ".join(
            f"{e.name} ({' '.join(e.containers)})" for e in able
        )
    return f"no encoder keeps {shape}"


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

    def __post_init__(self) -> None:
        encoder = encoder_named(self.encoder)
        if self.crf is not None:
            if encoder.crf is None:
                raise OptionError(f"{encoder.name} has no crf: its quality is fixed")
            low, high = encoder.crf
            if not low <= self.crf <= high:
                raise OptionError(f"crf of {encoder.name} is {low} to {high}, not {self.crf}")
        if self.preset is not None and self.preset not in encoder.presets:
            known = ", ".join(encoder.presets) or "none"
            raise OptionError(f"{encoder.name} has no preset {self.preset!r}; there are: {known}")
        if self.threads < 1:
            raise OptionError(f"encoder threads must be at least 1, not {self.threads}")
        misfit = encoder.misfit(self.format, width=self.width, height=self.height)
        if misfit is not None:
            raise EncoderError(f"{encoder.name} {misfit}")

    @property
    def record(self) -> Encoder:
        """The row of `ENCODERS`."""
        return encoder_named(self.encoder)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; fractions become "num/den"."""
        values = asdict(self)
        values["format"]["log2_chroma"] = list(self.format.log2_chroma)
        values["options"] = dict(self.options)
        values["time_base"] = str(self.time_base)
        values["rate"] = None if self.rate is None else str(self.rate)
        values["sample_aspect_ratio"] = str(self.sample_aspect_ratio)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "EncoderSettings":
        """The settings that `to_json` was called on."""
        known = dict(values)
        layout = dict(known.pop("format"))
        layout["log2_chroma"] = tuple(layout["log2_chroma"])
        hdr = known.pop("hdr")
        rate = known.pop("rate")
        return cls(
            format=PixelFormat(**layout),
            time_base=Fraction(known.pop("time_base")),
            rate=None if rate is None else Fraction(rate),
            colour=Colour(**known.pop("colour")),
            sample_aspect_ratio=Fraction(known.pop("sample_aspect_ratio")),
            hdr=None if hdr is None else HdrInfo(**hdr),
            **known,
        )
