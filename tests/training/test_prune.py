"""Pruning: what is left is the masked network, what matters least leaves, rounds resume.

Mutations tried: one axis of one weight not thinned, importance without the weights that read a
feature, the costliest group for the cheapest, all features in the first round.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from upreel.datasets.clips import Clip, drawn_clips
from upreel.datasets.patches import make_pairs
from upreel.degradation.degrade import Degradation
from upreel.errors import BackendUnavailableError, InputError, OptionError
from upreel.inference import available_devices, open_session
from upreel.inference.engine import Session
from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.training.checkpoint import load_checkpoint, save_checkpoint
from upreel.training.config import TrainConfig
from upreel.training.prune import (
    GROUP,
    Cut,
    importances,
    milliseconds,
    prune,
    refilled,
    removals,
    thinned,
)
from upreel.training.run import Progress, train
from upreel.training.trainer import Trainer
from upreel.zoo import EspcnConfig, FastConfig, ModelCard, network_config

WIDE = FastConfig(scale=2, channels=40, depth=4, layout="luma")
PACKED = FastConfig(scale=2, channels=16, depth=2, frames=2)
FULL = TrainConfig(
    name="full",
    network=WIDE,
    degradation=Degradation(kernels=("bicubic",)),
    steps=4,
    batch=2,
    patch=24,
    warmup=1,
    learning_rate=2e-3,
    validation=("drawn2",),
)
THIN = replace(FULL, name="thin", start="full", steps=4, learning_rate=1e-3)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return drawn_clips(3, num_frames=2, height=72, width=96)


@pytest.fixture(scope="module")
def start(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [train(FULL, clips, tmp_path_factory.mktemp("full"))]


def random_network(config: FastConfig) -> FastNetwork:
    torch.manual_seed(2)
    network = build_network(asdict(config))
    assert isinstance(network, FastNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 20
            parameter.copy_(torch.randn_like(parameter) / fan_in**0.5)
    return network.eval()


def frames_for(config: FastConfig) -> Tensor:
    channels = (6 if config.layout == "packed" else 1) * config.frames
    return torch.rand(1, channels, 18, 20, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("config", [WIDE, PACKED])
def test_what_is_left_is_the_network_with_the_rest_at_zero(config: FastConfig) -> None:
    network = random_network(config)
    pairs = config.depth // 2
    kept = [tuple(range(1, config.channels, 2)), *(tuple(range(k, 12)) for k in range(pairs))]
    widths = tuple(len(numbers) for numbers in kept[1:])
    smaller = replace(config, channels=len(kept[0]), widths=widths)
    left = build_network(asdict(smaller)).eval()
    left.load_state_dict(thinned(network.state_dict(), Cut(config=smaller, kept=tuple(kept))))

    def gone(group: int) -> list[int]:
        return sorted(set(range(config.channels)) - set(kept[group]))

    with torch.no_grad():
        writers = [network.head, *list(network.body)[1::2]]
        for layer in writers:
            layer.weight[gone(0)] = 0  # type: ignore[index]
            layer.bias[gone(0)] = 0  # type: ignore[index]
        for k, (first, second) in enumerate(
            zip(list(network.body)[::2], list(network.body)[1::2], strict=True), start=1
        ):
            first.weight[gone(k)] = 0  # type: ignore[index]
            first.bias[gone(k)] = 0  # type: ignore[index]
            second.weight[:, gone(k)] = 0  # type: ignore[index]
        answers = [each(frames_for(config)) for each in (network, left)]

    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-5)
    assert smaller.num_parameters == sum(p.numel() for p in left.parameters())


def test_a_feature_that_nobody_reads_matters_least(clips: list[Clip]) -> None:
    trainer = Trainer(FULL, make_pairs(clips, 2, FULL.degradation, variants=1, seed=0))
    network = trainer.network
    assert isinstance(network, FastNetwork)
    with torch.no_grad():
        for parameter in (network.tail.weight, *(p for p in network.body.parameters())):
            parameter.add_(0.05 * torch.randn_like(parameter))
        network.body[1].weight[:, 5] = 0  # type: ignore[index]
        for reader in (network.body[0], network.body[2], network.tail):
            reader.weight[:, 7] = 0  # type: ignore[index]
        for writer in (network.body[1], network.body[3]):
            writer.weight[7] = 0  # type: ignore[index]
            writer.bias[7] = 0  # type: ignore[index]

    stream, first, second = importances(trainer)

    assert (len(stream), len(first), len(second)) == (40, 40, 40)
    assert stream[7] == first[5] == 0
    assert stream.argmin() == 7
    assert (second > 0).sum() > 30  # some are dead from the start


def test_what_matters_least_for_its_arithmetic_leaves_first() -> None:
    matter = [torch.full((40,), 100.0), torch.arange(40.0), torch.arange(40.0) + 1]

    cuts = list(removals(WIDE, [each.double() for each in matter]))

    assert cuts[0].config == WIDE
    assert cuts[1].config == replace(WIDE, widths=(32, 40))  # to what fills registers
    assert cuts[1].kept[1] == tuple(range(8, 40))
    assert cuts[2].config == replace(WIDE, widths=(32, 32))
    assert cuts[3].config == replace(WIDE, widths=(16, 32))
    assert cuts[-1].config == replace(WIDE, channels=GROUP)  # all alike again: no widths
    macs = [cut.config.macs_per_position for cut in cuts]
    assert macs == sorted(macs, reverse=True)
    assert len(set(macs)) == len(macs) == 7
    assert network_config(asdict(cuts[1].config)) == cuts[1].config


def test_what_still_fits_comes_back() -> None:
    """A cheap pair went first; the stream's group leaves room for a part of it."""
    matter = [torch.full((48,), 20.0), torch.arange(48.0) / 100, torch.full((48,), 90.0)]
    whole = replace(WIDE, channels=48)
    room = replace(whole, channels=32, widths=(32, 48)).macs_per_position
    cuts = list(removals(whole, matter))
    first = next(cut for cut in cuts if within(room)(cut.config))

    cut = refilled(whole, matter, first, within(room))

    assert (first.config.channels, first.config.widths) == (32, (16, 48))
    assert (cut.config.channels, cut.config.widths) == (32, (32, 48))
    assert cut.kept[1] == tuple(range(16, 48))
    assert refilled(whole, matter, cuts[0], within(10**9)) == cuts[0]
    assert refilled(whole, matter, cuts[-1], within(10**9)) == cuts[0]


