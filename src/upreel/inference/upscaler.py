"""Planes in, planes out: one frame of any format through a network of either layout.

Margins: the border samples of a frame are repeated outwards as far as the card says. Tiles: see
`upreel.inference.tiles`; one that does not fit after all is halved and the same frame tried again.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from upreel.inference.engine import Batch, EngineReport, Session
from upreel.inference.packing import pack_frame, pad_margins, unpack_answer
from upreel.inference.picture import PictureForm, Planes
from upreel.inference.selection import open_session
from upreel.inference.tiles import TiledNetwork, TileLayout
from upreel.networks.sizes import CHANNELS
from upreel.video.frame import Colour, PixelFormat
from upreel.zoo import ModelCard

__all__ = ["PlaneUpscaler"]


@dataclass(kw_only=True)
class _Job:
    """A submitted frame: kept until it is collected, so that it can be tried again."""

    window: tuple[Planes, ...]
    batch: Batch | None = None  # what the engine reads, while it runs


class PlaneUpscaler:
    """A network bound to one picture size and format.

    Frames go in by `submit` and come out by `collect` in the same order; up to `depth` may be on
    their way, so that the network runs while the caller decodes and encodes.

    Args:
        card: the model.
        pixel_format: of the planes, in and out.
        colour: its chroma location is respected.
        width: columns of luma, in.
        height: rows of luma, in.
        output_size: (width, height) out; None for `card.scale` times the input.
        device: "auto", or one of `available_devices()`.
        precision: "auto", or one of the device's.
        threads: of the engine, 0 for all that this process may use.
        tile: largest luma rows and columns of a tile, a pair for those chosen before; None lets
            `memory_limit` decide.
        memory_limit: bytes that the network may use; None for half of what is available.
        open_session: opens sessions; tests inject engines that run out of memory.

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
        tile: int | tuple[int, int] | None = None,
        memory_limit: int | None = None,
        open_session: Callable[..., Session] = open_session,
    ) -> None:
        self.card = card
        self._form = PictureForm(
            card,
            pixel_format=pixel_format,
            colour=colour,
            width=width,
            height=height,
            output_size=output_size,
        )
        self._jobs: deque[_Job] = deque()

        def opened(layout: TileLayout) -> Session:
            return open_session(
                card,
                *layout.window,
                bits=self._form.bits,
                device=device,
                precision=precision,
                threads=threads,
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
        self._depth = self._tiles.network.depth

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return self._depth

    @property
    def tile(self) -> tuple[int, int]:
        """Luma rows and columns that the network sees at once, without margins."""
        return self._tiles.layout.tile

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: a tile made smaller on the way."""
        return tuple(self._tiles.notices)

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._tiles.network.describe()

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
