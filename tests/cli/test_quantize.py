"""`upreel quantize` and `upreel export --into`: int8 beside a card, and a video enlarged in it."""

from pathlib import Path

import pytest
from small_cards import export_small
from typer.testing import CliRunner

from upreel.cli import app
from upreel.zoo.card import read_card

pytestmark = pytest.mark.usefixtures("shared_traces")

RECIPE = """
from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import Distillation, TrainConfig
from upreel.zoo import FastConfig, QuantizedConfig


def whole() -> TrainConfig:
    return TrainConfig(
        name="whole",
        network=QuantizedConfig(network=FastConfig(scale=2, channels=8, depth=2, layout="luma")),
        degradation=Degradation(kernels=("bicubic",)),
        parts=(("network", "fast-luma"),),
        steps=2,
        batch=2,
        patch=16,
        validation=("drawn7",),
    )


def taught() -> TrainConfig:
    return replace(whole(), name="taught", distillation=Distillation(output=1.0))


def plain() -> TrainConfig:
    return TrainConfig(
        name="plain",
        network=FastConfig(scale=2, channels=8, depth=2, layout="luma"),
        degradation=Degradation(kernels=("bicubic",)),
        steps=1,
        batch=2,
        patch=16,
        validation=("drawn7",),
    )
"""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def failure(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("upreel: ").rstrip("\n")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(RECIPE)
    return path


def test_from_a_card_to_a_video_in_int8(recipe: Path, tmp_path: Path) -> None:
    card = export_small("fast-luma", tmp_path)
    start = card.folder / "fast-luma.safetensors"

    told = run("quantize", f"{recipe}:whole", "--start", start, "--out", tmp_path, "--allowed", "9")
    exported = run("export", tmp_path / "whole.ckpt", "--into", tmp_path / "fast-luma.json")

    assert "in whole numbers" in told
    assert "no step is needed" in told
    assert f"export {tmp_path / 'whole.ckpt'} --into CARD adds int8" in told
    assert exported.startswith(f"{tmp_path / 'fast-luma.int8.onnx'}: ")
    made = read_card(tmp_path / "fast-luma.json")
    assert made.precisions == ("f32", "bf16", "int8")
    made.verified_onnx(precision="int8")


def test_a_teacher_goes_along_where_the_recipe_has_one(recipe: Path, tmp_path: Path) -> None:
    start = export_small("fast-luma", tmp_path).folder / "fast-luma.safetensors"
    command = ("quantize", f"{recipe}:taught", "--start", start, "--out", tmp_path / "runs")

    assert failure(*command, "--answers", tmp_path) == (
        "--self-ensemble and --answers are of a teacher: --teacher names it"
    )
    assert failure(*command) == "taught learns from a teacher: --teacher is for runs that do"
    told = run(*command, "--teacher", tmp_path / "fast-luma.json", "--allowed", "9")

    assert "fast-luma answers: 7 of 7 clips" in told
    assert "no step is needed" in told


def test_runs_and_cards_that_do_not_fit_are_refused(recipe: Path, tmp_path: Path) -> None:
    card = export_small("fast-luma", tmp_path)
    start = card.folder / "fast-luma.safetensors"
    run("quantize", f"{recipe}:whole", "--start", start, "--out", tmp_path, "--allowed", "9")
    run("train", f"{recipe}:plain", "--out", tmp_path)
    whole, plain = tmp_path / "whole.ckpt", tmp_path / "plain.ckpt"

    assert failure("export", whole) == (
        f"{whole} is quantised, a precision of a card: --into names it"
    )
    assert failure("export", plain, "--into", tmp_path / "fast-luma.json") == (
        f"{plain} is not quantised: --into is not for it"
    )
    assert failure("export", whole, "--into", "fast-x2").startswith("fast-x2 is FastConfig(")
    assert failure("quantize", f"{recipe}:plain", "--out", tmp_path / "other") == (
        "plain is a run of kind fast, not quantized: upreel train is for it"
    )
    assert read_card(tmp_path / "fast-luma.json") == card
