"""The bundled recurrent networks on long scenes: what peers' networks run away on.

A step that adds a little too much of what the step before it added is invisible over the thirty
frames of a test clip; where nothing moves it doubles with every frame.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.degradation.degrade import Downscale, shrink
from upreel.inference import open_cells, upscaler_of
from upreel.inference.kinds import StatefulUpscaler
from upreel.metrics.fidelity import psnr
from upreel.networks.motion import ITERATIONS, cell_motion
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Plane
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.zoo import FrameRecurrentConfig, ModelCard, card_names, load_card

SAMPLE = Path(__file__).parents[2] / "examples" / "media" / "city-truth.mp4"
RECURRENT = [name for name in card_names() if load_card(name).state]
FRAMES = 200


def high_resolution(card: ModelCard, moves: bool) -> list[Plane]:
    """What becomes 40x32 samples, of the bundled clip's first frame or of eight there and back."""
    rows, columns = (slice(at, at + side * card.scale) for at, side in ((100, 32), (200, 40)))
    frames = [frame.planes[0][rows, columns] for frame in read_frames(probe(str(SAMPLE)))][:8]
    order = [*range(7), *range(7, 0, -1)] if moves else [0]
    return [frames[order[t % len(order)]] for t in range(FRAMES)]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_long_scenes_stay_as_good_as_they_begin(name: str, moves: bool) -> None:
    card = load_card(name)
    high = high_resolution(card, moves)
    low = shrunk(card, high)

    gains = [psnr(*pair) for pair in zip(high, answers(card, list(low)), strict=True)]

    early, late = np.mean(gains[8:24]), [np.mean(gains[t : t + 16]) for t in range(24, 184, 16)]
    assert min(late) > early - 0.1
    assert min(gains) > min(gains[:24]) - 0.3


@pytest.mark.parametrize("name", RECURRENT)
def test_engines_agree(name: str) -> None:
    card = load_card(name)
    low = shrunk(card, high_resolution(card, moves=True)[:5])

    one, other = (
        answers(card, list(low), device=device, precision="f32") for device in ("cpu", "ort-cpu")
    )

    for left, right in zip(one, other, strict=True):
        assert np.abs(left.astype(int) - right).max() <= card.tolerance["f32"]


@pytest.mark.parametrize("name", RECURRENT)
def test_what_is_stored_moves_as_the_network_does(name: str) -> None:
    """A file exported before motion was changed would answer otherwise than its weights."""
    card = load_card(name)
    low = shrunk(card, high_resolution(card, moves=True)[:2])
    here, there = (np.pad(frame, ((0, 0), (0, -frame.shape[1] % 16)), mode="edge") for frame in low)
    pair = [frame[None, None].astype(np.float32) / 255 for frame in (here, there)]

    cells = open_cells(card, *here.shape, only=("motion",), device="cpu", precision="f32")
    (found,) = cells.run("motion", *pair)

    one, other = (torch.from_numpy(frame) for frame in pair)
    network = card.network
    iterations = (network.rounds,) * 3 if isinstance(network, FrameRecurrentConfig) else ITERATIONS
    expected = cell_motion(one, other, iterations)[:, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected).max() > 0.05


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("level", [0, 16, 81, 235, 255])
def test_flat_scenes_stay_flat(name: str, level: int) -> None:
    scene = [np.full((16, 24), level, np.uint8)] * 40

    for answer in answers(load_card(name), scene):
        assert np.unique(answer).tolist() == [level]


def shrunk(card: ModelCard, high: list[Plane]) -> np.ndarray:
    """Frames as the card's network was trained on them, (T, H, W)."""
    luma = np.stack(high)
    chroma = np.zeros((len(luma), 2, luma.shape[1] // 2, luma.shape[2] // 2), np.uint8)
    low, _ = shrink(luma, chroma, card.scale, kernel(card))
    return low


def kernel(card: ModelCard) -> Downscale:
    """That the card's network was trained for: of clean input either BI's or BD's."""
    return "blur" if card.network.answer_phase == "first" else "bicubic"


def answers(
    card: ModelCard, lumas: list[Plane], *, device: str = "cpu", precision: str = "auto"
) -> list[Plane]:
    """A scene's, by one engine."""
    height, width = lumas[0].shape
    made = upscaler_of(card)(
        card, pixel_format=pixel_format("gray"), colour=Colour(), width=width, height=height,
        device=device, precision=precision, threads=1,
    )  # fmt: skip
    assert isinstance(made, StatefulUpscaler)
    made.reset()
    found: list[Plane] = []
    for number, luma in enumerate(lumas):
        if number >= made.depth:
            found.append(made.collect()[0])
        made.submit([(luma,)])
    return found + [made.collect()[0] for _ in range(min(made.depth, len(lumas)))]
