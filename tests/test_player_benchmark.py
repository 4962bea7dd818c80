"""benchmarks/player.py: a short drawn clip by all rows, the fields of its JSON, its lines."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import pytest
from processes import ENVIRONMENT
from scripts_as_modules import ROOT, module_of

SCRIPT = ROOT / "benchmarks" / "player.py"
SECONDS, RATE = 4, 25
COMMON = {
    "fps", "skipped_share", "by_rung", "plain", "stalls", "longest_gap_ms", "offset_ms", "rate",
    "shown", "skipped", "source_size", "shown_size", "network_ms", "choices",
}  # fmt: skip


NO_SCREEN = {"SDL_VIDEODRIVER": "none", "SDL_AUDIODRIVER": "none"}  # of which SDL has none


def measured(*arguments: str) -> subprocess.CompletedProcess[str]:
    """On a machine without screen and loudspeaker, whatever this one has."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], cwd=ROOT, env=ENVIRONMENT | NO_SCREEN,
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/player.py")


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    """All rows, by Lanczos: networks are none of this benchmark's."""
    done = measured(
        "--seconds", str(SECONDS), "--size", "96x64", "--rate", str(RATE), "--to", "192x128",
        "--model", "lanczos", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_row_has_what_a_showing_came_to(rows: dict[str, dict[str, Any]]) -> None:
    assert list(rows) == ["film", "window", "live", "overload"]
    for title in rows.values():
        assert set(title) >= COMMON
        assert title["rate"] == RATE
        assert title["source_size"] == [96, 64]
        assert title["shown_size"] == [192, 128]
        assert set(title["by_rung"]) <= {"lanczos"}
        assert 0 < title["shown"] + title["skipped"] <= SECONDS * RATE
    for name in ("film", "window", "overload"):
        assert rows[name]["shown"] + rows[name]["skipped"] == SECONDS * RATE
        assert rows[name]["offset_ms"]


def test_the_window_is_one_of_sdl_with_its_dummy_drivers(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same showing without a window has the same fields: see what is run."""
    ran: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> None:
        ran.append((command, env))
        Path(command[command.index("--stats") + 1]).write_text('{"titles": [{"fps": 25.0}]}')

    monkeypatch.setattr(benchmark.subprocess, "run", run)
    asked = argparse.Namespace(
        size=(96, 64), to=(192, 128), rate=RATE, seconds=0.2, only="film,window", model="lanczos"
    )
    assert benchmark.measure(asked) == {"film": {"fps": 25.0}, "window": {"fps": 25.0}}

    (film, plain), (window, dummy) = ran
    assert "--no-window" in film
    assert [word for word in window if "/" not in word] == [
        word for word in film if "/" not in word and word != "--no-window"
    ]
    assert dummy["SDL_VIDEODRIVER"] == dummy["SDL_AUDIODRIVER"] == "dummy"
    assert plain.get("SDL_VIDEODRIVER") != "dummy"


def test_sound_and_pictures_of_the_window_keep_time(rows: dict[str, dict[str, Any]]) -> None:
    """SDL's dummy sound device takes samples at their pace, and there is no other one."""
    assert rows["window"]["notices"] == []
    assert abs(rows["window"]["offset_ms"]["median"]) < 40
    assert rows["window"]["seconds"] == pytest.approx(SECONDS, abs=1)


def test_live_pictures_are_timed_from_the_camera_on(rows: dict[str, dict[str, Any]]) -> None:
    glass = rows["live"]["glass_ms"]
    assert 0 < glass["median"] <= glass["p95"] <= glass["most"] < 10_000
    assert rows["live"]["offset_ms"] == {}  # no sound


def test_without_a_network_nothing_is_slowed(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["overload"]["slowed"] == ""
    assert rows["overload"]["recovered_s"] >= 0
    assert rows["overload"]["plain_after"] <= rows["overload"]["plain"]


def test_each_row_is_a_line(benchmark: ModuleType, rows: dict[str, dict[str, Any]]) -> None:
    film, window, live, overload = (benchmark.told(name, title) for name, title in rows.items())

    assert film.startswith(f"film: {rows['film']['fps']:.2f} fps of 25; skipped ")
    assert window.startswith(f"window: {rows['window']['fps']:.2f} fps of 25; skipped ")
    assert "; sound " in film
    assert "; sound " in window
    assert f"; glass to glass {rows['live']['glass_ms']['median']:.0f} ms, p95 " in live
    assert "no network slowed, enlarged in time again after " in overload


def test_the_clip_is_as_long_as_it_is_asked_for(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.draw(tmp_path / "film.mp4", 96, 64, RATE, 1.2)

    with av.open(str(tmp_path / "film.mp4")) as container:
        (video,), (audio,) = container.streams.video, container.streams.audio
        assert (video.width, video.height, video.average_rate) == (96, 64, RATE)
        assert sum(1 for _ in container.decode(video)) == 30
        assert float(audio.duration * audio.time_base) == pytest.approx(1.2, abs=0.06)


def test_rows_that_there_are_not_are_named() -> None:
    done = measured("--only", "film,sport")
    assert done.returncode == 2
    assert "no rows sport; there are: film, window, live, overload" in done.stderr
