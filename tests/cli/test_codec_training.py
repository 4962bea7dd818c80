"""`upreel train`, `export` and `compress` of a codec: from a recipe to a file that comes back.

Mutations tried: a checkpoint that is exported as another network's; sources left out of the card.
"""

import json
from pathlib import Path

import pytest
from clips import write_clip
from small_codec import CONFIG
from typer.testing import CliRunner

from upreel.cli import app
from upreel.zoo.codec_card import load_codec_card

pytestmark = pytest.mark.usefixtures("shared_traces")

RECIPE = f"""
from upreel.training.codec import CodecRun
from upreel.zoo.configs.codec import CodecConfig


def small() -> CodecRun:
    return CodecRun(
        name="small",
        network={CONFIG!r},
        stage="alone",
        steps=2,
        batch=2,
        patch=64,
        validation=("drawn7",),
    )
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(RECIPE)
    return path


def told(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("upreel: ").rstrip("\n")


def test_a_codec_is_trained_exported_and_used(recipe: Path, tmp_path: Path) -> None:
    printed = told("train", f"{recipe}:small", "--out", tmp_path)
    path = tmp_path / "small.ckpt"
    assert printed.startswith("step 2/2  loss ")
    assert "  q16 " in printed
    assert printed.endswith(f"{path}: upreel export {path} makes a card of it\n")

    sources = tmp_path / "sources.json"
    sources.write_text(json.dumps({f"drawn{n}": "drawn by code" for n in range(7)}))
    printed = told(
        "export", path, "--out", tmp_path, "--name", "mine", "--sources", sources,
        "--summary", "a try",
    )  # fmt: skip
    card = load_codec_card(str(tmp_path / "mine.json"))
    assert printed == f"{tmp_path / 'mine.json'}: upreel compress --codec takes it\n"
    assert (card.summary, card.steps, len(card.training_data)) == ("a try", 2, 7)
    assert card.training_data[0] == "drawn0: drawn by code"

    clip = write_clip(tmp_path / "a.mp4")
    told("compress", clip, tmp_path / "a.upv", "--codec", tmp_path / "mine.json")
    told("decompress", tmp_path / "a.upv", tmp_path / "b.mkv", "--codec", tmp_path / "mine.json")
    assert (tmp_path / "b.mkv").stat().st_size > 0


def test_what_a_codec_is_not_for_is_refused(recipe: Path, tmp_path: Path) -> None:
    for command in ("quantize", "prune", "distill"):
        more = ["--target-ms", 5] if command == "prune" else []
        text = refused(command, f"{recipe}:small", "--out", tmp_path, *more)
        assert text == f"{recipe}:small is a run of the codec, which upreel train is for"
    told("train", f"{recipe}:small", "--out", tmp_path, "--steps", 1)
    path = tmp_path / "small.ckpt"
    assert (
        refused("export", path, "--into", "fast-x2") == f"{path} is a codec: --into is not for it"
    )
    twice = ["--start", path, "--start", path]
    assert (
        refused("train", f"{recipe}:small", "--out", tmp_path / "b", *twice)
        == "small starts from one run, got 2"
    )
