"""Widths of what a run starts from: trained on, taught, quantised, pruned again, resumed.

Mutations tried: the first result for the one that fills the network, a depth that is not compared,
the recipe's own widths when a run goes on, widths of what is quantised left as they were.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from upreel.datasets.clips import Clip, drawn_clips
from upreel.datasets.patches import make_pairs
from upreel.degradation.degrade import Degradation
from upreel.errors import OptionError, WeightsError
from upreel.inference.export import export_card
from upreel.networks.build import build_network
from upreel.training.checkpoint import load_checkpoint, save_checkpoint
from upreel.training.config import Distillation, TrainConfig
from upreel.training.distill import load_teacher
from upreel.training.prune import prune
from upreel.training.quantize import quantize
from upreel.training.run import train
from upreel.training.trainer import Trainer
from upreel.zoo import EspcnConfig, FastConfig, FrameRecurrentConfig, NetworkConfig, QuantizedConfig

OWN = FastConfig(scale=2, channels=8, depth=4, layout="luma", skips=False)
THIN = replace(OWN, channels=5, widths=(3, 4))
RUN = TrainConfig(
    name="next",
    network=OWN,
    degradation=Degradation(kernels=("bicubic",)),
    steps=2,
    batch=2,
    patch=24,
    warmup=1,
    start="thin",
    widths="start",
    validation=("drawn2",),
)
TOLD = "next: 5 features and 3/4 within pairs, as thin has"


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return drawn_clips(3, num_frames=2, height=72, width=96)


def result_of(network: NetworkConfig, name: str, clips: Sequence[Clip], folder: Path) -> Path:
    """A run's checkpoint before its first step."""
    config = replace(RUN, name=name, network=network, start="", widths="own")
    trainer = Trainer(config, make_pairs(clips, 2, config.degradation, variants=1, seed=0))
    path = folder / f"{name}.ckpt"
    save_checkpoint(trainer.checkpoint(("drawn0",), "abc"), path)
    return path


