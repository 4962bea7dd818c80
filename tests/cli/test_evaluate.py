"""`upreel evaluate`, run in process."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from clips import write_clip
from typer.testing import CliRunner, Result

from upreel.cli.evaluate import evaluate
from upreel.evaluation import run as evaluation

app = typer.Typer()
app.command()(evaluate)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "set"
    path.mkdir()
    write_clip(path / "bees_1.mkv", codec="ffv1", count=2, width=160, height=144)
    write_clip(path / "walk_1.mkv", codec="ffv1", count=2, width=160, height=144)
    return path


def test_json_is_one_object(folder: Path) -> None:
    result = run(
        "--set", folder, "--only", "bees", "--models", "bicubic, lanczos", "--scale", "2", "--json"
    )

    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert [model["name"] for model in values["models"]] == ["bicubic", "lanczos"]
    assert list(values["models"][0]["sources"]) == ["bees"]
    assert values["protocol"]["passed"] is None


def test_a_codec_brings_vmaf_with_it(folder: Path) -> None:
    arguments = ("--set", folder, "--only", "bees", "--models", "lanczos", "--scale", "2")
    arguments += ("--degradation", "codec:x264:crf23")

    with_vmaf, without = run(*arguments), run(*arguments, "--no-vmaf")

    assert with_vmaf.exit_code == 0, with_vmaf.output
    assert "VMAF-NEG" in with_vmaf.stdout
    assert without.exit_code == 0
    assert "VMAF" not in without.stdout


def test_the_report_is_written_and_named(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report"

    result = run("--set", folder, "--models", "bicubic", "--scale", "2", "--report", target)

    assert f"report: {target / 'report.html'}" in result.stdout
    assert json.loads((target / "report.json").read_text(encoding="utf-8"))["scale"] == 2


def test_a_protocol_that_is_off_ends_with_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = evaluation.evaluate

    def off(*arguments: object) -> evaluation.Evaluation:
        result = genuine(*arguments)
        check = evaluation.ProtocolCheck(passed=False, message="the protocol is off: made up")
        return replace(result, check=check)

    monkeypatch.setattr(evaluation, "evaluate", off)
    result = run("--set", folder, "--models", "bicubic", "--scale", "2", "--json")

    assert result.exit_code == 1
    assert result.stderr == "upreel: the protocol is off: made up\n"
    assert json.loads(result.stdout)["protocol"]["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--models", "nope", "--scale", "2"), "no model 'nope'; there are: fast-x2"),
        (("--models", "bicubic", "--scale", "7"), "scale 7 is not there; allowed: 2, 3, 4"),
        (("--models", "bicubic", "--scale", "2", "--only", "x"), "no clip or source 'x' in"),
        (("--models", "bicubic", "--scale", "2", "--degradation", "BD"), "allowed: BI, codec:"),
    ],
)
def test_mistakes_are_one_line(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("--set", folder, *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith("upreel: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_options_are_these() -> None:
    command = typer.main.get_command(app)

    names = {option for parameter in command.params for option in parameter.opts}
    assert names >= {
        "--set", "--data", "--models", "--scale", "--degradation", "--only", "--limit",
        "--vmaf", "--weights", "--device", "--precision", "--threads", "--json", "--report",
    }  # fmt: skip
