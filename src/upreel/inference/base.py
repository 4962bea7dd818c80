"""What upscalers of every kind of network have in common: picture, tiles, engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from upreel.inference.engine import EngineReport
from upreel.inference.picture import PictureForm
from upreel.inference.tiles import TiledNetwork, TileLayout
from upreel.video.frame import Colour, PixelFormat
from upreel.zoo import ModelCard

__all__ = ["PictureUpscaler"]


class _Described(Protocol):
    def describe(self) -> EngineReport:
        """What runs, and why."""
        ...


_Network = TypeVar("_Network", bound=_Described)


class PictureUpscaler(ABC, Generic[_Network]):
    """A network bound to one picture size and format.

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
        opener: opens the network in place of `upreel.inference.selection`; tests hand over engines
            that run out of memory.

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
        opener: Callable[..., _Network] | None = None,
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

        def opened(layout: TileLayout) -> _Network:
            return (opener or self._open)(
                card,
                *layout.window,
                bits=self._form.bits,
                depth=pixel_format.bits,
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
        self._begin()

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

    @abstractmethod
    def _begin(self) -> None:
        """Nothing is submitted yet."""

    @abstractmethod
    def _open(self, card: ModelCard, height: int, width: int, **options: Any) -> _Network:  # noqa: ANN401
        """The network for a grid of that size: bits, device, precision and threads are options."""

    @abstractmethod
    def _needed(self, layout: TileLayout) -> int:
        """Rough bytes that it takes with that layout."""
