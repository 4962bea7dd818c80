"""RecurrentUpscaler: chunks, scenes, what is carried, tiles, lack of memory, formats, engines.

The slow twin runs the PyTorch cells frame by frame over one list. Mutations tried: nothing carried
to the next chunk, the state kept at a cut, the backward direction begun with the chunk, states of
the backward direction given in the wrong order, a retry that goes on from a half-answered chunk.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from small_cards import random_network
from torch_cells import CARD, FUSING, HEIGHT, WIDTH, TorchCells, enlarged, moving

from upreel.errors import OptionError, OutOfMemoryError
from upreel.inference import RecurrentUpscaler, recurrent
from upreel.inference.engine import Values
from upreel.inference.export import export_card
from upreel.inference.picture import Planes
from upreel.inference.selection import open_cells, open_session
from upreel.networks.recurrent import Aligned
from upreel.pipeline.enhance import enhance
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Frame, plane_size
from upreel.zoo import ModelCard, RecurrentConfig, load_card


def upscaler(
    cells: TorchCells | None = None,
    *,
    fmt: str = "gray",
    tile: int | None = None,
    width: int = WIDTH,
    card: ModelCard = CARD,
) -> RecurrentUpscaler:
    return RecurrentUpscaler(
        card,
        pixel_format=pixel_format(fmt),
        colour=Colour(chroma_location=1),
        width=width,
        height=HEIGHT,
        tile=tile,
        opener=(cells or TorchCells(name=card.name)).open,
    )


def by_hand(card: ModelCard, clip: Sequence[Planes], chunk: int, ahead: int) -> list[np.ndarray]:
    """One scene's luma by the PyTorch cells: levels, not rounded."""
    assert isinstance(card.network, RecurrentConfig)
    offsets, cells = card.network.window, TorchCells(name=card.name).run
    rows, columns = 48, 48
    missing = ((0, rows - HEIGHT), (0, columns - WIDTH))
    limit = np.float32(np.iinfo(clip[0][0].dtype).max)
    lumas = [np.pad(planes[0] / limit, missing, mode="edge")[None, None] for planes in clip]
    lumas = [luma.astype(np.float32) for luma in lumas]
    alone = [cells("first", luma)[0] for luma in lumas]
    begun = (
        np.zeros((1, 6, rows, columns), np.float32),
        np.zeros((1, 4, rows, columns), np.float32),
        np.zeros(6, np.float32),
    )

    def first(t: int, last: int) -> Values:
        window = [min(max(t + offset, 0), last) for offset in offsets]
        if len(window) == 1:
            return alone[t]
        motions = [cells("motion", lumas[t], lumas[there])[0] for there in window[1:]]
        answers = np.concatenate([alone[there] for there in window], axis=1)
        return cells("fused", answers, np.concatenate(motions, axis=1))[0]

    def aligned(here: int, there: int, state: Sequence[Values]) -> tuple[Values, ...]:
        (motion,) = cells("motion", lumas[here], lumas[there])
        return (*cells("aligned", firsts[here], motion, *state[:2]), state[2])

    answers: list[np.ndarray] = []
    past: tuple[Values, ...] = ()
    for t in range(len(clip)):
        start = t // chunk * chunk
        last = min(start + chunk + ahead, len(clip)) - 1
        firsts = [first(k, last) for k in range(last + 1)]
        state = cells("from_future", firsts[last], *begun)
        for k in reversed(range(t, last)):
            state = cells("from_future", firsts[k], *aligned(k, k + 1, state))
        given = aligned(t, t - 1, past) if t else begun
        behind = (state[0], state[1] - firsts[t], state[2])
        past = cells("from_past", firsts[t], *given, *behind)
        shuffled = torch.pixel_shuffle(torch.from_numpy(past[1]), 2)[0, 0].numpy()
        answers.append(shuffled[: 2 * HEIGHT, : 2 * WIDTH] * limit)
    return answers


