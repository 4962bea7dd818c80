"""A live source that breaks off: taken up again, told of, given up in the end.

The servers count requests; nothing here waits for a time to pass.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from threading import Event, Thread

import pytest
from breaking_server import BreakingPlaylist, BreakingStream, stretch
from hypothesis import given
from hypothesis import strategies as st
from playing import Shown, repeating, watch
from rtsp_server import RtspServer, encoded

from upreel.errors import InputError, OptionError
from upreel.player import HeadlessPresenter, PlayConfig, play
from upreel.player.commands import Command
from upreel.player.patience import Patience
from upreel.player.presenter import View
from upreel.player.shelf import Picture


class Viewer:
    """Watches until a picture of that number has been shown, and reads all messages.

    Args:
        last: the number.
    """

    def __init__(self, last: int) -> None:
        self.shown = Shown()
        self.messages: list[str] = []
        self.overlays: set[str] = set()
        self._last = last

    def see(self, picture: Picture | None, view: View) -> None:
        self.shown.see(picture, view)
        self.overlays |= set(view.overlay)
        if view.message and view.message not in self.messages[-1:]:
            self.messages.append(view.message)

    def commands(self, media: float) -> Sequence[Command]:
        del media
        return [Command("quit")] if max(self.shown.numbers, default=0) >= self._last else []

    def watch(
        self, url: str, *, tell: Callable[[str], None] | None = None, **options: object
    ) -> Shown:
        presenter = HeadlessPresenter((64, 48), seen=self.see)
        presenter.commands = self.commands  # type: ignore[method-assign, assignment]
        config = PlayConfig(sources=(url,), overlay=True, **options)  # type: ignore[arg-type]
        tell = tell or self.shown.told.append
        played = play(config, presenter, opened=repeating(), told=tell)
        self.shown.titles = played.titles
        return self.shown


def assert_goes_on(shown: Shown, *, before: range, after: range) -> None:
    """Pictures of both connections were shown, in order, at times that rise."""
    assert any(number in before for number in shown.numbers)
    assert any(number in after for number in shown.numbers)
    assert shown.numbers == sorted(set(shown.numbers))
    assert all(a < b for a, b in pairwise(shown.times))


def test_a_stream_that_breaks_off_is_taken_up_again() -> None:
    viewer = Viewer(last=80)
    with BreakingStream(stretch(0, 40), (), (), stretch(60, 60)) as server:
        shown = viewer.watch(server.url)

    assert_goes_on(shown, before=range(40), after=range(60, 120))
    outage = shown.stats.outages[0]  # a busy machine may have missed the end of the second
    assert outage.reason.startswith("broke off: ")
    assert outage.seconds is not None
    assert 0.25 + 0.5 + 1 < outage.seconds < 20  # two attempts failed, the third did not
    told = shown.stats.as_json()["outages"][0]
    assert told == {"seconds": round(outage.seconds, 3), "reason": outage.reason}
    assert re.search(r"; broke off \d times?, for \d", shown.stats.line())
    lines = [line for line in shown.told if server.url in line]
    assert re.fullmatch(rf"0:\d\d {server.url}: broke off \(.*\); trying again for 30 s", lines[0])
    assert lines[1].endswith(f": back after {outage.seconds:.1f} s")
    away = [line for line in viewer.messages if line.startswith("the source broke off; ")]
    seconds_left = [int(re.fullmatch(r".*trying again for (\d+) s", line)[1]) for line in away]
    assert seconds_left[0] in (29, 30)
    assert len(set(seconds_left)) > 1  # they count down
    assert any(line.startswith("back after ") for line in viewer.messages)
    assert "broke off 1 time" in viewer.overlays


def test_the_time_of_a_live_source_goes_on_while_it_is_away() -> None:
    viewer = Viewer(last=80)
    with BreakingStream(stretch(0, 40), (), stretch(60, 60)) as server:
        shown = viewer.watch(server.url)

    outage = shown.stats.outages[0]  # a busy machine may have missed the end of the second
    assert outage.seconds is not None
    gaps = [
        later - earlier
        for (earlier, a), (later, b) in pairwise(zip(shown.times, shown.numbers, strict=True))
        if a < 40 <= b
    ]
    assert gaps[0] == pytest.approx(outage.seconds, abs=1.0)
    late = shown.stats.latency_ms.last  # it is shown as early as before
    assert late < 1000


def test_one_that_stays_away_is_given_up_with_one_line() -> None:
    with BreakingStream(stretch(0, 20)) as server:
        began = time.monotonic()
        with pytest.raises(InputError) as caught:
            Viewer(last=999).watch(server.url, reconnect=1.5)
        took = time.monotonic() - began

    assert str(caught.value).startswith(
        f"{server.url} broke off and did not come back within 1.5 s: cannot be opened: "
    )
    assert "\n" not in str(caught.value)
    assert took > 1.5
    assert 3 <= server.num_requests <= 5  # at once, after 0.25, 0.5 and the rest


def test_a_connection_without_a_picture_is_no_return() -> None:
    """The outage goes on, and so does what may be left of it."""
    empty = [b"\x00" * 188]
    with (
        BreakingStream(stretch(0, 20), *[empty] * 50) as server,
        pytest.raises(InputError, match="did not come back within 1 s: "),
    ):
        Viewer(last=999).watch(server.url, reconnect=1.0)
    assert server.num_requests < 10


def test_without_patience_it_ends_where_it_breaks_off() -> None:
    with (
        BreakingStream(stretch(0, 20), stretch(60, 20)) as server,
        pytest.raises(InputError, match="camera broke off: "),
    ):
        watch(server.url, model="lanczos", reconnect=0.0)
    assert server.num_requests == 1


def test_hls_that_is_away_for_a_while_goes_on_where_it_is() -> None:
    segments = [b"".join(stretch(25 * n, 25, at=25 * n)) for n in range(6)]
    viewer = Viewer(last=90)
    with BreakingPlaylist(segments[:3], segments[3:], away=4) as server:
        shown = viewer.watch(server.url, live=False)

    assert_goes_on(shown, before=range(75), after=range(75, 150))
    outage = shown.stats.outages[0]
    assert outage.seconds is not None
    assert any(message.startswith("the source broke off") for message in viewer.messages)


def test_rtsp_is_taken_up_again() -> None:
    """The camera ends, and is switched on again at the moment at which the player misses it."""
    sets, pictures = encoded(100)
    viewer = Viewer(last=80)

    def film(server: RtspServer, numbers: range) -> None:
        """Send pictures at their times; the first ones are what a client looks at to begin with."""
        assert server.playing.wait(20)
        first = time.monotonic()
        for n, number in enumerate(numbers):
            ended.wait(max(first + n / 25 - time.monotonic(), 0))
            server.send(n * 3600, pictures[number])
        server.end()

    ended = Event()
    with ExitStack() as switched_on:

        def switch_on(numbers: range, port: int) -> RtspServer:
            server = switched_on.enter_context(RtspServer(sets, port=port))
            camera = Thread(target=film, args=(server, numbers))
            camera.start()
            switched_on.callback(camera.join)
            return server

        first = switch_on(range(40), port=0)

        def tell(line: str) -> None:
            viewer.shown.told.append(line)
            if "broke off" in line:
                switched_on.close()
                switch_on(range(50, 100), port=first.port)

        shown = viewer.watch(first.url, tell=tell, model="lanczos")
        ended.set()

    assert_goes_on(shown, before=range(40), after=range(50, 100))
    assert shown.stats.outages[0].reason == "it ended"


@given(
    seconds=st.floats(0.1, 100),
    failures=st.lists(st.floats(0, 15), max_size=60),
)
def test_attempts_are_bounded_and_grow_apart(seconds: float, failures: list[float]) -> None:
    """Whatever an attempt takes: none begins later than it may, none sooner than a quarter."""
    patience, now = Patience(seconds), 100.0
    patience.broke_off("gone", now)
    pauses: list[float] = []
    for took in failures:
        pause = patience.pause(now)
        if pause is None:
            break
        assert now + pause <= 100 + seconds + 1e-6
        pauses.append(pause)
        now += pause + took
        patience.broke_off("again", now)  # still the same outage

    assert [outage.reason for outage in patience.outages] == ["gone"]
    assert all(a <= b for a, b in pairwise(pauses[:-1]))
    assert all(0.25 <= pause <= 8 for pause in pauses[:-1])


def test_the_next_outage_begins_with_short_pauses() -> None:
    patience = Patience(30)
    patience.broke_off("one", 0)
    pauses = [patience.pause(0) for _ in range(7)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8]
    patience.came_back(20)
    assert patience.left(25) == 30
    patience.broke_off("two", 50)
    assert patience.pause(50) == 0.25
    assert patience.left(60) == 20
    assert [outage.seconds for outage in patience.outages] == [20, None]


@pytest.mark.parametrize("seconds", [-1.0, 86_401.0, float("nan")])
def test_patience_has_its_range(seconds: float) -> None:
    with pytest.raises(OptionError, match=r"reconnect is from 0 to 86400 seconds, got"):
        PlayConfig(sources=("a",), reconnect=seconds)
