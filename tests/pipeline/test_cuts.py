"""thumbnail() against a slow twin; is_cut() on what is a cut and what only looks like one."""

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


def test_a_pan_is_no_cut() -> None:
    assert not cut_between(scene(1), np.roll(scene(1), 3, axis=1))


def test_moving_drawing_is_no_cut() -> None:
    assert not cut_between(draw_planes(2)[0], draw_planes(3)[0])


def test_black_to_a_picture_is_a_cut_and_black_to_black_is_not() -> None:
    black = np.zeros((48, 64), np.uint8)
    assert cut_between(black, scene(3))
    assert not cut_between(black, black)
