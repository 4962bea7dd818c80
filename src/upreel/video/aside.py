"""Files that appear under their name only when they are complete and on the disk."""

import errno
import os
import sys
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from upreel.errors import DiskFullError, OutputError

__all__ = ["AsideFile", "PipeFile", "Sink", "lock_file", "output_error"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def output_error(error: OSError, path: Path | str) -> OutputError:
    """What to tell a user whose output `path` could not be written."""
    if error.errno in _FULL:
        return DiskFullError(f"no room left for {path}: {os.strerror(error.errno or 0)}")
    return OutputError(f"cannot write {path}: {error.strerror or error}")


class Sink(Protocol):
    """What a muxer writes to; the first error is kept, and later writes go nowhere.

    FFmpeg may ignore a failed write, and PyAV cannot hold two errors of a callback: `check` is
    what callers rely on.
    """

    def write(self, data: bytes) -> int:
        """Take all of `data`."""
        ...

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        ...


class AsideFile:
    """A file written as ``NAME.tmp`` beside its place, renamed by `commit`.

    Args:
        path: where it is to appear.

    Raises:
        OutputError: the folder is missing or cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(path.name + ".tmp")
        self._error: OSError | None = None
        try:
            self._file = self.temporary.open("wb")
        except OSError as error:
            raise output_error(error, path) from error

    def write(self, data: bytes) -> int:
        """Take all of `data`; after an error, drop it."""
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as `io.IOBase.seek`; after an error, pretend to."""
        if self._error is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:  # the buffer is flushed first
                self._error = error
        return offset

    def tell(self) -> int:
        """The position in the file."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing: `commit` brings all to the disk."""

    def check(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            DiskFullError: there is no room left.
            OutputError: anything else that the system refused.
        """
        if self._error is not None:
            raise output_error(self._error, self.path) from self._error

    def commit(self) -> int:
        """Bring it to the disk and under its name; returns its size in bytes.

        Raises:
            DiskFullError: there is no room left; nothing remains.
            OutputError: anything else that the system refused; nothing remains.
        """
        try:
            if self._error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                size = self.temporary.stat().st_size
                self.temporary.replace(self.path)
                _sync_folder(self.path.parent)
                return size
        except OSError as error:
            self._error = error
        self.discard()
        self.check()
        raise AssertionError

    def discard(self) -> None:
        """Remove what was written."""
        try:
            self._file.close()
        except OSError:  # it cannot flush either; the descriptor is closed all the same
            self._file.close()
        self.temporary.unlink(missing_ok=True)


class PipeFile:
    """A binary file, such as stdout, that is written straight through and never moved in."""

    def __init__(self, file: BinaryIO, name: str = "the output pipe") -> None:
        self._file = file
        self._name = name
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Take all of `data`; after an error, drop it."""
        rest = memoryview(data)
        try:
            while rest and self._error is None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def check(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            OutputError: the reader of the pipe is gone, or the system refused.
        """
        if self._error is not None:
            raise output_error(self._error, self._name) from self._error

    def flush(self) -> None:
        """Push out what is buffered."""
        try:
            self._file.flush()
        except OSError as error:
            self._error = self._error or error
        self.check()


def lock_file(file: IO[bytes]) -> bool:
    """Lock a file for this process until it is closed or the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk; a system without folder descriptors needs none of it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
