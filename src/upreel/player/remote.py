"""A file by its HTTP address, read like one that is open: as its bytes arrive, and in ranges.

One answer at a time is read on; what lies far from it is asked for anew, where the server has
ranges. An answer that breaks off, as after a long pause, is asked for again at once.
"""

import base64
import re
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from upreel import __version__
from upreel.errors import DamagedError, InputError
from upreel.video.playback import shown_name

__all__ = ["RemoteFile", "is_remote_upv"]

_WAIT = 10.0  # seconds without a byte after which an answer is given up
_CHUNK = 1 << 16
_BEHIND = 1 << 20  # bytes read before the place that are kept
_AHEAD = 1 << 18  # bytes that are rather read through than asked for anew
_MOST_HELD = 1 << 27  # bytes kept of a file that cannot be read from elsewhere
_FAULTS = (OSError, HTTPException, ValueError)  # URLError and time-outs are among the first


def is_remote_upv(address: str) -> bool:
    """Whether an HTTP address is that of an .upv file, by its ending.

    Example:
        >>> is_remote_upv("https://example.org/a/film.upv?key=1"), is_remote_upv("rtsp://a/b.upv")
        (True, False)
    """
    scheme = address.partition("://")[0].lower()
    return scheme in ("http", "https") and urlsplit(address).path.lower().endswith(".upv")


class RemoteFile:
    """A file by its address.

    Attributes:
        name: its address, without name and password.
        seekable: whether it can be read from anywhere.
        held: keep all that is read, so that it can be read again, of a file that is not
            seekable; True at first.

    Args:
        address: beginning with http:// or https://.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, address: str) -> None:
        self.name = shown_name(address)
        self.held = True
        self.seekable = False
        self._address = address
        self._size: int | None = None
        self._mark: tuple[str | None, ...] = ()  # what tells one version from another
        self._answer: HTTPResponse | None = None
        self._kept = bytearray()  # what was read last, up to the answer's place
        self._kept_from = 0
        self._place = 0
        try:
            self._ask(0)
        except _FAULTS as error:
            raise InputError(f"{self.name} cannot be opened: {_reason(error)}") from error

    def close(self) -> None:
        """Leave the server alone."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read from another place: of the file (0), or from its end (2); nothing is asked for yet.

        Raises:
            ValueError: from the end of a file whose size is not known.
        """
        if whence == 2:
            if self._size is None:
                raise ValueError("the size is not known")
            offset += self._size
        self._place = offset
        return offset

    def read(self, size: int) -> bytes:
        """As many bytes, fewer only at the file's end.

        Raises:
            DamagedError: it breaks off.
        """
        found = bytearray()
        while len(found) < size:
            data = self.read1(size - len(found))
            if not data:
                break
            found += data
        return bytes(found)

    def read1(self, size: int) -> bytes:
        """What there is, at most so much; none only at the file's end.

        Raises:
            DamagedError: it breaks off.
        """
        if self._size is not None and self._place >= self._size:
            return b""
        self._reach()
        while self._place >= self._end:
            if not self._receive():
                return b""
        start = self._place - self._kept_from
        data = bytes(self._kept[start : start + size])
        self._place += len(data)
        return data

    @property
    def _end(self) -> int:
        return self._kept_from + len(self._kept)

    def _reach(self) -> None:
        """Have an answer that comes to the place, or has passed it a moment ago."""
        if self._kept_from <= self._place <= self._end + _AHEAD:
            return
        if not self.seekable:
            raise DamagedError(f"{self.name} can only be read from its start")
        self.close()
        self._kept.clear()
        # What stands at the end is read together.
        self._kept_from = min(self._place, max((self._size or 0) - _CHUNK, 0))

    def _receive(self) -> bool:
        """Take further bytes; False: there are no more."""
        reason = ""
        for _ in range(2 if self.seekable else 1):
            try:
                if self._answer is None:
                    self._ask(self._end)
                assert self._answer is not None
                data = self._answer.read1(_CHUNK)
            except _FAULTS as error:
                reason = _reason(error)
            else:
                if data:
                    self._keep(data)
                    return True
                if self._size is None or self._end >= self._size:
                    return False
                reason = f"{self._end} of {self._size} bytes came"
            self.close()
        raise DamagedError(f"{self.name} broke off: {reason}")

    def _keep(self, data: bytes) -> None:
        self._kept += data
        if self.held and not self.seekable:
            if len(self._kept) > _MOST_HELD:
                raise DamagedError(f"{self.name} does not begin within {_MOST_HELD >> 20} MiB")
            return
        behind = self._place - self._kept_from
        if behind > 2 * _BEHIND:
            del self._kept[: behind - _BEHIND]
            self._kept_from += behind - _BEHIND

    def _ask(self, offset: int) -> None:
        """Ask for the bytes from a place on.

        Raises:
            OSError: there is no answer, or another one than before.
            HTTPException: likewise.
        """
        answer = _asked(self._address, offset)
        first = not self._mark
        size = _size_from(answer, offset)
        length = answer.headers.get("Content-Length", "")
        mark = ("", answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
        if first:
            self._mark, self.seekable = mark, size is not None
            self._size = size if size is not None else int(length) if length.isdigit() else None
        elif size != self._size or mark != self._mark:
            answer.close()
            raise OSError("it has changed meanwhile")
        self._answer = answer


def _size_from(answer: HTTPResponse, offset: int) -> int | None:
    """The size of the file of which an answer is a range, None if it is the whole of it.

    Raises:
        OSError: it is another range.
    """
    if answer.status != 206 and not offset:
        return None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if answer.status != 206 or found is None or int(found[1]) != offset:
        answer.close()
        raise OSError("the server answers with other bytes than it was asked for")
    return int(found[2])


def _asked(address: str, offset: int) -> HTTPResponse:
    parts = urlsplit(address)
    who, _, host = parts.netloc.rpartition("@")
    place = quote(parts.path, safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?[]")
    request = Request(urlunsplit((parts.scheme, host, place, query, "")))
    request.add_header("User-Agent", f"upreel/{__version__}")
    request.add_header("Accept-Encoding", "identity")
    request.add_header("Range", f"bytes={offset}-")
    if who:  # not for the host that an answer may lead to
        secret = base64.b64encode(unquote(who).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    try:
        return cast("HTTPResponse", _opener().open(request, timeout=_WAIT))
    except HTTPError as error:
        error.close()
        raise


def _opener() -> OpenerDirector:
    """HTTP and what leads from there to HTTP: no files, no FTP."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}".rstrip()
    told = error.reason if isinstance(error, URLError) else error
    text = getattr(told, "strerror", None) or str(told)
    return str(text) or type(told).__name__
