"""Pictures larger than memory allows: cut into tiles, chosen beforehand and halved when need be.

A frame too large for the memory limit is cut into tiles of one size with the card's radius of
samples around each, as far as there are any, so their seams cannot be seen: of a network of one
window the same samples come out. Sizes, corners and margins are whole multiples of
`card.network.period`, so that a network which pools or works in blocks meets each sample at the
same place of a block, in a tile and in the whole; what a picture lacks for that at the bottom and
right repeats its last sample and is cut off again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from upreel.errors import OptionError, OutOfMemoryError
from upreel.zoo import ModelCard

__all__ = ["TileLayout", "TiledNetwork", "grid_size", "memory_available"]

SMALLEST_TILE = 32  # luma rows and columns
_T = TypeVar("_T")
_Network = TypeVar("_Network")


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
class TileLayout:
    """How a picture is cut: positions of the network's grid, all multiples of `period`.

    Attributes:
        block: luma rows and columns of a position.
        period: see `upreel.zoo.configs`.
        height: rows of the picture.
        width: columns of it.
        tile_height: rows of a tile.
        tile_width: columns of it.
        margin: positions around the picture that repeat its border.
        radius: positions around a tile that the network sees.
    """

    block: int
    period: int
    height: int
    width: int
    tile_height: int
    tile_width: int
    margin: int
    radius: int

    @property
    def is_whole(self) -> bool:
        """Whether the picture is one tile."""
        return (self.tile_height, self.tile_width) == (self.height, self.width)

    @property
    def tile(self) -> tuple[int, int]:
        """Luma rows and columns of a tile."""
        return self.block * self.tile_height, self.block * self.tile_width

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the grid with its margins."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns that the network sees of it at once."""
        if self.is_whole:
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

    def halved(self) -> "TileLayout | None":
        """The larger side of the tile halved; None where it would be too small."""
        smallest = SMALLEST_TILE // self.block
        if self.tile_height >= self.tile_width:
            side, name = self.tile_height, "tile_height"
        else:
            side, name = self.tile_width, "tile_width"
        half = _up(-(-side // 2), self.period)
        return replace(self, **{name: half}) if smallest <= half < side else None


class TiledNetwork(Generic[_Network]):
    """A network opened for one size of tile, and again for a smaller one where memory runs out.

    Args:
        card: the model.
        height: rows of luma.
        width: columns of luma.
        tile: largest luma rows and columns of a tile; a pair: those that were chosen before, for a
            recurrent network whatever the limit; None lets `memory_limit` decide.
        memory_limit: bytes that the network may use; None for half of what is available.
        needed: bytes that it needs with that layout.
        opened: opens it for that layout.

    Attributes:
        layout: in use.
        notices: what the user should know: tiles made smaller on the way.

    Raises:
        OptionError: a tile that cannot be.
        OutOfMemoryError: the smallest tile does not fit into `memory_limit`.
    """

    def __init__(
        self,
        card: ModelCard,
        height: int,
        width: int,
        *,
        tile: int | tuple[int, int] | None,
        memory_limit: int | None,
        needed: Callable[[TileLayout], int],
        opened: Callable[[TileLayout], _Network],
    ) -> None:
        if isinstance(tile, int) and tile < SMALLEST_TILE:
            raise OptionError(f"a tile must be at least {SMALLEST_TILE} pixels, got {tile}")
        limit = memory_limit if memory_limit is not None else memory_available() // 2
        period, block = card.network.period, card.block
        rows, columns, margin = grid_size(card, height, width)
        asked = (tile, tile) if isinstance(tile, int) else tile or (height, width)
        largest = (_up(-(-side // block), period) for side in asked)
        if isinstance(tile, int):
            largest = (max(tile // block // period, 1) * period for _ in range(2))
        tile_height, tile_width = map(min, (rows, columns), largest)
        self.layout = TileLayout(
            block=block,
            period=period,
            height=rows,
            width=columns,
            tile_height=tile_height,
            tile_width=tile_width,
            margin=margin,
            radius=_up(card.network.radius, period),
        )
        # Where it is cut shows in a recurrent network's answers, not in others'.
        is_given = isinstance(tile, tuple) and card.state
        while needed(self.layout) > limit and not is_given:
            smaller = self.layout.halved()
            if smaller is None:
                raise OutOfMemoryError(
                    f"the smallest tile needs about {needed(self.layout) >> 20} MiB, "
                    f"the limit is {limit >> 20} MiB"
                )
            self.layout = smaller
        self.notices: list[str] = []
        self._opened = opened
        self._network: _Network | None = None
        self.retrying(lambda: None, lambda: None)

    @property
    def is_open(self) -> bool:
        """Whether there is a network: not after the smallest tile ran out of memory."""
        return self._network is not None

    @property
    def network(self) -> _Network:
        """Opened for `layout`."""
        assert self._network is not None
        return self._network

    def retrying(self, action: Callable[[], _T], on_smaller: Callable[[], None]) -> _T:
        """Do it; where memory runs out, make the tile smaller, say so and do it again.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        while True:
            try:
                if self._network is None:
                    self._network = self._opened(self.layout)
                return action()
            except MemoryError as error:
                height, width = self.layout.tile
                smaller = self.layout.halved()
                if smaller is None:
                    raise OutOfMemoryError(
                        f"out of memory with the smallest tile of {width}x{height}"
                    ) from error
                self._network = None  # give its memory back before the next one takes any
                self.layout = smaller
                on_smaller()
                height, width = smaller.tile
                self.notices.append(f"out of memory: went on with tiles of {width}x{height}")


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


def _up(value: int, multiple: int) -> int:
    """The next multiple at or above it."""
    return -(-value // multiple) * multiple
