"""What is known of a video before a frame of it is processed: plain values, no open files.

Ticks are whole numbers of the stream's own time base; seconds are exact `Fraction`s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from upreel.video.frame import Colour, PixelFormat

if TYPE_CHECKING:
    from upreel.video.foreign import Foreign

__all__ = ["Deinterlace", "HdrInfo", "SourceInfo", "StreamInfo", "Timeline"]

StreamKind = Literal["video", "audio", "subtitle", "data", "attachment"]

Deinterlace = Literal["auto", "on", "off"]
"""Whether two fields are made one picture: where `SourceInfo.interlaced` says so, always, never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamInfo:
    """One elementary stream of a container.

    Attributes:
        index: its number in the file.
        kind: what it carries.
        codec: FFmpeg's codec name, "" where it is not known.
        time_base: seconds a tick.
        start: first time in ticks, None where the container does not say.
        duration: in ticks, None where the container does not say.
        language: ISO 639 code from the metadata, "" if not said.
        disposition: FFmpeg's AV_DISPOSITION bits.
        cover_art: whether it is an attached picture.
        metadata: tags of the stream.
    """

    index: int
    kind: StreamKind
    codec: str
    time_base: Fraction
    start: int | None = None
    duration: int | None = None
    language: str = ""
    disposition: int = 0
    cover_art: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True, slots=True)
class HdrInfo:
    """HDR side data. Chromaticities in units of 1/50000, luminance of 1/10000 cd/m2 (SMPTE 2086).

    Attributes:
        mastering: x265's ``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, or None.
        max_cll: maximum content light level, cd/m2, or None.
        max_fall: maximum frame-average light level, cd/m2, or None.
        hdr10_plus: whether there is dynamic metadata (SMPTE 2094-40); it cannot be kept.
        dolby_vision: whether there is a Dolby Vision configuration; it cannot be kept.
    """

    mastering: str | None = None
    max_cll: int | None = None
    max_fall: int | None = None
    hdr10_plus: bool = False
    dolby_vision: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceInfo:
    """A source as its headers and first frames describe it.

    Attributes:
        path: the file, the folder or ``%06d`` pattern of an image sequence, or "-" for stdin.
        container: FFmpeg's demuxer name.
        streams: all streams, in the file's order.
        video_index: index of the video stream that is upscaled.
        codec: its codec name.
        format: its planar pixel format as this project reads it.
        stored_format: FFmpeg's name of the format in the file (``yuvj420p``, ``nv12``, ``pal8``).
        width: columns of luma.
        height: rows of luma.
        colour: colour tags.
        sample_aspect_ratio: 0 if not known.
        rotation: degrees counter-clockwise.
        time_base: seconds a tick of the video stream.
        rate: average frames a second, None where it cannot be told.
        duration: of the whole file, in seconds, None where it cannot be told.
        num_frames: as the container says, None where it does not: never relied on.
        interlaced: whether flags say that frames hold two fields of different times, and the
            pictures do not contradict: then, and only then, it is deinterlaced unasked.
        flagged_interlaced: whether flags say so, right or wrong.
        looks_interlaced: whether the first pictures look so, flagged or not.
        top_field_first: which field is first, as far as pictures or flags tell; top if they don't.
        telecine: whether the first frames carry repeat-field flags.
        hdr: HDR side data, None for SDR.
        chapters: (start, end, title) in seconds.
        metadata: tags of the container.
        is_sequence: whether it is a folder or pattern of still pictures.
        seekable: False for a pipe.
        foreign: what reads it where FFmpeg does not know its container, else None.
    """

    path: str
    container: str
    streams: tuple[StreamInfo, ...]
    video_index: int
    codec: str
    format: PixelFormat
    stored_format: str
    width: int
    height: int
    colour: Colour
    sample_aspect_ratio: Fraction
    rotation: int
    time_base: Fraction
    rate: Fraction | None
    duration: Fraction | None
    num_frames: int | None
    interlaced: bool = False
    flagged_interlaced: bool = False
    looks_interlaced: bool = False
    top_field_first: bool = True
    telecine: bool = False
    hdr: HdrInfo | None = None
    chapters: tuple[tuple[Fraction, Fraction, str], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    is_sequence: bool = False
    seekable: bool = True
    foreign: "Foreign | None" = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Timeline:
    """Every frame's time, from the container alone: nothing is decoded.

    Attributes:
        pts: times of all frames in display order, ticks, strictly rising, int64 (N,).
        keyframes: indices into `pts` of the frames that decoding may start from, rising.
        time_base: seconds a tick.
        last_duration: ticks that the last frame is shown.
        exact: False where packets lack times (AVI, some PS): `pts` is then counted from the
            frame rate, seeking is not trusted, and reading goes straight through.
        sizes: bytes of each frame's packets, int64 (N,), None where they are not known.
        delay: places by which a packet comes earlier in display than in decoding, at most.
    """

    pts: npt.NDArray[np.int64]
    keyframes: npt.NDArray[np.int64]
    time_base: Fraction
    last_duration: int
    exact: bool
    sizes: npt.NDArray[np.int64] | None = None
    delay: int = 0
