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
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, cast

import numpy as np

from upreel.inference.base import PictureUpscaler
from upreel.inference.engine import Cells, Values
from upreel.inference.packing import unpack_answer
from upreel.inference.picture import Planes
from upreel.inference.selection import open_cells
from upreel.inference.tiles import TileLayout
from upreel.video.frame import Plane
from upreel.zoo import ModelCard, RecurrentConfig

__all__ = ["CHUNK", "RecurrentUpscaler"]

CHUNK = 16
"""Frames answered at once."""
_FEATURE_MAPS = 8  # that an engine holds at work, as wide as the widest: measured with OpenVINO
_OPENED = 140 << 20  # bytes of an engine with four cells opened, whatever their size

_Crop = tuple[EllipsisType, slice, slice]
_State = tuple[Values, Values, Values]  # features (1, C, H, W), answer (1, A, H, W), level (C,)


@dataclass(kw_only=True, eq=False)
class _Job:
    """A submitted frame.

    Attributes:
        planes: of the source.
        begins: whether a scene begins with it.
        luma: of the whole grid (H, W), integers, from when its chunk or the one before is answered.
        alone: the answer to it alone, kept for the next chunk where the picture is one tile.
        first: its first answer, kept so too; where it is made from several frames', once all of
            them were there.
        answer: luma of the output, once it is known.
    """

    planes: Planes
    begins: bool
    luma: Plane | None = None
    alone: Values | None = None
    first: Values | None = None
    answer: Plane | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Carried:
    """What a chunk leaves to the next one of its scene, of the whole picture."""

    state: _State
    lumas: list[Plane]  # of the last frames, as many as a first answer looks back


