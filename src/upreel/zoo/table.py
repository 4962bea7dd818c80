"""The one table of bundled models."""

from pathlib import Path

from upreel.errors import UnknownModelError
from upreel.zoo.card import ModelCard, read_card

__all__ = ["card_names", "ladder", "load_card", "name_at_scale"]

_FOLDER = Path(__file__).parent / "weights"

_NAMES = (
    "fast-x2",
    "fast-x2-m",
    "fast-x2-s",
    "fast-x2-clean",
    "fast-x3",
    "fast-x3-m",
    "fast-x4",
    "fast-x4-clean",
    "live-x4",
    "live-x4-clean",
    "tan-x2",
    "tan-x4",
    "best-x2",
    "best-x4",
    "best-x4-bd",
    "srcnn-x4",
    "espcn-x4",
    "vespcn-x4",
    "encoder-decoder-x4",
)


def card_names() -> tuple[str, ...]:
    """Names that `load_card` knows, in the order they are shown."""
    return _NAMES


def name_at_scale(name: str, scale: int | None) -> str:
    """The bundled model of a family, such as "tan"; any other name as it is.

    Args:
        name: of a family, of a model, or the path of a card.
        scale: of the model; None for the least that the family has.

    Raises:
        UnknownModelError: the family has none of that scale.

    Example:
        >>> name_at_scale("tan", 4), name_at_scale("fast", None), name_at_scale("my/card.json", 2)
        ('tan-x4', 'fast-x2', 'my/card.json')
    """
    family = [known for known in _NAMES if known.rpartition("-x")[0] == name]
    wanted = family[:1] if scale is None else [n for n in family if n == f"{name}-x{scale}"]
    if family and not wanted:
        raise UnknownModelError(f"{name} has no x{scale}; there are: {', '.join(family)}")
    return wanted[0] if wanted else name


def ladder(family: str, scale: int) -> tuple[str, ...]:
    """The bundled models of a family that differ in size only, the largest first.

    Raises:
        UnknownModelError: the family has none of that scale.

    Example:
        >>> ladder("fast", 3)
        ('fast-x3', 'fast-x3-m')
    """
    plain = name_at_scale(family, scale)
    sizes = (f"{plain}-l", plain, f"{plain}-m", f"{plain}-s")
    return tuple(name for name in sizes if name in _NAMES)


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
