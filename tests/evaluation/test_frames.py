"""PNG frames of other systems: their order, their colours, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes
from PIL import Image

from upreel.errors import InputError
from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.contestants import Expected
from upreel.evaluation.frames import FrameFolder, from_rgb, list_frames
from upreel.evaluation.pictures import to_rgb
from upreel.evaluation.sets import to_420
from upreel.video.frame import Colour, PixelFormat

CENTRE = Colour(chroma_location=2)


def low(count: int = 3) -> Clip:
    planes = tuple(draw_planes(n, width=16, height=12) for n in range(count))
    return Clip(name="walk", planes=planes, format=YUV420P, colour=CENTRE)


def expected(name: str, count: int = 1) -> Expected:
    return Expected(name=name, format=YUV420P, width=32, height=24, num_frames=count)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def write(*names: str, size: tuple[int, int] = (32, 24), mode: str = "RGB") -> Path:
        for n, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new(mode, size, (10 * n,) * len(mode) if len(mode) > 1 else 10 * n).save(path)
        return tmp_path

    return write


def lumas(contestant: FrameFolder, clip: Clip) -> list[int]:
    return [round(float((p[0][0, 0] - 16) * 255 / 219)) for p in contestant.enhance(clip, 2)]


@pytest.mark.parametrize(
    "names",
    [
        ("walk/00.png", "walk/01.png", "walk/02.png"),
        ("walk/walk4_001.png", "walk/walk4_002.png", "walk/walk4_003.PNG"),
        ("8.png", "9.png", "10.png"),
    ],
)
def test_frames_come_in_the_order_of_their_numbers(
    make: Callable[..., Path], names: tuple[str, ...]
) -> None:
    if names[0] == "8.png":
        names = tuple(f"{n}.png" for n in range(11))
        contestant, clip = FrameFolder("other", make(*names)), low(11)
    else:
        contestant, clip = FrameFolder("other", make(*names)), low(3)
    contestant.check([expected("walk", clip.num_frames)])

    assert lumas(contestant, clip) == [10 * n for n in range(clip.num_frames)]


def test_missing_frames_are_named(make: Callable[..., Path]) -> None:
    folder = make("a/1.png", "a/3.png", "a/4.png")

    with pytest.raises(InputError, match=r"a lacks frame 2; the clip has 4, numbered from 1"):
        list_frames(folder / "a", 4)
    with pytest.raises(InputError, match=r"lacks frame 2, 5, 6, 7, 8 and 2 more"):
        list_frames(folder / "a", 10)


def test_more_frames_than_the_clip_has_are_a_mistake_unless_it_was_cut(
    make: Callable[..., Path],
) -> None:
    folder = make("a/0.png", "a/1.png", "a/2.png")

    with pytest.raises(InputError, match="has 3 frames, the clip has 2"):
        list_frames(folder / "a", 2)
    assert [p.name for p in list_frames(folder / "a", 2, exact=False)] == ["0.png", "1.png"]


def test_names_that_say_no_frame_are_refused(make: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"x\.png: the name has no number"):
        list_frames(make("a/x.png") / "a", 1)
    with pytest.raises(InputError, match=r"c/b2\.png and b02\.png are both frame 2$"):
        list_frames(make("c/b2.png", "c/b02.png") / "c", 1)
    (folder := make("d/0.png") / "e").mkdir()
    with pytest.raises(InputError, match=r"no \.png file in"):
        list_frames(folder, 1)


def test_a_flat_folder_is_for_one_clip_alone(make: Callable[..., Path]) -> None:
    contestant = FrameFolder("other", make("0.png"))

    with pytest.raises(InputError, match=r"has no folder city; expected one .*: city, walk"):
        contestant.check([expected("city"), expected("walk")])
    contestant.check([expected("walk")])
    assert lumas(contestant, low(1)) == [0]


def test_a_flat_folder_may_have_endings_in_capitals(make: Callable[..., Path]) -> None:
    contestant = FrameFolder("other", make("0.PNG", "1.Png"))

    contestant.check([expected("walk", 2)])

    assert lumas(contestant, low(2)) == [0, 10]


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder; --frames takes NAME=DIR"):
        FrameFolder("other", tmp_path / "none")


@pytest.mark.parametrize(
    ("size", "mode", "message"),
    [
        ((32, 25), "RGB", "is 32x25; the ground truth is 32x24"),
        ((32, 24), "RGBA", "is 8-bit RGB with alpha; 8-bit RGB is allowed"),
        ((32, 24), "L", "is 8-bit grey; 8-bit RGB is allowed"),
    ],
)
def test_other_pictures_are_refused(
    make: Callable[..., Path], size: tuple[int, int], mode: str, message: str
) -> None:
    contestant = FrameFolder("other", make("0.png", size=size, mode=mode))

    with pytest.raises(InputError, match=message):
        contestant.check([expected("walk")])
    with pytest.raises(InputError, match=message):
        list(contestant.enhance(low(1), 2))


def test_a_png_that_is_none_is_refused(make: Callable[..., Path]) -> None:
    folder = make("0.png")
    (folder / "0.png").write_bytes(b"no picture")
    contestant = FrameFolder("other", folder)

    with pytest.raises(InputError, match=r"0\.png cannot be read as PNG: "):
        contestant.check([expected("walk")])
    Image.new("RGB", (32, 24), 7).save(folder / "0.png")
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:60])
    contestant.check([expected("walk")])  # its header is whole, its samples are not
    with pytest.raises(InputError, match=r"0\.png cannot be read as PNG: "):
        list(contestant.enhance(low(1), 2))


def test_colours_are_those_of_the_published_input() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (12, 16, 3)).astype(np.uint8)

    planes = from_rgb(rgb, YUV420P, CENTRE)

    for plane, expected in zip(planes, to_420(*np.moveaxis(rgb, -1, 0)), strict=True):
        assert plane.shape == expected.shape
        assert np.abs(plane - expected).max() <= 0.501  # that one is rounded, this one is not


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_there_and_back_is_the_same_colour(matrix: int, full_range: bool, bits: int) -> None:
    fmt = PixelFormat(name="x", model="yuv", bits=bits, log2_chroma=(0, 0))
    colour = Colour(matrix=matrix, full_range=full_range)
    rgb = np.random.default_rng(1).integers(0, 256, (12, 16, 3)).astype(np.uint8)

    planes = from_rgb(rgb, fmt, colour)

    clip = Clip(name="x", planes=(tuple(planes),), format=fmt, colour=colour)
    assert np.abs(to_rgb(planes, clip).astype(int) - rgb).max() <= 1


def test_rgb_and_grey_formats() -> None:
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[..., 1] = 51

    red, green, _ = from_rgb(rgb, PixelFormat(name="gbrp10le", model="rgb", bits=10), Colour())
    (grey,) = from_rgb(rgb, PixelFormat(name="gray", model="gray", bits=8), Colour(full_range=True))

    assert red.max() == 0
    np.testing.assert_allclose(green, 51 * 1023 / 255, rtol=1e-6)
    np.testing.assert_allclose(grey, 51 * 0.587, rtol=1e-5)


def test_chroma_sited_left_lies_on_even_columns() -> None:
    rgb = np.zeros((2, 8, 3), np.uint8)
    rgb[:, 3, 0] = 255  # between the chroma samples of columns 2 and 4

    _, _, left = from_rgb(rgb, YUV420P, Colour(chroma_location=1))
    _, _, centre = from_rgb(rgb, YUV420P, CENTRE)

    np.testing.assert_allclose(left[0] - 128, [0, 28, 28, 0], atol=1e-4)
    np.testing.assert_allclose(centre[0] - 128, [0, 56, 0, 0], atol=1e-4)
