"""Many clients, slow ones, silent ones: none holds up another, none stays for ever."""

import asyncio
import select
import socket
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from clips import write_clip
from serving import WAIT, Running

from upreel.server.run import GuardedProtocol

Start = Callable[..., Running]


@contextmanager
def connected(
    server: Running, request: str = "", *, small: bool = False
) -> Generator[socket.socket]:
    """A connection that has sent something and reads nothing by itself."""
    with socket.socket() as client:
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(WAIT)
        client.connect((server.host, server.port))
        client.sendall(request.encode())
        yield client


def ended(client: socket.socket) -> bool:
    """Whether the server has closed or reset the connection, waiting for it."""
    try:
        while client.recv(1 << 20):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.mp4"
    with file.open("wb") as out:
        out.truncate(256 << 20)  # a hole: it takes no room
    return file


@pytest.mark.parametrize(
    "begun", ["", "GET /", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", "GET / HTTP/1.1\r\n"]
)
def test_a_request_that_never_ends_is_dropped(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    monkeypatch.setattr(GuardedProtocol, "header_seconds", 0.3)
    server = start(tmp_path)

    with connected(server, begun) as client:
        assert ended(client)


def test_headers_without_end_are_cut_off(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path)

    with connected(server, "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ") as client:
        with suppress(ConnectionError):  # it may come while we still send
            for _ in range(100):
                client.sendall(b"a" * 100_000)
        assert ended(client)


def test_a_second_request_that_never_ends_is_dropped(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "header_seconds", 0.3)
    server = start(tmp_path)
    whole = "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with connected(server, whole) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        client.sendall(whole[:20].encode())
        assert ended(client)


def test_one_who_does_not_read_is_dropped_and_holds_nobody_up(
    large: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "stall_seconds", 0.5)
    server = start(large)
    place = server.titles()["large"]["file"]
    request = f"GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with connected(server, request, small=True) as silent:
        assert server.get(place, range="bytes=0-99").status == 206
        sent = server.get("/api/metrics").json()["values"]["bytes_sent_total"]
        assert sent < 64 << 20  # the rest is not read from the disk for one who does not take it
        waiting = select.poll()
        waiting.register(silent, 0)  # reset, which is always told
        assert waiting.poll(WAIT * 1000)


def test_nothing_is_read_for_one_who_is_gone(large: Path, start: Start) -> None:
    server = start(large)
    place = server.titles()["large"]["file"]
    request = f"GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with connected(server, request, small=True) as client:
        client.recv(100)
    # The end of its answer, the cache aside, is that nothing is under way in the server's loop.
    done = asyncio.run_coroutine_threadsafe(others_done(), server.loop)
    done.result(WAIT)

    sent = server.get("/api/metrics").json()["values"]["bytes_sent_total"]
    assert sent < 64 << 20


async def others_done() -> None:
    """Waits until no answer is under way."""
    while tasks := [t for t in asyncio.all_tasks() if "run_asgi" in repr(t.get_coro())]:
        await asyncio.wait(tasks)


def test_hundred_slow_readers_do_not_slow_another(large: Path, start: Start) -> None:
    server = start(large, connections=200)
    place = server.titles()["large"]["file"]
    request = f"GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n"

    silent = [connected(server, request, small=True) for _ in range(100)]
    clients = [context.__enter__() for context in silent]
    try:
        for client in clients:
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        for _ in range(20):
            assert len(server.get(place, range="bytes=0-65535").body) == 65536
    finally:
        for context in silent:
            context.__exit__(None, None, None)


def test_too_many_connections_are_told_so(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path, connections=8)
    idle = [connected(server) for _ in range(12)]
    for context in idle:
        context.__enter__()
    try:
        assert server.get("/api/health").status == 503
    finally:
        for context in idle:
            context.__exit__(None, None, None)


def test_a_client_that_goes_away_leaves_the_work_to_the_others(
    tmp_path: Path, start: Start
) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=25, width=192, height=108)
    server = start(clip, rungs=(54,))
    place = server.tracks("a")["54p"]["playlist"].replace("index.m3u8", "0.m4s")
    request = f"GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with connected(server, request):
        pass
    answer = server.get(place)

    assert answer.status == 200
    assert server.get("/api/metrics").json()["values"]["encodings_total"] == 1


def test_many_viewers_of_one_segment_cause_one_encoding(tmp_path: Path, start: Start) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=25, width=192, height=108)
    server = start(clip, rungs=(54,))
    place = server.tracks("a")["54p"]["playlist"].replace("index.m3u8", "0.m4s")

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.get(place), range(12)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert server.get("/api/metrics").json()["values"]["encodings_total"] == 1
