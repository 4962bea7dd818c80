"""Networks that others made, as ONNX files, run by the same engine as ours: OpenVINO on the CPU.

One picture in, one out, NCHW, float in [0, 1]: luma alone or R'G'B'. How many channels a file takes
and how much larger it makes a picture is found by running it once.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from upreel.errors import WeightsError
from upreel.inference.openvino import compile_network, core

__all__ = ["ForeignForm", "ForeignNetwork", "examine"]

_TRIED = 64  # rows and columns of the picture that a file is tried on
_CHANNELS = (1, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignForm:
    """What running a file once told of it.

    Attributes:
        channels: 1 for luma, 3 for R'G'B'.
        scale: output size over input size.
    """

    channels: int
    scale: int


def examine(path: Path) -> ForeignForm:
    """What an ONNX file takes and gives.

    Raises:
        WeightsError: it is missing, no network, or takes or gives something else than a picture.
    """
    model = _read(path)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise WeightsError(
            f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "a network with one of each is needed"
        )
    for channels in _CHANNELS:
        try:
            _shape(model, channels, _TRIED, _TRIED)
            network = compile_network(model, "cpu", precision="f32", threads=1)
            grey = np.full((1, channels, _TRIED, _TRIED), 0.5, np.float32)
            (answer,) = network(grey).values()
        except RuntimeError:
            model = _read(path)  # what failed may have left its traces
            continue
        return _form(path, channels, answer.shape)
    shape = model.input(0).get_partial_shape()
    raise WeightsError(
        f"{path} takes {shape}; a picture of {_TRIED}x{_TRIED} samples, float NCHW with 1 channel "
        "(luma) or 3 (RGB), does not go in"
    )


def _form(path: Path, channels: int, shape: tuple[int, ...]) -> ForeignForm:
    """From the answer to a picture of `_TRIED` x `_TRIED`."""
    scale = shape[-1] // _TRIED
    if scale < 1 or shape != (1, channels, scale * _TRIED, scale * _TRIED):
        expected = f"[1,{channels},{_TRIED}s,{_TRIED}s]"
        raise WeightsError(
            f"{path} answers {list(shape)} to [1,{channels},{_TRIED},{_TRIED}]; "
            f"{expected} is needed, with a whole number s"
        )
    return ForeignForm(channels=channels, scale=scale)


def _read(path: Path) -> ov.Model:
    if not path.is_file():
        raise WeightsError(f"{path} is missing")
    try:
        return core().read_model(path)
    except RuntimeError as error:
        raise WeightsError(f"{path} is no ONNX network that OpenVINO can read") from error


def _shape(model: ov.Model, channels: int, height: int, width: int) -> None:
    model.reshape({model.input(0): [1, channels, height, width]})


class ForeignNetwork:
    """A file opened for one size; levels of 8 bits become [0, 1] and back inside the graph.

    Args:
        path: of the file.
        form: what `examine` said of it.
        height: rows of the picture, in.
        width: columns of it.
        precision: one that OpenVINO's CPU offers, not int8.
        threads: of the engine.

    Raises:
        WeightsError: it does not take that size.
    """

    def __init__(
        self,
        path: Path,
        form: ForeignForm,
        *,
        height: int,
        width: int,
        precision: str,
        threads: int,
    ) -> None:
        model = _read(path)

        def to_levels(node: ov.Output) -> ov.Output:
            """Conversion to a byte cuts the half that is added here."""
            levels = ops.add(ops.multiply(node, np.float32(255)), np.float32(0.5))
            return ops.clamp(levels, 0.0, 255.5).output(0)

        try:
            _shape(model, form.channels, height, width)
            steps = ov.preprocess.PrePostProcessor(model)
            steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
            steps.input(0).model().set_layout(ov.Layout("NCHW"))
            steps.input(0).preprocess().convert_element_type(ov.Type.f32).scale(255.0)
            steps.output().model().set_layout(ov.Layout("NCHW"))
            output = steps.output().postprocess().custom(to_levels)
            output.convert_element_type(ov.Type.u8).convert_layout(ov.Layout("NHWC"))
            network = compile_network(steps.build(), "cpu", precision=precision, threads=threads)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not take a picture of {width}x{height}") from error
        self.engine = f"openvino {ov.__version__.split('-')[0]}"
        self._request = network.create_infer_request()

    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Upscale one picture (H, W, C) -> (s H, s W, C)."""
        tensor = ov.Tensor(np.ascontiguousarray(picture)[None], shared_memory=True)
        (answer,) = self._request.infer([tensor], share_outputs=False).values()
        return cast("npt.NDArray[np.uint8]", answer[0])
