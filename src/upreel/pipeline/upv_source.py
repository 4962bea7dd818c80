"""An .upv file as a source like any other: `SourceInfo.foreign` of what reads it."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np

from upreel.codec.file import UpvFile
from upreel.codec.header import Arithmetic, Header
from upreel.codec.others import carried_packet
from upreel.codec.packet import PacketType
from upreel.codec.parser import Damage, Placed
from upreel.codec.survey import is_upv
from upreel.errors import DamagedError, InputError, ModelError, UnknownModelError
from upreel.pipeline.coding import CodecBackend, DefaultCodecs, FrameCodec
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.sending import Receiver
from upreel.video.carry import CarriedPacket
from upreel.video.formats import pixel_format
from upreel.video.frame import Frame, Plane
from upreel.video.info import SourceInfo, StreamInfo, Timeline
from upreel.video.notice import Notice
from upreel.video.payload import Carried, restored_streams
from upreel.video.probe import probe
from upreel.video.restore import CarriedSource, carried_infos
from upreel.zoo.codec_card import CodecCard

__all__ = ["LOOKED_AT", "UpvSource", "made_by", "probe_any", "probe_source", "wanted_card"]

LOOKED_AT = 1000
"""Packets in which the other streams' first times are looked for, unless asked otherwise."""

Events = Iterable[Placed | Damage]


def probe_any(
    path: str | Path,
    *,
    codec: str | None = None,
    device: str = "auto",
    threads: int = 0,
    backend: CodecBackend | None = None,
) -> SourceInfo:
    """What a file is, an .upv file among others.

    Args:
        path: as `upreel.video.probe.probe` takes it.
        codec: of .upv files: a codec's name, or the path of its card; None: what they name.
        device: that codecs run on; "auto" for the processor.
        threads: of codecs, 0 for all cores.
        backend: where codecs come from; None: cards and the engines.

    Raises:
        UpreelError: it cannot be read, or the codec is another one.
    """
    if str(path) == "-" or not is_upv(path):
        return probe(path)
    source = UpvSource(path, codec=codec, device=device, threads=threads, backend=backend)
    return source.info


def made_by(path: str | Path, codecs: Sequence[str], backend: CodecBackend) -> str | None:
    """That of some codecs by which an .upv file was made.

    Args:
        path: of the file.
        codecs: names of codecs, or paths of their cards.
        backend: where codecs come from.

    Returns:
        The first of them if none is, so that a message tells which it was made by; None without
        any.

    Raises:
        UpreelError: the file or one of the cards cannot be read.
    """
    with UpvFile(path) as file:
        wanted = file.header.model.sha256.hex()
    found = (name for name in codecs if backend.load_card(name).sha256 == wanted)
    return next(found, codecs[0] if codecs else None)


def probe_source(job: UpscaleJob) -> SourceInfo:
    """What a job's source is, an .upv file among others.

    Raises:
        UpreelError: it cannot be read, or the codec of an .upv file is another one.
    """
    return probe_any(job.source, codec=job.upv_codec, device=job.device, threads=job.threads)


def wanted_card(
    path: str | Path, codec: str | None, header: Header, backend: CodecBackend
) -> CodecCard:
    """The card of the codec that a stream was made by.

    Args:
        path: of the stream, for messages.
        codec: its name or the path of its card; None: what the stream names.
        header: of the stream.
        backend: where codecs come from.

    Raises:
        ModelError: the one that is given is another, or none of that name is there.
        InputError: pictures larger than what is coded, which no codec here gives.
    """
    model = header.model
    made = f"codec {model.name!r} (SHA-256 {model.sha256.hex()[:12]})"
    try:
        card = backend.load_card(codec or model.name)
    except UnknownModelError as error:
        if codec is not None:
            raise
        raise UnknownModelError(
            f"{path} was made by {made}: give the path of its card as --codec "
            "(of upscale, compress and evaluate: --upv-codec)"
        ) from error
    if card.sha256 != model.sha256.hex():
        raise ModelError(
            f"{path} was made by {made}, not by {card.name!r} (SHA-256 {card.sha256[:12]})"
        )
    if header.scale != 1:
        raise InputError(f"{path} wants pictures doubled, which no codec here does")
    return card


def precision_notices(made: Arithmetic, precision: str) -> tuple[str, ...]:
    """What to know of pictures that are decoded in another precision than the sender's."""
    if made.precision in ("", precision):
        return ()
    return (
        f"made in {made.precision} and decoded in {precision}: pictures drift from those that were "
        "sent until the next keyframe",
    )


