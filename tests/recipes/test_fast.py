"""recipes/fast.py: every function returns a run that begins with one that there is."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from upreel.training.config import TrainConfig

FILE = Path(__file__).parents[2] / "recipes" / "fast.py"


def recipes() -> dict[str, Callable[[], TrainConfig]]:
    spec = importlib.util.spec_from_file_location("fast_recipes", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == "fast_recipes" and not name.startswith("_")
    }


RECIPES = recipes()


@pytest.mark.parametrize("function", RECIPES)
def test_a_recipe_is_a_run_of_its_own_name(function: str) -> None:
    config = RECIPES[function]()

    assert isinstance(config, TrainConfig)
    assert config.name == function.replace("_", "-")
    assert f"x{config.network.scale}" in config.name
    assert ("clean" in config.name) == (not config.degradation.codings)
    assert len(config.validation) > 0


@pytest.mark.parametrize("function", RECIPES)
def test_a_run_starts_from_one_that_there_is(function: str) -> None:
    config = RECIPES[function]()
    if config.start:
        before = RECIPES[config.start.replace("-", "_")]()
        assert before.start != config.name
        assert before.validation == config.validation  # else it has seen what it is scored on
        assert before.network.frames <= config.network.frames
        wide = replace(before.network, frames=config.network.frames, scale=config.network.scale)
        assert wide == config.network
