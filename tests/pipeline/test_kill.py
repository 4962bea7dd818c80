"""The real command, stopped at any moment or short of room, goes on to the same bytes."""

import os
import resource
import signal
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from stopping import STOPPED, Stoppable, check_stopped

FRAMES = 23
COMMAND = Stoppable(
    module="stand_in_command",
    environment={"TEMPORAL": "1"},  # so that parts need context
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "clip.mp4"
    return write_clip(path, count=FRAMES, options={"g": "7", "bf": "2"}, audio=[AudioTrack()])


@pytest.fixture(scope="module")
def expected(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed run gives."""
    output = tmp_path_factory.mktemp("expected") / "out.mp4"
    return COMMAND.undisturbed(output, "upscale", clip, "-o", output)


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
    COMMAND.check_kills(output, expected, ("upscale", clip, "-o", output), MOMENTS)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    signum: signal.Signals, clip: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ("upscale", clip, "-o", output)

    stopped = COMMAND(*arguments, moment="frame:14", signum=signum)

    assert stopped.stderr == STOPPED
    check_stopped(stopped, signum, output, {"plan.json", "part-00000.mp4", "part-00000.json"})
    again = COMMAND(*arguments)
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
    arguments = ("upscale", clip, "-o", output)

    full = COMMAND(*arguments, prepare=limit_file_size)

    assert full.returncode == 1
    assert full.stderr.startswith("upreel: no room left for ")
    assert len(full.stderr.splitlines()) == 1
    assert not output.exists()
    assert (tmp_path / ".out.mp4.upreel" / "part-00000.mp4").exists()
    assert COMMAND.undisturbed(output, *arguments) == expected


@pytest.mark.parametrize("place", ["/proc/out.mp4", "{clip}/out.mp4", "{folder}/none/out.mp4"])
def test_an_unwritable_place_is_one_line(place: str, clip: Path, tmp_path: Path) -> None:
    output = place.format(clip=clip, folder=tmp_path)

    done = COMMAND("upscale", clip, "-o", output)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("upreel: ")
    assert os.path.dirname(output) in done.stderr.replace(".out.mp4.upreel", "out.mp4")
