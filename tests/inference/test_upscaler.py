"""PlaneUpscaler on real networks: formats, sizes, tiles, flat pictures, chroma edges, colours.

Mutations tried: `_LEFT` as (0.5, 0.5), alpha not enlarged, chroma resized to another siting.
"""

import re
from collections.abc import Callable

import numpy as np
import pytest

from upreel.degradation.resample import resample
from upreel.inference import PlaneUpscaler
from upreel.inference.selection import half_bits
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Plane, plane_origins, plane_size
from upreel.zoo import ModelCard, card_names, load_card

SITINGS = {"left": 1, "center": 2, "topleft": 3, "top": 4, "bottomleft": 5}
FORMATS = [
    ("yuv420p", "left"), ("yuv420p", "center"), ("yuv420p", "topleft"), ("yuv420p10le", "left"),
    ("yuv420p10le", "topleft"), ("yuv420p12le", "left"), ("yuva420p", "left"),
    ("yuv422p", "left"), ("yuv422p10le", "left"), ("yuv444p", "left"), ("yuv440p", "left"),
    ("yuva444p10le", "left"), ("gray", "left"), ("gray10le", "left"), ("gray16le", "left"),
    ("gbrp", "left"), ("gbrp10le", "left"), ("gbrp16le", "left"), ("gbrap", "left"),
]  # fmt: skip


@pytest.fixture(scope="session", params=["fast-x2-clean", "fast-luma"])
def card(request: pytest.FixtureRequest, small_cards: Callable[[str], ModelCard]) -> ModelCard:
    """Of either layout, at twice the size; that of luma is random and close to interpolation."""
    name = request.param
    return load_card(name) if name in card_names() else small_cards(name)


def upscaler(
    card: ModelCard, name: str = "yuv420p", siting: str = "left", *, width: int, height: int,
    precision: str = "f32", tile: int | None = None, size: tuple[int, int] | None = None,
) -> PlaneUpscaler:  # fmt: skip
    return PlaneUpscaler(
        card,
        pixel_format=pixel_format(name),
        colour=Colour(chroma_location=SITINGS[siting]),
        width=width,
        height=height,
        output_size=size,
        device="cpu",
        precision=precision,
        threads=1,
        tile=tile,
    )


def window(card: ModelCard, planes: tuple[Plane, ...]) -> list[tuple[Plane, ...]]:
    return [planes] * (1 + sum(card.window))


def flat(name: str, values: list[int], *, width: int, height: int) -> tuple[Plane, ...]:
    fmt = pixel_format(name)
    return tuple(
        np.full(plane_size(fmt, n, width=width, height=height), values[n], fmt.dtype)
        for n in range(fmt.num_planes)
    )


def natural(name: str, *, width: int, height: int) -> tuple[Plane, ...]:
    """Soft shading, texture and discs; no value near the ends of the range."""
    fmt = pixel_format(name)
    random = np.random.default_rng(2)
    planes: list[Plane] = []
    for n in range(fmt.num_planes):
        rows, columns = plane_size(fmt, n, width=width, height=height)
        y, x = np.mgrid[:rows, :columns].astype(float)
        y, x = y / rows, x / columns
        values = 0.3 + 0.2 * x + 0.1 * np.sin(9 * y + n) + 0.02 * random.standard_normal(y.shape)
        for _ in range(6):
            v, u, level = random.random(3)
            values = np.where(np.hypot(y - v, x - u) < 0.15, 0.2 + 0.6 * level, values)
        planes.append(np.rint(values.clip(0.1, 0.9) * fmt.max_value).astype(fmt.dtype))
    return tuple(planes)


@pytest.mark.parametrize(("name", "siting"), FORMATS)
def test_every_format_comes_back_larger_and_flat_stays_flat(
    card: ModelCard, name: str, siting: str
) -> None:
    fmt = pixel_format(name)
    width, height = 17, 13
    made = upscaler(card, name, siting, width=width, height=height)
    top = fmt.max_value
    white = [top] * 4 if fmt.model == "rgb" else [235 << (fmt.bits - 8)] + [1 << (fmt.bits - 1)] * 2
    full_white = [top, *white[1:3], top]
    coloured = [int(share * top) for share in (0.31, 0.62, 0.77, 0.13)]
    # f32 sums of 16-bit levels have some 2^-24 of 65535 to spare each: they may fall next door.
    allowed = 1 if fmt.bits == 16 else 0

    for values in ([*white[:3], top], full_white, [0] * 4, coloured):
        planes = made(window(card, flat(name, values, width=width, height=height)))

        assert len(planes) == fmt.num_planes
        for n, plane in enumerate(planes):
            assert plane.dtype == fmt.dtype
            assert plane.shape == plane_size(fmt, n, width=34, height=26)
            assert np.abs(plane.astype(int) - values[n]).max() <= allowed, (n, values[n])


