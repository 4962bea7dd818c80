"""PlaneUpscaler around every kind of network, against the PyTorch network on the whole picture.

Mutation tried: chroma siting ignored.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from clips import draw_planes
from frames import make_frame
from small_cards import CONFIGS, SMALL, luma_by_torch

from upreel.degradation.resample import resample
from upreel.evaluation.stages import NetworkStage
from upreel.inference import PlaneUpscaler, openvino
from upreel.inference.picture import PictureForm
from upreel.pipeline.cuts import Thumbnail
from upreel.pipeline.enhance import enhance
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Frame, Plane, plane_origins, plane_size
from upreel.zoo import ModelCard

SmallCards = Callable[[str], ModelCard]
LUMA = [name for name in SMALL if name not in CONFIGS or CONFIGS[name].layout == "luma"]
WIDTH, HEIGHT = 51, 37


def upscaler(
    card: ModelCard,
    name: str = "yuv420p",
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    tile: int | None = None,
    memory_limit: int | None = None,
    colour: Colour | None = None,
) -> PlaneUpscaler:
    return PlaneUpscaler(
        card, pixel_format=pixel_format(name), colour=colour or Colour(), width=width,
        height=height, device="cpu", precision="f32", threads=1, tile=tile,
        memory_limit=memory_limit,
    )  # fmt: skip


def window(card: ModelCard, name: str = "yuv420p", first: int = 0) -> list[tuple[Plane, ...]]:
    """Frames that all differ, in time's order."""
    count = 1 + sum(card.window)
    return [draw_planes(first + n, name, width=WIDTH, height=HEIGHT) for n in range(count)]


def assert_close(plane: Plane, exact: np.ndarray, limit: int) -> None:
    """As two f32 engines agree: hardly ever a level."""
    error = np.abs(plane.astype(float) - np.rint(exact.clip(0, limit)))
    assert error.max() <= 1
    assert error.mean() < 0.02


@pytest.mark.parametrize("name", LUMA)
@pytest.mark.parametrize("depth", ["yuv420p", "yuv420p10le"])
def test_luma_is_what_the_network_answers_to_the_whole(
    name: str, depth: str, small_cards: SmallCards
) -> None:
    card, fmt = small_cards(name), pixel_format(depth)
    frames = window(card, depth)

    luma = upscaler(card, depth)(frames)[0]

    exact = luma_by_torch(card, [planes[0] for planes in frames], fmt.bits)
    assert luma.shape == (card.scale * HEIGHT, card.scale * WIDTH)
    assert luma.dtype == fmt.dtype
    assert_close(luma, exact, fmt.max_value)
    assert luma.std() > 0.02 * fmt.max_value  # there is something to agree on


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("depth", ["yuv420p", "yuv422p10le"])
def test_tiles_give_the_same_samples(name: str, depth: str, small_cards: SmallCards) -> None:
    card = small_cards(name)
    frames = window(card, depth)

    whole, cut = upscaler(card, depth), upscaler(card, depth, tile=32)

    assert max(cut.tile) <= 32 < max(whole.tile)
    assert all(side % card.size_multiple == 0 for side in (*cut.tile, *whole.tile))
    for plane, same in zip(whole(frames), cut(frames), strict=True):
        np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize("name", ["tan-flow", "tan-rectified", "tan-spatial"])
def test_tiles_that_see_less_than_the_whole_give_the_same_samples(
    name: str, small_cards: SmallCards
) -> None:
    """Motion is found from far around; f32 tells places in a wider frame less exactly.

    Where motion is rounded to whole pixels, half a pixel may then be rounded the other way.
    """
    card = small_cards(name)
    width, height = 704, 64
    frames = [draw_planes(n, width=width, height=height) for n in range(1 + sum(card.window))]
    whole, cut = (upscaler(card, width=width, height=height, tile=t) for t in (None, 64))

    expected, luma = whole(frames)[0].astype(int), cut(frames)[0].astype(int)

    assert cut.tile == (64, 64)
    assert cut.tile[1] + 2 * card.radius < width
    difference = np.abs(luma - expected)
    rounded = name == "tan-rectified"
    assert rounded or difference.max() <= 1
    assert (difference > 0).mean() < (2e-3 if rounded else 1e-3)


