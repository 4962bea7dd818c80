"""`upreel decompress`, stopped at any moment, goes on to the same bytes.

Mutations tried: a record written before its part; parts that are taken for finished by name.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from compressing import packed
from processes import ENVIRONMENT

FRAMES = 30
OPTIONS = ("--codec", "stand-in", "-c", "ffv1")


def command(
    *arguments: str, moment: str = "never:0", signum: signal.Signals = signal.SIGKILL
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compress_command", "decompress", *arguments],
        env=ENVIRONMENT | {"MOMENT": moment, "SIGNAL": signum.name},
        capture_output=True,
        text=True,
        check=False,
    )


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
    done = command(str(stream), str(output), *OPTIONS)
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


MOMENTS = ("saved:0", "frame:0", "written:0", "committed:1", "frame:8", "saved:1", "renamed:0")


def test_killed_at_one_moment_after_the_other_it_ends_with_the_same_bytes(
    stream: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    arguments = (str(stream), str(output), *OPTIONS)
    killed = 0
    for moment in MOMENTS:
        done = command(*arguments, moment=moment)
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL), (moment, done.stderr)
        assert not output.exists() or output.read_bytes() == expected, moment
        if done.returncode == 0:
            break
    assert killed >= 5

    done = command(*arguments, "--overwrite")

    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_a_polite_signal_keeps_finished_parts_and_says_how_to_go_on(
    stream: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    arguments = (str(stream), str(output), *OPTIONS)

    stopped = command(*arguments, moment="frame:20", signum=signal.SIGTERM)

    assert stopped.returncode == 143
    assert stopped.stderr.endswith(
        "upreel: stopped; finished parts are kept, and the same command goes on from there\n"
    )
    assert not output.exists()
    kept = {path.name for path in (tmp_path / ".out.mkv.upreel").iterdir()}
    assert {"plan.json", "part-00000.json"} <= kept
    assert not any(name.endswith(".tmp") for name in kept)

    other = command(str(stream), str(output), "--codec", "stand-in", "-c", "x264", "--crf", "30")
    assert other.returncode == 1
    assert "holds parts of another job (other encoder, crf)" in other.stderr

    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert " from before)" in done.stdout
    assert "cannot be decoded: the one before is shown" in done.stderr
    assert output.read_bytes() == expected


def test_raw_planes_begin_anew(stream: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.y4m"
    stopped = command(
        str(stream), str(output), "--codec", "stand-in", moment="frame:20", signum=signal.SIGTERM
    )
    assert stopped.returncode == 143
    assert stopped.stderr.endswith("upreel: stopped\n")
    assert list(tmp_path.iterdir()) == []
