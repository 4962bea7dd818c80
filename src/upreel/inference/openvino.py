"""OpenVINO: the engine of the base install. bf16 where the CPU has it, f32 elsewhere.

A network of convolutions, additions and ReLU alone computes in levels, exact even in bf16:
`_work_in_levels`. Any other is given [0, 1] and computes in f32 alone: `_work_in_unit_range`; so is
one in int8, whose file says where it rounds to whole numbers.
Of a recurrent network's cells some are exact, `exact_cells`, and the others may be bf16.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from upreel.errors import BackendUnavailableError, WeightsError
from upreel.inference.engine import (
    Batch,
    DeviceInfo,
    EngineReport,
    SessionRequest,
    Values,
    report_of,
)
from upreel.inference.whole_numbers import sums_are_exact
from upreel.networks.sizes import CELL, CHANNELS

__all__ = ["OpenVinoCells", "OpenVinoSession", "compile_network", "core", "devices"]

_DEPTH = 2  # one runs while the next is packed and the last is unpacked
_BYTE = np.float32(255)
_NO_MEMORY = ("bad_alloc", "allocat", "memory", "resource temporarily unavailable")
_NAMES = {"cpu": "CPU", "gpu": "GPU"}


@lru_cache(maxsize=1)
def core() -> ov.Core:
    """The one core of this process."""
    return ov.Core()


@lru_cache(maxsize=1)
def devices() -> tuple[DeviceInfo, ...]:
    """The devices that OpenVINO finds on this machine."""
    found: list[DeviceInfo] = []
    there = core()
    for device, name in _NAMES.items():
        if name not in {d.split(".")[0] for d in there.available_devices}:
            continue
        capabilities = set(there.get_property(name, "OPTIMIZATION_CAPABILITIES"))
        if "BF16" in capabilities and device == "cpu":
            precisions, reason = ("bf16", "f32"), "this CPU multiplies bf16 in hardware"
        elif device == "cpu":
            precisions, reason = ("f32",), "this CPU has no bf16 arithmetic"
        else:
            precisions, reason = ("f16", "f32"), "GPUs are fastest in f16"
        if device == "cpu" and sums_are_exact():
            precisions = (*precisions, "int8")
        full_name = str(there.get_property(name, "FULL_DEVICE_NAME")).strip()
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
        counters: whether every layer is timed, which takes time itself.

    Attributes:
        graph: what was compiled.
        compiled: what runs.

    Raises:
        BackendUnavailableError: the device is not there or has no such precision.
    """

    def __init__(self, request: SessionRequest, *, counters: bool = False) -> None:
        self._running: deque[tuple[ov.InferRequest, tuple[npt.NDArray[Any], ...]]] = deque()
        self._request = request
        self._report = _report(request)
        self._answers: _Answers | None = None
        if request.card.network.each_frame:
            self._answers = _Answers(_compiled(_one_frame_graph(request), request), request)
        self.graph = _graph(request)
        self.compiled = _compiled(self.graph, request, counters=counters)
        with _memory_errors():
            self._requests = [self.compiled.create_infer_request() for _ in range(_DEPTH)]
        self._next = 0

    def __del__(self) -> None:
        """A session given up after an error: what still runs reads batches that go with it."""
        self.drop()

    @property
    def depth(self) -> int:
        """How many batches may be submitted before one must be waited for."""
        return _DEPTH

    def submit(self, batch: Batch, state: object = None) -> None:
        """Start on a batch; see `upreel.inference.engine.Session`."""
        assert len(self._running) < _DEPTH, "wait() before the next submit()"
        request = self._requests[self._next]
        self._next = (self._next + 1) % _DEPTH
        read: tuple[npt.NDArray[Any], ...] = (batch,)
        if self._answers is not None:
            read = (batch, self._answers.to(batch))
            request.set_input_tensor(1, ov.Tensor(read[1], shared_memory=True))
        # Deeper levels are read as bytes, lower one first, and uint16 is stored so.
        request.set_input_tensor(0, ov.Tensor(batch.view(np.uint8), shared_memory=True))
        request.start_async()
        self._running.append((request, read))

    def wait(self) -> tuple[Batch, object]:
        """The oldest batch's answer; see `upreel.inference.engine.Session`."""
        request, _ = self._running.popleft()
        with _memory_errors():
            request.wait()
        answer = request.get_output_tensor().data
        return (answer if self._request.bits == 8 else answer.astype(np.uint16)), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, object]:
        """`submit` and `wait` in one."""
        self.submit(batch, state)
        return self.wait()

    def drop(self) -> None:
        """Forget what was submitted; see `upreel.inference.engine.Session`."""
        while self._running:
            request, _ = self._running.popleft()
            with suppress(RuntimeError):
                request.wait()

    def counters(self) -> list[ov.ProfilingInfo]:
        """Every layer's time in the last `run`, of a session that was opened with counters."""
        last = self._requests[self._next - 1]
        return list(last.profiling_info)

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._report