class UpvSource:
    """Reads an .upv file: see `upreel.video.foreign.Foreign`.

    Attributes:
        header: of the file.
        card: of the codec that it was made by.
        device: that networks run on.
        precision: that they run in.
        notices: that it is another one than the sender's, if it is.
        info: the file as `upreel.video` knows sources; its `foreign` is this.

    Args:
        path: of the file.
        codec: a codec's name, or the path of its card; None: what the file names.
        device: that networks run on; "auto" for the processor.
        precision: "auto" for that which the file was made in, or f32 where the device lacks it;
            "f32" or "bf16".
        threads: of the networks, 0 for all cores.
        backend: where codecs come from; None: cards and the engines.
        file: it, where it is open already; it stays so.
        looked_at: packets in which the first times of the other streams are looked for.

    Raises:
        InputError: no such file, or it may not be read.
        BitstreamError: it is no .upv file, or its header is damaged and has no sound copy.
        ModelError: it was made by another codec, or none of that name is there.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        codec: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        backend: CodecBackend | None = None,
        file: UpvFile | None = None,
        looked_at: int = LOOKED_AT,
    ) -> None:
        self._path, self._threads = Path(path), threads
        self._backend = backend or DefaultCodecs()
        with UpvFile(path) if file is None else nullcontext(file) as file:
            self.header = file.header
            self.card = wanted_card(path, codec, file.header, self._backend)
            made = file.header.arithmetic.precision
            self.device = "cpu" if device == "auto" else device
            if precision == "auto":
                precision = made if made in self._backend.precisions(self.device) else "f32"
            self.precision = precision
            self.notices = precision_notices(file.header.arithmetic, precision)
            self.info = self._info(file, looked_at)
        self._timeline: Timeline | None = None
        self._damaged: set[int] = set()  # indices

    @property
    def num_damaged(self) -> int:
        """Different frames, of all that were read so far, that stand for lost ones."""
        return len(self._damaged)

    def timeline(self) -> Timeline:
        """Every frame's time; nothing is decoded.

        Raises:
            DamagedError: there are no frames.
        """
        if self._timeline is None:
            keys: set[int] = set()
            with UpvFile(self._path) as file:
                receiver = Receiver(_NoPictures(), self.header, _nobody)
                frames = [(f.pts, f.duration) for f in receiver.frames(_noted(file.read(), keys))]
            if not frames:
                raise DamagedError(f"no frame of {self._path} can be decoded")
            pts = np.array([time for time, _ in frames], np.int64)
            self._timeline = Timeline(
                pts=pts,
                keyframes=np.flatnonzero(np.isin(pts, np.array(sorted(keys), np.int64))),
                time_base=self.header.time_base,
                last_duration=frames[-1][1],
                exact=True,
            )
        return self._timeline

    def frames(
        self, timeline: Timeline, first: int, stop: int, tell: Callable[[Notice], None]
    ) -> Iterator[Frame]:
        """Frames [first, stop) of the timeline, none of them left out.

        Raises:
            DamagedError: none of them can be decoded.
        """
        for frame in self._shown(timeline, first, stop, tell):
            if frame.damaged:
                self._damaged.add(frame.index)
            yield frame

    def _shown(
        self, timeline: Timeline, first: int, stop: int, tell: Callable[[Notice], None]
    ) -> Iterator[Frame]:
        place: int = first
        last: Frame | None = None
        for frame in self._received(timeline, first, stop, tell):
            index = int(np.searchsorted(timeline.pts, frame.pts))
            while place < min(index, stop):
                yield replace(_placed(last or frame, timeline, place), damaged=True)
                place += 1
            last = frame
            if index == place and place < stop:
                yield _placed(frame, timeline, index)
                place += 1
        if last is None:
            raise DamagedError(f"no frame of {self._path} from {first} to {stop} can be decoded")
        while place < stop:
            yield replace(_placed(last, timeline, place), damaged=True)
            place += 1

    def carried(self) -> list[Carried]:
        """All streams but the video, with their packets."""
        numbers = [s.index for s in self.info.streams if s.index != self.info.video_index]
        with UpvFile(self._path) as file:
            return restored_streams(self.header.others, self.others(file), numbers)

    def open_streams(self) -> CarriedSource:
        """All streams but the video, to be read.

        Raises:
            BitstreamError: their template is damaged.
        """
        others = self.header.others
        return CarriedSource(others, self._others_from, chapters=self.header.chapters)

    def _others_from(self, start: Fraction | None) -> Generator[CarriedPacket]:
        """The other streams' packets from a keyframe at or before a time (seconds) on."""
        pts = None if start is None else floor(start / self.header.time_base)
        with UpvFile(self._path) as file:
            yield from self.others(file, pts)

    def identity(self) -> Mapping[str, str]:
        """What decides its frames beside the file: codec, device, precision, engine."""
        engine = self._backend.arithmetic(self.device, self.precision).engine
        return {
            "codec": f"{self.card.name} {self.card.sha256}",
            "decoding": f"{engine} on {self.device} in {self.precision}",
        }

    @staticmethod
    def others(file: UpvFile, pts: int | None = None) -> Iterator[CarriedPacket]:
        """The packets of a file's other streams, those from `UpvFile.read` of a time on."""
        for event in file.read(pts):
            if isinstance(event, Placed) and event.packet.type is PacketType.OTHER:
                yield carried_packet(event.packet)

    def _received(
        self, timeline: Timeline, first: int, stop: int, tell: Callable[[Notice], None]
    ) -> Iterator[Frame]:
        """The receiver's frames from the last sound keyframe before a frame on."""
        codec = self.open_codec()

        def told(text: str) -> None:
            tell(Notice(kind="damaged", text=text))

        end = int(timeline.pts[stop - 1])
        with UpvFile(self._path) as file:
            for key in (*reversed(timeline.keyframes[timeline.keyframes <= first]), None):
                pts = None if key is None or not key else int(timeline.pts[key])
                receiver = Receiver(codec, self.header, told)
                frames = receiver.frames(_until(file.read(pts), end))
                head = next(frames, None)
                if pts is not None and (head is None or head.pts != pts):
                    continue  # the stream shows another frame there, which is further back
                if head is not None:
                    yield head
                yield from frames
                return

    def open_codec(self) -> FrameCodec:
        """The codec, opened for the size of its frames, to receive."""
        header = self.header
        return self._backend.open(
            self.card,
            height=header.coded_height,
            width=header.coded_width,
            bits=header.bits,
            device=self.device,
            precision=self.precision,
            threads=self._threads,
            sends=False,
        )

    def _info(self, file: UpvFile, looked_at: int) -> SourceInfo:
        header = self.header
        start, starts = _starts(file, looked_at)
        place = header.others.video_place
        numbers = {s.template_index: n for n, s in enumerate(header.others.streams, 1)}
        streams: list[StreamInfo] = []
        for index, stream in enumerate(carried_infos(header.others)):
            number = numbers.get(index, 0)
            base = header.others.streams[number - 1].time_base if number else stream.time_base
            moved = index + (index >= place)
            streams.append(replace(stream, index=moved, time_base=base, start=starts.get(number)))
        video = StreamInfo(
            index=place,
            kind="video",
            codec="upv",
            time_base=header.time_base,
            start=start,
            language=header.video_metadata.get("language", ""),
            disposition=header.video_disposition,
            metadata=header.video_metadata,
        )
        streams.insert(place, video)
        index = file.index
        length = (index.end_pts - (start or 0)) * header.time_base
        fmt = pixel_format("yuv420p" if header.bits == 8 else f"yuv420p{header.bits}le")
        return SourceInfo(
            path=str(self._path),
            container="upv",
            streams=tuple(streams),
            video_index=place,
            codec="upv",
            format=fmt,
            stored_format=fmt.name,
            width=header.width,
            height=header.height,
            colour=header.colour,
            sample_aspect_ratio=header.sample_aspect_ratio,
            rotation=header.rotation,
            time_base=header.time_base,
            rate=header.rate or None,
            duration=length if length > 0 else None,
            num_frames=index.num_frames or None,
            hdr=header.hdr,
            chapters=header.chapters,
            metadata=header.metadata,
            foreign=self,
        )


