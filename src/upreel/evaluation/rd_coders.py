"""Codecs under one set of conditions, and the peers among them; ours: `upreel.evaluation.rd_ours`.

Conditions of the peers, checked by tests on the packets that come out:

keyframes      every `keyint` frames, closed, none at scene cuts
low delay      no B frames, no frame looked at beyond the one that is coded: x264 and x265 with
               ``bframes`` and ``rc-lookahead`` 0 (and what needs lookahead, macroblock and coding
               unit trees, off), SVT-AV1 with ``pred-struct=1`` and ``lookahead=0``
random access  what the preset has
quality        constant (``crf``), the encoder's own tuning

Times   of coding: frames from disk to the finished file; of decoding: the file to planes in
        memory. Opening a codec is not counted.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from upreel.errors import OptionError
from upreel.evaluation.rd import ClipFacts, RdJob
from upreel.evaluation.rd_measure import frames_in
from upreel.evaluation.vmaf import write_y4m
from upreel.video.encoders import EncoderSettings, encoder_named
from upreel.video.formats import pixel_format
from upreel.video.info import SourceInfo
from upreel.video.trial import code_trial, coded_packets, lacks_encoder

__all__ = ["Coded", "Coder", "PeerCoder", "parse_peer", "peer_options", "spread"]

_RANGES: dict[str, tuple[float, float]] = {"x264": (18, 42), "x265": (18, 42), "svtav1": (20, 60)}
"""Least and largest crf of the curves, by encoder: from hardly visible to plain losses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """A file that was written.

    Attributes:
        num_bytes: of the file.
        packet_bytes: of these, packets of video.
        keyframes: in it.
        seconds: that it took.
    """

    num_bytes: int
    packet_bytes: int
    keyframes: int
    seconds: float


