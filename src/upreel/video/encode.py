# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""An encoder opened by PyAV from `EncoderSettings`, and frames in its own pixel format."""

from collections import deque
from fractions import Fraction

import av
import av.container
import av.video.stream
import numpy as np

from upreel.errors import EncoderError, OptionError
from upreel.video.encoders import Encoder, EncoderSettings
from upreel.video.formats import av_from_planes
from upreel.video.frame import Frame
from upreel.video.info import HdrInfo

__all__ = ["DueTimes", "add_encoder", "encodable", "ticks"]

_CHROMA_LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")


def ticks(pts: int, source: Fraction, target: Fraction) -> int:
    """`pts` in ticks of `source` seconds, as ticks of `target` seconds, to the nearest.

    Example:
        >>> ticks(1001, Fraction(1, 30000), Fraction(1, 1000))
        33
    """
    return round(pts * source / target)


_REORDER = 2
"""Places that x264 and x265 move a picture by at most, however many B-frames: their pyramid has
two levels. FFmpeg's reader loses the start of a short MP4 file with a much larger delay."""


class DueTimes:
    """Decoding times of packets as they come out of an encoder.

    x265 gives a wild one to a film of one frame, and the join computes all of them anew: these
    are only to be rising and early enough.

    Args:
        settings: the encoder's.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._delay = _REORDER if settings.encoder in ("x264", "x265") else 0
        self._shown: deque[int] = deque()
        self._num_packets = 0
        self._first = 0

    def show(self, pts: int) -> None:
        """Tell the time of the next frame in display order."""
        if not self._shown:
            self._first = pts
        self._shown.append(pts)

    def due(self) -> int:
        """The decoding time of the next packet."""
        place = self._num_packets - self._delay
        self._num_packets += 1
        return self._shown.popleft() if place >= 0 else self._first + place


def add_encoder(
    container: av.container.OutputContainer, settings: EncoderSettings
) -> av.video.stream.VideoStream:
    """Add the video stream of `container` and open its encoder.

    Raises:
        OptionError: an option that the encoder does not know or a value that it refuses.
        EncoderError: it cannot be opened for this picture.
    """
    record = settings.record
    native = record.native.get(settings.format.name, settings.format.name)
    is_rgb = settings.format.model == "rgb"
    stream = container.add_stream(
        record.library,
        rate=(settings.rate or Fraction(25)).limit_denominator(100_000),
        options=_options(record, settings),
        width=settings.width,
        height=settings.height,
        time_base=settings.time_base,
    )
    if not isinstance(stream, av.video.stream.VideoStream):
        raise EncoderError(f"{record.library} is not a video encoder")
    context = stream.codec_context
    context.pix_fmt = native
    context.thread_count = settings.threads
    colour = settings.colour
    if colour.full_range is not None:
        context.color_range = 2 if colour.full_range else 1
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    context.colorspace = 0 if is_rgb else colour.matrix
    if settings.sample_aspect_ratio > 0:
        context.sample_aspect_ratio = settings.sample_aspect_ratio
    asked = dict(settings.options)
    try:
        context.open()
    except av.FFmpegError as error:
        given = " ".join(f"-e {key}={value}" for key, value in asked.items())
        size = f"{settings.width}x{settings.height} {settings.format.name}"
        if asked:
            raise OptionError(f"{record.name} does not take {given} for {size}") from error
        raise EncoderError(f"{record.name} cannot encode {size}") from error
    unknown = sorted(set(asked) & set(context.options))
    if unknown:
        raise OptionError(f"{record.name} has no option {', '.join(map(repr, unknown))}")
    return stream


def encodable(frame: Frame, settings: EncoderSettings) -> av.VideoFrame:
    """A frame as the encoder takes it: its pixel format, its ticks, its tags.

    Another depth or chroma layout than the settings' is converted by swscale.

    Raises:
        EncoderError: another size, or a model (RGB for Y'CbCr) that would need other colours.
    """
    fmt = settings.format
    if (frame.width, frame.height) != (settings.width, settings.height):
        raise EncoderError(
            f"frame {frame.index} is {frame.width}x{frame.height}, "
            f"the encoder was opened for {settings.width}x{settings.height}"
        )
    if frame.format.name != fmt.name and (frame.format.model == "rgb") != (fmt.model == "rgb"):
        raise EncoderError(f"{frame.format.name} cannot become {fmt.name} without new colours")
    native = settings.record.native.get(fmt.name, fmt.name)
    picture = _packed_rgb(frame, native) if frame.format.name == fmt.name else None
    if picture is None:
        picture = av_from_planes(frame.planes, frame.format)
        if picture.format.name != native:
            # swscale's slice threads write over one another's edges in packed formats.
            picture = picture.reformat(format=native, threads=1)
    picture.time_base = settings.time_base
    picture.pts = ticks(frame.pts, frame.time_base, settings.time_base)
    picture.duration = ticks(frame.duration, frame.time_base, settings.time_base)
    if frame.colour.full_range is not None:
        picture.color_range = 2 if frame.colour.full_range else 1
    picture.color_primaries = frame.colour.primaries
    picture.color_trc = frame.colour.transfer
    picture.colorspace = 0 if fmt.model == "rgb" else frame.colour.matrix
    return picture


def _packed_rgb(frame: Frame, native: str) -> av.VideoFrame | None:
    """8-bit RGB planes interleaved without arithmetic; None if that is not what is asked."""
    if native not in ("bgr0", "bgra"):
        return None
    red, green, blue, *alpha = frame.planes
    fourth = alpha[0] if alpha else np.zeros_like(red)
    samples = np.ascontiguousarray(np.stack((blue, green, red, fourth), axis=-1), np.uint8)
    picture = av.VideoFrame(frame.width, frame.height, native)
    memory = picture.planes[0]
    lines = np.frombuffer(memoryview(memory), np.uint8).reshape(-1, memory.line_size)
    lines[: frame.height, : frame.width * 4] = samples.reshape(frame.height, -1)
    return picture


def _options(record: Encoder, settings: EncoderSettings) -> dict[str, str]:
    """FFmpeg's options of the encoder; the user's own come last and win."""
    options: dict[str, str] = {"flags": "+bitexact"}
    location = settings.colour.chroma_location
    if location and settings.format.model == "yuv":
        options["chroma_sample_location"] = _CHROMA_LOCATIONS[location]
    crf = record.default_crf if settings.crf is None else settings.crf
    preset = settings.preset or record.default_preset
    if crf is not None:
        options["crf"] = f"{crf:g}"
    params: dict[str, str] = {}
    if record.name in ("x264", "x265"):
        options["preset"] = preset
    if record.name == "x264":
        # Its macroblock tree in assembly gives other bits by what lies in memory (AVX-512, widths
        # that are no multiple of 256 samples) and by CPU; in C it costs no time that shows.
        params = {"cpu-independent": "1"}
    elif record.name == "x265":
        params = {
            "log-level": "error",
            "pools": str(settings.threads),
            "frame-threads": "1" if settings.threads == 1 else "2",
        }
    elif record.name == "svtav1":
        options["preset"] = preset
        params = {"lp": str(settings.threads)}
    elif record.name == "vp9":
        options |= {"deadline": "good", "cpu-used": preset, "row-mt": "1"}
    elif record.name == "ffv1":
        # Slices of level 3 do not fit pictures of a few samples.
        tiny = min(settings.width, settings.height) < 9
        options |= {"level": "1"} if tiny else {"level": "3", "slicecrc": "1"}
    params |= _hdr_parameters(record.name, settings.hdr)
    asked = dict(settings.options)
    name = {"x264": "x264-params", "x265": "x265-params", "svtav1": "svtav1-params"}.get(
        record.name, ""
    )
    given = asked.pop(name, "")
    joined = ":".join([f"{key}={value}" for key, value in params.items()] + [given] * bool(given))
    if joined:
        options[name] = joined
    return options | asked


def _hdr_parameters(encoder: str, hdr: HdrInfo | None) -> dict[str, str]:
    """The encoder's own words for mastering display (SMPTE 2086) and light level (CTA-861.3)."""
    if hdr is None:
        return {}
    level = None if hdr.max_cll is None else f"{hdr.max_cll},{hdr.max_fall or 0}"
    words = {
        "x264": ("mastering-display", "cll"),
        "x265": ("master-display", "max-cll"),
        "svtav1": ("mastering-display", "content-light"),
    }.get(encoder)
    if words is None:
        return {}
    mastering = hdr.mastering
    if mastering is not None and encoder == "svtav1":
        mastering = _in_units(mastering)
    values = zip(words, (mastering, level), strict=True)
    return {word: value for word, value in values if value is not None}


def _in_units(mastering: str) -> str:
    """x265's mastering string with chromaticities and luminance as decimals, for SVT-AV1.

    Example:
        >>> _in_units("G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)")
        'G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.0001)'
    """
    parts: list[str] = []
    for part in mastering.rstrip(")").split(")"):
        name, _, values = part.partition("(")
        unit = 10_000 if name == "L" else 50_000
        numbers = (f"{int(value) / unit:.10g}" for value in values.split(","))
        parts.append(f"{name}({','.join(numbers)})")
    return "".join(parts)
