"""ONNX files that are run as they are, float in and out: the codec's cells.

Unlike a session's network, nothing is attached to them; unlike a recurrent network's cells, their
sizes differ by input.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from upreel.errors import BackendUnavailableError
from upreel.inference.engine import Values, own_threads
from upreel.inference.selection import available_devices

__all__ = ["Graphs", "SizeOf", "engine_name", "graph_precisions", "open_graphs"]

SizeOf = Callable[[str, str], tuple[int, int]]
"""Rows and columns of a file's input."""


class Graphs(Protocol):
    """Files that were opened for one size."""

    def run(self, name: str, *inputs: Values) -> tuple[Values, ...]:
        """The outputs of a file, f32."""
        ...


def open_graphs(
    files: Mapping[str, bytes],
    size_of: SizeOf,
    *,
    device: str = "cpu",
    precision: str = "f32",
    threads: int = 0,
) -> Graphs:
    """Compile ONNX files whose inputs are (1, C, rows, columns).

    Args:
        files: bytes by name.
        size_of: by names of file and input.
        device: "cpu" for OpenVINO, "ort-cpu" or "cuda" for ONNX Runtime.
        precision: "f32", or "bf16" on OpenVINO.
        threads: 0 for all that this process may use.

    Raises:
        BackendUnavailableError: no such device or precision here.
    """
    if device == "cpu":
        return _OpenVinoGraphs(files, size_of, precision, threads)
    if precision != "f32":
        raise BackendUnavailableError(f"{device} runs the codec in f32, not in {precision}")
    return _OnnxRuntimeGraphs(files, device, threads)


def graph_precisions(device: str) -> tuple[str, ...]:
    """Precisions that such files run in on a device; empty where they do not run at all."""
    found = next((info for info in available_devices() if info.device == device), None)
    if found is None or (found.engine == "openvino" and device != "cpu"):
        return ()
    if device != "cpu":
        return ("f32",)
    return tuple(each for each in found.precisions if each != "int8")


def engine_name(device: str) -> str:
    """Name and version of the engine that a device's files run in, as in ``openvino 2026.1.0``."""
    if device == "cpu":
        import openvino as ov

        return f"openvino {ov.__version__.split('-')[0]}"
    import onnxruntime as ort

    return f"onnxruntime {ort.__version__}"


class _OpenVinoGraphs:
    def __init__(
        self, files: Mapping[str, bytes], size_of: SizeOf, precision: str, threads: int
    ) -> None:
        from upreel.inference.openvino import compile_network, core

        offered = graph_precisions("cpu")
        if precision not in offered:
            raise BackendUnavailableError(
                f"the codec cannot run in {precision} on this CPU; it can in: {', '.join(offered)}"
            )
        self._requests = {}
        for name, data in files.items():
            model = core().read_model(data)
            shapes = {}
            for port in model.inputs:
                partial = port.get_partial_shape()
                channels = partial[1].get_length()
                if partial.is_static:
                    continue
                shapes[port] = [1, channels, *size_of(name, port.get_any_name())]
            model.reshape(shapes)
            compiled = compile_network(
                model, "cpu", precision=precision, threads=threads or own_threads()
            )
            self._requests[name] = compiled.create_infer_request()

    def run(self, name: str, *inputs: Values) -> tuple[Values, ...]:
        found = self._requests[name].infer(list(inputs), share_inputs=True, share_outputs=False)
        return tuple(np.asarray(values, np.float32) for values in found.values())


class _OnnxRuntimeGraphs:
    def __init__(self, files: Mapping[str, bytes], device: str, threads: int) -> None:
        from upreel.inference.onnxruntime import open_file

        self._sessions = {name: open_file(data, device, threads) for name, data in files.items()}

    def run(self, name: str, *inputs: Values) -> tuple[Values, ...]:
        session = self._sessions[name]
        names = (entry.name for entry in session.get_inputs())
        outputs = session.run(None, dict(zip(names, inputs, strict=True)))
        return tuple(np.asarray(output) for output in outputs)
