"""EnsembleUpscaler: the mean over eight ways, turned back; scenes, formats, what it refuses.

Mutations tried: flips before transposing on the way back, seven ways, no rounding of the mean,
`reset` of the first network only, a tile that is not turned with the picture.
"""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch_steps
from small_cards import CONFIGS
from torch_cells import CARD, HEIGHT, WIDTH, TorchCells, enlarged, moving

from upreel.errors import OptionError
from upreel.inference import EnsembleUpscaler, PlaneUpscaler, upscaler_of
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Plane, plane_size
from upreel.zoo import ModelCard, load_card

LEFT = Colour(chroma_location=1)


@pytest.fixture(scope="module")
def luma_card(small_cards: Callable[[str], ModelCard]) -> ModelCard:
    return small_cards("fast-luma")


def ensemble(
    card: ModelCard, fmt: str, *, width: int = WIDTH, height: int = HEIGHT, tile: int | None = None
) -> EnsembleUpscaler:
    return EnsembleUpscaler(
        card,
        pixel_format=pixel_format(fmt),
        colour=LEFT,
        width=width,
        height=height,
        tile=tile,
        device="cpu",
        precision="f32",
        threads=1,
    )


def single(card: ModelCard, fmt: str, *, width: int = WIDTH, height: int = HEIGHT) -> PlaneUpscaler:
    return PlaneUpscaler(
        card,
        pixel_format=pixel_format(fmt),
        colour=LEFT,
        width=width,
        height=height,
        device="cpu",
        precision="f32",
        threads=1,
    )


def noise(fmt: str) -> tuple[Plane, ...]:
    form = pixel_format(fmt)
    random = np.random.default_rng(3)
    return tuple(
        random.integers(
            0, form.max_value + 1, plane_size(form, n, width=WIDTH, height=HEIGHT)
        ).astype(form.dtype)
        for n in range(form.num_planes)
    )