class OpenVinoCells:
    """The cells of a recurrent network on an OpenVINO device, `exact_cells` of them in f32.

    A cell that is convolutions alone is exact in bf16, too, for bytes: see `_work_in_levels`.

    Args:
        request: shape, precision and device.
        only: the cells that are wanted; empty for all of them.

    Raises:
        BackendUnavailableError: the device is not there or has no such precision.
    """

    def __init__(self, request: SessionRequest, only: Sequence[str] = ()) -> None:
        self._report = _report(request)
        self._cells: dict[str, ov.InferRequest] = {}
        self._in_levels: set[str] = set()  # take and give 255 times what callers do
        for cell in only or request.card.cells:
            model = core().read_model(request.card.verified_onnx(cell))
            if request.bits == 8 and request.precision == "bf16" and _only_convolves(model):
                _scale_biases(model, request.max_value)
                self._in_levels.add(cell)
            exact = cell in request.card.network.exact_cells and cell not in self._in_levels
            asked = replace(request, precision="f32") if exact else request
            model.reshape({port: _cell_shape(port, request) for port in model.inputs})
            model = _with_channels_last(model, cell)
            with _memory_errors():
                self._cells[cell] = _compiled(model, asked).create_infer_request()

    def run(self, cell: str, *inputs: Values) -> tuple[Values, ...]:
        """A cell's outputs; see `upreel.inference.engine.Cells`."""
        request = self._cells[cell]
        outputs = tuple(np.empty(tuple(p.shape), np.float32) for p in request.model_outputs)
        given: list[Values] = []  # is read until the cell is done
        for k, (port, values) in enumerate(zip(request.model_inputs, inputs, strict=True)):
            last = _is_channels_last(port, cell)
            given.append(np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if last else values)
            if cell in self._in_levels:
                given[k] = values * _BYTE
            request.set_input_tensor(k, ov.Tensor(given[k], shared_memory=True))
        for k, values in enumerate(outputs):
            request.set_output_tensor(k, ov.Tensor(values, shared_memory=True))
        with _memory_errors():
            request.infer()
        if cell in self._in_levels:
            outputs = tuple(values / _BYTE for values in outputs)
        return tuple(
            values.transpose(0, 3, 1, 2) if _is_channels_last(port, cell) else values
            for port, values in zip(request.model_outputs, outputs, strict=True)
        )

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._report


_CHANNELS_LAST = {
    "from_future": {"refined_features"},
    "from_past": {"refined_features", "features_behind"},
    "aligned": {"features"},
}
"""Features by cell that lie in memory as convolutions leave them.

OpenVINO's conversion of what a convolution leaves to channels first took a quarter of a step.
"""


def _is_channels_last(port: ov.Output | ov.ConstOutput, cell: str) -> bool:
    return bool(_CHANNELS_LAST.get(cell, set()) & port.get_names())


