"""All that the server knows of its titles, and each piece of them, found or made when asked for."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from upreel.errors import OutputError, UpreelError
from upreel.pipeline.coding import DefaultCodecs, KeptCodecs
from upreel.server.cache import Cache, Lease
from upreel.server.config import ServeConfig
from upreel.server.library import Library, Title
from upreel.server.media import Media, Track, stored_timeline
from upreel.server.metrics import Metrics
from upreel.server.work import BusyError, StoppedError, Workers
from upreel.video.info import SourceInfo

__all__ = ["PIECES", "Catalog", "State", "UnplayableError"]

_log = logging.getLogger("upreel")

PIECES = 1
"""Changes when pieces are made in another way: kept ones are then made anew."""

_KNOWN_MEDIA = 64  # titles whose times are held in memory
_KNOWN_TITLES = 20_000
T = TypeVar("T")


class UnplayableError(UpreelError):
    """A title whose file cannot be played; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What is known of a title.

    Attributes:
        word: "new": not looked at yet; "ready"; "broken".
        reason: why it is broken, "" else.
        info: of the file, None unless ready.
    """

    word: Literal["new", "ready", "broken"]
    reason: str = ""
    info: SourceInfo | None = None


class _Once(Generic[T]):
    """Results by key, each worked out once, however many ask; the last ones are kept.

    Args:
        most: results kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: OrderedDict[str, asyncio.Task[T]] = OrderedDict()

    async def get(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`; an error is kept like one, unless asking again may help."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_coroutine(work))
            self._tasks[key] = task
            task.add_done_callback(partial(self._finished, key))
        self._tasks.move_to_end(key)
        while len(self._tasks) > self._most:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    def known(self, key: str) -> "asyncio.Task[T] | None":
        """A finished piece of work, if it is."""
        task = self._tasks.get(key)
        return task if task is not None and task.done() and not task.cancelled() else None

    def _finished(self, key: str, task: "asyncio.Task[T]") -> None:
        error = None if task.cancelled() else task.exception()
        passing = isinstance(error, BusyError | StoppedError | OutputError)
        if task.cancelled() or passing or not isinstance(error, UpreelError | None):
            self._tasks.pop(key, None)


async def _coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


class Catalog:
    """The titles, their states and their pieces.

    Attributes:
        library: where titles come from.
        cache: where pieces are kept.
        light: workers that copy and look.
        encoders: workers that encode.

    Args:
        config: how the server runs.
        metrics: what is counted.

    Raises:
        LockedError: another server uses the cache.
        OutputError: the cache cannot be written to.
    """

    def __init__(self, config: ServeConfig, metrics: Metrics) -> None:
        salt = f"{PIECES} {config.segment_seconds}"
        self.library = Library(config.sources, salt=salt)
        self.cache = Cache(config.cache, config.cache_bytes)
        self.light = Workers("light", 4)
        self.encoders = Workers("encode", config.encoders, queue=64)
        self._rungs = config.rungs
        self._seconds = config.segment_seconds
        self._codecs = config.codecs
        self._backend = KeptCodecs(DefaultCodecs())
        self._metrics = metrics
        self._infos: _Once[SourceInfo] = _Once(_KNOWN_TITLES)
        self._media: _Once[Media] = _Once(_KNOWN_MEDIA)
        self._ahead: set[asyncio.Task[None]] = set()
        self._damaged: set[str] = set()  # keys of titles whose damage was told

    def close(self) -> None:
        """End all work and let another server have the cache."""
        for task in self._ahead:
            task.cancel()
        self.light.stop()
        self.encoders.stop()
        self.cache.close()

    async def titles(self) -> tuple[Title, ...]:
        """All titles in the order they are shown."""
        return await asyncio.to_thread(self.library.titles)

    async def title(self, name: str) -> Title | None:
        """The title of an id."""
        return await asyncio.to_thread(self.library.title, name)

    def state(self, title: Title) -> State:
        """What is known of a title without looking at it now."""
        key = _key(title)
        for known in (self._media.known(key), self._infos.known(key)):
            error = None if known is None else known.exception()
            if error is not None:
                return State(word="broken", reason=self._reason(title, error))
        task = self._infos.known(key)
        return State(word="new") if task is None else State(word="ready", info=task.result())

    async def looked_at(self, title: Title) -> State:
        """What a title is, looking at its file if nobody has yet."""
        with suppress(UnplayableError):  # the state says so
            await self.info(title)
        return self.state(title)

    async def info(self, title: Title) -> SourceInfo:
        """What a title's file is.

        Raises:
            UnplayableError: it cannot be played.
        """
        codecs, backend = self._codecs, self._backend

        async def look() -> SourceInfo:
            return await self.light.run(partial(Media.look, title, codecs=codecs, backend=backend))

        with_reason = self._infos.get(_key(title), look)
        return await self._playable(title, with_reason)

    async def media(self, title: Title) -> Media:
        """A title ready to be sent.

        Raises:
            UnplayableError: it cannot be played.
        """
        info = await self.info(title)

        async def prepare() -> Media:
            key = f"{_key(title)}/timeline.npz"
            lease = await self.cache.fetch(key, lambda: stored_timeline(info), self.light.run)
            try:
                stored = await asyncio.to_thread(lease.read, 0, lease.num_bytes)
            finally:
                lease.close()
            return await self.light.run(
                lambda: Media.prepare(title, info, stored, rungs=self._rungs, seconds=self._seconds)
            )

        return await self._playable(title, self._media.get(_key(title), prepare))

    async def _playable(self, title: Title, work: Awaitable[T]) -> T:
        try:
            return await work
        except (BusyError, StoppedError, OutputError):  # not the title's fault
            raise
        except UpreelError as error:
            self._metrics.failures += 1
            raise UnplayableError(self._reason(title, error)) from error

    def _reason(self, title: Title, error: BaseException) -> str:
        """A message without the place where the library lies."""
        text = str(error)
        for place in (str(title.path), str(title.root)):
            text = text.replace(place, title.name)
        return text.encode("utf-8", "replace").decode()

    async def init(self, media: Media, track: Track) -> Lease:
        """The init segment of a rendition."""
        return await self._piece(media, track, "init.mp4", lambda: media.init(track), self.light)

    async def segment(self, media: Media, track: Track, number: int) -> Lease:
        """A media segment; the next one of an encoded rendition is begun if nobody waits."""
        lease = await self._segment(media, track, number)
        if number + 1 < len(media.cutting.stretches) and track.settings is not None:
            self._begin(media, track, number + 1)
        return lease

    async def _segment(self, media: Media, track: Track, number: int) -> Lease:
        workers = self.encoders if track.settings is not None else self.light
        make = partial(media.segment, track, number, workers.check)
        return await self._piece(media, track, f"{number}.m4s", make, workers)

    def _begin(self, media: Media, track: Track, number: int) -> None:
        held = self.cache.holds(f"{_key(media.title)}/{track.name}/{number}.m4s")
        if held or not self.encoders.is_idle:
            return

        async def ahead() -> None:
            with suppress(UpreelError):  # whoever asks for it is told
                (await self._segment(media, track, number)).close()

        task = asyncio.ensure_future(ahead())
        self._ahead.add(task)
        task.add_done_callback(self._ahead.discard)

    async def text(self, media: Media, track: Track, *, hls: bool) -> Lease:
        """Subtitles as WebVTT."""
        name = "words.vtt" if hls else "file.vtt"

        def make() -> bytes:
            return media.text(track, hls=hls).encode()

        return await self._piece(media, track, name, make, self.light)

    async def _piece(
        self, media: Media, track: Track, name: str, make: Callable[[], bytes], workers: Workers
    ) -> Lease:
        key = f"{_key(media.title)}/{track.name}/{name}"
        fetched = self.cache.fetch(key, make, workers.run)
        try:
            return await self._playable(media.title, fetched)
        finally:
            self._tell_damage(media.title, media.info)

    def _tell_damage(self, title: Title, info: SourceInfo) -> None:
        """Log, once for each version of a title, that frames of it are lost."""
        key = _key(title)
        if info.foreign is None or not info.foreign.num_damaged or key in self._damaged:
            return
        self._damaged.add(key)
        name = f"{title.folder}/{title.name}" if title.folder else title.name
        _log.warning(
            "%s is damaged: frames that cannot be decoded are shown as the ones before", name
        )

    async def poster(self, title: Title) -> Lease:
        """A poster as JPEG."""
        info = await self.info(title)
        from upreel.video.poster import poster

        key = f"{_key(title)}/poster.jpg"
        make = self.cache.fetch(key, lambda: poster(info), self.light.run)
        try:
            return await self._playable(title, make)
        finally:
            self._tell_damage(title, info)


def _key(title: Title) -> str:
    return f"{title.id}-{title.version}"
