"""`upreel decompress`: an .upv file into one that players know, or into raw planes.

    .upv -> codec -> encoder -> part; then part and the other streams -> output

The file is read twice: once for the video, once for what stands beside it. Raw planes (y4m) and
standard output take the video alone, straight through.
"""

import filecmp
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from upreel.codec.file import UpvFile
from upreel.codec.header import Arithmetic
from upreel.codec.others import carried_packet
from upreel.codec.packet import PacketType
from upreel.codec.parser import Damage, Placed
from upreel.errors import (
    DamagedError,
    ExistsError,
    OptionError,
)
from upreel.pipeline.channel import prefetched
from upreel.pipeline.coding import CodecBackend, DecompressJob, DecompressResult, DefaultCodecs
from upreel.pipeline.enhance import QUEUE_FRAMES
from upreel.pipeline.job import Progress
from upreel.pipeline.machine import cpu_count
from upreel.pipeline.sending import Receiver
from upreel.pipeline.summary import OnProgress, no_progress
from upreel.pipeline.upv_source import wanted_card
from upreel.pipeline.usage import CpuMeter, peak_memory_bytes
from upreel.pipeline.work import Work, os_errors
from upreel.video.aside import AsideFile
from upreel.video.carry import CarriedPacket
from upreel.video.containers import container_losses, output_kind
from upreel.video.encoders import EncoderSettings, choose_encoder
from upreel.video.formats import pixel_format
from upreel.video.frame import Frame
from upreel.video.info import SourceInfo, StreamInfo, Timeline
from upreel.video.join import film_cut, join
from upreel.video.restore import Restored, RestoredStreams
from upreel.video.write import PartWriter, StreamWriter, part_suffix
from upreel.zoo.codec_card import CodecCard

__all__ = ["decompress"]


def decompress(
    job: DecompressJob,
    on_progress: OnProgress | None = None,
    *,
    on_notice: Callable[[str], None] | None = None,
    backend: CodecBackend | None = None,
) -> DecompressResult:
    """Do a job. The output appears under its name when it is complete.

    Args:
        job: what to do.
        on_progress: called with how far the job is.
        on_notice: told before the work begins what will be lost or changed, one line each; these
            are in the result, too.
        backend: where codecs come from; None: cards and the engines.

    Raises:
        UpreelError: one line for the user.
    """
    backend = backend or DefaultCodecs()
    output = Path(job.output)
    with UpvFile(job.source) as file:
        card = wanted_card(job.source, job.codec, file.header, backend)
        if job.output != "-" and output.exists():
            if output.samefile(job.source):
                raise ExistsError(f"the output {output} is the source itself")
            if not job.overwrite:
                raise ExistsError(f"{output} exists; --overwrite replaces it")
        return _Run(job, file, card, backend, on_progress, on_notice).run()


