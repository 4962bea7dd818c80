"""Reading an .upv file: its header, its index, and its packets from any keyframe on."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from upreel.codec.header import Header
from upreel.codec.index import MAX_KEYFRAMES, KeyframeIndex, unpack_index
from upreel.codec.packet import MARKER, PacketType, unpack_head
from upreel.codec.parser import Damage, Event, Parser, Placed, unpack_end, unpack_header
from upreel.codec.writer import END_BYTES
from upreel.errors import BitstreamError, InputError

__all__ = ["UpvBytes", "UpvFile"]

_CHUNK = 1 << 16


class UpvBytes(Protocol):
    """The bytes of a file that is open: a file's of Python, or those of a file elsewhere."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Read from another place: of the file (0), or from its end (2)."""
        ...

    def read(self, size: int, /) -> bytes:
        """As many bytes, fewer only at the end."""
        ...

    def read1(self, size: int, /) -> bytes:
        """Those that are there, at most so many, none only at the end."""
        ...

    def close(self) -> None:
        """Nothing is read any more."""
        ...


class UpvFile:
    """Context manager: one .upv file.

    Attributes:
        header: from the file's start, or its copy where that is damaged.
        index: where the keyframes are; empty of a far file without a sound one.
        scanned: whether the file lacks a sound index, so that it was read through for one.
        seekable: whether it can be read from elsewhere than its start.

    Args:
        path: the file.
        far: its bytes, where they are not on the disk but come one after the other; closed with
            it. They are not read through for an index.
        far_seekable: whether these can be read from anywhere.

    Raises:
        InputError: no such file, or it may not be read.
        BitstreamError: it is no .upv file, of an unknown version, or its header is damaged and
            has no sound copy.
    """

    header: Header
    index: KeyframeIndex
    scanned: bool
    seekable: bool

    def __init__(
        self, path: str | Path, *, far: UpvBytes | None = None, far_seekable: bool = False
    ) -> None:
        self._name, self._is_far = str(path), far is not None
        self.seekable = far is None or far_seekable
        place = Path(path)
        try:
            self._file: UpvBytes = place.open("rb") if far is None else far
        except FileNotFoundError as error:
            raise InputError(f"no such file: {path}") from error
        except OSError as error:
            raise InputError(f"{path} may not be read: {error.strerror}") from error
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _open(self) -> None:
        index = self._stored_index() if self.seekable else None
        header = self._first_header()
        if header is None and index is not None and index.header_offset:
            header = self._header_copy(index.header_offset)
        self.scanned = index is None and not self._is_far
        if index is None and self._is_far:
            self.seekable, index = False, KeyframeIndex()
        elif index is None:
            found, index = self._scan()
            header = header if header is not None else found
        if header is None:
            raise BitstreamError(f"{self._name} has a damaged header, and no copy of it")
        self.header, self.index = header, index

    def _events(self, offset: int) -> Iterator[Event]:
        parser = Parser(offset)
        place = offset
        while True:
            self._file.seek(place)  # other readings of this file may go on meanwhile
            data = self._file.read1(_CHUNK)
            if not data:
                yield from parser.close()
                return
            place += len(data)
            yield from parser.feed(data)

    def _first_header(self) -> Header | None:
        for event in self._events(0):
            return event if isinstance(event, Header) else None
        return None

    def _payload(self, offset: int, kind: PacketType) -> bytes | None:
        """The payload of the packet at a place, None if there is no sound one of that kind."""
        self._file.seek(offset)
        data = self._file.read(_CHUNK)
        with suppress(BitstreamError):
            head = unpack_head(data) if data.startswith(MARKER) else None
            if head is None or head.packet.type is not kind:
                return None
            if head.total > len(data):
                data += self._file.read(head.total - len(data))
            return head.with_payload(data).payload
        return None

    def _stored_index(self) -> KeyframeIndex | None:
        size = self._file.seek(0, 2)
        if size < END_BYTES:
            return None
        end = self._payload(size - END_BYTES, PacketType.END)
        with suppress(BitstreamError):
            offset = unpack_end(end) if end is not None else 0
            if not 0 < offset < size:
                return None
            payload = self._payload(offset, PacketType.INDEX)
            index = unpack_index(payload) if payload is not None else None
            if index is not None and all(place < size for place in index.offsets[-1:]):
                return index
        return None

    def _header_copy(self, offset: int) -> Header | None:
        payload = self._payload(offset, PacketType.HEADER)
        with suppress(BitstreamError):
            return unpack_header(payload) if payload is not None else None
        return None

    def _scan(self) -> tuple[Header | None, KeyframeIndex]:
        header: Header | None = None
        times: list[int] = []
        offsets: list[int] = []
        num_frames = end_pts = 0
        for event in self._events(0):
            if isinstance(event, Header):
                header = header if header is not None else event
            if not isinstance(event, Placed) or not event.packet.type.is_video:
                continue
            packet = event.packet
            end = packet.pts + packet.duration
            end_pts = max(end_pts, end) if num_frames else end
            num_frames += 1
            rises = not times or packet.pts > times[-1]
            if packet.type is PacketType.VIDEO_KEY and rises and len(times) < MAX_KEYFRAMES:
                times.append(packet.pts)
                offsets.append(event.offset)
        index = KeyframeIndex(
            pts=tuple(times), offsets=tuple(offsets), num_frames=num_frames, end_pts=end_pts
        )
        return header, index

    def read(self, pts: int | None = None) -> Iterator[Placed | Damage]:
        """The packets and damages from a keyframe on.

        Args:
            pts: ticks: the last keyframe at or before it is the first frame given (if there is
                none, the first keyframe); None to read from the start.
        """
        offset = 0
        place = self.index.before(pts) if pts is not None else None
        if place is not None:
            offset = self._checked(place)
        for event in self._events(offset):
            if isinstance(event, Placed | Damage):
                yield event

    def _checked(self, place: int) -> int:
        """Offset of a keyframe; where another packet stands there, of the last sound one before."""
        for number in range(place, -1, -1):
            offset, pts = self.index.offsets[number], self.index.pts[number]
            self._file.seek(offset)
            data = self._file.read(64)
            with suppress(BitstreamError):
                head = unpack_head(data) if data.startswith(MARKER) else None
                packet = head.packet if head is not None else None
                if packet and packet.type is PacketType.VIDEO_KEY and packet.pts == pts:
                    return offset
        return 0
