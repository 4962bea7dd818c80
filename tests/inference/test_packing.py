"""Packing and unpacking against slow references: odd sizes, both depths, planes inside others."""

import numpy as np
import pytest

from upreel.inference.packing import pack_frame, pad_margins, unpack_answer

DTYPES = [np.uint8, np.uint16]


def random_plane(shape: tuple[int, int], dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def contiguous(plane: np.ndarray) -> np.ndarray:
    return plane


def part_of_a_wider_one(plane: np.ndarray) -> np.ndarray:
    wide = np.zeros((plane.shape[0] + 3, plane.shape[1] + 5), plane.dtype)
    wide[1:-2, 2:-3] = plane
    return wide[1:-2, 2:-3]


def every_other_sample(plane: np.ndarray) -> np.ndarray:
    wide = np.zeros((2 * plane.shape[0], 2 * plane.shape[1]), plane.dtype)
    wide[::2, ::2] = plane
    return wide[::2, ::2]


def upside_down(plane: np.ndarray) -> np.ndarray:
    return plane[::-1].copy()[::-1]


def column_by_column(plane: np.ndarray) -> np.ndarray:
    return np.asfortranarray(plane)


STORAGES = [contiguous, part_of_a_wider_one, every_other_sample, upside_down, column_by_column]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 7), (6, 8), (7, 6)])
@pytest.mark.parametrize("margin", [0, 3])
def test_packing_matches_the_slow_reference(
    dtype: type, storage: object, size: tuple[int, int], margin: int
) -> None:
    assert callable(storage)
    height, width = -(-size[0] // 2), -(-size[1] // 2)
    batch = np.zeros((height + 2 * margin, width + 2 * margin, 12), dtype)
    frames = [
        [random_plane(size, dtype, 3 * f), *(
            random_plane((height, width), dtype, 3 * f + k) for k in (1, 2)
        )]
        for f in range(2)
    ]  # fmt: skip
    for f, (luma, cb, cr) in enumerate(frames):
        pack_frame(batch, storage(luma), (storage(cb), storage(cr)), f, margin)
    pad_margins(batch, margin)

    for f, (luma, cb, cr) in enumerate(frames):
        bottom, right = 2 * height - size[0], 2 * width - size[1]
        m = 2 * margin
        big = np.pad(luma, ((m, m + bottom), (m, m + right)), mode="edge")
        colours = [np.pad(plane, margin, mode="edge") for plane in (cb, cr)]
        for y in range(height + 2 * margin):
            for x in range(width + 2 * margin):
                block = big[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel().tolist()
                expected = [*block, colours[0][y, x], colours[1][y, x]]
                assert batch[y, x, 6 * f : 6 * f + 6].tolist() == expected


def test_chroma_smaller_than_the_grid_repeats_its_last_sample() -> None:
    batch = np.zeros((3, 4, 6), np.uint8)
    cb, cr = random_plane((2, 3), np.uint8, 1), random_plane((2, 3), np.uint8, 2)

    pack_frame(batch, random_plane((6, 8), np.uint8), (cb, cr), 0, 0)

    np.testing.assert_array_equal(batch[..., 4], np.pad(cb, ((0, 1), (0, 1)), mode="edge"))
    np.testing.assert_array_equal(batch[..., 5], np.pad(cr, ((0, 1), (0, 1)), mode="edge"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("cut", [(0, 0), (1, 0), (1, 1)])
def test_unpacking_matches_the_slow_reference(
    dtype: type, storage: object, scale: int, cut: tuple[int, int]
) -> None:
    assert callable(storage)
    height, width, s2 = 3, 4, scale * scale
    answer = random_plane((height + 2, (width + 2) * 6 * s2), dtype).reshape(-1, width + 2, 6 * s2)
    answer = answer[1:-1, 1:-1]  # its margins cut, as the upscaler does
    luma = storage(np.zeros((2 * scale * height - cut[0], 2 * scale * width - cut[1]), dtype))
    chroma_size = (scale * height - cut[0], scale * width - cut[1])
    cb, cr = (storage(np.zeros(chroma_size, dtype)) for _ in range(2))

    unpack_answer(answer, scale, luma, (cb, cr))

    for plane, first, block in ((luma, 0, 2 * scale), (cb, 4 * s2, scale), (cr, 5 * s2, scale)):
        for y in range(plane.shape[0]):
            for x in range(plane.shape[1]):
                channel = first + block * (y % block) + x % block
                assert plane[y, x] == answer[y // block, x // block, channel]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(1, 1), (5, 8), (6, 7)])
def test_packed_planes_come_back_exactly(dtype: type, size: tuple[int, int]) -> None:
    half = -(-size[0] // 2), -(-size[1] // 2)
    luma, cb, cr = (random_plane(s, dtype, k) for k, s in enumerate((size, half, half)))
    batch = np.zeros((*half, 6), dtype)
    pack_frame(batch, luma, (cb, cr), 0, 0)
    planes = [np.zeros_like(plane) for plane in (luma, cb, cr)]

    unpack_answer(batch, 1, planes[0], (planes[1], planes[2]))  # at scale 1 both are one layout

    for plane, original in zip(planes, (luma, cb, cr), strict=True):
        np.testing.assert_array_equal(plane, original)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (6, 8)])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("margin", "extra"), [(0, (0, 0)), (3, (0, 0)), (2, (3, 1))])
def test_packing_luma_is_padding(
    dtype: type,
    storage: object,
    size: tuple[int, int],
    frames: int,
    margin: int,
    extra: tuple[int, int],
) -> None:
    assert callable(storage)
    rows, columns = size[0] + extra[0], size[1] + extra[1]
    batch = np.zeros((rows + 2 * margin, columns + 2 * margin, frames), dtype)
    lumas = [random_plane(size, dtype, f) for f in range(frames)]
    for f, luma in enumerate(lumas):
        pack_frame(batch, storage(luma), None, f, margin)
    pad_margins(batch, margin, "luma")

    for f, luma in enumerate(lumas):
        borders = [(margin, margin + more) for more in extra]
        np.testing.assert_array_equal(batch[..., f], np.pad(luma, borders, mode="edge"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("cut", [(0, 0), (1, 0), (7, 5)])
def test_unpacking_luma_matches_the_slow_reference(
    dtype: type, storage: object, scale: int, cut: tuple[int, int]
) -> None:
    assert callable(storage)
    s2 = scale * scale
    answer = random_plane((10, 9 * s2), dtype).reshape(10, 9, s2)[1:-1, 1:-1]
    luma = storage(np.zeros((scale * 8 - cut[0], scale * 7 - cut[1]), dtype))

    unpack_answer(answer, scale, luma, None, "luma")

    for y in range(luma.shape[0]):
        for x in range(luma.shape[1]):
            channel = scale * (y % scale) + x % scale
            assert luma[y, x] == answer[y // scale, x // scale, channel]


def test_chroma_may_come_from_elsewhere() -> None:
    answer, luma = random_plane((2, 48), np.uint8).reshape(2, 2, 24), np.zeros((8, 8), np.uint8)

    unpack_answer(answer, 2, luma, None)

    np.testing.assert_array_equal(luma[:4, :4].ravel(), answer[0, 0, :16])
