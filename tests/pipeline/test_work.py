"""The work folder: its lock, what counts as finished, what is tidied up."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ENVIRONMENT

from upreel.errors import DiskFullError, LockedError, OutputError, StaleWorkError
from upreel.pipeline.plan import Part
from upreel.pipeline.work import PartDone, Work, check_free_space

PART = Part(index=3, first=0, stop=10)


def test_a_second_process_is_refused_and_the_lock_dies_with_its_owner(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    code = (
        "import os, sys; from pathlib import Path; from upreel.pipeline.work import Work\n"
        "work = Work(Path(sys.argv[1])); work.__enter__()\n"
        "print('locked', flush=True); sys.stdin.read(); os._exit(9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(output)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError, match=r"another process is working on .*out\.mp4"):
            Work(output).__enter__()
        process.kill()
        process.wait()
    with Work(output) as work:
        assert work.folder == tmp_path / ".out.mp4.upreel"


def test_a_folder_without_a_finished_part_does_not_stay(tmp_path: Path) -> None:
    with Work(tmp_path / "out.mp4") as work:
        assert work.folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_finished_when_its_record_and_its_whole_file_are_there(tmp_path: Path) -> None:
    with Work(tmp_path / "out.mp4") as work:
        path = work.part_path(PART, ".mp4")
        path.write_bytes(b"12345")
        assert work.finished(PART, ".mp4") is None
        done = PartDone(frames=10, bytes=5, damaged=(4,), notices=("one",))
        work.finish(PART, done)
        assert work.finished(PART, ".mp4") == done
        path.write_bytes(b"1234")
        assert work.finished(PART, ".mp4") is None


def test_what_a_killed_process_left_aside_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / ".out.mp4.upreel"
    folder.mkdir()
    (folder / "part-00000.mp4.tmp").write_bytes(b"half")
    with Work(tmp_path / "out.mp4"):
        assert [path.name for path in folder.iterdir()] == ["lock"]


def test_a_damaged_plan_is_stale(tmp_path: Path) -> None:
    folder = tmp_path / ".out.mp4.upreel"
    folder.mkdir()
    (folder / "plan.json").write_text("{")
    with Work(tmp_path / "out.mp4") as work, pytest.raises(StaleWorkError, match="cannot read"):
        work.stored_plan()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"folder .*nowhere does not exist"):
        Work(tmp_path / "nowhere" / "out.mp4").__enter__()


def test_too_little_room_is_refused_with_both_numbers(tmp_path: Path) -> None:
    check_free_space(tmp_path, 1)
    with pytest.raises(DiskFullError, match=r"need at least 1000000000000 MB.* MB are free"):
        check_free_space(tmp_path, 10**18)
