"""`upreel compress`: a video into an .upv file, resumable at its keyframes.

    [decoder thread] -> 4 frames -> codec, parts in the calling thread; then parts and the source's
    other streams -> output

A part is an .upv stream of its own, of one or more whole keyframe intervals. It ends where the
next keyframe would stand anyway, and its record holds all that the following frames' choices
depend on: a job that was stopped goes on to the same bytes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from upreel import __version__
from upreel.codec.file import UpvFile
from upreel.codec.header import MAX_SIDE, Header, ModelIdentity
from upreel.codec.others import packet_of
from upreel.codec.packet import Packet, PacketType
from upreel.codec.parser import Placed
from upreel.codec.rate import FixedQuality, QualityControl, RateControl
from upreel.codec.survey import is_upv
from upreel.codec.writer import Writer
from upreel.errors import (
    DamagedError,
    InputError,
    OptionError,
    OutputError,
)
from upreel.pipeline.channel import prefetched
from upreel.pipeline.coding import (
    DEFAULT_KEYINT,
    DEFAULT_QUALITY,
    CodecBackend,
    CompressJob,
    CompressResult,
    DefaultCodecs,
)
from upreel.pipeline.enhance import QUEUE_FRAMES
from upreel.pipeline.job import Progress
from upreel.pipeline.plan import frame_range, machine_kind, source_identity
from upreel.pipeline.planning import missing_end
from upreel.pipeline.sending import Sender
from upreel.pipeline.summary import Counter, OnProgress, no_progress
from upreel.pipeline.upv_parts import RECORD_VERSION, OpenPart, PartRecord, part_name
from upreel.pipeline.upv_source import probe_any
from upreel.pipeline.usage import CpuMeter, peak_memory_bytes
from upreel.pipeline.work import Work, put_in_place, save_job, stored_job
from upreel.video.advice import frame_rate
from upreel.video.aside import AsideFile
from upreel.video.carry import CarriedPacket, CarriedStreams, carried_packets, carry
from upreel.video.containers import output_kind
from upreel.video.fields import field_notice
from upreel.video.info import SourceInfo, Timeline
from upreel.video.join import film_cut
from upreel.video.mux import Cut
from upreel.video.notice import Notice, drained
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo.codec_card import CodecCard

__all__ = ["compress"]

_LONGEST_INTERVAL = Fraction(10)  # seconds from one keyframe to the next, unless asked otherwise


def compress(
    job: CompressJob,
    on_progress: OnProgress | None = None,
    *,
    on_notice: Callable[[str], None] | None = None,
    backend: CodecBackend | None = None,
) -> CompressResult:
    """Do a job, or go on with it where an earlier run was stopped.

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
    if job.codec is None:
        raise OptionError("no codec is bundled yet: give the path of a codec's card as --codec")
    output = Path(job.output)
    if output.suffix.lower() != ".upv":
        raise OptionError(f"compress writes .upv files, got {job.output}")
    card = backend.load_card(job.codec)
    info = _checked(job, card, backend)
    if output.exists() and output.samefile(info.path):
        raise OutputError(f"the output {output} is the source itself")
    with Work(output) as work:
        return _Run(job, info, card, work, backend, on_progress, on_notice).run()


def _checked(job: CompressJob, card: CodecCard, backend: CodecBackend) -> SourceInfo:
    """The source, if the codec takes it."""
    if job.source == "-":
        raise OptionError("compress reads a file twice: give one instead of standard input")
    info = probe_any(
        job.source,
        codec=job.upv_codec or _own_codec(job, card),
        device=job.device,
        threads=job.threads,
        backend=backend,
    )
    if info.format.name not in ("yuv420p", "yuv420p10le"):
        wanted = "yuv420p" if info.format.bits == 8 else "yuv420p10le"
        raise InputError(
            f"{info.path} is {info.stored_format}, and the codec takes 4:2:0 of 8 or 10 bits: "
            f"convert it first, as by ffmpeg -i IN -pix_fmt {wanted} -c:v ffv1 -c:a copy OUT.mkv"
        )
    if max(info.width, info.height) > MAX_SIDE:
        raise InputError(
            f"{info.path} is {info.width}x{info.height}; a side has {MAX_SIDE} samples at most"
        )
    return info


