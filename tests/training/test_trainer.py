"""Trainer's steps: golden losses, the average, the learning rate, masked chroma, validation."""

import itertools
import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair, draw_places, make_pairs
from upreel.networks.sizes import CHANNELS
from upreel.training.config import Loss, TrainConfig
from upreel.training.samples import ClipsInMemory
from upreel.training.trainer import Trainer
from upreel.zoo import EspcnConfig, FastConfig

GOLDEN = Path(__file__).parent / "five_steps.json"
CASES = {
    "charbonnier": {},
    "x3 mse ssim": {"losses": (Loss(kind="mse", weight=20), Loss(kind="ssim", weight=0.2))},
    "muon luma": {
        "optimizer": "muon",
        "network": FastConfig(scale=2, channels=6, depth=2, frames=3, layout="luma"),
    },
}


@pytest.fixture
def pairs(clips: list[Clip], config: TrainConfig) -> list[Pair]:
    return make_pairs(clips, 2, config.degradation, variants=1, seed=0)


def in_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)


def in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)


def five_losses(config: TrainConfig, pairs: list[Pair]) -> list[float]:
    trainer = Trainer(config, pairs)
    return [trainer.train_step().item() for _ in range(5)]


@pytest.mark.parametrize("case", CASES)
def test_five_steps_lose_what_they_did(
    case: str, config: TrainConfig, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In f32, to one part in 200: machines add in other orders. GENERATE_EXPECTED=1 redraws."""
    in_f32(monkeypatch)
    scale = 3 if case.startswith("x3") else 2
    config = replace(config, network=replace(config.network, scale=scale))
    config = replace(config, **CASES[case])  # type: ignore[arg-type]

    losses = five_losses(config, make_pairs(clips, scale, config.degradation, variants=1, seed=0))

    stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("GENERATE_EXPECTED"):
        GOLDEN.write_text(json.dumps(stored | {case: losses}, indent=2) + "\n")
        stored = {case: losses}
    assert losses == pytest.approx(stored[case], rel=5e-3)
    assert losses[0] != pytest.approx(losses[4], rel=1e-2)


def test_bf16_steps_lose_about_the_same(
    config: TrainConfig, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_f32(monkeypatch)
    exact = five_losses(config, pairs)
    in_bf16(monkeypatch)

    assert five_losses(config, pairs) == pytest.approx(exact, rel=0.05)


def test_a_run_depends_on_its_seed(config: TrainConfig, pairs: list[Pair]) -> None:
    first, again = five_losses(config, pairs), five_losses(config, pairs)

    assert first == again
    assert five_losses(replace(config, seed=2), pairs) != first


def test_training_lowers_the_error(config: TrainConfig, pairs: list[Pair]) -> None:
    trainer = Trainer(replace(config, steps=60, learning_rate=4e-3, ema=0.8), pairs)
    scores, baseline = trainer.validate(pairs)
    assert scores == pytest.approx(baseline)  # it begins as bicubic interpolation

    for _ in range(60):
        trainer.train_step()

    trained, same = trainer.validate(pairs)
    assert same == baseline
    assert set(trained) == {"drawn0", "drawn1", "drawn2"}
    assert np.mean(list(trained.values())) > np.mean(list(baseline.values())) + 0.2


def test_the_average_follows_the_weights(config: TrainConfig, pairs: list[Pair]) -> None:
    trainer = Trainer(replace(config, ema=0.25), pairs)
    name = "body.0.weight"
    weights = dict(trainer.network.named_parameters())
    expected = weights[name].detach().clone()

    for step in range(1, 5):
        trainer.train_step()
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights[name].detach()
        torch.testing.assert_close(trainer.ema[name], expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(trainer.ema[name], weights[name])


def test_the_learning_rate_rises_and_falls(config: TrainConfig, pairs: list[Pair]) -> None:
    config = replace(config, steps=1000, warmup=100, learning_rate=0.01)
    trainer = Trainer(config, pairs)

    rates = [trainer.learning_rate(step) for step in range(1000)]

    for step in (0, 10, 99):
        assert rates[step] == pytest.approx(0.01 * (step + 1) / 100, rel=0.03)
    cosine = 0.5 * (1 + math.cos(math.pi * 0.6))
    assert rates[600] == pytest.approx(0.01 * (0.01 + 0.99 * cosine))
    assert trainer.learning_rate(1000) == pytest.approx(0.0001)
    assert all(a > b for a, b in itertools.pairwise(rates[100:]))
    trainer.train_step()
    assert trainer.optimizer.param_groups[0]["lr"] == rates[0]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_mirrored_patches_teach_luma_only(
    weight: float, config: TrainConfig, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = draw_places(pairs, offsets=(0, -1), size=3, patch=24, seed=1, step=0)
    drawn = ClipsInMemory(pairs).cut(places, scale=2, patch=24)
    weights = torch.full((3,), weight)

    def loss_with(chroma: Tensor) -> float:
        batch = replace(drawn, chroma_weight=weights, high_chroma=chroma)
        monkeypatch.setattr(ClipsInMemory, "cut", lambda *_, **__: batch)
        return Trainer(config, pairs).train_step().item()

    same = loss_with(drawn.high_chroma) == loss_with(255 - drawn.high_chroma)
    assert same == (weight == 0)


def test_weights_that_fit_are_taken_over(config: TrainConfig, pairs: list[Pair]) -> None:
    first = Trainer(config, pairs)
    for _ in range(2):
        first.train_step()
    larger = Trainer(replace(config, network=replace(config.network, scale=3), seed=9), [])

    left = larger.start_from(first.ema)

    assert left == ["tail.weight"]
    for name, parameter in larger.network.named_parameters():
        if name != "tail.weight":
            assert torch.equal(parameter, first.ema[name])
            assert torch.equal(larger.ema[name], first.ema[name])


@pytest.mark.parametrize("layout", ["packed", "luma"])
def test_frames_that_were_not_seen_begin_at_zero(
    layout: Literal["packed", "luma"], config: TrainConfig, pairs: list[Pair]
) -> None:
    one = replace(config, network=replace(config.network, frames=1, layout=layout))
    first = Trainer(one, pairs)
    for _ in range(3):
        first.train_step()
    wider = Trainer(replace(one, network=replace(one.network, frames=3)), pairs)

    assert wider.start_from(first.ema) == []

    each = CHANNELS[layout]
    frames = torch.rand(1, 3 * each, 9, 8, generator=torch.Generator().manual_seed(2))
    first.network.load_state_dict(first.ema)
    torch.testing.assert_close(
        wider.network(frames), first.network(frames[:, :each]), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("optimizer", "filters"), [("adam", set()), ("muon", {"body.0.weight", "body.1.weight"})]
)
def test_muon_rules_the_filters_between_head_and_tail(
    optimizer: Literal["adam", "muon"], filters: set[str], config: TrainConfig, pairs: list[Pair]
) -> None:
    trainer = Trainer(replace(config, optimizer=optimizer), pairs)

    for _ in range(3):
        trainer.train_step()

    ruled = {
        name
        for name, parameter in trainer.network.named_parameters()
        if not trainer.optimizer.state[parameter]["exp_avg_sq"].any()
        and trainer.optimizer.state[parameter]["exp_avg"].any()
    }
    assert ruled == filters


def test_luma_is_trained_and_validated_at_full_size(config: TrainConfig, pairs: list[Pair]) -> None:
    packed = Trainer(config, pairs)
    luma = Trainer(replace(config, network=replace(config.network, layout="luma")), pairs)

    scores, baseline = luma.validate(pairs)

    assert scores == pytest.approx(baseline)  # an untrained network is bicubic interpolation
    assert baseline == pytest.approx(packed.validate(pairs)[1], abs=0.02)  # in either layout
    first = luma.train_step().item()
    for _ in range(60):
        last = luma.train_step().item()
    assert last < first


def test_a_checkpoint_restores_everything(config: TrainConfig, pairs: list[Pair]) -> None:
    first = Trainer(config, pairs)
    for _ in range(3):
        first.train_step()
    kept = first.checkpoint(("drawn",), "0000000")
    state = {k: v.detach().clone() for k, v in kept.network.items()}
    assert (kept.step, kept.config, kept.training_data) == (3, config, ("drawn",))
    other = Trainer(config, pairs)
    other.restore(replace(kept, network=state))

    assert asdict(other.config) == asdict(first.config)
    assert [first.train_step().item() for _ in range(3)] == [
        other.train_step().item() for _ in range(3)
    ]


def test_a_run_with_branches_comes_to_a_network_without(
    config: TrainConfig, pairs: list[Pair]
) -> None:
    plain = Trainer(config, pairs)
    branched = Trainer(replace(config, branches=True), pairs)

    assert branched.train_step().item() == plain.train_step().item()  # branches begin as nothing
    branched.train_step()
    branched.train_step()  # a pair's second filter learns once the last one has
    run = branched.checkpoint(("drawn",), "0000000")
    other = Trainer(replace(config, branches=True), pairs)
    other.restore(run)

    assert run.result.keys() == plain.checkpoint((), "").result.keys()
    assert any(name.endswith(".one") for name in run.ema)
    assert not torch.equal(run.result["body.1.weight"], run.ema["body.1.weight"])
    plain.ema = dict(run.result)
    assert branched.validate(pairs) == plain.validate(pairs)
    assert other.train_step().item() == branched.train_step().item()


def test_branches_are_for_the_fast_family(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match="branches are for networks of kind fast, got espcn"):
        replace(config, network=EspcnConfig(scale=2), branches=True)