def test_the_last_cut_leaves_no_room(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matter = [torch.full((48,), 20.0), torch.arange(48.0) / 100, torch.full((48,), 90.0)]
    monkeypatch.setattr("upreel.training.prune.importances", lambda _trainer: matter)
    whole = replace(WIDE, channels=48)
    wanted = replace(whole, channels=32, widths=(32, 48))
    start = [train(replace(FULL, network=whole, steps=1), clips, tmp_path)]
    thin = replace(THIN, network=whole, steps=1)

    path = prune(
        thin, clips, tmp_path, fits=within(wanted.macs_per_position), rounds=1, start=start
    )

    assert load_checkpoint(path).config.network == wanted


def within(macs: int) -> Callable[[FastConfig], bool]:
    return lambda config: config.macs_per_position <= macs


def test_a_network_becomes_as_small_as_asked_in_rounds(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    told: list[str] = []
    target = WIDE.macs_per_position // 2

    path = prune(
        THIN, clips, tmp_path, fits=within(target), rounds=2, start=start, on_notice=told.append
    )

    first, last = load_checkpoint(tmp_path / "thin-1.ckpt"), load_checkpoint(path)
    sizes = [run.config.network.macs_per_position for run in (first, last)]
    assert path == tmp_path / "thin.ckpt"
    assert WIDE.macs_per_position > sizes[0] > target >= sizes[1]
    assert (first.step, last.step) == (2, 2)
    assert told[0].startswith("the stream, 40 features: ")
    assert told[1].startswith("pair 1, 40 features: ")
    assert " dB with 32, " in told[1]
    assert told[3].startswith("thin-1: 40 features and 40/40 within pairs become ")


def test_what_fits_before_the_last_round_is_learned_on(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    fits = within(WIDE.macs_per_position - 1)

    path = prune(THIN, clips, tmp_path, fits=fits, rounds=2, start=start)

    first, last = load_checkpoint(tmp_path / "thin-1.ckpt"), load_checkpoint(path)
    assert first.config.network == last.config.network != WIDE
    assert last.step == 2
    assert not torch.equal(first.ema["head.weight"], last.ema["head.weight"])


def test_who_taught_is_not_forgotten(clips: list[Clip], tmp_path: Path) -> None:
    trainer = Trainer(FULL, make_pairs(clips, 2, FULL.degradation, variants=1, seed=0))
    taught = replace(trainer.checkpoint(("drawn0",), "abc"), teacher="someone (0123)")
    save_checkpoint(taught, tmp_path / "full.ckpt")
    fits = within(WIDE.macs_per_position // 2)

    path = prune(THIN, clips, tmp_path, fits=fits, rounds=2, start=[tmp_path / "full.ckpt"])

    assert load_checkpoint(tmp_path / "thin-1.ckpt").teacher == "someone (0123)"
    assert load_checkpoint(path).teacher == "someone (0123)"


@pytest.mark.parametrize("reports", [1, 3])
def test_a_killed_run_goes_on_exactly(
    reports: int, clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    """In the first round, of which nothing was kept, and in the second."""
    fits = within(WIDE.macs_per_position // 2)
    whole = prune(THIN, clips, tmp_path / "whole", fits=fits, rounds=2, start=start)
    folder, seen = tmp_path / "cut", []

    def kill(progress: Progress) -> None:
        seen.append(progress.step)
        if len(seen) == reports:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(
            THIN, clips, folder, fits=fits, rounds=2, start=start, on_progress=kill,
            report_every=1,
        )  # fmt: skip
    resumed = prune(THIN, clips, folder, fits=fits, rounds=2, start=start, resume=True)

    one, other = load_checkpoint(whole), load_checkpoint(resumed)
    assert one.config == other.config
    for name, weights in one.ema.items():
        assert torch.equal(weights, other.ema[name]), name


def test_what_cannot_be_pruned_is_told(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    whole = within(WIDE.macs_per_position)
    with pytest.raises(OptionError, match="nothing is to be cut: 40 features and 40/40 within"):
        prune(THIN, clips, tmp_path, fits=whole, start=start)
    with pytest.raises(OptionError, match="nothing that fits is left: 16 features and 16/16 "):
        prune(THIN, clips, tmp_path, fits=within(10), start=start)
    for resume in (False, True):
        with pytest.raises(OptionError, match="thin is pruned from what was trained: --start nam"):
            prune(THIN, clips, tmp_path, fits=whole, resume=resume)
    deeper = replace(THIN, network=replace(WIDE, depth=6))
    with pytest.raises(OptionError, match=r"what thin is pruned from has no body\.4\.weight, body"):
        prune(deeper, clips, tmp_path, fits=within(9000), start=start)
    nobody = replace(THIN, validation=("drawn0", "drawn1", "drawn2"))
    with pytest.raises(OptionError, match="every source is one of the validation sources"):
        prune(nobody, clips, tmp_path, fits=within(9000), start=start)
    with pytest.raises(BackendUnavailableError, match="no device 'foo' for training"):
        prune(THIN, clips, tmp_path, fits=within(9000), start=start, device="foo")
    with pytest.raises(OptionError, match="rounds must be 1 to the 4 steps, got 5"):
        prune(THIN, clips, tmp_path, fits=whole, rounds=5, start=start)
    other = replace(THIN, network=EspcnConfig(scale=2))
    with pytest.raises(OptionError, match="thin is a run of kind espcn: fast is pruned"):
        prune(other, clips, tmp_path, fits=whole, start=start)
    with pytest.raises(OptionError, match="thin has branches: what is pruned learns without"):
        prune(replace(THIN, branches=True), clips, tmp_path, fits=whole, start=start)
    with pytest.raises(InputError, match="smaller than a patch of 48"):
        prune(replace(THIN, patch=48), clips, tmp_path, fits=within(9000), start=start)
    assert list(tmp_path.iterdir()) == []


def test_another_target_is_noticed_when_a_run_goes_on(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    half = within(WIDE.macs_per_position // 2)
    prune(THIN, clips, tmp_path, fits=half, rounds=1, start=start)

    with pytest.raises(OptionError, match=r"thin\.ckpt has .* within pairs, which do not fit"):
        prune(THIN, clips, tmp_path, fits=within(5000), rounds=1, resume=True)


def test_torchrun_is_refused(
    clips: list[Clip], start: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(OptionError, match="pruning runs in one process, torchrun has begun 2"):
        prune(THIN, clips, tmp_path, fits=within(9000), start=start)


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_network_is_timed_as_it_is_run(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def opened(card: ModelCard, height: int, width: int, **options: object) -> Session:
        asked.append((card.network, height, width, options["precision"]))
        return open_session(card, height, width, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("upreel.training.prune.open_session", opened)
    config = replace(PACKED, channels=16, widths=(32,))

    if precision in available_devices()[0].precisions:
        assert milliseconds(config, 33, 24, precision=precision, threads=1) > 0
        margin = 2 * config.margin
        assert asked == [(config, 12 + margin, 17 + margin, precision)]
    else:
        with pytest.raises(BackendUnavailableError, match="cannot run in int8"):
            milliseconds(config, 33, 24, precision=precision, threads=1)


def test_widths_are_one_for_each_pair() -> None:
    with pytest.raises(ValueError, match="widths must be 2 numbers from 1 on, got"):
        replace(WIDE, widths=(8,))
    with pytest.raises(ValueError, match="widths must be 2 numbers from 1 on, got"):
        replace(WIDE, widths=(8, 0))
    assert replace(WIDE, depth=0).widest == 40
