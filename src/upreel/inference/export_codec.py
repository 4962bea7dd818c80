"""The codec as files: ONNX of each cell, and its whole numbers (needs PyTorch)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
import inspect
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from upreel.inference.export import onnx_of
from upreel.networks.codec import Codec, FrameCodec
from upreel.networks.codec.cells import cells_of
from upreel.networks.sizes import QUALITIES
from upreel.zoo.codec_card import CODEC_CELLS, CodecCard, write_codec_card
from upreel.zoo.configs.codec import CodecConfig

__all__ = ["export_codec", "numbers_of"]

_OUTPUTS = {
    "motion": ("motion",),
    "expected": ("expected", "fine", "middle", "coarse"),
    "alone_analysis": ("latents",),
    "next_analysis": ("latents",),
    "alone_hyper": ("hyper",),
    "next_hyper": ("hyper",),
    "alone_synthesis": ("planes", "features"),
    "next_synthesis": ("planes", "features"),
}


def export_codec(
    *,
    name: str,
    summary: str,
    config: CodecConfig,
    weights: Mapping[str, Tensor],
    training_data: Sequence[str],
    steps: int,
    commit: str,
    folder: Path,
    licence: str = "Apache-2.0",
) -> CodecCard:
    """Write a codec's card, its cells and its whole numbers into a folder.

    Weights of the networks are rounded to f16; whole numbers are what they are.

    Args:
        name: of the card and its files.
        summary: one line for people.
        config: architecture.
        weights: of `Codec` by name.
        training_data: sources with their licences.
        steps: optimiser steps.
        commit: of this project when it was trained.
        folder: made where it is missing.
        licence: of the weights (SPDX).
    """
    codec = Codec(**asdict(config)).eval()
    codec.load_state_dict(dict(weights))
    header = {
        "name": name,
        "network": json.dumps(asdict(config)),
        "training_data": json.dumps(list(training_data)),
        "steps": str(steps),
        "commit": commit,
        "licence": licence,
    }
    numbers = io.BytesIO()
    np.savez_compressed(numbers, **numbers_of(codec))  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.copy_(parameter.half().float())
    files = [_cell(cell_name, cell, config, header) for cell_name, cell in cells_of(codec).items()]
    files.append(numbers.getvalue())
    card = CodecCard(
        name=name,
        summary=summary,
        network=config,
        training_data=tuple(training_data),
        licence=licence,
        steps=steps,
        commit=commit,
        sha256=hashlib.sha256(b"".join(files)).hexdigest(),
        folder=folder,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for part, data in zip((*CODEC_CELLS, "numbers"), files, strict=True):
        card.path(part).write_bytes(data)
    write_codec_card(card)
    return card


@torch.no_grad()
def numbers_of(codec: Codec) -> dict[str, np.ndarray]:
    """Whole numbers of both kinds' priors, and gains at every quality, f32."""
    found: dict[str, np.ndarray] = {}
    for kind_name, kind in (("alone", codec.alone), ("next", codec.next)):
        for name, values in _prior_numbers(kind).items():
            found[f"{kind_name}.{name}"] = values
        before, behind = kind.gains(torch.arange(QUALITIES))
        found[f"{kind_name}.gain"] = before[..., 0, 0].numpy()
        found[f"{kind_name}.gain_back"] = behind[..., 0, 0].numpy()
    return found


def _prior_numbers(kind: FrameCodec) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    prior = kind.prior
    layers = {"first": prior.first, "second": prior.second, "past": prior.past}
    layers |= {"mixed": prior.mixed, "tail": prior.tail}
    for name, layer in layers.items():
        if layer is None:
            continue
        weight, bias = layer.numbers()
        found[f"{name}.weight"] = weight.numpy().astype(np.int8)
        found[f"{name}.bias"] = bias.numpy().astype(np.int32)
    mean, index = kind.hyper_prior()
    found["mean"] = mean.numpy().astype(np.int32)
    found["index"] = index.numpy().astype(np.int32)
    return found


def _cell(
    name: str, cell: torch.nn.Module, config: CodecConfig, header: Mapping[str, str]
) -> bytes:
    """A cell as ONNX: free rows and columns, one frame at a time."""
    fine, middle, coarse = config.channels
    # Channels, and positions for each of latents.
    known = {
        "frame": (6, 8),
        "before": (6, 8),
        "features": (fine, 4),
        "motion": (2, 1),
        "expected": (24, 4),
        "fine": (fine, 4),
        "middle": (middle, 2),
        "coarse": (coarse, 1),
        "received": (config.latents, 1),
        "latents": (config.latents, 4),
    }
    height, width = (torch.export.Dim(side, min=1) for side in ("height", "width"))
    inputs: dict[str, tuple[Tensor, dict[int, Any]]] = {}
    for taken in inspect.signature(cell.forward).parameters:
        if taken == "gain":
            inputs[taken] = torch.ones(1, config.latents, 1, 1), {}
            continue
        channels, step = known[taken]
        inputs[taken] = (
            torch.zeros(1, channels, 2 * step, 2 * step),
            {
                2: step * height,
                3: step * width,
            },
        )
    return onnx_of(cell, inputs, _OUTPUTS[name], dict(header))
