"""What `upreel inspect` shows: the weights of the answer that the product gives.

Mutations tried: neighbours in time's order, margins not cut, the second largest weight, a winner's
colour of another branch.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253
from clips import write_clip
from PIL import Image
from small_cards import BRANCH

from upreel.errors import OptionError, UnknownModelError
from upreel.evaluation.inspection import (
    COLOURS,
    Inspection,
    choose_card,
    inspect_frames,
    sheet,
)
from upreel.inference import PlaneUpscaler
from upreel.inference.export import export_card
from upreel.networks.build import build_network
from upreel.pipeline.enhance import windows
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo import ModelCard, TemporalAdaptiveConfig


@pytest.fixture(scope="module")
def card(small_cards: Callable[[str], ModelCard]) -> ModelCard:
    return small_cards("tan-flow")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write_clip(path, count=7, width=52, height=38)
    return path


def inspected(card: ModelCard, clip: Path, *indices: int) -> list[Inspection]:
    info = probe(str(clip))
    return list(inspect_frames(card, info, scan(info), indices))


@pytest.mark.parametrize("index", [0, 3, 6])
def test_it_shows_the_answer_that_the_product_gives(
    card: ModelCard, clip: Path, index: int
) -> None:
    info = probe(str(clip))
    made = PlaneUpscaler(
        card, pixel_format=info.format, colour=info.colour, width=52, height=38, device="cpu",
        precision="f32", threads=1,
    )  # fmt: skip
    past, future = card.window
    shown = [w for w in windows(read_frames(info), past, future) if w.frame.index == index]

    found = inspected(card, clip, index)[0]

    assert found.index == index
    luma = made(shown[0].planes)[0].astype(float)
    error = np.abs(found.answer * 255 - luma)
    assert found.answer.shape == luma.shape == (76, 104)
    assert error.max() < 1.01
    assert luma.std() > 5


def test_weights_are_positive_and_sum_to_one(card: ModelCard, clip: Path) -> None:
    found = inspected(card, clip, 2, 4)

    for one in found:
        assert one.weights.shape == (3, 76, 104)
        assert one.weights.min() > 0
        np.testing.assert_allclose(one.weights.sum(axis=0), 1, atol=1e-5)
        facts = one.facts()
        assert sum(branch["won"] for branch in facts) == pytest.approx(1)
        assert sum(branch["mean_weight"] for branch in facts) == pytest.approx(1, abs=1e-5)
        assert one.weights.std(axis=(1, 2)).min() > 1e-4
    assert not np.array_equal(found[0].weights, found[1].weights)


def test_a_sheet_has_the_winners_colours_and_every_branchs_weights() -> None:
    weights = np.zeros((3, 40, 60), np.float32)
    weights[0, :, :20] = 0.6
    weights[1, :, 20:40] = 0.7
    weights[2, :, 40:] = 0.8
    found = Inspection(index=12, answer=np.ones((40, 60), np.float32), weights=weights)

    picture = np.asarray(sheet(found))

    assert picture.shape == (2 * (40 + 28), 3 * 60, 3)
    answer, winners = picture[28:68, :60], picture[28:68, 60:120]
    assert (answer == 255).all()
    for k, colour in enumerate(COLOURS):
        assert (winners[5:-5, 20 * k + 5 : 20 * k + 15] == colour).all()
        panel = picture[96:136, 60 * k : 60 * k + 60]
        assert panel[20, 20 * k + 10].tolist() == [round(255 * (0.6 + 0.1 * k))] * 3
        assert panel[20, (20 * k + 30) % 60].max() == 0
    assert found.facts()[1] == pytest.approx({"won": 1 / 3, "mean_weight": 0.7 / 3})


def test_frames_and_models_that_cannot_be_inspected(card: ModelCard, clip: Path) -> None:
    with pytest.raises(OptionError, match="frame must be 0 to 6, got 7"):
        inspected(card, clip, 7)
    with pytest.raises(OptionError, match="fast-x2 weighs no branches; models that do: "):
        choose_card("fast-x2")
    with pytest.raises(UnknownModelError, match="no model 'bogus'"):
        choose_card("bogus")
    path = str(card.folder / "tan-flow.json")
    assert choose_card(path).network == card.network
    with pytest.raises(OptionError, match="tan-flow is for x2, not x4"):
        choose_card(path, 4)


def half_moving(folder: Path) -> Path:
    """Soft noise, nine times: the left half stands still, the right is always another.

    It is faint enough to be no scene cut.
    """
    random = np.random.default_rng(3)
    soft = [
        np.asarray(
            Image.fromarray(random.integers(96, 160, (48, 40), np.uint8)).resize(
                (80, 96), Image.Resampling.BICUBIC
            )
        )
        for _ in range(10)
    ]
    folder.mkdir()
    for n in range(9):
        picture = np.concatenate((soft[9], soft[n]), axis=1)
        Image.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(folder / f"{n:03d}.png")
    return folder


@pytest.fixture
def wary(tmp_path: Path) -> ModelCard:
    """Its modulation branch is set by hand: what differs between frames is left to one frame."""
    config = TemporalAdaptiveConfig(branch=BRANCH, modulation_channels=(2, 2))
    torch.manual_seed(4)
    weights = build_network(asdict(config)).state_dict()
    for name in ("head", "body", "tail"):
        weights[f"modulation.{name}.weight"].zero_()
        weights[f"modulation.{name}.bias"].zero_()
    for k, sign in enumerate((1, -1)):  # features: either sign of current less previous frame
        weights["modulation.head.weight"][k, 0, 2, 2] = 4 * sign
        weights["modulation.head.weight"][k, 1, 2, 2] = -4 * sign
        weights["modulation.body.weight"][k, k, 1, 1] = 4
    weights["modulation.tail.weight"][:4, :, 1, 1] = 4  # of the branch on one frame
    weights["modulation.tail.bias"][8:] = 1  # without motion the one on five frames wins
    return export_card(
        name="wary", summary="", config=config, weights=weights, training_data=(),
        degradation="none", steps=0, commit="", folder=tmp_path / "cards",
    )  # fmt: skip


def test_a_still_and_a_moving_half_are_told_apart(wary: ModelCard, tmp_path: Path) -> None:
    found = inspected(wary, half_moving(tmp_path / "half"), 4)[0]

    winners, middle = found.winners, found.weights.shape[2] // 2
    assert (winners[:, : middle - 24] == 2).all()
    assert (winners[:, middle + 24 :] == 0).mean() > 0.8
    picture = np.asarray(sheet(found), int)
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 3
    panel = picture[28:rows, columns : 2 * columns]  # the winners: blue is one frame's
    still, moving = panel[:, : columns // 2 - 24], panel[:, columns // 2 + 24 :]
    assert (still[..., 1] > still[..., 2]).mean() > 0.95  # five frames' green
    assert (moving[..., 2] > moving[..., 1]).mean() > 0.7
    one = picture[rows + 28 :, :columns, 0]
    assert one[:, columns // 2 + 24 :].mean() > one[:, : columns // 2 - 24].mean() + 100


def test_the_bundled_network_is_inspected_by_its_familys_name(tmp_path: Path) -> None:
    card = choose_card("tan")
    assert card.name == "tan-x4"
    assert choose_card("tan", 4) == card
    with pytest.raises(OptionError, match="no tan for x3; there are: tan-x2, tan-x4"):
        choose_card("tan", 3)

    found = inspected(card, half_moving(tmp_path / "half"), 4)[0]

    assert found.weights.shape == (3, 384, 640)
    np.testing.assert_allclose(found.weights.sum(axis=0), 1, atol=1e-5)
    middle = found.weights.shape[2] // 2
    still, moving = found.weights[..., 24 : middle - 24], found.weights[..., middle + 24 : -24]
    assert moving[0].mean() > still[0].mean() + 0.02  # what cannot be followed: one frame counts
    assert moving[2].mean() < still[2].mean() - 0.01  # more, and five count less
