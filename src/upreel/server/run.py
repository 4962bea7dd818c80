"""The server as a process: a socket, an event loop, and an end that waits for nobody for long."""

import asyncio
import socket
import struct
import sys
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from upreel.errors import OutputError
from upreel.server.app import Server
from upreel.server.config import ServeConfig

__all__ = ["GuardedProtocol", "listen", "process", "serve"]

_HEADER_BYTES = 16 << 10
_OTHER_FILES = 256  # beside connections and what is sent over them
_GRACE = 3  # seconds that answers under way are given at the end


class GuardedProtocol(H11Protocol):
    """HTTP that does not wait for ever: not for a request to be whole, nor for a reader to read."""

    header_seconds = 10.0
    stall_seconds = 30.0
    _header_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore
        """A client is there: its first request is due."""
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """Something of a request came; a request that is whole is waited for no longer."""
        super().data_received(data)
        if self._answers():
            self._stop(self._header_timer)
            self._header_timer = None
        else:
            self._wait_for_request()

    def on_response_complete(self) -> None:
        """An answer is over: what has come of the next request must go on."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is None:
            self._wait_for_request()

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.stall_seconds, self._abort)

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        self._stop(self._stall_timer)
        self._stall_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop(self._header_timer)
        self._stop(self._stall_timer)
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_seconds, self._abort)

    def _abort(self) -> None:
        if not self._answers() or self.flow.write_paused:
            client: socket.socket = self.transport.get_extra_info("socket")
            reset = struct.pack("ii", 1, 0)  # what it has not read is not kept for it either
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            self.transport.abort()

    def _answers(self) -> bool:
        """Whether an answer is under way; before the first request there is no cycle."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:  # pyright: ignore[reportUnnecessaryComparison]
            return False
        return not cycle.response_complete

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def serve(config: ServeConfig, on_ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Args:
        config: how it runs.
        on_ready: told the address, once connections are taken.

    Raises:
        OutputError: the address is taken or not one of this machine's.
        LockedError: another server uses the cache.
    """
    _allow_files(2 * config.connections + _OTHER_FILES)
    with listen(config.host, config.port) as listener:
        process(config, Server(config), listener, on_ready).run(sockets=[listener])


def process(
    config: ServeConfig, server: Server, listener: socket.socket, on_ready: Callable[[str], None]
) -> uvicorn.Server:
    """What runs a server on a socket.

    Args:
        config: how it runs.
        server: what it serves.
        listener: from `listen`.
        on_ready: told the address, once connections are taken.
    """
    settings = uvicorn.Config(
        server.app,
        http=GuardedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=config.connections,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE,
    )
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{host}:{listener.getsockname()[1]}/"
    return _Announcing(settings, lambda: on_ready(address))


def _allow_files(count: int) -> None:
    """Let this process have so many files and sockets open, as far as the system lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Announcing(uvicorn.Server):
    """A server that tells when it has begun to take connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def listen(host: str, port: int) -> socket.socket:
    """A socket for `process`.

    Args:
        host: an address of this machine, or a name of it.
        port: 0 for one that the system chooses.

    Raises:
        OutputError: the address is taken or not one of this machine's.
    """
    listener: socket.socket | None = None
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot listen on {host} port {port}: {reason}") from error
    return listener