class RecurrentUpscaler(PictureUpscaler[Cells]):
    """A recurrent network bound to one picture size and format."""

    def _begin(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._begins = True
        self._carried: _Carried | None = None

    @property
    def _channels(self) -> int:
        """Features that are carried."""
        assert isinstance(self.card.network, RecurrentConfig)
        return self.card.network.channels

    @property
    def _offsets(self) -> tuple[int, ...]:
        """Frames that a first answer is made from."""
        assert isinstance(self.card.network, RecurrentConfig)
        return self.card.network.window

    @property
    def _ahead(self) -> int:
        """Frames looked at ahead."""
        return self.card.context[1]

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return CHUNK + self._ahead

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
        self._jobs.append(_Job(planes=planes, begins=self._begins))
        self._begins = False

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        if self._jobs[0].answer is None:
            self._tiles.retrying(self._answer_chunk, self._forget_first_answers)
        job = self._jobs.popleft()
        assert job.answer is not None
        return self._form.finish(job.planes, (job.answer,))

    def drop(self) -> None:
        """Forget all that was submitted; the next frame begins a scene."""
        self._jobs.clear()
        self._carried = None
        self.reset()

    def _open(self, card: ModelCard, height: int, width: int, **options: Any) -> Cells:  # noqa: ANN401
        return open_cells(card, height, width, **options)

    def _needed(self, layout: TileLayout) -> int:
        """Rough bytes: of the engine, of a tile's chunk, and of what is kept of whole pictures."""
        network, fuses = self.card.network, len(self._offsets) > 1
        answer, state = network.scale**2, self._channels + network.scale**2
        frames = CHUNK + self._ahead
        tile = frames * (1 + answer * (2 if fuses else 1)) + (CHUNK + 4) * state + CHUNK * answer
        tile += _FEATURE_MAPS * network.widest
        whole = 4 * 2 * state + self._form.dtype(0).itemsize * (frames * 3 + CHUNK * answer)
        return _OPENED + 4 * math.prod(layout.window) * tile + math.prod(layout.padded) * whole

    def _forget_first_answers(self) -> None:
        """They were those of another tile."""
        for job in self._jobs:
            job.alone = job.first = None

    def _answer_chunk(self) -> None:
        """The oldest frames, up to the end of their scene, and what they leave to the next ones."""
        waiting = list(self._jobs)
        ends = next((k for k, job in enumerate(waiting) if k and job.begins), len(waiting))
        seen = waiting[: min(ends, CHUNK + self._ahead)]
        chunk = seen[:CHUNK]
        layout, scale = self._tiles.layout, self.card.scale
        if seen[0].begins:
            self._carried = None
        before = [] if self._carried is None else self._carried.lumas
        lumas = [*before, *(self._luma(job) for job in seen)]
        answers = [self._form.empty_answer()[0] for _ in chunk]
        back = max(1, -min(self._offsets))
        kept = lumas[: len(before) + len(chunk)][-back:]
        left = _Carried(state=self._state(layout.padded), lumas=kept)
        for y, x in layout.corners:
            place = layout.place(y, x)
            window = _crop(place, layout.window)
            inner = _crop((y - place[0], x - place[1]), (layout.tile_height, layout.tile_width))
            tile = _Tile(self._tiles.network, [self._values(luma[window]) for luma in lumas])
            firsts = self._first_answers(seen, tile)
            refined, state = self._refined(tile, firsts, len(chunk), window)
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
            job.answer, job.luma, job.alone, job.first = answer, None, None, None
        self._carried = left

    def _luma(self, job: _Job) -> Plane:
        """On the network's grid; what a picture lacks for that repeats its last sample."""
        if job.luma is None:
            plane, _ = self._form.network_planes(job.planes)
            sizes = zip(self._tiles.layout.padded, plane.shape, strict=True)
            missing = [(0, size - side) for size, side in sizes]
            job.luma = cast("Plane", np.pad(plane, missing, mode="edge"))
        return job.luma

    def _values(self, luma: Plane) -> Values:
        """In [0, 1], (1, 1, H, W)."""
        return luma.astype(np.float32)[None, None] / np.float32((1 << self._form.bits) - 1)

    def _first_answers(self, seen: Sequence[_Job], tile: "_Tile") -> list[Values]:
        """To each frame. Of the frames looked at ahead the next chunk needs them again.

        Args:
            seen: the frames, the last ones of the tile's.
            tile: theirs and some before.
        """
        before, last = len(tile.lumas) - len(seen), len(tile.lumas) - 1
        fuses, keeps = len(self._offsets) > 1, self._tiles.layout.is_whole
        past = before if fuses else 0
        alone = [tile.run("first", luma)[0] for luma in tile.lumas[:past]]
        for job, luma in zip(seen, tile.lumas[before:], strict=True):
            answer = tile.run("first", luma)[0] if job.alone is None else job.alone
            if keeps:
                job.alone = answer
            alone.append(answer)
        if not fuses:
            return alone
        found: list[Values] = []
        for here, job in enumerate(seen, start=before):
            first = job.first
            if first is None:
                window = [min(max(here + offset, 0), last) for offset in self._offsets]
                answers = np.concatenate([alone[t] for t in window], axis=1)
                motion = np.concatenate([tile.motion(here, t) for t in window[1:]], axis=1)
                (first,) = tile.run("fused", answers, motion)
            if keeps and here + max(self._offsets) <= last:
                job.first = first
            found.append(first)
        return found

    def _refined(
        self, tile: "_Tile", answers: Sequence[Values], count: int, window: _Crop
    ) -> tuple[list[Values], _State]:
        """Answers to the first `count` frames of a tile, and the state after them."""
        before = len(tile.lumas) - len(answers)
        behind: list[_State] = []  # of the first frames alone, the last one first
        state: _State | None = None
        for t in reversed(range(len(answers))):
            seen = self._seen(tile, answers[t], before + t, before + t + 1, state)
            state = cast("_State", tile.run("from_future", answers[t], *seen))
            if t < count:
                behind.append(state)
        refined: list[Values] = []
        state = None
        if self._carried is not None:
            features, answer, level = self._carried.state
            state = (
                np.ascontiguousarray(features[window]),
                np.ascontiguousarray(answer[window]),
                level,
            )
        for t in range(count):
            seen = self._seen(tile, answers[t], before + t, before + t - 1, state)
            features, answer, level = behind[-1 - t]
            other = (features, answer - answers[t], level)
            state = cast("_State", tile.run("from_past", answers[t], *seen, *other))
            refined.append(state[1])
        assert state is not None
        return refined, state

    def _seen(
        self, tile: "_Tile", answer: Values, here: int, there: int, state: _State | None
    ) -> _State:
        """What a frame's step sees of the state that frame `there` left; none: a scene begins."""
        if state is None:
            return self._state(answer.shape[2:])
        return tile.aligned(answer, tile.motion(here, there), state)

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


class _Tile:
    """The frames of a tile's chunk and of some before it, and the motion between them.

    Args:
        cells: of the network.
        lumas: in [0, 1], (1, 1, H, W).
    """

    def __init__(self, cells: Cells, lumas: Sequence[Values]) -> None:
        self.run, self.lumas = cells.run, lumas
        self._motions: dict[tuple[int, int], Values] = {}

    def motion(self, here: int, there: int) -> Values:
        """From a frame to another one, (1, 2, H/4, W/4) pixels, by their numbers."""
        found = self._motions.get((here, there))
        if found is None:
            (found,) = self.run("motion", self.lumas[here], self.lumas[there])
            self._motions[here, there] = found
        return found

    def aligned(self, answer: Values, motion: Values, state: _State) -> _State:
        """What a step with that first answer sees of a state, which lies that far away."""
        features, carried, level = state
        return cast("_State", (*self.run("aligned", answer, motion, features, carried), level))


def _crop(corner: tuple[int, int], size: tuple[int, int]) -> _Crop:
    """The last two axes from a corner on."""
    (y, x), (height, width) = corner, size
    return (..., slice(y, y + height), slice(x, x + width))
