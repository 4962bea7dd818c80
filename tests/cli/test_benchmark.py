"""`upreel benchmark`: options become one job; what is printed; what is refused."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from upreel.cli.benchmark import benchmark
from upreel.evaluation import benchmark as measuring
from upreel.evaluation.memory import MemoryUse
from upreel.pipeline.machine import describe_machine

app = typer.Typer()
app.command()(benchmark)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[measuring.BenchmarkJob]:
    """Jobs that the command asked for; each is answered by a made-up result."""
    asked: list[measuring.BenchmarkJob] = []

    def answer(job: measuring.BenchmarkJob, _on_step: object) -> measuring.Benchmark:
        asked.append(job)
        return measuring.Benchmark(
            job=job,
            machine=describe_machine(),
            clip="made up",
            engine={},
            timings={},
            absent={},
            memory=(MemoryUse(clip_seconds=10, peak_bytes=1 << 20),),
        )

    monkeypatch.setattr(measuring, "benchmark", answer)
    return asked


def test_defaults_are_the_rows_of_the_readme(jobs: list[measuring.BenchmarkJob]) -> None:
    result = run()

    assert result.exit_code == 0, result.output
    assert jobs == [measuring.BenchmarkJob()]
    assert jobs[0].model == "fast-x2"
    assert (jobs[0].encoder, jobs[0].preset, jobs[0].size) == ("x264", "ultrafast", (960, 540))
    assert "made up" in result.stdout


def test_every_option_reaches_the_job(tmp_path: Path, jobs: list[measuring.BenchmarkJob]) -> None:
    clip = tmp_path / "a.mp4"
    clip.touch()

    result = run(
        clip, "-m", "fast-x4", "--weights", tmp_path, "--seconds", "2", "--rounds", "5",
        "-c", "x265", "--preset", "fast", "--crf", "20", "-d", "cpu", "--precision", "f32",
        "--threads", "1", "--size", "64x48", "--network-only",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert jobs == [
        measuring.BenchmarkJob(
            clip=clip, model="fast-x4", weights=tmp_path, seconds=2, rounds=5, encoder="x265",
            preset="fast", crf=20, device="cpu", precision="f32", threads=1, size=(64, 48),
            network_only=True,
        )
    ]  # fmt: skip


def test_memory_takes_a_short_and_a_long_clip(jobs: list[measuring.BenchmarkJob]) -> None:
    run("--memory")
    run("--memory", "--lengths", "1,2.5")

    assert [job.memory_lengths for job in jobs] == [(10, 100), (1, 2.5)]


def test_json_is_one_object_and_the_report_is_written(
    tmp_path: Path, jobs: list[measuring.BenchmarkJob]
) -> None:
    report = tmp_path / "bench.md"

    result = run("--json", "--report", report)

    values = json.loads(result.stdout)
    assert values["machine"]["cores"] >= 1
    assert values["memory"] == [{"clip_seconds": 10, "peak_bytes": 1 << 20}]
    assert len(jobs) == 1
    assert "made up" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--size", "big"), 2, "WIDTHxHEIGHT"),
        (("--lengths", "a", "--memory"), 2, "lengths are seconds such as"),
        (("--size", "15x20"), 1, "size must be even and at least 16x16, got 15x20"),
        (("--seconds", "-1"), 1, "seconds must be above 0, got -1"),
        (("-m", "nope", "--network-only"), 1, "no model 'nope'; there are: fast-x2"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], code: int, message: str) -> None:
    result = run(*arguments)

    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_the_bundled_network_is_timed() -> None:
    result = run("--network-only", "--size", "64x48", "--rounds", "1", "--threads", "1", "--json")

    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert [row["name"] for row in values["timings"]] == ["pack", "network", "unpack"]
    assert values["timings"][1]["fps"] > 0
    assert values["engine"]["threads"] == 1
