"""`upreel verify`, run in process."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from clips import write_clip
from compressing import packed
from typer import Typer
from typer.testing import CliRunner

from upreel.cli.verify import verify


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mkv", chapters=["A", "B"])


def run(*arguments: str | Path) -> Result:
    app = Typer()
    app.command()(verify)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_exits_with_the_verdict(source: Path, tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mkv", chapters=["A", "B"])
    bad = write_clip(tmp_path / "bad.mkv", chapters=["A"])

    passed, refused = run(source, good), run(source, bad)

    assert (passed.exit_code, refused.exit_code) == (0, 1)
    assert "ok    frames: 8 before, 8 after" in passed.stdout
    assert "FAIL  chapters: 2 before, 1 after" in refused.stdout


def test_command_prints_one_object(source: Path) -> None:
    done = run(source, source, "--json")

    result = json.loads(done.stdout)
    assert result["passed"] is True
    assert {"name": "frames", "passed": True, "detail": "8 before, 8 after"} in result["checks"]


def test_command_asks_for_the_codec_of_a_upv(source: Path, tmp_path: Path) -> None:
    packed(source, tmp_path / "out.upv")

    unsaid, other = (
        run(source, tmp_path / "out.upv"),
        run(source, tmp_path / "out.upv", "--codec", "x"),
    )

    assert (unsaid.exit_code, other.exit_code) == (1, 1)
    assert unsaid.stderr.endswith("compress and evaluate: --upv-codec)\n")
    assert other.stderr == "upreel: no codec 'x'; there is: the path of a card (.json)\n"


def test_command_names_a_missing_file(source: Path, tmp_path: Path) -> None:
    done = run(source, tmp_path / "nothing.mkv")

    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "nothing.mkv" in done.stderr
