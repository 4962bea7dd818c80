"""A recurrent network along a video: frames in, larger frames out, in both directions.

    submitted:  [ chunk: answered at once            ][ looked ahead ] ...
    backward:     <--------------------------------------------------  begins behind the frames seen
    forward:    ->----------------------------------->                 goes on in the next chunk

Frames are answered `CHUNK` at a time. The backward direction begins as many frames later as the
card looks ahead, or where the scene ends; the forward direction takes its state from chunk to chunk
and begins anew with each scene. So memory is that of one chunk, however long the video is, and an
answer depends on where its stretch of video began: callers that cut a video into parts hand each of
them its card's context.

Tiles (`upreel.inference.tiles`) go through a chunk one after the other. What the forward direction
carries is kept for the whole picture, so that the next chunk may be cut otherwise; within a chunk a
tile knows nothing of what entered its surroundings from farther than the card's radius.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import cast

import numpy as np

from upreel.inference.engine import Cells, EngineReport, Values
from upreel.inference.packing import unpack_answer
from upreel.inference.picture import PictureForm, Planes
from upreel.inference.selection import open_cells
from upreel.inference.tiles import TiledNetwork, TileLayout
from upreel.networks.sizes import CELL
from upreel.video.frame import Colour, PixelFormat, Plane
from upreel.zoo import ModelCard, RecurrentConfig

__all__ = ["CHUNK", "RecurrentUpscaler"]

CHUNK = 16
"""Frames answered at once."""

_Crop = tuple[EllipsisType, slice, slice]
_State = tuple[Values, Values, Values]  # features (1, C, H, W), answer (1, A, H, W), level (C,)


@dataclass(kw_only=True, eq=False)
class _Job:
    """A submitted frame.

    Attributes:
        planes: of the source.
        luma: in [0, 1] on the network's grid, (1, 1, H, W).
        begins: whether a scene begins with it.
        kept: by tile its first answer, which a frame looked at ahead needs again.
        answer: luma of the output, once it is known.
    """

    planes: Planes
    luma: Values
    begins: bool
    kept: dict[tuple[int, int], Values] = field(default_factory=dict[tuple[int, int], Values])
    answer: Plane | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Carried:
    """What a chunk leaves to the next one of its scene, of the whole picture."""

    state: _State
    luma: Values


class RecurrentUpscaler:
    """A recurrent network bound to one picture size and format; see `PlaneUpscaler`.

    Args:
        card: the model, whose network is recurrent.
        pixel_format: of the planes, in and out.
        colour: its chroma location is respected.
        width: columns of luma, in.
        height: rows of luma, in.
        output_size: (width, height) out; None for `card.scale` times the input.
        device: "auto", or one of `available_devices()`.
        precision: "auto", or one of the device's.
        threads: of the engine, 0 for all that this process may use.
        tile: largest luma rows and columns of a tile; None lets `memory_limit` decide.
        memory_limit: bytes that the network may use; None for half of what is available.
        open_cells: opens the cells; tests inject engines that run out of memory.

    Raises:
        BackendUnavailableError: no such device or precision here.
        OptionError: a tile or an output size that cannot be.
        OutOfMemoryError: the smallest tile does not fit into `memory_limit`.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        pixel_format: PixelFormat,
        colour: Colour,
        width: int,
        height: int,
        output_size: tuple[int, int] | None = None,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        tile: int | None = None,
        memory_limit: int | None = None,
        open_cells: Callable[..., Cells] = open_cells,
    ) -> None:
        assert isinstance(card.network, RecurrentConfig)
        self.card = card
        self._channels = card.network.channels
        self._ahead = card.context[1]
        self._form = PictureForm(
            card,
            pixel_format=pixel_format,
            colour=colour,
            width=width,
            height=height,
            output_size=output_size,
        )
        self._jobs: deque[_Job] = deque()
        self._begins = True
        self._carried: _Carried | None = None

        def opened(layout: TileLayout) -> Cells:
            return open_cells(
                card, *layout.window, device=device, precision=precision, threads=threads
            )

        self._tiles = TiledNetwork(
            card,
            height,
            width,
            tile=tile,
            memory_limit=memory_limit,
            needed=self._needed,
            opened=opened,
        )

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return CHUNK + self._ahead

    @property
    def tile(self) -> tuple[int, int]:
        """Luma rows and columns that the network sees at once."""
        return self._tiles.layout.tile

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: a tile made smaller on the way."""
        return tuple(self._tiles.notices)

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._tiles.network.describe()

    def reset(self) -> None:
        """The next frame submitted begins a scene."""
        self._begins = True

    def submit(self, window: Sequence[Planes]) -> None:
        """Take a frame; nothing is computed before frames are collected.

        Args:
            window: the planes of one frame.
        """
        (planes,) = window
        assert len(self._jobs) < self.depth, "collect() before the next submit()"
        layout = self._tiles.layout
        plane, _ = self._form.network_planes(planes)
        missing = [(0, s - n) for s, n in zip(layout.padded, plane.shape, strict=True)]
        limit = np.float32((1 << self._form.bits) - 1)
        luma = np.pad(plane.astype(np.float32) / limit, missing, mode="edge")
        self._jobs.append(_Job(planes=planes, luma=luma[None, None], begins=self._begins))
        self._begins = False

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        if self._jobs[0].answer is None:
            self._tiles.retrying(self._answer_chunk, self._forget_tiles)
        job = self._jobs.popleft()
        assert job.answer is not None
        return self._form.finish(job.planes, (job.answer,))

    def drop(self) -> None:
        """Forget all that was submitted; the next frame begins a scene."""
        self._jobs.clear()
        self.reset()

    def _needed(self, layout: TileLayout) -> int:
        """Rough bytes of a tile's chunk: first answers, backward states, feature maps at work."""
        network = self.card.network
        answer, state = network.scale**2, self._channels + network.scale**2
        values = (CHUNK + self._ahead) * (1 + answer) + (CHUNK + 3) * state + 3 * network.widest
        return 4 * math.prod(layout.window) * values

    def _forget_tiles(self) -> None:
        """They are cut anew."""
        for job in self._jobs:
            job.kept.clear()

    def _answer_chunk(self) -> None:
        """The oldest frames, up to the end of their scene, and what they leave to the next ones."""
        waiting = list(self._jobs)
        ends = next((k for k, job in enumerate(waiting) if k and job.begins), len(waiting))
        seen = waiting[: min(ends, CHUNK + self._ahead)]
        chunk = seen[:CHUNK]
        layout, scale = self._tiles.layout, self.card.scale
        answers = [self._form.empty_answer()[0] for _ in chunk]
        left = _Carried(state=self._state(layout.padded), luma=chunk[-1].luma)
        for y, x in layout.corners:
            place = layout.place(y, x)
            window = _crop(place, layout.window)
            inner = _crop((y - place[0], x - place[1]), (layout.tile_height, layout.tile_width))
            refined, state = self._refined(seen, len(chunk), place, window)
            for answer, plane in zip(refined, answers, strict=True):
                part = plane[scale * y : scale * (y + layout.tile_height)]
                part = part[:, scale * x : scale * (x + layout.tile_width)]
                unpack_answer(self._levels(answer[inner]), scale, part, None, "luma")
            outer = _crop((y, x), (layout.tile_height, layout.tile_width))
            for whole, of_tile in zip(left.state[:2], state[:2], strict=True):
                whole[outer] = of_tile[inner]
            left.state[2][:] = state[2]
        # Only now: where memory runs out on the way the chunk is answered again.
        for job, answer in zip(chunk, answers, strict=True):
            job.answer = answer
            job.kept.clear()
        self._carried = left

    def _refined(
        self,
        seen: Sequence[_Job],
        count: int,
        place: tuple[int, int],
        window: _Crop,
    ) -> tuple[list[Values], _State]:
        """Answers to the first `count` frames in a window, and the state after them."""
        cells = self._tiles.network
        lumas = [np.ascontiguousarray(job.luma[window]) for job in seen]
        for job, luma in zip(seen, lumas, strict=True):
            if place not in job.kept:
                (job.kept[place],) = cells.run("first", luma)
        answers = [job.kept[place] for job in seen]
        behind: list[_State] = []  # of the first frames alone, the last one first
        state: _State | None = None
        for t in reversed(range(len(seen))):
            given = (
                self._begun(answers[t])
                if state is None
                else (self._motion(lumas[t], lumas[t + 1]), *state)
            )
            state = cast("_State", cells.run("from_future", answers[t], *given))
            if t < count:
                behind.append(state)
        refined: list[Values] = []
        state = None
        for t in range(count):
            if state is not None:
                given = (self._motion(lumas[t], lumas[t - 1]), *state)
            elif seen[0].begins or self._carried is None:
                given = self._begun(answers[t])
            else:
                features, answer, level = self._carried.state
                before = np.ascontiguousarray(self._carried.luma[window])
                given = (
                    self._motion(lumas[t], before),
                    np.ascontiguousarray(features[window]),
                    np.ascontiguousarray(answer[window]),
                    level,
                )
            state = cast("_State", cells.run("from_past", answers[t], *given, *behind[-1 - t]))
            refined.append(state[1])
        assert state is not None
        return refined, state

    def _motion(self, current: Values, other: Values) -> Values:
        (motion,) = self._tiles.network.run("motion", current, other)
        return motion

    def _begun(self, answer: Values) -> tuple[Values, Values, Values, Values]:
        """Motion and state that a scene begins with."""
        rows, columns = answer.shape[2:]
        features, _, level = self._state((rows, columns))
        motion = np.zeros((1, 2, rows // CELL, columns // CELL), np.float32)
        return motion, features, answer, level

    def _state(self, size: tuple[int, int]) -> _State:
        """Of zeros."""
        return (
            np.zeros((1, self._channels, *size), np.float32),
            np.zeros((1, self.card.scale**2, *size), np.float32),
            np.zeros(self._channels, np.float32),
        )

    def _levels(self, answer: Values) -> Plane:
        """An answer as integers, channels last."""
        limit = np.float32((1 << self._form.bits) - 1)
        levels = np.clip(answer[0] * limit + np.float32(0.5), 0, limit + np.float32(0.5))
        return cast("Plane", np.ascontiguousarray(levels.transpose(1, 2, 0), self._form.dtype))


def _crop(corner: tuple[int, int], size: tuple[int, int]) -> _Crop:
    """The last two axes from a corner on."""
    (y, x), (height, width) = corner, size
    return (..., slice(y, y + height), slice(x, x + width))
