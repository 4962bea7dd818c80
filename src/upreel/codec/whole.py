"""Networks of whole numbers as a receiver runs them: the same answer on every machine.

The twin of `upreel.networks.codec.whole` and `prior`, without PyTorch. Products are summed by
NumPy's matrix multiplication in f32: every partial sum is a whole number below 2^24, which f32
holds, so that neither the order of sums nor the machine matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from upreel.errors import WeightsError
from upreel.networks.sizes import QUALITIES

__all__ = ["FRACTION", "Numbers", "WholeLayer", "WholePrior", "seen_past"]

FRACTION = 8
"""Means are whole multiples of 1/8."""
_UNIT = 64  # a weight of 1 is stored as this
_LARGEST = 127
_EXACT = 1 << 24
_FARTHEST = 1023  # units of a mean
_SCALES = 64
_PAST = 4  # units of 1/8 that one of what is seen of the past stands for

Whole = npt.NDArray[np.float32]  # whole numbers, all of them below 2^24
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeLayer:
    """A convolution of whole numbers, rounded to whole numbers.

    Attributes:
        weight: (O, I, k, k), -127 to 127.
        bias: (O,).
        hidden: whether answers are cut off below 0 and above 127.

    Raises:
        WeightsError: sums could be beyond what f32 holds exactly.
    """

    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    hidden: bool

    def __post_init__(self) -> None:
        sums = np.abs(self.weight.astype(np.int64)).sum(axis=(1, 2, 3)) * _LARGEST
        largest = int((sums + np.abs(self.bias.astype(np.int64))).max()) + _UNIT
        if largest >= _EXACT:
            raise WeightsError(f"sums of whole numbers reach {largest}, 2^24 is the limit")

    def __call__(self, values: Whole) -> Whole:
        """Answers (O, H, W) to (I, H, W), whole numbers from -127 to 127."""
        outputs, inputs, size, _ = self.weight.shape
        _, height, width = values.shape
        edge = size // 2
        padded = np.pad(values, ((0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
        columns = windows.transpose(0, 3, 4, 1, 2).reshape(inputs * size * size, height * width)
        sums = self.weight.reshape(outputs, -1).astype(np.float32) @ columns
        sums += self.bias.astype(np.float32)[:, None] + np.float32(_UNIT // 2)
        answers = np.floor(sums / np.float32(_UNIT)).reshape(outputs, height, width)
        return np.clip(answers, 0, _LARGEST) if self.hidden else answers


def seen_past(latents: Numbers) -> Whole:
    """What the prior sees of latents of the frame before, in halves, cut off.

    Args:
        latents: in units of 1/8.
    """
    return np.clip((latents + _PAST // 2) // _PAST, -_LARGEST, _LARGEST).astype(np.float32)


class WholePrior:
    """Means and scales of latents; see `upreel.networks.codec.prior.Prior`.

    Args:
        arrays: ``LAYER.weight`` and ``LAYER.bias`` of ``first``, ``second``, ``past`` (if a frame
            before is seen), ``mixed`` and ``tail``; ``mean`` and ``index`` of hyper-latents.

    Raises:
        WeightsError: one is missing, or their shapes do not fit.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        try:
            self._first = _layer(arrays, "first", hidden=True)
            self._second = _layer(arrays, "second", hidden=True)
            self._past = _layer(arrays, "past", hidden=True) if "past.weight" in arrays else None
            self._mixed = _layer(arrays, "mixed", hidden=True)
            self._tail = _layer(arrays, "tail", hidden=False)
            self.hyper_mean = arrays["mean"].astype(np.int32)
            self.hyper_index = arrays["index"].astype(np.int32)
        except KeyError as error:
            raise WeightsError(f"a codec without {error.args[0]}") from error
        self.num_latents = len(self._tail.bias) // 2

    def __call__(
        self, hyper: Numbers, quality: int, size: tuple[int, int], past: Numbers | None
    ) -> tuple[Numbers, Numbers]:
        """Means in units of 1/8 and numbers of tables, (N, h, w) each.

        Args:
            hyper: (Z, v, u).
            quality: 0 to 63.
            size: h, w.
            past: latents of the frame before in units of 1/8, (N, h, w); None for a frame alone.
        """
        height, width = size
        seen = np.clip(hyper, -_LARGEST, _LARGEST).astype(np.float32)
        for layer in (self._first, self._second):
            seen = _shuffled(layer(seen))
        parts = [seen[:, :height, :width]]
        if self._past is not None:
            assert past is not None
            parts.append(self._past(seen_past(past)))
        for level in (2 * quality, 2 * (QUALITIES - 1 - quality)):
            parts.append(np.full((1, height, width), level, np.float32))
        answer = self._tail(self._mixed(np.concatenate(parts))).astype(np.int32)
        mean, index = answer[: self.num_latents], answer[self.num_latents :]
        return np.clip(mean, -_FARTHEST, _FARTHEST), np.clip(index, 0, _SCALES - 1)


def _layer(arrays: Mapping[str, npt.NDArray[np.generic]], name: str, *, hidden: bool) -> WholeLayer:
    return WholeLayer(
        weight=arrays[f"{name}.weight"].astype(np.int8),
        bias=arrays[f"{name}.bias"].astype(np.int32),
        hidden=hidden,
    )


def _shuffled(values: Whole) -> Whole:
    """Four channels become 2x2 positions: PyTorch's ``pixel_shuffle``."""
    channels, height, width = values.shape
    each = values.reshape(channels // 4, 2, 2, height, width)
    return each.transpose(0, 3, 1, 4, 2).reshape(channels // 4, 2 * height, 2 * width)