class _NoPictures:
    """A codec that takes every code, for times alone."""

    def send(self, *_: object) -> tuple[bytes, object]:
        """Not asked for: frames are only received."""
        raise AssertionError("a source is only received")

    def receive(self, *_: object) -> object:
        """Nothing."""

    def planes(self, _: object) -> tuple[Plane, ...]:
        """Some planes."""
        return (np.zeros((1, 1), np.uint8),) * 3


def _nobody(_: str) -> None:
    """Where notices go that are told when frames are read."""


def _noted(events: Events, keys: set[int]) -> Iterator[Placed | Damage]:
    for event in events:
        if isinstance(event, Placed) and event.packet.type is PacketType.VIDEO_KEY:
            keys.add(event.packet.pts)
        yield event


def _until(events: Events, end: int) -> Iterator[Placed | Damage]:
    """Events up to the first frame behind a time, which tells what came before it."""
    for event in events:
        yield event
        packet = event.packet if isinstance(event, Placed) else event.lost
        if packet is not None and packet.type.is_video and packet.pts > end:
            return


def _placed(frame: Frame, timeline: Timeline, index: int) -> Frame:
    """A frame at a place of the timeline."""
    if index + 1 < len(timeline.pts):
        duration = int(timeline.pts[index + 1] - timeline.pts[index])
    else:
        duration = timeline.last_duration
    return replace(frame, index=index, pts=int(timeline.pts[index]), duration=duration)


def _starts(file: UpvFile, looked_at: int) -> tuple[int | None, dict[int, int]]:
    """First times of the video and of each other stream, as far as they come early."""
    start: int | None = None
    starts: dict[int, int] = {}
    for count, event in enumerate(file.read()):
        if isinstance(event, Placed):
            packet = event.packet
            if packet.type is PacketType.OTHER:
                starts.setdefault(packet.stream, packet.pts)
            elif packet.type.is_video and start is None:
                start = packet.pts
        found = start is not None and len(starts) >= len(file.header.others.streams)
        if found or count >= looked_at:
            break
    return start, starts
