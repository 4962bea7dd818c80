"""A bounded queue between two threads that carries errors and never leaves either side waiting.

The writing side ends with `close` (all is there) or `fail` (an error, raised on the reading side
after the items before it). The reading side ends early with `cancel`; the writer then gets
`Cancelled` at its next `put`.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["Cancelled", "Channel", "prefetched"]

T = TypeVar("T")

_CHECK_SECONDS = 0.5  # waits are cut up so that Ctrl-C is seen on every system


class Cancelled(Exception):  # noqa: N818 - it is a request, not an error
    """The other side of the channel has gone away."""


class Channel(Generic[T]):
    """At most `size` items on their way from one thread to another, in order."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size = }")
        self._size = size
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._cancelled = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Wait for room and add `item`.

        Raises:
            Cancelled: nobody reads any more.
        """
        with self._changed:
            self._wait(lambda: len(self._items) < self._size or self._cancelled)
            if self._cancelled:
                raise Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more items will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Say that no more items will come because of `error`, which the reader will raise."""
        with self._changed:
            self._error = error
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Say that nobody reads any more; items on their way are dropped."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Take items until the channel is closed; raise the writer's error after the last."""
        while True:
            with self._changed:
                self._wait(lambda: bool(self._items) or self._closed or self._cancelled)
                if self._cancelled:
                    raise Cancelled
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.wait(_CHECK_SECONDS)


@contextmanager
def prefetched(items: Iterable[T], *, size: int, name: str) -> Generator[Iterator[T], None, None]:
    """Draw `items` in a thread of its own, at most `size` ahead.

    Errors of `items` are raised where the iterator is read. When the block is left, early or
    not, the thread is stopped and waited for.

    Args:
        items: drawn, and closed if it is a generator, by the thread alone.
        size: items held between the two threads.
        name: of the thread.
    """
    channel: Channel[T] = Channel(size)

    def draw() -> None:
        try:
            for item in items:
                channel.put(item)
        except Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            channel.fail(error)
        else:
            channel.close()
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=draw, name=name, daemon=True)
    thread.start()
    try:
        yield iter(channel)
    finally:
        channel.cancel()
        thread.join()
