"""From a training checkpoint to a card with its ONNX and safetensors files (needs PyTorch)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
import inspect
import json
import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save
from torch import Tensor, nn

from upreel.networks.build import build_network
from upreel.networks.frame_recurrent import FrameRecurrentNetwork, FrameStep
from upreel.networks.recurrent import Motion, RecurrentNetwork
from upreel.networks.sizes import CELL, CHANNELS
from upreel.zoo import FrameRecurrentConfig, Layout, ModelCard, NetworkConfig, RecurrentConfig
from upreel.zoo.card import write_card

__all__ = ["cells_to_onnx", "export_card", "header_of", "onnx_of", "to_onnx"]

_OPSET = 20
_STATE = ("refined_features", "refined", "refined_level")
_OUTPUTS = {  # of a recurrent network's other cells
    "first": ("answer",),
    "fused": ("fused_answer",),
    "motion": ("displacement",),
    "aligned": ("moved_features", "moved_difference"),
}
_TOLERANCES = {
    kind: {"f32": 1.0, "bf16": 3.0} for kind in ("fast", "recurrent")
}  # by kind; others run in f32 alone


def to_onnx(
    network: nn.Module,
    in_channels: int,
    header: dict[str, str],
    *,
    layout: Layout | Literal["seen"] = "packed",
    multiple: int = 1,
    each_frame: str = "",
) -> bytes:
    """A network as ONNX: float in and out, free batch and size, weights stored as f16.

    f32 are those that f16 would change (fixed kernels, derived biases), and those of convolutions
    called ``head`` or ``interpolation``: the former must sum to exactly zero, the latter to one.
    Such a convolution's node bears its module's name.

    Args:
        network: the module to run; put into evaluation mode.
        in_channels: channels of its input.
        header: entries of the file's metadata.
        layout: names the input; "seen" of a step.
        multiple: height and width may be any multiple of it.
        each_frame: a part that answers to each frame alone; the tensors that it takes and gives,
            frames along the batch, are then named ``frames`` and ``answers`` in the file, so that
            an engine can keep answers from one window to the next.

    Returns:
        The file's bytes, the same on every call.
    """
    side = multiple * -(-32 // multiple)
    example = torch.zeros(2, in_channels, side, side)
    free = {axis: multiple * size for axis, size in _free_sides(-(-4 // multiple)).items()}
    free[0] = torch.export.Dim("batch", min=1)
    with _told(network, each_frame) as told:
        model = _traced(network, {layout: (example, free)}, ["answer", *told])
    del model.graph.output[1:]  # they have their names
    return _finished(model, header)


def cells_to_onnx(
    config: RecurrentConfig, network: nn.Module, header: dict[str, str]
) -> list[bytes]:
    """A recurrent network as ONNX, one file for each of `config.cells`: see `to_onnx`.

    Inputs bear the names of what the cell's ``forward`` takes, one clip at a time.
    """
    assert isinstance(network, RecurrentNetwork)
    channels = {"frame": 1, "current": 1, "other": 1, "motion": 2}
    frames = len(config.window)
    channels |= dict.fromkeys(("features", "features_behind"), config.channels)
    sides = _free_sides(1)
    files: list[bytes] = []
    for name, cell in network.cells().items():
        inputs: dict[str, tuple[Tensor, dict[int, Any]]] = {}
        for taken in inspect.signature(cell.forward).parameters:
            if taken.startswith("level"):
                inputs[taken] = torch.zeros(config.channels), {}
                continue
            # Motion has one displacement for each cell of pixels.
            step = config.multiple // (CELL if taken == "motion" else 1)
            count = channels.get(taken, config.scale**2)
            if name == "fused":  # of the window's frames side by side
                count = 2 * (len(config.window) - 1) if taken == "motion" else count * frames
            free = {axis: step * side for axis, side in sides.items()}
            inputs[taken] = torch.zeros(1, count, 2 * step, 2 * step), free
        outputs = _OUTPUTS.get(name, _STATE)
        files.append(onnx_of(cell, inputs, outputs, header))
    return files


def steps_to_onnx(
    config: FrameRecurrentConfig, network: nn.Module, header: dict[str, str]
) -> list[bytes]:
    """A frame-recurrent network as ONNX, motion between two frames and a step: see `to_onnx`."""
    assert isinstance(network, FrameRecurrentNetwork)
    side = config.motion_multiple
    free = {axis: side * size for axis, size in _free_sides(1).items()}
    frames = {name: (torch.zeros(1, 1, 2 * side, 2 * side), free) for name in ("current", "other")}
    return [
        onnx_of(Motion(network.iterations), frames, _OUTPUTS["motion"], header),
        to_onnx(FrameStep(network), config.step_channels, header, layout="seen"),
    ]


def onnx_of(
    network: nn.Module,
    inputs: Mapping[str, tuple[Tensor, dict[int, Any]]],
    outputs: Sequence[str],
    header: dict[str, str],
) -> bytes:
    """Any network as ONNX, weights stored as f16 where these are the same: see `to_onnx`.

    Args:
        network: put into evaluation mode.
        inputs: by name an example and its free axes, in the order of ``forward``.
        outputs: names.
        header: entries of the file's metadata.
    """
    return _finished(_traced(network, inputs, outputs), header)


def _free_sides(smallest: int) -> dict[int, Any]:
    """Height and width by their axes."""
    return {
        2: torch.export.Dim("height", min=smallest),
        3: torch.export.Dim("width", min=smallest),
    }


def _traced(
    network: nn.Module, inputs: Mapping[str, tuple[Tensor, dict[int, Any]]], outputs: Sequence[str]
) -> onnx.ModelProto:
    """A module as the exporter gives it.

    Args:
        network: put into evaluation mode.
        inputs: by name an example and its free axes, in the order of ``forward``.
        outputs: names.
    """
    with warnings.catch_warnings():  # the exporter warns about its own insides
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        # It tells of each operator of torchvision's that is not there, too.
        logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network.eval(),
            tuple(example for example, _ in inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=_OPSET,
            dynamic_shapes=tuple(axes for _, axes in inputs.values()),
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _finished(model: onnx.ModelProto, header: dict[str, str]) -> bytes:
    """The bytes of a file that holds the network, its header and nothing of this machine."""
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


@contextmanager
def _told(network: nn.Module, part: str) -> Generator[tuple[str, ...], None, None]:
    """While it lasts the network answers, beside its own answer, what that part takes and gives.

    Gives the names of these.
    """
    if not part:
        yield ()
        return
    seen: list[Tensor] = []

    def note(_: nn.Module, taken: tuple[Tensor, ...], given: Tensor) -> None:
        seen[:] = [taken[0], given]

    def tell(_: nn.Module, __: object, answer: Tensor) -> tuple[Tensor, ...]:
        return (answer, *seen)

    hooks = [
        network.get_submodule(part).register_forward_hook(note),
        network.register_forward_hook(tell),
    ]
    try:
        yield "frames", "answers"
    finally:
        for hook in hooks:
            hook.remove()


def _store_as_f16(model: onnx.ModelProto) -> None:
    """Keep float weights as f16 with a cast behind, which engines fold when they load."""
    graph = model.graph
    exact: set[str] = set()
    for node in graph.node:
        owner = node.input[1].rpartition(".")[0] if node.op_type == "Conv" else ""
        if owner.split(".")[-1] in ("head", "interpolation"):
            node.name = owner
            exact.update(node.input[1:])
    kept: list[onnx.TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name in exact:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):  # beyond f16's range: kept as it is
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.f16"
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


def header_of(
    *,
    name: str,
    config: NetworkConfig,
    training_data: Sequence[str],
    degradation: str,
    steps: int,
    commit: str,
    licence: str,
    teacher: str = "",
) -> dict[str, str]:
    """What every file of weights says of them; see `export_card`."""
    return {
        **({"teacher": teacher} if teacher else {}),
        "name": name,
        "network": json.dumps(asdict(config)),
        "training_data": json.dumps(training_data),
        "degradation": degradation,
        "steps": str(steps),
        "commit": commit,
        "licence": licence,
    }


def export_card(
    *,
    name: str,
    summary: str,
    config: NetworkConfig,
    weights: dict[str, Tensor],
    training_data: tuple[str, ...],
    degradation: str,
    steps: int,
    commit: str,
    folder: Path,
    licence: str = "Apache-2.0",
    teacher: str = "",
) -> ModelCard:
    """Write ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json`` into `folder`.

    A recurrent network becomes ``NAME.CELL.onnx`` for each of its cells.

    Trained weights are rounded to f16 before either file is made: both hold the same network.
    What else a network stores (running means of a normalisation) stays as it is.

    Args:
        name: of the card and its files.
        summary: one line for people.
        config: architecture.
        weights: the network's state by name.
        training_data: sources with their licences.
        degradation: in words.
        steps: optimiser steps.
        commit: of this project when it was trained.
        folder: made where it is missing.
        licence: of the weights (SPDX).
        teacher: that it learned from beside the truth, "" for none.
    """
    network = build_network(asdict(config))
    trained = {name for name, _ in network.named_parameters()}
    rounded = {
        k: v.detach().to(torch.float16 if k in trained else v.dtype).contiguous()
        for k, v in weights.items()
    }
    header = header_of(
        name=name,
        config=config,
        training_data=training_data,
        degradation=degradation,
        steps=steps,
        commit=commit,
        licence=licence,
        teacher=teacher,
    )
    network.load_state_dict({k: v.float() if k in trained else v for k, v in rounded.items()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(save(rounded, metadata=header))
    if isinstance(config, RecurrentConfig):
        files = cells_to_onnx(config, network, header)
    elif isinstance(config, FrameRecurrentConfig):
        files = steps_to_onnx(config, network, header)
    else:
        folded = getattr(network, "folded", None)
        data = to_onnx(
            network if folded is None else folded(),
            CHANNELS[config.layout] * len(config.offsets),
            header,
            layout=config.layout,
            multiple=config.multiple,
            each_frame=config.each_frame,
        )
        files = [data]
    card = ModelCard(
        name=name,
        summary=summary,
        network=config,
        training_data=training_data,
        degradation=degradation,
        licence=licence,
        steps=steps,
        commit=commit,
        sha256=hashlib.sha256(b"".join(files)).hexdigest(),
        tolerance=dict(_TOLERANCES.get(config.kind, {"f32": 1.0})),
        teacher=teacher,
        folder=folder,
    )
    for cell, data in zip(card.cells, files, strict=True):
        card.onnx_path(cell).write_bytes(data)
    card.onnx_path("int8").unlink(missing_ok=True)  # of the weights that were there before
    write_card(card)
    return card
