"""From a training checkpoint to a card with its ONNX and safetensors files (needs PyTorch)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.zoo import FastConfig, ModelCard
from upreel.zoo.card import write_card

__all__ = ["export_card", "to_onnx"]

_OPSET = 20


def to_onnx(network: nn.Module, in_channels: int, header: dict[str, str]) -> bytes:
    """A packed network as ONNX: float in and out, free batch and size, weights stored as f16.

    The first and the last convolution of the picture itself, ``head`` and ``interpolation``, keep
    f32 weights: theirs must sum to exactly zero and one. Engines know them by these node names.

    Args:
        network: weights that f16 holds, but for those two.
        in_channels: channels of its input.
        header: entries of the file's metadata.

    Returns:
        The file's bytes, the same on every call.
    """
    example = torch.zeros(1, in_channels, 32, 32)
    sizes = {
        0: torch.export.Dim("batch", min=1),
        2: torch.export.Dim("height", min=4),
        3: torch.export.Dim("width", min=4),
    }
    with warnings.catch_warnings():  # the exporter warns about its own insides
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.onnx.export(
            network.eval(),
            (example,),
            input_names=["packed"],
            output_names=["answer"],
            opset_version=_OPSET,
            dynamic_shapes=(sizes,),
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _store_as_f16(model)
    del model.metadata_props[:]
    for node in model.graph.node:  # the exporter's notes hold paths of the machine it ran on
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    helper.set_model_props(model, header)
    model.producer_name, model.producer_version = "upreel", ""
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _store_as_f16(model: onnx.ModelProto) -> None:
    """Keep each float weight as f16 with a cast behind it, which engines fold when they load."""
    graph = model.graph
    exact: set[str] = set()
    for node in graph.node:
        for name in ("head", "interpolation"):
            if node.op_type == "Conv" and node.input[1].startswith(name):
                node.name = name
                exact.update(node.input[1:])
    kept: list[onnx.TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name in exact:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.f16"
        half = numpy_helper.to_array(tensor).astype(np.float16)
        kept.append(numpy_helper.from_array(half, stored))
        casts.append(
            helper.make_node(
                "Cast", [stored], [tensor.name], f"{tensor.name}.cast", to=TensorProto.FLOAT
            )
        )
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def export_card(
    *,
    name: str,
    summary: str,
    config: FastConfig,
    weights: dict[str, Tensor],
    training_data: tuple[str, ...],
    degradation: str,
    steps: int,
    commit: str,
    folder: Path,
    licence: str = "Apache-2.0",
) -> ModelCard:
    """Write ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json`` into `folder`.

    Weights are rounded to f16 before either file is made: both hold the same network.
    """
    rounded = {k: v.detach().to(torch.float16) for k, v in weights.items()}
    header = {
        "name": name,
        "network": json.dumps(asdict(config)),
        "training_data": json.dumps(training_data),
        "degradation": degradation,
        "steps": str(steps),
        "commit": commit,
        "licence": licence,
    }
    network = build_network(asdict(config))
    assert isinstance(network, FastNetwork)
    network.load_state_dict({k: v.float() for k, v in rounded.items()})
    folder.mkdir(parents=True, exist_ok=True)
    save_file(rounded, folder / f"{name}.safetensors", metadata=header)
    data = to_onnx(network.folded(), 6 * config.frames, header)
    (folder / f"{name}.onnx").write_bytes(data)
    card = ModelCard(
        name=name,
        summary=summary,
        network=config,
        training_data=training_data,
        degradation=degradation,
        licence=licence,
        steps=steps,
        commit=commit,
        sha256=hashlib.sha256(data).hexdigest(),
        tolerance={"f32": 1.0, "bf16": 3.0},
        folder=folder,
    )
    write_card(card)
    return card
