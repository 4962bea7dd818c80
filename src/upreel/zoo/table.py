"""The one table of bundled models."""

from pathlib import Path

from upreel.errors import UnknownModelError
from upreel.zoo.card import ModelCard, read_card

__all__ = ["card_names", "load_card"]

_FOLDER = Path(__file__).parent / "weights"

_NAMES = (
    "fast-x2",
    "fast-x2-clean",
    "fast-x3",
    "fast-x4",
    "fast-x4-clean",
    "tan-x2",
    "tan-x4",
    "srcnn-x4",
    "espcn-x4",
    "vespcn-x4",
    "encoder-decoder-x4",
)


def card_names() -> tuple[str, ...]:
    """Names that `load_card` knows, in the order they are shown."""
    return _NAMES


def load_card(name: str) -> ModelCard:
    """A bundled model by its name, or any model by the path of its card (``.json``).

    Raises:
        UnknownModelError: there is no such name and no such file.
        WeightsError: the card cannot be read.
    """
    if name in _NAMES:
        return read_card(_FOLDER / f"{name}.json")
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return read_card(path)
    raise UnknownModelError(
        f"no model {name!r}; there are: {', '.join(_NAMES)}, or the path of a card (.json)"
    )
