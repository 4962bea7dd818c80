"""Whether this CPU adds products of bytes without losing any: what int8 needs.

Without VNNI (or AMX) x86 has an instruction that adds two products of an unsigned and a signed byte
into 16 bits and cuts off what is beyond: networks would answer otherwise than they were trained,
by tens of levels here and there, and nobody would be told. What counts is what comes out, so a
convolution of the largest numbers is computed.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from functools import lru_cache

import numpy as np
import openvino as ov
from openvino import opset13 as ops

__all__ = ["sums_are_exact"]

_SIDE, _CHANNELS = 8, 32


@lru_cache(maxsize=1)
def sums_are_exact() -> bool:
    """Whether OpenVINO's sums of 255 times 127 are right on the CPU."""
    shape = [1, _CHANNELS, _SIDE, _SIDE]
    values = ops.parameter(shape, ov.Type.f32)

    def limit(value: float) -> ov.Node:
        return ops.constant(np.full((1, 1, 1, 1), value, np.float32))

    seen = ops.fake_quantize(values, limit(0), limit(255), limit(0), limit(255), 256)
    whole = np.full((_CHANNELS, _CHANNELS, 3, 3), 127, np.int8)
    scale = ops.constant(np.full((1, 1, 1, 1), 0.5, np.float32))
    weights = ops.multiply(ops.convert(ops.constant(whole), "f32"), scale)
    sums = ops.convolution(seen, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    model = ov.Model([sums], [values], "largest sums")  # pyright: ignore[reportGeneralTypeIssues]
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (found,) = compiled([np.full(shape, 255, np.float32)]).values()
    return bool(np.all(found == _CHANNELS * 9 * 255 * 127 * 0.5))
