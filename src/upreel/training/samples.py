"""Patches as tensors: cut on the CPU, or on a GPU that holds all the clips."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from upreel.datasets.patches import Pair, Place, cut_batch

__all__ = [
    "ClipsInMemory",
    "ClipsOnDevice",
    "TensorBatch",
    "clips_on",
    "device_bytes",
    "there_and_back",
]


@dataclass(frozen=True, kw_only=True)
class TensorBatch:
    """`upreel.datasets.patches.Batch` as tensors, uint8 but for the weights."""

    low_luma: Tensor
    low_chroma: Tensor
    high_luma: Tensor
    high_chroma: Tensor
    chroma_weight: Tensor
    taught: Tensor | None = None


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
        planes = {name: v for name, v in vars(batch).items() if v is not None}
        return TensorBatch(**{name: torch.from_numpy(v) for name, v in planes.items()})


class ClipsOnDevice:
    """The same, of clips that were copied to a device once: a step copies nothing.

    Args:
        pairs: material; a clip that is part of several is there once.
        device: with memory for all of it, `device_bytes`.
    """

    def __init__(self, pairs: Sequence[Pair], device: torch.device) -> None:
        self._device = device
        held = {
            id(clip): tuple(
                torch.from_numpy(plane.copy()).to(device) for plane in (clip.luma, clip.chroma)
            )
            for pair in pairs
            for clip in (pair.low, pair.high)
        }
        self._planes = [
            (
                *held[id(pair.low)],
                *held[id(pair.high)],
                *(torch.from_numpy(taught.copy()).to(device) for taught in _taught(pair)),
            )
            for pair in pairs
        ]

    def cut(self, places: Sequence[Place], *, scale: int, patch: int) -> TensorBatch:
        """The same patches as `ClipsInMemory` cuts."""
        units = (1, 0.5, scale, scale / 2, scale)[: len(self._planes[0])]
        stacks: list[list[Tensor]] = [[] for _ in units]
        for place in places:
            for number, (stack, planes, unit) in enumerate(
                zip(stacks, self._planes[place.pair], units, strict=True)
            ):
                high = number > 1
                rows, columns = place.window(unit, patch, high=high)
                wanted = place.high if high else place.low
                part = torch.stack([planes[t, ..., rows, columns] for t in wanted])
                turned = [axis for axis, done in ((-1, place.mirror), (-2, place.flip)) if done]
                part = part.flip(turned) if turned else part
                stack.append(part.transpose(-1, -2) if place.transpose else part)
        low_luma, low_chroma, high_luma, high_chroma, *taught = map(torch.stack, stacks)
        weights = [place.chroma_weight for place in places]
        return TensorBatch(
            low_luma=low_luma,
            low_chroma=low_chroma,
            high_luma=high_luma,
            high_chroma=high_chroma,
            chroma_weight=torch.tensor(weights, device=self._device),
            taught=taught[0] if taught else None,
        )


def _taught(pair: Pair) -> list[npt.NDArray[np.uint8]]:
    """What a teacher answers, if there is one."""
    return [] if pair.taught is None else [pair.taught]


def device_bytes(pairs: Sequence[Pair]) -> int:
    """What `ClipsOnDevice` takes: frames of a pan are views in memory, and whole on a device."""
    clips = {id(clip): clip for pair in pairs for clip in (pair.low, pair.high)}
    taught = sum(planes.size for pair in pairs for planes in _taught(pair))
    return taught + sum(clip.luma.size + clip.chroma.size for clip in clips.values())


def clips_on(device: torch.device, pairs: Sequence[Pair]) -> ClipsInMemory | ClipsOnDevice:
    """Where patches for that device are cut: there, if half of its free memory is enough."""
    if device.type == "cpu":
        return ClipsInMemory(pairs)
    room = torch.cuda.mem_get_info(device)[0] // 2
    return ClipsOnDevice(pairs, device) if device_bytes(pairs) <= room else ClipsInMemory(pairs)


def there_and_back(count: int, times: Iterable[int]) -> list[int]:
    """Frames of a sequence at times before, in and behind it: it turns back where it ends.

    Example:
        >>> there_and_back(3, range(-2, 5))
        [2, 1, 0, 1, 2, 1, 0]
    """
    period = max(2 * count - 2, 1)
    return [min(t % period, period - t % period) if count > 1 else 0 for t in times]
