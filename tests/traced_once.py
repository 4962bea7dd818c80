"""Networks are traced for ONNX once a run: it takes seconds, up to twenty where motion is found.

A trace is kept by all that decides it: modules and their attributes, weights, inputs and outputs.
Motion has no weights, so that all recurrent networks of a run share that of one, and a network that
several tests export is traced by the first of them. What a file is made of it, is made each time.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx  # noqa: TID253
from filelock import FileLock
from torch import Tensor, nn  # noqa: TID253

from upreel.inference import export

Inputs = Mapping[str, tuple[Tensor, dict[int, Any]]]
_ELSEWHERE = ("_parameters", "_buffers", "_modules")  # told below


@contextmanager
def traced_once(folder: Path) -> Generator[None]:
    """While it lasts, what `upreel.inference.export` traces is kept in a folder, for all processes.

    Args:
        folder: of the run.
    """
    trace = export._traced

    def kept(network: nn.Module, inputs: Inputs, outputs: Sequence[str]) -> onnx.ModelProto:
        path = folder / f"{trace_key(network.eval(), inputs, outputs)}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                path.write_bytes(trace(network, inputs, outputs).SerializeToString())
        return onnx.load_from_string(path.read_bytes())

    export._traced = kept
    try:
        yield
    finally:
        export._traced = trace


def trace_key(network: nn.Module, inputs: Inputs, outputs: Sequence[str]) -> str:
    """A name that two traces share only if they are the same.

    What prints its place in memory, such as a hook, makes a name of its own.
    """
    told = hashlib.sha256(repr(tuple(outputs)).encode())
    for name, module in network.named_modules():
        own = {key: value for key, value in vars(module).items() if key not in _ELSEWHERE}
        assert not any(isinstance(value, Tensor) for value in own.values()), "prints in part"
        told.update(f"\n{name} {type(module)} {own}".encode())
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        told.update(f"\n{name} {values.dtype} {tuple(values.shape)}".encode())
        told.update(values.detach().contiguous().numpy().tobytes())
    for name, (example, axes) in inputs.items():
        free = {axis: (dim.__name__, dim.min, dim.max) for axis, dim in axes.items()}
        told.update(f"\n{name} {example.dtype} {tuple(example.shape)} {free}".encode())
    return told.hexdigest()
