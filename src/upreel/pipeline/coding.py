"""What is asked of `compress` and `decompress`, and what came of it; where codecs come from."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, TypedDict, Unpack

from upreel.codec.header import Arithmetic
from upreel.codec.model import CodecModel
from upreel.codec.packet import MAX_QUALITY
from upreel.errors import BackendUnavailableError, OptionError
from upreel.inference.graphs import engine_name, graph_precisions
from upreel.inference.selection import available_devices
from upreel.pipeline.job import RunResult, check_stretch, check_threads
from upreel.pipeline.plan import machine_kind
from upreel.video.frame import Plane
from upreel.zoo.codec_card import CodecCard, load_codec_card

__all__ = [
    "DEFAULT_KEYINT",
    "DEFAULT_QUALITY",
    "CodecBackend",
    "CodecOptions",
    "CompressJob",
    "CompressResult",
    "DecompressJob",
    "DecompressResult",
    "DefaultCodecs",
    "FrameCodec",
    "KeptCodecs",
    "parse_bitrate",
]

DEFAULT_QUALITY = 32
DEFAULT_KEYINT = 250
"""Frames; and ten seconds at most, where no number of frames is asked for."""
_PROCESSORS = ("cpu", "ort-cpu")
_UNITS = {"": 1, "k": 1000, "m": 1_000_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressJob:
    """One source and one .upv file. Paths as the user gave them.

    Attributes:
        source: a video file, .upv files among them.
        output: ends in ``.upv``.
        codec: a codec's name, or the path of its card.
        upv_codec: likewise, of a source that is an .upv file; None: `codec` if that made it, else
            what it names.
        quality: of every frame, 0 to 63; None: 32, or what the bitrate allows.
        bitrate: bits a second of the video on average, instead of a quality.
        keyint: frames from one keyframe to the next at most; None: 250, and ten seconds at most.
        device: "auto" for the processor, or a device as `upreel devices` lists them.
        precision: "f32", which keeps pictures alike on all machines, or "bf16".
        threads: of the networks, 0 for all cores.
        start: seconds after the first frame at which the output begins; None: at the first.
        end: seconds after the first frame at which it ends; None: after the last.
        audio: whether sound is carried.
        subtitles: whether subtitles are carried.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        part_seconds: least length of a part, which is of whole keyframe intervals.
    """

    source: str
    output: str
    codec: str | None = None
    upv_codec: str | None = None
    quality: int | None = None
    bitrate: int | None = None
    keyint: int | None = None
    device: str = "auto"
    precision: str = "f32"
    threads: int = 0
    start: Fraction | None = None
    end: Fraction | None = None
    audio: bool = True
    subtitles: bool = True
    overwrite: bool = False
    part_seconds: Fraction = Fraction(4)

    def __post_init__(self) -> None:
        if self.quality is not None and self.bitrate is not None:
            raise OptionError("either a quality or a bitrate can be given, not both")
        if self.quality is not None and not 0 <= self.quality <= MAX_QUALITY:
            raise OptionError(f"quality must be 0 to {MAX_QUALITY}, got {self.quality}")
        if self.bitrate is not None and self.bitrate < 1:
            raise OptionError(f"a bitrate must be above 0, got {self.bitrate}")
        if self.keyint is not None and not 1 <= self.keyint <= 1_000_000:
            raise OptionError(f"keyint must be 1 to 1000000 frames, got {self.keyint}")
        check_threads(self.threads)
        check_stretch(self.start, self.end)
        if self.part_seconds <= 0:
            raise ValueError(f"part_seconds must be above 0, got {self.part_seconds = }")


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressResult(RunResult):
    """What `compress` did.

    Attributes:
        keyframes: of the frames, those alone.
        repeated_frames: of the frames, those equal to the one before and sent as that.
        quality: mean of the frames that were sent, 0 to 63.
        bitrate: bits a second of the video's packets.
        video_bytes: of the output, the video's packets.
        codec: name of its card.
    """

    keyframes: int
    repeated_frames: int
    quality: float
    bitrate: float
    video_bytes: int
    codec: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DecompressJob:
    """One .upv file and one output. Paths as the user gave them.

    Attributes:
        source: an .upv file.
        output: a file whose ending names the container, ``.y4m`` for raw planes; "-" for stdout.
        codec: a codec's name, or the path of its card; None: what the file names.
        device: "auto" for the processor, or a device as `upreel devices` lists them.
        precision: "auto" for that which the file was made in, "f32" or "bf16".
        threads: of the networks, 0 for all cores.
        encoder: word for the encoder; None: the first that keeps depth and size.
        crf: quality of the encoder, lower is better; None for the encoder's default.
        preset: speed of the encoder; None for its default.
        encoder_options: further FFmpeg options of the encoder.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        part_seconds: length of a part that is aimed at; it ends at a keyframe where it can.
    """

    source: str
    output: str
    codec: str | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    encoder: str | None = None
    crf: float | None = None
    preset: str | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict[str, str])
    overwrite: bool = False
    part_seconds: Fraction = Fraction(4)

    def __post_init__(self) -> None:
        check_threads(self.threads)
        if self.part_seconds <= 0:
            raise ValueError(f"part_seconds must be above 0, got {self.part_seconds = }")


@dataclass(frozen=True, kw_only=True, slots=True)
class DecompressResult(RunResult):
    """What `decompress` did.

    Attributes:
        codec: name of its card.
        exact: whether the pictures are the sender's to the bit, as far as the file tells.
        encoder: word for the encoder, "" where samples are stored as they are.
    """

    codec: str
    exact: bool
    encoder: str


_State = Any


class FrameCodec(Protocol):
    """An opened codec; its state after a frame is a matter of its own."""

    def send(
        self, planes: tuple[Plane, ...], quality: int, before: _State | None, /
    ) -> tuple[bytes, _State]:
        """A frame's code, and the state that its receiver will have; alone if `before` is None."""
        ...

    def receive(self, code: bytes, quality: int, before: _State | None, /) -> _State:
        """The state that `send` gave with this code."""
        ...

    def planes(self, state: _State, /) -> tuple[Plane, ...]:
        """The frame's Y, Cb and Cr."""
        ...