@pytest.fixture(scope="module")
def thin(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result_of(THIN, "thin", clips, tmp_path_factory.mktemp("thin"))


def test_a_run_goes_on_with_what_pruning_left(
    clips: list[Clip], thin: Path, tmp_path: Path
) -> None:
    told: list[str] = []

    path = train(RUN, clips, tmp_path, start=thin, minutes=0, on_notice=told.append)

    run = load_checkpoint(path)
    assert run.config.network == THIN
    assert told == [TOLD]
    for name, weight in load_checkpoint(thin).ema.items():
        assert torch.equal(run.ema[name], weight), name
    resumed = load_checkpoint(train(RUN, clips, tmp_path, resume=True, on_notice=told.append))
    assert (resumed.config.network, resumed.step) == (THIN, 2)
    assert told[1:] == ["next: 5 features and 3/4 within pairs, as next has"]


def test_its_own_widths_stay_where_nothing_says_otherwise(
    clips: list[Clip], thin: Path, tmp_path: Path
) -> None:
    told: list[str] = []

    path = train(replace(RUN, start=""), clips, tmp_path, minutes=0, on_notice=told.append)

    assert load_checkpoint(path).config.network == OWN
    assert told == []
    own = replace(RUN, name="own", widths="own")
    with pytest.raises(OptionError, match="own: nothing of thin fits its network"):
        train(own, clips, tmp_path, start=thin)


def test_with_a_teacher_and_branches(clips: list[Clip], thin: Path, tmp_path: Path) -> None:
    teacher = load_teacher(str(result_of(OWN, "full", clips, tmp_path)), scale=2)
    taught = replace(RUN, branches=True, distillation=Distillation(output=0.0, features=0.1))

    path = train(taught, clips, tmp_path, start=thin, teacher=teacher)

    run = load_checkpoint(path)
    assert (run.config.network, run.step, run.teacher) == (THIN, 2, teacher.label)


def test_in_whole_numbers(clips: list[Clip], thin: Path, tmp_path: Path) -> None:
    told: list[str] = []
    whole = replace(
        RUN, network=QuantizedConfig(network=OWN), start="", parts=(("network", "thin"),)
    )

    path = quantize(whole, clips, tmp_path, start=[thin], allowed=99, on_notice=told.append)

    run = load_checkpoint(path)
    assert run.config.network == QuantizedConfig(network=THIN)
    assert told[0] == TOLD
    for name, weight in load_checkpoint(thin).ema.items():
        assert torch.equal(run.ema[f"network.{name}"], weight), name
    again = replace(whole, name="again", start="next", parts=())
    quantize(again, clips, tmp_path, start=[path], allowed=99)
    assert load_checkpoint(tmp_path / "again.ckpt").config.network == run.config.network


def test_of_several_results_that_of_the_network_counts(
    clips: list[Clip], thin: Path, tmp_path: Path
) -> None:
    other = result_of(QuantizedConfig(network=OWN), "first", clips, tmp_path)
    whole = replace(
        RUN, network=QuantizedConfig(network=OWN), start="first", parts=(("network", "thin"),)
    )

    path = quantize(whole, clips, tmp_path, start=[other, thin], allowed=99)

    assert load_checkpoint(path).config.network == QuantizedConfig(network=THIN)
    with pytest.raises(OptionError, match=r"next starts from 2 results \(first, thin\), got 1"):
        quantize(replace(whole, seed=2), clips, tmp_path / "b", start=[other], allowed=99)


def test_what_was_pruned_is_pruned_on(clips: list[Clip], tmp_path: Path) -> None:
    wide = replace(OWN, channels=32, widths=(32, 16))
    start = result_of(wide, "thin", clips, tmp_path)
    seen: list[FastConfig] = []

    def fits(config: FastConfig) -> bool:
        seen.append(config)
        return config.macs_per_position < wide.macs_per_position

    path = prune(RUN, clips, tmp_path, fits=fits, rounds=1, start=[start])

    assert seen[0] == wide
    run = load_checkpoint(path)
    assert isinstance(run.config.network, FastConfig)
    assert run.config.network.macs_per_position < wide.macs_per_position
    assert run.config.widths == "own"


def test_a_card_tells_its_widths_too(clips: list[Clip], tmp_path: Path) -> None:
    weights = build_network(asdict(THIN)).state_dict()
    export_card(
        name="thin", summary="", config=THIN, weights=weights, training_data=(), degradation="",
        steps=0, commit="", folder=tmp_path,
    )  # fmt: skip

    path = train(RUN, clips, tmp_path, start=tmp_path / "thin.safetensors", minutes=0)

    assert load_checkpoint(path).config.network == THIN


def test_what_has_no_such_widths_is_one_line(clips: list[Clip], tmp_path: Path) -> None:
    deep = result_of(replace(OWN, depth=2), "thin", clips, tmp_path)
    wanted = "next takes its widths from a network of kind fast of depth 4, thin is of"
    with pytest.raises(OptionError, match=f"{wanted} depth 2"):
        train(RUN, clips, tmp_path, start=deep)
    with pytest.raises(OptionError, match=f"{wanted} kind espcn"):
        train(RUN, clips, tmp_path, start=result_of(EspcnConfig(scale=2), "thin", clips, tmp_path))
    with pytest.raises(WeightsError, match=r"cannot read .*next\.ckpt: No such file"):
        train(RUN, clips, tmp_path, resume=True)
    with pytest.raises(ValueError, match="widths must be own or start, got 'other'"):
        replace(RUN, widths="other")  # type: ignore[arg-type]
    steps = FrameRecurrentConfig(scale=2, channels=8, depth=4, carried=4)
    with pytest.raises(ValueError, match="widths start is for networks of kind fast, got frame_re"):
        replace(RUN, network=QuantizedConfig(network=steps), sequence=2)
