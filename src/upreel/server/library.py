"""The videos of some folders, each under an opaque id; no name from a request is ever a path.

Files are looked for again when someone asks and the last look is some seconds old. What lies
outside of the folders, behind a symbolic link or otherwise, is not there.
"""

import base64
import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENDINGS", "Library", "Title"]

ENDINGS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg",
     ".upv", ".vob", ".ogv", ".flv", ".wmv", ".asf", ".3gp", ".mxf", ".y4m")
)  # fmt: skip
"""Of files in folders that are taken for videos, in small letters."""

_MOST_TITLES = 20_000
_DEEPEST = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """One video of the library.

    Attributes:
        id: names it in URLs, the same as long as its path is.
        version: changes when the file does.
        name: for people; always text that can be shown.
        folder: of the file within the library, "" for its top.
        path: of the file.
        root: the folder that it may not lie outside of.
        num_bytes: of the file.
        modified: time of the last change, nanoseconds since 1970.
    """

    id: str
    version: str
    name: str
    folder: str
    path: Path
    root: Path
    num_bytes: int
    modified: int

    @property
    def file_address(self) -> str:
        """Where the server gives its file; of .upv files players tell by the ending."""
        ending = ".upv" if self.path.suffix.lower() == ".upv" else ""
        return f"/titles/{self.id}/file{ending}"

    def is_current(self) -> bool:
        """Whether the file is still the one that was found, in its place."""
        try:
            found = self.path.stat()
            inside = _inside(self.path, self.root)
        except (OSError, ValueError):
            return False
        return inside and (found.st_size, found.st_mtime_ns) == (self.num_bytes, self.modified)


class Library:
    """All videos of some folders and files.

    Args:
        sources: folders, taken with all that is in them, and single files.
        salt: what versions depend on beside the files: how pieces are made.
        fresh_seconds: a look that is not older than this is not repeated.
    """

    def __init__(
        self, sources: Sequence[Path], *, salt: str = "", fresh_seconds: float = 2.0
    ) -> None:
        self._sources = [Path(os.path.realpath(source)) for source in sources]
        self._salt = salt
        self._fresh_seconds = fresh_seconds
        self._looked = -float("inf")
        self._titles: dict[str, Title] = {}
        self._lock = threading.Lock()

    def titles(self) -> tuple[Title, ...]:
        """All titles by folder and name; looks at the folders, so not for the event loop."""
        self._refresh()
        order = sorted(self._titles.values(), key=lambda t: (t.folder, t.name.casefold(), t.id))
        return tuple(order)

    def title(self, name: str) -> Title | None:
        """The title of this id, if its file is there; looks at the file."""
        found = self._titles.get(name)
        if found is None or not found.is_current():
            self._refresh()
            found = self._titles.get(name)
        return found

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked < self._fresh_seconds:
                return
            self._titles = {title.id: title for title in self._found()}
            self._looked = time.monotonic()

    def _found(self) -> Iterator[Title]:
        left = _MOST_TITLES
        for source in self._sources:
            if source.is_dir():
                paths = _videos(source, source)
                root = source
            else:
                paths, root = iter([source]), source.parent
            for path in paths:
                title = _title(path, root, self._salt)
                if title is not None:
                    yield title
                    left -= 1
                    if left <= 0:
                        return


def _videos(folder: Path, root: Path, depth: int = 0) -> Iterator[Path]:
    """Files that may be videos; hidden ones, and what links lead to outside, are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # not to be read, or gone meanwhile
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST:
                    yield from _videos(Path(entry.path), root, depth + 1)
            elif Path(entry.name).suffix.lower() in ENDINGS and (
                not entry.is_symlink() or _inside(Path(entry.path), root)
            ):
                yield Path(entry.path)
        except OSError:
            continue


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)


def _title(path: Path, root: Path, salt: str) -> Title | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
        return None
    place = os.fsencode(path)
    seen = f"{found.st_size} {found.st_mtime_ns} {found.st_ino} {salt}".encode()
    return Title(
        id=_short(place),
        version=_short(place + b"\0" + seen)[:8],
        name=_shown(path.stem) or _shown(path.name),
        folder=_shown(str(path.parent.relative_to(root)).removeprefix(".")),
        path=path,
        root=root,
        num_bytes=found.st_size,
        modified=found.st_mtime_ns,
    )


def _short(data: bytes) -> str:
    digest = hashlib.blake2b(data, digest_size=10, person=b"upreel title").digest()
    return base64.b32encode(digest).decode().lower()


def _shown(name: str) -> str:
    """A file's name as text: bytes that are none, and signs that steer terminals, replaced."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in text).strip()