def _own_codec(job: CompressJob, card: CodecCard) -> str | None:
    """The codec that it is compressed by, if that made the source, an .upv file."""
    if not is_upv(job.source):
        return None
    with UpvFile(job.source) as file:
        return job.codec if file.header.model.sha256.hex() == card.sha256 else None


class _Run:
    """One run of a job under the lock of its folder."""

    def __init__(
        self,
        job: CompressJob,
        info: SourceInfo,
        card: CodecCard,
        work: Work,
        backend: CodecBackend,
        on_progress: OnProgress | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self.job, self.info, self.card, self.work = job, info, card, work
        self.backend = backend
        self.tell = on_progress or no_progress
        self.output = Path(job.output)
        self.device = "cpu" if job.device == "auto" else job.device
        self.arithmetic = backend.arithmetic(self.device, job.precision)
        self.meter = CpuMeter()
        self.carriage = carry(info, audio=job.audio, subtitles=job.subtitles)
        self.notices = [*_notices(info), *self.carriage.notices]
        if on_notice is not None:
            for notice in self.notices:
                on_notice(notice)

    def run(self) -> CompressResult:
        identity = self._identity()
        stored = stored_job(
            self.work, identity, version=RECORD_VERSION, overwrite=self.job.overwrite
        )
        self.tell(Progress(stage="scan", done=0, total=None))
        timeline = scan(self.info)
        first, stop = self._range(timeline)
        trimmed = self.job.start is not None or self.job.end is not None
        cut = film_cut(self.info, timeline, first, stop, kind=output_kind(".mkv"), trimmed=trimmed)
        header = self._header(timeline, cut, first, stop)
        if stored is None:
            save_job(self.work, identity, version=RECORD_VERSION)
        done = list(self._finished())
        resumed = sum(part.frames for part in done)
        if not (done and done[-1].last):
            shift = round(cut.shift / timeline.time_base)
            self._send(timeline, first, stop, header, done, shift)
        frames = sum(part.frames for part in done)
        fps = self.meter.rate(frames - resumed)
        if not frames:
            self.work.clear()
            raise DamagedError(f"no frame of {self.info.path} can be decoded")
        num_bytes = self._join(done, header, cut)
        self.work.remove()
        return self._result(
            timeline, done, num_bytes, first=first, stop=stop, resumed=resumed, fps=fps
        )

    def _identity(self) -> dict[str, Any]:
        """All that decides the output's bytes, by a name that messages can use."""
        job, foreign = self.job, self.info.foreign
        made_by = dict[str, str]() if foreign is None else dict(foreign.identity())
        return {
            "version": __version__,
            "source": source_identity(self.info),
            "codec": [self.card.name, self.card.sha256],
            "device": self.device,
            "precision": job.precision,
            "engine": self.arithmetic.engine,
            "quality": job.quality,
            "bitrate": job.bitrate,
            "keyframe interval": job.keyint,
            "start": None if job.start is None else str(job.start),
            "end": None if job.end is None else str(job.end),
            "audio": job.audio,
            "subtitles": job.subtitles,
            "part length": str(job.part_seconds),
            "machine": machine_kind(),
            **{f"source's {name}": value for name, value in made_by.items()},
        }

    def _range(self, timeline: Timeline) -> tuple[int, int]:
        """Frames [first, stop) that are wanted."""
        if not len(timeline.pts):
            raise DamagedError(f"{self.info.path} has no frames")
        first, stop = frame_range(timeline, self.job.start, self.job.end)
        if first >= stop:
            length = _seconds(timeline, 0, len(timeline.pts))
            raise OptionError(f"no frame from start to end: the source has {float(length):.3f} s")
        return first, stop

    def _header(self, timeline: Timeline, cut: Cut, first: int, stop: int) -> Header:
        info = self.info
        video = next(s for s in info.streams if s.index == info.video_index)
        rate = info.rate or frame_rate(timeline) or Fraction(0)
        try:
            return Header(
                coded_width=info.width,
                coded_height=info.height,
                width=info.width,
                height=info.height,
                bits=info.format.bits,
                colour=info.colour,
                sample_aspect_ratio=info.sample_aspect_ratio,
                rotation=info.rotation,
                time_base=info.time_base,
                rate=rate.limit_denominator(1_000_000),
                model=ModelIdentity(name=self.card.name, sha256=bytes.fromhex(self.card.sha256)),
                arithmetic=self.arithmetic,
                keyframe_interval=self.job.keyint or DEFAULT_KEYINT,
                hdr=info.hdr,
                metadata=dict(info.metadata),
                video_metadata=dict(video.metadata),
                video_disposition=video.disposition,
                chapters=_chapters(info, cut),
                others=self.carriage.streams,
            )
        except ValueError as error:
            raise InputError(f"{info.path} does not go into an .upv file: {error}") from error

    def _finished(self) -> Iterator[PartRecord]:
        """Records of the parts that are whole, up to the first one that is not."""
        number = 0
        while True:
            done = PartRecord.from_json(self.work.load(part_name(number, ".json")))
            path = self.work.folder / part_name(number, ".upv")
            if done is None or not path.exists() or path.stat().st_size != done.bytes:
                return
            yield done
            number += 1

    def _control(
        self, timeline: Timeline, first: int, stop: int, state: dict[str, Any] | None
    ) -> QualityControl:
        job = self.job
        if job.bitrate is None:
            return FixedQuality(quality=DEFAULT_QUALITY if job.quality is None else job.quality)
        return RateControl(
            job.bitrate,
            seconds=float(_seconds(timeline, first, stop)),
            num_frames=stop - first,
            keyframe_interval=job.keyint or DEFAULT_KEYINT,
            luma=self.info.width * self.info.height,
            state=state,
        )

    def _send(
        self,
        timeline: Timeline,
        first: int,
        stop: int,
        header: Header,
        done: list[PartRecord],
        shift: int,
    ) -> None:
        """Make the parts that are missing; their records are added to `done`."""
        job = self.job
        alone = replace(header, others=CarriedStreams())
        begin = done[-1].stop if done else first
        codec = self.backend.open(
            self.card,
            height=self.info.height,
            width=self.info.width,
            bits=self.info.format.bits,
            device=self.device,
            precision=job.precision,
            threads=job.threads,
            sends=True,
        )
        control = self._control(timeline, first, stop, done[-1].rate if done else None)
        sender = Sender(
            codec,
            control,
            keyint=job.keyint or DEFAULT_KEYINT,
            key_seconds=None if job.keyint else _LONGEST_INTERVAL,
        )
        notices: deque[Notice] = deque()
        frames = read_frames(
            self.info, timeline=timeline, first=begin, stop=stop, on_notice=notices.append
        )
        counter = Counter(
            "compress",
            stop - first,
            self.tell,
            resumed=sum(part.frames for part in done),
            resumed_bytes=sum(part.video_bytes for part in done),
        )
        part: OpenPart | None = None

        def finish(place: int, rate: dict[str, Any], *, last: bool) -> None:
            assert part is not None
            record = part.finish(stop=place, notices=drained(notices), rate=rate, last=last)
            self.work.save(part_name(len(done), ".json"), record.to_json())
            done.append(record)
            counter.part_done(record.frames, record.video_bytes)

        try:
            with prefetched(frames, size=QUEUE_FRAMES, name="upreel-decode") as ahead:
                place = begin
                for frame in ahead:
                    before = control.state()
                    time = frame.pts * frame.time_base
                    packet = sender.packet(replace(frame, pts=frame.pts + shift))
                    starts = packet.type is PacketType.VIDEO_KEY
                    if part and starts and time - part.first_time >= job.part_seconds:
                        finish(frame.index, before, last=False)
                        part = None
                    if part is None:
                        path = self.work.folder / part_name(len(done), ".upv")
                        part = OpenPart(path, alone, time)
                    part.write(packet, damaged=frame.damaged)
                    place = frame.index + 1
                    counter.frame_done()
            if part is not None:
                finish(place, control.state(), last=True)
                part = None
        finally:
            if part is not None:
                part.discard()

    def _join(self, done: list[PartRecord], header: Header, cut: Cut) -> int:
        """Bring parts and other streams together under the output's name; returns its bytes."""
        total = sum(part.frames for part in done)
        joined = AsideFile(self.work.folder / "joined.upv")
        bases = [stream.time_base for stream in header.others.streams]
        try:
            writer = Writer(joined, header)
            others = self._others(cut)
            head = next(others, None)
            written = 0
            for packet in self._packets(len(done)):
                time = packet.pts * header.time_base
                while head is not None and head.dts * bases[head.stream - 1] <= time:
                    writer.write(packet_of(head))
                    head = next(others, None)
                writer.write(packet)
                joined.check()
                written += 1
                self.tell(Progress(stage="join", done=written, total=total))
            while head is not None:
                writer.write(packet_of(head))
                joined.check()
                head = next(others, None)
            writer.finish()
            num_bytes = joined.commit()
        except BaseException:
            joined.discard()
            raise
        if written != total:
            raise OutputError(f"parts in {self.work.folder} have changed: run the command again")
        put_in_place(joined.path, self.output, overwrite=self.job.overwrite)
        return num_bytes

    def _others(self, cut: Cut) -> Iterator[CarriedPacket]:
        """The other streams' packets; where the source breaks off, they end with a notice."""
        try:
            for _, record in carried_packets(self.info, self.carriage, cut):
                yield record
        except DamagedError as error:
            self.notices.append(f"{self.info.path}: {error}")

    def _packets(self, num_parts: int) -> Iterator[Packet]:
        for number in range(num_parts):
            path = self.work.folder / part_name(number, ".upv")
            with UpvFile(path) as file:
                for event in file.read():
                    if not isinstance(event, Placed):
                        raise OutputError(f"{path} is damaged: remove its folder and run again")
                    yield event.packet

    def _result(
        self,
        timeline: Timeline,
        done: list[PartRecord],
        num_bytes: int,
        *,
        first: int,
        stop: int,
        resumed: int,
        fps: float,
    ) -> CompressResult:
        frames = sum(part.frames for part in done)
        repeated = sum(part.repeated for part in done)
        video_bytes = sum(part.video_bytes for part in done)
        length = float(_seconds(timeline, first, min(stop, first + frames)))
        bitrate = 8 * video_bytes / max(length, 1e-9)
        notices = [*self.notices, *(text for part in done for text in part.notices)]
        missing = missing_end(self.info, timeline)
        notices += [missing] if missing else []
        lost = stop - first - frames
        notices += [f"{lost} frames at the end cannot be decoded"] if lost else []
        wanted = self.job.bitrate
        if wanted is not None and abs(bitrate / wanted - 1) > 0.05:
            notices.append(
                f"the video takes {bitrate / 1000:.0f} kbit/s instead of {wanted / 1000:.0f}"
            )
        return CompressResult(
            source=self.job.source,
            output=str(self.output),
            width=self.info.width,
            height=self.info.height,
            frames=frames,
            keyframes=sum(part.keyframes for part in done),
            repeated_frames=repeated,
            resumed_frames=resumed,
            damaged_frames=sum(part.damaged for part in done),
            quality=sum(part.quality for part in done) / max(frames - repeated, 1),
            bitrate=bitrate,
            seconds=self.meter.seconds,
            fps=fps,
            bytes=num_bytes,
            video_bytes=video_bytes,
            codec=self.card.name,
            device=self.device,
            precision=self.job.precision,
            peak_memory_bytes=peak_memory_bytes(),
            cpu_use=self.meter.use,
            notices=tuple(dict.fromkeys(notices)),
        )


def _seconds(timeline: Timeline, first: int, stop: int) -> Fraction:
    """How long frames [first, stop) are shown."""
    after = timeline.pts[-1] + timeline.last_duration
    end = int(timeline.pts[stop] if stop < len(timeline.pts) else after)
    return (end - int(timeline.pts[first])) * timeline.time_base


def _chapters(info: SourceInfo, cut: Cut) -> tuple[tuple[Fraction, Fraction, str], ...]:
    """The source's chapters, cut and moved with the film."""
    found: list[tuple[Fraction, Fraction, str]] = []
    for start, end, title in info.chapters:
        if cut.start is not None:
            start = max(start, cut.start)
        if cut.stop is not None:
            end = min(end, cut.stop)
        if start < end or (start == end and cut.start is None and cut.stop is None):
            found.append((start + cut.shift, end + cut.shift, title))
    return tuple(found)


def _notices(info: SourceInfo) -> list[str]:
    """What will not come out as it went in."""
    fields = field_notice(info, "auto")
    notices = [] if fields is None else [fields]
    if info.telecine:
        notices.append("telecined film (repeated fields): the repetition is not undone")
    if info.hdr is not None and info.hdr.hdr10_plus:
        notices.append("HDR10+ dynamic metadata cannot be kept; HDR10 is")
    if info.hdr is not None and info.hdr.dolby_vision:
        notices.append("Dolby Vision metadata cannot be kept")
    return notices
