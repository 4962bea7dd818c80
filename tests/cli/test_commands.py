"""The command line as a whole: its commands, its options, how fast it answers."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ENVIRONMENT, run_python, run_upreel

ROOT = Path(__file__).parents[2]

OPTIONS = {
    "upscale": {
        "--output", "-o", "--model", "-m", "--min-fps", "--scale", "-s", "--size", "--device",
        "-d", "--precision", "--tile", "-t", "--threads", "--self-ensemble", "--adapt",
        "--codec", "-c", "--crf", "--preset", "--encoder-option", "-e", "--pix-fmt", "--start",
        "--end", "--deinterlace", "--no-audio", "--no-subs", "--upv-codec", "--dry-run",
        "--overwrite", "--json", "--quiet", "-q",
    },
    "compress": {
        "--quality", "--bitrate", "--keyint", "--codec", "--device", "-d", "--precision",
        "--threads", "--start", "--end", "--no-audio", "--no-subs", "--upv-codec", "--overwrite",
        "--json", "--quiet", "-q",
    },
    "decompress": {
        "--codec", "--device", "-d", "--precision", "--threads", "--encoder", "-c", "--crf",
        "--preset", "--encoder-option", "-e", "--overwrite", "--json", "--quiet", "-q",
    },
    "probe": {"--json"},
    "verify": {"--codec", "--json"},
    "models": {"--json"},
    "inspect": {"-o", "--out", "--frame", "-s", "--scale", "--overwrite", "--json"},
    "devices": {"--json"},
    "pack": {"--output", "-o", "--size", "--window", "--frames", "--no-chroma"},
    "train": {
        "--data", "--resume", "--minutes", "--out", "--device", "-d", "--start", "--steps",
        "--seed",
    },
    "distill": {
        "--teacher", "--self-ensemble", "--answers",
        "--data", "--resume", "--minutes", "--out", "--device", "-d", "--start", "--steps",
        "--seed",
    },
    "prune": {
        "--target-ms", "--target-macs", "--size", "--precision", "--rounds", "--data", "--out",
        "--resume", "--start", "--steps", "--device", "-d",
    },
    "quantize": {
        "--data", "--out", "--resume", "--start", "--allowed", "--minutes", "--steps", "--device",
        "-d", "--teacher", "--self-ensemble", "--answers",
    },
    "export": {"--out", "--name", "--sources", "--summary", "--into"},
    "serve": {
        "--host", "--port", "--rungs", "--token", "--user", "--allow-host", "--cache",
        "--cache-size", "--live", "--encoders", "--connections", "--codec",
    },
    "play": {
        "--model", "-m", "--size", "--full-screen", "--no-window", "--stats", "--output", "-o",
        "--start", "--seconds", "--live", "--no-live", "--rows", "--reconnect", "--volume",
        "--audio-track", "--codec", "--sub-track",
        "--no-audio", "--no-subs", "--compare", "--overlay", "--screenshots", "--device", "-d",
        "--precision", "--threads",
    },
    "evaluate": {
        "--set", "--data", "--models", "--scale", "-s", "--degradation", "--only", "--limit",
        "--vmaf", "--no-vmaf", "--motion", "--no-motion", "--frames", "--from",
        "--weights", "--device", "-d", "--precision", "--threads",
        "--json", "--report", "--rd", "--codec", "--peers", "--structure", "--keyint", "--points",
        "--qualities", "--start", "--end", "--upv-codec",
    },
    "benchmark": {
        "--model", "-m", "--size", "--seconds", "--rounds", "--encoder", "-c", "--preset", "--crf",
        "--weights", "--network-only", "--memory", "--lengths", "--device", "-d", "--precision",
        "--threads", "--json", "--report",
    },
}  # fmt: skip
"""Words that people have in their scripts: a new one is added here on purpose."""


def registered_options() -> dict[str, set[str]]:
    import typer.main

    from upreel.cli import app

    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    return {
        name: {
            word
            for parameter in command.params
            if parameter.param_type_name == "option"
            for word in (*parameter.opts, *parameter.secondary_opts)
        }
        for name, command in commands.items()
    }


def test_commands_and_options_are_those_that_are_documented() -> None:
    assert registered_options() == OPTIONS


def test_help_page_is_current() -> None:
    code = (
        "import sys; sys.path.insert(0, 'scripts'); import make_help\n"
        "print(make_help.help_text(), end='')"
    )
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True
    )
    kept = (ROOT / "docs" / "help.md").read_bytes()
    assert made.stdout == kept, "run scripts/make_help.py"


HEAVY = (
    "numpy",
    "av",
    "openvino",
    "onnxruntime",
    "torch",
    "rich",
    "PIL",
    "starlette",
    "uvicorn",
    "sdl2",
)


@pytest.mark.parametrize("statement", ["import upreel", "import upreel.cli"])
def test_start_up_loads_nothing_heavy(statement: str) -> None:
    code = f"{statement}\nimport sys; print(*[n for n in {HEAVY!r} if n in sys.modules])"
    assert run_python(code).stdout.split() == []


def test_help_takes_less_than_0_4_seconds_of_work() -> None:
    # Processor time, the least of three: a busy machine shall not make it fail.
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'upreel', '--help'], check=True,"
        " stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    assert min(float(run_python(code).stdout) for _ in range(3)) < 0.4


def test_version() -> None:
    import tomllib

    from upreel import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert run_upreel("--version").stdout == f"upreel {__version__}\n".encode()
    assert project["version"] == __version__


def test_wrong_usage_is_exit_code_2() -> None:
    for arguments in (["upscale"], ["upscale", "a.mp4", "--nope"], ["nope"]):
        done = run_upreel(*arguments)
        assert done.returncode == 2
        assert done.stdout == b""
        assert b"Error: " in done.stderr


def test_python_names_are_these() -> None:
    import upreel

    assert upreel.__all__ == ["__version__", "compress", "decompress", "load_model", "upscale"]
    for name in upreel.__all__:
        assert getattr(upreel, name)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = upreel.nope
