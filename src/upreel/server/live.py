"""A live stream's last pieces in memory, and the thread that takes them from its source."""

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Literal

from upreel.errors import UpreelError
from upreel.server.playlists import LiveEntry, live_playlist
from upreel.server.work import StoppedError
from upreel.video.live import LivePiece, LiveTrack, live_pieces

__all__ = ["Live"]

LiveWord = Literal["connecting", "live", "waiting", "ended"]

_WINDOW = 8  # pieces of a rendition that are kept
_LISTED = 6  # of those, listed: the others are for who has read the list before
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds before the source is tried again


@dataclass(slots=True)
class _Rendition:
    track: LiveTrack
    entries: deque[LiveEntry] = field(default_factory=deque[LiveEntry])
    data: dict[int, bytes] = field(default_factory=dict[int, bytes])
    inits: dict[int, bytes] = field(default_factory=dict[int, bytes])
    added: int = 0
    discontinuities: int = 0


class Live:
    """One live stream.

    All of it but the thread lives on the event loop's thread.

    Attributes:
        word: what it is doing.
        reason: why it waits, "" else.
        reconnections: times that the source was opened again.

    Args:
        source: see `upreel.video.live.live_pieces`.
        rungs: heights of the small versions.
        seconds: least length of a piece.
        first_wait: seconds before the source is tried again, the first time.
    """

    def __init__(
        self,
        source: str,
        *,
        rungs: tuple[int, ...],
        seconds: int,
        first_wait: float = _FIRST_WAIT,
    ) -> None:
        self.word: LiveWord = "connecting"
        self.reason = ""
        self.reconnections = 0
        self._source = source
        self._rungs = rungs
        self._seconds = seconds
        self._longest = float(seconds)  # of any piece so far
        self._first_wait = first_wait
        self._renditions: dict[str, _Rendition] = {}
        self._next = 0  # number that the current connection's pieces begin with
        self._epoch = 0
        self._stopping = threading.Event()
        self._changed = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read the source; on the event loop's thread."""
        loop = asyncio.get_running_loop()
        # A daemon: a read that hangs in the system shall not keep the process alive.
        self._thread = threading.Thread(
            target=self._read, args=(loop,), name="upreel-live", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End reading; returns at once."""
        self._stopping.set()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StoppedError("the server is ending")

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread: read, and after an error wait and read again."""
        wait = self._first_wait
        while not self._stopping.is_set():
            reason = "the source has ended"
            began = time.monotonic()
            try:
                for piece in live_pieces(
                    self._source, rungs=self._rungs, seconds=self._seconds, check=self._check
                ):
                    _tell(loop, partial(self._add, piece))
            except StoppedError:
                return
            except UpreelError as error:
                reason = str(error)
            if self._source == "-":  # a pipe cannot be opened again
                _tell(loop, partial(self._pause, "ended", reason))
                return
            if time.monotonic() - began > _LONGEST_WAIT:
                wait = self._first_wait  # it had worked: this is a new misfortune
            _tell(loop, partial(self._pause, "waiting", reason))
            self._stopping.wait(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _pause(self, word: LiveWord, reason: str) -> None:
        self.word, self.reason = word, reason
        if word == "waiting":
            self.reconnections += 1
            self._epoch += 1
            self._next = 1 + max(
                (r.entries[-1].number for r in self._renditions.values() if r.entries),
                default=self._next - 1,
            )
        self._notify()

    def _add(self, piece: LivePiece) -> None:
        self.word, self.reason = "live", ""
        kept = self._renditions.get(piece.track.name)
        if kept is None:
            kept = self._renditions[piece.track.name] = _Rendition(piece.track)
        number = self._next + piece.number
        self._longest = max(self._longest, piece.seconds)
        entry = LiveEntry(number=number, epoch=self._epoch, seconds=piece.seconds)
        kept.entries.append(entry)
        kept.added += 1
        kept.data[number] = piece.fragment.media
        kept.inits.setdefault(self._epoch, piece.fragment.init)
        while len(kept.entries) > _WINDOW:
            gone = kept.entries.popleft()
            kept.data.pop(gone.number, None)
            if kept.entries[0].epoch != gone.epoch:
                kept.inits.pop(gone.epoch, None)
        listed = list(kept.entries)
        if len(listed) > _LISTED and listed[-_LISTED].epoch != listed[-_LISTED - 1].epoch:
            kept.discontinuities += 1
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Until something changes."""
        await self._changed.wait()

    def tracks(self) -> list[LiveTrack]:
        """Renditions that there are, video first, the largest first."""
        tracks = [rendition.track for rendition in self._renditions.values()]
        return sorted(tracks, key=lambda t: (t.kind != "video", t.name != "source", -t.height))

    @property
    def num_bytes(self) -> int:
        """Bytes of the pieces that are kept."""
        return sum(len(data) for r in self._renditions.values() for data in r.data.values())

    def master(self) -> str | None:
        """The master playlist; None while there is nothing to list."""
        tracks = self.tracks()
        videos = [track for track in tracks if track.kind == "video"]
        sounds = [track for track in tracks if track.kind == "audio"]
        if not videos:
            return None
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        if sounds:
            lines.append(
                '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,'
                f'URI="{sounds[0].name}/index.m3u8"'
            )
        for track in videos:
            codecs = ",".join(filter(None, [track.codec, *(sound.codec for sound in sounds)]))
            rate = track.peak_rate + sum(sound.peak_rate for sound in sounds)
            attributes = [f"BANDWIDTH={rate}", f"RESOLUTION={track.width}x{track.height}"]
            attributes += [f'CODECS="{codecs}"'] * bool(track.codec)
            attributes += ['AUDIO="sound"'] * bool(sounds)
            lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{track.name}/index.m3u8"]
        return "\n".join([*lines, ""])

    def playlist(self, name: str) -> str | None:
        """A rendition's playlist; None if there is no such rendition."""
        kept = self._renditions.get(name)
        if kept is None:
            return None
        listed = list(kept.entries)[-_LISTED:]
        return live_playlist(
            listed,
            sequence=kept.added - len(listed),
            longest=ceil(self._longest),
            ended=self.word == "ended",
            discontinuities=kept.discontinuities,
        )

    def init(self, name: str, epoch: int) -> bytes | None:
        """An init segment, if it is still kept."""
        kept = self._renditions.get(name)
        return None if kept is None else kept.inits.get(epoch)

    def segment(self, name: str, number: int) -> bytes | None:
        """A media segment, if it is still kept."""
        kept = self._renditions.get(name)
        return None if kept is None else kept.data.get(number)


def _tell(loop: asyncio.AbstractEventLoop, what: partial[None]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        return  # the loop has ended
