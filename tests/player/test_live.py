"""Live input by processes and servers of the test on loopback: a pipe, RTSP, HLS."""

import json
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from playing import clip, watch
from processes import ENVIRONMENT
from rtsp_server import RtspServer, encoded
from serving import running

from upreel.player.commands import Command


def test_rtsp_is_played_with_little_delay() -> None:
    """The whole camera is here: pictures are sent at their times while the player runs."""
    sets, pictures = encoded(75)
    sent: dict[int, float] = {}

    def film(server: RtspServer) -> None:
        assert server.playing.wait(20)
        first = time.monotonic()
        for number, data in enumerate(pictures):
            due = first + number / 25
            ended.wait(max(due - time.monotonic(), 0))
            sent[number] = time.monotonic()
            server.send(number * 3600, data)
        server.end()

    ended = threading.Event()
    shown_at: dict[int, float] = {}
    with RtspServer(sets) as server:
        camera = threading.Thread(target=film, args=(server,))
        camera.start()
        try:
            shown = watch(server.url, model="lanczos", seen_at=shown_at, reconnect=0.0)
        finally:
            ended.set()
            camera.join()

    assert shown.stats.shown > 30
    assert shown.numbers == sorted(set(shown.numbers))
    assert shown.numbers[-1] == 74
    late = [n for n in shown.numbers if n > 40]
    delays = sorted(shown_at[n] - sent[n] for n in late)
    assert delays[len(delays) // 2] < 0.5
    assert shown.stats.latency_ms.summary()["median"] < 500
    assert shown.stats.seeks == 0


def test_a_pipe_is_played_live_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("live_source.py")), "25", "100"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT,
    )  # fmt: skip
    with source:
        done = subprocess.run(
            [sys.executable, "-m", "upreel", "play", "-", "--live", "--no-window", "-m", "lanczos",
             "--size", "128x96", "--stats", str(tmp_path / "s.json")],
            stdin=source.stdout, env=ENVIRONMENT, capture_output=True, check=False, timeout=60,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (title,) = json.loads((tmp_path / "s.json").read_text())["titles"]
    assert title["source"] == "standard input"
    assert title["shown"] > 20
    assert title["latency_ms"]["median"] < 500


def test_a_live_source_has_no_other_place_and_a_pause_goes_on_at_the_present() -> None:
    sets, pictures = encoded(50)
    with RtspServer(sets) as server:
        for number, data in enumerate(pictures):
            server.send(number * 3600, data)
        server.end()
        shown = watch(
            server.url, model="lanczos", script=[(0.0, Command("seek", 1.0))], seconds=5.0,
            reconnect=0.0,
        )  # fmt: skip

    assert shown.stats.seeks == 0
    messages = {view.message for view in shown.views}
    assert messages <= {"", "this source has no other place to go to"}
    assert shown.numbers == sorted(set(shown.numbers))


def test_hls_of_the_server_is_played_and_sought_in(tmp_path: Path) -> None:
    """The size is chosen by its rows; sound, words and places are those of the film."""
    films = tmp_path / "films"
    films.mkdir()
    clip(films / "film.mkv", count=75)
    script = [(0.5, Command("seek", 1.5)), (2.6, Command("quit"))]
    with running(films, rungs=(24,), cache=tmp_path / "cache") as server:
        (title,) = server.titles().values()
        shown = watch(f"{server.address}/titles/{title['id']}/master.m3u8", rows=24, script=script)

    assert shown.stats.source_size[1] == 24
    jumps = [(a, b) for a, b in pairwise(shown.numbers) if b - a > 10]
    assert shown.stats.seeks == 1
    assert jumps
    assert 40 <= jumps[-1][1] <= 60
    assert len(shown.stats.offset_ms) > 5
    assert abs(shown.stats.offset_ms.summary()["median"]) < 40


def test_an_address_that_nobody_answers_is_one_line() -> None:
    from upreel.errors import InputError

    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:1/x\.mp4 cannot be opened: "):
        watch("http://name:secret@127.0.0.1:1/x.mp4")