class Coder(Protocol):
    """One codec.

    Attributes:
        name: what tables call it.
        kind: "ours" or "peer".
        suffix: ending of its files, with the dot.
        keyint: frames from one keyframe to the next, at most.
        qualities: of its curve, on its own scale.
    """

    name: str
    kind: str
    suffix: str
    keyint: int
    qualities: tuple[float, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of it, as plain values."""
        ...

    def misfit(self, info: SourceInfo) -> str | None:
        """Why it cannot code a clip, None if it can."""
        ...

    def encode(self, source: Path, target: Path, clip: ClipFacts, quality: float) -> Coded:
        """Code a clip (y4m) into a file."""
        ...

    def decode(self, coded: Path, target: Path, clip: ClipFacts) -> float:
        """Decode a file into planes (y4m); the seconds that decoding alone took."""
        ...

    def nearest(self, quality: float) -> float:
        """The quality nearest to one, within its scale and as fine as it is."""
        ...


def spread(low: float, high: float, points: int) -> tuple[float, ...]:
    """So many numbers from one to another, at equal distances, rounded to whole ones.

    Example:
        >>> spread(0, 63, 4)
        (0.0, 21.0, 42.0, 63.0)
    """
    return tuple(float(round(low + (high - low) * n / (points - 1))) for n in range(points))


def parse_peer(name: str) -> tuple[str, str]:
    """Encoder and preset of ``ENCODER:PRESET``.

    Raises:
        OptionError: another text, encoder or preset.

    Example:
        >>> parse_peer("x265:slow")
        ('x265', 'slow')
    """
    encoder, _, preset = name.partition(":")
    if encoder not in _RANGES:
        raise OptionError(
            f"no peer {name!r}; a peer is ENCODER:PRESET, ENCODER one of {', '.join(_RANGES)}"
        )
    presets = encoder_named(encoder).presets
    if preset not in presets:
        raise OptionError(f"{encoder} has no preset {preset!r}; there are: {', '.join(presets)}")
    return encoder, preset


def peer_options(encoder: str, structure: str, keyint: int) -> dict[str, str]:
    """FFmpeg's options that bring an encoder under the conditions of this module's header.

    Args:
        encoder: x264, x265 or svtav1.
        structure: "low-delay" or "random-access".
        keyint: frames from one keyframe to the next.
    """
    low_delay = structure == "low-delay"
    if encoder == "svtav1":
        params = "pred-struct=1:lookahead=0" if low_delay else "pred-struct=2"
        return {"g": str(keyint), "svtav1-params": f"{params}:scd=0"}
    params = f"keyint={keyint}:min-keyint={keyint}:scenecut=0:open-gop=0"
    if encoder == "x264":
        params += ":bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0" if low_delay else ""
        return {"x264-params": params}
    params += ":bframes=0:b-adapt=0:rc-lookahead=0:cutree=0" if low_delay else ""
    return {"x265-params": f"{params}:info=0"}


class PeerCoder:
    """One of FFmpeg's encoders under the conditions of the job.

    Args:
        name: ``ENCODER:PRESET``.
        job: the conditions.

    Raises:
        OptionError: no such peer.
    """

    kind = "peer"
    suffix = ".mp4"

    def __init__(self, name: str, job: RdJob) -> None:
        self.name, self.keyint = name, job.keyint
        self._encoder, self._preset = parse_peer(name)
        self._options = peer_options(self._encoder, job.structure, job.keyint)
        self._threads = job.threads
        self._whole = self._encoder == "svtav1"  # it takes whole numbers alone
        self.qualities = spread(*_RANGES[self._encoder], job.points)

    @property
    def facts(self) -> dict[str, Any]:
        """Encoder and options."""
        record = encoder_named(self._encoder)
        options = " ".join(f"{key}={value}" for key, value in self._options.items())
        return {"kind": self.kind, "encoder": f"{record.library} preset={self._preset} {options}"}

    def absent(self) -> str | None:
        """Why it is not here, None if it is."""
        return lacks_encoder(self._encoder)

    def misfit(self, info: SourceInfo) -> str | None:
        """Why it cannot code a clip, None if it can."""
        record = encoder_named(self._encoder)
        reason = record.misfit(info.format, width=info.width, height=info.height)
        return reason and f"it {reason}: {Path(info.path).stem}"

    def nearest(self, quality: float) -> float:
        """The crf nearest to a number: of SVT-AV1 whole ones, of others tenths."""
        low, high = encoder_named(self._encoder).crf or (0, 63)
        rounded = round(quality) if self._whole else round(quality, 1)
        return float(min(max(rounded, low), high))

    def encode(self, source: Path, target: Path, clip: ClipFacts, quality: float) -> Coded:
        """Code a clip (y4m) into an MP4 file."""
        settings = EncoderSettings(
            encoder=self._encoder,
            format=pixel_format("yuv420p" if clip.bits == 8 else f"yuv420p{clip.bits}le"),
            width=clip.width,
            height=clip.height,
            time_base=1 / clip.rate,
            rate=clip.rate,
            crf=quality,
            preset=self._preset,
            threads=self._threads,
            options=self._options,
        )
        seconds = code_trial(target, frames_in(source), settings)
        packets = list(coded_packets(target))
        return Coded(
            num_bytes=target.stat().st_size,
            packet_bytes=sum(packet.num_bytes for packet in packets),
            keyframes=sum(packet.keyframe for packet in packets),
            seconds=seconds,
        )

    def decode(self, coded: Path, target: Path, clip: ClipFacts) -> float:
        """Decode twice: once against the clock, once to keep what comes out."""
        frames = frames_in(coded, threads=self._threads)
        started = time.perf_counter()
        for _ in frames:
            pass
        seconds = time.perf_counter() - started
        fmt = pixel_format("yuv420p" if clip.bits == 8 else f"yuv420p{clip.bits}le")
        planes = (frame.planes for frame in frames_in(coded, threads=self._threads))
        write_y4m(target, planes, fmt, clip.rate)
        return seconds
