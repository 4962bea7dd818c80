"""A model is its card: all that callers may ask of a network, as plain values.

A card is one JSON file with its ONNX file beside it. Its identity is the SHA-256 of the ONNX
file, which is checked whenever the network is opened.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

from upreel.errors import WeightsError

__all__ = ["CARD_VERSION", "FastConfig", "ModelCard", "Precision", "read_card", "write_card"]

CARD_VERSION = 1
Precision = Literal["f32", "bf16", "f16"]


@dataclass(frozen=True, kw_only=True)
class FastConfig:
    """Architecture of `upreel.networks.fast.FastNetwork`.

    Attributes:
        scale: 2, 3 or 4.
        channels: features of each convolution.
        depth: convolutions between the first and the last, an even number.
        frames: 1 (the current one) or 2 (current and previous).
    """

    scale: int
    channels: int
    depth: int
    frames: int = 1
    kind: Literal["fast"] = "fast"

    def __post_init__(self) -> None:
        if self.kind != "fast":
            raise ValueError(f"kind must be fast, got {self.kind!r}")
        if self.scale not in (2, 3, 4):
            raise ValueError(f"scale must be 2, 3 or 4, got {self.scale}")
        if self.channels < 1:
            raise ValueError(f"channels must be at least 1, got {self.channels}")
        if self.depth < 0 or self.depth % 2:
            raise ValueError(f"depth must be an even number from 0 on, got {self.depth}")
        if self.frames not in (1, 2):
            raise ValueError(f"frames must be 1 or 2, got {self.frames}")

    @property
    def radius(self) -> int:
        """Packed positions around a position that its answer depends on."""
        return self.depth + 2

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        c, s2 = self.channels, self.scale**2
        head = 9 * 6 * self.frames * c + c
        return head + self.depth * (9 * c * c + c) + 9 * c * 6 * s2

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates for one low-resolution luma sample, the interpolation counted."""
        c, s2 = self.channels, self.scale**2
        position = 9 * 6 * self.frames * c + self.depth * 9 * c * c + 9 * (c + 6) * 6 * s2
        return round(position / 4)


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
        sha256: of the ONNX file.
        tolerance: levels of 255 by which two engines or precisions may differ on a picture, by
            precision.
        scores: figures by what was measured, such as ``"vid4 BI x4, Y-PSNR dB"``.
        milliseconds: of the network alone, by machine, precision and input size.
        folder: where the card lies; not stored.
    """

    name: str
    summary: str
    network: FastConfig
    training_data: tuple[str, ...]
    degradation: str
    licence: str
    steps: int
    commit: str
    sha256: str
    tolerance: Mapping[str, float]
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    milliseconds: Mapping[str, float] = field(default_factory=dict[str, float])
    folder: Path = Path()

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.network.scale

    @property
    def window(self) -> tuple[int, int]:
        """Frames before and after the current one that the network sees."""
        return self.network.frames - 1, 0

    @property
    def state(self) -> bool:
        """Whether it carries a state from frame to frame."""
        return False

    @property
    def layout(self) -> Literal["packed"]:
        """How planes are laid out for it: `upreel.networks.planes`."""
        return "packed"

    @property
    def size_multiple(self) -> int:
        """Luma rows and columns must be a multiple of this; callers pad."""
        return 2

    @property
    def radius(self) -> int:
        """Luma samples around a sample that its answer depends on: the margin of a tile."""
        return 2 * self.network.radius

    @property
    def precisions(self) -> tuple[str, ...]:
        """Arithmetic that it was checked in."""
        return tuple(self.tolerance)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        return self.network.num_parameters

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates for one low-resolution luma sample."""
        return self.network.macs_per_pixel

    @property
    def onnx_path(self) -> Path:
        """The network, float in and out."""
        return self.folder / f"{self.name}.onnx"

    def verified_onnx(self) -> bytes:
        """The ONNX file's bytes, checked against `sha256`.

        Raises:
            WeightsError: it is missing, or another file than the card was written for.
        """
        try:
            data = self.onnx_path.read_bytes()
        except OSError as error:
            raise WeightsError(f"cannot read {self.onnx_path}: {error.strerror}") from error
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise WeightsError(
                f"{self.onnx_path} has SHA-256 {digest}, its card says {self.sha256}"
            )
        return data


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
}


def read_card(path: Path) -> ModelCard:
    """Read a card's JSON file.

    Raises:
        WeightsError: it cannot be read, is no card, or of a version that this program is too
            old for.
    """
    try:
        parsed: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"cannot read the card {path}: {error}") from error
    values = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    version = values.pop("version", None)
    if version != CARD_VERSION:
        raise WeightsError(
            f"{path} is a card of version {version!r}; this one reads {CARD_VERSION}"
        )
    known = {f.name for f in fields(ModelCard)} - {"folder"}
    if missing := sorted(known - values.keys()):
        raise WeightsError(f"the card {path} lacks {', '.join(missing)}")
    if unknown := sorted(values.keys() - known):
        raise WeightsError(f"the card {path} has unknown entries: {', '.join(unknown)}")
    try:
        values["network"] = FastConfig(**values["network"])
    except (TypeError, ValueError) as error:
        raise WeightsError(f"the card {path} describes no known network: {error}") from error
    for name, kind in _KINDS.items():
        if not isinstance(values[name], kind):
            raise WeightsError(f"the card {path} has {name} {values[name]!r}, no {kind.__name__}")
    values["training_data"] = tuple(values["training_data"])
    return ModelCard(**values, folder=path.parent)
