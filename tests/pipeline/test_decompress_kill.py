"""`upreel decompress`, stopped at any moment, goes on to the same bytes.

Mutations tried: a record written before its part; parts that are taken for finished by name.
"""

import signal
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from compressing import packed
from stopping import Stoppable, check_stopped

FRAMES = 30
OPTIONS = ("--codec", "stand-in", "-c", "ffv1")
COMMAND = Stoppable(module="compress_command")


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames with sound, keyframes six apart; one of them is damaged."""
    folder = tmp_path_factory.mktemp("source")
    clip = write_clip(folder / "b.mkv", count=FRAMES, codec="ffv1", audio=[AudioTrack()])
    packed(clip, folder / "film.upv", keyint=6)
    data = bytearray((folder / "film.upv").read_bytes())
    place = data.rindex(b"\x9c\xe5\x01", 0, len(data) - 600)
    data[place + 40] ^= 1
    (folder / "film.upv").write_bytes(data)
    return folder / "film.upv"


@pytest.fixture(scope="module")
def expected(stream: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed run gives."""
    output = tmp_path_factory.mktemp("expected") / "out.mkv"
    return COMMAND.undisturbed(output, "decompress", stream, output, *OPTIONS)


MOMENTS = ("saved:0", "frame:0", "written:0", "committed:1", "frame:8", "saved:1", "renamed:0")


def test_killed_at_one_moment_after_the_other_it_ends_with_the_same_bytes(
    stream: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    COMMAND.check_kills(output, expected, ("decompress", stream, output, *OPTIONS), MOMENTS)


def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    stream: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    arguments = ("decompress", stream, output, *OPTIONS)

    stopped = COMMAND(*arguments, moment="frame:20", signum=signal.SIGTERM)

    check_stopped(stopped, signal.SIGTERM, output, {"plan.json", "part-00000.json"})
    other = COMMAND(*arguments[:-1], "x264", "--crf", "30")
    assert other.returncode == 1
    assert "holds parts of another job (other encoder, crf)" in other.stderr
    done = COMMAND(*arguments)
    assert done.returncode == 0, done.stderr
    assert " from before)" in done.stdout
    assert "cannot be decoded: the one before is shown" in done.stderr
    assert output.read_bytes() == expected


def test_raw_planes_begin_anew(stream: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.y4m"
    arguments = ("decompress", stream, output, "--codec", "stand-in")
    stopped = COMMAND(*arguments, moment="frame:20", signum=signal.SIGTERM)
    assert stopped.returncode == 143
    assert stopped.stderr.endswith("upreel: stopped\n")
    assert list(tmp_path.iterdir()) == []