def _with_channels_last(model: ov.Model, cell: str) -> ov.Model:
    """A cell that takes and gives some features so; they are handed on without a copy."""
    steps = ov.preprocess.PrePostProcessor(model)
    first, last = ov.Layout("NCHW"), ov.Layout("NHWC")
    for k, port in enumerate(model.inputs):
        if _is_channels_last(port, cell):
            steps.input(k).tensor().set_layout(last)
            steps.input(k).model().set_layout(first)
    for k, port in enumerate(model.outputs):
        if _is_channels_last(port, cell):
            steps.output(k).model().set_layout(first)
            steps.output(k).tensor().set_layout(last)
    return steps.build()


def _cell_shape(port: ov.Output, request: SessionRequest) -> list[int]:
    """Of a cell's input: free sides become those that were asked for."""
    shape = port.get_partial_shape()
    if len(shape) == 1:
        return [shape[0].get_length()]
    step = CELL if "motion" in port.get_names() else 1
    return [1, shape[1].get_length(), request.height // step, request.width // step]


def _report(request: SessionRequest) -> EngineReport:
    """What is going to run, if it can here."""
    return report_of(request, f"openvino {ov.__version__.split('-')[0]}", devices())


def _compiled(
    model: ov.Model, request: SessionRequest, *, counters: bool = False
) -> ov.CompiledModel:
    return compile_network(
        model,
        request.device,
        precision=request.precision,
        threads=_report(request).threads,
        counters=counters,
    )


def compile_network(
    model: ov.Model, device: str, *, precision: str, threads: int, counters: bool = False
) -> ov.CompiledModel:
    """A graph made ready to run: for the shortest wait, and in no other precision than asked for.

    Args:
        model: with its shape fixed.
        device: one of `devices()`.
        precision: that it offers.
        threads: of a CPU.
        counters: whether every layer is timed.
    """
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # What is not whole numbers in int8, the picture itself, is not rounded either.
        "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,
    }
    if device == "cpu":
        options["INFERENCE_NUM_THREADS"] = threads
    if counters:
        options["PERF_COUNT"] = True
    with _memory_errors():
        return core().compile_model(model, _NAMES[device], options)


def _check_f32(request: SessionRequest) -> None:
    """Refuse bf16 and f16 for what is not only convolutions and ReLU."""
    if request.precision not in ("f32", "int8"):
        raise BackendUnavailableError(
            f"{request.card.name} is not only convolutions and ReLU: "
            f"OpenVINO computes it in f32, not in {request.precision}"
        )


@contextmanager
def _memory_errors() -> Generator[None, None, None]:
    """OpenVINO's own error for a lack of memory becomes `MemoryError`."""
    try:
        yield
    except RuntimeError as error:
        if any(word in str(error).lower() for word in _NO_MEMORY):
            raise MemoryError(str(error)) from error
        raise


