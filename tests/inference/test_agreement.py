"""Every engine and precision against the PyTorch network, in one place.

A network that f32 engines answered differently by a twentieth of a level on average would be
another network: the card's tolerance is for single samples. Mutation tried: no half of a level
added before OpenVINO cuts to integers.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from clips import draw_planes
from small_cards import SMALL, torch_network

from upreel.errors import BackendUnavailableError
from upreel.inference import open_session
from upreel.inference.openvino import OpenVinoSession
from upreel.inference.packing import pack_frame, pad_margins
from upreel.networks.fast import FoldedFastNetwork
from upreel.networks.sizes import CHANNELS
from upreel.zoo import ModelCard, card_names, load_card

HEIGHT, WIDTH, MARGIN = 32, 48, 4  # positions
ENGINES = [("cpu", "f32"), ("cpu", "bf16"), ("ort-cpu", "f32")]


def batch_of(card: ModelCard, bits: int) -> np.ndarray:
    name = {8: "yuv420p", 10: "yuv420p10le", 16: "yuv420p16le"}[bits]
    frames = len(card.network.offsets)
    shape = (HEIGHT, WIDTH, CHANNELS[card.layout] * frames)
    batch = np.zeros(shape, np.uint8 if bits == 8 else np.uint16)
    width, height = (card.block * (side - 2 * MARGIN) for side in (WIDTH, HEIGHT))
    for slot in range(frames):
        luma, cb, cr = draw_planes(9 - slot, name, width=width, height=height)
        pack_frame(batch, luma, (cb, cr) if card.layout == "packed" else None, slot, MARGIN)
    pad_margins(batch, MARGIN, card.layout)
    return batch[None]


@pytest.mark.parametrize("name", [n for n in card_names() if not load_card(n).state])
@pytest.mark.parametrize(("device", "precision"), ENGINES)
@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.usefixtures("slow_bf16")
def test_engines_agree_with_the_network(name: str, device: str, precision: str, bits: int) -> None:
    card = load_card(name)
    if precision in card.precisions:
        agrees(card, device, precision, bits)
    else:
        with pytest.raises(BackendUnavailableError, match=f"{name} cannot run in {precision}"):
            open_session(card, HEIGHT, WIDTH, bits=bits, device=device, precision=precision)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
@pytest.mark.parametrize("name", SMALL)
def test_engines_agree_on_every_kind_of_network(
    name: str, device: str, bits: int, small_cards: Callable[[str], ModelCard]
) -> None:
    """Sixteen bits are read as ten are: above, by networks of both layouts."""
    agrees(small_cards(name), device, "f32", bits)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("name", ["fast-luma", "fast-two"])
@pytest.mark.usefixtures("slow_bf16")
def test_bf16_agrees_on_luma(name: str, bits: int, small_cards: Callable[[str], ModelCard]) -> None:
    agrees(small_cards(name), "cpu", "bf16", bits)


@pytest.mark.usefixtures("slow_bf16")
def test_bf16_is_refused_where_levels_would_be_rounded(
    small_cards: Callable[[str], ModelCard],
) -> None:
    with pytest.raises(BackendUnavailableError, match="blend is not only convolutions") as caught:
        open_session(small_cards("blend"), 8, 8, device="cpu", precision="bf16")
    assert "\n" not in str(caught.value)
    with pytest.raises(BackendUnavailableError, match=r"srcnn cannot run in bf16 .* in: f32"):
        open_session(small_cards("srcnn"), 8, 8, device="cpu", precision="bf16")


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("name", ["fast-luma", "espcn-relu", "encoder-decoder", "blend"])
def test_a_batch_is_its_pictures(
    name: str, bits: int, small_cards: Callable[[str], ModelCard]
) -> None:
    card = small_cards(name)
    first = batch_of(card, bits)
    both = np.concatenate((first, first[:, ::-1]))
    options = {"bits": bits, "device": "cpu", "precision": "f32", "threads": 1}

    one = open_session(card, HEIGHT, WIDTH, **options)  # type: ignore[arg-type]
    two = open_session(card, HEIGHT, WIDTH, batch=2, **options)  # type: ignore[arg-type]

    answers = two.run(both)[0].astype(int)
    for number in range(2):
        alone = one.run(both[number : number + 1])[0]
        assert np.abs(answers[number] - alone[0]).max() <= 1


def agrees(card: ModelCard, device: str, precision: str, bits: int) -> None:
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
        exact = torch_network(card)(packed).permute(0, 2, 3, 1).numpy() * limit
    assert answer.dtype == batch.dtype
    assert answer.shape == exact.shape
    error = np.abs(answer - np.rint(exact.clip(0, limit))) * (255 / limit)
    assert error.max() <= card.tolerance[precision]
    assert error.mean() <= (0.02 if precision == "f32" else 0.25)


def test_the_network_does_something_to_that_picture() -> None:
    """Else the agreement above would say nothing."""
    card = load_card("fast-x2-clean")
    network = torch_network(card)
    assert isinstance(network, FoldedFastNetwork)
    batch = batch_of(card, 8)
    packed = torch.from_numpy(batch.astype(np.float32)).permute(0, 3, 1, 2)

    with torch.no_grad():
        change = network(packed / 255) * 255 - network.interpolation(packed)

    assert change.abs().mean() > 0.5
