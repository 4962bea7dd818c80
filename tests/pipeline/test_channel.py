"""Channel and prefetched(): order, bounds, errors across threads, no thread left behind."""

import threading
from collections.abc import Iterator

import pytest

from upreel.pipeline.channel import Cancelled, Channel, prefetched


def test_items_arrive_in_order_and_never_more_than_size_are_ahead() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(50):
            drawn.append(n)
            yield n

    taken: list[int] = []
    with prefetched(numbers(), size=3, name="numbers") as ahead:
        for n in ahead:
            taken.append(n)
            # 3 in the queue, one in the hands of the thread that waits for room
            assert len(drawn) <= len(taken) + 4
    assert taken == list(range(50))


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("third")

    taken: list[int] = []
    with (
        pytest.raises(ValueError, match="third"),
        prefetched(broken(), size=8, name="broken") as ahead,
    ):
        taken.extend(ahead)
    assert taken == [1, 2]


def test_leaving_early_closes_the_source_in_its_thread_and_ends_it() -> None:
    closed_in: list[str] = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed_in.append(threading.current_thread().name)

    with prefetched(endless(), size=2, name="endless") as ahead:
        next(ahead)
    assert closed_in == ["endless"]
    assert "endless" not in [thread.name for thread in threading.enumerate()]


def test_a_writer_without_a_reader_is_told() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    channel.cancel()
    with pytest.raises(Cancelled):
        channel.put(2)


def test_a_writer_that_waits_for_room_is_woken_by_cancel() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    outcome: list[str] = []

    def write() -> None:
        try:
            channel.put(2)
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=write)
    thread.start()
    channel.cancel()
    thread.join()
    assert outcome == ["cancelled"]


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="size must be at least 1"):
        Channel(0)
