"""Where networks come from: the zoo and the engines, or a stand-in that tests hand over."""

from typing import Protocol, TypedDict, Unpack

from upreel.pipeline.enhance import Upscaler
from upreel.video.frame import Colour, PixelFormat
from upreel.zoo import ModelCard

__all__ = ["Backend", "DefaultBackend", "Report", "ReportingUpscaler", "UpscalerOptions"]


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


class UpscalerOptions(TypedDict):
    """What a network is opened for.

    Attributes:
        pixel_format: of the frames.
        colour: of the frames.
        width: columns of the source.
        height: rows of the source.
        output_size: (width, height) that it is to answer.
        device: "auto", or a device as `upreel devices` lists them.
        precision: "auto", or one of the card's.
        threads: 0 for the engine's choice.
        tile: rows and columns of the source that it sees at once, one number for both; None:
            chosen from the memory limit.
    """

    pixel_format: PixelFormat
    colour: Colour
    width: int
    height: int
    output_size: tuple[int, int]
    device: str
    precision: str
    threads: int
    tile: int | tuple[int, int] | None


class Backend(Protocol):
    """Loads cards and opens networks."""

    def load_card(self, name: str) -> ModelCard:
        """The card of that name or path."""
        ...

    def open(
        self, card: ModelCard, *, self_ensemble: bool, **options: Unpack[UpscalerOptions]
    ) -> ReportingUpscaler:
        """The network of that card, opened for frames of that kind.

        Args:
            card: what to open.
            self_ensemble: whether a picture is answered turned over in eight ways, and averaged.
            options: what it is opened for.
        """
        ...


class DefaultBackend:
    """The project's own zoo and engines."""

    def load_card(self, name: str) -> ModelCard:
        """See `upreel.zoo.load_card`."""
        from upreel.zoo import load_card

        return load_card(name)

    def open(
        self, card: ModelCard, *, self_ensemble: bool, **options: Unpack[UpscalerOptions]
    ) -> ReportingUpscaler:
        """See `upreel.inference.upscaler_of` and `EnsembleUpscaler`."""
        from upreel.inference import EnsembleUpscaler, upscaler_of

        kind = EnsembleUpscaler if self_ensemble else upscaler_of(card)
        return kind(card, **options)
