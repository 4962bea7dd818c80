"""A frame-recurrent network along a video: one frame in, one larger frame out, none waited for.

The answer before and the features that are carried with it are moved onto a frame by whole samples,
which is copying bytes: for each position s rows of s neighbouring samples of the answer, and all of
its features. So what goes from frame to frame is integers of the picture's depth, and the network's
session is one like any other: code values in, code values out.

    seen    (H, W, 1 + s^2 + K): the frame, the answer before, packed, and the features before
    answer  (H, W, s^2 + K): the frame's answer, packed, and its features

One frame may be on its way while the one before is collected: the network works while the caller
encodes. Tiles see the whole picture's state, and its border, not theirs, is where it ends.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import resample
from upreel.inference.base import PictureUpscaler
from upreel.inference.engine import Batch, Cells, EngineReport, Session, Values
from upreel.inference.packing import unpack_answer
from upreel.inference.picture import Planes
from upreel.inference.selection import open_cells, open_session
from upreel.inference.tiles import TileLayout
from upreel.networks.sizes import CELL
from upreel.video.frame import Plane
from upreel.zoo import FrameRecurrentConfig, ModelCard

__all__ = ["FrameRecurrentUpscaler", "StepNetwork", "moved_state"]

_FEATURE_MAPS = 8  # of the widest, that an engine holds at work: measured with OpenVINO
_OPENED = 60 << 20  # bytes of an engine with both networks opened, whatever their size


@dataclass(frozen=True, kw_only=True, eq=False)
class StepNetwork:
    """What a picture size is opened for.

    Attributes:
        session: of the step.
        cells: of motion between two frames, its grid divisible by `multiple`.
        multiple: rows and columns.
    """

    session: Session
    cells: Cells
    multiple: int

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self.session.describe()

    def motion(self, here: Plane, before: Plane, limit: int) -> Values:
        """From a frame to the one before it, (2, H/4, W/4) samples.

        Args:
            here: luma (H, W), sides divisible by 4.
            before: likewise.
            limit: their largest value.
        """
        rows, columns = here.shape
        missing = [(0, -side % self.multiple) for side in here.shape]
        values = (
            np.pad(plane.astype(np.float32), missing, mode="edge")[None, None] / np.float32(limit)
            for plane in (here, before)
        )
        (found,) = self.cells.run("motion", *values)
        return found[0, :, : rows // CELL, : columns // CELL]


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """What a frame leaves to the next one.

    Attributes:
        luma: of the source, (H, W).
        answer: luma (s H + 2 s, s W + 2 s), s samples of border around it.
        features: (H, W, K).
    """

    luma: Plane
    answer: Plane
    features: Plane


@dataclass(kw_only=True, eq=False)
class _Job:
    """A submitted frame, kept until it is collected, so that it can be tried again.

    Attributes:
        planes: of the source.
        begins: whether a scene begins with it.
        luma: on the network's grid (H, W), once it is needed.
        seen: what the network reads while it runs, of a picture that is one tile.
        state: once the frame is answered.
    """

    planes: Planes
    begins: bool
    luma: Plane | None = None
    seen: Batch | None = None
    state: _State | None = None


class FrameRecurrentUpscaler(PictureUpscaler[StepNetwork]):
    """A frame-recurrent network bound to one picture size and format."""

    def _begin(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._begins = True
        self._last: _State | None = None  # of the newest frame that is answered

    @property
    def _config(self) -> FrameRecurrentConfig:
        assert isinstance(self.card.network, FrameRecurrentConfig)
        return self.card.network

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return 2

    def reset(self) -> None:
        """The next frame submitted begins a scene."""
        self._begins = True

    def submit(self, window: Sequence[Planes]) -> None:
        """Take a frame, and start on it once the one before is answered.

        Args:
            window: the planes of one frame. They must not change before it is collected.
        """
        (planes,) = window
        assert len(self._jobs) < self.depth, "collect() before the next submit()"
        self._jobs.append(_Job(planes=planes, begins=self._begins))
        self._begins = False
        self._tiles.retrying(self._start_newest, self._forget)

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        job = self._jobs[0]
        state = self._tiles.retrying(lambda: self._finished(job), self._forget)
        self._jobs.popleft()
        s, (rows, columns) = self.card.scale, self._form.in_size
        luma = state.answer[s : s + s * rows, s : s + s * columns]
        return self._form.finish(job.planes, (cast("Plane", np.ascontiguousarray(luma)),))

    def drop(self) -> None:
        """Forget all that was submitted; the next frame begins a scene."""
        self._jobs.clear()
        self._last = None
        if self._tiles.is_open:
            self._tiles.network.session.drop()
        self.reset()

    def _open(self, card: ModelCard, height: int, width: int, **options: Any) -> StepNetwork:  # noqa: ANN401
        multiple = self._config.motion_multiple
        rows, columns = (-(-side // multiple) * multiple for side in (height, width))
        return StepNetwork(
            session=open_session(card, height, width, **options),
            cells=open_cells(card, rows, columns, only=("motion",), **options),
            multiple=multiple,
        )

    def _needed(self, layout: TileLayout) -> int:
        """Rough bytes: of the engine at work on a tile, and of three states and two answers."""
        config = self._config
        each = config.scale**2 + config.carried
        size = self._form.dtype(0).itemsize
        tile = 4 * _FEATURE_MAPS * config.widest + size * 2 * (1 + 2 * each)
        state = size * 5 * each
        return _OPENED + math.prod(layout.window) * tile + math.prod(layout.padded) * state

    def _forget(self) -> None:
        """Tiles are cut anew, and what ran is gone."""
        for job in self._jobs:
            job.seen = None

    def _start_newest(self) -> None:
        """Let the network work on the newest frame, once all before it are answered."""
        for job in list(self._jobs)[:-1]:
            self._finished(job)
        self._start(self._jobs[-1])

    def _start(self, job: _Job) -> None:
        """Hand a whole frame to the engine unless it is there already; tiles wait for `_finished`.

        Args:
            job: all before it are answered.
        """
        if self._tiles.layout.is_whole and job.seen is None:
            before = self._before(job)
            job.seen = self._seen(job, before, (0, 0), self._tiles.layout.padded)
            self._tiles.network.session.submit(job.seen[None])

    def _finished(self, job: _Job) -> _State:
        """A frame's state, all before it being answered."""
        if job.state is not None:
            return job.state
        layout, s = self._tiles.layout, self.card.scale
        state = self._empty(self._luma(job))
        if layout.is_whole:
            self._start(job)
            self._keep(self._tiles.network.session.wait()[0][0], state, (0, 0))
        else:
            before = self._before(job)
            for y, x in layout.corners:
                top, left = place = layout.place(y, x)
                seen = self._seen(job, before, place, layout.window)
                answer, _ = self._tiles.network.session.run(seen[None])
                inner = answer[0, y - top :, x - left :]
                self._keep(inner[: layout.tile_height, : layout.tile_width], state, (y, x))
        # The last samples again beyond the border, columns first: corners repeat them.
        plane = state.answer
        plane[:, :s], plane[:, -s:] = plane[:, s : s + 1], plane[:, -s - 1 : -s]
        plane[:s], plane[-s:] = plane[s], plane[-s - 1]
        self._last, job.state, job.seen = state, state, None
        return state

    def _keep(self, answer: Batch, state: _State, corner: tuple[int, int]) -> None:
        """Put what the network gave for a part of the picture into a state."""
        s, (y, x), (rows, columns) = self.card.scale, corner, answer.shape[:2]
        each = s * s
        plane = state.answer[s * (1 + y) : s * (1 + y + rows), s * (1 + x) : s * (1 + x + columns)]
        unpack_answer(answer[..., :each], s, plane, None, "luma")
        state.features[y : y + rows, x : x + columns] = answer[..., each:]

    def _before(self, job: _Job) -> _State:
        """The state that a frame follows: where a scene begins, its own interpolation."""
        if self._last is not None and not job.begins:
            return self._last
        luma = self._luma(job)
        state = self._empty(luma)
        rows, columns = (self.card.scale * side for side in luma.shape)
        larger = resample(luma, rows, columns, kernel="bicubic")
        limit = (1 << self._form.bits) - 1
        levels = cast("Plane", np.clip(np.rint(larger), 0, limit).astype(luma.dtype))
        state.answer[...] = np.pad(levels, self.card.scale, mode="edge")
        state.features[...] = 0
        return state

    def _empty(self, luma: Plane) -> _State:
        """A state of a frame, to be filled."""
        (rows, columns), s = luma.shape, self.card.scale
        return _State(
            luma=luma,
            answer=cast("Plane", np.empty((s * (rows + 2), s * (columns + 2)), luma.dtype)),
            features=cast("Plane", np.empty((rows, columns, self._config.carried), luma.dtype)),
        )

    def _luma(self, job: _Job) -> Plane:
        """On the network's grid; what a picture lacks for that repeats its last sample."""
        if job.luma is None:
            plane, _ = self._form.network_planes(job.planes)
            sizes = zip(self._tiles.layout.padded, plane.shape, strict=True)
            missing = [(0, size - side) for size, side in sizes]
            job.luma = cast("Plane", np.pad(plane, missing, mode="edge"))
        return job.luma

    def _seen(
        self, job: _Job, before: _State, corner: tuple[int, int], size: tuple[int, int]
    ) -> Batch:
        """What the network sees of a part of the picture, (h, w, 1 + s^2 + K)."""
        window = tuple(slice(k, k + n) for k, n in zip(corner, size, strict=True))
        luma, each = self._luma(job), self.card.scale**2
        if before.luma is luma:  # a scene begins
            motion = np.zeros((2, size[0] // CELL, size[1] // CELL), np.float32)
        else:
            limit = (1 << self._form.bits) - 1
            motion = self._tiles.network.motion(luma[window], before.luma[window], limit)
        seen = cast("Batch", np.empty((*size, 1 + each + self._config.carried), luma.dtype))
        seen[..., 0] = luma[window]
        answer, features = moved_state(before.answer, before.features, motion, corner)
        seen[..., 1 : 1 + each], seen[..., 1 + each :] = answer, features
        return seen


def moved_state(
    answer: Plane, features: Plane, motion: Values, corner: tuple[int, int] = (0, 0)
) -> tuple[Plane, Plane]:
    """A state onto the next frame's grid, as `upreel.networks.frame_recurrent.moved` does.

    Args:
        answer: luma (s H + 2 s, s W + 2 s), its last samples repeated s times outwards.
        features: (H, W, K).
        motion: from the next frame to this one, (2, h/4, w/4) samples, of a part of the picture.
        corner: top left of that part.

    Returns:
        The answer packed, (h, w, s^2), and the features (h, w, K) of that part.
    """
    height, width, count = features.shape
    scale, pitch = answer.shape[0] // (height + 2), answer.shape[1]
    flow = _enlarged(_enlarged(motion, 1), 2)
    rows = corner[0] + np.arange(flow.shape[1], dtype=np.int32)[:, None]
    columns = corner[1] + np.arange(flow.shape[2], dtype=np.int32)
    dx, dy = np.rint(flow).astype(np.int32)
    places = np.clip(rows + dy, 0, height - 1) * width + np.clip(columns + dx, 0, width - 1)
    carried = cast("Plane", features.reshape(height * width, count).take(places, axis=0))
    # A position's block of s rows of s samples; from a border's width outside on all are the same.
    dx, dy = np.rint(scale * flow).astype(np.int32)
    top = np.clip(scale * rows + dy, -scale, scale * height) + scale
    left = np.clip(scale * columns + dx, -scale, scale * width) + scale
    places = (top * pitch + left).astype(np.intp)
    size = scale * answer.itemsize
    item = np.dtype(f"u{size}" if size in (2, 4, 8) else (np.void, size))  # numbers go faster
    every = np.ndarray((answer.size - scale + 1,), item, answer, strides=(answer.itemsize,))
    blocks = np.empty((*places.shape, scale), item)
    for row in range(scale):
        blocks[..., row] = every[places + row * pitch]
    return cast("Plane", blocks.view(answer.dtype)), carried


def _enlarged(motion: Values, axis: int) -> Values:
    """Motion of cells for samples along an axis: bilinear between the cells' middles."""
    cells = motion.shape[axis]
    first, share = _between(cells)
    one: Values = motion.take(first, axis)
    other: Values = motion.take(np.minimum(first + 1, cells - 1), axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    return np.add(one, share.reshape(shape) * (other - one), dtype=np.float32)


@lru_cache(maxsize=8)
def _between(cells: int) -> tuple[npt.NDArray[np.intp], Values]:
    """The cell whose middle lies before each sample, and the share of the next one."""
    samples = (np.arange(CELL * cells, dtype=np.float32) + 0.5) / CELL - 0.5
    samples = samples.clip(0, cells - 1)  # beyond the outer middles it stays as it is
    first = samples.astype(np.intp)
    return first, samples - first.astype(np.float32)