@pytest.mark.parametrize(
    ("name", "depth", "precision"),
    [
        (name, depth, precision)
        for name in card_names()
        if not load_card(name).state  # those are in test_trained_recurrence.py
        for depth in ("yuv420p", "yuv420p10le")
        for precision in load_card(name).precisions
        if precision != "int8"  # of 8 bits alone: tests/networks/test_quantized.py
        if precision == "f32" or pixel_format(depth).bits <= half_bits(load_card(name))
        if not re.match("srcnn|espcn|vespcn|encoder", name)  # the literature's make no such promise
    ],
)
@pytest.mark.usefixtures("slow_bf16")
def test_every_card_leaves_flat_pictures_alone(name: str, depth: str, precision: str) -> None:
    card, fmt = load_card(name), pixel_format(depth)
    made = upscaler(card, depth, width=16, height=16, precision=precision)
    shift = fmt.bits - 8

    for values in ([235, 128, 128], [255, 128, 128], [16, 90, 240], [81, 90, 240], [0, 0, 0]):
        levels = [min((v << shift) + (v == 255) * 3, fmt.max_value) for v in values]
        planes = made(window(card, flat(depth, levels, width=16, height=16)))
        for plane, level in zip(planes, levels, strict=True):
            assert np.unique(plane).tolist() == [level]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (3, 2)])
@pytest.mark.parametrize("name", ["yuv420p", "yuv444p", "gray", "gbrp"])
def test_the_smallest_pictures(card: ModelCard, name: str, size: tuple[int, int]) -> None:
    fmt, (width, height) = pixel_format(name), size
    values = [200, 90, 160]

    planes = upscaler(card, name, width=width, height=height)(
        window(card, flat(name, values, width=width, height=height))
    )

    for n, plane in enumerate(planes):
        assert plane.shape == plane_size(fmt, n, width=2 * width, height=2 * height)
        assert np.unique(plane).tolist() == [values[n]]


@pytest.mark.parametrize(
    ("name", "siting"), [("yuv420p", "left"), ("yuv420p10le", "topleft"), ("gbrp", "left")]
)
@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.usefixtures("slow_bf16")
def test_tiles_give_the_same_pixels(
    card: ModelCard, name: str, siting: str, precision: str
) -> None:
    width, height = 99, 71
    planes = window(card, natural(name, width=width, height=height))
    options = {"width": width, "height": height, "precision": precision}

    whole = upscaler(card, name, siting, **options)(planes)  # type: ignore[arg-type]
    cut = upscaler(card, name, siting, tile=32, **options)(planes)  # type: ignore[arg-type]

    for plane, same in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(plane, same)


