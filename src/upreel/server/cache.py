"""What was made, on the disk: each thing made once, dropped when it was longest not asked for.

Files appear under their names only when they are complete, so that a kill at any moment leaves none
that is half there. All bookkeeping is on the event loop's thread; files are touched by workers.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from upreel.errors import LockedError, OutputError
from upreel.video.aside import AsideFile, lock_file, output_error

__all__ = ["Cache", "Lease"]

Run = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Has a function done by some workers."""


@dataclass(slots=True)
class _Entry:
    num_bytes: int
    readers: int = 0


class Lease:
    """A file of the cache that is being read: it stays until `close`.

    Attributes:
        num_bytes: of the file.
    """

    def __init__(self, file: BinaryIO, num_bytes: int, on_close: Callable[[], None]) -> None:
        self.num_bytes = num_bytes
        self._file = file
        self._on_close: Callable[[], None] | None = on_close

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start` on."""
        self._file.seek(start)
        return self._file.read(count)

    def close(self) -> None:
        """Give it back; on the event loop's thread."""
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            self._file.close()
            on_close()


class Cache:
    """A folder of things that can be made again; one process may use it at a time.

    Attributes:
        hits: times that something was there.
        misses: times that something had to be made.
        evictions: files dropped to make room.

    Args:
        folder: made if it is not there.
        limit: bytes that it may hold.

    Raises:
        LockedError: another process uses it.
        OutputError: it cannot be written to.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.hits = self.misses = self.evictions = 0
        self._folder = folder / "made"
        self._limit = limit
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, asyncio.Task[None]] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("ab")
            if not lock_file(self._lock):
                self._lock.close()
                raise LockedError(f"another server uses the cache {folder}: give another --cache")
            self._take_stock()
        except OSError as error:
            raise output_error(error, folder) from error

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    @property
    def num_bytes(self) -> int:
        """Bytes that it holds."""
        return self._bytes

    @property
    def num_files(self) -> int:
        """Files that it holds."""
        return len(self._entries)

    def holds(self, key: str) -> bool:
        """Whether something is there already."""
        return key in self._entries

    async def fetch(self, key: str, make: Callable[[], bytes], run: Run) -> Lease:
        """What `make` makes, made now if it is not there; whoever asks meanwhile waits for it.

        Args:
            key: a relative path of plain names; never from a request.
            make: called by `run`, at most once at a time for a key.
            run: has it done by workers.
        """
        if key in self._entries:
            self.hits += 1
        else:
            self.misses += 1
        for _ in range(3):
            if key not in self._entries:
                await self._made(key, make, run)
            lease = await self._lease(key)
            if lease is not None:
                return lease
        raise OutputError(f"{self._folder / key} is taken away as soon as it is made")

    async def _made(self, key: str, make: Callable[[], bytes], run: Run) -> None:
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(key, make, run))
            self._making[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        await asyncio.shield(task)  # one who goes away does not end it for the others

    def _finished(self, key: str, task: asyncio.Task[None]) -> None:
        self._making.pop(key, None)
        if not task.cancelled():
            task.exception()  # those who wait are told; there may be none left

    async def _make(self, key: str, make: Callable[[], bytes], run: Run) -> None:
        path = self._folder / key

        def work() -> bytes:
            data = make()
            _write(path, data)
            return data

        data = await run(work)
        self._add(key, len(data))
        await self._make_room()

    async def _lease(self, key: str) -> Lease | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.readers += 1
        self._entries.move_to_end(key)
        try:
            file = await asyncio.to_thread(_open, self._folder / key)
        except BaseException:
            entry.readers -= 1
            raise
        if file is None or os.fstat(file.fileno()).st_size != entry.num_bytes:
            entry.readers -= 1  # someone has emptied the folder
            if file is not None:
                file.close()
            self._drop(key)
            return None

        def give_back() -> None:
            entry.readers -= 1

        return Lease(file, entry.num_bytes, give_back)

    def _add(self, key: str, num_bytes: int) -> None:
        self._drop(key)
        self._entries[key] = _Entry(num_bytes)
        self._bytes += num_bytes

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.num_bytes

    async def _make_room(self) -> None:
        """Drop what was longest not asked for and is not being read, until the rest fits."""
        newest = next(reversed(self._entries), None)
        for key in list(self._entries):
            if self._bytes <= self._limit:
                return
            entry = self._entries.get(key)
            if entry is None or entry.readers or key == newest:
                continue
            self._drop(key)
            self.evictions += 1
            await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)

    def _take_stock(self) -> None:
        """Take over what an earlier process left, but for what it had not finished."""
        found: list[tuple[int, str, int]] = []
        for path in self._folder.rglob("*"):
            if path.suffix == ".tmp":
                path.unlink(missing_ok=True)
            elif path.is_file() and not path.is_symlink():
                told = path.stat()
                key = path.relative_to(self._folder).as_posix()
                found.append((told.st_mtime_ns, key, told.st_size))
        for _, key, num_bytes in sorted(found):
            self._add(key, num_bytes)
        for key in list(self._entries):
            if self._bytes <= self._limit:
                break
            self._drop(key)
            (self._folder / key).unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = AsideFile(path)
    try:
        file.write(data)
        file.commit()
    except BaseException:
        file.discard()
        raise


def _open(path: Path) -> BinaryIO | None:
    try:
        file = path.open("rb")
        os.utime(path)  # what is asked for stays longest, also over a restart
    except FileNotFoundError:
        return None
    return file
