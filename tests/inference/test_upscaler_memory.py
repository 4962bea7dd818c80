"""PlaneUpscaler around its engine: order, depth, windows, tiles, and memory that runs out.

Mutations tried: a whole frame handed to a session of tiles after a retry, a tile's margin one
short, tiles' corners not moved back inside, the current frame not first in the batch, frames in
time's order, halved tiles that are no multiples.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from clips import draw_planes
from stand_in_session import RepeatingSession

from upreel.errors import OptionError, OutOfMemoryError
from upreel.inference import PlaneUpscaler
from upreel.inference.engine import Batch
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Plane
from upreel.zoo import FastConfig, Layout, ModelCard
from upreel.zoo.configs import EncoderDecoderConfig

WIDTH, HEIGHT = 100, 75
CARD = ModelCard(
    name="repeating",
    summary="",
    network=FastConfig(scale=2, channels=4, depth=2),
    training_data=(),
    degradation="",
    licence="",
    steps=0,
    commit="",
    sha256="",
    tolerance={"f32": 0.0},
)
WHOLE = (HEIGHT // 2 + 1 + 8) * (WIDTH // 2 + 8)  # packed positions, the margins of 4 counted


def upscaler(
    opens: Callable[..., Any] | None = None,
    *,
    card: ModelCard = CARD,
    **options: int | tuple[int, int] | None,
) -> PlaneUpscaler:
    def open_session(card: ModelCard, height: int, width: int, **_: object) -> RepeatingSession:
        return (opens or RepeatingSession)(card, height, width)

    return PlaneUpscaler(
        card,
        pixel_format=pixel_format("yuv420p"),
        colour=Colour(),
        width=WIDTH,
        height=HEIGHT,
        opener=open_session,
        **options,  # type: ignore[arg-type]
    )


def frame(number: int) -> tuple[Plane, ...]:
    return draw_planes(number, width=WIDTH, height=HEIGHT)


def repeated(planes: tuple[Plane, ...]) -> list[np.ndarray]:
    shapes = [(2 * HEIGHT, 2 * WIDTH), *[(HEIGHT, WIDTH)] * 2]
    return [
        plane.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]
        for plane, shape in zip(planes, shapes, strict=True)
    ]


def assert_same(planes: tuple[Plane, ...], expected: list[np.ndarray]) -> None:
    for plane, wanted in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)


def run_in_flight(made: PlaneUpscaler, count: int) -> list[tuple[Plane, ...]]:
    """As the pipeline does: as many frames on their way as may be."""
    results, waiting = [], 0
    for number in range(count):
        if waiting == made.depth:
            results.append(made.collect())
            waiting -= 1
        made.submit([frame(number)])
        waiting += 1
    return results + [made.collect() for _ in range(waiting)]


def test_frames_come_out_in_order() -> None:
    results = run_in_flight(upscaler(), 5)

    assert len(results) == 5
    for number, planes in enumerate(results):
        assert_same(planes, repeated(frame(number)))


@pytest.mark.parametrize("tile", [32, 34, 60, 75, 100, 1000])
def test_tiles_give_the_same_samples(tile: int) -> None:
    made = upscaler(tile=tile)

    assert max(made.tile) <= max(tile, 32)
    for number, planes in enumerate(run_in_flight(made, 3)):
        assert_same(planes, repeated(frame(number)))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_depth_is_the_engines_and_is_respected(depth: int) -> None:
    made = upscaler(partial(RepeatingSession, depth=depth))

    assert made.depth == depth
    for number in range(depth):
        made.submit([frame(number)])
    with pytest.raises(AssertionError, match="collect"):
        made.submit([frame(9)])
    for number in range(depth):
        assert_same(made.collect(), repeated(frame(number)))


@pytest.mark.parametrize("fails_in", ["open", "submit", "wait"])
@pytest.mark.parametrize("share", [0.9, 0.5])
@pytest.mark.parametrize("depth", [1, 2])
def test_out_of_memory_makes_tiles_smaller_and_loses_no_frame(
    fails_in: str, share: float, depth: int
) -> None:
    made = upscaler(
        partial(RepeatingSession, fits=int(share * WHOLE), fails_in=fails_in, depth=depth)
    )

    results = run_in_flight(made, 5)

    assert len(results) == 5
    for number, planes in enumerate(results):
        assert_same(planes, repeated(frame(number)))
    assert len(made.notices) == {0.9: 1, 0.5: 2}[share]
    rows, columns = made.tile
    assert made.notices[-1] == f"out of memory: went on with tiles of {columns}x{rows}"
    assert rows * columns < HEIGHT * WIDTH


@pytest.mark.parametrize("late", range(5))
def test_memory_may_run_out_at_any_frame(late: int) -> None:
    opened: list[RepeatingSession] = []

    def open_session(card: ModelCard, height: int, width: int) -> RepeatingSession:
        opened.append(RepeatingSession(card, height, width))
        if len(opened) == 1:
            first, calls = opened[0], iter(range(100))
            plain = first.wait

            def wait() -> tuple[Any, object]:
                if next(calls) == late:
                    raise MemoryError
                return plain()

            first.wait = wait  # type: ignore[method-assign]
        return opened[-1]

    results = run_in_flight(upscaler(open_session), 5)

    assert len(opened) == 2
    for number, planes in enumerate(results):
        assert_same(planes, repeated(frame(number)))


def test_tiles_of_a_network_that_works_in_blocks_are_whole_blocks() -> None:
    network = EncoderDecoderConfig(scale=3)  # blocks of 4 samples
    card = replace(CARD, network=network)
    margin = -(-network.radius // 4) * 4
    whole = (76 + 2 * margin) * (WIDTH + 2 * margin)
    made = upscaler(partial(RepeatingSession, fits=int(0.6 * whole), fails_in="submit"), card=card)

    assert made.tile == (76, 100)
    luma = made([frame(1)])[0]

    assert len(made.notices) > 0
    assert all(side % 4 == 0 for side in made.tile)
    np.testing.assert_array_equal(luma, frame(1)[0].repeat(3, axis=0).repeat(3, axis=1))
    assert upscaler(card=card, tile=35).tile == (32, 32)


@pytest.mark.parametrize("fails_in", ["submit", "wait"])
def test_the_smallest_tile_out_of_memory_is_an_error(fails_in: str) -> None:
    made = upscaler(partial(RepeatingSession, fits=0, fails_in=fails_in))

    with pytest.raises(OutOfMemoryError, match="out of memory with the smallest tile of") as caught:
        made([frame(0)])

    assert "\n" not in str(caught.value)
    assert min(made.tile) >= 32


def test_an_engine_that_never_opens_is_an_error() -> None:
    with pytest.raises(OutOfMemoryError, match="the smallest tile"):
        upscaler(partial(RepeatingSession, fits=0, fails_in="open"))


def test_the_memory_limit_chooses_the_tile() -> None:
    whole, cut = upscaler(memory_limit=1 << 30), upscaler(memory_limit=900_000)

    assert whole.tile == (76, 100)
    assert cut.tile[0] * cut.tile[1] < 76 * 100
    assert cut.notices == ()  # chosen beforehand, nothing ran out
    assert_same(cut([frame(1)]), repeated(frame(1)))
    with pytest.raises(
        OutOfMemoryError, match=r"smallest tile needs about \d+ MiB, the limit is 0"
    ):
        upscaler(memory_limit=1000)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(OptionError, match="at least 32 pixels, got 31"):
        upscaler(tile=31)
    with pytest.raises(OptionError, match=r"at least 1x1, got \(0, 40\)"):
        upscaler(output_size=(0, 40))
    with pytest.raises(ValueError, match="repeating takes 1 frames, got 2"):
        upscaler().submit([frame(0), frame(1)])


@pytest.mark.parametrize("tile", [None, 40])
@pytest.mark.parametrize("frames", [2, 3, 5])
@pytest.mark.parametrize("layout", ["packed", "luma"])
def test_the_current_frame_comes_first_and_then_the_nearest(
    layout: Layout, frames: int, tile: int | None
) -> None:
    opened: list[RepeatingSession] = []

    def open_session(card: ModelCard, height: int, width: int) -> RepeatingSession:
        opened.append(RepeatingSession(card, height, width))
        return opened[-1]

    card = replace(CARD, network=replace(CARD.network, frames=frames, layout=layout))
    made = upscaler(open_session, card=card, tile=tile)
    past, future = card.window
    planes = made([frame(5 + k) for k in range(-past, future + 1)])

    assert_same(planes[:1], repeated(frame(5))[:1])
    batch = opened[0].batches[0][0, 4:-4, 4:-4]  # without its margins
    rows, columns = (min(side, 30) for side in batch.shape[:2])  # what every picture has
    for slot, number in enumerate((5, 4, 6, 3, 7)[:frames]):
        luma, *chroma = frame(number)
        if layout == "luma":
            np.testing.assert_array_equal(batch[:rows, :columns, slot], luma[:rows, :columns])
            continue
        seen = batch[:rows, :columns, 6 * slot : 6 * slot + 6]
        np.testing.assert_array_equal(seen[..., 0], luma[::2, ::2][:rows, :columns])
        for n, plane in enumerate(chroma, start=4):
            np.testing.assert_array_equal(seen[..., n], plane[:rows, :columns])
    with pytest.raises(ValueError, match=f"takes {frames} frames, got 1"):
        made([frame(0)])


class Broken(RepeatingSession):
    """Raises once where it is told to, as an interrupt would: what ran is not running any more."""

    def __init__(
        self, card: ModelCard, height: int, width: int, *, fails_in: str, error: type[BaseException]
    ) -> None:
        super().__init__(card, height, width)
        self._place, self._error = fails_in, error

    def submit(self, batch: Batch, state: object = None) -> None:
        if self._place == "submit":
            self._place = ""
            raise self._error
        super().submit(batch, state)

    def wait(self) -> tuple[Batch, object]:
        answer = super().wait()
        if self._place == "wait":
            self._place = ""
            raise self._error
        return answer


@pytest.mark.parametrize("fails_in", ["submit", "wait"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_dropped_after_an_error_does_not_come_back(
    fails_in: str, error: type[BaseException]
) -> None:
    """Leaving early must neither hide the error nor leave a frame behind."""
    made = upscaler(partial(Broken, fails_in=fails_in, error=error))

    with pytest.raises(error):  # noqa: PT012
        try:
            made.submit([frame(0)])
            made.submit([frame(1)])
            made.collect()
        finally:
            made.drop()

    assert_same(made([frame(2)]), repeated(frame(2)))
