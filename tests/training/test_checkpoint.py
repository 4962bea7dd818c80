"""Checkpoints describe themselves: config and tensors come back, whatever else is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from upreel.degradation.degrade import Coding, Degradation
from upreel.errors import WeightsError
from upreel.networks.build import build_network
from upreel.networks.sizes import CHANNELS
from upreel.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FastConfig, FusionConfig

CODED = Degradation(
    kernels=("area", "gaussian"), codings=(Coding(codec="x265", crf=(20, 30)),), uncoded=0.5
)
CONFIGS = [
    TrainConfig(
        name="one",
        network=FastConfig(scale=2, channels=4, depth=0),
        degradation=Degradation(kernels=("bicubic",)),
    ),
    TrainConfig(
        name="two",
        network=FastConfig(scale=3, channels=6, depth=4, frames=2),
        degradation=CODED,
        variants=3,
        validation=(),
        losses=(Loss(kind="mse", weight=2.0), Loss(kind="ssim")),
        start="one",
    ),
    TrainConfig(
        name="three",
        network=FusionConfig(
            first=FastConfig(scale=2, channels=4, depth=0, layout="luma"), alignment="none"
        ),
        degradation=Degradation(kernels=("bicubic",)),
        parts=(("first", "one"),),
        frozen=("first",),
    ),
]


def checkpoint(config: TrainConfig) -> Checkpoint:
    network = build_network(asdict(config.network))
    groups = [{k: torch.randn_like(p) for k, p in network.named_parameters()} for _ in range(4)]
    return Checkpoint(
        config=config,
        step=1234,
        training_data=("drawn", "3 photographs"),
        commit="abcdef0",
        network=groups[0],
        ema=groups[1],
        first_moment=groups[2],
        second_moment=groups[3],
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_everything_comes_back(config: TrainConfig, tmp_path: Path) -> None:
    saved = checkpoint(config)
    save_checkpoint(saved, tmp_path / "run.ckpt")

    read = load_checkpoint(tmp_path / "run.ckpt")

    assert read.config == config
    assert (read.step, read.training_data, read.commit) == (
        1234, ("drawn", "3 photographs"), "abcdef0",
    )  # fmt: skip
    for group in ("network", "ema", "first_moment", "second_moment"):
        tensors = getattr(saved, group)
        assert set(getattr(read, group)) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(getattr(read, group)[name], tensor)
    networks = [build_network(asdict(c.config.network)) for c in (saved, read)]
    for network, source in zip(networks, (saved, read), strict=True):
        network.load_state_dict(dict(source.ema))
    channels = CHANNELS[config.network.layout] * config.network.frames
    frames = torch.rand(1, channels, 8, 8)
    assert torch.equal(networks[0](frames), networks[1](frames))


def test_channels_last_tensors_are_stored_in_order(tmp_path: Path) -> None:
    saved = checkpoint(CONFIGS[0])
    turned = {
        k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v
        for k, v in saved.network.items()
    }
    save_checkpoint(replace(saved, network=turned), tmp_path / "run.ckpt")

    for name, tensor in load_checkpoint(tmp_path / "run.ckpt").network.items():
        assert torch.equal(tensor, saved.network[name])


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    save_checkpoint(checkpoint(CONFIGS[0]), path)
    whole = path.read_bytes()

    for data in (b"", b"text" * 100, whole[:-10], whole[:100]):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"cannot read .*run\.ckpt"):
            load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"name": "no checkpoint"})
    with pytest.raises(WeightsError, match="checkpoint of version None; this one reads 1"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "header",
    [{"config": None}, {"config": "{}"}, {"step": "many"}, {"config": json.dumps({"name": 3})}],
)
def test_headers_that_do_not_fit_are_refused(header: dict[str, str | None], tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "run.ckpt"
    save_checkpoint(checkpoint(CONFIGS[0]), path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | header
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata={k: v for k, v in metadata.items() if v is not None})

    with pytest.raises(WeightsError, match=r"run\.ckpt is no checkpoint of this program"):
        load_checkpoint(path)
