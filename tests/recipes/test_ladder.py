"""recipes/ladder.py: runs of their own names, each from one that there is, in sizes that differ.

Mutations tried: a delivered run that starts from the network without a teacher; a teacher that
takes more steps; S as wide as M.
"""

from dataclasses import replace

import pytest
from recipe_runs import recipes

from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig, QuantizedConfig, load_card

RECIPES = {name: made for name, made in recipes("ladder").items() if name.startswith("fast_")}


def test_there_are_three_sizes_of_each_scale() -> None:
    for scale in (2, 3, 4):
        small, middle = (RECIPES[f"fast_x{scale}_{size}"]().network for size in "sm")
        above = load_card(f"fast-x{scale}").network
        assert small.macs_per_position * 1.9 < middle.macs_per_position
        assert middle.macs_per_position < 0.8 * above.macs_per_position
        assert small.layout == middle.layout == above.layout


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_has_its_name_and_starts_from_one_that_there_is(name: str) -> None:
    config = RECIPES[name]()
    assert isinstance(config, TrainConfig)
    assert config.name == name.replace("_", "-")
    network = config.network
    if isinstance(network, QuantizedConfig):
        network = network.network
    assert isinstance(network, FastConfig)
    assert not network.skips
    for start in config.starts:
        before = RECIPES[start.replace("-", "_")]()
        assert before.network == network
        assert before.validation == config.validation
    delivered = not name.removesuffix("_int8").endswith(("clean", "taught", "branches", "pruned"))
    assert bool(config.degradation.codings) == delivered
    if delivered and not isinstance(config.network, QuantizedConfig):
        taught = not name.endswith("_l")  # which has no teacher
        wanted = ("fast-x2-s-clean-taught", "fast-x2-m-clean-taught", "fast-x2-l-clean")
        assert config.starts == (tuple(w for w in wanted if w.startswith(config.name)))
        assert (config.distillation is not None) == taught


def test_with_a_teacher_and_without_differ_in_nothing_else() -> None:
    for size in "sm":
        alone, branches, taught = (
            RECIPES[f"fast_x2_{size}_clean{what}"]() for what in ("", "_branches", "_taught")
        )
        assert taught.distillation is not None
        assert branches.branches
        assert replace(taught, name="", distillation=None) == replace(branches, name="")
        assert replace(branches, name=alone.name, branches=False) == alone
