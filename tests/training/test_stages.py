"""Runs that begin with other runs: parts, widened first filters, auxiliary losses, buffers.

Mutations tried: parts in the other order, the mean not divided by its frames, buffers left out of
the checkpoint, of the average and of the start, the auxiliary loss not weighed, Muon for the
first filters of branches.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair, draw_places, make_pairs
from upreel.errors import OptionError
from upreel.networks.recurrent import RecurrentNetwork
from upreel.training import trainer as trainer_module
from upreel.training.checkpoint import load_checkpoint, load_result
from upreel.training.config import TrainConfig
from upreel.training.run import train
from upreel.training.trainer import Trainer
from upreel.zoo import (
    EncoderDecoderConfig,
    EspcnConfig,
    FastConfig,
    FusionConfig,
    NetworkConfig,
    RecurrentConfig,
    SrcnnConfig,
    TemporalAdaptiveConfig,
    VespcnConfig,
)

GOLDEN = Path(__file__).parent / "five_steps_of_networks.json"
ESPCN = EspcnConfig(scale=2, channels=(6, 4), activation="relu", residual=True)
FAST = FastConfig(scale=2, channels=6, depth=2, layout="luma")
TAN = TemporalAdaptiveConfig(branch=ESPCN, branches=2, modulation_channels=(6, 4))
NETWORKS: dict[str, NetworkConfig] = {
    "espcn": EspcnConfig(scale=2, channels=(6, 4)),
    "srcnn": SrcnnConfig(scale=2, channels=(4, 4)),
    "encoder-decoder": EncoderDecoderConfig(scale=2, channels=(4, 6)),
    "vespcn": VespcnConfig(scale=2, channels=6, depth=3),
    "tan": TAN,
    "tan free rectified": replace(TAN, modulation="free", alignment="rectified"),
    "tan spatial": replace(TAN, alignment="spatial"),
    "fusion": FusionConfig(first=FAST, frames=3, channels=6, depth=2),
    "tan flow": replace(TAN, branch=FAST, alignment="flow", fusion=(6, 2)),
    "recurrent": RecurrentConfig(first=FAST, channels=6, depth=2),
}


def with_network(config: TrainConfig, name: str) -> TrainConfig:
    """With patches of a size that it takes."""
    network = NETWORKS[name]
    patch = -(-24 // network.multiple) * network.multiple
    return replace(config, network=network, patch=patch, sequence=3 * network.recurrent)


@pytest.fixture
def pairs(clips: list[Clip], config: TrainConfig) -> list[Pair]:
    return make_pairs(clips, 2, config.degradation, variants=1, seed=0)


@pytest.fixture(autouse=True)
def _in_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)


@pytest.mark.parametrize("name", NETWORKS)
def test_five_steps_lose_what_they_did(name: str, config: TrainConfig, pairs: list[Pair]) -> None:
    """In f32, to one part in 200: machines add in other orders. GENERATE_EXPECTED=1 redraws."""
    trainer = Trainer(replace(with_network(config, name), learning_rate=5e-3), pairs)

    losses = [trainer.train_step().item() for _ in range(5)]

    stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("GENERATE_EXPECTED"):
        stored |= {name: losses}
        GOLDEN.write_text(json.dumps(stored, indent=2) + "\n")
    assert losses == pytest.approx(stored[name], rel=5e-3)
    assert max(losses) > 1.01 * min(losses)


@pytest.mark.parametrize("frames", [3, 5])
@pytest.mark.parametrize("branch", [ESPCN, FAST])
def test_a_still_clip_gives_what_one_frame_gave(
    branch: EspcnConfig | FastConfig, frames: int, config: TrainConfig, pairs: list[Pair]
) -> None:
    first = Trainer(replace(config, network=branch, learning_rate=5e-3), pairs)
    for _ in range(3):
        first.train_step()
    wide = replace(config, network=replace(branch, frames=frames), seed=5, inflate="mean")
    wider, zeros = Trainer(wide, []), Trainer(replace(wide, inflate="zeros"), [])

    assert wider.start_from(first.ema) == zeros.start_from(first.ema) == []

    first.network.load_state_dict(first.ema)
    one = torch.rand(1, 1, 12, 12)
    moving = torch.cat((one, torch.rand(1, frames - 1, 12, 12)), dim=1)
    expected = first.network(one)
    still = one.expand(-1, frames, -1, -1)
    torch.testing.assert_close(wider.network(still), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(zeros.network(moving), expected, rtol=0, atol=1e-6)
    assert (wider.network(moving) - expected).abs().max() > 1e-4


def test_a_network_begins_with_its_parts(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    single = replace(config, name="b1", network=ESPCN, steps=2, seed=3)
    double = replace(
        single, name="b2", network=replace(ESPCN, frames=3), inflate="mean", start="b1"
    )
    joint = replace(
        single,
        name="joint",
        network=TAN,
        parts=(("branches.0", "b1"), ("branches.1", "b2")),
        steps=1,
        learning_rate=1e-12,
        ema=0.0,
    )
    first = train(single, clips, tmp_path)
    second = train(double, clips, tmp_path, start=first)

    made = load_checkpoint(train(joint, clips, tmp_path, start=[first, second]))

    assert made.config == joint
    for prefix, path in (("branches.0", first), ("branches.1", second)):
        for name, weight in load_result(path).weights.items():
            torch.testing.assert_close(made.ema[f"{prefix}.{name}"], weight, rtol=0, atol=1e-9)
    with pytest.raises(OptionError, match="next starts from the result of b1, got that of b2"):
        train(replace(joint, name="next"), clips, tmp_path, start=[second, first])
    with pytest.raises(OptionError, match=r"next starts from 2 results \(b1, b2\), got 1"):
        train(replace(joint, name="next"), clips, tmp_path, start=first)
    with pytest.raises(OptionError, match="result of b1, b2: --start names"):
        train(replace(joint, name="next"), clips, tmp_path)
    with pytest.raises(OptionError, match="tiny starts from one result, got 2"):
        train(config, clips, tmp_path, start=[first, second])
    wrong = replace(joint, name="next", parts=(("branches.7", "b1"),))
    with pytest.raises(OptionError, match=r"next has no part 'branches\.7'"):
        train(wrong, clips, tmp_path, start=first)


@pytest.mark.parametrize("alignment", ["none", "rectified", "spatial"])
def test_a_joint_network_begins_as_its_single_branch_on_a_still_clip(
    alignment: str, config: TrainConfig, pairs: list[Pair]
) -> None:
    first = Trainer(replace(config, network=ESPCN, learning_rate=5e-3), pairs)
    for _ in range(3):
        first.train_step()
    first.network.load_state_dict(first.ema)
    network = replace(TAN, alignment=alignment)  # type: ignore[arg-type]
    joint = Trainer(replace(config, network=network, patch=32, inflate="mean", seed=4), [])
    branches = {f"branches.{k}.{name}": w for k in (0, 1) for name, w in first.ema.items()}

    left = joint.start_from(branches)

    one = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(
        joint.network.eval()(one.expand(-1, 3, -1, -1)), first.network(one), rtol=0, atol=1e-6
    )
    assert all(name.startswith(("modulation", "localisation")) for name in left)


def test_results_that_do_not_fit_are_refused(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    said: list[str] = []
    espcn = replace(config, name="b1", network=ESPCN, steps=1)
    first = train(espcn, clips, tmp_path)
    broad = replace(ESPCN, channels=(6, 5))
    joint = replace(espcn, name="joint", network=replace(TAN, branch=broad, branches=1))

    with pytest.raises(OptionError, match=r"does not fit its part branches\.0: branches\.0\.body"):
        train(replace(joint, parts=(("branches.0", "b1"),)), clips, tmp_path, start=first)
    with pytest.raises(OptionError, match="nothing of b1 fits its network"):
        train(
            replace(config, name="other", network=NETWORKS["encoder-decoder"]),
            clips,
            tmp_path,
            start=first,
        )
    train(
        replace(espcn, name="broad", network=broad),
        clips,
        tmp_path,
        start=first,
        on_notice=said.append,
    )

    assert said == ["begin afresh, no result has them: body.weight, body.bias, tail.weight"]
    with pytest.raises(OptionError, match="--start and --resume exclude"):
        train(espcn, clips, tmp_path, start=first, resume=True)


def test_heads_of_answers_are_not_widened(config: TrainConfig) -> None:
    """Their channels are samples of an answer, not frames."""
    three = replace(config, network=NETWORKS["fusion"], inflate="mean", patch=32)
    five = replace(three, network=replace(three.network, frames=5))
    first = Trainer(three, [])

    assert Trainer(five, []).start_from(first.ema) == ["head.weight"]


def test_the_auxiliary_loss_is_weighed(config: TrainConfig, pairs: list[Pair]) -> None:
    config = replace(config, network=NETWORKS["vespcn"])

    losses = [
        Trainer(replace(config, auxiliary=weight), pairs).train_step().item()
        for weight in (0.0, 1.0, 3.0)
    ]

    assert losses[1] - losses[0] > 1e-4
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)


@pytest.mark.parametrize("name", ["encoder-decoder", "tan spatial", "tan flow", "recurrent"])
def test_an_interrupted_run_goes_on_exactly(
    name: str, config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    """Batch norm's running statistics come back too."""
    config = replace(with_network(config, name), steps=4, validate_every=2)
    if name == "tan flow":
        config = replace(config, frozen=("branches.0",))
    whole = load_checkpoint(train(config, clips, tmp_path / "whole"))

    steps = 0

    def stop(_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, clips, tmp_path / "parts", on_progress=stop, report_every=1)
    assert load_checkpoint(tmp_path / "parts" / "tiny.ckpt").step < 4
    parts = load_checkpoint(train(config, clips, tmp_path / "parts", resume=True))

    assert parts.step == whole.step == 4
    for group in ("network", "ema", "first_moment", "second_moment"):
        for key, tensor in getattr(whole, group).items():
            assert torch.equal(getattr(parts, group)[key], tensor), (group, key)
    if name == "encoder-decoder":
        running = whole.ema["down_norm.running_var"]
        assert (running - 1).abs().max() > 1e-3
        assert whole.network["down_norm.num_batches_tracked"] == 4


