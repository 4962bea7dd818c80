"""Calibration, and steps only where it costs too much: from a float run's result to a checkpoint.

Mutations tried: the average's steps left as they were, training whatever the loss, calibration on
a resumed run.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from upreel.datasets.clips import Clip, drawn_clips
from upreel.degradation.degrade import Degradation
from upreel.errors import OptionError
from upreel.training.checkpoint import load_checkpoint
from upreel.training.config import Distillation, TrainConfig
from upreel.training.distill import load_teacher
from upreel.training.quantize import quantize
from upreel.training.run import train
from upreel.zoo import FastConfig, QuantizedConfig

FLOAT = TrainConfig(
    name="plain",
    network=FastConfig(scale=2, channels=6, depth=2, layout="luma"),
    degradation=Degradation(kernels=("bicubic",)),
    steps=30,
    batch=4,
    patch=24,
    warmup=1,
    learning_rate=5e-3,
    validation=("drawn2",),
)
WHOLE = replace(
    FLOAT,
    name="whole",
    network=QuantizedConfig(network=FLOAT.network),  # type: ignore[arg-type]
    parts=(("network", "plain"),),
    steps=3,
    learning_rate=1e-4,
)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return drawn_clips(3, num_frames=2, height=72, width=96)


@pytest.fixture(scope="module")
def start(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [train(FLOAT, clips, tmp_path_factory.mktemp("plain"))]


def test_nothing_is_learned_where_rounding_costs_little(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    told: list[str] = []

    path = quantize(WHOLE, clips, tmp_path, start=start, allowed=1.0, on_notice=told.append)

    run, plain = load_checkpoint(path), load_checkpoint(start[0])
    assert run.step == 0
    assert len(told) == 1
    assert told[0].startswith("validation: ")
    assert told[0].endswith("no step is needed")
    for name, weight in plain.ema.items():
        assert torch.equal(run.ema[f"network.{name}"], weight), name
    assert torch.equal(run.ema["steps"], run.network["steps"])
    assert (run.ema["steps"] != -8).all()
    quantize(WHOLE, clips, tmp_path, resume=True, allowed=1.0)
    assert load_checkpoint(path).step == 0  # it has decided the same


def test_it_learns_on_where_it_must_and_goes_on_after_a_stop(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    told: list[str] = []
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    path = quantize(WHOLE, clips, whole, start=start, allowed=0, on_notice=told.append)
    quantize(WHOLE, clips, cut, start=start, allowed=0, minutes=0)
    again = quantize(WHOLE, clips, cut, resume=True, allowed=0)

    run = load_checkpoint(path)
    assert told[0].endswith("3 steps follow")
    assert run.step == load_checkpoint(again).step == 3
    for name, weight in run.ema.items():
        assert torch.equal(load_checkpoint(again).ema[name], weight), name
    before = load_checkpoint(start[0]).ema["body.0.weight"]
    assert not torch.equal(run.ema["network.body.0.weight"], before)


def test_a_teacher_may_go_along(clips: list[Clip], start: list[Path], tmp_path: Path) -> None:
    taught = replace(WHOLE, distillation=Distillation(output=2.0))
    teacher = load_teacher(str(start[0]), scale=2)

    path = quantize(taught, clips, tmp_path / "a", start=start, allowed=0, teacher=teacher)
    alone = quantize(WHOLE, clips, tmp_path / "b", start=start, allowed=0)

    run, other = load_checkpoint(path), load_checkpoint(alone)
    assert run.step == other.step == 3
    assert (run.teacher, other.teacher) == (teacher.label, "")
    assert not torch.equal(run.ema["network.head.weight"], other.ema["network.head.weight"])
    for config, who, what in (
        (taught, None, "whole learns from a teacher"),
        (WHOLE, teacher, "whole has nothing from a teacher"),
    ):
        with pytest.raises(OptionError, match=f"{what}: --teacher is for runs that do"):
            quantize(config, clips, tmp_path, start=start, teacher=who)


def test_calibration_is_the_same_every_time(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    paths = [
        quantize(WHOLE, clips, tmp_path / name, start=start, allowed=1.0) for name in ("a", "b")
    ]

    first, second = (load_checkpoint(path).ema for path in paths)
    for name, weight in first.items():
        assert torch.equal(second[name], weight), name


def test_runs_are_for_their_own_command(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="whole is quantised: upreel quantize is for it"):
        train(WHOLE, clips, tmp_path)
    with pytest.raises(OptionError, match="plain is a run of kind fast, not quantized"):
        quantize(FLOAT, clips, tmp_path)
    with pytest.raises(OptionError, match="whole is quantised from what was trained: --start nam"):
        quantize(WHOLE, clips, tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OptionError, match="quantising runs in one process, torchrun has begun 2"):
        quantize(WHOLE, clips, tmp_path)


def test_without_a_validation_source_nothing_says_that_it_may_stop(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    told: list[str] = []
    config = replace(WHOLE, validation=())

    path = quantize(config, clips, tmp_path, start=start, allowed=9, on_notice=told.append)

    assert told == ["no validation source in the material: 3 steps follow"]
    assert load_checkpoint(path).step == 3
