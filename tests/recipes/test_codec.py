"""recipes/codec.py: runs of their own names, each from one that there is."""

from dataclasses import replace

import pytest
from recipe_runs import recipes

from upreel.training.codec import CodecRun

RECIPES = recipes("codec")


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_has_its_name_and_starts_from_one_that_there_is(name: str) -> None:
    config = RECIPES[name]()
    assert isinstance(config, CodecRun)
    assert config.name == name.replace("_", "-")
    if config.start:
        before = RECIPES[config.start.replace("-", "_")]()
        assert before.network == config.network
        assert before.validation == config.validation
        assert before.frames < config.frames


def test_ways_of_rounding_are_compared_at_equal_steps() -> None:
    runs = [RECIPES[f"codec_alone_{way}"]() for way in ("mixed", "noise", "straight")]
    assert [run.rounding for run in runs] == ["mixed", "noise", "straight"]
    assert len({replace(run, name="", rounding="mixed") for run in runs}) == 1
