"""`upreel decompress`: an .upv file into one that players know, or into raw planes.

    .upv -> codec -> encoder -> parts; then parts and the other streams -> output

Parts begin at keyframes where they can, and a job that was stopped goes on behind those that are
finished. The file is read for its times first, then for the video, then for what stands beside it.
Raw planes (y4m) and standard output take the video alone, straight through.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

from upreel import __version__
from upreel.codec.file import UpvFile
from upreel.errors import ExistsError, OptionError
from upreel.pipeline.channel import prefetched
from upreel.pipeline.coding import CodecBackend, DecompressJob, DecompressResult, DefaultCodecs
from upreel.pipeline.enhance import QUEUE_FRAMES
from upreel.pipeline.job import Progress
from upreel.pipeline.machine import cpu_count
from upreel.pipeline.parts import runs_of
from upreel.pipeline.plan import Part, machine_kind, part_borders, source_identity
from upreel.pipeline.summary import Counter, OnProgress, no_progress
from upreel.pipeline.upv_source import UpvSource
from upreel.pipeline.usage import CpuMeter, peak_memory_bytes
from upreel.pipeline.work import PartDone, Work, put_in_place, save_job, stored_job
from upreel.video.aside import AsideFile
from upreel.video.containers import container_losses, output_kind
from upreel.video.encoders import EncoderSettings, choose_encoder
from upreel.video.formats import pixel_format
from upreel.video.join import film_cut, join
from upreel.video.notice import Notice, drained
from upreel.video.restore import Restored, RestoredStreams
from upreel.video.write import PartWriter, StreamWriter, part_suffix

__all__ = ["decompress"]

_VERSION = 1  # of the plan


def decompress(
    job: DecompressJob,
    on_progress: OnProgress | None = None,
    *,
    on_notice: Callable[[str], None] | None = None,
    backend: CodecBackend | None = None,
) -> DecompressResult:
    """Do a job, or go on with it where an earlier run was stopped; raw planes begin anew.

    Args:
        job: what to do.
        on_progress: called with how far the job is.
        on_notice: told before the work begins what will be lost or changed, one line each; these
            are in the result, too.
        backend: where codecs come from; None: cards and the engines.

    Raises:
        UpreelError: one line for the user; finished parts stay.
    """
    backend = backend or DefaultCodecs()
    output = Path(job.output)
    source = UpvSource(
        job.source,
        codec=job.codec,
        device=job.device,
        precision=job.precision,
        threads=job.threads,
        backend=backend,
    )
    if job.output != "-" and output.exists() and output.samefile(job.source):
        raise ExistsError(f"the output {output} is the source itself")
    return _Run(job, source, backend, on_progress, on_notice).run()


class _Run:
    """One run of a job."""

    def __init__(
        self,
        job: DecompressJob,
        source: UpvSource,
        backend: CodecBackend,
        on_progress: OnProgress | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self.job, self.source = job, source
        self.header = source.header
        self.tell = on_progress or no_progress
        self.meter = CpuMeter()
        self.here = backend.arithmetic(source.device, source.precision)
        self.settings, self.raw = self._settings()
        self.notices = [*self._losses(), *source.notices]
        if on_notice is not None:
            for notice in self.notices:
                on_notice(notice)
        self.damaged = self.resumed = 0

    def run(self) -> DecompressResult:
        self.tell(Progress(stage="scan", done=0, total=None))
        self.timeline = self.source.timeline()
        self.frames = len(self.timeline.pts)
        if self.job.output == "-":
            num_bytes = self._to_stream(sys.stdout.buffer)
        elif self.raw:
            num_bytes = self._to_planes(Path(self.job.output))
        else:
            with Work(Path(self.job.output)) as work:
                num_bytes = self._to_file(Path(self.job.output), work)
                work.remove()
        header = self.header
        return DecompressResult(
            source=self.job.source,
            output=self.job.output,
            width=header.width,
            height=header.height,
            frames=self.frames,
            resumed_frames=self.resumed,
            damaged_frames=self.damaged,
            seconds=self.meter.seconds,
            fps=self.meter.rate(self.frames - self.resumed),
            bytes=num_bytes,
            codec=self.source.card.name,
            device=self.source.device,
            precision=self.source.precision,
            exact=header.arithmetic.is_exactly(self.here),
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
            return container_losses(self.source.info, suffix, self.settings)
        lost = ["other streams"] * bool(header.others.template)
        lost += ["chapters"] * bool(header.chapters) + ["rotation"] * bool(header.rotation)
        where = "standard output" if self.job.output == "-" else "y4m"
        return [f"{where} cannot carry {', '.join(lost)}"] if lost else []

    def _to_stream(self, file: BinaryIO) -> int:
        kind = "y4m" if self.raw else "matroska"
        frames = self.source.frames(
            self.timeline, 0, self.frames, lambda notice: self.notices.append(notice.text)
        )
        with (
            StreamWriter(file, self.settings, kind=kind) as writer,
            prefetched(frames, size=QUEUE_FRAMES, name="upreel-codec") as ahead,
        ):
            counter = Counter("decompress", self.frames, self.tell)
            for frame in ahead:
                writer.write(frame)
                self.damaged += frame.damaged
                counter.frame_done()
        return 0

    def _to_planes(self, output: Path) -> int:
        if output.exists() and not self.job.overwrite:
            raise ExistsError(f"{output} exists; --overwrite replaces it")
        file = AsideFile(output)
        try:
            self._to_stream(cast("BinaryIO", file))
        except BaseException:
            file.discard()
            raise
        return file.commit()

    def _to_file(self, output: Path, work: Work) -> int:
        identity = self._identity()
        stored = stored_job(work, identity, version=_VERSION, overwrite=self.job.overwrite)
        if stored is None:
            save_job(work, identity, version=_VERSION, settings=self.settings.to_json())
        else:
            self.settings = EncoderSettings.from_json(stored["settings"])
        borders = part_borders(self.timeline, 0, self.frames, seconds=self.job.part_seconds)
        parts = [
            Part(index=index, first=first, stop=stop)
            for index, (first, stop) in enumerate(pairwise(borders))
        ]
        suffix = part_suffix(self.settings)
        done = {part.index: work.finished(part, suffix) for part in parts}
        missing = [part for part in parts if done[part.index] is None]
        finished = [record for record in done.values() if record is not None]
        self.resumed = sum(record.frames for record in finished)
        counter = Counter(
            "decompress",
            self.frames,
            self.tell,
            resumed=self.resumed,
            resumed_bytes=sum(record.bytes for record in finished),
        )
        for run in runs_of(missing):
            for part, record in self._written(run, work, suffix, counter):
                work.finish(part, record)
                counter.part_done(record.frames, record.bytes)
                done[part.index] = record
        finished = [record for record in done.values() if record is not None]
        self.damaged = sum(len(record.damaged) for record in finished)
        self.notices += [text for record in finished for text in record.notices]
        return self._join([work.part_path(part, suffix) for part in parts], output, work)

    def _written(
        self, run: list[Part], work: Work, suffix: str, counter: Counter
    ) -> Iterator[tuple[Part, PartDone]]:
        """Write parts that follow each other; each with its record."""
        notices: deque[Notice] = deque()
        frames = self.source.frames(self.timeline, run[0].first, run[-1].stop, notices.append)
        with prefetched(frames, size=QUEUE_FRAMES, name="upreel-codec") as ahead:
            for part in run:
                damaged: list[int] = []
                with PartWriter(work.part_path(part, suffix), self.settings) as writer:
                    for frame in islice(ahead, part.num_frames):
                        writer.write(frame)
                        if frame.damaged:
                            damaged.append(frame.index)
                        counter.frame_done()
                if part is run[-1]:
                    for _ in ahead:  # none: but what is told of the file comes with its end
                        pass
                yield (
                    part,
                    PartDone(
                        frames=part.num_frames,
                        bytes=writer.num_bytes,
                        damaged=tuple(damaged),
                        notices=drained(notices),
                    ),
                )

    def _identity(self) -> dict[str, Any]:
        """All that decides the output's bytes, by a name that messages can use."""
        job, source = self.job, self.source
        return {
            "version": __version__,
            "source": source_identity(source.info),
            "codec": [source.card.name, source.card.sha256],
            "device": source.device,
            "precision": source.precision,
            "engine": self.here.engine,
            "encoder": self.settings.encoder,
            "crf": job.crf,
            "preset": job.preset,
            "encoder options": dict(job.encoder_options),
            "part length": str(job.part_seconds),
            "machine": machine_kind(),
        }

    def _join(self, parts: list[Path], output: Path, work: Work) -> int:
        """Bring parts and other streams together under the output's name; returns its bytes."""
        kind = output_kind(output.suffix)
        info = self.source.info
        joined = work.folder / f"joined{output.suffix}"
        with ExitStack() as stack:
            file = stack.enter_context(UpvFile(self.job.source))
            restored = stack.enter_context(Restored(self.header.others, kind))
            cut = film_cut(info, self.timeline, 0, self.frames, kind=kind, trimmed=False)
            others = RestoredStreams(
                restored,
                UpvSource.others(file),
                time_bases=[stream.time_base for stream in self.header.others.streams],
                chapters=self.header.chapters,
                shift=cut.shift,
            )
            report = join(
                joined,
                parts=parts,
                info=info,
                timeline=self.timeline,
                settings=self.settings,
                others=others,
                progress=lambda done, total: self.tell(
                    Progress(stage="join", done=done, total=total)
                ),
            )
        self.notices += report.notices
        put_in_place(joined, output, overwrite=self.job.overwrite)
        return report.num_bytes
