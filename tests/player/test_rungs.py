"""What is chosen from, and that each rung answers at the size asked for."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import draw_planes, shown_number, write_clip
from stand_in import Repeater, StandIn
from stand_in import card as card_like

from upreel.inference import upscaler_of
from upreel.pipeline import UpscaleJob
from upreel.pipeline.calibrate import chosen
from upreel.player.rungs import (
    LanczosRung,
    NetworkRung,
    Planes,
    cards_for,
    fitted_size,
    open_network,
    remembered_speed,
)
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Plane
from upreel.video.probe import probe
from upreel.zoo import ModelCard, ladder, load_card

X4, X3, X2 = ("live-x4", *ladder("fast", 4)), ladder("fast", 3), ladder("fast", 2)


def test_rungs_of_a_scale_get_cheaper() -> None:
    for names in (X4[1:], X3, X2):
        costs = [load_card(name).macs_per_pixel for name in names]
        assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize(
    ("model", "size", "names"),
    [
        (None, (1920, 1080), [*X4, *X3, *X2]),
        (None, (1440, 810), [*X3, *X2]),
        (None, (960, 540), [*X2]),
        ("fast", (500, 281), [*X2]),
        (None, (4096, 2304), [*X4, *X3, *X2]),
        (None, (480, 270), []),
        ("lanczos", (1920, 1080), []),
        ("fast-x2-clean", (1920, 1080), ["fast-x2-clean"]),
    ],
)
def test_networks_that_are_not_larger_than_needed(
    model: str | None, size: tuple[int, int], names: list[str]
) -> None:
    assert [card.name for card in cards_for(model, (480, 270), size)] == names


@pytest.mark.parametrize("name", ["fast-luma", "fast-two"])
@pytest.mark.parametrize("size", [(128, 96), (160, 120), (90, 68)])
def test_a_network_answers_at_the_size_asked_for(
    small_cards: Callable[[str], ModelCard], name: str, size: tuple[int, int]
) -> None:
    rung = NetworkRung(small_cards(name), 64, 48, size, opened=open_network())
    window = (draw_planes(4), draw_planes(5))

    rung.submit(window)
    planes = rung.collect()

    width, height = size
    half = (height // 2, width // 2)
    assert [p.shape for p in planes] == [(height, width), half, half]
    assert all(p.dtype == np.uint8 for p in planes)
    plain = LanczosRung(64, 48, size)
    plain.submit(window)
    likely = plain.collect()
    assert shown_number(likely[0]) == 5
    for made, resized in zip(planes[1:], likely[1:], strict=True):  # luma's weights are random
        assert np.abs(made.astype(int) - resized).mean() < 3
    assert "openvino" in rung.describe()
    rung.drop()


def test_another_size_without_opening_the_network_again() -> None:
    rung = LanczosRung(64, 48, (128, 96))
    rung.fit((32, 24))
    rung.submit((draw_planes(1),))
    assert rung.collect()[0].shape == (24, 32)


def test_what_is_carried_begins_anew_where_a_scene_does() -> None:
    """Over a picture that was skipped it goes on; at a cut and behind a seek it does not.

    Nor where the picture that the scene began with is the one that was skipped.
    """
    card = load_card("live-x4-clean")
    a, b, c, d, e = (draw_planes(k) for k in range(5))
    f, g, h = ((255 - planes[0][::-1], *planes[1:]) for planes in map(draw_planes, (2, 6, 7)))
    luma = upscaler_of(card)(
        card, pixel_format=pixel_format("gray"), colour=Colour(), width=64, height=48
    )

    def answers(*scenes: tuple[Planes, ...]) -> list[Plane]:
        found: list[Plane] = []
        for scene in scenes:
            luma.reset()  # type: ignore[union-attr]
            for planes in scene:
                luma.submit([planes[:1]])
                found.append(luma.collect()[0])
        return found

    rung = NetworkRung(card, 64, 48, (256, 192), opened=open_network())
    found: list[Plane] = []
    for window in ((a, a), (a, b), (c, d), (e, e), (e, a), (f, g), (g, h)):
        rung.submit(window)
        found.append(rung.collect()[0])

    assert rung.past == 1
    for plane, other in zip(found, answers((a, b, d), (e, a), (g, h)), strict=True):
        np.testing.assert_array_equal(plane, other)
    (alone,) = answers((b,))
    assert (alone != found[1]).any()


def test_pictures_keep_their_shape() -> None:
    assert fitted_size(640, 360, 1.0, (1920, 1200)) == (1920, 1080)
    assert fitted_size(640, 480, 1.0, (1920, 1080)) == (1440, 1080)
    assert fitted_size(720, 576, 64 / 45, (1920, 1080)) == (1920, 1080)
    assert fitted_size(100, 1, 1.0, (64, 64)) == (64, 2)


def test_what_upscale_measured_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For pictures of that size and with those options; the fast family's own cards."""

    class Zoo(StandIn):
        def load_card(self, name: str) -> ModelCard:  # type: ignore[override]
            return load_card(name)

        def open(self, card: ModelCard, **options: Any) -> Repeater:  # noqa: ANN401
            stand_in = card_like(card.scale, seen=card.window)
            return super().open(stand_in, **options)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    info = probe(write_clip(tmp_path / "a.mp4"))
    job = UpscaleJob(source="a.mp4", model="fast", threads=1)
    steps = count()

    assert remembered_speed(threads=1)(load_card("fast-x2"), info.width, info.height) is None
    chosen(job, info, 2, Zoo(seen=(1, 0)), clock=lambda: 0.02 * next(steps))

    known = remembered_speed(threads=1)
    assert known(load_card("fast-x2"), info.width, info.height) == pytest.approx(20)
    assert known(load_card("fast-x2"), info.height, info.width) is None
    assert known(load_card("fast-x3"), info.width, info.height) is None
    assert remembered_speed()(load_card("fast-x2"), info.width, info.height) is None
