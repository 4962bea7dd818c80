"""benchmarks/material.py: runs found, scored by both weights, the table by gain."""

from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch  # noqa: TID253
from recipe_runs import recipes
from scripts_as_modules import module_of

from upreel.datasets.clips import drawn_clips
from upreel.datasets.patches import make_pairs
from upreel.errors import InputError
from upreel.networks.build import build_network
from upreel.training.checkpoint import Checkpoint
from upreel.training.trainer import Trainer

RECIPES = recipes("material")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/material.py")


def test_a_run_differs_from_the_first_by_what_its_name_says() -> None:
    base = RECIPES["material_stills"](seed=2)

    for name, function in RECIPES.items():
        config = function(seed=2)
        assert config.name == name.replace("_", "-") + "-seed2"
        different = {k for k, v in asdict(config).items() if v != asdict(base)[k]} - {"name"}
        assert bool(different) == (name != "material_stills")
        assert different <= {
            "turns", "pan_frames", "camera", "key_frames", "strides", "jitter", "degradation",
            "sequence", "batch",
        }  # fmt: skip
        assert config.batch * config.sequence == base.batch * base.sequence


def test_runs_are_found_by_what_and_seed(benchmark: ModuleType, tmp_path: Path) -> None:
    for name in ("material-key-frames-seed12.ckpt", "material-pans.ckpt", "other-seed1.ckpt"):
        (tmp_path / name).write_bytes(b"")

    assert list(benchmark.find_runs(tmp_path)) == [("key-frames", 12)]
    with pytest.raises(InputError, match=r"no material-WHAT-seedN\.ckpt"):
        benchmark.find_runs(tmp_path / "nowhere")


def test_average_and_last_weights_are_both_scored(benchmark: ModuleType) -> None:
    config = RECIPES["material_stills"]()
    clips = drawn_clips(2, num_frames=3, height=192, width=192)
    pairs = make_pairs(clips, 4, config.degradation, variants=1, seed=0)
    torch.manual_seed(1)
    network = build_network(asdict(config.network))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    trainer = Trainer(config, pairs)
    run = Checkpoint(
        config=config, step=1, training_data=(), commit="", network=network.state_dict(),
        ema=trainer.ema, first_moment={}, second_moment={},
    )  # fmt: skip

    average, last = benchmark.score_run(run, pairs)

    scores, _ = trainer.validate(pairs)
    assert average == pytest.approx(sum(scores.values()) / len(scores))
    trainer.ema = network.state_dict()
    scores, _ = trainer.validate(pairs)
    assert last == pytest.approx(sum(scores.values()) / len(scores))
    assert abs(average - last) > 0.01


def test_the_table_is_in_order_of_gain(benchmark: ModuleType) -> None:
    rows = {
        ("jitter", 1): (30.5, 30.4), ("pans", 1): (30.75, 30.6), ("stills", 1): (30.6, 30.5),
        ("pans", 2): (30.9, 30.9),
    }  # fmt: skip

    lines = benchmark.table(rows).splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["stills", "1", "30.600", "30.500"],
        ["pans", "1", "30.750", "30.600", "+0.150"],
        ["pans", "2", "30.900", "30.900"],
        ["jitter", "1", "30.500", "30.400", "-0.100"],
    ]


def test_without_validation_sources_it_says_so(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RECIPES["material_stills"]()
    run = Checkpoint(
        config=replace(config, validation=("bees",)), step=1, training_data=(), commit="",
        network={}, ema={}, first_moment={}, second_moment={},
    )  # fmt: skip
    monkeypatch.setattr(benchmark, "load_clips", lambda _: drawn_clips(1))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    with pytest.raises(InputError, match="none of bees in the data"):
        benchmark.held_back(run, [])
