"""ONNX Runtime: one ONNX file on CUDA, TensorRT, DirectML, CoreML, and on the CPU as a check."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import onnxruntime as ort

from upreel.errors import BackendUnavailableError
from upreel.inference.engine import (
    Batch,
    DeviceInfo,
    EngineReport,
    SessionRequest,
    Values,
    report_of,
)
from upreel.inference.whole_numbers import sums_are_exact

__all__ = ["OnnxRuntimeCells", "OnnxRuntimeSession", "devices", "open_file"]

_PROVIDERS = {
    "tensorrt": ("TensorrtExecutionProvider", ("f16", "f32")),
    "cuda": ("CUDAExecutionProvider", ("f32",)),
    "directml": ("DmlExecutionProvider", ("f32",)),
    "coreml": ("CoreMLExecutionProvider", ("f32",)),
    "ort-cpu": ("CPUExecutionProvider", ("f32", "int8")),
}


def devices() -> tuple[DeviceInfo, ...]:
    """The devices that the installed ONNX Runtime was built for."""
    available = set(ort.get_available_providers())
    return tuple(
        DeviceInfo(
            device=device,
            engine="onnxruntime",
            name=provider.removesuffix("ExecutionProvider"),
            precisions=precisions
            if sums_are_exact()
            else tuple(precision for precision in precisions if precision != "int8"),
            reason="tensor cores are fastest in f16"
            if "f16" in precisions
            else "the precision of the stored network",
        )
        for device, (provider, precisions) in _PROVIDERS.items()
        if provider in available
    )


class OnnxRuntimeSession:
    """A network on an ONNX Runtime provider.

    Args:
        request: shape, precision and device.

    Raises:
        BackendUnavailableError: the provider is not there, or fell back to the CPU.
    """

    def __init__(self, request: SessionRequest) -> None:
        self._request = request
        self._report = _report(request)
        self._session = _opened(
            request.card.verified_onnx(request.cell, request.precision), request
        )
        self._input = self._session.get_inputs()[0].name
        self._answers: deque[Batch] = deque()

    @property
    def depth(self) -> int:
        """How many batches may be submitted before one must be waited for."""
        return 1

    def submit(self, batch: Batch, state: object = None) -> None:
        """Run a batch; see `upreel.inference.engine.Session`."""
        limit = np.float32(self._request.max_value)
        values = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32) / limit
        with _memory_errors():
            (answer,) = self._session.run(None, {self._input: values})
        levels = np.clip(np.asarray(answer) * limit + np.float32(0.5), 0, limit + np.float32(0.5))
        answer = np.ascontiguousarray(levels.transpose(0, 2, 3, 1), batch.dtype)
        self._answers.append(cast("Batch", answer))

    def wait(self) -> tuple[Batch, object]:
        """The oldest batch's answer; see `upreel.inference.engine.Session`."""
        return self._answers.popleft(), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, object]:
        """`submit` and `wait` in one."""
        self.submit(batch, state)
        return self.wait()

    def drop(self) -> None:
        """Forget what was submitted."""
        self._answers.clear()

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._report


class OnnxRuntimeCells:
    """The cells of a recurrent network on an ONNX Runtime provider.

    Args:
        request: shape, precision and device.
        only: the cells that are wanted; empty for all of them.

    Raises:
        BackendUnavailableError: the provider is not there, or fell back to the CPU.
    """

    def __init__(self, request: SessionRequest, only: Sequence[str] = ()) -> None:
        self._report = _report(request)
        self._cells = {
            cell: _opened(request.card.verified_onnx(cell), request)
            for cell in only or request.card.cells
        }

    def run(self, cell: str, *inputs: Values) -> tuple[Values, ...]:
        """A cell's outputs; see `upreel.inference.engine.Cells`."""
        session = self._cells[cell]
        names = (entry.name for entry in session.get_inputs())
        with _memory_errors():
            outputs = session.run(None, dict(zip(names, inputs, strict=True)))
        return tuple(np.asarray(output) for output in outputs)

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._report


def _report(request: SessionRequest) -> EngineReport:
    """What is going to run, if it can here."""
    return report_of(request, f"onnxruntime {ort.__version__}", devices())


def _opened(data: bytes, request: SessionRequest) -> ort.InferenceSession:
    threads = _report(request).threads
    return open_file(data, request.device, threads, half=request.precision == "f16")


def open_file(
    data: bytes, device: str, threads: int, *, half: bool = False
) -> ort.InferenceSession:
    """An ONNX file on a device of `devices`.

    Args:
        data: the file.
        device: its name.
        threads: 0 for as many as ONNX Runtime likes.
        half: whether TensorRT may compute in f16.

    Raises:
        BackendUnavailableError: the provider is not there, or fell back to the CPU.
    """
    if device not in {info.device for info in devices()}:
        there = ", ".join(info.device for info in devices())
        raise BackendUnavailableError(f"ONNX Runtime has no {device} here; there are: {there}")
    provider = _PROVIDERS[device][0]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    settings = {"trt_fp16_enable": "1"} if half else {}
    with _memory_errors():
        session = ort.InferenceSession(data, options, providers=[(provider, settings)])
    if provider not in session.get_providers():
        raise BackendUnavailableError(
            f"ONNX Runtime cannot start {provider} on this machine: is its driver installed?"
        )
    return session


@contextmanager
def _memory_errors() -> Generator[None, None, None]:
    """ONNX Runtime's own error for a lack of memory becomes `MemoryError`."""
    try:
        yield
    except Exception as error:  # its exceptions share no public base
        if "allocat" in str(error).lower() or "memory" in str(error).lower():
            raise MemoryError(str(error)) from error
        raise
