"""Colours, patches, crops and slices through time."""

import base64
import io

import numpy as np
import pytest
from clips import draw_frame, draw_planes
from PIL import Image

from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.pictures import LINE, PATCH, Album, busiest_patch, to_rgb
from upreel.video.frame import Colour, PixelFormat


def opened(uri: str) -> Image.Image:
    head, data = uri.split(",", 1)
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{(picture.format or '').lower()};base64"
    return picture


@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_colours_agree_with_swscale(matrix: int) -> None:
    planes = list(draw_planes(3))
    planes[1] = np.repeat(np.repeat(planes[1][::4, ::4], 4, 0), 4, 1)[:24, :32]  # smooth chroma
    planes[2] = np.full_like(planes[2], 150)
    planes[1][:] = 100
    clip = Clip(name="x", planes=(tuple(planes),), format=YUV420P, colour=Colour(matrix=matrix))
    frame = draw_frame(3)
    for plane, values in zip(frame.planes, planes, strict=True):
        memory = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        memory[: values.shape[0], : values.shape[1]] = values
    space = {1: 1, 6: 5, 9: 9}[matrix]  # swscale's SWS_CS_ITU709, _ITU601 and _BT2020
    expected = frame.reformat(format="rgb24", src_colorspace=space).to_ndarray()

    rgb = to_rgb(clip.planes[0], clip)

    assert np.abs(rgb.astype(int) - expected).max() <= 2


def test_the_busiest_patch_is_found() -> None:
    luma = np.full((300, 400), 90, np.uint8)
    luma[150:240:2, 250:340] = 200

    row, column = busiest_patch(luma)

    assert (row, column) == (112, 224)  # on a grid of 56


def test_small_pictures_are_their_own_patch() -> None:
    assert busiest_patch(np.zeros((20, 30), np.uint8)) == (0, 0)


def drawn(count: int = 5, *, width: int = 400, height: int = 240) -> Clip:
    planes = tuple(draw_planes(n, width=width, height=height) for n in range(count))
    return Clip(name="drawn", planes=planes, format=YUV420P)


def test_crops_and_slices_show_the_samples_they_name() -> None:
    truth = drawn()
    darker = [tuple(plane // 2 for plane in planes) for planes in truth.planes]
    album = Album(truth)
    album.add("darker", darker)

    shown = album.to_json()

    assert (shown["clip"], shown["frame"], shown["size"]) == ("drawn", 2, [400, 240])
    x, y, width, height = shown["patch"]
    assert (width, height) == (PATCH, PATCH)
    crop = np.asarray(opened(shown["crops"]["darker"]))
    np.testing.assert_array_equal(crop, to_rgb(darker[2], truth)[y : y + height, x : x + width])
    left, row, length, _ = shown["line"]
    assert length == LINE
    assert y <= row < y + height
    assert left <= x + width // 2 < left + length
    line = np.asarray(opened(shown["slices"]["ground truth"]))
    assert line.shape == (5, LINE)
    np.testing.assert_array_equal(line[4], truth.planes[4][0][row, left : left + length])
    assert list(shown["crops"]) == list(shown["slices"]) == ["ground truth", "darker"]
    assert max(opened(shown["overview"]).size) == 240


def test_pictures_smaller_than_a_patch_are_shown_whole() -> None:
    shown = Album(drawn(2, width=64, height=48)).to_json()

    assert shown["patch"] == [0, 0, 64, 48]
    assert shown["line"] == [0, 24, 64, 1]
    assert opened(shown["crops"]["ground truth"]).size == (64, 48)


def test_ten_bits_and_floats_are_shown_in_eight() -> None:
    fmt = YUV420P.__class__(name="yuv420p10le", model="yuv", bits=10, log2_chroma=(1, 1))
    planes = (np.full((32, 32), 1023, np.uint16), *(np.full((16, 16), 512, np.uint16),) * 2)
    album = Album(Clip(name="x", planes=(planes,), format=fmt))
    album.add("beyond", [tuple(plane.astype(np.float32) + 90 for plane in planes)])

    shown = album.to_json()

    assert np.asarray(opened(shown["slices"]["ground truth"])).tolist() == [[255] * 32]
    assert np.asarray(opened(shown["slices"]["beyond"])).tolist() == [[255] * 32]


def test_a_slice_of_rgb_is_its_luma() -> None:
    planes = tuple(np.full((32, 32), value, np.uint8) for value in (200, 100, 50))
    fmt = PixelFormat(name="gbrp", model="rgb", bits=8)

    shown = Album(Clip(name="x", planes=(planes,), format=fmt)).to_json()

    slices = np.asarray(opened(shown["slices"]["ground truth"]))
    assert set(slices.flat) == {round(0.2126 * 200 + 0.7152 * 100 + 0.0722 * 50)}