def precision_notices(made: Arithmetic, precision: str) -> list[str]:
    """What to know of pictures that are decoded in another precision than the sender's."""
    if made.precision in ("", precision):
        return []
    return [
        f"made in {made.precision} and decoded in {precision}: pictures drift from those that were "
        "sent until the next keyframe"
    ]


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What went through: eight bytes a frame."""

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    last_duration: int = 0
    starts: dict[int, Fraction] = field(default_factory=dict[int, Fraction])


class _Run:
    """One run of a job."""

    def __init__(
        self,
        job: DecompressJob,
        file: UpvFile,
        card: CodecCard,
        backend: CodecBackend,
        on_progress: OnProgress | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self.job, self.file, self.card = job, file, card
        self.header = file.header
        self.tell = on_progress or no_progress
        self.device = "cpu" if job.device == "auto" else job.device
        made = file.header.arithmetic
        self.precision = job.precision if job.precision != "auto" else made.precision or "f32"
        self.exact = made.is_exactly(backend.arithmetic(self.device, self.precision))
        self.meter = CpuMeter()
        self.seen = _Seen()
        self.settings, self.raw = self._settings()
        self.notices = [*self._losses(), *precision_notices(made, self.precision)]
        if on_notice is not None:
            for notice in self.notices:
                on_notice(notice)
        header = self.header
        codec = backend.open(
            card,
            height=header.coded_height,
            width=header.coded_width,
            bits=header.bits,
            device=self.device,
            precision=self.precision,
            threads=job.threads,
            sends=False,
        )
        self.receiver = Receiver(codec, header, self.notices.append)

    def run(self) -> DecompressResult:
        if self.job.output == "-":
            num_bytes = self._to_stream(sys.stdout.buffer)
        elif self.raw:
            num_bytes = self._to_planes(Path(self.job.output))
        else:
            with Work(Path(self.job.output)) as work:
                num_bytes = self._to_file(Path(self.job.output), work)
                work.remove()
        header, frames = self.header, len(self.seen.pts)
        return DecompressResult(
            source=self.job.source,
            output=self.job.output,
            width=header.width,
            height=header.height,
            frames=frames,
            damaged_frames=self.receiver.num_damaged,
            seconds=self.meter.seconds,
            fps=frames / max(self.meter.seconds, 1e-9),
            bytes=num_bytes,
            codec=self.card.name,
            device=self.device,
            precision=self.precision,
            exact=self.exact,
            encoder="" if self.raw else self.settings.encoder,
            peak_memory_bytes=peak_memory_bytes(),
            cpu_use=self.meter.use,
            notices=tuple(dict.fromkeys(self.notices)),
        )

    def _settings(self) -> tuple[EncoderSettings, bool]:
        """How the video is written, and whether that is as raw planes."""
        job, header = self.job, self.header
        suffix = "" if job.output == "-" else Path(job.output).suffix.lower()
        asked = bool(job.encoder or job.crf is not None or job.preset or job.encoder_options)
        raw = suffix == ".y4m" or (job.output == "-" and not asked)
        if raw and asked:
            raise OptionError("y4m holds samples as they are: it takes no encoder's options")
        if not raw and suffix:
            output_kind(suffix)
        fmt = pixel_format("yuv420p" if header.bits == 8 else f"yuv420p{header.bits}le")
        encoder = choose_encoder(
            fmt,
            width=header.width,
            height=header.height,
            container="" if raw else suffix or ".mkv",
            codec="ffv1" if raw else job.encoder,  # only the settings' shape is used then
            hdr=header.hdr,
        )
        settings = EncoderSettings(
            encoder=encoder.name,
            format=fmt,
            width=header.width,
            height=header.height,
            time_base=header.time_base,
            rate=header.rate or None,
            crf=job.crf,
            preset=job.preset,
            threads=max(1, cpu_count() // 2),
            options=dict(job.encoder_options),
            colour=header.colour,
            sample_aspect_ratio=header.sample_aspect_ratio,
            hdr=header.hdr,
        )
        return settings, raw

    def _losses(self) -> list[str]:
        header = self.header
        if self.job.output != "-" and not self.raw:
            suffix = Path(self.job.output).suffix.lower()
            return container_losses(self._info(_Seen()), suffix, self.settings)
        lost = ["other streams"] * bool(header.others.template)
        lost += ["chapters"] * bool(header.chapters) + ["rotation"] * bool(header.rotation)
        where = "standard output" if self.job.output == "-" else "y4m"
        return [f"{where} cannot carry {', '.join(lost)}"] if lost else []

    def _info(self, seen: _Seen, *, cover: bool = False) -> SourceInfo:
        """The stream as `upreel.video` knows sources; it cannot open it."""
        header = self.header
        video = StreamInfo(
            index=0,
            kind="video",
            codec="upv",
            time_base=header.time_base,
            start=int(seen.pts[0]) if seen.pts else None,
            disposition=header.video_disposition,
            metadata=header.video_metadata,
        )
        others = [
            StreamInfo(
                index=number,
                kind="data",
                codec="",
                time_base=stream.time_base,
                start=round(seen.starts[number] / stream.time_base)
                if number in seen.starts
                else None,
            )
            for number, stream in enumerate(header.others.streams, 1)
        ]
        covers = StreamInfo(
            index=256, kind="video", codec="", time_base=Fraction(1), cover_art=True
        )
        return SourceInfo(
            path=self.job.source,
            container="upv",
            streams=(video, *others, *([covers] if cover else [])),
            video_index=0,
            codec="upv",
            format=self.settings.format,
            stored_format=self.settings.format.name,
            width=header.width,
            height=header.height,
            colour=header.colour,
            sample_aspect_ratio=header.sample_aspect_ratio,
            rotation=header.rotation,
            time_base=header.time_base,
            rate=header.rate or None,
            duration=None,
            num_frames=None,
            hdr=header.hdr,
            chapters=header.chapters,
            metadata=header.metadata,
            seekable=False,
        )

    def _events(self) -> Iterator[Placed | Damage]:
        """The file's packets; when the other streams begin is noted."""
        bases = [stream.time_base for stream in self.header.others.streams]
        for event in self.file.read():
            if isinstance(event, Placed) and event.packet.type is PacketType.OTHER:
                number = event.packet.stream
                if number <= len(bases):
                    time = event.packet.pts * bases[number - 1]
                    self.seen.starts.setdefault(number, time)
            yield event

    def _frames(self) -> Iterator[Frame]:
        """The frames as the receiver's thread gives them, counted."""
        total = self.file.index.num_frames or None
        received = self.receiver.frames(self._events())
        with prefetched(received, size=QUEUE_FRAMES, name="upreel-codec") as ahead:
            for frame in ahead:
                self.seen.pts.append(frame.pts)
                self.seen.last_duration = frame.duration
                yield frame
                count = len(self.seen.pts)
                fps = count / max(self.meter.seconds, 1e-9)
                self.tell(Progress(stage="decompress", done=count, total=total, fps=fps))
        if not self.seen.pts:
            raise DamagedError(f"no frame of {self.job.source} can be decoded")

    def _to_stream(self, file: BinaryIO) -> int:
        kind = "y4m" if self.raw else "matroska"
        with StreamWriter(file, self.settings, kind=kind) as writer:
            for frame in self._frames():
                writer.write(frame)
        return 0

    def _to_planes(self, output: Path) -> int:
        file = AsideFile(output)
        try:
            self._to_stream(cast("BinaryIO", file))
        except BaseException:
            file.discard()
            raise
        return file.commit()

    def _to_file(self, output: Path, work: Work) -> int:
        kind = output_kind(output.suffix)
        part = work.folder / f"part-00000{part_suffix(self.settings)}"
        with PartWriter(part, self.settings) as writer:
            for frame in self._frames():
                writer.write(frame)
        timeline = Timeline(
            pts=np.array(self.seen.pts, np.int64),
            keyframes=np.zeros(1, np.int64),
            time_base=self.header.time_base,
            last_duration=self.seen.last_duration,
            exact=True,
        )
        joined = work.folder / f"joined{output.suffix}"
        with ExitStack() as stack:
            restored = stack.enter_context(Restored(self.header.others, kind))
            info = self._info(self.seen, cover=restored.has_cover)
            count = len(timeline.pts)
            cut = film_cut(info, timeline, 0, count, kind=kind, trimmed=False)
            others = RestoredStreams(
                restored,
                self._others(),
                time_bases=[stream.time_base for stream in self.header.others.streams],
                chapters=self.header.chapters,
                shift=cut.shift,
            )
            report = join(
                joined,
                parts=[part],
                info=info,
                timeline=timeline,
                settings=self.settings,
                others=others,
                progress=lambda done, total: self.tell(
                    Progress(stage="join", done=done, total=total)
                ),
            )
        self.notices += report.notices
        with os_errors(output):
            wanted = self.job.overwrite or not output.exists()
            if not wanted and not filecmp.cmp(joined, output, shallow=False):
                raise ExistsError(f"{output} exists; --overwrite replaces it")
            joined.replace(output)
        return report.num_bytes

    def _others(self) -> Iterator[CarriedPacket]:
        for event in self.file.read():
            if isinstance(event, Placed) and event.packet.type is PacketType.OTHER:
                yield carried_packet(event.packet)
