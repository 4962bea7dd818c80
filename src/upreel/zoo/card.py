"""A model is its card: all that callers may ask of a network, as plain values.

A card is one JSON file with its ONNX file beside it; a recurrent network has one ONNX file for each
of its cells. Its identity is their SHA-256, which is checked whenever the network is opened.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

from upreel.errors import WeightsError
from upreel.zoo.configs import Layout, NetworkConfig, network_config

__all__ = [
    "CARD_VERSION",
    "ModelCard",
    "Precision",
    "check_kinds",
    "read_card",
    "read_json",
    "write_card",
]

CARD_VERSION = 1
Precision = Literal["f32", "bf16", "f16", "int8"]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a network is, needs, costs and scores.

    Attributes:
        name: what `--model` takes.
        summary: one line for people.
        network: its architecture.
        training_data: sources with their licences.
        degradation: how the low-resolution side was made, in words.
        licence: of the weights (SPDX).
        steps: optimiser steps.
        commit: of this project when it was trained.
        sha256: of the ONNX file; of several, one behind the other in the order of `cells`.
        tolerance: levels of 255 by which two engines or precisions may differ on a picture, by
            precision; in int8, which is another network, two engines.
        scores: figures by what was measured, such as ``"vid4 BI x4, Y-PSNR dB"``.
        milliseconds: of the network alone, by machine, precision and input size.
        mebibytes: at most of the whole process of `upreel upscale`, by the same.
        quantized: SHA-256 of the ONNX file of a precision in whole numbers, "int8"; whoever has
            none has no such precision.
        teacher: what it learned from beside the truth; "" for nothing.
        folder: where the card lies; not stored.
    """

    name: str
    summary: str
    network: NetworkConfig
    training_data: tuple[str, ...]
    degradation: str
    licence: str
    steps: int
    commit: str
    sha256: str
    tolerance: Mapping[str, float]
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    milliseconds: Mapping[str, float] = field(default_factory=dict[str, float])
    mebibytes: Mapping[str, float] = field(default_factory=dict[str, float])
    quantized: Mapping[str, str] = field(default_factory=dict[str, str])
    teacher: str = ""
    folder: Path = Path()

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.network.scale

    @property
    def window(self) -> tuple[int, int]:
        """Frames before and after the current one that the network sees."""
        return -min(self.network.offsets), max(self.network.offsets)

    @property
    def state(self) -> bool:
        """Whether it carries a state from frame to frame."""
        return self.network.recurrent

    @property
    def context(self) -> tuple[int, int]:
        """Frames before and after a stretch of video that its answer there is made from.

        Those of the window; a recurrent network warms up on the ones before, and looks ahead.
        """
        return self.network.warm_up if self.state else self.window

    @property
    def cells(self) -> tuple[str, ...]:
        """Networks that it is made of, one ONNX file each; a single one has no name."""
        return self.network.cells

    @property
    def layout(self) -> Layout:
        """How planes are laid out for it: `upreel.networks.planes`."""
        return self.network.layout

    @property
    def block(self) -> int:
        """Luma rows and columns of one position of its grid."""
        return 2 if self.layout == "packed" else 1

    @property
    def size_multiple(self) -> int:
        """Luma rows and columns must be a multiple of this; callers pad."""
        return self.block * self.network.multiple

    @property
    def radius(self) -> int:
        """Luma samples around a sample that its answer depends on: the margin of a tile."""
        return self.block * self.network.radius

    @property
    def precisions(self) -> tuple[str, ...]:
        """Arithmetic that it was checked in."""
        return tuple(self.tolerance)

    def identity(self, precision: str) -> str:
        """SHA-256 of what is run in a precision."""
        return self.quantized.get(precision, self.sha256)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        return self.network.num_parameters

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates for one low-resolution luma sample."""
        return round(self.network.macs_per_position / self.block**2)

    def onnx_path(self, cell: str = "") -> Path:
        """The network, or a cell of it, float in and out."""
        return self.folder / ".".join(filter(None, (self.name, cell, "onnx")))

    def verified_onnx(self, cell: str = "", precision: str = "") -> bytes:
        """The bytes of the ONNX file, or of a cell's; all files are checked against `sha256`.

        Args:
            cell: of a recurrent network.
            precision: that it is to be run in: one of `quantized` has a file of its own.

        Raises:
            WeightsError: one is missing, or another file than the card was written for.
        """
        names, expected = self.cells, self.sha256
        if precision in self.quantized:
            cell, names, expected = precision, (precision,), self.quantized[precision]
        files = {name: self.onnx_path(name) for name in names}
        found: dict[str, bytes] = {}
        for name, path in files.items():
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                again = "; export its card again" if found else ""
                raise WeightsError(f"cannot read {path}: {error.strerror}{again}") from error
        digest = hashlib.sha256(b"".join(found.values())).hexdigest()
        if digest != expected:
            raise WeightsError(
                f"{', '.join(map(str, files.values()))}: SHA-256 {digest}, the card says {expected}"
            )
        return found[cell]


def write_card(card: ModelCard) -> Path:
    """Write the card's JSON into its folder; return the file."""
    values = {"version": CARD_VERSION, **asdict(card)}
    del values["folder"]
    path = card.folder / f"{card.name}.json"
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path


_KINDS: dict[str, type] = {
    "name": str,
    "summary": str,
    "training_data": list,
    "sha256": str,
    "tolerance": dict,
    "scores": dict,
    "milliseconds": dict,
    "mebibytes": dict,
    "quantized": dict,
    "teacher": str,
}
_OPTIONAL: dict[str, Any] = {
    "mebibytes": {},
    "quantized": {},
    "teacher": "",
}  # what cards of older releases do not have yet


def read_json(
    path: Path, version: int, known: set[str], optional: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A card's values by name.

    Args:
        path: of the JSON file.
        version: that this program reads.
        known: names of the values.
        optional: values that cards of older releases do not have yet.

    Raises:
        WeightsError: it cannot be read, or is no such card.
    """
    try:
        parsed: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"cannot read the card {path}: {error}") from error
    values = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    found = values.pop("version", None)
    if found != version:
        raise WeightsError(f"{path} is a card of version {found!r}; this one reads {version}")
    values = {**(optional or {}), **values}
    if missing := sorted(known - values.keys()):
        raise WeightsError(f"the card {path} lacks {', '.join(missing)}")
    if unknown := sorted(values.keys() - known):
        raise WeightsError(f"the card {path} has unknown entries: {', '.join(unknown)}")
    return values


def check_kinds(path: Path, values: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    """Refuse a card whose values are of another kind.

    Raises:
        WeightsError: one is.
    """
    for name, kind in kinds.items():
        if not isinstance(values[name], kind):
            raise WeightsError(f"the card {path} has {name} {values[name]!r}, no {kind.__name__}")


def read_card(path: Path) -> ModelCard:
    """Read a card's JSON file.

    Raises:
        WeightsError: it cannot be read, is no card, or of a version that this program is too
            old for.
    """
    known = {f.name for f in fields(ModelCard)} - {"folder"}
    values = read_json(path, CARD_VERSION, known, optional=_OPTIONAL)
    try:
        values["network"] = network_config(values["network"])
    except (TypeError, ValueError) as error:
        raise WeightsError(f"the card {path} describes no known network: {error}") from error
    check_kinds(path, values, _KINDS)
    values["training_data"] = tuple(values["training_data"])
    return ModelCard(**values, folder=path.parent)
