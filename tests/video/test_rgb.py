"""Y'CbCr to R'G'B' and back: against the arithmetic of H.273, by the tags.

Mutations tried: full range for limited both ways, the matrix left away in either direction, BGR for
RGB: each fails one of these tests or more.
"""

import numpy as np
import pytest

from upreel.errors import InputError
from upreel.video.frame import Colour, PixelFormat, Plane, luma_weights
from upreel.video.rgb import RgbConverter, swscale_matrix

YUV444P = PixelFormat(name="yuv444p", model="yuv", bits=8)


def colours(full: bool) -> tuple[Plane, ...]:
    """Blocks of one colour each, of which R'G'B' has no need to be cut off."""
    low, high = (0, 255) if full else (16, 235)
    luma = np.linspace(low + 60, high - 60, 8).round().astype(np.uint8)
    planes = (luma, np.tile([128, 108, 148, 128], 2), np.repeat([128, 118, 138, 128], 2))
    return tuple(np.tile(p.astype(np.uint8).repeat(8), (16, 1)) for p in planes)


def slow_rgb(planes: tuple[Plane, ...], matrix: int, full: bool) -> np.ndarray:
    kr, kb = luma_weights(matrix)
    y, cb, cr = (plane.astype(np.float64) for plane in planes)
    y, chroma = (y / 255, 255) if full else ((y - 16) / 219, 224)
    red = y + 2 * (1 - kr) * (cr - 128) / chroma
    blue = y + 2 * (1 - kb) * (cb - 128) / chroma
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return 255 * np.stack((red, green, blue), axis=-1)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_both_ways_are_by_matrix_and_range(matrix: int, full: bool) -> None:
    planes = colours(full)
    convert = RgbConverter(YUV444P, Colour(matrix=matrix, full_range=full), 16)

    rgb = convert.to_rgb(planes)
    back = convert.to_planes(rgb)

    assert rgb.shape == (16, 64, 3)
    assert np.abs(rgb - slow_rgb(planes, matrix, full)).max() < 1.5
    for plane, again in zip(planes, back, strict=True):
        assert np.abs(plane.astype(int) - again).max() <= 2


def test_a_larger_picture_comes_back_at_its_size() -> None:
    fmt = PixelFormat(name="yuv420p", model="yuv", bits=8, log2_chroma=(1, 1))
    convert = RgbConverter(fmt, Colour(matrix=1), 16)

    planes = convert.to_planes(np.full((32, 48, 3), 255, np.uint8))

    assert [plane.shape for plane in planes] == [(32, 48), (16, 24), (16, 24)]
    assert [int(plane[0, 0]) for plane in planes] == [235, 128, 128]


def test_an_untold_matrix_is_that_of_the_size() -> None:
    assert swscale_matrix(2, 576) == swscale_matrix(6, 1080)
    assert swscale_matrix(2, 720) == swscale_matrix(1, 100) != swscale_matrix(6, 100)


@pytest.mark.parametrize(
    ("fmt", "matrix"),
    [
        (YUV444P, 8),
        (PixelFormat(name="yuv444p10le", model="yuv", bits=10), 1),
        (PixelFormat(name="gbrp", model="rgb", bits=8), 1),
    ],
)
def test_what_it_does_not_know_is_refused(fmt: PixelFormat, matrix: int) -> None:
    with pytest.raises(InputError, match=rf"{fmt.name} of matrix {matrix} .* must be 8-bit Y'CbCr"):
        RgbConverter(fmt, Colour(matrix=matrix), 16)
