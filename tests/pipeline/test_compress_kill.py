"""`upreel compress`, stopped at any moment, goes on to the same bytes.

Mutations tried: the rate control's state taken behind the next part's first frame; an interval
that ends between two keyframes; a record written before its part.
"""

import resource
import signal
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from stopping import STOPPED, Stoppable, check_stopped

FRAMES = 40
OPTIONS = ("--codec", "any", "--bitrate", "150k", "--keyint", "6")
COMMAND = Stoppable(module="compress_command")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "clip.mp4"
    return write_clip(path, count=FRAMES, options={"g": "7", "bf": "2"}, audio=[AudioTrack()])


@pytest.fixture(scope="module")
def expected(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed run gives."""
    output = tmp_path_factory.mktemp("expected") / "out.upv"
    return COMMAND.undisturbed(output, "compress", clip, output, *OPTIONS)


MOMENTS = (
    "saving:0",
    "saved:0",
    "frame:0",
    "written:0",
    "committed:0",
    "saved:0",
    "frame:20",
    "written:1",
    "committed:2",  # of two parts and the whole
    "renamed:0",
)


def test_killed_at_one_moment_after_the_other_it_ends_with_the_same_bytes(
    clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.upv"
    COMMAND.check_kills(output, expected, ("compress", clip, output, *OPTIONS), MOMENTS)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    signum: signal.Signals, clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.upv"
    arguments = ("compress", clip, output, *OPTIONS)

    stopped = COMMAND(*arguments, moment="frame:30", signum=signum)

    assert stopped.stderr == STOPPED
    check_stopped(stopped, signum, output, {"plan.json", "part-00000.upv", "part-00000.json"})
    other = COMMAND("compress", clip, output, "--codec", "any", "--quality", "3")
    assert other.returncode == 1
    assert "holds parts of another job (other quality, bitrate, keyframe interval)" in other.stderr
    done = COMMAND(*arguments)
    assert done.returncode == 0, done.stderr
    assert " from before)" in done.stdout
    assert output.read_bytes() == expected


def test_a_disk_that_is_full_is_one_line(clip: Path, tmp_path: Path) -> None:
    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))

    done = COMMAND("compress", clip, tmp_path / "out.upv", *OPTIONS, prepare=small)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no room left for" in done.stderr
    assert not (tmp_path / "out.upv").exists()
