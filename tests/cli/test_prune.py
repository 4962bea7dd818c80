"""`upreel prune`: a smaller network of a card's weights; mistakes in one line."""

from pathlib import Path

import pytest
from small_cards import export_small
from typer.testing import CliRunner

from upreel.cli import app
from upreel.training.checkpoint import load_checkpoint
from upreel.zoo import FastConfig

pytestmark = pytest.mark.usefixtures("shared_traces")

RECIPE = """
from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig


def thin() -> TrainConfig:
    return TrainConfig(
        name="thin",
        network=FastConfig(scale=2, channels=32, depth=2, layout="luma"),
        degradation=Degradation(kernels=("bicubic",)),
        start="thick",
        steps=1,
        batch=2,
        patch=16,
        validation=("drawn7",),
    )


def thick() -> TrainConfig:
    return TrainConfig(
        name="thick",
        network=FastConfig(scale=2, channels=32, depth=2, layout="luma"),
        degradation=Degradation(kernels=("bicubic",)),
        steps=1,
        batch=2,
        patch=16,
        validation=("drawn7",),
    )
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(RECIPE)
    return f"{path}:thin"


def prune(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["prune", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_trained_network_is_thinned(recipe: str, tmp_path: Path) -> None:
    thick = recipe.replace(":thin", ":thick")
    trained = CliRunner().invoke(app, ["train", thick, "--out", str(tmp_path)])
    assert trained.exit_code == 0, trained.output

    code, printed, told = prune(
        recipe, "--start", tmp_path / "thick.ckpt", "--target-macs", "15000", "--rounds", "1",
        "--out", tmp_path,
    )  # fmt: skip

    path = tmp_path / "thin.ckpt"
    assert code == 0, told
    assert "thin: 32 features and 32 within pairs become " in told
    assert printed.endswith(f"{path}: upreel export {path} makes a card of it\n")
    network = load_checkpoint(path).config.network
    assert isinstance(network, FastConfig)
    assert network.macs_per_position <= 15000


def test_mistakes_are_one_line(recipe: str, tmp_path: Path) -> None:
    card = export_small("fast-luma", tmp_path)
    common = (recipe, "--start", card.folder / "fast-luma.safetensors", "--out", tmp_path / "runs")
    for arguments, message in (
        ((), "one of --target-ms and --target-macs says how small it shall be"),
        (("--target-ms", "1", "--target-macs", "9"), "one of --target-ms and --target-macs says"),
        (("--target-ms", "1", "--size", "big"), "--size must be WxH, such as 960x540, got 'big'"),
        (
            ("--target-macs", "9", "--rounds", "1"),
            "thin starts from the result of thick, got that of fast-luma",
        ),
    ):
        code, _, told = prune(*common, *arguments)
        assert code == 1
        assert told.startswith(f"upreel: {message}")
        assert told.count("\n") == 1