class _Answers:
    """Answers to each frame alone, kept as long as the frame is in the window.

    A frame is known by its samples: what callers hand in needs no names, and an answer depends on
    nothing else.

    Args:
        network: one frame, (1, 1, H, W) in [0, 1], to its answer.
        request: of the session.
    """

    def __init__(self, network: ov.CompiledModel, request: SessionRequest) -> None:
        with _memory_errors():
            self._network = network.create_infer_request()
        self._limit = np.float32(request.max_value)
        self._kept: list[tuple[npt.NDArray[Any], npt.NDArray[np.float32]]] = []

    def to(self, batch: Batch) -> npt.NDArray[np.float32]:
        """Answers to the frames of a batch (B, H, W, T): (B T, C, H, W)."""
        found: list[tuple[npt.NDArray[Any], npt.NDArray[np.float32]]] = []
        for frame in (batch[b, ..., t] for b in range(len(batch)) for t in range(batch.shape[3])):
            known = (pair for pair in (*found, *self._kept) if np.array_equal(pair[0], frame))
            found.append(next(known, None) or (frame.copy(), self._answer(frame)))
        self._kept = found
        return np.stack([answer for _, answer in found])

    def _answer(self, frame: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        values = frame.astype(np.float32)[None, None] / self._limit
        with _memory_errors():
            (answer,) = self._network.infer([values], share_outputs=False).values()
        return answer[0]


def _port(model: ov.Model, name: str) -> ov.Output:
    """The tensor that `upreel.inference.export.to_onnx` gave that name."""
    for op in model.get_ordered_ops():
        for port in op.outputs():
            if name in port.get_names():
                return port
    raise WeightsError(f"an ONNX file without a tensor {name!r}: export its card again")


def _replaced(port: ov.Output, name: str) -> ov.op.Parameter:
    """An input in the place of a tensor."""
    parameter = ops.parameter(port.get_partial_shape(), ov.Type.f32, name=name)
    for reader in port.get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    return parameter


def _one_frame_graph(request: SessionRequest) -> ov.Model:
    """The part of the card's network that answers to one frame alone: `_Answers`."""
    model = core().read_model(request.card.verified_onnx())
    frames = _replaced(_port(model, "frames"), "frames")
    part = ov.Model([_port(model, "answers")], [frames], "one frame")  # pyright: ignore[reportGeneralTypeIssues]
    part.reshape([1, 1, request.height, request.width])
    return part


def _graph(request: SessionRequest) -> ov.Model:
    """The card's network with its shape fixed and integers at both ends.

    Answers to each frame alone, where it has them, are its second input.
    """
    model = core().read_model(request.card.verified_onnx(request.cell, request.precision))
    answers = None
    if request.card.network.each_frame:
        answers = _replaced(_port(model, "answers"), "answers")
        model.add_parameters([answers])
    in_bytes = 1 if request.bits == 8 else 2
    to_levels = np.float32(1)
    if answers is None and _is_homogeneous(model):
        _work_in_levels(model, in_bytes, request.max_value)
    else:
        _check_f32(request)
        _work_in_unit_range(model, in_bytes, request.max_value)
        to_levels = np.float32(request.max_value)
    sizes = (request.height, request.width)
    shapes: dict[ov.Output, list[int]] = {}
    if answers is not None:
        model.remove_parameter(answers)
        model.add_parameters([answers])  # behind the picture, which is another input by now
        channels = CHANNELS[request.card.layout] * request.card.scale**2
        shapes[answers.output(0)] = [request.batch * request.in_channels, channels, *sizes]
    shapes[model.input(0)] = [request.batch, in_bytes * request.in_channels, *sizes]
    model.reshape(shapes)

    def rounded(node: ov.Output) -> ov.Output:
        """Conversion to an integer, here or in `wait`, cuts the half that is added here."""
        levels = node if to_levels == 1 else ops.multiply(node, to_levels)
        levels = ops.add(levels, np.float32(0.5))
        return ops.clamp(levels, 0.0, request.max_value + 0.5).output(0)

    steps = ov.preprocess.PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input(0).model().set_layout(ov.Layout("NCHW"))
    steps.input(0).preprocess().convert_element_type(ov.Type.f32)
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


def _only_convolves(model: ov.Model) -> bool:
    """Whether it is convolutions, additions and ReLU alone, at most of a picture with a border."""
    kinds = {node.get_type_name() for node, _ in _flow(model)}
    return len(model.get_parameters()) == 1 and kinds <= _HOMOGENEOUS | {"Pad", "Slice"}


def _work_in_levels(model: ov.Model, in_bytes: int, limit: int) -> None:
    """Let the network take the bytes of levels and answer levels, instead of [0, 1].

    bf16 has 8 significant bits: it holds a byte exactly, but neither its quotient by 255 nor
    deeper levels. A network of convolutions and ReLU with all its biases `limit` times as large
    gives an answer `limit` times as large to an input `limit` times as large, so nothing else has
    to be scaled; and a level of two bytes is read as two channels, the upper one with weights 256
    times as large. The picture itself is then never rounded.
    """
    _scale_biases(model, limit)
    if in_bytes == 1:
        return
    parameter = model.get_parameters()[0]
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


def _scale_biases(model: ov.Model, limit: int) -> None:
    """Make a network of convolutions and ReLU answer levels to levels."""
    for node, fixed in list(_flow(model)):
        if node.get_type_name() == "Add" and fixed:
            bias = node.input_value(fixed[0])
            node.set_argument(fixed[0], ops.multiply(bias, np.float32(limit)).output(0))


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
