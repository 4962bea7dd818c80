"""A network in whole numbers as ONNX: pairs of QuantizeLinear and DequantizeLinear (needs PyTorch).

What is between such a pair and a convolution's dequantised weights is what engines run in whole
numbers: OpenVINO, ONNX Runtime and TensorRT from the same file. So is the interpolation that
detail is added to, without rounding anything: its weights are whole multiples of 1/256, levels are
bytes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from upreel.errors import OptionError
from upreel.inference.export import header_of
from upreel.networks.build import build_network
from upreel.networks.frame_recurrent import LEVELS
from upreel.networks.quantized import LARGEST_WEIGHT, Layer, QuantizedNetwork, Range
from upreel.networks.quantized_step import MIDDLE, QuantizedStepNetwork
from upreel.networks.sizes import CHANNELS
from upreel.zoo import ModelCard, QuantizedConfig
from upreel.zoo.card import write_card

__all__ = ["add_quantized", "quantized_to_onnx"]

_OPSET = 20
_GRID = 1 / 256  # of `upreel.networks.planes.interpolation_kernel`
_TOLERANCE = 3.0  # levels: another rounding of one activation changes some answers


def add_quantized(
    card: ModelCard,
    *,
    config: QuantizedConfig,
    weights: Mapping[str, Tensor],
    training_data: Sequence[str],
    degradation: str,
    steps: int,
    commit: str,
    teacher: str = "",
) -> ModelCard:
    """Write ``NAME.int8.onnx`` beside a card, which then offers int8.

    Args:
        card: of the network in floating point.
        config: architecture in whole numbers.
        weights: its state by name.
        training_data: sources with their licences.
        degradation: in words.
        steps: optimiser steps behind calibration.
        commit: of this project when it was calibrated.
        teacher: that it learned from meanwhile, "" for none.

    Raises:
        OptionError: the card is of another network, or activations have other than 8 bits.
    """
    if config.network != card.network:
        raise OptionError(f"{card.name} is {card.network}, what was quantised is {config.network}")
    if config.activation_bits != 8:
        raise OptionError(f"int8 is of 8 bits, these activations have {config.activation_bits}")
    network = build_network(asdict(config)).eval()
    assert isinstance(network, QuantizedNetwork | QuantizedStepNetwork)
    network.load_state_dict(dict(weights))
    header = header_of(
        name=card.name,
        config=config,
        training_data=training_data,
        degradation=degradation,
        steps=steps,
        commit=commit,
        licence=card.licence,
        teacher=teacher,
    )
    if isinstance(network, QuantizedNetwork):
        data = quantized_to_onnx(network, config, header)
    else:
        data = quantized_step_to_onnx(network, header)
    card.onnx_path("int8").write_bytes(data)
    made = replace(
        card,
        tolerance={**card.tolerance, "int8": _TOLERANCE},
        quantized={"int8": hashlib.sha256(data).hexdigest()},
    )
    write_card(made)
    return made


def quantized_to_onnx(
    network: QuantizedNetwork, config: QuantizedConfig, header: Mapping[str, str]
) -> bytes:
    """A quantised network as ONNX: float in and out, free batch and size, weights of 8 bits.

    Args:
        network: to be stored.
        config: its architecture; activations must have 8 bits.
        header: entries of the file's metadata.

    Returns:
        The file's bytes, the same on every call.
    """
    assert config.activation_bits == 8
    graph = _Graph()
    seen = graph.whole(config.layout, network.input_step, network.input_range)
    layers = network.layers()
    stream = graph.add("Relu", graph.convolution(seen, layers[0]))
    steps = [layer.step for layer in layers[1:]]
    stream = graph.whole(stream, steps[0], network.ranges[0])
    for k in range(1, len(layers) - 1, 2):
        inner = graph.add("Relu", graph.convolution(stream, layers[k]))
        inner = graph.whole(inner, steps[k], network.ranges[k])
        changed = graph.convolution(inner, layers[k + 1])
        changed = graph.add("Add", stream, changed) if network.skips else graph.add("Relu", changed)
        stream = graph.whole(changed, steps[k + 1], network.ranges[k + 1])
    detail = graph.convolution(stream, layers[-1])
    kernel = network.network.interpolation.numpy()
    others = (config.frames - 1) * CHANNELS[config.layout]
    kernel = np.pad(kernel, ((0, 0), (0, others), (0, 0), (0, 0)))  # nothing of the neighbours
    answer = detail
    parts = _in_bytes(kernel)
    for k, part in enumerate(parts):
        picture = graph.fixed_convolution(seen, part, _GRID)
        last = k == len(parts) - 1
        answer = graph.add("Add", picture, answer, output="answer" if last else "")
    return graph.finished(
        config.layout, CHANNELS[config.layout] * config.frames, len(kernel), header
    )


def quantized_step_to_onnx(network: QuantizedStepNetwork, header: Mapping[str, str]) -> bytes:
    """A step in whole numbers as ONNX, as `upreel.networks.frame_recurrent.FrameStep` else is.

    Args:
        network: to be stored.
        header: entries of the file's metadata.

    Returns:
        The file's bytes, the same on every call.
    """
    graph, each, carried = _Graph(), network.network.each, network.network.carried
    levels, layers = Range(least=0, most=LEVELS), network.layers()
    frame = graph.channels("seen", 0, 1)
    kernel = network.network.interpolation.numpy()
    around = graph.whole(graph.padded(frame, kernel.shape[-1] // 2), 1 / LEVELS, levels)
    pictures = [graph.fixed_convolution(around, part, _GRID, 0) for part in _in_bytes(kernel)]
    first = reduce(lambda one, other: graph.add("Add", one, other), pictures)
    middle = MIDDLE / LEVELS
    difference = graph.add("Sub", graph.channels("seen", 1, 1 + each), first)
    difference = graph.add("Add", difference, graph.constant(np.array(middle, np.float32)))
    features = graph.channels("seen", 1 + each, 1 + each + carried)
    parts = (
        graph.padded(frame, 1),
        graph.padded(difference, 1, middle),
        graph.padded(features, 1, 0.0),
    )
    values = graph.whole(graph.add("Concat", *parts, axis=1), 1 / LEVELS, levels)
    for k, (layer, behind) in enumerate(pairwise(layers)):
        values = graph.add("Relu", graph.convolution(values, layer, int(k > 0)))
        values = graph.whole(values, behind.step, levels)
    answer = graph.add("Add", first, graph.convolution(values, layers[-1], bias=False))
    graph.add("Concat", answer, graph.channels(values, 0, carried), axis=1, output="answer")
    return graph.finished("seen", network.network.head.in_channels, each + carried, header)


def _in_bytes(kernel: npt.NDArray[np.float32]) -> list[npt.NDArray[np.int8]]:
    """Weights of the interpolation, whole multiples of `_GRID` beyond a byte, as sums of bytes."""
    whole = np.rint(kernel / _GRID).astype(np.int32)
    assert np.array_equal(whole * _GRID, kernel), "an interpolation that is not on its grid"
    parts: list[npt.NDArray[np.int8]] = []
    while whole.any():
        # An even share of what is left, so that no byte is full before the last one.
        count = -(-int(np.abs(whole).max()) // LARGEST_WEIGHT)
        part = (whole // count).clip(-LARGEST_WEIGHT, LARGEST_WEIGHT)
        parts.append(part.astype(np.int8))
        whole = whole - part
    return parts


class _Graph:
    """Nodes and constants of an ONNX graph in the making."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """A node; returns its output's name."""
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: npt.NDArray[np.generic]) -> str:
        """A stored tensor; returns its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def whole(self, values: str, step: float, span: Range) -> str:
        """Values rounded to whole multiples of a step."""
        kind = np.int8 if span.least else np.uint8
        how = (self.constant(np.array(step, np.float32)), self.constant(np.zeros((), kind)))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", values, *how), *how)

    def channels(self, values: str, first: int, last: int) -> str:
        """Some of the channels."""
        ends = (np.array([k], np.int64) for k in (first, last, 1))
        return self.add("Slice", values, *map(self.constant, ends))

    def padded(self, values: str, margin: int, value: float | None = None) -> str:
        """Values with a margin of one value, or of the border's for None."""
        sides = self.constant(np.array([0, 0, margin, margin] * 2, np.int64))
        if value is None:
            return self.add("Pad", values, sides, mode="edge")
        return self.add("Pad", values, sides, self.constant(np.array(value, np.float32)))

    def convolution(self, values: str, layer: Layer, margin: int = 1, *, bias: bool = True) -> str:
        """A convolution in whole numbers, zeros around it; a bias of zeros may be left out."""
        units = layer.weight_step.numpy()
        weight = self.add(
            "DequantizeLinear",
            self.constant(layer.weight.numpy()),
            self.constant(units),
            self.constant(np.zeros(len(units), np.int8)),
            axis=0,
        )
        taken = [values, weight]
        if bias:
            taken.append(
                self.add(
                    "DequantizeLinear",
                    self.constant(layer.bias.numpy()),
                    self.constant(layer.meaning.numpy()),
                    self.constant(np.zeros(len(units), np.int32)),
                    axis=0,
                )
            )
        return self.add("Conv", *taken, pads=[margin] * 4)

    def fixed_convolution(
        self, values: str, kernel: npt.NDArray[np.int8], step: float, margin: int | None = None
    ) -> str:
        """A convolution by whole multiples of a step, without a bias.

        Args:
            values: what it sees.
            kernel: in steps.
            step: what 1 stands for.
            margin: zeros around what it sees; None for as many as keep the size.
        """
        weight = self.add(
            "DequantizeLinear",
            self.constant(kernel),
            self.constant(np.full(len(kernel), step, np.float32)),
            self.constant(np.zeros(len(kernel), np.int8)),
            axis=0,
        )
        sides = kernel.shape[-1] // 2 if margin is None else margin
        return self.add("Conv", values, weight, pads=[sides] * 4)

    def finished(
        self, name: str, in_channels: int, out_channels: int, header: Mapping[str, str]
    ) -> bytes:
        """The file: its input's name and channels, its output's channels, its metadata."""

        def port(what: str, channels: int) -> onnx.ValueInfoProto:
            shape = ["batch", channels, "height", "width"]
            return helper.make_tensor_value_info(what, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            "upreel",
            [port(name, in_channels)],
            [port("answer", out_channels)],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10
        )
        helper.set_model_props(model, dict(header))
        model.producer_name = "upreel"
        onnx.checker.check_model(model)
        return model.SerializeToString(deterministic=True)
