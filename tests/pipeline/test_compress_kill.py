"""`upreel compress`, stopped at any moment, goes on to the same bytes.

Mutations tried: the rate control's state taken behind the next part's first frame; an interval
that ends between two keyframes; a record written before its part.
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from processes import ENVIRONMENT

FRAMES = 40
OPTIONS = ("--codec", "any", "--bitrate", "150k", "--keyint", "6")


def command(
    *arguments: str,
    moment: str = "never:0",
    signum: signal.Signals = signal.SIGKILL,
    prepare: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compress_command", *arguments],
        env=ENVIRONMENT | {"MOMENT": moment, "SIGNAL": signum.name},
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
    output = tmp_path_factory.mktemp("expected") / "out.upv"
    done = command("compress", str(clip), str(output), *OPTIONS)
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


MOMENTS = (
    "saving:0",
    "saved:0",
    "frame:0",
    "written:0",
    "committed:0",
    "saved:0",
    "frame:20",
    "written:1",
    "committed:9",
    "renamed:0",
)


def test_killed_at_one_moment_after_the_other_it_ends_with_the_same_bytes(
    clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.upv"
    arguments = ("compress", str(clip), str(output), *OPTIONS)
    killed = 0
    for moment in MOMENTS:
        done = command(*arguments, moment=moment)
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL), (moment, done.stderr)
        assert not output.exists() or output.read_bytes() == expected, moment
        if done.returncode == 0:
            break
    assert killed >= 8

    done = command(*arguments, "--overwrite")

    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.upv"]


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    signum: signal.Signals, code: int, clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.upv"
    arguments = ("compress", str(clip), str(output), *OPTIONS)

    stopped = command(*arguments, moment="frame:30", signum=signum)

    assert stopped.returncode == code
    assert stopped.stderr == (
        "upreel: stopped; finished parts are kept, and the same command goes on from there\n"
    )
    assert not output.exists()
    kept = {path.name for path in (tmp_path / ".out.upv.upreel").iterdir()}
    assert {"plan.json", "part-00000.upv", "part-00000.json"} <= kept
    assert not any(name.endswith(".tmp") for name in kept)

    other = command("compress", str(clip), str(output), "--codec", "any", "--quality", "3")
    assert other.returncode == 1
    assert "holds parts of another job (other quality, bitrate, keyframe interval)" in other.stderr

    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert " from before)" in done.stdout
    assert output.read_bytes() == expected


def test_a_disk_that_is_full_is_one_line(clip: Path, tmp_path: Path) -> None:
    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))

    done = command("compress", str(clip), str(tmp_path / "out.upv"), *OPTIONS, prepare=small)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no room left for" in done.stderr
    assert not (tmp_path / "out.upv").exists()
