"""Runs that are comparable and begin right; the bundled cards are what the recipes make.

Mutations tried: another batch for one baseline, a part that names the wrong branch.
"""

import inspect
from dataclasses import replace

import pytest
from recipe_runs import recipes

from upreel.training.config import TrainConfig
from upreel.zoo import (
    EspcnConfig,
    FusionConfig,
    QuantizedConfig,
    RecurrentConfig,
    TemporalAdaptiveConfig,
    card_names,
    load_card,
)

BASELINES = recipes("baselines")
TEMPORAL = recipes("temporal_adaptive")
RECURRENT = recipes("recurrent")
NETWORKS = BASELINES | TEMPORAL | RECURRENT
ABLATION = {name: made for name, made in TEMPORAL.items() if name.startswith("ablation")}


def runs() -> dict[str, TrainConfig]:
    """All runs by name, those of the fast family too, the ablation's of two seeds."""
    files = ("fast", "ladder", "baselines", "recurrent", "live")
    made = [function() for file in files for function in recipes(file).values()]
    made += [function() for function in TEMPORAL.values()]
    made += [function(seed=2) for function in ABLATION.values()]
    return {config.name: config for config in made}


RUNS = runs()
LAST = {
    "best-x2": "best-x2-fused",
    "best-x4": "best-x4-moves",
    "best-x4-bd": "best-x4-bd-whole",
}
"""The last of several runs, where it does not bear the card's name."""


@pytest.mark.parametrize("function", NETWORKS)
def test_a_recipe_is_a_run_of_its_own_name(function: str) -> None:
    config = NETWORKS[function]()

    seed = "-seed1" if "seed" in inspect.signature(NETWORKS[function]).parameters else ""
    assert config.name == function.replace("_", "-") + seed
    assert f"x{config.network.scale}" in config.name or function in ABLATION
    assert not config.degradation.codings


def test_baselines_differ_in_their_network_alone() -> None:
    first = BASELINES["espcn_x4"]()
    for function in BASELINES.values():
        config = function()
        assert replace(config, name=first.name, network=first.network) == first


@pytest.mark.parametrize("name", [name for name, config in RUNS.items() if config.parts])
def test_parts_are_the_runs_of_the_branches(name: str) -> None:
    config = RUNS[name]
    assert set(config.frozen) <= {part for part, _ in config.parts}
    if isinstance(config.network, FusionConfig | RecurrentConfig):
        assert [(part, RUNS[run].network) for part, run in config.parts] == [
            ("first", config.network.first)
        ]
        return
    if isinstance(config.network, QuantizedConfig):
        ((part, run),) = config.parts
        assert (part, RUNS[run].network) == ("network", config.network.network)
        assert RUNS[run].validation == config.validation
        return
    assert isinstance(config.network, TemporalAdaptiveConfig)

    parts = ["branches.0", "branches.1", "branches.2"]
    begun = 1 if config.name.startswith("ablation-answers") else 3  # fusions begin with nothing
    assert [part for part, _ in config.parts] == parts[:begun]
    for (_, run), branch in zip(config.parts, config.network.branch_configs, strict=begun == 3):
        assert RUNS[run].network == branch
        assert RUNS[run].validation == config.validation  # else it has seen what it is scored on


@pytest.mark.parametrize(
    "name", [name for name, config in RUNS.items() if config.start.startswith("ablation")]
)
def test_branches_begin_with_the_first_one(name: str) -> None:
    config = RUNS[name]
    before = RUNS[config.start]

    assert isinstance(before.network, EspcnConfig)
    assert before.network.frames == 1
    assert before.network == replace(config.network, frames=1)  # type: ignore[arg-type]
    assert config.inflate == "mean"


def test_longer_sequences_go_on_with_the_same_network() -> None:
    before, after = RUNS["best-x4-short"], RUNS["best-x4"]

    assert after.start == before.name
    assert (after.network, after.frozen) == (before.network, before.frozen)
    assert after.sequence >= 15 > before.sequence


@pytest.mark.parametrize("function", RECURRENT)
def test_first_answers_are_those_of_a_trained_network(function: str) -> None:
    config = RECURRENT[function]()
    network = config.network
    assert config.name == function.replace("_", "-")

    if isinstance(network, RecurrentConfig):
        assert network.num_parameters <= 2_000_000
        # Before a scale's last runs, the cells learn on answers that stay what they are.
        last = config.name.endswith(("-whole", "-moves", "-x2"))
        assert config.frozen == (() if last else ("first",))
        if config.parts:
            ((part, run),) = config.parts
            assert part == "first"
            assert RUNS[run].network == network.first
            assert RUNS[run].degradation == config.degradation
    for run in config.starts:  # else it has seen what it is scored on
        assert RUNS[run].validation == config.validation


@pytest.mark.parametrize("seed", [1, 2])
def test_the_ablation_trains_every_stage_alike(seed: int) -> None:
    alone, together, answers = (
        replace(ABLATION[f"ablation_{stage}"](seed=seed), start="", parts=())
        for stage in ("b1", "mean", "answers_mean")
    )
    assert isinstance(alone.network, EspcnConfig)
    assert replace(answers, patch=48, frozen=()) == replace(
        together, name=answers.name, network=answers.network
    )
    for function in ABLATION.values():
        config = function(seed=seed)
        first = alone
        if isinstance(config.network, TemporalAdaptiveConfig):
            first = answers if config.network.fusion else together
        assert config.name.endswith(f"-seed{seed}")
        assert all(run.endswith(f"-seed{seed}") for run in config.starts)
        same = {"name": first.name, "network": first.network, "start": "", "parts": ()}
        assert replace(config, **same) == first  # type: ignore[arg-type]


@pytest.mark.parametrize("name", card_names())
def test_bundled_cards_are_what_the_recipes_make(name: str) -> None:
    card, config = load_card(name), RUNS[LAST.get(name, name)]

    assert card.network == config.network
    assert card.degradation == config.degradation.describe()
    names = {entry.split(":")[0].split()[-1] for entry in card.training_data}
    assert not names & set(config.validation)
