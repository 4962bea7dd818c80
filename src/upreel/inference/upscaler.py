"""Planes in, planes out: one frame of any format through a network of either layout.

Packed planes: 4:2:0 with chroma sited left goes through the network whole. Of 4:2:2, 4:4:4 and
otherwise sited chroma the network sees a 4:2:0 form beside luma and answers luma; grey is given
neutral chroma. Luma: the network sees and answers luma alone. What it does not answer, chroma and
alpha, is resized by Lanczos with its own siting. RGB becomes BT.709 Y'CbCr 4:4:4 in floating point
(luma in 16 bits) and comes back.

Margins: the border samples of a frame are repeated outwards as far as the card says.

Tiles: a frame too large for the memory limit is cut into tiles of one size with the card's radius
of samples around each, as far as there are any, so their seams cannot be seen: the same samples
come out. A tile that does not fit after all is halved and the same frame tried again. Sizes,
corners and margins are whole multiples of `card.network.period`, so that a network which pools or
works in blocks meets each sample at the same place of a block, in a tile and in the whole; what a
picture lacks for that at the bottom and right repeats its last sample and is cut off again.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import resample
from upreel.errors import OptionError, OutOfMemoryError
from upreel.inference.engine import Batch, EngineReport, Session
from upreel.inference.packing import pack_frame, pad_margins, unpack_answer
from upreel.inference.selection import open_session
from upreel.video.frame import (
    Colour,
    PixelFormat,
    Plane,
    luma_weights,
    plane_origins,
    plane_size,
)
from upreel.zoo import ModelCard
from upreel.zoo.configs.common import CHANNELS

__all__ = ["PlaneUpscaler", "enlarged_plane", "grid_size", "memory_available"]

Planes = tuple[Plane, ...]
_Values = npt.NDArray[np.float32]
_Triple = tuple[_Values, _Values, _Values]
_T = TypeVar("_T")
_SMALLEST_TILE = 32  # luma rows and columns
_LEFT = (0.5, 0.25)
_RED, _BLUE = map(np.float32, luma_weights(0))  # as good as any for a way there and back
_ONE, _HALF = np.float32(1), np.float32(0.5)


def memory_available() -> int:
    """Bytes that this process may still use: the smaller of free RAM and the cgroup's limit."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        pages = int(fields["MemAvailable"].split()[0]) * 1024
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            text = Path(limit).read_text().strip()
            if text != "max":
                pages = min(pages, max(int(text) - int(Path(used).read_text()), 0))
        except OSError:
            continue
    return pages


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a picture is cut: positions of the network's grid, all multiples of `period`."""

    period: int
    height: int
    width: int
    tile_height: int
    tile_width: int
    margin: int
    radius: int

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the grid with its margins."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns that the network sees of it at once."""
        if (self.tile_height, self.tile_width) == (self.height, self.width):
            return self.padded
        rows, columns = self.padded
        return (
            min(self.tile_height + 2 * self.radius, rows),
            min(self.tile_width + 2 * self.radius, columns),
        )

    def place(self, y: int, x: int) -> tuple[int, int]:
        """Top left of the window of a tile's corner, in the padded grid."""
        spare = [whole - part for whole, part in zip(self.padded, self.window, strict=True)]
        rows, columns = (side + self.margin - self.radius for side in (y, x))
        return min(max(rows, 0), spare[0]), min(max(columns, 0), spare[1])

    @property
    def corners(self) -> list[tuple[int, int]]:
        """Top left of each tile; the last row and column are moved back inside."""
        return [
            (min(y, self.height - self.tile_height), min(x, self.width - self.tile_width))
            for y in range(0, self.height, self.tile_height)
            for x in range(0, self.width, self.tile_width)
        ]


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
        tile: largest luma rows and columns of a tile; None lets `memory_limit` decide.
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
        tile: int | None = None,
        memory_limit: int | None = None,
        open_session: Callable[..., Session] = open_session,
    ) -> None:
        if tile is not None and tile < _SMALLEST_TILE:
            raise OptionError(f"a tile must be at least {_SMALLEST_TILE} pixels, got {tile}")
        if output_size is not None and min(output_size) < 1:
            raise OptionError(f"the output must be at least 1x1, got {output_size}")
        self.card = card
        self.format = pixel_format
        self.colour = colour
        self._in_size = (height, width)
        self.width, self.height = output_size or (card.scale * width, card.scale * height)
        self._options = {"device": device, "precision": precision, "threads": threads}
        self._open = open_session
        # Luma of RGB is made in floating point and given to the network in 16 bits.
        self._bits = 16 if pixel_format.model == "rgb" else pixel_format.bits
        left = plane_origins(pixel_format, colour, 1) == _LEFT
        self._network_chroma = card.layout == "packed" and pixel_format.is_420 and left
        self._jobs: deque[_Job] = deque()
        self._notices: list[str] = []
        limit = memory_limit if memory_limit is not None else memory_available() // 2
        self._layout = self._choose_layout(tile, limit)
        self._session: Session | None = None
        self._retrying(lambda: None)
        self._depth = self._active.depth

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return self._depth

    @property
    def tile(self) -> tuple[int, int]:
        """Luma rows and columns that the network sees at once, without margins."""
        block = self.card.block
        return block * self._layout.tile_height, block * self._layout.tile_width

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: a tile made smaller on the way."""
        return tuple(self._notices)

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._active.describe()

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
        self._retrying(lambda: self._start(job))

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        job = self._jobs[0]
        planes = self._retrying(lambda: self._answer(job))
        self._jobs.popleft()
        return self._finish(job.window[self.card.window[0]], planes)

    # The network's side

    @property
    def _active(self) -> Session:
        assert self._session is not None
        return self._session

    @property
    def _is_whole(self) -> bool:
        layout = self._layout
        return (layout.tile_height, layout.tile_width) == (layout.height, layout.width)

    def _choose_layout(self, tile: int | None, limit: int) -> _Layout:
        period, block = self.card.network.period, self.card.block
        height, width, margin = grid_size(self.card, *self._in_size)
        tile_height, tile_width = height, width
        if tile is not None:
            largest = max(tile // block // period, 1) * period
            tile_height, tile_width = min(height, largest), min(width, largest)
        layout = _Layout(
            period=period,
            height=height,
            width=width,
            tile_height=tile_height,
            tile_width=tile_width,
            margin=margin,
            radius=_up(self.card.network.radius, period),
        )
        while self._needed(layout) > limit:
            smaller = self._halved(layout)
            if smaller is None:
                raise OutOfMemoryError(
                    f"the smallest tile needs about {self._needed(layout) >> 20} MiB, "
                    f"the limit is {limit >> 20} MiB"
                )
            layout = smaller
        return layout

    def _needed(self, layout: _Layout) -> int:
        """Rough bytes of a session: three f32 feature maps, input and answer in flight."""
        network = self.card.network
        positions = math.prod(layout.window)
        answer = CHANNELS[network.layout] * network.scale**2
        return positions * (3 * 4 * network.widest + 4 * 2 * answer + 8 * answer)

    def _halved(self, layout: _Layout) -> _Layout | None:
        """The larger side of the tile halved; None where it would be too small."""
        smallest = _SMALLEST_TILE // self.card.block
        if layout.tile_height >= layout.tile_width:
            side, name = layout.tile_height, "tile_height"
        else:
            side, name = layout.tile_width, "tile_width"
        half = _up(-(-side // 2), layout.period)
        return replace(layout, **{name: half}) if smallest <= half < side else None

    def _open_session(self) -> None:
        self._session = self._open(
            self.card,
            *self._layout.window,
            bits=self._bits,
            **self._options,
        )

    def _retrying(self, action: Callable[[], _T]) -> _T:
        """Do it; where memory runs out, make the tile smaller and do it again."""
        while True:
            try:
                if self._session is None:
                    self._open_session()
                return action()
            except MemoryError as error:
                smaller = self._halved(self._layout)
                if smaller is None:
                    raise OutOfMemoryError(
                        f"out of memory with the smallest tile of {self.tile[1]}x{self.tile[0]}"
                    ) from error
                self._session = None  # give its memory back before the next one takes any
                self._layout = smaller
                for job in self._jobs:
                    job.batch = None  # tiles are cut anew, and the memory is needed
                self._notices.append(
                    f"out of memory: went on with tiles of {self.tile[1]}x{self.tile[0]}"
                )

    def _packed(self, job: _Job) -> Batch:
        """The whole frame with its margins, (H + 2m, W + 2m, n T), frames as the card's offsets."""
        layout, offsets = self._layout, self.card.network.offsets
        dtype = np.uint8 if self._bits == 8 else np.uint16
        channels = CHANNELS[self.card.layout] * len(offsets)
        batch = cast("Batch", np.empty((*layout.padded, channels), dtype))
        past = self.card.window[0]
        for slot, offset in enumerate(offsets):
            luma, chroma = self._network_planes(job.window[past + offset])
            pack_frame(batch, luma, chroma, slot, layout.margin)
        pad_margins(batch, layout.margin, self.card.layout)
        return batch

    def _start(self, job: _Job) -> None:
        """Hand a whole frame to the engine unless it is there already; tiles wait for `_answer`."""
        if self._is_whole and job.batch is None:
            job.batch = self._packed(job)
            self._active.submit(job.batch[None])

    def _answer(self, job: _Job) -> Planes:
        """Network planes (luma, and chroma where the network makes it) of a job."""
        scale, layout = self.card.scale, self._layout
        dtype = np.uint8 if self._bits == 8 else np.uint16
        height, width = self._in_size
        luma = cast("Plane", np.empty((scale * height, scale * width), dtype))
        chroma: tuple[Plane, Plane] | None = None
        if self._network_chroma:
            size = plane_size(self.format, 1, width=scale * width, height=scale * height)
            chroma = (cast("Plane", np.empty(size, dtype)), cast("Plane", np.empty(size, dtype)))
        m, block, kind = layout.margin, scale * self.card.block, self.card.layout
        if self._is_whole:
            self._start(job)
            answer, _ = self._active.wait()
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
                answer, _ = self._active.run(tile)
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

    # The planes' side

    def _network_planes(self, planes: Planes) -> tuple[Plane, tuple[Plane, Plane] | None]:
        """Luma, and for packed planes 4:2:0 chroma sited left, integers of `_bits` bits."""
        if self.card.layout == "luma":
            if self.format.model == "rgb":
                return _to_levels(_from_rgb(planes, self.format.max_value)[0], 16), None
            return planes[0], None
        if self._network_chroma:
            return planes[0], (planes[1], planes[2])
        height, width = -(-self._in_size[0] // 2), -(-self._in_size[1] // 2)
        if self.format.model == "gray":
            neutral = np.full((height, width), 1 << (self._bits - 1), planes[0].dtype)
            return planes[0], (cast("Plane", neutral), cast("Plane", neutral))
        if self.format.model == "rgb":
            y, cb, cr = _from_rgb(planes, self.format.max_value)
            luma, values = _to_levels(y, 16), (cb, cr)
            origins, log2_chroma = (0.5, 0.5), (0, 0)
        else:
            luma, values = planes[0], (planes[1], planes[2])
            origins = plane_origins(self.format, self.colour, 1)
            log2_chroma = self.format.log2_chroma
        ratio = (2 / (1 << log2_chroma[1]), 2 / (1 << log2_chroma[0]))
        chroma = [
            resample(
                plane,
                height,
                width,
                kernel="bicubic",
                ratio=ratio,
                in_origin=origins,
                out_origin=_LEFT,
            )
            for plane in values
        ]
        if self.format.model == "rgb":
            cb, cr = (_to_levels(plane, 16) for plane in chroma)
        else:
            limit = self.format.max_value
            cb, cr = (_clip_round(plane, limit, planes[1].dtype) for plane in chroma)
        return luma, (cb, cr)

    def _finish(self, source: Planes, network: Planes) -> Planes:
        """All planes of the output, from the network's and the source frame's."""
        scale, limit = self.card.scale, self.format.max_value
        height, width = self._in_size
        planes: list[Plane]
        if self.format.model == "rgb":
            _, cb, cr = _from_rgb(source, limit)
            big = (scale * height, scale * width)
            cb, cr = (resample(plane, *big, kernel="lanczos3") for plane in (cb, cr))
            rgb = _to_rgb(network[0].astype(np.float32) / np.float32(65535), cb, cr)
            dtype = source[0].dtype
            planes = [_clip_round(value * np.float32(limit), limit, dtype) for value in rgb]
        elif self.format.model == "gray" or self._network_chroma:
            planes = list(network)
        else:
            planes = [network[0], *(self._resized(source, p) for p in (1, 2))]
        if self.format.alpha:
            planes.append(self._resized(source, self.format.num_planes - 1))
        big_size = (scale * height, scale * width)
        if (self.height, self.width) != big_size:
            planes = [self._to_output_size(planes, p) for p in range(len(planes))]
        return tuple(planes)

    def _resized(self, source: Planes, plane: int) -> Plane:
        return enlarged_plane(
            source[plane],
            self.card.scale,
            plane,
            pixel_format=self.format,
            colour=self.colour,
            height=self._in_size[0],
            width=self._in_size[1],
        )

    def _to_output_size(self, planes: Sequence[Plane], plane: int) -> Plane:
        """One plane of the network's size at the output's size, by Lanczos with its siting."""
        scale = self.card.scale
        rows, columns = plane_size(self.format, plane, width=self.width, height=self.height)
        origin = plane_origins(self.format, self.colour, plane)
        values = resample(
            planes[plane],
            rows,
            columns,
            kernel="lanczos3",
            ratio=(scale * self._in_size[0] / self.height, scale * self._in_size[1] / self.width),
            in_origin=origin,
            out_origin=origin,
        )
        return _clip_round(values, self.format.max_value, planes[plane].dtype)


def grid_size(card: ModelCard, height: int, width: int) -> tuple[int, int, int]:
    """Rows and columns of a card's grid, without margins, and the margin around it: positions.

    Args:
        card: the model.
        height: rows of luma.
        width: columns of luma.
    """
    period = card.network.period
    rows, columns = (_up(-(-side // card.block), period) for side in (height, width))
    return rows, columns, _up(card.network.margin, period)


def enlarged_plane(
    values: Plane,
    scale: int,
    plane: int,
    *,
    pixel_format: PixelFormat,
    colour: Colour,
    height: int,
    width: int,
) -> Plane:
    """A plane that no network makes, `scale` times larger by Lanczos with its own siting.

    Args:
        values: the plane.
        scale: 2, 3 or 4.
        plane: which one of the picture.
        pixel_format: of the picture.
        colour: its chroma location is respected.
        height: rows of luma, before.
        width: columns of luma, before.
    """
    rows, columns = plane_size(pixel_format, plane, width=scale * width, height=scale * height)
    origin = plane_origins(pixel_format, colour, plane)
    larger = resample(
        values,
        rows,
        columns,
        kernel="lanczos3",
        ratio=(1 / scale, 1 / scale),
        in_origin=origin,
        out_origin=origin,
    )
    return _clip_round(larger, pixel_format.max_value, values.dtype)


def _up(value: int, multiple: int) -> int:
    """The next multiple at or above it."""
    return -(-value // multiple) * multiple


def _clip_round(
    values: _Values, limit: int, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
) -> Plane:
    return cast("Plane", np.clip(np.rint(values), 0, limit).astype(dtype))


def _to_levels(values: _Values, bits: int) -> Plane:
    limit = (1 << bits) - 1
    return _clip_round(values * np.float32(limit), limit, np.dtype(np.uint16))


def _from_rgb(planes: Planes, limit: int) -> _Triple:
    """BT.709 Y, Cb, Cr in [0, 1], chroma about one half."""
    red, green, blue = (plane.astype(np.float32) / np.float32(limit) for plane in planes[:3])
    luma = _RED * red + (_ONE - _RED - _BLUE) * green + _BLUE * blue
    cb = (blue - luma) * (_HALF / (_ONE - _BLUE)) + _HALF
    cr = (red - luma) * (_HALF / (_ONE - _RED)) + _HALF
    return cast("_Triple", (luma, cb, cr))


def _to_rgb(luma: _Values, cb: _Values, cr: _Values) -> _Triple:
    red = luma + (cr - _HALF) * ((_ONE - _RED) / _HALF)
    blue = luma + (cb - _HALF) * ((_ONE - _BLUE) / _HALF)
    green = (luma - _RED * red - _BLUE * blue) / (_ONE - _RED - _BLUE)
    return cast("_Triple", (red, green, blue))
