"""`upreel play`, without a screen."""

import json
from pathlib import Path

import pytest
from playing import clip
from processes import run_upreel
from typer.testing import CliRunner

from upreel.cli import app
from upreel.cli.play import play
from upreel.player.commands import keys_table
from upreel.player.rungs import FAST


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("films") / "film.mkv", count=15)


def test_it_plays_and_says_what_it_came_to(film: Path, tmp_path: Path) -> None:
    stats = tmp_path / "stats.json"
    done = run_upreel(
        "play", str(film), "--no-window", "--size", "64x48", "-m", "lanczos", "--stats", str(stats)
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("0:00 lanczos (")
    assert lines[-1].startswith(f"{film}: ")
    (title,) = json.loads(stats.read_text())["titles"]
    assert title["shown"] + title["skipped"] == 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.mp4"], "upreel: no such file: nope.mp4\n"),
        (["FILM", "--size", "12"], "upreel: --size takes WxH of 16 to 16384, such as 1280x720, "
                                   "got '12'\n"),
        (["FILM", "-o", "out.webm"], "upreel: --output takes a file ending in .mkv, .mp4, .mov, "
                                     ".ts, a folder (DIR/), or pipe:, got 'out.webm'\n"),
        (["FILM", "-m", "best-x4"], "upreel: best-x4 sees 8 later pictures, which takes too "
                                    f"long to play; there are: {', '.join(FAST)} and "
                                    "other models of past pictures, or lanczos\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(film: Path, arguments: list[str], message: str) -> None:
    given = [str(film) if word == "FILM" else word for word in arguments]
    result = CliRunner().invoke(app, ["play", *given, "--no-window"])

    assert result.exit_code == 1
    assert result.stderr == message


def test_a_folder_is_played_and_a_broken_title_is_told_of(film: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(film.read_bytes())
    (tmp_path / "b.mkv").write_bytes(b"no video" * 100)

    result = CliRunner().invoke(
        app, ["play", str(tmp_path), "--no-window", "--seconds", "0.2", "-m", "lanczos"]
    )

    assert result.exit_code == 1
    assert "b.mkv is not a video" in result.stderr
    assert result.stderr.endswith("upreel: 1 of 2 titles could not be played\n")


def test_the_help_tells_the_keys() -> None:
    assert play.__doc__ is not None
    for line in keys_table().splitlines():
        assert f"    {line}\n" in play.__doc__
