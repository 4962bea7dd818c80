"""HTTP servers that break off: a stream connection by connection, a playlist that goes and comes.

Others stop sending, and keep the connection.

What a client gets depends on how often it asked, never on how long anything took.
"""

import io
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from clips import draw_frame

RATE = 25


def stretch(first: int, count: int, *, at: int = 0) -> list[bytes]:
    """Drawn pictures from a number on as MPEG-TS, the bytes of each by itself.

    Args:
        first: the number.
        count: of pictures.
        at: the first one's time, in pictures.
    """
    target = io.BytesIO()
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(RATE)}
    pieces: list[bytes] = []

    def taken() -> bytes:
        data = target.getvalue()
        target.seek(0)
        target.truncate()
        return data

    with av.open(target, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            frame = draw_frame(first + number)
            frame.pts, frame.time_base = at + number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            pieces.append(taken())
        container.mux(stream.encode(None))
    pieces[-1] += target.getvalue()
    return pieces


class _Server(ABC):
    """Answers one request a connection, each by `answer`, on a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._ended = threading.Event()
        self.num_requests = self.first_byte = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else accept() waits on
        self._listener.close()
        self._thread.join(20)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                data = b""
                while b"\r\n\r\n" not in data:
                    more = connection.recv(4096)
                    if not more:
                        break
                    data += more
                if data:
                    self.num_requests += 1
                    found = re.search(rb"(?i)\r\nrange: *bytes=(\d+)-", data)
                    self.first_byte = int(found[1]) if found else 0
                    self.answer(connection, data.split()[1].decode())

    @abstractmethod
    def answer(self, connection: socket.socket, path: str) -> None:
        """Send what is asked for."""


class BreakingStream(_Server):
    """A live stream that breaks off.

    Args:
        stretches: what each connection gets, one after the other, at `RATE`; none: it is refused,
            and so are those behind the last.
    """

    def __init__(self, *stretches: Sequence[bytes]) -> None:
        super().__init__()
        self._stretches = list(stretches)
        self.url = f"{self.address}/camera"

    def answer(self, connection: socket.socket, path: str) -> None:
        del path
        pieces = self._stretches.pop(0) if self._stretches else ()
        if not pieces:
            connection.sendall(b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        first = time.monotonic()
        for number, data in enumerate(pieces):
            self._ended.wait(max(first + number / RATE - time.monotonic(), 0))
            connection.sendall(data)


class BreakingPlaylist(_Server):
    """HLS that is away for a while.

    Args:
        before: segments of a second each, until it is away.
        after: that follow them, once it is back.
        away: requests for the playlist that are refused, before it is there once more.
    """

    def __init__(self, before: Sequence[bytes], after: Sequence[bytes], *, away: int) -> None:
        super().__init__()
        self._segments = [*before, *after]
        self._before = len(before)
        self._num_asked = 0
        self._away = away
        self.url = f"{self.address}/live.m3u8"

    def answer(self, connection: socket.socket, path: str) -> None:
        body = b""
        if path.endswith(".m3u8"):
            self._num_asked += 1
            back = self._num_asked == 2 + self._away
            if self._num_asked == 1 or back:
                first, last = (self._before, len(self._segments)) if back else (0, self._before)
                names = "".join(f"#EXTINF:1.0,\n{n}.ts\n" for n in range(first, last))
                body = (
                    f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
                    f"#EXT-X-MEDIA-SEQUENCE:{first}\n{names}"
                ).encode()
        else:
            body = self._segments[int(path.strip("/").removesuffix(".ts"))]
        kind = b"200 OK" if body else b"503 Away"
        length = str(len(body)).encode()
        connection.sendall(
            b"HTTP/1.1 " + kind + b"\r\nConnection: close\r\nContent-Length: " + length
            + b"\r\n\r\n" + body
        )  # fmt: skip


class Stalling(_Server):
    """Sends the beginnings of what it has, then nothing more; connections stay open.

    Args:
        parts: for each path what is sent of its body, and how many bytes that is said to have;
            None: not even an answer is sent.

    Attributes:
        stalls: set once it has sent all of a part that lacks something.
    """

    def __init__(self, parts: Mapping[str, tuple[bytes, int] | None]) -> None:
        super().__init__()
        self._parts = parts
        self.stalls = threading.Event()

    def answer(self, connection: socket.socket, path: str) -> None:
        part = self._parts[path]
        if part is not None:
            body, length = part
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode() + body)
            if len(body) == length:
                return
        self.stalls.set()
        self._ended.wait(60)


def stalling_playlist() -> Stalling:
    """Live HLS of segments of a second, of which the last one comes in part."""
    segments = [b"".join(stretch(RATE * n, RATE, at=RATE * n)) for n in range(3)]
    playlist = (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
        + "".join(f"#EXTINF:1.0,\n{n}.ts\n" for n in range(3))
    ).encode()
    parts = {f"/{n}.ts": (data, len(data)) for n, data in enumerate(segments)}
    parts["/2.ts"] = (segments[2][: len(segments[2]) // 2], len(segments[2]))
    return Stalling({"/live.m3u8": (playlist, len(playlist))} | parts)


class BreakingFilm(_Server):
    """A file, by ranges, whose connection breaks off at one place.

    Args:
        data: of the file.
        breaks: at how many bytes of it.
        away: requests after that which are refused; None: all.

    Attributes:
        ranges: the first byte of each request.
    """

    def __init__(self, data: bytes, *, breaks: int, away: int | None) -> None:
        super().__init__()
        self._data, self._breaks, self._away = data, breaks, away
        self._broke = False
        self.ranges: list[int] = []

    def answer(self, connection: socket.socket, path: str) -> None:
        del path
        first, size = self.first_byte, len(self._data)
        self.ranges.append(first)
        if self._broke and (self._away is None or self._away > 0):
            self._away = None if self._away is None else self._away - 1
            connection.sendall(b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n")
            return
        breaks = not self._broke and first < self._breaks
        self._broke |= breaks
        head = (
            f"HTTP/1.1 206 Partial\r\nConnection: close\r\nAccept-Ranges: bytes\r\n"
            f"Content-Range: bytes {first}-{size - 1}/{size}\r\n"
            f"Content-Length: {size - first}\r\n\r\n"
        )
        connection.sendall(head.encode() + self._data[first : self._breaks if breaks else size])


class BreakingSegments(_Server):
    """A film as HLS, a second a segment, some of which are refused for a while.

    Args:
        segments: of the film.
        first: that is refused, and so are those behind it.
        away: until the playlist has been asked for so many times; None: for good.
    """

    def __init__(self, segments: Sequence[bytes], *, first: int, away: int | None) -> None:
        super().__init__()
        self._segments, self._first, self._away = segments, first, away
        self._num_asked = 0
        self.url = f"{self.address}/film.m3u8"

    def answer(self, connection: socket.socket, path: str) -> None:
        names = "".join(f"#EXTINF:1.0,\n{n}.ts\n" for n in range(len(self._segments)))
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-TARGETDURATION:1\n"
        body = f"{head}{names}#EXT-X-ENDLIST\n".encode()
        if path.endswith(".m3u8"):
            self._num_asked += 1
        else:
            number = int(path.strip("/").removesuffix(".ts"))
            body = self._segments[number]
            away = self._away is None or self._num_asked < self._away
            if number >= self._first and away:
                connection.sendall(b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n")
                return
        answer = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(answer.encode() + body)
