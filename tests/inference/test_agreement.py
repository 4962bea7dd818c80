"""Every engine and precision against the PyTorch network, in one place.

A network that f32 engines answered differently by a twentieth of a level on average would be
another network: the card's tolerance is for single samples. Mutation tried: no half of a level
added before OpenVINO cuts to integers.
"""

from dataclasses import asdict
from functools import lru_cache

import numpy as np
import pytest
import torch
from clips import draw_planes
from safetensors.torch import load_file

from upreel.inference import open_session
from upreel.inference.openvino import OpenVinoSession
from upreel.inference.packing import pack_frame, pad_margins
from upreel.networks.build import build_network
from upreel.networks.fast import FoldedFastNetwork
from upreel.zoo import ModelCard, card_names, load_card

HEIGHT, WIDTH, MARGIN = 20, 28, 4  # packed positions
ENGINES = [("cpu", "f32"), ("cpu", "bf16"), ("ort-cpu", "f32")]


@lru_cache
def torch_network(name: str) -> FoldedFastNetwork:
    card = load_card(name)
    network = build_network(asdict(card.network))
    weights = load_file(card.folder / f"{card.name}.safetensors")
    network.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return network.folded()


def batch_of(card: ModelCard, bits: int) -> np.ndarray:
    name = {8: "yuv420p", 10: "yuv420p10le", 16: "yuv420p16le"}[bits]
    frames = 1 + sum(card.window)
    batch = np.zeros((HEIGHT, WIDTH, 6 * frames), np.uint8 if bits == 8 else np.uint16)
    size = {"width": 2 * (WIDTH - 2 * MARGIN), "height": 2 * (HEIGHT - 2 * MARGIN)}
    for slot in range(frames):
        luma, cb, cr = draw_planes(9 - slot, name, **size)
        pack_frame(batch, luma, (cb, cr), slot, MARGIN)
    pad_margins(batch, MARGIN)
    return batch[None]


@pytest.mark.parametrize("name", card_names())
@pytest.mark.parametrize(("device", "precision"), ENGINES)
@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.usefixtures("slow_bf16")
def test_engines_agree_with_the_network(name: str, device: str, precision: str, bits: int) -> None:
    card = load_card(name)
    batch = batch_of(card, bits)
    session = open_session(
        card, HEIGHT, WIDTH, bits=bits, device=device, precision=precision, threads=1
    )
    if isinstance(session, OpenVinoSession):
        compiled = session._requests[0].get_compiled_model()
        if compiled.get_property("INFERENCE_PRECISION_HINT").to_string() != precision:
            pytest.skip(f"absent hardware: this CPU cannot compute in {precision}")

    answer, _ = session.run(batch)

    limit = (1 << bits) - 1
    packed = torch.from_numpy(batch.astype(np.float32) / limit).permute(0, 3, 1, 2)
    with torch.no_grad():
        exact = torch_network(name)(packed).permute(0, 2, 3, 1).numpy() * limit
    assert answer.dtype == batch.dtype
    assert answer.shape == exact.shape
    error = np.abs(answer - np.rint(exact.clip(0, limit))) * (255 / limit)
    assert error.max() <= card.tolerance[precision]
    assert error.mean() <= (0.02 if precision == "f32" else 0.25)


def test_the_network_does_something_to_that_picture() -> None:
    """Else the agreement above would say nothing."""
    network = torch_network("fast-x2-clean")
    batch = batch_of(load_card("fast-x2-clean"), 8)
    packed = torch.from_numpy(batch.astype(np.float32)).permute(0, 3, 1, 2)

    with torch.no_grad():
        change = network(packed / 255) * 255 - network.interpolation(packed)

    assert change.abs().mean() > 0.5