def answer(made: EnsembleUpscaler | PlaneUpscaler, planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    made.submit([planes])
    return made.collect()


@pytest.mark.parametrize(("fmt", "grey"), [("yuv422p10le", "gray10le"), ("gray", "gray")])
def test_luma_is_the_mean_of_eight_answers(luma_card: ModelCard, fmt: str, grey: str) -> None:
    planes = noise(fmt)
    total = np.zeros((2 * HEIGHT, 2 * WIDTH))
    # Quarter turns of the picture and of its mirror image are all eight ways, said otherwise.
    for mirrored in (False, True):
        for turns in range(4):
            seen = np.rot90(planes[0][:, ::-1] if mirrored else planes[0], turns)
            rows, columns = seen.shape
            network = single(luma_card, grey, width=columns, height=rows)
            (large,) = answer(network, (np.ascontiguousarray(seen),))
            back = np.rot90(large, -turns)
            total += back[:, ::-1] if mirrored else back
    found = answer(ensemble(luma_card, fmt), planes)
    np.testing.assert_array_equal(found[0], np.floor(total / 8 + 0.5))
    assert not np.array_equal(found[0], answer(single(luma_card, fmt), planes)[0])


@pytest.mark.parametrize("fmt", ["yuv420p", "yuva444p10le", "gbrp"])
def test_the_format_comes_back(luma_card: ModelCard, fmt: str) -> None:
    planes = noise(fmt)
    found = answer(ensemble(luma_card, fmt), planes)
    plain = answer(single(luma_card, fmt), planes)
    assert [(p.shape, p.dtype) for p in found] == [(p.shape, p.dtype) for p in plain]
    if fmt != "gbrp":  # chroma and alpha are no network's work
        for own, other in zip(found[1:], plain[1:], strict=True):
            np.testing.assert_array_equal(own, other)


def test_a_mirrored_picture_has_a_mirrored_answer(luma_card: ModelCard) -> None:
    (plane,) = noise("gray")
    (found,) = answer(ensemble(luma_card, "gray"), (plane,))
    (mirrored,) = answer(ensemble(luma_card, "gray"), (np.ascontiguousarray(plane[:, ::-1]),))
    np.testing.assert_array_equal(mirrored[:, ::-1], found)


def test_tiles_are_turned_with_the_picture(luma_card: ModelCard) -> None:
    whole, tiled = ensemble(luma_card, "gray"), ensemble(luma_card, "gray", tile=32)
    assert tiled.tile == (32, 32)
    given = EnsembleUpscaler(
        luma_card, pixel_format=pixel_format("gray"), colour=LEFT, width=WIDTH, height=HEIGHT,
        tile=(32, WIDTH), device="cpu", precision="f32", threads=1,
    )  # fmt: skip
    assert given.tile == (32, WIDTH)
    planes = noise("gray")
    for made in (tiled, given):
        np.testing.assert_array_equal(answer(made, planes)[0], answer(whole, planes)[0])


@pytest.mark.parametrize("card", [CARD, torch_steps.CARD], ids=lambda card: card.name)
def test_a_recurrent_network_goes_through_scenes_in_eight_ways(card: ModelCard) -> None:
    opener = (torch_steps.TorchSteps if card.network.step_channels else TorchCells)().open
    kind = upscaler_of(card)
    scenes = [moving(5, seed=1), moving(3, seed=2)]
    made = EnsembleUpscaler(
        card, pixel_format=pixel_format("gray"), colour=LEFT, width=WIDTH, height=HEIGHT,
        opener=opener,
    )  # fmt: skip
    found = [planes[0] for planes in enlarged(made, scenes)]
    total = np.zeros((8, card.scale * HEIGHT, card.scale * WIDTH))
    for mirrored in (False, True):
        for turns in range(4):

            def turned(plane: Plane, *, m: bool = mirrored, n: int = turns) -> Plane:
                return np.ascontiguousarray(np.rot90(plane[:, ::-1] if m else plane, n))

            upright = turns % 2 == 0
            network = kind(
                card,
                pixel_format=pixel_format("gray"),
                colour=LEFT,
                width=WIDTH if upright else HEIGHT,
                height=HEIGHT if upright else WIDTH,
                opener=opener,
            )
            clips = [[(turned(planes[0]),) for planes in scene] for scene in scenes]
            backs = [np.rot90(planes[0], -turns) for planes in enlarged(network, clips)]
            total += np.stack([back[:, ::-1] if mirrored else back for back in backs])
    np.testing.assert_array_equal(found, np.floor(total / 8 + 0.5))


def test_what_was_dropped_leaves_nothing(luma_card: ModelCard) -> None:
    made = ensemble(luma_card, "gray")
    planes = noise("gray")
    expected = answer(made, planes)[0]
    made.submit([(planes[0] // 2,)])
    made.drop()
    np.testing.assert_array_equal(answer(made, planes)[0], expected)


def test_packed_planes_are_refused() -> None:
    refused = r"turned over: it sees chroma, .*; of x2 these can: tan-x2, best-x2$"
    with pytest.raises(OptionError, match=refused):
        ensemble(load_card("fast-x2"), "yuv420p")


def test_answers_that_lie_elsewhere_are_refused(luma_card: ModelCard) -> None:
    network = replace(luma_card.network, phase="first")  # pyright: ignore[reportCallIssue]

    with pytest.raises(OptionError, match="begin on the frame's first sample"):
        ensemble(replace(luma_card, network=network), "yuv420p")


@pytest.mark.parametrize(("name", "count"), [("fast-luma", 2), ("tan-flow", 8)])
def test_ways_of_one_size_share_a_network_unless_it_keeps_answers(name: str, count: int) -> None:
    opened: list[tuple[int, int]] = []

    def opener(_card: ModelCard, height: int, width: int, **_options: object) -> SimpleNamespace:
        opened.append((height, width))
        return SimpleNamespace(depth=1)

    EnsembleUpscaler(
        replace(CARD, network=CONFIGS[name]), pixel_format=pixel_format("gray"), colour=LEFT,
        width=WIDTH, height=HEIGHT, opener=opener,
    )  # fmt: skip

    assert len(opened) == count
    assert opened[-1] == opened[0][::-1]
