"""The cache: made once, bounded, never half-written, never taken from one who reads."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from processes import ENVIRONMENT

from upreel.errors import InputError, LockedError
from upreel.server.cache import Cache, Lease


async def directly(work: Callable[[], bytes]) -> bytes:
    return work()


async def in_thread(work: Callable[[], bytes]) -> bytes:
    return await asyncio.to_thread(work)


def contents(lease: Lease) -> bytes:
    try:
        return lease.read(0, lease.num_bytes)
    finally:
        lease.close()


def run(folder: Path, work: Callable[[Cache], Awaitable[None]], limit: int = 1 << 20) -> Cache:
    cache = Cache(folder, limit)
    try:
        asyncio.run(work(cache))  # type: ignore[arg-type]
    finally:
        cache.close()
    return cache


def files(folder: Path) -> set[str]:
    made = folder / "made"
    return {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}


def test_made_once_also_over_a_restart(tmp_path: Path) -> None:
    calls: list[str] = []

    def make() -> bytes:
        calls.append("made")
        return b"data"

    async def twice(cache: Cache) -> None:
        for _ in range(2):
            assert contents(await cache.fetch("a/b.m4s", make, directly)) == b"data"

    run(tmp_path, twice)
    cache = run(tmp_path, twice)

    assert calls == ["made"]
    assert (cache.hits, cache.misses) == (2, 0)


def test_many_at_once_make_it_once(tmp_path: Path) -> None:
    calls: list[int] = []

    async def many(cache: Cache) -> None:
        asked = asyncio.Event()

        async def when_all_ask(work: Callable[[], bytes]) -> bytes:
            await asked.wait()
            calls.append(1)
            return work()

        fetches = [asyncio.ensure_future(cache.fetch("a", lambda: b"x", when_all_ask))
                   for _ in range(9)]  # fmt: skip
        await asyncio.sleep(0)  # they begin
        fetches[0].cancel()  # the first one goes away, and with it nothing else
        asked.set()
        assert [contents(lease) for lease in await asyncio.gather(*fetches[1:])] == [b"x"] * 8

    run(tmp_path, many)

    assert calls == [1]


def test_what_was_longest_not_asked_for_goes_first(tmp_path: Path) -> None:
    async def fill(cache: Cache) -> None:
        for name in ("a", "b", "c"):
            contents(await cache.fetch(name, lambda: bytes(40), directly))
        contents(await cache.fetch("a", lambda: b"not made", directly))
        contents(await cache.fetch("d", lambda: bytes(40), directly))
        contents(await cache.fetch("e", lambda: bytes(40), directly))
        assert cache.num_bytes == 120
        assert cache.evictions == 2

    run(tmp_path, fill, limit=120)

    assert files(tmp_path) == {"a", "d", "e"}


def test_what_is_read_stays(tmp_path: Path) -> None:
    async def read(cache: Cache) -> None:
        lease = await cache.fetch("a", lambda: b"a" * 40, directly)
        for name in ("b", "c", "d"):
            contents(await cache.fetch(name, lambda: bytes(40), directly))
        assert "a" in files(tmp_path)
        assert contents(lease) == b"a" * 40
        contents(await cache.fetch("e", lambda: bytes(40), directly))
        assert "a" not in files(tmp_path)

    run(tmp_path, read, limit=100)


def test_one_thing_larger_than_the_cache_is_still_served(tmp_path: Path) -> None:
    async def read(cache: Cache) -> None:
        assert len(contents(await cache.fetch("a", lambda: bytes(500), directly))) == 500

    run(tmp_path, read, limit=100)


def test_a_smaller_limit_holds_from_the_start(tmp_path: Path) -> None:
    async def fill(cache: Cache) -> None:
        for n in range(5):
            contents(await cache.fetch(str(n), lambda: bytes(40), directly))

    run(tmp_path, fill, limit=1000)
    Cache(tmp_path, 100).close()

    assert len(files(tmp_path)) == 2


def test_what_fails_is_not_kept_and_may_be_tried_again(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise InputError("no")

    async def try_it(cache: Cache) -> None:
        with pytest.raises(InputError):
            await cache.fetch("a", fail, in_thread)
        assert contents(await cache.fetch("a", lambda: b"now", in_thread)) == b"now"

    run(tmp_path, try_it)


def test_a_folder_that_someone_empties_is_filled_again(tmp_path: Path) -> None:
    async def lose(cache: Cache) -> None:
        contents(await cache.fetch("a", lambda: b"one", directly))
        (tmp_path / "made" / "a").unlink()
        assert contents(await cache.fetch("a", lambda: b"two", directly)) == b"two"
        (tmp_path / "made" / "a").write_bytes(b"t")  # cut short
        assert contents(await cache.fetch("a", lambda: b"three", directly)) == b"three"
        assert cache.num_bytes == 5

    run(tmp_path, lose)


def test_two_servers_do_not_share_it(tmp_path: Path) -> None:
    first = Cache(tmp_path, 1000)
    with pytest.raises(LockedError, match="another server uses the cache"):
        Cache(tmp_path, 1000)
    first.close()
    Cache(tmp_path, 1000).close()


KILLED = """
import asyncio, os, sys
from pathlib import Path
from upreel.server import cache as module

replace = Path.replace
def stop_before_the_end(self, target):
    print("writing", flush=True)
    sys.stdin.read()
Path.replace = stop_before_the_end

async def directly(work):
    return work()
cache = module.Cache(Path(sys.argv[1]), 1000)
asyncio.run(cache.fetch("t/0.m4s", lambda: b"whole", directly))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_kill_in_mid_write_leaves_nothing_that_is_served(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert files(tmp_path) == {"t/0.m4s.tmp"}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    async def read(cache: Cache) -> None:
        assert cache.num_files == 0
        assert contents(await cache.fetch("t/0.m4s", lambda: b"again", directly)) == b"again"

    run(tmp_path, read)
    assert files(tmp_path) == {"t/0.m4s"}
