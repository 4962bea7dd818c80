"""The networks that players ask for: their weights and cards, each under its hash."""

import hashlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from upreel.errors import WeightsError
from upreel.inference.browser import read_model
from upreel.zoo import ModelCard, card_names, load_card

__all__ = ["ModelFile", "Models"]

_log = logging.getLogger("upreel")
_AUTO_SCALE = 2  # of the networks that a browser chooses from by itself
_CODED = "crf"  # in the degradation of those that learned from video as it is delivered


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
        self._macs: dict[str, int] = {}  # of those that browsers run
        for name in card_names():
            card = load_card(name)
            try:
                for precision in ("", *card.quantized):
                    card.verified_onnx(card.cells[0], precision)
            except WeightsError:
                continue  # a network that is damaged is not handed out
            self._cards[name] = card
            for cell in (*card.cells, *card.quantized):
                self._add(card.onnx_path(cell))
            self._add_browser(card)

    def _add(self, path: Path) -> None:
        data = path.read_bytes()
        self.files[path.name] = ModelFile(
            name=path.name,
            path=path,
            num_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def _add_browser(self, card: ModelCard) -> None:
        """The network for browsers, if it is of this card and not of an earlier one."""
        path = card.folder / f"{card.name}.web"
        if not path.exists():
            return
        try:
            model = read_model(path.read_bytes())
        except WeightsError as error:
            _log.error("%s: %s", path.name, error)
            return
        if model.card != card.sha256:
            _log.error("%s is of an earlier card: scripts/make_browser_models.py", path.name)
            return
        self._add(path)
        self._macs[card.name] = model.macs

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
        browser: dict[str, object] | None = None
        if name in self._macs:
            files.append(self.files[f"{name}.web"])
            browser = {
                "url": f"/models/{name}.web",
                "macs": self._macs[name],
                "auto": card.scale == _AUTO_SCALE and _CODED in card.degradation,
            }
        return values | {
            "scale": card.scale,
            "layout": card.layout,
            "window": list(card.window),
            "state": card.state,
            "parameters": card.num_parameters,
            "macs_per_pixel": card.macs_per_pixel,
            "training_data": list(card.training_data),
            "browser": browser,
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
