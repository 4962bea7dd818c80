"""The examples and the README's commands, run as they stand, on short clips."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from PIL import Image
from processes import ENVIRONMENT
from typer.testing import CliRunner

from upreel.cli import app
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.verify import verify
from upreel.zoo import card_names, load_card

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_demo_shows_a_gain_over_lanczos(tmp_path: Path) -> None:
    done = run([sys.executable, str(ROOT / "examples" / "demo.py"), str(tmp_path), "0.25"], ROOT)

    gains = dict(re.findall(r"(Lanczos|Upreel) +Y-PSNR ([\d.]+) dB", done.stdout))
    assert float(gains["Upreel"]) > float(gains["Lanczos"]) + 0.3
    with Image.open(tmp_path / "side-by-side.png") as sheet:
        assert sheet.size == (3 * 608 - 8, 564)
    info = probe(tmp_path / "city_x2.mp4")
    assert (info.width, info.height) == (640, 360)
    assert len(list(read_frames(info))) == 7
    again = run([sys.executable, str(ROOT / "examples" / "demo.py"), str(tmp_path), "0.25"], ROOT)
    assert re.sub(r"in .* s", "", again.stdout) == re.sub(r"in .* s", "", done.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files that the README speaks of."""
    sound = [AudioTrack()]
    write_clip(tmp_path / "holiday.mp4", audio=sound)
    write_clip(tmp_path / "old.avi", codec="mpeg4", audio=[AudioTrack(codec="libmp3lame")])
    write_clip(tmp_path / "clip.mov", width=640, height=360, count=2, audio=sound)
    write_clip(tmp_path / "film.mkv", audio=sound, chapters=["A", "B"])
    (tmp_path / "shows").mkdir()
    (tmp_path / "larger").mkdir()
    for name in ("one.mp4", "two.mkv"):
        write_clip(tmp_path / "shows" / name)
    return tmp_path


def test_every_command_of_the_readme_does_what_it_says(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    written = {
        "holiday.mp4": "holiday_x2.mp4",
        "old.avi": "new.mkv",
        "clip.mov": "clip_1920x1080.mov",
        "shows/": "larger/two_x2.mkv",
        "film.mkv": None,
    }
    for kind in ("VIDEO", "AUDIO"):  # the player's window, on a machine without a screen
        monkeypatch.setenv(f"SDL_{kind}DRIVER", "dummy")
    seen: set[str] = set()
    for line in COMMANDS:
        program, *arguments = shlex.split(line, comments=True)
        if program != ".venv/bin/upreel" or arguments[0] == "serve":  # which runs until stopped
            continue
        if arguments[0] == "verify":  # of the film of the line before, which was a dry run
            assert CliRunner().invoke(app, ["upscale", arguments[1]]).exit_code == 0
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (line, done.output)
        if arguments[0] == "upscale":
            made = written[arguments[1]]
            assert made is None or (place / made).exists(), line
            seen.add(arguments[1])
    assert seen == set(written)
    assert probe(place / "new.mkv").width == 256
    assert probe(place / "clip_1920x1080.mov").height == 1080
    assert sorted(path.name for path in (place / "larger").iterdir()) == [
        "one_x2.mp4",
        "two_x2.mkv",
    ]


def test_the_two_commands_of_a_newcomer_are_in_the_makefile() -> None:
    asked = [line for line in COMMANDS if line.startswith("make ")]
    assert [shlex.split(line, comments=True) for line in asked] == [
        ["make", "demo"],
        ["make", "test"],
    ]
    for line in asked:
        done = run(["make", "--dry-run", *shlex.split(line, comments=True)[1:]], ROOT)
        assert ("examples/demo.py demo" in done.stdout) == ("demo" in line)
        assert ("scripts/check" in done.stdout) == ("test" in line)


def test_extras_to_install_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [extra for line in COMMANDS for extra in re.findall(r"\.\[(\w+)\]", line)]
    assert named
    assert set(named) <= set(project["optional-dependencies"])


def test_python_of_the_readme_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    (code,) = blocks("python")
    names: dict[str, object] = {"frames": read_frames(probe("holiday.mp4"))}

    exec(compile(code, "README.md", "exec"), names)

    assert verify("holiday.mp4", "large.mp4").passed
    frame = names["frame"]
    assert (frame.index, frame.width) == (7, 128)  # type: ignore[attr-defined]


def test_models_of_the_readme_are_those_that_are_bundled() -> None:
    rows = re.findall(
        r"^\| (`(?:fast|live|tan|best|srcnn).*?) \|.*?\| ([\dk, ]+) \|$", README, flags=re.MULTILINE
    )
    table = {
        name: size
        for names, sizes in rows
        for name, size in zip(re.findall(r"`(.*?)`", names), sizes.split(", "), strict=True)
    }
    assert set(table) == set(card_names())
    for name, size in table.items():
        assert size == f"{load_card(name).num_parameters / 1000:.0f}k"


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
