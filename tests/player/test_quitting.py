"""Quitting while a source says nothing: at once, whatever FFmpeg waits for."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pytest
from breaking_server import Stalling, stalling_playlist, stretch
from playing import Shown, clip, repeating
from processes import ENVIRONMENT

from upreel.player import HeadlessPresenter, PlayConfig, play
from upreel.player.commands import Command
from upreel.video.playback import Playback

AT_ONCE = 3.0  # seconds, of a third on a quiet machine; waiting for FFmpeg took nine
GIVEN_UP = 10.0  # seconds after which FFmpeg comes back by itself


class Quitting(HeadlessPresenter):
    """Gives a command once something has happened, and says when that was.

    Args:
        shown: sees what is shown.
        happened: when the server has stalled.
        number: of the picture that has to be shown as well, None for none.
        word: of the command.
    """

    def __init__(
        self, shown: Shown, happened: threading.Event, *, number: int | None, word: str = "quit"
    ) -> None:
        super().__init__((64, 48), seen=shown.see)
        self._shown, self._happened, self._number, self._word = shown, happened, number, word
        self.asked_at: float | None = None

    def commands(self, media: float) -> Sequence[Command]:
        del media
        seen = self._number is None or max(self._shown.numbers, default=-1) >= self._number
        if self.asked_at is None and seen and self._happened.is_set():
            self.asked_at = time.monotonic()
            return [Command(self._word)]  # type: ignore[arg-type]
        return []


def took_to_quit(url: str, stalls: threading.Event, *, number: int | None) -> float:
    """Seconds from asking to quit until playing has ended."""
    shown = Shown()
    presenter = Quitting(shown, stalls, number=number)
    play(PlayConfig(sources=(url,)), presenter, opened=repeating())
    assert presenter.asked_at is not None
    return time.monotonic() - presenter.asked_at


def test_live_hls_that_stalls_is_quit_at_once() -> None:
    with stalling_playlist() as server:
        took = took_to_quit(f"{server.address}/live.m3u8", server.stalls, number=30)
    assert took < AT_ONCE


def test_a_film_that_stalls_is_quit_at_once(tmp_path: Path) -> None:
    data = clip(tmp_path / "film.mkv", count=100).read_bytes()
    with Stalling({"/film.mkv": (data[: len(data) // 2], len(data))}) as server:
        took = took_to_quit(f"{server.address}/film.mkv", server.stalls, number=10)
    assert took < AT_ONCE


def test_a_server_that_never_answers_is_quit_at_once() -> None:
    with Stalling({"/film.mp4": None}) as server:
        took = took_to_quit(f"{server.address}/film.mp4", server.stalls, number=None)
    assert took < AT_ONCE


def test_the_next_title_comes_while_one_is_not_open_yet(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mkv", count=10)
    shown = Shown()
    with Stalling({"/film.mp4": None}) as server:
        sources = (f"{server.address}/film.mp4", str(film))
        presenter = Quitting(shown, server.stalls, number=None, word="next")
        played = play(PlayConfig(sources=sources), presenter, opened=repeating())
        took = time.monotonic() - (presenter.asked_at or 0)

    assert [title.source for title in played.titles] == [str(film)]
    assert not played.errors
    assert took < GIVEN_UP


def test_what_was_asked_for_while_it_was_opened_is_done_then(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mkv", count=50)
    shown = Shown()
    presenter = HeadlessPresenter((64, 48), seen=shown.see)
    asked = [[Command("volume", -0.3), Command("seek", 1.2)]]
    presenter.commands = lambda _: asked.pop() if asked else []  # type: ignore[method-assign, assignment]
    (stats,) = play(PlayConfig(sources=(str(film),)), presenter, opened=repeating()).titles

    assert stats.seeks == 1
    assert shown.numbers[0] >= 29


def test_a_source_that_hangs_is_closed_when_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: the thread that waits for it would read on in what is gone."""
    closed: list[str] = []
    leave = Playback.__exit__

    def left(source: Playback, *reason: object) -> None:
        closed.append(threading.current_thread().name)
        leave(source, *reason)  # type: ignore[arg-type]

    monkeypatch.setattr(Playback, "__exit__", left)
    before = set(threading.enumerate())
    with stalling_playlist() as server:
        took_to_quit(f"{server.address}/live.m3u8", server.stalls, number=30)
        (reader,) = [
            t for t in threading.enumerate() if t not in before and t.name == "upreel-read"
        ]
        assert closed == []
    reader.join(GIVEN_UP)
    assert closed == [reader.name]


def interrupted(source: str, begin: Callable[[IO[bytes]], None]) -> float:
    """Seconds from Ctrl-C until the process that plays has ended."""
    command = [sys.executable, "-m", "upreel", "play", source, "--no-window", "-m", "lanczos"]
    with subprocess.Popen(
        [*command, "--size", "64x48"], env=ENVIRONMENT, stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        begin(process.stdin)
        # It plays; FFmpeg may complain of what broke off before and after that is told.
        assert any(b"lanczos" in line for line in process.stderr)
        asked_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        code = process.wait(GIVEN_UP)
        took = time.monotonic() - asked_at
    assert code == 130
    assert b"upreel: stopped" in rest.splitlines()
    return took


def test_a_process_whose_source_hangs_ends_at_once() -> None:
    with stalling_playlist() as server:
        took = interrupted(f"{server.address}/live.m3u8", lambda _: None)
    assert took < 2 * AT_ONCE  # Python's own end is in it


def test_a_pipe_on_which_nothing_more_comes_is_left_at_once() -> None:
    """It has no time after which it is given up."""

    def begin(pipe: IO[bytes]) -> None:
        pipe.write(b"".join(stretch(0, 50)))
        pipe.flush()

    assert interrupted("-", begin) < 2 * AT_ONCE
