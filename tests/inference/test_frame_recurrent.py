"""FrameRecurrentUpscaler: scenes, what is carried, formats, tiles, lack of memory, engines.

The slow twin, `torch_steps.by_hand`, runs the PyTorch network frame by frame over one list.
Mutations tried: no beginning at a cut, no border around the answer or one on three sides, motion
rounded before it is scaled, the other way round, or found beside zeros, features not carried, a
state that is not replaced, tiles that take the picture's first corner of it, maps left out of the
memory estimate, nothing handed over before it is collected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from shutil import copy

import numpy as np
import pytest
import torch
from torch_cells import CARD as RECURRENT
from torch_cells import moving
from torch_steps import (
    CARD,
    HEIGHT,
    WIDTH,
    TorchSteps,
    by_hand,
    card_of,
    enlarged,
    step_network,
)

from upreel.errors import BackendUnavailableError, OptionError, OutOfMemoryError
from upreel.inference import FrameRecurrentUpscaler, PlaneUpscaler, RecurrentUpscaler, upscaler_of
from upreel.inference.export_quantized import add_quantized
from upreel.inference.frame_recurrent import moved_state
from upreel.inference.picture import PictureForm, Planes
from upreel.inference.selection import open_session
from upreel.networks.frame_recurrent import moved
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.pipeline.enhance import enhance
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Frame, Plane, plane_size
from upreel.zoo import FrameRecurrentConfig, ModelCard, QuantizedConfig, load_card

LEFT = Colour(chroma_location=1)


def upscaler(
    steps: TorchSteps | None = None,
    *,
    fmt: str = "gray",
    tile: int | tuple[int, int] | None = None,
    width: int = WIDTH,
    card: ModelCard = CARD,
    memory_limit: int | None = None,
) -> FrameRecurrentUpscaler:
    return FrameRecurrentUpscaler(
        card,
        pixel_format=pixel_format(fmt),
        colour=LEFT,
        width=width,
        height=HEIGHT,
        tile=tile,
        memory_limit=memory_limit,
        opener=(steps or TorchSteps(card=card)).open,
    )


def clip_in(fmt: str, count: int, seed: int = 0) -> list[Planes]:
    """Soft pictures that move by half a pixel a frame, every plane another one."""
    form = pixel_format(fmt)
    each = [moving(count, seed=seed + n) for n in range(form.num_planes)]
    found: list[Planes] = []
    for t in range(count):
        planes: list[Plane] = []
        for n, clip in enumerate(each):
            rows, columns = plane_size(form, n, width=WIDTH, height=HEIGHT)
            values = clip[t][0][:rows, :columns] * (form.max_value / 255)
            planes.append(np.rint(values).astype(form.dtype))
        found.append(tuple(planes))
    return found


def error_of(found: Sequence[Planes], expected: Sequence[Planes]) -> np.ndarray:
    """Of the first plane, in levels."""
    assert len(found) == len(expected)
    pairs = zip(found, expected, strict=True)
    return np.stack([np.abs(one[0].astype(int) - other[0]) for one, other in pairs])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scenes_are_what_the_network_answers_to_each(scale: int) -> None:
    """Frames after a cut know nothing of those before it."""
    card = card_of(scale)
    scenes = [moving(count, seed=seed) for seed, count in enumerate((4, 1, 3))]

    found = enlarged(upscaler(card=card), scenes)

    network = step_network(card)
    exact = [luma for scene in scenes for luma in by_hand(network, [p[0] for p in scene])]
    for (plane,), luma in zip(found, exact, strict=True):
        assert plane.shape == (scale * HEIGHT, scale * WIDTH)
        assert np.abs(plane - luma.clip(0, 255)).max() <= 1
    alone = enlarged(upscaler(card=card), [scenes[0][3:]])
    assert error_of(found[3:4], alone).max() > 2  # what is carried matters
    assert np.abs(exact[0] - scenes[0][0][0].repeat(scale, 0).repeat(scale, 1)).mean() > 4


@pytest.mark.parametrize("fmt", ["gray10le", "yuv420p", "yuv420p10le", "gbrp"])
def test_formats_come_back_larger(fmt: str) -> None:
    clip = clip_in(fmt, 3)
    form = PictureForm(
        CARD, pixel_format=pixel_format(fmt), colour=LEFT, width=WIDTH, height=HEIGHT,
        output_size=None,
    )  # fmt: skip

    found = enlarged(upscaler(fmt=fmt), [clip])

    lumas = [form.network_planes(planes)[0] for planes in clip]
    exact = by_hand(step_network(), lumas, form.bits)
    limit = (1 << form.bits) - 1
    for planes, luma, source in zip(found, exact, clip, strict=True):
        levels = np.rint(luma.clip(0, limit)).astype(form.dtype)
        for plane, expected in zip(planes, form.finish(source, (levels,)), strict=True):
            error = np.abs(plane.astype(int) - expected)
            assert error.max() <= 1
            assert (error > 0).mean() < 0.05


@pytest.mark.parametrize("fmt", ["yuv420p", "gray16le", "gbrp"])
def test_flat_stays_flat(fmt: str) -> None:
    form = pixel_format(fmt)
    values = [int(share * form.max_value) for share in (0.31, 0.62, 0.77)]
    planes = tuple(
        np.full(plane_size(form, n, width=WIDTH, height=HEIGHT), values[n], form.dtype)
        for n in range(form.num_planes)
    )

    for answer in enlarged(upscaler(fmt=fmt), [[planes] * 3]):
        for n, plane in enumerate(answer):
            assert plane.shape == plane_size(form, n, width=4 * WIDTH, height=4 * HEIGHT)
            assert np.abs(plane.astype(int) - values[n]).max() <= (form.bits == 16)


def test_one_by_one_and_two_in_flight_are_the_same() -> None:
    scenes = [moving(4), moving(2, seed=3)]

    one, two = (enlarged(upscaler(), scenes, depth=depth) for depth in (1, 2))

    assert upscaler().depth == 2
    assert not error_of(one, two).any()


def test_the_network_works_while_its_caller_does() -> None:
    steps = TorchSteps()
    made, clip = upscaler(steps), moving(2)
    calls: list[int] = []
    for planes in clip:
        made.submit([planes])
        calls.append(steps.calls)

    for _ in clip:
        made.collect()
        calls.append(steps.calls)

    # Handed over at once; the second one once the first is waited for and motion is found.
    assert calls == [1, 4, 4, 5]


def test_what_was_dropped_leaves_nothing() -> None:
    made, clip = upscaler(), moving(2, seed=1)
    for planes in moving(2):
        made.submit([planes])

    made.drop()
    found = enlarged(made, [clip])

    assert not error_of(found, enlarged(upscaler(), [clip])).any()
    enlarged(made, [clip])
    made.drop()
    made.submit([clip[1]])
    assert not error_of([made.collect()], enlarged(upscaler(), [clip[1:]])).any()


@pytest.mark.parametrize("tile", [32, (40, 32)])
def test_tiles_hardly_differ_from_the_whole(tile: int | tuple[int, int]) -> None:
    """Their motion is found without what lies farther away, on a pyramid that begins elsewhere."""
    steps, clip = TorchSteps(), moving(4, width=210)

    made = upscaler(steps, width=210, tile=tile)
    found = enlarged(made, [clip])

    assert steps.opened == [(40, 32 + 2 * CARD.radius)]
    assert made.tile == ((32, 32) if tile == 32 else tile)
    error = error_of(found, enlarged(upscaler(width=210), [clip]))
    assert (error > 1).mean() < 0.01  # of a network with random weights
    assert error.mean() < 0.05


def test_tiles_that_see_the_whole_picture_give_the_same_samples() -> None:
    steps, clip = TorchSteps(), moving(4, width=110)

    found = enlarged(upscaler(steps, width=110, tile=64), [clip])

    assert steps.opened == [(40, 112)]
    assert not error_of(found, enlarged(upscaler(width=110), [clip])).any()


# Whole frames call to submit and to wait; from the second one on for the motion before that.
@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5, 12])
def test_a_lack_of_memory_makes_tiles_smaller_and_loses_no_frame(failing: int) -> None:
    steps = TorchSteps(lambda call: call == failing)
    made, clip = upscaler(steps, width=390), moving(5, width=390)

    found = enlarged(made, [clip])

    assert steps.opened == [(40, 392), (40, 196 + 2 * CARD.radius)]
    assert made.tile == (40, 196)
    assert made.notices == ("out of memory: went on with tiles of 196x40",)
    error = error_of(found, enlarged(upscaler(width=390), [clip]))
    answered = failing // 3  # before memory ran out
    assert not error[:answered].any()
    assert (error > 1).mean() < 0.01  # of a network with random weights
    assert error.mean() < 0.05


def test_a_lack_of_memory_between_tiles_begins_the_frame_again() -> None:
    """Four tiles a frame: it runs out in the second one of the second frame."""
    steps, clip = TorchSteps(lambda call: call == 13), moving(4, width=390)
    made = upscaler(steps, width=390, tile=128)

    found = enlarged(made, [clip])

    assert steps.opened == [(40, side + 2 * CARD.radius) for side in (128, 64)]
    assert made.notices == ("out of memory: went on with tiles of 64x40",)
    error = error_of(found, enlarged(upscaler(width=390), [clip]))
    assert (error > 1).mean() < 0.01  # of a network with random weights
    assert error.mean() < 0.05


def test_the_smallest_tile_may_not_fit_either() -> None:
    made = upscaler(TorchSteps(lambda call: call > 5))

    with pytest.raises(OutOfMemoryError, match="out of memory with the smallest tile of "):
        enlarged(made, [moving(3)])
    made.drop()


def test_memory_is_estimated_for_whole_pictures_and_tiles() -> None:
    def tile_within(megabytes: int) -> tuple[int, int]:
        made = FrameRecurrentUpscaler(
            CARD, pixel_format=pixel_format("gray"), colour=LEFT, width=640, height=480,
            memory_limit=megabytes << 20, opener=TorchSteps().open,
        )  # fmt: skip
        return made.tile

    # The widest is what a step sees, 21 channels: 640x480 in f32 are 25 MiB.
    assert tile_within(60 + 12 * 25) == (480, 640)
    assert tile_within(60 + 4 * 25) < (480, 640)
    with pytest.raises(OutOfMemoryError, match="the smallest tile needs about"):
        tile_within(70)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_state_is_moved_as_in_training(scale: int, dtype: type) -> None:
    random = np.random.default_rng(scale)
    rows, columns, most = 24, 36, np.iinfo(dtype).max
    plane = random.integers(0, most, (scale * rows, scale * columns), dtype, endpoint=True)
    features = random.integers(0, most, (rows, columns, 3), dtype, endpoint=True)
    motion = random.integers(-24, 25, (2, 6, 9)) / np.float32(8)  # sums of it are exact
    motion[:, 0, 0], motion[:, 5, 8], motion[:, 2, 4] = -90, 90, (-90, 90)
    bordered = np.pad(plane, scale, mode="edge")

    answer, carried = moved_state(bordered, features, motion)

    tensors = (torch.from_numpy(values.astype(np.float32))[None] for values in (plane, features))
    large, small = tensors
    packed = torch.pixel_unshuffle(large[None], scale)
    expected = moved(packed, small.permute(0, 3, 1, 2), torch.from_numpy(motion)[None])
    for found, truth in zip((answer, carried), expected, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, truth[0].permute(1, 2, 0).numpy())
    # Of a part of the picture, moved alike everywhere.
    alike = np.empty_like(motion)
    alike[:] = np.array([2.25, -7.5], np.float32).reshape(2, 1, 1)
    whole = moved_state(bordered, features, alike)
    part = moved_state(bordered, features, alike[:, :3, :4], (8, 16))
    for found, expected in zip(part, whole, strict=True):
        np.testing.assert_array_equal(found, expected[8:20, 16:32])


@pytest.mark.parametrize(("first", "stop"), [(0, 7), (9, 12), (19, 22)])
def test_a_part_with_its_context_is_the_whole_clip(first: int, stop: int) -> None:
    card = card_of(2)
    clip = [
        Frame(
            planes=planes,
            format=pixel_format("gray"),
            index=t,
            pts=t,
            time_base=Fraction(1, 25),
            colour=Colour(),
        )
        for t, planes in enumerate(moving(22))
    ]
    past, future = card.context
    assert (past, future) == (16, 0)

    def enhanced(frames: Sequence[Frame]) -> list[Planes]:
        found = list(enhance(frames, upscaler(card=card), card, first=first, stop=stop))
        assert [frame.index for frame in found] == list(range(first, stop))
        return [frame.planes for frame in found]

    whole = enhanced(clip)
    error = error_of(enhanced(clip[max(first - past, 0) : stop + future]), whole)
    if first <= past:
        assert not error.any()
    else:
        assert error.mean() < 0.8 * error_of(enhanced(clip[first:stop]), whole).mean()


@dataclass(frozen=True, kw_only=True)
class Exported:
    card: ModelCard
    network: QuantizedStepNetwork


@pytest.fixture(scope="module")
def exported(
    small_cards: Callable[[str], ModelCard], tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """A card with int8, and its network."""
    shared, folder = small_cards("frame-recurrent"), tmp_path_factory.mktemp("card")
    for path in shared.folder.glob("frame-recurrent.*"):
        copy(path, folder)
    card = replace(shared, folder=folder)
    assert isinstance(card.network, FrameRecurrentConfig)
    network = QuantizedStepNetwork(network=vars(card.network)).eval()
    network.network.load_state_dict(step_network().state_dict())
    frames = np.stack([planes[0][:36, :44] for planes in moving(5, seed=4)])
    network.calibrate([torch.from_numpy(frames[None] / np.float32(255))])
    made = add_quantized(
        card, config=QuantizedConfig(network=card.network), weights=network.state_dict(),
        training_data=("drawn",), degradation="none", steps=0, commit="abc",
    )  # fmt: skip
    return Exported(card=made, network=network)


def opened(card: ModelCard, fmt: str = "gray", **options: str) -> FrameRecurrentUpscaler:
    return FrameRecurrentUpscaler(
        card, pixel_format=pixel_format(fmt), colour=LEFT, width=WIDTH, height=HEIGHT, threads=1,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fmt", "precision"), [("gray", "f32"), ("gray10le", "f32"), ("gray", "int8")]
)
@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
def test_engines_answer_what_the_network_does(
    exported: Exported, device: str, fmt: str, precision: str
) -> None:
    scenes, bits = [clip_in(fmt, 4), clip_in(fmt, 2, seed=3)], pixel_format(fmt).bits
    made = opened(exported.card, fmt, device=device, precision=precision)

    found = enlarged(made, scenes)

    assert (made.describe().device, made.describe().precision) == (device, precision)
    network = exported.network if precision == "int8" else exported.network.network
    exact = [luma for scene in scenes for luma in by_hand(network, [p[0] for p in scene], bits)]
    levels = [(np.rint(luma.clip(0, (1 << bits) - 1)),) for luma in exact]
    error = error_of(found, levels)
    assert (error <= 1).mean() >= (0.999 if precision == "int8" else 1)
    assert error.max() <= exported.card.tolerance[precision]
    assert error.mean() < 0.1
    assert not error_of(found, enlarged(made, scenes, depth=1)).any()
    if precision == "int8":
        plain = by_hand(exported.network.network, [planes[0] for planes in scenes[0]])
        assert np.abs(plain[3] - exact[3]).max() > 0.5


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_engines_agree_and_keep_flat_what_is_flat(exported: Exported, precision: str) -> None:
    flat = [(np.full((HEIGHT, WIDTH), 200, np.uint8),)] * 2

    one, other = (
        enlarged(opened(exported.card, device=device, precision=precision), [moving(5), flat])
        for device in ("cpu", "ort-cpu")
    )

    error = error_of(one[:5], other[:5])
    assert (error <= 1).mean() >= (0.999 if precision == "int8" else 1)
    assert error.max() <= exported.card.tolerance[precision]
    for (plane,) in (*one[5:], *other[5:]):
        assert (plane.min(), plane.max()) == (200, 200)


def test_what_it_cannot_run_in_is_refused(exported: Exported) -> None:
    with pytest.raises(BackendUnavailableError, match="frame-recurrent cannot run in bf16 on cpu"):
        opened(exported.card, device="cpu", precision="bf16")
    refused = "int8 is for video of 8 bits, this has 10: frame-recurrent can run in f32"
    with pytest.raises(OptionError, match=refused):
        opened(exported.card, "gray10le", device="cpu", precision="int8")
    without = replace(exported.card, tolerance={"f32": 1.0}, quantized={})
    with pytest.raises(BackendUnavailableError, match="cannot run in int8 on cpu"):
        opened(without, device="cpu", precision="int8")
    for fmt, card, precision in (
        ("gray", exported.card, "int8"),
        ("gray10le", exported.card, "f32"),
        ("gray", without, "f32"),
    ):
        assert opened(card, fmt, device="cpu").describe().precision == precision


def test_its_session_is_that_of_a_step(exported: Exported) -> None:
    session = open_session(exported.card, 8, 12, device="cpu", precision="f32")
    seen = np.random.default_rng(2).integers(0, 256, (1, 8, 12, 21), np.uint8)

    answer, _ = session.run(seen)

    assert answer.shape == (1, 8, 12, 20)


def test_a_card_has_one_kind_of_upscaler() -> None:
    assert upscaler_of(CARD) is FrameRecurrentUpscaler
    assert upscaler_of(RECURRENT) is RecurrentUpscaler
    assert upscaler_of(load_card("tan-x4")) is PlaneUpscaler


def test_the_card_says_what_it_is(exported: Exported) -> None:
    card = exported.card

    assert card.cells == ("motion", "step")
    assert card.state
    assert card.window == (0, 0)
    assert {path.name for path in card.folder.glob("*.onnx")} == {
        "frame-recurrent.motion.onnx", "frame-recurrent.step.onnx", "frame-recurrent.int8.onnx",
    }  # fmt: skip