@pytest.mark.parametrize("card", [CARD, FUSING], ids=lambda card: card.name)
@pytest.mark.parametrize("count", [1, 2, 7, 11])
def test_a_scene_is_what_the_cells_answer_one_by_one(
    card: ModelCard, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "CHUNK", 4)
    monkeypatch.setattr(ModelCard, "context", (4, 2))
    clip = moving(count)

    found = enlarged(upscaler(card=card), [clip])

    for planes, exact in zip(found, by_hand(card, clip, 4, 2), strict=True):
        assert planes[0].shape == (2 * HEIGHT, 2 * WIDTH)
        assert np.abs(planes[0] - exact.clip(0, 255)).max() <= 0.51


@pytest.mark.parametrize("card", [CARD, FUSING], ids=lambda card: card.name)
def test_a_short_scene_is_the_network_s_answer_to_it(card: ModelCard) -> None:
    network = random_network(card.name)
    clip = moving(5)
    missing = ((0, 48 - HEIGHT), (0, 48 - WIDTH))
    padded = [np.pad(planes[0], missing, mode="edge") for planes in clip]
    given = torch.from_numpy(np.stack(padded)[None].astype(np.float32) / 255)

    found = enlarged(upscaler(card=card), [clip])

    with torch.no_grad():
        exact = torch.pixel_shuffle(network(given)[0], 2)[:, 0].numpy() * 255
    for planes, truth, single in zip(found, exact, padded, strict=True):
        truth = truth[: 2 * HEIGHT, : 2 * WIDTH]
        assert np.abs(planes[0] - truth.clip(0, 255)).max() <= 1
        assert np.abs(truth - single[:HEIGHT, :WIDTH].repeat(2, 0).repeat(2, 1)).mean() > 1


@pytest.mark.parametrize("card", [CARD, FUSING], ids=lambda card: card.name)
def test_scenes_know_nothing_of_each_other(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "CHUNK", 4)
    monkeypatch.setattr(ModelCard, "context", (4, 2))
    scenes = [moving(count, seed=seed) for seed, count in enumerate((1, 6, 3, 9))]

    joined = enlarged(upscaler(card=card), scenes)

    alone = [planes for scene in scenes for planes in enlarged(upscaler(card=card), [scene])]
    for found, expected in zip(joined, alone, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])


def test_what_was_dropped_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "CHUNK", 4)
    made, clip = upscaler(), moving(6, seed=1)
    for planes in moving(8):
        made.submit([planes])
    made.collect()

    made.drop()
    made.submit([clip[0]])

    np.testing.assert_array_equal(made.collect()[0], enlarged(upscaler(), [clip[:1]])[0][0])


