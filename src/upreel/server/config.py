"""What a server is told: checked before anything is opened."""

import ipaddress
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from upreel.errors import InputError, OptionError

__all__ = ["ServeConfig", "default_cache", "is_loopback", "parse_bytes", "parse_rungs"]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LEAST_CACHE = 64 << 20
_LEAST_RUNG, _MOST_RUNG, _MOST_RUNGS = 48, 2160, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeConfig:
    """How a server runs.

    Attributes:
        sources: folders and files of the library.
        host: address to listen on.
        port: 0 for one that the system chooses.
        rungs: heights of the small versions, rising.
        token: what viewers must show, None for nothing.
        user: (name, password) that viewers may show instead, None for none.
        hosts: further names under which the server may be asked for.
        cache: folder for what is made.
        cache_bytes: of it at most.
        live: URL, device or "-" that is re-published, None for none.
        encoders: videos that are encoded at once.
        connections: open at once, at most.
        segment_seconds: least length of a segment.
        codecs: of .upv files: names of codecs, or paths of their cards.
    """

    sources: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    rungs: tuple[int, ...] = (180, 270, 360, 540)
    token: str | None = None
    user: tuple[str, str] | None = None
    hosts: tuple[str, ...] = ()
    cache: Path
    cache_bytes: int = 10 << 30
    live: str | None = None
    encoders: int = 1
    connections: int = 512
    segment_seconds: int = 4
    codecs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sources and self.live is None:
            raise OptionError("nothing to serve: give folders or videos, or --live")
        for source in self.sources:
            if not source.exists():
                raise InputError(f"no such file or folder: {source}")
        if not is_loopback(self.host) and self.token is None and self.user is None:
            raise OptionError(
                f"{self.host} can be reached from other machines: give --token or "
                "--user NAME:PASSWORD, or listen on 127.0.0.1"
            )
        if self.token is not None and (len(self.token) < 8 or not _plain(self.token)):
            raise OptionError("--token takes 8 or more letters, digits and signs without spaces")
        if self.user is not None and not (self.user[0] and len(self.user[1]) >= 8):
            raise OptionError("--user takes NAME:PASSWORD, the password of 8 or more characters")
        if self.cache_bytes < _LEAST_CACHE:
            raise OptionError(f"--cache-size must be 64M or more, not {self.cache_bytes} bytes")


def _plain(text: str) -> bool:
    return all(33 <= ord(character) < 127 for character in text)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Example:
        >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_rungs(text: str) -> tuple[int, ...]:
    """Heights from ``180,270``; empty text means none.

    Raises:
        OptionError: not whole even numbers in the range, or too many.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    heights = [int(word) if word.isascii() and word.isdigit() else -1 for word in words]
    wrong = [
        word
        for word, height in zip(words, heights, strict=True)
        if not _LEAST_RUNG <= height <= _MOST_RUNG or height % 2
    ]
    if wrong or len(words) > _MOST_RUNGS:
        raise OptionError(
            f"--rungs takes up to {_MOST_RUNGS} even heights from {_LEAST_RUNG} to {_MOST_RUNG} "
            f"such as 180,270, got {text!r}"
        )
    return tuple(sorted(set(heights)))


def parse_bytes(text: str) -> int:
    """A size such as 500M or 10G.

    Raises:
        OptionError: it is none.

    Example:
        >>> parse_bytes("10G"), parse_bytes("1.5k")
        (10737418240, 1536)
    """
    number, unit = text.strip().upper().removesuffix("B"), ""
    if number[-1:] in _UNITS:
        number, unit = number[:-1], number[-1:]
    try:
        value = float(number) * _UNITS[unit]
        return int(value)
    except (ValueError, OverflowError) as error:
        raise OptionError(f"--cache-size takes a size such as 500M or 10G, got {text!r}") from error


def default_cache() -> Path:
    """Where this system keeps what programs can make again."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "upreel" / "serve"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "upreel" / "serve"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "upreel" / "serve"
