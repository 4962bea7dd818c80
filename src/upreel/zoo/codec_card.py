"""A codec is its card: one JSON file with its networks and its whole numbers beside it.

A stream names its codec by name and SHA-256: another one cannot read it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from upreel.errors import UnknownModelError, WeightsError
from upreel.zoo.card import check_kinds, read_json
from upreel.zoo.configs.codec import CodecConfig

__all__ = ["CODEC_CELLS", "CodecCard", "load_codec_card", "read_codec_card", "write_codec_card"]

CODEC_CARD_VERSION = 1
CODEC_CELLS = (
    "alone_analysis",
    "alone_hyper",
    "alone_synthesis",
    "motion",
    "expected",
    "next_analysis",
    "next_hyper",
    "next_synthesis",
)
"""Networks that a codec is made of, one ONNX file each: `upreel.networks.codec.cells`."""
_NUMBERS = "numbers"
_FOLDER = Path(__file__).parent / "weights"
_NAMES: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CodecCard:
    """What a codec is and scores.

    Attributes:
        name: what streams call it.
        summary: one line for people.
        network: its architecture.
        training_data: sources with their licences.
        licence: of the weights (SPDX).
        steps: optimiser steps.
        commit: of this project when it was trained.
        sha256: of all its files, one behind the other.
        scores: figures by what was measured.
        folder: where the card lies; not stored.
    """

    name: str
    summary: str
    network: CodecConfig
    training_data: tuple[str, ...]
    licence: str
    steps: int
    commit: str
    sha256: str
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    folder: Path = Path()

    def path(self, part: str) -> Path:
        """The file of a cell, or of the whole numbers, "numbers"."""
        return self.folder / f"{self.name}.{part}.{'npz' if part == _NUMBERS else 'onnx'}"

    def verified(self) -> dict[str, bytes]:
        """The bytes of all files by part.

        Raises:
            WeightsError: one is missing, or they are others than the card was written for.
        """
        found: dict[str, bytes] = {}
        for part in (*CODEC_CELLS, _NUMBERS):
            try:
                found[part] = self.path(part).read_bytes()
            except OSError as error:
                raise WeightsError(f"cannot read {self.path(part)}: {error.strerror}") from error
        digest = hashlib.sha256(b"".join(found.values())).hexdigest()
        if digest != self.sha256:
            raise WeightsError(
                f"files of {self.name} have SHA-256 {digest}, the card says {self.sha256}"
            )
        return found


def write_codec_card(card: CodecCard) -> Path:
    """Write the card's JSON into its folder; return the file."""
    values = {"version": CODEC_CARD_VERSION, **asdict(card)}
    del values["folder"]
    path = card.folder / f"{card.name}.json"
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path


def read_codec_card(path: Path) -> CodecCard:
    """Read a codec's JSON file.

    Raises:
        WeightsError: it cannot be read, is no card of a codec, or of an unknown version.
    """
    known = {each.name for each in fields(CodecCard)} - {"folder"}
    values = read_json(path, CODEC_CARD_VERSION, known)
    network: Any = values["network"]
    try:
        values["network"] = CodecConfig(**network)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"the card {path} describes no known codec: {error}") from error
    check_kinds(path, values, {"name": str, "summary": str, "training_data": list, "sha256": str})
    values["training_data"] = tuple(values["training_data"])
    return CodecCard(**values, folder=path.parent)


def load_codec_card(name: str) -> CodecCard:
    """A bundled codec by its name, or any by the path of its card (``.json``).

    Raises:
        UnknownModelError: there is no such name and no such file.
        WeightsError: the card cannot be read.
    """
    if name in _NAMES:
        return read_codec_card(_FOLDER / f"{name}.json")
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return read_codec_card(path)
    known = ", ".join((*_NAMES, "the path of a card (.json)"))
    raise UnknownModelError(f"no codec {name!r}; there is: {known}")
