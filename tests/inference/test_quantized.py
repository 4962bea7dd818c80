"""int8 as a precision of a card: every engine gives what training rounds, and nobody else's file.

Mutations tried: signed activations stored without a sign, the bias left out, an interpolation of
one byte a weight, another file's hash.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from clips import draw_planes
from small_cards import export_small, random_network

from upreel.errors import BackendUnavailableError, OptionError, WeightsError
from upreel.inference import open_session
from upreel.inference.export_quantized import add_quantized
from upreel.inference.packing import pack_frame, pad_margins
from upreel.networks.quantized import QuantizedNetwork
from upreel.networks.sizes import CHANNELS
from upreel.zoo import FastConfig, ModelCard, QuantizedConfig, load_card
from upreel.zoo.card import read_card

pytestmark = pytest.mark.usefixtures("shared_traces")

HEIGHT, WIDTH, MARGIN = 40, 56, 4
NAMES = ("fast-luma", "fast-two", "fast-packed", "fast-plain")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ModelCard, QuantizedNetwork]]:
    """Cards with int8, and their networks."""
    folder = tmp_path_factory.mktemp("cards")
    return {name: quantised(name, folder) for name in NAMES}


def quantised(name: str, folder: Path) -> tuple[ModelCard, QuantizedNetwork]:
    card = export_small(name, folder)
    assert isinstance(card.network, FastConfig)
    network = QuantizedNetwork(network=vars(card.network), activation_bits=8)
    network.network.load_state_dict(random_network(name).state_dict())
    network.calibrate(
        [
            torch.from_numpy(batch_of(card, seed).transpose(0, 3, 1, 2) / np.float32(255))
            for seed in (1, 5)
        ]
    )
    config = QuantizedConfig(network=card.network)
    made = add_quantized(
        card, config=config, weights=network.state_dict(), training_data=("drawn",),
        degradation="none", steps=0, commit="abc",
    )  # fmt: skip
    return made, network


def batch_of(card: ModelCard, seed: int) -> np.ndarray:
    frames = len(card.network.offsets)
    batch = np.zeros((HEIGHT, WIDTH, CHANNELS[card.layout] * frames), np.uint8)
    width, height = (card.block * (side - 2 * MARGIN) for side in (WIDTH, HEIGHT))
    for slot in range(frames):
        luma, cb, cr = draw_planes(seed + slot, "yuv420p", width=width, height=height)
        pack_frame(batch, luma, (cb, cr) if card.layout == "packed" else None, slot, MARGIN)
    pad_margins(batch, MARGIN, card.layout)
    return batch[None]


@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
@pytest.mark.parametrize("name", NAMES)
def test_engines_give_what_training_rounds(
    made: dict[str, tuple[ModelCard, QuantizedNetwork]], name: str, device: str
) -> None:
    card, network = made[name]
    batch = batch_of(card, 9)
    session = open_session(card, HEIGHT, WIDTH, device=device, precision="int8", threads=1)

    answer, _ = session.run(batch)

    with torch.no_grad():
        seen = torch.from_numpy(batch.transpose(0, 3, 1, 2) / np.float32(255))
        exact = network(seen).permute(0, 2, 3, 1).numpy() * 255
        plain = network.network(seen).permute(0, 2, 3, 1).numpy() * 255
    error = np.abs(answer - np.rint(exact.clip(0, 255)))
    assert session.describe().precision == "int8"
    assert (error <= 1).mean() >= 0.999
    assert error.max() <= card.tolerance["int8"] == 3
    assert error.mean() <= 0.02
    assert np.abs(plain - exact).max() > 0.1


def test_the_file_says_what_it_is(
    made: dict[str, tuple[ModelCard, QuantizedNetwork]],
) -> None:
    card, _ = made["fast-packed"]
    model = onnx.load_from_string(card.verified_onnx(precision="int8"))

    stored = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4}
    header = {entry.key: entry.value for entry in model.metadata_props}

    assert stored == {onnx.TensorProto.INT8}  # of the interpolation, too
    assert header["commit"] == "abc"
    assert '"quantized"' in header["network"]
    assert card.precisions == ("f32", "bf16", "int8")
    assert read_card(card.folder / "fast-packed.json") == card
    assert card.verified_onnx() != card.verified_onnx(precision="int8")
    assert card.verified_onnx(precision="bf16") == card.verified_onnx()


def test_it_is_not_chosen_unasked(
    made: dict[str, tuple[ModelCard, QuantizedNetwork]],
) -> None:
    card, _ = made["fast-luma"]

    assert open_session(card, 16, 16, device="cpu").describe().precision != "int8"


def test_another_file_is_refused(tmp_path: Path) -> None:
    card, _ = quantised("fast-luma", tmp_path)
    path = card.onnx_path("int8")
    path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(WeightsError, match=r"fast-luma\.int8\.onnx: SHA-256 .* the card says"):
        open_session(card, 16, 16, device="cpu", precision="int8")
    path.unlink()
    with pytest.raises(WeightsError, match=r"cannot read .*fast-luma\.int8\.onnx"):
        open_session(card, 16, 16, device="cpu", precision="int8")
    assert open_session(card, 16, 16, device="cpu", precision="f32")


def test_deeper_levels_and_other_networks_are_refused(
    made: dict[str, tuple[ModelCard, QuantizedNetwork]],
) -> None:
    card, network = made["fast-luma"]

    with pytest.raises(OptionError, match=r"int8 is for video of 8 bits, this has 10"):
        open_session(card, 16, 16, bits=10, device="cpu", precision="int8")
    with pytest.raises(OptionError, match="this has 10"):
        open_session(card, 16, 16, bits=8, depth=10, device="cpu", precision="int8")
    with pytest.raises(BackendUnavailableError, match="tan-x4 cannot run in int8"):
        open_session(load_card("tan-x4"), 16, 16, device="cpu", precision="int8")
    values = {
        "weights": network.state_dict(), "training_data": (), "degradation": "", "steps": 0,
        "commit": "",
    }  # fmt: skip
    assert isinstance(card.network, FastConfig)
    other = QuantizedConfig(network=replace(card.network, channels=4))
    with pytest.raises(OptionError, match="what was quantised is FastConfig"):
        add_quantized(card, config=other, **values)
    seven = QuantizedConfig(network=card.network, activation_bits=7)
    with pytest.raises(OptionError, match="int8 is of 8 bits, these activations have 7"):
        add_quantized(card, config=seven, **values)


def test_cards_of_older_releases_have_no_such_entries(tmp_path: Path) -> None:
    card = export_small("fast-luma", tmp_path)
    path = tmp_path / "fast-luma.json"
    later = ',\n  "quantized": {},\n  "teacher": ""'
    assert later in path.read_text()
    path.write_text(path.read_text().replace(later, ""))

    assert read_card(path) == card
