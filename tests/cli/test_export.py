"""`upreel export`: from a checkpoint to a card that runs, as its PyTorch network does."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx  # noqa: TID253
import pytest
import torch  # noqa: TID253
from typer.testing import CliRunner

from upreel.cli import app
from upreel.degradation.degrade import Degradation
from upreel.inference import PlaneUpscaler, open_session
from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.training.checkpoint import Checkpoint, save_checkpoint
from upreel.training.config import TrainConfig
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour
from upreel.zoo import FastConfig, ModelCard, load_card

CONFIG = TrainConfig(
    name="tiny",
    network=FastConfig(scale=3, channels=5, depth=2, frames=2),
    degradation=Degradation(kernels=("area",)),
)


@pytest.fixture(scope="module")
def network() -> FastNetwork:
    torch.manual_seed(3)
    network = build_network(asdict(CONFIG.network))
    assert isinstance(network, FastNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((torch.randn_like(parameter) * 0.1).half())
    return network


@pytest.fixture(scope="module")
def folder(network: FastNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, and the card that the command made of it."""
    place = tmp_path_factory.mktemp("export")
    weights = {name: p.detach() for name, p in network.named_parameters()}
    nothing = {name: torch.zeros_like(p) for name, p in weights.items()}
    save_checkpoint(
        Checkpoint(
            config=CONFIG, step=77, training_data=("drawn", "3 photographs"), commit="abcdef0",
            network=nothing, ema=weights, first_moment=nothing, second_moment=nothing,
            teacher="someone (0123)",
        ),
        place / "run.ckpt",
    )  # fmt: skip
    arguments = ["export", str(place / "run.ckpt"), "--out", str(place / "cards"), "--name", "mine"]
    sources = place / "sources.json"
    sources.write_text('{"drawn": "by code, Apache-2.0", "photographs": "ours, CC0"}')
    result = CliRunner().invoke(app, [*arguments, "--sources", str(sources)])
    assert result.exit_code == 0, result.output
    made = place / "cards" / "mine.json"
    assert result.stdout.splitlines()[-1] == f"{made}: {CONFIG.network.num_parameters} parameters"
    return made.parent


@pytest.fixture
def card(folder: Path) -> ModelCard:
    return load_card(str(folder / "mine.json"))


def test_the_card_says_what_the_run_was(card: ModelCard, folder: Path) -> None:
    assert (card.name, card.network, card.steps) == ("mine", CONFIG.network, 77)
    assert card.training_data == ("drawn: by code, Apache-2.0", "3 photographs: ours, CC0")
    assert (card.commit, card.teacher) == ("abcdef0", "someone (0123)")
    assert card.degradation == "area downscale, 8-bit"
    assert card.summary == "x3, trained on area downscale, 8-bit"
    assert {path.name for path in folder.iterdir()} == {
        "mine.json", "mine.onnx", "mine.safetensors",
    }  # fmt: skip


def test_all_files_may_be_read_by_whom_the_system_allows(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    usual = (tmp_path / "plain").stat().st_mode

    files = [folder.parent / "run.ckpt", *folder.iterdir()]

    assert {path.stat().st_mode for path in files} == {usual}


def test_the_onnx_file_carries_its_origin_and_no_path(card: ModelCard) -> None:
    model = onnx.load_from_string(card.verified_onnx())

    header = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(header["network"]) == json.loads(json.dumps(asdict(CONFIG.network)))
    assert (header["name"], header["steps"], header["commit"]) == ("mine", "77", "abcdef0")
    assert header["teacher"] == "someone (0123)"
    assert b"/upreel/" not in card.verified_onnx()
    halves = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert {t.name for t in model.graph.initializer if t not in halves} == {
        "head.weight", "head.bias", "interpolation.weight", "tail.bias",
    }  # fmt: skip
    assert halves


@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
def test_the_card_runs_as_the_network_does(
    device: str, card: ModelCard, network: FastNetwork
) -> None:
    batch = np.random.default_rng(1).integers(0, 256, (2, 9, 11, 12)).astype(np.uint8)
    session = open_session(card, 9, 11, batch=2, device=device, precision="f32", threads=1)

    answer, _ = session.run(batch)

    packed = torch.from_numpy(batch.astype(np.float32) / 255).permute(0, 3, 1, 2)
    with torch.no_grad():
        exact = network.folded()(packed).permute(0, 2, 3, 1).numpy() * 255
    error = np.abs(answer - np.rint(exact.clip(0, 255)))
    assert error.max() <= 1
    assert error.mean() < 0.02


def test_planes_go_through_it(card: ModelCard) -> None:
    made = PlaneUpscaler(
        card, pixel_format=pixel_format("yuv420p"), colour=Colour(), width=18, height=10,
        device="cpu", precision="f32", threads=1,
    )  # fmt: skip
    frame = tuple(
        np.full(shape, level, np.uint8)
        for shape, level in (((10, 18), 200), ((5, 9), 90), ((5, 9), 9))
    )

    planes = made([frame, frame])

    assert [plane.shape for plane in planes] == [(30, 54), (15, 27), (15, 27)]
    assert [np.unique(plane).tolist() for plane in planes] == [[200], [90], [9]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"drawn": "ours"}', "says nothing of 'photographs'"),
        ("not JSON", "cannot read "),
        ("7", "is no JSON object"),
    ],
)
def test_every_source_must_be_known(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    sources = tmp_path / "sources.json"
    sources.write_text(text)
    arguments = [str(folder.parent / "run.ckpt"), "--out", str(tmp_path), "--sources", str(sources)]

    result = CliRunner().invoke(app, ["export", *arguments])

    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [sources]


def test_a_file_that_is_no_checkpoint_is_one_line(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.ckpt", folder / "mine.json", folder / "mine.safetensors"):
        result = CliRunner().invoke(app, ["export", str(path), "--out", str(tmp_path)])
        assert result.exit_code == 1
        assert result.stderr.startswith("upreel: ")
        assert path.name in result.stderr
        assert result.stderr.count("\n") == 1
