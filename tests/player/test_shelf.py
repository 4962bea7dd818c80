"""Pictures between threads: order, bounds, seeks."""

import threading
from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from upreel.player.shelf import Picture, Shelf
from upreel.video.display import DISPLAY
from upreel.video.frame import Frame

PLANES = tuple(np.zeros(size, np.uint8) for size in ((2, 2), (1, 1), (1, 1)))


def picture(media: float) -> Picture:
    frame = Frame(planes=PLANES, format=DISPLAY, index=0, pts=0, time_base=Fraction(1, 25))
    return Picture(frame=frame, window=(PLANES,), bt709=False, media=media, duration=1.0,
                   arrived=0, decoded=0)  # fmt: skip


def filled(count: int, *, ahead: int = 100) -> Shelf:
    shelf = Shelf(100, ahead)
    for number in range(count):
        assert shelf.put(picture(float(number)), 0)
    return shelf


@given(looks=st.lists(st.floats(0, 3), max_size=30))
def test_each_picture_is_taken_or_skipped_once_and_never_early(looks: list[float]) -> None:
    shelf, now, seen = filled(10), -1.0, 0
    for step in looks:
        now += step
        taken = shelf.take(now)
        seen += taken.num_skipped + (taken.picture is not None)
        assert seen == min(max(floor(now) + 1, 0), 10)
        if taken.picture is not None:
            assert now - 1 < taken.picture.media <= now or seen == 10
        assert (taken.wait is None) == (seen == 10)
        if taken.wait is not None:
            assert taken.wait == seen - now


def test_what_can_be_finished_in_time_is_claimed_once() -> None:
    shelf = filled(5)
    first = shelf.claim(lambda: 1.5, wait=0)
    second = shelf.claim(lambda: float("-inf"), wait=0)
    assert first is not None
    assert second is not None
    assert (first.media, second.media) == (2.0, 0.0)
    assert shelf.claim(lambda: 4.5, wait=0) is None

    shelf.finish(first, PLANES, "r")
    taken = shelf.take(2.0)
    assert taken.picture is first
    assert (first.rung, first.enlarged) == ("r", PLANES)
    assert taken.num_skipped == 2


def test_only_so_many_are_enlarged_ahead() -> None:
    shelf = filled(5, ahead=2)
    assert shelf.claim(lambda: 0, wait=0)
    assert shelf.claim(lambda: 0, wait=0)
    assert shelf.claim(lambda: 0, wait=0) is None

    shelf.take(0)
    assert shelf.claim(lambda: 0, wait=0)


def test_pictures_of_before_a_seek_are_refused() -> None:
    shelf = filled(3)
    shelf.clear(1)
    assert len(shelf) == 0
    assert not shelf.put(picture(3), 0)
    shelf.end(0)
    assert not shelf.finished
    assert shelf.put(picture(9), 1)
    shelf.end(1)
    assert shelf.finished
    assert not shelf.ended
    shelf.take(9)
    assert shelf.ended


def test_a_full_shelf_lets_its_writer_go_when_it_is_closed_or_cleared() -> None:
    for release in (Shelf.close, lambda shelf: shelf.clear(1)):
        shelf = Shelf(1, 1)
        shelf.put(picture(0), 0)
        put: list[bool] = []
        thread = threading.Thread(target=lambda s=shelf, p=put: p.append(s.put(picture(1), 0)))
        thread.start()
        release(shelf)
        thread.join(10)
        assert put == [False]


def test_a_live_shelf_loses_the_oldest_rather_than_wait() -> None:
    shelf = Shelf(2, 2, lossy=True)
    for number in range(5):
        assert shelf.put(picture(float(number)), 0)

    assert shelf.num_lost == 3
    first = shelf.first()
    assert first is not None
    assert first.media == 3
