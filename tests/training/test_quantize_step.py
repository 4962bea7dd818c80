"""A frame-recurrent run and its quantisation: calibrated on sequences, resumed exactly.

Mutations tried: single frames, no side cut to what the network takes, frames around that the step's
number does not choose.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from upreel.datasets.clips import Clip, drawn_clips
from upreel.degradation.degrade import Degradation
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.training.checkpoint import load_checkpoint
from upreel.training.config import TrainConfig
from upreel.training.quantize import quantize
from upreel.training.run import train
from upreel.zoo import FrameRecurrentConfig, QuantizedConfig

NETWORK = FrameRecurrentConfig(scale=2, channels=6, depth=1, carried=4)
FLOAT = TrainConfig(
    name="steps",
    network=NETWORK,
    degradation=Degradation(kernels=("bicubic",)),
    steps=3,
    batch=2,
    patch=16,
    sequence=3,
    around=2,
    warmup=1,
    learning_rate=5e-3,
    validation=("drawn2",),
)
WHOLE = replace(
    FLOAT,
    name="whole",
    network=QuantizedConfig(network=NETWORK),
    parts=(("network", "steps"),),
    learning_rate=1e-3,
)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Half of their sides is no multiple of 4."""
    return drawn_clips(3, num_frames=5, height=76, width=100)


@pytest.fixture(scope="module")
def start(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [train(FLOAT, clips, tmp_path_factory.mktemp("steps"))]


def test_a_run_goes_on_after_a_stop(clips: list[Clip], start: list[Path], tmp_path: Path) -> None:
    train(FLOAT, clips, tmp_path, minutes=0)

    again = load_checkpoint(train(FLOAT, clips, tmp_path, resume=True))

    run = load_checkpoint(start[0])
    assert run.step == again.step == 3
    for name, weight in run.ema.items():
        assert torch.equal(again.ema[name], weight), name


def test_it_is_calibrated_on_sequences(
    clips: list[Clip], start: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    told: list[str] = []
    whole = QuantizedStepNetwork.calibrate

    def calibrate(self: QuantizedStepNetwork, inputs: Sequence[Tensor]) -> None:
        seen.extend(inputs)
        whole(self, inputs)

    monkeypatch.setattr(QuantizedStepNetwork, "calibrate", calibrate)

    path = quantize(WHOLE, clips, tmp_path, start=start, allowed=99, on_notice=told.append)

    assert [tuple(x.shape) for x in seen] == [(1, 3, 36, 48)] * 2  # one is validated on
    assert (seen[0][:, 0] != seen[0][:, 1]).any()
    run, plain = load_checkpoint(path), load_checkpoint(start[0])
    assert run.step == 0
    assert told[0].endswith("no step is needed")
    for name, weight in plain.ema.items():
        assert torch.equal(run.ema[f"network.{name}"], weight), name
    network = QuantizedStepNetwork(network=vars(NETWORK))
    network.load_state_dict(run.ema)
    whole(network, seen)
    assert torch.equal(run.ema["steps"], network.steps)
    assert torch.equal(run.network["steps"], network.steps)


def test_it_learns_on_and_goes_on_after_a_stop(
    clips: list[Clip], start: list[Path], tmp_path: Path
) -> None:
    straight, cut = tmp_path / "straight", tmp_path / "cut"

    path = quantize(WHOLE, clips, straight, start=start, allowed=0)
    quantize(WHOLE, clips, cut, start=start, allowed=0, minutes=0)
    again = quantize(WHOLE, clips, cut, resume=True, allowed=0)

    run, other = load_checkpoint(path), load_checkpoint(again)
    assert run.step == other.step == 3
    for name, weight in run.ema.items():
        assert torch.equal(other.ema[name], weight), name
    for name in ("head.weight", "body.0.weight", "tail.weight"):
        before = load_checkpoint(start[0]).ema[name]
        assert not torch.equal(run.ema[f"network.{name}"], before)
