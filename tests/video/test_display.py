"""Pictures as screens take them."""

from collections.abc import Callable

import av
import numpy as np
import pytest
from clips import draw_frame, draw_planes

from upreel.video.display import DISPLAY, DisplayConverter, SitedScaler, is_hdr
from upreel.video.formats import av_from_planes, pixel_format
from upreel.video.frame import Plane

Flat = Callable[..., av.VideoFrame]


def flat(name: str, *levels: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    fmt = pixel_format(name)
    sizes = [(p.shape) for p in draw_planes(0, name, width=width, height=height)]
    planes = [np.full(s, v, fmt.dtype) for s, v in zip(sizes, levels, strict=True)]
    return av_from_planes(planes, fmt)


def middle(planes: tuple[Plane, ...]) -> list[int]:
    return [int(p[p.shape[0] // 2, p.shape[1] // 2]) for p in planes]


def test_what_needs_no_change_is_passed_on_bit_for_bit() -> None:
    planes = DisplayConverter()(draw_frame(7, "yuv420p"))

    for made, drawn in zip(planes, draw_planes(7), strict=True):
        np.testing.assert_array_equal(made, drawn)


def test_full_range_goes_through_a_table() -> None:
    for levels, expected in (
        ((255, 128, 255), [235, 128, 240]),
        ((0, 0, 128), [16, 16, 128]),
        ((100, 50, 200), [102, 59, 191]),  # 16 + 219/255 x, 128 + 224/255 (x - 128)
    ):
        frame = flat("yuv420p", *levels)
        frame.color_range = 2
        assert middle(DisplayConverter()(frame)) == expected


def test_full_range_of_more_bits_and_other_chroma_is_the_same() -> None:
    frame = flat("yuv444p10le", 1023, 512, 1023)
    frame.color_range = 2
    assert middle(DisplayConverter()(frame)) == [235, 128, 240]


@pytest.mark.parametrize(
    "name", ["yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "gray", "nv12", "rgb24"]
)
def test_every_format_becomes_that_of_the_screen(name: str) -> None:
    drawn = draw_frame(3, name)
    planes = DisplayConverter()(drawn)

    expected = drawn.reformat(format="yuv420p").to_ndarray()[:48]
    assert [p.shape for p in planes] == [(48, 64), (24, 32), (24, 32)]
    assert all(p.dtype == np.uint8 for p in planes)
    assert np.abs(planes[0].astype(int) - expected).max() <= 3


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_brought_into_the_range_of_sdr(transfer: int) -> None:
    """Its white is white, its black black, greys stay grey and keep their order."""
    converter = DisplayConverter()
    lumas: list[int] = []
    for level in range(64, 941, 73):
        frame = flat("yuv420p10le", level, 512, 512)
        frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
        frame.color_range = 1
        y, cb, cr = middle(converter(frame))
        lumas.append(y)
        assert abs(cb - 128) <= 2
        assert abs(cr - 128) <= 2
    assert converter.bt709
    assert lumas == sorted(lumas)
    assert lumas[0] == 16
    assert lumas[-1] in (234, 235, 236)
    assert lumas[len(lumas) // 2] - 16 != 219 // 2  # not just the same code values
    assert is_hdr(transfer)


@pytest.mark.parametrize(
    ("matrix", "height", "bt709"),
    [(1, 48, True), (6, 720, False), (2, 48, False), (2, 720, True), (5, 720, False)],
)
def test_the_matrix_is_that_of_the_tags_or_of_the_size(
    matrix: int, height: int, bt709: bool
) -> None:
    frame = flat("yuv420p", 100, 128, 128, height=height)
    frame.colorspace = matrix
    converter = DisplayConverter()
    converter(frame)
    assert converter.bt709 is bt709


def chroma_edge(plane: Plane) -> float:
    """The column where a vertical edge from 60 to 200 crosses the middle, between samples."""
    row = plane[plane.shape[0] // 2].astype(float)
    right = int(np.argmax(row > 130))
    return right - 1 + (130 - row[right - 1]) / (row[right] - row[right - 1])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_scaling_leaves_chroma_where_it_belongs(factor: int) -> None:
    """Chroma sited left: sample n lies over luma sample 2 n, in and out."""
    luma = np.full((64, 64), 100, np.uint8)
    chroma = np.full((32, 32), 60, np.uint8)
    chroma[:, 16:] = 200

    _, cb, _ = SitedScaler(64, 64, (64 * factor, 64 * factor))((luma, chroma, chroma))

    edge_in = 2 * chroma_edge(chroma) + 0.5  # in luma samples from the picture's left edge
    edge_out = (2 * chroma_edge(cb) + 0.5) / factor
    assert edge_out == pytest.approx(edge_in, abs=0.1)


def test_the_same_size_is_the_same_picture() -> None:
    planes = draw_planes(1)
    assert SitedScaler(64, 48, (64, 48))(planes) == planes


def test_chroma_in_the_middle_is_moved_to_the_left() -> None:
    """A picture with chroma sited otherwise is not passed on as it is."""
    planes = DisplayConverter(left=False)(draw_frame(2, DISPLAY.name))
    assert np.abs(planes[0].astype(int) - draw_planes(2)[0]).max() <= 1