@pytest.mark.parametrize("location", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p", "yuva420p"])
def test_chroma_and_alpha_of_a_luma_network_are_resized(
    name: str, location: int, small_cards: SmallCards
) -> None:
    card, fmt, colour = small_cards("fast-luma"), pixel_format(name), Colour(
        chroma_location=location
    )  # fmt: skip
    frames = window(card, name)

    planes = upscaler(card, name, colour=colour)(frames)

    for n in range(1, fmt.num_planes):
        shape = plane_size(fmt, n, width=2 * WIDTH, height=2 * HEIGHT)
        origin = plane_origins(fmt, colour, n)
        exact = resample(
            frames[0][n], *shape, kernel="lanczos3", ratio=(0.5, 0.5), in_origin=origin,
            out_origin=origin,
        )  # fmt: skip
        np.testing.assert_array_equal(planes[n], np.rint(exact).clip(0, fmt.max_value))


def another_scene(before: Thumbnail, after: Thumbnail) -> bool:
    """Scenes of `clip` are 100 frame numbers apart: shown by the lower half's brightness."""
    return bool(abs(before[-1].mean() - after[-1].mean()) > 0.2)


def clip(lengths: Sequence[int]) -> list[Frame]:
    """Small scenes of so many frames, every other one with a bright lower edge."""
    frames: list[Frame] = []
    for scene, length in enumerate(lengths):
        for _ in range(length):
            planes = draw_planes(len(frames), width=27, height=21)
            planes[0][-4:] = 220 if scene % 2 else 40
            frames.append(make_frame(len(frames), planes=planes))
    return frames


SHORT = [(1,), (2,), (2, 3)]
LONG = [(5,), (1, 1, 4)]
WINDOWED = [
    (name, lengths)
    for name in SMALL
    for lengths in (SHORT if name.startswith("tan") else SHORT + LONG)
    if name == "blend" or (CONFIGS[name].layout == "luma" and len(CONFIGS[name].offsets) > 1)
]


@pytest.mark.parametrize(("name", "lengths"), WINDOWED)
def test_windows_end_where_clips_and_scenes_do(
    name: str, lengths: tuple[int, ...], small_cards: SmallCards
) -> None:
    card, frames = small_cards(name), clip(lengths)
    past, future = card.window
    scenes = [scene for scene, length in enumerate(lengths) for _ in range(length)]

    made = upscaler(card, width=27, height=21)
    large = list(enhance(iter(frames), made, card, cuts=another_scene))

    assert [frame.index for frame in large] == list(range(len(frames)))
    for n, frame in enumerate(large):
        same = [k for k, scene in enumerate(scenes) if scene == scenes[n]]
        seen = [min(max(k, same[0]), same[-1]) for k in range(n - past, n + future + 1)]
        exact = luma_by_torch(card, [frames[k].planes[0] for k in seen])
        assert_close(frame.planes[0], exact, 255)


def test_the_widest_features_count_against_the_memory_limit(small_cards: SmallCards) -> None:
    limit = 2_000_000
    light, heavy = (
        upscaler(small_cards(name), memory_limit=limit, width=96, height=96)
        for name in ("fast-luma", "srcnn")
    )

    assert light.tile == (96, 96)
    assert heavy.tile[0] * heavy.tile[1] < 96 * 96


@pytest.mark.parametrize("name", ["fast-luma", "encoder-decoder", "fast-packed"])
def test_the_benchmark_does_as_the_pipeline(name: str, small_cards: SmallCards) -> None:
    card = small_cards(name)
    planes = draw_planes(3, width=46, height=34)
    stage = NetworkStage(card, width=46, height=34, device="cpu", precision="f32", threads=1)

    stage.pack(planes)
    stage.network()
    large = stage.unpack()

    made = upscaler(card, width=46, height=34)
    for plane, same in zip(large, made([planes] * (1 + sum(card.window))), strict=True):
        np.testing.assert_array_equal(plane, same)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each answer to one frame alone."""
    runs: list[int] = []
    answer = openvino._Answers._answer

    def count(self: openvino._Answers, frame: np.ndarray) -> np.ndarray:
        runs.append(1)
        return answer(self, frame)

    monkeypatch.setattr(openvino._Answers, "_answer", count)
    return runs


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("name", ["fusion", "tan-flow"])
def test_a_frame_is_answered_to_once(
    name: str, bits: int, small_cards: SmallCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, pixels = small_cards(name), "yuv420p" if bits == 8 else "yuv420p10le"
    past, future = card.window
    frames = [draw_planes(n, pixels, width=WIDTH, height=HEIGHT) for n in range(8)]
    seen = [frames[n - past : n + future + 1] for n in range(past, len(frames) - future)]
    fresh = [upscaler(card, pixels)(window)[0] for window in seen]
    runs = counted(monkeypatch)

    kept = upscaler(card, pixels)
    large = [kept(window)[0] for window in seen]

    assert len(runs) == len(frames)
    for plane, alone in zip(large, fresh, strict=True):
        np.testing.assert_array_equal(plane, alone)


def test_the_benchmark_answers_to_one_new_frame_at_a_time(
    small_cards: SmallCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = small_cards("tan-flow")
    stage = NetworkStage(card, width=48, height=32, device="cpu", precision="f32", threads=1)
    stage.pack(draw_planes(3, width=48, height=32))
    runs = counted(monkeypatch)

    stage.network()
    assert len(runs) == 1  # one frame in every slot
    for _ in range(3):
        stage.network()
    assert len(runs) == 4


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("location", [1, 2])
def test_chroma_goes_along_with_answers_that_begin_on_the_first_sample(
    name: str, location: int, small_cards: SmallCards
) -> None:
    card = small_cards("fast-luma")
    fmt, colour = pixel_format(name), Colour(chroma_location=location)
    network = replace(CONFIGS["fast-luma"], phase="first")
    form = PictureForm(
        replace(card, network=network), pixel_format=fmt, colour=colour, width=64, height=48,
        output_size=None,
    )  # fmt: skip

    def ramp(plane: int, factor: int, shift: float) -> Plane:
        """Steady down and across the frame, where the plane's samples lie in it."""
        rows, columns = plane_size(fmt, plane, width=factor * 64, height=factor * 48)
        origin = plane_origins(fmt, colour, plane)
        steps = (factor * 48 // rows, factor * 64 // columns)
        y, x = (
            ((np.arange(count) + o) * step + shift) / factor
            for count, o, step in zip((rows, columns), origin, steps, strict=True)
        )
        return np.rint(20 + 2.17 * y[:, None] + 1.29 * x).astype(np.uint8)

    source = tuple(ramp(plane, 1, 0) for plane in range(3))
    answer = ramp(0, 2, 0.5)  # the first of its samples lies on the frame's first

    _, *chroma = form.finish(source, (answer,))

    for plane, found in enumerate(chroma, 1):
        error = found.astype(float) - ramp(plane, 2, 0.5)
        assert np.abs(error[6:-6, 6:-6]).max() <= 1
        assert abs(error[6:-6, 6:-6].mean()) < 0.25
