"""Where networks come from: the zoo and the engines, or a stand-in that tests hand over."""

from typing import Protocol

from upreel.pipeline.enhance import Upscaler
from upreel.video.frame import Colour, PixelFormat
from upreel.zoo import ModelCard

__all__ = ["Backend", "DefaultBackend", "Report", "ReportingUpscaler"]


class Report(Protocol):
    """What an opened network says of itself."""

    @property
    def engine(self) -> str:
        """What runs it, such as "openvino"."""
        ...

    @property
    def device(self) -> str:
        """Where, such as "CPU"."""
        ...

    @property
    def precision(self) -> str:
        """How, such as "bf16"."""
        ...

    @property
    def reason(self) -> str:
        """Why these were chosen, one line."""
        ...


class ReportingUpscaler(Upscaler, Protocol):
    """An opened network that says what it runs on."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know, one line each."""
        ...

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the source that it sees at once; smaller after a lack of memory."""
        ...

    def describe(self) -> Report:
        """What it runs on."""
        ...


class Backend(Protocol):
    """Loads cards and opens networks."""

    def load_card(self, name: str) -> ModelCard:
        """The card of that name or path."""
        ...

    def open(
        self,
        card: ModelCard,
        *,
        pixel_format: PixelFormat,
        colour: Colour,
        width: int,
        height: int,
        output_size: tuple[int, int],
        device: str,
        precision: str,
        threads: int,
        tile: int | tuple[int, int] | None,
        self_ensemble: bool,
    ) -> ReportingUpscaler:
        """The network of that card, opened for frames of that kind."""
        ...


class DefaultBackend:
    """The project's own zoo and engines."""

    def load_card(self, name: str) -> ModelCard:
        """See `upreel.zoo.load_card`."""
        from upreel.zoo import load_card

        return load_card(name)

    def open(
        self,
        card: ModelCard,
        *,
        pixel_format: PixelFormat,
        colour: Colour,
        width: int,
        height: int,
        output_size: tuple[int, int],
        device: str,
        precision: str,
        threads: int,
        tile: int | tuple[int, int] | None,
        self_ensemble: bool,
    ) -> ReportingUpscaler:
        """See `upreel.inference.upscaler_of` and `EnsembleUpscaler`."""
        from upreel.inference import EnsembleUpscaler, upscaler_of

        kind = EnsembleUpscaler if self_ensemble else upscaler_of(card)
        return kind(
            card,
            pixel_format=pixel_format,
            colour=colour,
            width=width,
            height=height,
            output_size=output_size,
            device=device,
            precision=precision,
            threads=threads,
            tile=tile,
        )
