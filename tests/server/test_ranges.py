"""Plain files: ranges, validators, HEAD; and byte_range() against its slow twin."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Answer, Running

from upreel.server.responses import Unsatisfiable, byte_range

BYTES = bytes(range(256)) * 3000  # more than one piece
Start = Callable[..., Running]


@pytest.fixture
def served(tmp_path: Path, start: Start) -> tuple[Running, str]:
    file = tmp_path / "a.mp4"
    file.write_bytes(BYTES)
    server = start(file)
    return server, server.titles()["a"]["file"]


def test_the_whole_file(served: tuple[Running, str]) -> None:
    server, place = served

    answer = server.get(place)

    assert answer.status == 200
    assert answer.body == BYTES
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1000-1999", slice(1000, 2000)),
        ("bytes=700000-", slice(700000, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=-99999999", slice(0, None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_one_range(served: tuple[Running, str], asked: str, part: slice) -> None:
    server, place = served

    answer = server.get(place, range=asked)

    start, stop, _ = part.indices(len(BYTES))
    assert answer.status == 206
    assert answer.body == BYTES[part]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BYTES)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",
        "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 2000, 2)),
        "bytes=5-1",
        "bytes=-",
        "bytes=a-b",
        "bytes=٣-٤",
        "bytes=0-" + "9" * 500,
        "lines=1-2",
        "bytes 0-1",
    ],
)
def test_other_ranges_give_the_whole_file_once(served: tuple[Running, str], asked: str) -> None:
    server, place = served

    answer = server.get(place, range=asked.encode().decode("latin-1"))

    assert answer.status == 200
    assert len(answer.body) == len(BYTES)


@pytest.mark.parametrize("asked", ["bytes=768000-", "bytes=999999999999-", "bytes=-0"])
def test_ranges_outside_are_416(served: tuple[Running, str], asked: str) -> None:
    server, place = served

    answer = server.get(place, range=asked)

    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(BYTES)}"
    assert answer.body == b""


def test_validators(served: tuple[Running, str]) -> None:
    server, place = served
    first = server.get(place, method="HEAD")
    etag, date = first.headers["etag"], first.headers["last-modified"]
    assert first.body == b""
    assert int(first.headers["content-length"]) == len(BYTES)

    def status(**headers: str) -> tuple[int, int]:
        answer: Answer = server.get(place, **headers)
        return answer.status, len(answer.body)

    assert status(if_none_match=etag) == (304, 0)
    assert status(if_none_match=f'"x", W/{etag}') == (304, 0)
    assert status(if_none_match='"x"') == (200, len(BYTES))
    assert status(if_modified_since=date) == (304, 0)
    assert status(if_modified_since="Mon, 01 Jan 2001 00:00:00 GMT") == (200, len(BYTES))
    assert status(if_modified_since="nonsense") == (200, len(BYTES))
    assert status(if_none_match='"x"', if_modified_since=date) == (200, len(BYTES))
    assert status(range="bytes=0-9", if_range=etag) == (206, 10)
    assert status(range="bytes=0-9", if_range=date) == (206, 10)
    assert status(range="bytes=0-9", if_range='"x"') == (200, len(BYTES))
    assert status(range="bytes=0-9", if_range=f"W/{etag}") == (200, len(BYTES))


def test_an_empty_file_is_sent(tmp_path: Path, start: Start) -> None:
    (tmp_path / "a.mp4").touch()
    server = start(tmp_path / "a.mp4")

    answer = server.get(server.titles()["a"]["file"])

    assert (answer.status, answer.body) == (200, b"")
    assert server.get(server.titles()["a"]["file"], range="bytes=0-").status == 416


def slow_range(first: int | None, last: int | None, size: int) -> list[int] | None:
    """The bytes, one by one; None: outside."""
    if first is None:
        chosen = [n for n in range(size) if n >= size - (last or 0)]
    else:
        chosen = [n for n in range(size) if n >= first and (last is None or n <= last)]
    return chosen or None


@given(
    first=st.none() | st.integers(0, 30),
    last=st.none() | st.integers(0, 30),
    size=st.integers(0, 20),
)
def test_byte_range_is_the_slow_one(first: int | None, last: int | None, size: int) -> None:
    if first is None and last is None:
        return
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    expected = slow_range(first, last, size)

    try:
        found = byte_range(header, size)
    except Unsatisfiable:
        assert expected is None
        return

    if found is None:  # not a range: from a later byte to an earlier one
        assert first is not None
        assert last is not None
        assert last < first
    else:
        assert list(range(*found)) == expected