@pytest.mark.parametrize("failing", [3, 30])
def test_a_lack_of_memory_makes_tiles_smaller_and_loses_no_frame(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk is answered again from what the one before left."""
    monkeypatch.setattr(recurrent, "CHUNK", 4)
    monkeypatch.setattr(ModelCard, "context", (4, 2))
    cells = TorchCells(lambda call: call == failing)
    made, clip = upscaler(cells, width=390), moving(7, width=390)

    found = enlarged(made, [clip])

    assert cells.opened == [(48, 400), (48, 336)]  # a tile of 208 and 64 positions around it
    assert made.tile == (48, 208)
    assert made.notices == ("out of memory: went on with tiles of 208x48",)
    assert len(found) == 7
    whole = enlarged(upscaler(width=390), [clip])
    for planes, expected in zip(found, whole, strict=True):
        error = np.abs(planes[0].astype(int) - expected[0])
        assert error.max() <= 1
        assert error.mean() < 0.02


def test_the_smallest_tile_may_not_fit_either() -> None:
    with pytest.raises(OutOfMemoryError, match="out of memory with the smallest tile of 32x32"):
        enlarged(upscaler(TorchCells(lambda call: call > 5)), [moving(3)])


def test_tiles_that_were_chosen_before_are_taken_as_they_are() -> None:
    made = upscaler(tile=(32, 48))

    assert made.tile == (32, 48)
    assert upscaler(tile=(16, 16)).tile == (16, 16)  # of a smaller picture: no user's choice


def test_memory_is_estimated_for_whole_pictures_and_tiles() -> None:
    def smallest(limit: int) -> tuple[int, int]:
        made = RecurrentUpscaler(
            CARD, pixel_format=pixel_format("gray"), colour=Colour(), width=640, height=480,
            memory_limit=limit << 20, opener=TorchCells().open,
        )  # fmt: skip
        return made.tile

    assert smallest(2000) == (480, 640)
    assert smallest(400) < (480, 640)
    with pytest.raises(OutOfMemoryError, match="the smallest tile needs about"):
        smallest(150)


@pytest.mark.parametrize("card", [CARD, FUSING], ids=lambda card: card.name)
def test_tiles_hardly_differ_from_the_whole(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "CHUNK", 4)
    cells, clip = TorchCells(name=card.name), moving(6, width=250)

    tiled = enlarged(upscaler(cells, width=250, tile=32, card=card), [clip])
    whole = enlarged(upscaler(width=250, card=card), [clip])

    assert cells.opened == [(48, 32 + 2 * CARD.radius)]
    for found, expected in zip(tiled, whole, strict=True):
        assert np.abs(found[0].astype(int) - expected[0]).max() <= 1


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv420p10le", "yuv444p", "gray16le", "gbrp"])
def test_formats_come_back_larger_and_flat_stays_flat(fmt: str) -> None:
    form = pixel_format(fmt)
    values = [int(share * form.max_value) for share in (0.31, 0.62, 0.77)]
    planes = tuple(
        np.full(plane_size(form, n, width=WIDTH, height=HEIGHT), values[n], form.dtype)
        for n in range(form.num_planes)
    )

    found = enlarged(upscaler(fmt=fmt), [[planes] * 3])

    for answer in found:
        for n, plane in enumerate(answer):
            assert plane.shape == plane_size(form, n, width=2 * WIDTH, height=2 * HEIGHT)
            assert np.abs(plane.astype(int) - values[n]).max() <= (form.bits == 16)


@pytest.mark.parametrize(("first", "stop"), [(0, 7), (9, 20), (14, 30)])
def test_a_part_with_its_context_is_the_whole_clip(first: int, stop: int) -> None:
    clip = [
        Frame(
            planes=planes,
            format=pixel_format("gray"),
            index=t,
            pts=t,
            time_base=Fraction(1, 25),
            colour=Colour(),
        )
        for t, planes in enumerate(moving(30))
    ]
    past, future = CARD.context

    whole = list(enhance(clip, upscaler(), CARD))
    seen = clip[max(first - past, 0) : stop + future]
    part = list(enhance(seen, upscaler(), CARD, first=first, stop=stop))

    assert [frame.index for frame in part] == list(range(first, stop))
    for found, expected in zip(part, whole[first:stop], strict=True):
        error = np.abs(found.planes[0].astype(int) - expected.planes[0])
        assert error.max() <= 1


def opened(card: ModelCard, fmt: str = "gray", **options: str) -> RecurrentUpscaler:
    return RecurrentUpscaler(
        card, pixel_format=pixel_format(fmt), colour=Colour(chroma_location=1), width=WIDTH,
        height=HEIGHT, threads=1, **options,
    )  # fmt: skip


@pytest.mark.parametrize("card", [CARD, FUSING], ids=lambda card: card.name)
@pytest.mark.parametrize(
    ("device", "precision", "most", "mean"),
    [("cpu", "f32", 1, 0.02), ("cpu", "bf16", 3, 0.35), ("ort-cpu", "f32", 1, 0.02)],
)
@pytest.mark.usefixtures("slow_bf16")
def test_engines_agree_with_the_cells(
    device: str,
    precision: str,
    most: int,
    mean: float,
    card: ModelCard,
    small_cards: Callable[[str], ModelCard],
) -> None:
    clip = moving(5)

    made = opened(small_cards(card.name), device=device, precision=precision)

    report = made.describe()
    assert (report.device, report.precision) == (device, precision)
    truth = enlarged(upscaler(card=card), [clip])
    for found, expected in zip(enlarged(made, [clip]), truth, strict=True):
        error = np.abs(found[0].astype(int) - expected[0])
        assert error.max() <= most
        assert error.mean() < mean


@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
@pytest.mark.usefixtures("shared_traces")
def test_answers_moved_by_a_cubic_are_those_of_training(device: str, tmp_path: Path) -> None:
    assert isinstance(CARD.network, RecurrentConfig)
    config = replace(CARD.network, interpolation="bicubic")
    network = random_network("recurrent")
    told = {"training_data": (), "degradation": "none", "steps": 0, "commit": ""}
    weights = dict(network.state_dict())
    card = export_card(
        name="cubic", summary="", config=config, weights=weights, folder=tmp_path, **told
    )
    random = np.random.default_rng(8)
    shapes = [(1, 4, 32, 48), (1, 2, 8, 12), (1, 6, 32, 48), (1, 4, 32, 48)]
    given = [random.random(shape, np.float32) for shape in shapes]
    given[1] = 6 * given[1] - 3

    cells = open_cells(card, 32, 48, device=device, precision="f32", threads=1)
    found = cells.run("aligned", *given)

    with torch.no_grad():
        expected = Aligned("bicubic")(*(torch.from_numpy(values) for values in given))
        other = Aligned("bilinear")(*(torch.from_numpy(values) for values in given))
    for values, truth in zip(found, expected, strict=True):
        assert np.abs(values - truth.numpy()).max() < 2e-4
    assert np.abs(found[1] - other[1].numpy()).max() > 0.05


@pytest.mark.parametrize(
    ("fmt", "precision"), [("gray", "bf16"), ("gray10le", "bf16"), ("gray12le", "f32")]
)
@pytest.mark.usefixtures("slow_bf16")
def test_flat_stays_flat_in_what_the_machine_prefers(fmt: str, precision: str) -> None:
    made = opened(load_card("best-x4"), fmt, device="cpu")
    form = pixel_format(fmt)
    level = int(0.77 * form.max_value)

    found = enlarged(made, [[(np.full((HEIGHT, WIDTH), level, form.dtype),)] * 4])

    assert made.describe().precision == precision
    for (plane,) in found:
        assert (plane.min(), plane.max()) == (level, level)


@pytest.mark.parametrize(("bits", "shorter"), [(8, True), (10, False)])
@pytest.mark.usefixtures("slow_bf16")
def test_first_answers_are_bf16_for_bytes_alone(*, bits: int, shorter: bool) -> None:
    """Bytes go through bf16 as levels, exactly; deeper levels would be rounded."""
    card, limit = load_card("best-x4"), np.float32((1 << bits) - 1)
    random = np.random.default_rng(3)
    levels = random.integers(0, 1 << bits, (1, 1, 1, 4)).repeat(16, 2).repeat(16, 3)  # blocks
    luma = levels.reshape(1, 1, 16, 64).astype(np.float32) / limit

    exact, found = (
        open_cells(card, 16, 64, bits=bits, device="cpu", precision=precision).run("first", luma)[0]
        for precision in ("f32", "bf16")
    )

    error = np.abs(found - exact) * 255
    assert (error.max() > 0) == shorter
    assert error.mean() < 0.1
    assert error.max() < 3


def test_a_recurrent_card_is_not_opened_as_one_network() -> None:
    with pytest.raises(OptionError, match=r"recurrent is recurrent: .* open_cells\(\)"):
        open_session(CARD, 32, 32)
