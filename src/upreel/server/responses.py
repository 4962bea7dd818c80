"""Answers: bytes from memory or a file, with validators and ranges, sent as fast as they are read.

Of ranges, one is answered with 206 (416 where it lies outside). A request for several, or one that
is not understood, gets the whole file, as HTTP allows: a thousand of them cost no more than one.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = [
    "FOREVER",
    "MOMENT",
    "FileAnswer",
    "Readable",
    "Unsatisfiable",
    "byte_range",
    "data_answer",
    "error_answer",
    "json_answer",
]

FOREVER = "private, max-age=31536000, immutable"
"""For what never changes under its URL."""
MOMENT = "no-cache"
"""For what is asked for again each time, with its validator."""

_PIECE = 256 << 10
_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


class Unsatisfiable(Exception):  # noqa: N818 - HTTP's own word
    """A range that lies outside of the file."""


def byte_range(header: str | None, num_bytes: int) -> tuple[int, int] | None:
    """First byte and byte after the last that a Range header asks for; None: everything.

    Raises:
        Unsatisfiable: no byte of the file is in it.

    Example:
        >>> byte_range("bytes=2-5", 10), byte_range("bytes=-3", 10), byte_range("bytes=0-1,4-5", 10)
        ((2, 6), (7, 10), None)
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        count = min(int(last), num_bytes)
        if not count:
            raise Unsatisfiable
        return num_bytes - count, num_bytes
    start = int(first)
    stop = min(int(last) + 1, num_bytes) if last else num_bytes
    if last and int(last) < start:
        return None  # not a range at all
    if start >= num_bytes:
        raise Unsatisfiable
    return start, stop


class Readable(Protocol):
    """A file from which pieces are read, in a thread."""

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start` on."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAnswer:
    """A file as an answer; it is closed when the answer is over, however that ends.

    Attributes:
        file: what is sent.
        num_bytes: of it.
        media_type: of it.
        etag: its strong validator, without quotes.
        modified: seconds since 1970, None if not known.
        cache_control: for how long it may be kept.
        on_sent: told of bytes that were sent.
    """

    file: Readable
    num_bytes: int
    media_type: str
    etag: str
    modified: float | None = None
    cache_control: str = MOMENT
    on_sent: Callable[[int], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(scope, receive, send)
        finally:
            self.file.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _headers(scope)
        headers = {
            "content-type": self.media_type,
            "etag": f'"{self.etag}"',
            "accept-ranges": "bytes",
            "cache-control": self.cache_control,
        }
        if self.modified is not None:
            headers["last-modified"] = formatdate(int(self.modified), usegmt=True)
        if self._is_known(asked):
            await _send_all(send, 304, headers, b"")
            return
        try:
            wanted = byte_range(asked.get("range"), self.num_bytes) if self._same(asked) else None
        except Unsatisfiable:
            headers = {"content-range": f"bytes */{self.num_bytes}", "cache-control": MOMENT}
            await _send_all(send, 416, headers, b"")
            return
        start, stop = wanted or (0, self.num_bytes)
        if wanted is not None:
            headers["content-range"] = f"bytes {start}-{stop - 1}/{self.num_bytes}"
        headers["content-length"] = str(stop - start)
        await send(_start(206 if wanted is not None else 200, headers))
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            while start < stop and not gone.done():
                count = min(_PIECE, stop - start)
                piece = await asyncio.to_thread(self.file.read, start, count)
                if len(piece) < count:
                    return  # it became shorter: the connection is closed before all is sent
                start += count
                more = start < stop
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                if self.on_sent is not None:
                    self.on_sent(count)
        finally:
            gone.cancel()
        if not self.num_bytes:
            await send({"type": "http.response.body", "body": b""})

    def _is_known(self, asked: Mapping[str, str]) -> bool:
        """Whether the client has it already."""
        tags = asked.get("if-none-match")
        if tags is not None:
            return _matches(tags, self.etag)
        since = asked.get("if-modified-since")
        return since is not None and self._unchanged_since(since)

    def _same(self, asked: Mapping[str, str]) -> bool:
        """Whether the file is the one that the range was meant for."""
        condition = asked.get("if-range")
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return condition == f'"{self.etag}"'
        return self._unchanged_since(condition)

    def _unchanged_since(self, date: str) -> bool:
        if self.modified is None:
            return False
        try:
            return int(self.modified) <= parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError, OSError):
            return False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _matches(tags: str, etag: str) -> bool:
    return tags.strip() == "*" or f'"{etag}"' in [
        tag.strip().removeprefix("W/") for tag in tags.split(",")
    ]


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _start(status: int, headers: Mapping[str, str]) -> dict[str, object]:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


async def _send_all(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    if status != 304:
        headers["content-length"] = str(len(body))
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body})


class DataAnswer(Response):
    """Bytes from memory; 304 where the client has them already."""

    def __init__(self, data: bytes, media_type: str, cache_control: str) -> None:
        super().__init__(data, media_type=media_type)
        self._etag = hashlib.blake2b(data, digest_size=12).hexdigest()
        self.headers["etag"] = f'"{self._etag}"'
        self.headers["cache-control"] = cache_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        tags = _headers(scope).get("if-none-match")
        if tags is not None and _matches(tags, self._etag):
            kept = {name: self.headers[name] for name in ("etag", "cache-control")}
            await _send_all(send, 304, kept, b"")
            return
        await super().__call__(scope, receive, send)


def data_answer(data: bytes, media_type: str, *, cache_control: str = MOMENT) -> Response:
    """Bytes from memory, with a validator."""
    return DataAnswer(data, media_type, cache_control)


def json_answer(value: object, *, status: int = 200, cache_control: str = MOMENT) -> Response:
    """Plain values as JSON."""
    data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if status == 200:
        return data_answer(data, "application/json", cache_control=cache_control)
    return Response(data, status, {"cache-control": "no-store"}, "application/json")


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """What went wrong, in one line."""
    response = json_answer({"error": message}, status=status)
    response.headers.update(headers or {})
    return response
