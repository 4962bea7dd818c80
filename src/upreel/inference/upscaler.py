"""Planes in, planes out: one frame of any format through a network of either layout.

Margins: the border samples of a frame are repeated outwards as far as the card says. Tiles: see
`upreel.inference.tiles`; one that does not fit after all is halved and the same frame tried again.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from upreel.inference.base import PictureUpscaler
from upreel.inference.engine import Batch, Session
from upreel.inference.packing import pack_frame, pad_margins, unpack_answer
from upreel.inference.picture import Planes
from upreel.inference.selection import open_session
from upreel.inference.tiles import TileLayout
from upreel.networks.sizes import CHANNELS
from upreel.zoo import ModelCard

__all__ = ["PlaneUpscaler"]


@dataclass(kw_only=True)
class _Job:
    """A submitted frame: kept until it is collected, so that it can be tried again."""

    window: tuple[Planes, ...]
    batch: Batch | None = None  # what the engine reads, while it runs


class PlaneUpscaler(PictureUpscaler[Session]):
    """A network of one window bound to one picture size and format.

    Frames go in by `submit` and come out by `collect` in the same order; up to `depth` may be on
    their way, so that the network runs while the caller decodes and encodes.
    """

    def _begin(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._depth = self._tiles.network.depth

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return self._depth

    def __call__(self, window: Sequence[Planes]) -> Planes:
        """`submit` and `collect` in one."""
        self.submit(window)
        return self.collect()

    def submit(self, window: Sequence[Planes]) -> None:
        """Start on a frame.

        Args:
            window: planes of the frames that the card's window names, in time's order. They must
                not change before the frame is collected.
        """
        past, future = self.card.window
        if len(window) != past + 1 + future:
            raise ValueError(
                f"{self.card.name} takes {past + 1 + future} frames, got {len(window)}"
            )
        assert len(self._jobs) < self.depth, "collect() before the next submit()"
        job = _Job(window=tuple(window))
        self._jobs.append(job)
        self._tiles.retrying(lambda: self._start(job), self._unpack_all)

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        job = self._jobs[0]
        planes = self._tiles.retrying(lambda: self._answer(job), self._unpack_all)
        self._jobs.popleft()
        return self._form.finish(job.window[self.card.window[0]], planes)

    def drop(self) -> None:
        """Forget all that was submitted."""
        self._jobs.clear()
        if self._tiles.is_open:
            self._tiles.network.drop()

    def _unpack_all(self) -> None:
        """Tiles are cut anew, and the memory is needed."""
        for job in self._jobs:
            job.batch = None

    def _open(self, card: ModelCard, height: int, width: int, **options: Any) -> Session:  # noqa: ANN401
        return open_session(card, height, width, **options)

    def _needed(self, layout: TileLayout) -> int:
        """Rough bytes of a session: three f32 feature maps, input and answer in flight."""
        network = self.card.network
        positions = math.prod(layout.window)
        answer = CHANNELS[network.layout] * network.scale**2
        return positions * (3 * 4 * network.widest + 4 * 2 * answer + 8 * answer)

    def _packed(self, job: _Job) -> Batch:
        """The whole frame with its margins, (H + 2m, W + 2m, n T), frames as the card's offsets."""
        layout, offsets = self._tiles.layout, self.card.network.offsets
        channels = CHANNELS[self.card.layout] * len(offsets)
        batch = cast("Batch", np.empty((*layout.padded, channels), self._form.dtype))
        past = self.card.window[0]
        for slot, offset in enumerate(offsets):
            luma, chroma = self._form.network_planes(job.window[past + offset])
            pack_frame(batch, luma, chroma, slot, layout.margin)
        pad_margins(batch, layout.margin, self.card.layout)
        return batch

    def _start(self, job: _Job) -> None:
        """Hand a whole frame to the engine unless it is there already; tiles wait for `_answer`."""
        if self._tiles.layout.is_whole and job.batch is None:
            job.batch = self._packed(job)
            self._tiles.network.submit(job.batch[None])

    def _answer(self, job: _Job) -> Planes:
        """Network planes (luma, and chroma where the network makes it) of a job."""
        scale, layout = self.card.scale, self._tiles.layout
        luma, chroma = self._form.empty_answer()
        m, block, kind = layout.margin, scale * self.card.block, self.card.layout
        if self._tiles.layout.is_whole:
            self._start(job)
            answer, _ = self._tiles.network.wait()
            interior = answer[0, m : m + layout.height, m : m + layout.width]
            unpack_answer(interior, scale, luma, chroma, kind)
        else:
            batch = self._packed(job)
            tile_height, tile_width = layout.tile_height, layout.tile_width
            rows_seen, columns_seen = layout.window
            for y, x in layout.corners:
                top, left = layout.place(y, x)
                part = batch[top : top + rows_seen, left : left + columns_seen]
                tile = cast("Batch", np.ascontiguousarray(part)[None])
                answer, _ = self._tiles.network.run(tile)
                luma_part = luma[block * y : block * (y + tile_height)]
                luma_part = luma_part[:, block * x : block * (x + tile_width)]
                chroma_part = None
                if chroma is not None:
                    rows = slice(scale * y, scale * (y + tile_height))
                    columns = slice(scale * x, scale * (x + tile_width))
                    chroma_part = (chroma[0][rows, columns], chroma[1][rows, columns])
                interior = answer[0, y + m - top :, x + m - left :]
                interior = interior[:tile_height, :tile_width]
                unpack_answer(interior, scale, luma_part, chroma_part, kind)
        return (luma,) if chroma is None else (luma, *chroma)
