"""Joining part files and the source's other streams into the output, without re-encoding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from upreel.video.encoders import EncoderSettings
from upreel.video.info import SourceInfo, Timeline

__all__ = ["JoinReport", "container_losses", "default_output", "join"]


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinReport:
    """What was written.

    Attributes:
        num_frames: frames of the upscaled video.
        num_bytes: size of the output.
        num_streams: streams of the output.
        notices: one line for each thing that could not be kept.
    """

    num_frames: int
    num_bytes: int
    num_streams: int
    notices: tuple[str, ...]


def container_losses(info: SourceInfo, container: str, settings: EncoderSettings) -> list[str]:
    """One line for each thing of the source that a container (``.mp4``) cannot hold.

    Raises:
        OutputError: no such container can be written; the message lists the endings.
    """


def default_output(info: SourceInfo, scale: int) -> Path:
    """``NAME_x2.EXT`` beside the source: its own container if that holds all, else ``.mkv``."""


def join(
    output: Path,
    *,
    parts: Sequence[Path],
    info: SourceInfo,
    timeline: Timeline,
    settings: EncoderSettings,
    audio: bool = True,
    subtitles: bool = True,
    trim: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> JoinReport:
    """Write `output` from the parts' packets and the source's other streams.

    Args:
        output: its ending names the container.
        parts: part files in display order.
        info: the source.
        timeline: the source's frame times.
        settings: what the parts were encoded with.
        audio: whether sound is copied.
        subtitles: whether subtitles are copied.
        trim: frames [first, stop) that the parts hold, None for all. The first one then takes
            the time of the source's first frame, and the other streams are cut and moved with it.
        progress: called with (frames written, frames in all).

    Raises:
        OutputError: parts that do not fit the timeline or each other, or an unwritable place.
        DiskFullError: no room; nothing is left under `output`.
    """
