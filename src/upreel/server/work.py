"""Threads that do what would hold up the event loop, a bounded number of each kind."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from upreel.errors import UpreelError

__all__ = ["BusyError", "StoppedError", "Workers", "default_encoders"]

T = TypeVar("T")


class BusyError(UpreelError):
    """More work is waiting than is worth waiting for: ask again later."""


class StoppedError(UpreelError):
    """The server ends, and with it the work."""


class Workers:
    """Some threads and a queue that does not grow without end.

    Attributes:
        num_done: pieces of work done.
        seconds: spent on them.

    Args:
        name: of the threads.
        threads: how many.
        queue: pieces of work that may wait.
    """

    def __init__(self, name: str, threads: int, *, queue: int = 256) -> None:
        self.num_done = 0
        self.seconds = 0.0
        self._threads = threads
        self._most = threads + queue
        self._num_open = 0
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"upreel-{name}")

    @property
    def num_open(self) -> int:
        """Pieces of work that wait or are being done."""
        return self._num_open

    @property
    def is_idle(self) -> bool:
        """Whether a thread is free."""
        return self._num_open < self._threads

    async def run(self, work: Callable[[], T]) -> T:
        """Have it done.

        Raises:
            BusyError: too much waits already.
            StoppedError: the server ends.
        """
        if self._num_open >= self._most:
            raise BusyError(f"{self._num_open} pieces of work wait already")
        self.check()
        loop = asyncio.get_running_loop()
        self._num_open += 1
        began = loop.time()
        try:
            return await loop.run_in_executor(self._pool, self._do, work)
        finally:
            self._num_open -= 1
            self.num_done += 1
            self.seconds += loop.time() - began

    def _do(self, work: Callable[[], T]) -> T:
        self.check()
        return work()

    def check(self) -> None:
        """Raise if the server ends: to be called now and then by long work."""
        if self._stopping.is_set():
            raise StoppedError("the server is ending")

    def stop(self) -> None:
        """End: what waits is not begun, what is being done ends at its next `check`."""
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def default_encoders() -> int:
    """Videos encoded at once if nobody says: half of the processors."""
    return max((os.cpu_count() or 2) // 2, 1)
