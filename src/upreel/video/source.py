"""Opening a source: a file, numbered still pictures, or y4m or Matroska on standard input.

Every opening goes through here, so that what FFmpeg says becomes one line that names the source.
A pipe can be read once only: what `probe` takes from it is kept and given again to the reader.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from upreel.errors import InputError, ProbeError

__all__ = [
    "PICTURE_ENDINGS",
    "is_cover",
    "is_self_contained",
    "is_sequence",
    "open_picture",
    "open_source",
    "picture_stream",
    "sequence_files",
]

PICTURE_ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".dpx", ".exr")
"""Endings of the files that a folder's image sequence is made of."""

_SELF_CONTAINED = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,live_flv,asf,mxf,h264,hevc,m4v,obu,ivf,"
    "yuv4mpegpipe,nut,vob,rm,dv,gif,wtv"
)
_PATTERN = re.compile(r"%0?(\d*)d")


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Replay:
    """A pipe whose first bytes can be read again: recorded until `rewind(keep=False)`."""

    def __init__(self, pipe: _Readable) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._position = 0
        self._recording = True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes: first those kept from before, then those of the pipe."""
        if self._position < len(self._kept):
            end = len(self._kept) if size < 0 else self._position + size
            data = bytes(self._kept[self._position : end])
            self._position += len(data)
            if not self._recording and self._position == len(self._kept):
                self._kept.clear()
                self._position = 0
            return data
        data = self._pipe.read(size)
        if self._recording:
            self._kept += data
            self._position += len(data)
        return data

    def rewind(self, *, keep: bool) -> None:
        """Start again at the first byte; with `keep` false for the last time."""
        if not self._recording:
            raise InputError("standard input has been read already: a pipe can be read only once")
        self._position = 0
        self._recording = keep


_stdin: _Replay | None = None


def _standard_input(*, keep: bool) -> _Replay:
    global _stdin
    if _stdin is None:
        _stdin = _Replay(cast("BinaryIO", sys.stdin.buffer))
    _stdin.rewind(keep=keep)
    return _stdin


def is_sequence(path: str) -> bool:
    """Whether a path means numbered pictures: a folder, or a name with ``%06d``.

    Example:
        >>> is_sequence("shots/%06d.png"), is_sequence("-")
        (True, False)
    """
    if path == "-":
        return False
    return Path(path).is_dir() or (
        _PATTERN.search(Path(path).name) is not None and not Path(path).exists()
    )


def sequence_files(path: str) -> list[Path]:
    """The pictures of a sequence in order of their numbers.

    A folder's pictures must be of one ending; they are ordered by the last number in their names,
    then by name. A pattern's numbers may start anywhere and may have gaps.

    Raises:
        InputError: no pictures there, or several kinds of them.
    """
    place = Path(path)
    if place.is_dir():
        files = [
            item
            for item in place.iterdir()
            if item.suffix.lower() in PICTURE_ENDINGS and not item.name.startswith(".")
        ]
        endings = sorted({item.suffix.lower() for item in files})
        if not files:
            raise InputError(f"no pictures in {path}: looked for {', '.join(PICTURE_ENDINGS)}")
        if len(endings) > 1:
            raise InputError(f"{path} holds pictures of several kinds: {', '.join(endings)}")
        return sorted(files, key=lambda item: (_last_number(item.stem), item.name))
    match = _PATTERN.search(place.name)
    if match is None:
        raise InputError(f"not a folder nor a pattern such as %06d.png: {path}")
    width = int(match.group(1) or 1)
    before, after = place.name[: match.start()], place.name[match.end() :]
    name = re.compile(f"{re.escape(before)}(\\d{{{width},}}){re.escape(after)}")
    if not place.parent.is_dir():
        raise InputError(f"no such folder: {place.parent}")
    found = [(int(m.group(1)), f) for f in place.parent.iterdir() if (m := name.fullmatch(f.name))]
    if not found:
        raise InputError(f"no picture matches {path}")
    return [file for _, file in sorted(found)]


def _last_number(stem: str) -> int:
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers else -1


def open_source(path: str, *, last: bool = True) -> InputContainer:
    """Open a file or standard input for demuxing; the caller closes it.

    Args:
        path: a file, or "-".
        last: for standard input: whether this is the reading that may use its bytes up. While
            False, they are kept in memory.

    Raises:
        InputError: no such file, or not one that may be read.
        ProbeError: empty, or in no format that FFmpeg knows.
    """
    if path == "-":
        return _open(_standard_input(keep=not last), "standard input")
    place = Path(path)
    if not place.exists():
        raise InputError(f"no such file: {path}")
    if place.is_file() and place.stat().st_size == 0:
        raise ProbeError(f"{path} is empty (0 bytes)")
    return _open(path, path)


def open_picture(file: Path) -> InputContainer:
    """Open one still picture of a sequence.

    Raises:
        ProbeError: it is empty or no picture.
    """
    return open_source(str(file))


def _open(file: object, name: str) -> InputContainer:
    try:
        return av.open(file, "r", metadata_errors="replace")
    except PermissionError as error:
        raise InputError(f"{name} may not be read: permission denied") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise ProbeError(f"{name} is not a video that can be read: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).strip().splitlines()[0] if str(text).strip() else type(error).__name__


def is_self_contained(path: str) -> bool:
    """Whether a file is of a kind that holds its own pictures: no playlist, no list of files.

    What others have put into a folder may be called film.mp4 and name any file or address.
    """
    options = {"format_whitelist": _SELF_CONTAINED, "protocol_whitelist": "file"}
    try:
        av.open(path, "r", options=options, metadata_errors="replace").close()
    except (FFmpegError, OSError, ValueError):
        return False
    return True


def picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The video stream that is upscaled: the first that is not a cover and can be decoded.

    Raises:
        ProbeError: there is none; the message tells what there is.
    """
    streams = cast("Iterable[Stream]", container.streams)
    kinds: list[str] = []
    for stream in streams:
        if stream.type == "video" and not is_cover(stream):
            if getattr(stream, "codec_context", None) is not None:
                return cast("VideoStream", stream)
            kinds.append("video of an unknown codec")
        else:
            kinds.append("a cover picture" if stream.type == "video" else stream.type)
    there = ", ".join(dict.fromkeys(kinds)) or "no streams at all"
    raise ProbeError(f"{name} holds no video that can be decoded, only: {there}")


def is_cover(stream: Stream) -> bool:
    """Whether a stream is an attached picture."""
    cover = Disposition.attached_pic | Disposition.timed_thumbnails
    return bool(int(stream.disposition) & int(cover))