class CodecOptions(TypedDict):
    """What a codec is opened for.

    Attributes:
        height: rows of luma.
        width: columns of luma.
        bits: of a sample.
        device: as `upreel devices` lists them.
        precision: "f32" or "bf16".
        threads: of the networks, 0 for all cores.
        sends: whether it sends frames; else it receives them.
    """

    height: int
    width: int
    bits: int
    device: str
    precision: str
    threads: int
    sends: bool


class CodecBackend(Protocol):
    """Where codecs come from: cards and the engines, or a stand-in that tests hand over."""

    def load_card(self, name: str) -> CodecCard:
        """A codec by its name, or by the path of its card."""
        ...

    def precisions(self, device: str) -> tuple[str, ...]:
        """What a device computes in here.

        Raises:
            BackendUnavailableError: no such device here, or codecs do not run on it.
        """
        ...

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        """How a device computes here.

        Raises:
            BackendUnavailableError: there is no such device.
        """
        ...

    def open(self, card: CodecCard, **options: Unpack[CodecOptions]) -> FrameCodec:
        """Compile it for frames of one size."""
        ...


class DefaultCodecs:
    """Cards, and the engines that are installed."""

    def load_card(self, name: str) -> CodecCard:
        """A codec by its name, or by the path of its card."""
        return load_codec_card(name)

    def precisions(self, device: str) -> tuple[str, ...]:
        """What a device computes in here."""
        return _checked_precisions(device)

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        """How a device computes here; of graphics cards the machine is not said."""
        _checked_precisions(device)
        return Arithmetic(
            precision=precision,
            engine=engine_name(device),
            machine=machine_kind() if device in _PROCESSORS else "",
        )

    def open(self, card: CodecCard, **options: Unpack[CodecOptions]) -> FrameCodec:
        """Compile it for frames of one size."""
        _checked_precisions(options["device"])
        return CodecModel(card).open(**options)


class KeptCodecs:
    """Codecs that are opened again and again: each thread keeps the one that it opened last.

    Opening one compiles its networks. A thread's codec is its own, so that nothing waits.

    Args:
        backend: opens them.
    """

    def __init__(self, backend: CodecBackend) -> None:
        self._backend = backend
        self._kept = threading.local()

    def load_card(self, name: str) -> CodecCard:
        """A codec by its name, or by the path of its card."""
        return self._backend.load_card(name)

    def precisions(self, device: str) -> tuple[str, ...]:
        """What a device computes in here."""
        return self._backend.precisions(device)

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        """How a device computes here."""
        return self._backend.arithmetic(device, precision)

    def open(self, card: CodecCard, **options: Unpack[CodecOptions]) -> FrameCodec:
        """The codec that this thread has, or a new one if it has another."""
        key = (card.sha256, options)
        if getattr(self._kept, "key", None) != key:
            self._kept.key = self._kept.codec = None
            self._kept.codec = self._backend.open(card, **options)
            self._kept.key = key
        return self._kept.codec


def _checked_precisions(device: str) -> tuple[str, ...]:
    """What a codec can run in on a device, if there is one and it can."""
    there = [info.device for info in available_devices()]
    found = graph_precisions(device)
    if not found:
        lacking = "no device" if device not in there else "codecs do not run on device"
        names = ", ".join(name for name in there if graph_precisions(name))
        raise BackendUnavailableError(f"{lacking} {device!r} here; there are: {names}")
    return found


def parse_bitrate(text: str) -> int:
    """Bits a second from ``500k``, ``1.5M``, ``64000``.

    Raises:
        ValueError: it is none of these, or 0.

    Example:
        >>> parse_bitrate("500k"), parse_bitrate("1.5M")
        (500000, 1500000)
    """
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)([kKmM]?)", text.strip())
    rate = int(Fraction(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if rate < 1:
        raise ValueError(f"a bitrate is such as 500k or 1.5M (bits a second), got {text!r}")
    return rate
