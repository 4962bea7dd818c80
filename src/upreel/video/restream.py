# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportUnknownLambdaType=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Pictures and sound as they are played, written for other players: file, HLS folder, pipe.

Encoded while they come (H.264 and AAC), so that whoever reads is a moment behind. Packets of both
streams are written in order of time as far as both have come.
"""

import sys
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from upreel.errors import OutputError
from upreel.video.display import DISPLAY
from upreel.video.formats import av_from_planes
from upreel.video.frame import Plane

__all__ = ["LiveWriter", "check_target"]

_RATE = 48000
_CLOCK = Fraction(1, 90_000)
_ENDINGS = {".mkv": "matroska", ".mp4": "mp4", ".mov": "mov", ".ts": "mpegts", ".webm": None}
_SEGMENT = 2  # seconds of a segment of HLS
_LISTED = 6  # segments in a playlist
_BOTH = Fraction(1)  # seconds that one stream is waited for by the other, at most


def check_target(target: str) -> str:
    """The muxer for a place.

    Args:
        target: a file ending in .mkv, .mp4, .mov or .ts, ``DIR/`` or a folder that is there for
            HLS, or ``pipe:``.

    Raises:
        OutputError: none of these, or a folder that is not there.
    """
    if target == "pipe:":
        return "matroska"
    place = Path(target)
    if target.endswith("/") or place.is_dir():
        return "hls"
    muxer = _ENDINGS.get(place.suffix.lower())
    if muxer is None:
        raise OutputError(
            f"--output takes a file ending in {', '.join(k for k, v in _ENDINGS.items() if v)}, "
            f"a folder (DIR/), or pipe:, got {target!r}"
        )
    if not place.parent.is_dir():
        raise OutputError(f"no such folder: {place.parent}")
    return muxer


class LiveWriter:
    """Writes what is played.

    Args:
        target: see `check_target`.
        size: columns and rows of all pictures, even.
        rate: pictures a second, about.
        aspect: width of a sample over its height.
        bt709: whether the matrix is BT.709's, else BT.601's.
        has_sound: whether there will be sound.

    Raises:
        OutputError: the place cannot be written to.
    """

    def __init__(
        self,
        target: str,
        *,
        size: tuple[int, int],
        rate: Fraction,
        bt709: bool,
        has_sound: bool,
    ) -> None:
        self._name = "standard output" if target == "pipe:" else target
        muxer = check_target(target)
        self._container = _opened(target, muxer)
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}
        if muxer == "hls":
            options |= {"g": str(max(round(rate * _SEGMENT), 1)), "sc_threshold": "0"}
        stream: VideoStream = self._container.add_stream(
            "libx264", rate=rate.limit_denominator(1000), options=options
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        context = stream.codec_context
        context.time_base = _CLOCK
        context.color_range = 1
        context.colorspace = 1 if bt709 else 6
        context.color_primaries = 1 if bt709 else 6
        context.color_trc = 1 if bt709 else 6
        self._video = stream
        self._audio: AudioStream | None = None
        if has_sound:
            self._audio = self._container.add_stream("aac", rate=_RATE, layout="stereo")
        self._held: dict[int, deque[Packet]] = {s: deque() for s in range(2 if has_sound else 1)}
        self._last_pts = -1
        self._samples = np.zeros((0, 2), np.float32)
        self._samples_at = 0  # number of the first sample held
        self.num_pictures = 0

    def picture(self, planes: Sequence[Plane], at: float) -> None:
        """Add a picture of `DISPLAY` for a time in seconds from the first one's.

        Raises:
            OutputError: it cannot be written.
        """
        pts = round(at / _CLOCK)
        if pts <= self._last_pts:
            return
        self._last_pts = pts
        frame = av_from_planes(planes, DISPLAY)
        frame.pts, frame.time_base = pts, _CLOCK
        self.num_pictures += 1
        self._mux(0, self._video.encode(frame))

    def sound(self, samples: npt.NDArray[np.float32], at: float) -> None:
        """Add sound, float32 (N, 2), for a time; gaps become silence, what overlaps is cut.

        Raises:
            OutputError: it cannot be written.
        """
        place = round(at * _RATE)
        due = self._samples_at + len(self._samples)
        if place > due + _RATE // 50:
            samples = np.concatenate((np.zeros((place - due, 2), np.float32), samples))
        elif place < due - _RATE // 50:
            samples = samples[due - place :]
        self._samples = np.concatenate((self._samples, samples))
        self._encode_sound(1024)

    def _encode_sound(self, least: int) -> None:
        if self._audio is None:
            return
        while len(self._samples) >= least and len(self._samples):
            part, self._samples = self._samples[:1024], self._samples[1024:]
            data = np.ascontiguousarray(part.T)
            frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = _RATE, self._samples_at
            frame.time_base = Fraction(1, _RATE)
            self._samples_at += len(part)
            self._mux(1, self._audio.encode(frame))

    def close(self) -> None:
        """Write what is left.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            if self.num_pictures:
                self._mux(0, self._video.encode(None))
                if self._audio is not None:
                    self._encode_sound(1)
                    self._mux(1, self._audio.encode(None))
                self._write(everything=True)
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self._name}: {error.strerror}") from error

    def _mux(self, number: int, packets: list[Packet]) -> None:
        self._held[number].extend(packets)
        self._write(everything=False)

    def _write(self, *, everything: bool) -> None:
        """Hand over packets in order of time, as far as no earlier one can come."""
        held = self._held
        while any(held.values()):
            if not everything and not all(held.values()):
                (waiting,) = (queue for queue in held.values() if queue)
                if _time(waiting[-1]) - _time(waiting[0]) < _BOTH:
                    return
            first = min((q for q in held.values() if q), key=lambda queue: _time(queue[0]))
            try:
                self._container.mux(first.popleft())
            except (av.FFmpegError, OSError) as error:
                raise OutputError(f"cannot write {self._name}: {error.strerror}") from error


def _time(packet: Packet) -> Fraction:
    return (packet.dts or 0) * Fraction(packet.time_base or _CLOCK)


def _opened(target: str, muxer: str) -> OutputContainer:
    place: Any = target
    options: dict[str, str] = {"flush_packets": "1"}
    if target == "pipe:":
        place = sys.stdout.buffer
    if muxer == "hls":
        folder = Path(target)
        place = str(folder / "index.m3u8")
        options |= {
            "hls_time": str(_SEGMENT),
            "hls_list_size": str(_LISTED),
            "hls_flags": "delete_segments+temp_file+independent_segments",
            "hls_segment_type": "fmp4",
            "hls_segment_filename": str(folder / "%06d.m4s"),
        }
    try:
        if muxer == "hls":
            Path(target).mkdir(parents=True, exist_ok=True)
        return av.open(place, "w", format=muxer, options=options)
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error
