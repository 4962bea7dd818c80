"""Patches as tensors: cut on the CPU, or on a GPU that holds all the clips."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from upreel.datasets.patches import Pair, Place, cut_batch

__all__ = ["ClipsInMemory", "ClipsOnDevice", "TensorBatch", "clips_on"]


@dataclass(frozen=True, kw_only=True)
class TensorBatch:
    """`upreel.datasets.patches.Batch` as tensors, uint8 but for the weights."""

    low_luma: Tensor
    low_chroma: Tensor
    high_luma: Tensor
    high_chroma: Tensor
    chroma_weight: Tensor


class ClipsInMemory:
    """Patches are cut where the clips are, in the memory of the CPU.

    Args:
        pairs: material.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs

    def cut(self, places: Sequence[Place], *, scale: int, patch: int) -> TensorBatch:
        """See `upreel.datasets.patches.cut_batch`."""
        batch = cut_batch(self._pairs, places, scale=scale, patch=patch)
        return TensorBatch(**{name: torch.from_numpy(v) for name, v in vars(batch).items()})


class ClipsOnDevice:
    """The same, of clips that were copied to a device once: a step copies nothing.

    Args:
        pairs: material.
        device: with memory for all of it.
    """

    def __init__(self, pairs: Sequence[Pair], device: torch.device) -> None:
        self._device = device
        self._planes = [
            tuple(
                torch.from_numpy(plane.copy()).to(device)
                for plane in (pair.low.luma, pair.low.chroma, pair.high.luma, pair.high.chroma)
            )
            for pair in pairs
        ]

    def cut(self, places: Sequence[Place], *, scale: int, patch: int) -> TensorBatch:
        """The same patches as `ClipsInMemory` cuts."""
        units = (1, 0.5, scale, scale / 2)
        stacks: list[list[Tensor]] = [[] for _ in units]
        for place in places:
            frames = (place.low, place.low, place.high, place.high)
            for stack, planes, unit, wanted in zip(
                stacks, self._planes[place.pair], units, frames, strict=True
            ):
                part = planes[..., *place.window(unit, patch)][list(wanted)]
                turned = [axis for axis, done in ((-1, place.mirror), (-2, place.flip)) if done]
                part = part.flip(turned) if turned else part
                stack.append(part.transpose(-1, -2) if place.transpose else part)
        low_luma, low_chroma, high_luma, high_chroma = (torch.stack(stack) for stack in stacks)
        weights = [place.chroma_weight for place in places]
        return TensorBatch(
            low_luma=low_luma,
            low_chroma=low_chroma,
            high_luma=high_luma,
            high_chroma=high_chroma,
            chroma_weight=torch.tensor(weights, device=self._device),
        )


def clips_on(device: torch.device, pairs: Sequence[Pair]) -> ClipsInMemory | ClipsOnDevice:
    """Where patches for that device are cut."""
    return ClipsInMemory(pairs) if device.type == "cpu" else ClipsOnDevice(pairs, device)
