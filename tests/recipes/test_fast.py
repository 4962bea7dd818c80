"""recipes/fast.py: every function returns a run that begins with one that there is."""

from dataclasses import replace

import pytest
from recipe_runs import recipes

from upreel.training.config import TrainConfig

RECIPES = recipes("fast")


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
