"""What is asked for and what came of it: plain values."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Literal, get_args

from upreel.errors import OptionError
from upreel.video.info import Deinterlace

__all__ = [
    "Progress",
    "RunResult",
    "Stage",
    "UpscaleJob",
    "UpscaleResult",
    "check_stretch",
    "check_threads",
    "job_from_json",
    "job_to_json",
    "parse_size",
    "parse_time",
]

Stage = Literal["scan", "upscale", "compress", "decompress", "join"]


def check_threads(threads: int) -> None:
    """Refuse what is no number of threads.

    Raises:
        OptionError: it is negative.
    """
    if threads < 0:
        raise OptionError(f"threads must be 0 (automatic) or more, got {threads}")


def check_stretch(start: Fraction | None, end: Fraction | None) -> None:
    """Refuse a stretch of video that there cannot be.

    Args:
        start: seconds after the first frame; None: at the first.
        end: likewise; None: after the last.

    Raises:
        OptionError: it begins before the first frame, or ends before it begins.
    """
    if start is not None and start < 0:
        raise OptionError(f"start must not be negative, got {float(start):g} s")
    if end is not None and end <= (start or 0):
        raise OptionError(
            f"end must be after start, got {float(start or 0):g} s to {float(end):g} s"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class UpscaleJob:
    """One source, one output, and how to get there. Paths as the user gave them.

    Attributes:
        source: a video file, .upv files among them, a folder or ``%06d`` pattern of pictures, or
            "-" for stdin.
        output: a file, a folder or pattern of pictures, "-" for stdout; None: beside the source.
        model: a name in the zoo, a family, or the path of a card; None: the default one of the
            scale.
        min_fps: frames a second that the network is to do on this machine, for model "fast", which
            is then the largest that does; None: as many as the source has.
        scale: 2, 3 or 4; None: the model's, or what `size` needs.
        size: (width, height) of the output; None: the source's times `scale`.
        device: "auto", or a device as `upreel devices` lists them.
        precision: "auto", or one of the card's.
        tile: rows and columns of a tile in source pixels; None: chosen from the memory limit.
        self_ensemble: whether a picture is answered turned over in eight ways, and averaged.
        threads: of the network, 0 for the engine's choice.
        codec: word for the encoder; None: the first that keeps depth, chroma and size.
        crf: quality of the encoder, lower is better; None for the encoder's default.
        preset: speed of the encoder; None for its default.
        encoder_options: further FFmpeg options of the encoder.
        pix_fmt: pixel format of the output; None: the source's.
        start: seconds after the first frame at which the output begins; None: at the first.
        end: seconds after the first frame at which it ends; None: after the last.
        deinterlace: whether two fields are made one picture: "auto" where the source is flagged as
            interlaced and looks it, "on", or "off".
        audio: whether sound is copied.
        subtitles: whether subtitles are copied.
        upv_codec: of a source that is an .upv file: a codec's name, or the path of its card; None:
            what the file names.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        part_seconds: length that parts are aimed at; pixels do not depend on it.
    """

    source: str
    output: str | None = None
    model: str | None = None
    min_fps: float | None = None
    scale: int | None = None
    size: tuple[int, int] | None = None
    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    self_ensemble: bool = False
    threads: int = 0
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict[str, str])
    pix_fmt: str | None = None
    start: Fraction | None = None
    end: Fraction | None = None
    deinterlace: Deinterlace = "auto"
    audio: bool = True
    subtitles: bool = True
    upv_codec: str | None = None
    overwrite: bool = False
    part_seconds: Fraction = Fraction(5)

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in (2, 3, 4):
            raise OptionError(f"scale must be 2, 3 or 4, got {self.scale}")
        if self.size is not None and min(self.size) < 1:
            raise OptionError(f"size must be at least 1x1, got {self.size[0]}x{self.size[1]}")
        if self.size is not None and self.scale is not None:
            raise OptionError("either a scale or a size can be given, not both")
        if self.min_fps is not None and not 0 < self.min_fps <= 1000:
            raise OptionError(f"frames a second must be above 0, up to 1000, got {self.min_fps:g}")
        if self.tile is not None and self.tile < 32:
            raise OptionError(f"a tile must be at least 32 pixels, got {self.tile}")
        if self.deinterlace not in get_args(Deinterlace):
            raise OptionError(f"deinterlace must be auto, on or off, got {self.deinterlace!r}")
        check_threads(self.threads)
        check_stretch(self.start, self.end)
        if self.part_seconds <= 0:
            raise ValueError(f"part_seconds must be above 0, got {self.part_seconds = }")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        stage: reading the times of all frames, the work on them, or joining the parts.
        done: frames of this stage, those of an earlier run included.
        total: frames of this stage, None where it is not known.
        fps: frames a second in this run.
        expected_bytes: of the output's picture, None before the first part is done.
    """

    stage: Stage
    done: int
    total: int | None
    fps: float = 0
    expected_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """What was done, whatever it was.

    Attributes:
        source: as asked for.
        output: where it is.
        width: columns of the output.
        height: rows of the output.
        frames: in the output.
        resumed_frames: of these, done by an earlier run.
        damaged_frames: in which a decoder concealed errors, or that stand for ones it could not
            decode.
        seconds: of this run.
        fps: frames a second of this run.
        bytes: size of the output, 0 for stdout.
        device: where networks ran.
        precision: how.
        peak_memory_bytes: largest resident size of this process.
        cpu_use: CPU time over wall time and cores, 0 to 1.
        notices: one line for all that the user should know.
    """

    source: str
    output: str
    width: int
    height: int
    frames: int
    resumed_frames: int = 0
    damaged_frames: int = 0
    seconds: float
    fps: float
    bytes: int
    device: str
    precision: str
    peak_memory_bytes: int
    cpu_use: float
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpscaleResult(RunResult):
    """What `upscale` did.

    Attributes:
        lost_frames: in the source's index, but not decodable from a truncated file.
        model: name of the card.
        engine: what ran the network.
        reason: why engine, device and precision were chosen.
        encoder: word for the encoder, "" where pictures are not encoded.
    """

    lost_frames: int = 0
    model: str
    engine: str
    reason: str
    encoder: str


_FRACTIONS = ("start", "end", "part_seconds")


def job_to_json(job: UpscaleJob) -> dict[str, Any]:
    """Plain values for `json.dumps`."""
    values = asdict(job)
    for name in _FRACTIONS:
        values[name] = None if values[name] is None else str(values[name])
    return values


def job_from_json(values: Mapping[str, Any]) -> UpscaleJob:
    """The job that `job_to_json` was called on."""
    known = dict(values)
    for name in _FRACTIONS:
        known[name] = None if known[name] is None else Fraction(known[name])
    size = known.pop("size")
    return UpscaleJob(**known, size=None if size is None else (size[0], size[1]))


_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


def parse_time(text: str) -> Fraction:
    """Seconds from ``90``, ``1:30``, ``0:01:30.5``.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> parse_time("1:30.5"), parse_time("90")
        (Fraction(181, 2), Fraction(90, 1))
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a time is SECONDS, M:SS or H:MM:SS, got {text!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from ``1920x1080``.

    Raises:
        ValueError: it is not that.

    Example:
        >>> parse_size("1920x1080")
        (1920, 1080)
    """
    match = re.fullmatch(r"(\d{1,5})[x\u00d7](\d{1,5})", text.strip())
    if match is None:
        raise ValueError(f"a size is WIDTHxHEIGHT, got {text!r}")
    return int(match[1]), int(match[2])
