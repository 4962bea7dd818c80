"""One file that a run can go on from: safetensors, no pickle; the config in its header.

Tensors are named ``network.*`` (weights, and what batch norm keeps), ``ema.*`` (their average: the
result), ``m.*`` and ``v.*`` (the optimiser's moments; zero where it keeps none), all f32.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from upreel.degradation.degrade import Coding, Degradation
from upreel.errors import WeightsError
from upreel.networks.branches import merged
from upreel.training.config import Distillation, Loss, TrainConfig
from upreel.zoo import NetworkConfig, network_config, read_stored

__all__ = ["Checkpoint", "Result", "load_checkpoint", "load_result", "save_checkpoint"]

_VERSION = "1"
_IN_ORDER = torch.contiguous_format


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A run after `step` steps.

    Attributes:
        config: of the run.
        step: optimiser steps done.
        training_data: sources, for the card.
        commit: of this project when the run was started.
        network: weights and buffers by name.
        ema: their exponential moving average.
        first_moment: the optimiser's momentum.
        second_moment: Adam's; zero where Muon rules.
        teacher: `Teacher.label` of what it learns from beside the truth; "" where that is nothing.
    """

    config: TrainConfig
    step: int
    training_data: tuple[str, ...]
    commit: str
    network: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    first_moment: Mapping[str, Tensor]
    second_moment: Mapping[str, Tensor]
    teacher: str = ""

    @property
    def result(self) -> dict[str, Tensor]:
        """What the run came to: average weights by the names that `config.network` has."""
        return merged(self.ema)


_GROUPS = {"network": "network", "ema": "ema", "m": "first_moment", "v": "second_moment"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What a run came to.

    Attributes:
        name: of the run.
        network: architecture.
        weights: its average ones, f32 by parameter name.
        teacher: that it learned from, "" for none.
    """

    name: str
    network: NetworkConfig
    weights: dict[str, Tensor]
    teacher: str = ""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the file aside and rename it: a kill leaves the old one whole."""
    tensors = {
        f"{prefix}.{name}": tensor.detach().to("cpu", torch.float32).clone(memory_format=_IN_ORDER)
        for prefix, attribute in _GROUPS.items()
        for name, tensor in getattr(checkpoint, attribute).items()
    }
    header = {
        "version": _VERSION,
        "config": json.dumps(asdict(checkpoint.config)),
        "step": str(checkpoint.step),
        "training_data": json.dumps(checkpoint.training_data),
        "commit": checkpoint.commit,
        "teacher": checkpoint.teacher,
    }
    aside = path.with_name(path.name + ".tmp")
    aside.write_bytes(save(tensors, metadata=header))  # save_file() would make it the user's alone
    os.replace(aside, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        WeightsError: there is none, or it is damaged or of another version.
    """
    header, tensors = read_stored(path)
    if header.get("version") != _VERSION:
        raise WeightsError(
            f"{path} is a checkpoint of version {header.get('version')!r}; "
            f"this one reads {_VERSION}"
        )
    groups: dict[str, dict[str, Tensor]] = {attribute: {} for attribute in _GROUPS.values()}
    try:
        for name, tensor in tensors.items():
            prefix, parameter = name.split(".", 1)
            groups[_GROUPS[prefix]][parameter] = tensor
        return Checkpoint(
            config=_config(json.loads(header["config"])),
            step=int(header["step"]),
            training_data=tuple(json.loads(header["training_data"])),
            commit=header["commit"],
            network=groups["network"],
            ema=groups["ema"],
            first_moment=groups["first_moment"],
            second_moment=groups["second_moment"],
            teacher=header.get("teacher", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is no checkpoint of this program: {error!r}") from error


def load_result(path: Path) -> Result:
    """The weights that a run came to.

    Args:
        path: a checkpoint, or the ``.safetensors`` file beside a card: either is a place to go on
            from.

    Raises:
        WeightsError: it is neither.
    """
    header, tensors = read_stored(path)
    if "version" in header:
        checkpoint = load_checkpoint(path)
        return Result(
            name=checkpoint.config.name,
            network=checkpoint.config.network,
            weights=checkpoint.result,
            teacher=checkpoint.teacher,
        )
    if not {"network", "name"} <= header.keys():
        raise WeightsError(f"{path} is neither a checkpoint nor the weights of a card")
    weights = {name: tensor.float() for name, tensor in tensors.items()}
    try:
        network = network_config(json.loads(header["network"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is of no network of this program: {error!r}") from error
    return Result(
        name=header["name"], network=network, weights=weights, teacher=header.get("teacher", "")
    )


def _config(values: dict[str, Any]) -> TrainConfig:
    """The config back from its JSON form."""
    degradation = values["degradation"]
    codings = tuple(Coding(codec=c["codec"], crf=tuple(c["crf"])) for c in degradation["codings"])
    parsed: dict[str, Any] = {
        **values,
        "network": network_config(values["network"]),
        "degradation": Degradation(
            kernels=tuple(degradation["kernels"]),
            codings=codings,
            uncoded=degradation["uncoded"],
        ),
        "losses": tuple(Loss(**loss) for loss in values["losses"]),
        "validation": tuple(values["validation"]),
        "frozen": tuple(values.get("frozen", ())),
        "strides": tuple(values.get("strides", (1,))),
        "parts": tuple((part, run) for part, run in values.get("parts", ())),
    }
    if values.get("distillation"):
        parsed["distillation"] = Distillation(**values["distillation"])
    return TrainConfig(**parsed)
