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
from upreel.evaluation.scores import Evaluation, ProtocolCheck

app = typer.Typer(add_completion=False)
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


def test_vmaf_is_measured_unless_told_otherwise(folder: Path) -> None:
    arguments = ("--set", folder, "--only", "bees", "--models", "lanczos", "--scale", "2")
    arguments += ("--degradation", "codec:x264:crf23")

    with_vmaf, without = run(*arguments), run(*arguments, "--no-vmaf", "--no-motion")

    assert with_vmaf.exit_code == 0, with_vmaf.output
    assert "VMAF-NEG" in with_vmaf.stdout
    assert without.exit_code == 0
    assert "VMAF-NEG" not in without.stdout.split("not measured")[0]
    assert "not measured: VMAF, VMAF-NEG, VMAF v1, Warping error, Motion px: not asked for" in (
        without.stdout
    )


def test_the_report_is_written_and_named(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report"

    result = run("--set", folder, "--models", "bicubic", "--scale", "2", "--report", target)

    assert f"report: {target / 'report.html'}" in result.stdout
    assert json.loads((target / "report.json").read_text(encoding="utf-8"))["scale"] == 2


def test_a_protocol_that_is_off_ends_with_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = evaluation.evaluate

    def off(*arguments: object) -> Evaluation:
        result = genuine(*arguments)
        check = ProtocolCheck(passed=False, message="the protocol is off: made up")
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
        (("--models", "bicubic"), "--set and --scale are needed, or --from with --report, or --rd"),
        (("--scale", "2"), "no model given; --models takes a list"),
        (("--scale", "2", "--frames", "x"), "--frames takes NAME=DIR, got 'x'"),
        (("--from", "x.json"), "--from takes --report DIR and nothing else; leave --set away"),
        (("--models", "bicubic", "--scale", "2", "--degradation", "XX"), "allowed: BI, BD, codec:"),
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
    assert names == {
        "--set", "--data", "--models", "--scale", "--degradation", "--only", "--limit",
        "--vmaf", "--motion", "--frames", "--from", "--weights", "--device", "--precision",
        "--threads", "--json", "--report", "-s", "-d", "--rd", "--codec", "--peers",
        "--structure", "--keyint", "--points", "--qualities", "--start", "--end", "--upv-codec",
    }  # fmt: skip


def test_a_page_is_made_again_from_its_json(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = ("--models", "bicubic", "--scale", "2", "--only", "bees", "--no-vmaf")
    run("--set", folder, *arguments, "--report", first)

    result = run("--from", first / "report.json", "--report", second)

    assert result.exit_code == 0, result.output
    assert result.stdout == f"report: {second / 'report.html'}\n"
    assert (second / "report.html").read_bytes() == (first / "report.html").read_bytes()
    assert (second / "report.json").read_bytes() == (first / "report.json").read_bytes()


def test_files_make_a_set(folder: Path) -> None:
    arguments = ("--models", "bicubic", "--scale", "2", "--no-vmaf", "--no-motion", "--json")

    result = run("--set", folder / "walk_1.mkv", "--set", folder / "bees_1.mkv", *arguments)

    values = json.loads(result.stdout)
    assert list(values["models"][0]["sources"]) == ["walk", "bees"]
    assert "pictures" not in values


def test_a_report_that_cannot_be_written_is_said_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: pytest.fail("work began"))
    (tmp_path / "file").write_text("a file")

    result = run(
        "--set", folder, "--models", "bicubic", "--scale", "2", "--report", tmp_path / "file"
    )

    assert result.exit_code == 1
    assert result.stderr == f"upreel: {tmp_path / 'file'} is a file, not a folder\n"


@pytest.mark.parametrize("form", ["--json", "--no-motion"])
def test_a_report_that_fails_afterwards_does_not_lose_the_figures(
    folder: Path, tmp_path: Path, form: str
) -> None:
    report = tmp_path / "report"
    (report / "report.html").mkdir(parents=True)

    result = run(
        "--set", folder, "--models", "bicubic", "--scale", "2", "--no-vmaf", form,
        "--report", report,
    )  # fmt: skip

    assert result.exit_code == 1
    assert result.stderr == f"upreel: cannot write the report to {report}: Is a directory\n"
    if form == "--json":
        assert json.loads(result.stdout)["models"][0]["mean"]["psnr_y"] > 10
    else:
        assert "Y-PSNR dB" in result.stdout


def test_from_names_the_options_that_do_not_go_with_it(tmp_path: Path) -> None:
    result = run("--from", "x.json", "--report", tmp_path, "--json", "--limit", "3", "--no-vmaf")

    assert result.exit_code == 1
    assert result.stderr == (
        "upreel: --from takes --report DIR and nothing else; leave --limit, --vmaf, --json away\n"
    )
    alone = run("--from", "x.json")
    assert alone.stderr == "upreel: --from needs --report DIR, the folder for the page\n"
