"""Running parts: one decoder feeds them all, the network and the encoder work beside it.

    [decoder thread] -> 4 frames -> windows, network (asynchronous) -> 4 frames -> [encoder thread]

Each part's pixels are a pure function of the frames it may see: its own and the context that the
card asks for. They are the same whether a part is run alone or with others.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from upreel.pipeline.backend import ReportingUpscaler
from upreel.pipeline.channel import Cancelled, Channel, prefetched
from upreel.pipeline.enhance import QUEUE_FRAMES, WindowedCard, run_network
from upreel.pipeline.plan import Part
from upreel.pipeline.work import PartDone, Work
from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Frame
from upreel.video.info import Deinterlace, SourceInfo, Timeline
from upreel.video.notice import Notice, drained
from upreel.video.read import read_frames
from upreel.video.write import ImageWriter, PartWriter

__all__ = ["Encoding", "run_parts", "runs_of"]


def runs_of(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Group parts that follow each other: each group is read straight through.

    Example:
        >>> a, b, c = (Part(index=n, first=9 * n, stop=9 * n + 9) for n in (0, 1, 3))
        >>> [[part.index for part in run] for run in runs_of([a, b, c])]
        [[0, 1], [3]]
    """
    run: list[Part] = []
    for part in parts:
        if run and run[-1].stop != part.first:
            yield run
            run = []
        run.append(part)
    if run:
        yield run


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How parts are written.

    Attributes:
        settings: of the encoder, or the shape of the pictures.
        suffix: ending of a part file, "" where a part is a folder of pictures.
        pictures: ending of the pictures, "" where there are none.
        origin: index of the frame that is picture 1.
    """

    settings: EncoderSettings
    suffix: str
    pictures: str = ""
    origin: int = 0

    @property
    def encoder(self) -> str:
        """Word for the encoder, "" where samples are stored as they are."""
        return "" if self.pictures or self.suffix == ".y4m" else self.settings.encoder


class _Sliding:
    """Overlapping stretches of one stream of frames, each frame drawn once.

    Args:
        frames: with rising indices.
        keep: frames kept for the next stretch.
    """

    def __init__(self, frames: Iterator[Frame], *, keep: int) -> None:
        self._frames = frames
        self._kept: deque[Frame] = deque(maxlen=keep)
        self._pending: Frame | None = None

    def stretch(self, first: int, stop: int) -> Iterator[Frame]:
        """Frames with an index in [first, stop), as far as there are any."""
        yield from [frame for frame in self._kept if first <= frame.index < stop]
        while True:
            frame = next(self._frames, None) if self._pending is None else self._pending
            self._pending = None
            if frame is None:
                return
            if frame.index >= stop:
                self._pending = frame
                return
            self._kept.append(frame)
            if frame.index >= first:
                yield frame
            if frame.index == stop - 1:  # the next one may not be there yet: do not wait for it
                return


class _PartSink:
    """The encoder thread: takes parts and their frames, writes one file a part.

    Leaving the block without an error waits until all is on the disk; leaving it with one drops
    the part under way.
    """

    def __init__(
        self,
        work: Work,
        encoding: Encoding,
        notices: deque[Notice],
        on_part: Callable[[PartDone], None],
    ) -> None:
        self._work = work
        self._encoding = encoding
        self._notices = notices
        self._on_part = on_part
        self._channel: Channel[Part | Frame] = Channel(QUEUE_FRAMES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="upreel-encode", daemon=True)

    def put(self, item: Part | Frame) -> None:
        """Begin a part, or add a frame to it; raises what went wrong in the thread."""
        try:
            self._channel.put(item)
        except Cancelled:
            self._thread.join()
            assert self._error is not None
            raise self._error from None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._channel.close()
        else:
            self._channel.cancel()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            items = iter(self._channel)
            item = next(items, None)
            while isinstance(item, Part):
                item = self._write(item, items)
        except Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error
            self._channel.cancel()

    def _write(self, part: Part, items: Iterator[Part | Frame]) -> Part | Frame | None:
        """Write one part; return the item after it."""
        damaged: list[int] = []
        count = num_bytes = 0
        item = next(items, None)
        if isinstance(item, Frame):  # a truncated source may leave a part without any
            path = self._work.part_path(part, self._encoding.suffix)
            with self._open(path, part) as writer:
                while isinstance(item, Frame):
                    writer.write(item)
                    count += 1
                    if item.damaged:
                        damaged.append(item.index)
                    item = next(items, None)
            num_bytes = writer.num_bytes
        done = PartDone(
            frames=count, bytes=num_bytes, damaged=tuple(damaged), notices=drained(self._notices)
        )
        self._work.finish(part, done)
        self._on_part(done)
        return item

    def _open(self, path: Path, part: Part) -> PartWriter | ImageWriter:
        encoding = self._encoding
        if not encoding.pictures:
            return PartWriter(path, encoding.settings)
        first = part.first - encoding.origin + 1
        return ImageWriter(path / f"%06d{encoding.pictures}", first=first)


def run_parts(
    parts: Sequence[Part],
    *,
    info: SourceInfo,
    timeline: Timeline,
    upscaler: ReportingUpscaler,
    card: WindowedCard,
    work: Work,
    encoding: Encoding,
    deinterlace: Deinterlace = "auto",
    on_frame: Callable[[], None] = lambda: None,
    on_part: Callable[[PartDone], None] = lambda _done: None,
) -> None:
    """Write parts that are not finished yet; those that follow each other in one reading.

    Args:
        parts: in display order.
        info: of the source.
        timeline: of the source.
        upscaler: an opened network with nothing in flight.
        card: says what the network sees.
        work: where parts are written.
        encoding: how.
        deinterlace: whether two fields are made one picture.
        on_frame: called in this thread for each frame that has left the network.
        on_part: called in the encoder thread for each part that is finished.

    Raises:
        UpreelError: whatever went wrong in any of the three threads.
    """
    past, future = card.context
    num_frames = len(timeline.pts)
    for run in runs_of(parts):
        notices: deque[Notice] = deque()
        first, stop = max(0, run[0].first - past), min(num_frames, run[-1].stop + future)
        frames = read_frames(
            info,
            timeline=timeline,
            first=first,
            stop=stop,
            deinterlace=deinterlace,
            on_notice=notices.append,
        )
        with (
            _PartSink(work, encoding, notices, on_part) as sink,
            prefetched(frames, size=QUEUE_FRAMES, name="upreel-decode") as ahead,
        ):
            sliding = _Sliding(ahead, keep=past + future)
            for part in run:
                sink.put(part)
                wanted = sliding.stretch(part.first - past, part.stop + future)
                with closing(
                    run_network(wanted, upscaler, card, first=part.first, stop=part.stop)
                ) as enlarged:
                    for frame in enlarged:
                        sink.put(frame)
                        on_frame()
            for _ in ahead:  # none: but what the reader has to say comes with its end
                pass
