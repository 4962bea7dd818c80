"""The networks that players ask for: their weights and cards, each under its hash."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from upreel.errors import WeightsError
from upreel.zoo import ModelCard, card_names, load_card

__all__ = ["ModelFile", "Models"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """A file that a player may fetch.

    Attributes:
        name: in URLs.
        path: of the file.
        num_bytes: of it.
        sha256: of it.
    """

    name: str
    path: Path
    num_bytes: int
    sha256: str


class Models:
    """The bundled networks, checked against their cards once; blocks, so for workers alone."""

    def __init__(self) -> None:
        self._cards: dict[str, ModelCard] = {}
        self.files: dict[str, ModelFile] = {}
        for name in card_names():
            card = load_card(name)
            try:
                for precision in ("", *card.quantized):
                    card.verified_onnx(card.cells[0], precision)
            except WeightsError:
                continue  # a network that is damaged is not handed out
            self._cards[name] = card
            for cell in (*card.cells, *card.quantized):
                path = card.onnx_path(cell)
                data = path.read_bytes()
                self.files[path.name] = ModelFile(
                    name=path.name,
                    path=path,
                    num_bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                )

    def names(self) -> list[str]:
        """Networks that there are."""
        return list(self._cards)

    def card(self, name: str) -> dict[str, object] | None:
        """A card as plain values, with what follows from it and where its files are."""
        card = self._cards.get(name)
        if card is None:
            return None
        values: dict[str, object] = asdict(card)
        del values["folder"]
        cells = (*card.cells, *card.quantized)
        files = [self.files[card.onnx_path(cell).name] for cell in cells]
        return values | {
            "scale": card.scale,
            "layout": card.layout,
            "window": list(card.window),
            "state": card.state,
            "parameters": card.num_parameters,
            "macs_per_pixel": card.macs_per_pixel,
            "training_data": list(card.training_data),
            "files": [
                {
                    "name": file.name,
                    "url": f"/models/{file.name}",
                    "bytes": file.num_bytes,
                    "sha256": file.sha256,
                }
                for file in files
            ],
        }
