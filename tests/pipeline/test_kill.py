"""The real command, stopped at any moment or short of room, goes on to the same bytes."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from processes import ENVIRONMENT

FRAMES = 23


def command(
    *arguments: str,
    moment: str = "never:0",
    signum: signal.Signals = signal.SIGKILL,
    prepare: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command with the stand-in network; a temporal one, so that parts need context."""
    return subprocess.run(
        [sys.executable, "-m", "stand_in_command", *arguments],
        env=ENVIRONMENT | {"MOMENT": moment, "SIGNAL": signum.name, "TEMPORAL": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=prepare,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "clip.mp4"
    return write_clip(path, count=FRAMES, options={"g": "7", "bf": "2"}, audio=[AudioTrack()])


@pytest.fixture(scope="module")
def expected(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed run gives."""
    output = tmp_path_factory.mktemp("expected") / "out.mp4"
    done = command("upscale", str(clip), "-o", str(output))
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


MOMENTS = (
    "planning:0",
    "planned:0",
    "frame:0",
    "part-written:0",
    "part-finished:0",
    "frame:8",
    "part-written:1",
    "joining:0",
    "joined:0",
    "renamed:0",
    "tidying:2",
)


def test_killed_at_one_moment_after_the_other_it_ends_with_the_same_bytes(
    clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ("upscale", str(clip), "-o", str(output))
    for moment in MOMENTS:
        killed = command(*arguments, moment=moment)
        assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
        assert not output.exists() or output.read_bytes() == expected, moment

    done = command(*arguments)

    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    signum: signal.Signals, code: int, clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ("upscale", str(clip), "-o", str(output))

    stopped = command(*arguments, moment="frame:14", signum=signum)

    assert stopped.returncode == code
    assert stopped.stderr == (
        "upreel: stopped; finished parts are kept, and the same command goes on from there\n"
    )
    assert not output.exists()
    kept = {path.name for path in (tmp_path / ".out.mp4.upreel").iterdir()}
    assert {"plan.json", "part-00000.mp4", "part-00000.json"} <= kept
    assert not any(name.endswith(".tmp") for name in kept)
    again = command(*arguments)
    assert again.returncode == 0, again.stderr
    assert "from before" in again.stdout
    assert output.read_bytes() == expected


def limit_file_size() -> None:
    """No file may grow beyond 20 kB: a full disk, as a process sees it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_is_one_line_and_parts_are_kept(
    clip: Path, expected: bytes, tmp_path: Path
) -> None:
    assert len(expected) > 20_000  # else the limit would not be met
    output = tmp_path / "out.mp4"
    arguments = ("upscale", str(clip), "-o", str(output))

    full = command(*arguments, prepare=limit_file_size)

    assert full.returncode == 1
    assert full.stderr.startswith("upreel: no room left for ")
    assert len(full.stderr.splitlines()) == 1
    assert not output.exists()
    assert (tmp_path / ".out.mp4.upreel" / "part-00000.mp4").exists()
    again = command(*arguments)
    assert again.returncode == 0, again.stderr
    assert output.read_bytes() == expected


@pytest.mark.parametrize("place", ["/proc/out.mp4", "{clip}/out.mp4", "{folder}/none/out.mp4"])
def test_an_unwritable_place_is_one_line(place: str, clip: Path, tmp_path: Path) -> None:
    output = place.format(clip=clip, folder=tmp_path)

    done = command("upscale", str(clip), "-o", output)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("upreel: ")
    assert os.path.dirname(output) in done.stderr.replace(".out.mp4.upreel", "out.mp4")
