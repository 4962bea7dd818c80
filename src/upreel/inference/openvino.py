"""OpenVINO: the engine of the base install. bf16 where the CPU has it, f32 elsewhere.

A network of convolutions, additions and ReLU alone computes in levels, exact even in bf16:
`_work_in_levels`. Any other is given [0, 1] and computes in f32 alone: `_work_in_unit_range`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from upreel.errors import BackendUnavailableError
from upreel.inference.engine import Batch, DeviceInfo, EngineReport, SessionRequest

__all__ = ["OpenVinoSession", "devices"]

_DEPTH = 2  # one runs while the next is packed and the last is unpacked
_NAMES = {"cpu": "CPU", "gpu": "GPU"}


@lru_cache(maxsize=1)
def _core() -> ov.Core:
    return ov.Core()


@lru_cache(maxsize=1)
def devices() -> tuple[DeviceInfo, ...]:
    """The devices that OpenVINO finds on this machine."""
    found: list[DeviceInfo] = []
    core = _core()
    for device, name in _NAMES.items():
        if name not in {d.split(".")[0] for d in core.available_devices}:
            continue
        capabilities = set(core.get_property(name, "OPTIMIZATION_CAPABILITIES"))
        if "BF16" in capabilities and device == "cpu":
            precisions, reason = ("bf16", "f32"), "this CPU multiplies bf16 in hardware"
        elif device == "cpu":
            precisions, reason = ("f32",), "this CPU has no bf16 arithmetic"
        else:
            precisions, reason = ("f16", "f32"), "GPUs are fastest in f16"
        full_name = str(core.get_property(name, "FULL_DEVICE_NAME")).strip()
        found.append(
            DeviceInfo(
                device=device,
                engine="openvino",
                name=full_name,
                precisions=precisions,
                reason=reason,
            )
        )
    return tuple(found)


class OpenVinoSession:
    """A network on an OpenVINO device, with integer code values in and out of the graph.

    Args:
        request: shape, precision and device.

    Raises:
        BackendUnavailableError: the device is not there or has no such precision.
    """

    def __init__(self, request: SessionRequest) -> None:
        self._running: deque[tuple[ov.InferRequest, Batch]] = deque()
        self._request = request
        info = next((d for d in devices() if d.device == request.device), None)
        if info is None or request.precision not in info.precisions:
            raise BackendUnavailableError(
                f"OpenVINO has no {request.precision} on {request.device} here; there are: "
                + ", ".join(f"{d.device} ({'/'.join(d.precisions)})" for d in devices())
            )
        self._info = info
        self._threads = request.threads or len(os.sched_getaffinity(0))
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": request.precision,
        }
        if request.device == "cpu":
            options["INFERENCE_NUM_THREADS"] = self._threads
        compiled = _core().compile_model(_graph(request), _NAMES[request.device], options)
        self._requests = [compiled.create_infer_request() for _ in range(_DEPTH)]
        self._next = 0

    def __del__(self) -> None:
        """A session given up after an error: what still runs reads batches that go with it."""
        for request, _ in self._running:
            with suppress(RuntimeError, MemoryError):
                request.wait()

    @property
    def depth(self) -> int:
        """How many batches may be submitted before one must be waited for."""
        return _DEPTH

    def submit(self, batch: Batch, state: object = None) -> None:
        """Start on a batch; see `upreel.inference.engine.Session`."""
        assert len(self._running) < _DEPTH, "wait() before the next submit()"
        request = self._requests[self._next]
        self._next = (self._next + 1) % _DEPTH
        # Deeper levels are read as bytes, lower one first, and uint16 is stored so.
        request.set_input_tensor(ov.Tensor(batch.view(np.uint8), shared_memory=True))
        request.start_async()
        self._running.append((request, batch))

    def wait(self) -> tuple[Batch, object]:
        """The oldest batch's answer; see `upreel.inference.engine.Session`."""
        request, _ = self._running.popleft()
        try:
            request.wait()
        except RuntimeError as error:
            if any(word in str(error).lower() for word in ("bad_alloc", "allocat", "memory")):
                raise MemoryError(str(error)) from error
            raise
        answer = request.get_output_tensor().data
        return (answer if self._request.bits == 8 else answer.astype(np.uint16)), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, object]:
        """`submit` and `wait` in one."""
        self.submit(batch, state)
        return self.wait()

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return EngineReport(
            engine=f"openvino {ov.__version__.split('-')[0]}",
            device=self._request.device,
            name=self._info.name,
            precision=self._request.precision,
            threads=self._threads,
            reason=self._info.reason,
        )