def test_frozen_parts_stay_as_they_begin(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    config = replace(config, patch=32, steps=2)
    first = train(replace(config, name="b1", network=FAST), clips, tmp_path)
    fusion = replace(config, name="b2", network=NETWORKS["fusion"], parts=(("first", "b1"),))

    frozen = train(replace(fusion, frozen=("first",)), clips, tmp_path, start=first)
    free = train(replace(fusion, name="free"), clips, tmp_path, start=first)

    before = load_result(first).weights
    kept, learned = load_checkpoint(frozen), load_checkpoint(free)
    assert kept.config.frozen == ("first",)
    for name, weight in before.items():
        assert torch.equal(kept.ema[f"first.{name}"], weight)
        assert torch.equal(kept.network[f"first.{name}"], weight)
        assert not kept.first_moment[f"first.{name}"].any()
    assert not torch.equal(learned.network["first.body.0.weight"], before["body.0.weight"])
    assert kept.network["tail.weight"].any()
    with pytest.raises(OptionError, match="next has no part 'second'"):
        train(replace(fusion, name="next", frozen=("second",)), clips, tmp_path, start=first)


def test_muon_leaves_out_heads_and_tails_of_parts(config: TrainConfig) -> None:
    trainer = Trainer(replace(config, network=TAN, optimizer="muon"), [])
    names = {id(p): name for name, p in trainer.network.named_parameters()}

    groups = {
        group["muon"]: {names[id(p)] for p in group["params"]}
        for group in trainer.optimizer.param_groups
    }

    assert groups[True] == {
        "branches.0.body.weight",
        "branches.1.body.weight",
        "modulation.body.weight",
    }


def test_batch_norm_is_averaged_and_started_from(config: TrainConfig, pairs: list[Pair]) -> None:
    config = replace(config, network=NETWORKS["encoder-decoder"], ema=0.5)
    trainer = Trainer(config, pairs)
    name = "head_norm.running_mean"
    expected = trainer.ema[name].clone()
    for step in (1, 2, 3):
        trainer.train_step()
        decay = min(0.5, (1 + step) / (10 + step))
        now = trainer.network.state_dict()[name]
        expected = decay * expected + (1 - decay) * now
    torch.testing.assert_close(trainer.ema[name], expected)
    other = Trainer(replace(config, seed=8), pairs)

    assert other.start_from(trainer.ema) == []

    assert torch.equal(other.network.state_dict()[name], trainer.ema[name])
    scores, baseline = trainer.validate(pairs)
    assert scores.keys() == baseline.keys()
    assert scores != baseline


@pytest.mark.parametrize(("kind", "sequence"), [("vespcn", 0), ("recurrent", 3)])
def test_jitter_changes_input_and_target_alike(
    kind: str,
    sequence: int,
    config: TrainConfig,
    pairs: list[Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def told(_: object, answer: Tensor, target: Tensor, *__: object, **___: object) -> Tensor:
        seen[-1] = (seen[-1][0], target)
        return answer.square().mean()

    def taken(_: object, inputs: tuple[Tensor, ...]) -> None:
        seen.append((inputs[0], inputs[0]))

    goes = RecurrentNetwork.both_ways

    def both(network: RecurrentNetwork, frames: Tensor, around: int) -> tuple[Tensor, Tensor]:
        seen.append((frames, frames))
        return goes(network, frames, around)

    monkeypatch.setattr(RecurrentNetwork, "both_ways", both)
    monkeypatch.setattr(trainer_module, "total_loss", told)
    config = replace(config, network=NETWORKS[kind], sequence=sequence, patch=32, border=0)
    for jitter in (0.0, 0.4):
        trainer = Trainer(replace(config, jitter=jitter), pairs)
        trainer.network.register_forward_pre_hook(taken)
        trainer.train_step()

    places = draw_places(
        pairs,
        offsets=tuple(range(sequence)) or config.network.offsets,
        size=config.batch,
        patch=32,
        seed=config.seed,
        step=0,
        targets=tuple(range(sequence)) or (0,),
        jitter=0.4,
    )
    for before, after in zip(*seen, strict=True):  # inputs, then targets
        for place, one, other in zip(
            places, before.chunk(config.batch), after.chunk(config.batch), strict=True
        ):
            torch.testing.assert_close(other, place.gain * one + place.offset)


def test_sequences_go_on_there_and_back_by_as_much_as_is_drawn(
    config: TrainConfig, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, network=NETWORKS["recurrent"], sequence=3, patch=32, around=5)
    trainer = Trainer(config, pairs)
    seen: list[tuple[Tensor, int]] = []
    goes = RecurrentNetwork.both_ways

    def told(network: RecurrentNetwork, frames: Tensor, around: int) -> tuple[Tensor, Tensor]:
        seen.append((frames, around))
        return goes(network, frames, around)

    monkeypatch.setattr(RecurrentNetwork, "both_ways", told)
    for _ in range(12):
        trainer.train_step()

    lengths = [(frames.shape[1] - 3) // 2 for frames, _ in seen]
    assert lengths == [around for _, around in seen]
    assert len(set(lengths)) > 3
    assert max(lengths) <= 5
    for frames, _ in seen:
        assert torch.equal(frames[:, :-4], frames[:, 4:])  # a period of three frames


def test_the_backward_directions_own_answers_count_as_much_as_they_should(
    config: TrainConfig, pairs: list[Pair]
) -> None:
    config = replace(config, network=NETWORKS["recurrent"], sequence=3, patch=32)
    losses: dict[float, float] = {}
    gradients: dict[float, Tensor] = {}
    for weight in (0.0, 0.5, 1.0):
        trainer = Trainer(replace(config, backward=weight, clip_norm=1e9), pairs)
        assert isinstance(trainer.network, RecurrentNetwork)
        with torch.no_grad():  # the forward direction does not listen to the backward one
            trainer.network.from_past.head.weight[:, 8:12] = 0  # its answers
            trainer.network.from_past.head.weight[:, -6:] = 0  # and its features
        losses[weight] = trainer.train_step().item()
        gradient = trainer.network.from_future.tail.weight.grad
        assert gradient is not None
        gradients[weight] = gradient

    assert losses[1.0] - losses[0.5] == pytest.approx(losses[0.5] - losses[0.0], rel=1e-4)
    assert losses[0.5] > losses[0.0]
    assert gradients[0.0].abs().max() == 0
    torch.testing.assert_close(gradients[1.0], 2 * gradients[0.5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inflate": "twice"}, "inflate must be zeros or mean, got 'twice'"),
        ({"auxiliary": -1.0}, "auxiliary must be at least 0, got -1.0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"sequence": 3}, "sequence is for recurrent networks, got 3"),
        ({"pan_frames": 5}, "pan_frames is for networks of luma, got 5"),
        ({"pan_frames": 5, "network": ESPCN}, "at least the 1 frames that are seen, and .*, got 5"),
        ({"pan_frames": 2, "network": NETWORKS["tan flow"], "patch": 32}, "at least the 3 frames"),
        ({"strides": (1, -1)}, r"strides must be at least 0, not all of them 0, got \(1, -1\)"),
        ({"strides": (0,)}, r"strides must be at least 0, not all of them 0, got \(0,\)"),
        ({"backward": 0.5}, "backward is for sequences, at least 0, got 0.5"),
        ({"around": 4}, "around is for sequences, at least 0, got 4"),
        ({"camera": "crane"}, "camera must be one of pans, moves, got 'crane'"),
        ({"jitter": 1.0}, "jitter must be 0 up to 1, got 1.0"),
        ({"jitter": 0.1}, "jitter is for networks of luma, got 0.1"),
        ({"network": NETWORKS["recurrent"], "patch": 32}, "sequence must be at least 2, got 0"),
        ({"patch": 26, "network": NETWORKS["vespcn"]}, "patch must be a multiple of 4, got 26"),
    ],
)
def test_impossible_runs_are_refused(
    values: dict[str, object], message: str, config: TrainConfig
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(config, **values)  # type: ignore[arg-type]