def edge_position(plane: Plane, origin: float, subsampling: int) -> float:
    """Where the rows in the middle cross half of the edge, in luma columns."""
    rows = plane[plane.shape[0] // 3 : -plane.shape[0] // 3].astype(float).mean(axis=0)
    middle = (rows[4] + rows[-5]) / 2
    after = int(np.argmax(rows > middle))
    share = (middle - rows[after - 1]) / (rows[after] - rows[after - 1])
    return subsampling * (after - 1 + share + origin)


@pytest.mark.parametrize(
    ("name", "siting"),
    [
        ("yuv420p", "left"), ("yuv420p", "center"), ("yuv420p", "topleft"),
        ("yuv420p10le", "left"), ("yuv420p10le", "bottomleft"), ("yuv422p", "left"),
        ("yuv422p", "center"), ("yuv444p", "left"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("edge", [31.0, 32.0])
@pytest.mark.parametrize("size", [None, (96, 72)])
def test_a_vertical_chroma_edge_stays_put(
    card: ModelCard, name: str, siting: str, edge: float, size: tuple[int, int] | None
) -> None:
    fmt, colour = pixel_format(name), Colour(chroma_location=SITINGS[siting])
    width, height = 64, 48
    planes: list[Plane] = []
    for n in range(3):  # from blue to red at equal luma, as wide as a camera makes it
        rows, columns = plane_size(fmt, n, width=width, height=height)
        unit = 1 << (fmt.log2_chroma[0] if n else 0)
        position = unit * (np.arange(columns) + plane_origins(fmt, colour, n)[1])
        rise = 0.25 * np.tanh((position - edge) / 2) * (0, -1, 1)[n]
        row = np.rint((0.5 + rise) * fmt.max_value)
        planes.append(np.broadcast_to(row, (rows, columns)).astype(fmt.dtype))
    made = upscaler(card, name, siting, width=width, height=height, size=size)

    red = made(window(card, tuple(planes)))[2]

    unit, origin = 1 << fmt.log2_chroma[0], plane_origins(fmt, colour, 2)[1]
    before = edge_position(planes[2], origin, unit)
    after = edge_position(red, origin, unit) * width / (size or (card.scale * width, 0))[0]
    assert after == pytest.approx(before, abs=0.1)
    assert after == pytest.approx(edge, abs=0.1)


@pytest.mark.parametrize(
    ("name", "siting"),
    [
        ("yuv420p", "left"), ("yuv420p", "topleft"), ("yuv420p10le", "left"), ("yuv422p", "left"),
        ("yuv444p", "left"), ("gray", "left"), ("gbrp", "left"),
    ],
)  # fmt: skip
def test_mean_colours_do_not_drift(card: ModelCard, name: str, siting: str) -> None:
    planes = natural(name, width=96, height=72)

    large = upscaler(card, name, siting, width=96, height=72)(window(card, planes))

    level = (pixel_format(name).max_value + 1) / 256
    for plane, before in zip(large, planes, strict=True):
        assert plane.mean() == pytest.approx(before.mean(), abs=0.25 * level)
        assert plane.std() == pytest.approx(before.std(), rel=0.05)  # it is the picture


@pytest.mark.parametrize("size", [(51, 37), (64, 48), (99, 20), (128, 96)])
@pytest.mark.parametrize("name", ["yuv420p", "yuva444p10le", "gbrp"])
def test_any_output_size(card: ModelCard, name: str, size: tuple[int, int]) -> None:
    fmt, colour = pixel_format(name), Colour(chroma_location=1)
    planes = window(card, natural(name, width=64, height=48))

    full = upscaler(card, name, width=64, height=48)(planes)
    made = upscaler(card, name, width=64, height=48, size=size)
    fitted = made(planes)

    ratio = (96 / size[1], 128 / size[0])
    for n, plane in enumerate(fitted):
        shape = plane_size(fmt, n, width=size[0], height=size[1])
        origin = plane_origins(fmt, colour, n)
        expected = resample(
            full[n], *shape, kernel="lanczos3", ratio=ratio, in_origin=origin, out_origin=origin
        )
        assert plane.dtype == fmt.dtype
        assert plane.shape == shape
        np.testing.assert_array_equal(plane, np.rint(expected).clip(0, fmt.max_value))


def test_it_is_sharper_than_interpolation() -> None:
    card = load_card("fast-x2-clean")
    y, x = np.mgrid[:48, :64]
    luma = np.where((x // 8 + y // 8) % 2, 190, 60).astype(np.uint8)
    chroma = np.full((24, 32), 128, np.uint8)

    large = upscaler(card, width=64, height=48)(window(card, (luma, chroma, chroma)))[0]

    plain = resample(luma, 96, 128, kernel="bicubic")
    steps, plain_steps = (np.abs(np.diff(p.astype(float))).max(axis=1) for p in (large, plain))
    assert np.median(steps) > 1.1 * np.median(plain_steps)


def test_strided_planes_are_read_as_they_lie(card: ModelCard) -> None:
    planes = natural("yuv420p", width=64, height=48)
    inside = tuple(np.pad(plane, ((3, 3), (7, 9)))[3:-3, 7:-9] for plane in planes)
    made = upscaler(card, width=64, height=48)

    for plane, same in zip(made(window(card, planes)), made(window(card, inside)), strict=True):
        np.testing.assert_array_equal(plane, same)
