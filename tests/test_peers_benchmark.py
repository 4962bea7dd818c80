"""benchmarks/peers.py: options become one job; what was measured is written and printed.

Mutations tried: an option not handed on, `--only` that takes the other cases, the folder looked at
after the work, `--from` that measures: each fails one of these tests or more.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts_as_modules import module_of

from upreel.errors import WeightsError
from upreel.evaluation.peers import CASES, Peers, PeersJob
from upreel.evaluation.peers_report import read_peers
from upreel.pipeline.machine import describe_machine


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return module_of("benchmarks/peers.py")


@pytest.fixture
def jobs(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[PeersJob]:
    """Jobs that the command asked for; each is answered by nothing measured."""
    asked: list[PeersJob] = []

    def answer(job: PeersJob, show: Any) -> Peers:  # noqa: ANN401
        asked.append(job)
        show("something", 0, 2)
        return Peers(
            job=job, machine=describe_machine(), date="today", clips=("any",), cases=(),
            unmeasured={}, other_load=None,
        )  # fmt: skip

    monkeypatch.setattr(script, "benchmark_peers", answer)
    return asked


def test_defaults_are_the_jobs_own(
    script: ModuleType, jobs: list[PeersJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    script.main([])

    assert jobs == [PeersJob()]
    printed = capsys.readouterr()
    assert printed.out == (tmp_path / "peers" / "peers.md").read_text(encoding="utf-8")
    assert printed.out.startswith("    python benchmarks/peers.py\n")
    assert printed.err == "something (1 of 2)\n"


def test_every_option_reaches_the_job(
    script: ModuleType, jobs: list[PeersJob], tmp_path: Path
) -> None:
    network = tmp_path / "a.onnx"

    script.main([
        "--data", "a.mkv", "--data", "b.mkv", "--weights", str(tmp_path), "--weights", str(network),
        "--only", "180p to 720p", "--only", "540p to 1080p", "--frames", "3", "--rounds", "2",
        "--threads", "1", "--no-vmaf", "--out", str(tmp_path / "out"),
    ])  # fmt: skip

    job = PeersJob(
        data=(Path("a.mkv"), Path("b.mkv")), weights=(tmp_path, network),
        cases=(CASES[0], CASES[2]), frames=3, rounds=2, threads=1, with_vmaf=False,
    )  # fmt: skip
    assert jobs == [job]
    values = read_peers(tmp_path / "out" / "peers.json")
    assert values["command"] == (
        f"python benchmarks/peers.py --data a.mkv --data b.mkv --weights {tmp_path} "
        f"--weights {network} --only '540p to 1080p' --only '180p to 720p' --frames 3 --rounds 2 "
        "--threads 1 --no-vmaf"
    )


def test_what_was_measured_is_written_again(
    script: ModuleType, jobs: list[PeersJob], tmp_path: Path
) -> None:
    script.main(["--out", str(tmp_path / "first")])

    source = tmp_path / "first" / "peers.json"
    script.main(["--from", str(source), "--out", str(tmp_path / "again")])

    assert len(jobs) == 1
    again = tmp_path / "again" / "peers.json"
    assert json.loads(again.read_text()) == json.loads(source.read_text())


def test_errors_are_one_line(
    script: ModuleType, jobs: list[PeersJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"^peers: .*file is a file, not a folder$"):
        script.main(["--out", str(tmp_path / "file")])
    assert jobs == []

    def fail(*_: object) -> None:
        raise WeightsError("a.onnx is missing")

    monkeypatch.setattr(script, "benchmark_peers", fail)
    with pytest.raises(SystemExit, match=r"^peers: a\.onnx is missing$"):
        script.main(["--out", str(tmp_path / "out")])


def test_the_cases_are_those_of_the_documentation() -> None:
    assert [(case.name, case.scale) for case in CASES] == [
        ("540p to 1080p", 2), ("270p to 1080p", 4), ("180p to 720p", 4),
    ]  # fmt: skip
