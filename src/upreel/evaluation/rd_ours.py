"""Our codec in a comparison: `compress` and `decompress`, as their commands run them.

Times   of its own calls, frame by frame: with what they pack and unpack, without reading, writing
        and compiling networks. A frame that repeats the one before takes none.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Unpack

from upreel.codec.header import Arithmetic
from upreel.codec.packet import MAX_QUALITY
from upreel.evaluation.rd import ClipFacts, RdJob
from upreel.evaluation.rd_coders import Coded, spread
from upreel.pipeline.coding import (
    CodecBackend,
    CodecOptions,
    CompressJob,
    DecompressJob,
    FrameCodec,
)
from upreel.pipeline.compression import compress
from upreel.pipeline.decompression import decompress
from upreel.video.info import SourceInfo
from upreel.zoo.codec_card import CodecCard

__all__ = ["OurCoder"]

_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")
_Size = tuple[int, int, int]
_ONE_PART = Fraction(86_400)  # seconds: nothing is to be resumed


@dataclass(kw_only=True, slots=True)
class _Clock:
    """Seconds in a codec's calls."""

    seconds: float = 0.0

    def take(self) -> float:
        """What was counted since the last time."""
        taken, self.seconds = self.seconds, 0.0
        return taken

    def timed(self, function: Callable[_Given, _Got]) -> Callable[_Given, _Got]:
        """`function`, its calls counted."""

        def counted(*arguments: _Given.args, **options: _Given.kwargs) -> _Got:
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started

        return counted


class _Timed:
    """A codec whose calls are timed."""

    def __init__(self, codec: FrameCodec, clock: _Clock) -> None:
        self.send = clock.timed(codec.send)
        self.receive = clock.timed(codec.receive)
        self.planes = clock.timed(codec.planes)


@dataclass(kw_only=True)
class _TimedCodecs:
    """Codecs of another backend, opened once for a clip's size, their calls timed."""

    backend: CodecBackend
    clock: _Clock = field(default_factory=_Clock)
    opened: dict[bool, tuple[_Size, FrameCodec]] = field(
        default_factory=dict[bool, "tuple[_Size, FrameCodec]"]
    )

    def load_card(self, name: str) -> CodecCard:
        return self.backend.load_card(name)

    def precisions(self, device: str) -> tuple[str, ...]:
        return self.backend.precisions(device)

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        return self.backend.arithmetic(device, precision)

    def open(self, card: CodecCard, **options: Unpack[CodecOptions]) -> FrameCodec:
        size, sends = (options["height"], options["width"], options["bits"]), options["sends"]
        if self.opened.get(sends, (None, None))[0] != size:
            self.opened.pop(sends, None)  # before another one takes memory
            self.opened[sends] = (size, _Timed(self.backend.open(card, **options), self.clock))
        return self.opened[sends][1]


class OurCoder:
    """One of our codecs, run by `compress` and `decompress` as their commands do.

    Args:
        codec: as ``--codec`` takes it.
        job: the conditions.
        backend: where codecs come from.

    Raises:
        ModelError: there is no such codec, or it cannot be read.
    """

    kind = "ours"
    suffix = ".upv"

    def __init__(self, codec: str, job: RdJob, backend: CodecBackend) -> None:
        self._card = backend.load_card(codec)
        self.name, self.keyint = self._card.name, job.keyint
        self._codec, self._job = codec, job
        self._backend = _TimedCodecs(backend=backend)
        chosen = tuple(float(q) for q in dict.fromkeys(job.qualities))
        self.qualities = chosen or spread(0, MAX_QUALITY, job.points)

    @property
    def facts(self) -> dict[str, Any]:
        """What its card says."""
        card, job = self._card, self._job
        known: Mapping[str, Any] = {
            "summary": card.summary,
            "sha256": card.sha256,
            "steps": card.steps,
            "device": job.device,
            "precision": job.precision,
        }
        return {"kind": self.kind, **known}

    def misfit(self, info: SourceInfo) -> str | None:
        """None: it takes any size that `compress` takes, which says so itself."""
        del info
        return None

    def nearest(self, quality: float) -> float:
        """The whole number nearest to one, 0 to 63."""
        return float(min(max(round(quality), 0), MAX_QUALITY))

    def encode(self, source: Path, target: Path, clip: ClipFacts, quality: float) -> Coded:
        """Code a clip (y4m) into an .upv file."""
        del clip
        job = self._job
        self._backend.clock.take()
        done = compress(
            CompressJob(
                source=str(source),
                output=str(target),
                codec=self._codec,
                quality=round(quality),
                keyint=job.keyint,
                device=job.device,
                precision=job.precision,
                threads=job.threads,
                overwrite=True,
                part_seconds=_ONE_PART,
            ),
            backend=self._backend,
        )
        return Coded(
            num_bytes=done.bytes,
            packet_bytes=done.video_bytes,
            keyframes=done.keyframes,
            seconds=self._backend.clock.take(),
        )

    def decode(self, coded: Path, target: Path, clip: ClipFacts) -> float:
        """Decode an .upv file."""
        del clip
        job = self._job
        self._backend.clock.take()
        decompress(
            DecompressJob(
                source=str(coded),
                output=str(target),
                codec=self._codec,
                device=job.device,
                precision=job.precision,
                threads=job.threads,
                overwrite=True,
            ),
            backend=self._backend,
        )
        return self._backend.clock.take()