def _graph(request: SessionRequest) -> ov.Model:
    """The card's network with its shape fixed and integers at both ends."""
    model = _core().read_model(request.card.verified_onnx())
    in_bytes = 1 if request.bits == 8 else 2
    to_levels = np.float32(1)
    if _is_homogeneous(model):
        _work_in_levels(model, in_bytes, request.max_value)
    else:
        if request.precision != "f32":
            raise BackendUnavailableError(
                f"{request.card.name} is not only convolutions and ReLU: "
                f"OpenVINO computes it in f32, not in {request.precision}"
            )
        _work_in_unit_range(model, in_bytes, request.max_value)
        to_levels = np.float32(request.max_value)
    model.reshape([request.batch, in_bytes * request.in_channels, request.height, request.width])

    def rounded(node: ov.Output) -> ov.Output:
        """Conversion to an integer, here or in `wait`, cuts the half that is added here."""
        levels = node if to_levels == 1 else ops.multiply(node, to_levels)
        levels = ops.add(levels, np.float32(0.5))
        return ops.clamp(levels, 0.0, request.max_value + 0.5).output(0)

    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32)
    steps.output().model().set_layout(ov.Layout("NCHW"))
    output = steps.output().postprocess().custom(rounded)
    if request.bits == 8:  # OpenVINO's own conversion to u16 is a slow reference
        output.convert_element_type(ov.Type.u8)
    output.convert_layout(ov.Layout("NHWC"))
    return steps.build()


_HOMOGENEOUS = {"Convolution", "Add", "Relu", "Result"}


def _flow(model: ov.Model) -> Iterator[tuple[ov.Node, list[int]]]:
    """Nodes that the picture flows through, in order, with their inputs that it does not.

    Sizes are not the picture: biases are shaped by what `ShapeOf` says.
    """
    reached = {model.get_parameters()[0].get_name()}
    for node in model.get_ordered_ops():
        sources = [value.get_node().get_name() for value in node.input_values()]
        fixed = [k for k, name in enumerate(sources) if name not in reached]
        if len(fixed) < len(sources) and node.get_type_name() != "ShapeOf":
            reached.add(node.get_name())
            yield node, fixed


def _stored(node: ov.Node) -> npt.NDArray[np.float32] | None:
    """What a constant holds, one stored in f16 too; None of other nodes."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.get_data().astype(np.float32) if node.get_type_name() == "Constant" else None


def _is_homogeneous(model: ov.Model) -> bool:
    """Whether it is convolutions, additions and ReLU alone, the first ones with stored weights."""
    parameter = model.get_parameters()[0].get_name()
    for node, fixed in _flow(model):
        kind = node.get_type_name()
        if kind not in _HOMOGENEOUS or (kind == "Convolution" and fixed != [1]):
            return False
        reads = any(value.get_node().get_name() == parameter for value in node.input_values())
        if reads and (kind != "Convolution" or _stored(node.input_value(1).get_node()) is None):
            return False
    return True


def _work_in_levels(model: ov.Model, in_bytes: int, limit: int) -> None:
    """Let the network take the bytes of levels and answer levels, instead of [0, 1].

    bf16 has 8 significant bits: it holds a byte exactly, but neither its quotient by 255 nor
    deeper levels. A network of convolutions and ReLU with all its biases `limit` times as large
    gives an answer `limit` times as large to an input `limit` times as large, so nothing else has
    to be scaled; and a level of two bytes is read as two channels, the upper one with weights 256
    times as large. The picture itself is then never rounded.
    """
    parameter = model.get_parameters()[0]
    for node, fixed in list(_flow(model)):
        if node.get_type_name() == "Add" and fixed:
            bias = node.input_value(fixed[0])
            node.set_argument(fixed[0], ops.multiply(bias, np.float32(limit)).output(0))
    if in_bytes == 1:
        return
    shape = parameter.get_partial_shape()
    shape[1] = 2 * shape[1].get_length()
    parameter.set_partial_shape(shape)
    for reader in parameter.output(0).get_target_inputs():
        convolution = reader.get_node()
        values = _stored(convolution.input_value(1).get_node())
        assert values is not None, f"{convolution} reads no stored weights"
        pairs = np.stack((values, values * np.float32(256)), axis=2)
        pairs = pairs.reshape(len(values), -1, *values.shape[2:])
        convolution.set_argument(1, ops.constant(pairs).output(0))
    model.validate_nodes_and_infer_types()


def _work_in_unit_range(model: ov.Model, in_bytes: int, limit: int) -> None:
    """Any other network behind a scaling of the bytes of levels to [0, 1], in f32.

    Two bytes, the lower one first, are put together before: f32 holds every level exactly.
    """
    old = model.get_parameters()[0]
    shape = old.get_partial_shape()
    shape[1] = in_bytes * shape[1].get_length()
    parameter = ops.parameter(shape, ov.Type.f32, name=old.get_friendly_name())
    levels: ov.Node = parameter
    if in_bytes == 2:
        channels = [np.int64(1)]
        last = [np.int64(np.iinfo(np.int64).max)]
        low, high = (
            ops.slice(parameter, [np.int64(first)], last, [np.int64(2)], channels)
            for first in (0, 1)
        )
        levels = ops.add(low, ops.multiply(high, np.float32(256)))
    values = ops.divide(levels, np.float32(limit))
    for reader in old.output(0).get_target_inputs():
        reader.replace_source_output(values.output(0))
    model.add_parameters([parameter])
    model.remove_parameter(old)
    model.validate_nodes_and_infer_types()
