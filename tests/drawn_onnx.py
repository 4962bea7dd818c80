"""ONNX files drawn for tests: networks that repeat samples, and some that are no such network."""

from collections.abc import Sequence
from pathlib import Path


def write_onnx(
    path: Path,
    *,
    channels: int = 1,
    scale: int = 2,
    factor: float = 1.0,
    size: Sequence[int | str] = ("h", "w"),
    answer_channels: int | None = None,
    num_inputs: int = 1,
    columns: float | None = None,
) -> Path:
    """A file that multiplies each channel n by ``factor / (n + 1)`` and repeats its samples.

    Args:
        path: to write.
        channels: that it takes.
        scale: by which it repeats rows and columns.
        factor: of the first channel.
        size: rows and columns that it takes, names for free ones.
        answer_channels: None for as many as it takes.
        num_inputs: all but the first are answered by nothing.
        columns: by which it repeats columns, where that is another number.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    answered = answer_channels or channels
    weights = np.zeros((answered, channels, 1, 1), np.float32)
    for n in range(min(channels, answered)):
        weights[n, n] = factor / (n + 1)
    sides = np.array([1, 1, scale, columns or scale], np.float32)
    names = ["x", *(f"unused{n}" for n in range(1, num_inputs))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "weights"], ["weighted"]),
            helper.make_node(
                "Resize", ["weighted", "", "sides"], ["y"], mode="nearest",
                nearest_mode="floor", coordinate_transformation_mode="asymmetric",
            ),
        ],
        "repeat",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *size])
            for name in names
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(sides, "sides")],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path
