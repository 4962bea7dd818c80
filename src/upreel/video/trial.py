# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""An encoder on trial: a clip into an MP4 file, and what is in the file, packet by packet.

Nothing but what a player needs goes into the file: x264's note of its settings, 600 bytes of text
in front of the first picture, is left out (x265 is told not to write one, SVT-AV1 has none).
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from upreel.errors import EncoderError
from upreel.video.encode import DueTimes, add_encoder, encodable
from upreel.video.encoders import EncoderSettings, encoder_named
from upreel.video.frame import Frame
from upreel.video.order import fine_clock

__all__ = ["CodedPacket", "code_trial", "coded_packets", "lacks_encoder"]

_NOTES = {"x264": "filter_units=remove_types=6"}  # supplemental enhancement information


@dataclass(frozen=True, kw_only=True, slots=True)
class CodedPacket:
    """One packet of video as it lies in a file.

    Attributes:
        pts: when it is shown, in the file's ticks.
        num_bytes: of it.
        keyframe: whether decoding can begin here.
    """

    pts: int
    num_bytes: int
    keyframe: bool


def lacks_encoder(name: str) -> str | None:
    """Why an encoder cannot be used here, None if it can.

    Args:
        name: as `upreel.video.encoders.encoder_named` takes it.
    """
    library = encoder_named(name).library
    if library in av.codecs_available:
        return None
    return f"this build of PyAV has no {library}"


def code_trial(path: Path, frames: Iterable[Frame], settings: EncoderSettings) -> float:
    """Encode frames, evenly timed, into a file.

    Args:
        path: ends in ``.mp4``; replaced where it is there.
        frames: in display order; their own times do not matter.
        settings: how to encode; the rate must be known.

    Returns:
        Seconds that it took, giving out frames included, opening the encoder not.

    Raises:
        EncoderError: no frame, a frame that does not fit, or the encoder cannot be opened.
        OptionError: an option that the encoder does not take.
    """
    rate = settings.rate
    if rate is None:
        raise ValueError("settings of a trial must have a rate")
    due = DueTimes(settings)
    clock = str(fine_clock(settings.time_base.denominator))
    options = {"fflags": "+bitexact", "movie_timescale": clock, "video_track_timescale": clock}
    with av.open(str(path), "w", format="mp4", container_options=options) as container:
        stream = add_encoder(container, settings)
        notes = _NOTES.get(settings.encoder)
        strip = None if notes is None else BitStreamFilterContext(notes, stream)

        def mux(picture: av.VideoFrame | None) -> None:
            for packet in stream.encode(picture):
                packet.dts = due.due()
                for kept in (packet,) if strip is None else strip.filter(packet):
                    kept.stream = stream
                    container.mux_one(kept)

        count = 0
        started = time.perf_counter()
        for frame in frames:
            picture = encodable(replace(frame, pts=count, time_base=1 / rate, duration=1), settings)
            due.show(picture.pts or 0)
            mux(picture)
            count += 1
        if not count:
            raise EncoderError(f"no frames for {path}")
        mux(None)
        return time.perf_counter() - started


def coded_packets(path: Path) -> Iterator[CodedPacket]:
    """The packets of a file's video in coded order; nothing is decoded."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield CodedPacket(
                    pts=packet.pts or 0, num_bytes=packet.size, keyframe=packet.is_keyframe
                )
