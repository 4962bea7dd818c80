"""thumbnail() against a slow twin; is_cut() on what is a cut and what only looks like one."""

from itertools import pairwise

import numpy as np
import pytest
from clips import draw_planes
from frames import make_frame

from upreel.pipeline.cuts import is_cut, thumbnail


@pytest.mark.parametrize(("height", "width"), [(48, 64), (1, 1), (7, 200), (17, 16)])
@pytest.mark.parametrize("bits", [8, 10])
def test_thumbnail_is_the_mean_of_blocks(height: int, width: int, bits: int) -> None:
    rng = np.random.default_rng(1)
    name = "yuv420p" if bits == 8 else "yuv420p10le"
    plane = rng.integers(0, 1 << bits, (height, width)).astype(np.uint16 if bits > 8 else np.uint8)
    frame = make_frame(0, planes=(plane,), name=name.replace("yuv420p", "gray"))

    small = thumbnail(frame)

    rows, columns = min(height, 16), min(width, 16)
    assert small.shape == (rows, columns)
    for y in range(rows):
        for x in range(columns):
            block = plane[
                y * height // rows : (y + 1) * height // rows,
                x * width // columns : (x + 1) * width // columns,
            ]
            assert small[y, x] == pytest.approx(block.mean() / ((1 << bits) - 1), rel=1e-4)


def scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 230, (6, 8)).astype(np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def cut_between(before: np.ndarray, after: np.ndarray) -> bool:
    return is_cut(*(thumbnail(make_frame(0, planes=(p,), name="gray")) for p in (before, after)))


@pytest.mark.parametrize("seed", range(8))
def test_another_scene_is_a_cut(seed: int) -> None:
    assert cut_between(scene(seed), scene(seed + 100))


def test_noise_is_no_cut() -> None:
    noise = np.random.default_rng(0).integers(-20, 20, (48, 64))
    assert not cut_between(scene(1), (scene(1) + noise).astype(np.uint8))


def test_a_flash_is_no_cut() -> None:
    assert not cut_between(scene(1) // 2, scene(1))


@pytest.mark.parametrize("seed", range(8))
def test_a_fast_pan_is_no_cut(seed: int) -> None:
    # 1/32 of the width a frame: 60 columns of 1920.
    assert not cut_between(scene(seed), np.roll(scene(seed), 2, axis=1))


def landscape(seed: int) -> np.ndarray:
    """A bright sky over dark land: all of them look alike from afar."""
    light = np.linspace(210, 50, 48)[:, None]
    return np.clip(light + 0.6 * (scene(seed).astype(np.float64) - 125), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_another_landscape_is_a_cut(seed: int) -> None:
    assert cut_between(landscape(seed), landscape(seed + 100))


def test_a_person_who_walks_through_is_no_cut() -> None:
    before, after = scene(5), scene(5)
    before[8:, 10:18] = 20
    after[8:, 14:22] = 20
    assert not cut_between(before, after)


def test_a_fade_is_no_cut_at_any_step() -> None:
    steps = [(scene(2) * (n / 10)).astype(np.uint8) for n in range(1, 11)]
    assert not any(cut_between(a, b) for a, b in pairwise(steps))


def test_only_the_cuts_of_a_film_are_found() -> None:
    shots = [scene(1), landscape(2), scene(3)]
    film = [np.roll(shot, n, axis=1) for shot in shots for n in range(24)]
    found = [n + 1 for n, (a, b) in enumerate(pairwise(film)) if cut_between(a, b)]
    assert found == [24, 48]


def test_moving_drawing_is_no_cut() -> None:
    assert not cut_between(draw_planes(2)[0], draw_planes(3)[0])


def test_black_to_a_picture_is_a_cut_and_black_to_black_is_not() -> None:
    black = np.zeros((48, 64), np.uint8)
    assert cut_between(black, scene(3))
    assert not cut_between(black, black)
