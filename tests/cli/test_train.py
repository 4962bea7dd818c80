"""`upreel train`, run in process: a recipe in, a checkpoint out; mistakes in one line."""

from pathlib import Path

import pytest
import torch  # noqa: TID253
from typer.testing import CliRunner

from upreel.cli import app
from upreel.training.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
TINY = """
from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig

WORDS = ("not", "a", "function")


def tiny() -> TrainConfig:
    return TrainConfig(
        name="tiny",
        network=FastConfig(scale=2, channels=4, depth=0),
        degradation=Degradation(kernels=("bicubic",)),
        steps=3,
        batch=2,
        patch=16,
        validation=("drawn7",),
    )


def words() -> tuple[str, ...]:
    return WORDS
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(TINY)
    return path


def failure(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["train", *arguments])
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("upreel: ").rstrip("\n")


def test_a_recipe_of_the_project_trains_on_drawn_clips(tmp_path: Path) -> None:
    recipe = f"{ROOT / 'recipes' / 'fast.py'}:fast_x2_clean_first"

    result = CliRunner().invoke(app, ["train", recipe, "--steps", "2", "--out", str(tmp_path)])

    assert result.exit_code == 0, result.output
    path = tmp_path / "fast-x2-clean-first.ckpt"
    assert result.stdout.startswith("step 2/2  loss 0.0")
    assert result.stdout.endswith(f"{path}: upreel export {path} makes a card of it\n")
    assert load_checkpoint(path).step == 2
    assert load_checkpoint(path).config.steps == 2


def test_a_run_is_resumed_and_scored(recipe: Path, tmp_path: Path) -> None:
    arguments = ["train", f"{recipe}:tiny", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, [*arguments, "--steps", "1"])
    assert first.exit_code == 0, first.output

    assert (
        failure(*arguments[1:])
        == f"{tmp_path}/tiny.ckpt is there already: --resume goes on from it"
    )
    result = CliRunner().invoke(app, [*arguments, "--resume"])

    assert result.exit_code == 0, result.output
    assert "step 3/3" in result.stdout
    assert "Y-PSNR (over bicubic): drawn7 " in result.stdout
    assert load_checkpoint(tmp_path / "tiny.ckpt").step == 3


def test_recipes_that_are_not_there(recipe: Path) -> None:
    expected = "a recipe is FILE.py:FUNCTION with a file that is there, got "
    for name in ("nowhere.py:fast", str(recipe), "own", f"{recipe}:", f"{ROOT}/pyproject.toml:x"):
        assert failure(name) == expected + repr(name)
    assert failure(f"{recipe}:huge") == f"no recipe 'huge' in {recipe}; there are: tiny, words"
    assert failure(f"{recipe}:WORDS").startswith("no recipe 'WORDS'")
    assert failure(f"{recipe}:words") == f"{recipe}:words returns a tuple, not a TrainConfig"


def test_data_and_devices_that_are_not_there(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    place = ["--out", str(tmp_path)]

    said = failure(f"{recipe}:tiny", "--data", "/nowhere", *place)
    assert said == "/nowhere is neither a folder nor a pack"
    assert failure(f"{recipe}:tiny", "-d", "cuda", *place) == "no CUDA device here; there is: cpu"
    assert "no device 'tpu'" in failure(f"{recipe}:tiny", "-d", "tpu", *place)
    assert failure(f"{recipe}:tiny", "--start", "/nowhere.ckpt", *place).startswith(
        "cannot read /nowhere.ckpt"
    )


def test_a_student_learns_from_a_bundled_model(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        TINY.replace(
            "network=", "distillation=Distillation(temporal=1),\n        network="
        ).replace("import TrainConfig", "import Distillation, TrainConfig")
    )
    recipe = f"{file}:tiny"
    answers = tmp_path / "answers"
    command = ["distill", recipe, "--teacher", "fast-x2-clean", "--answers", str(answers)]

    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("fast-x2-clean answers: 0 of 7 clips\n")
    assert "step 3/3" in result.stdout
    assert len(list(answers.iterdir())) == 7
    assert "learns from a teacher: upreel distill" in failure(recipe, "--out", str(tmp_path / "b"))
