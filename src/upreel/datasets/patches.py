"""Degraded clips and the training patches cut from them.

Which patches a step sees is a pure function of (seed, step): an interrupted run goes on with the
same data, and nothing of the order has to be stored.
"""

# pyright: reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from upreel.datasets.clips import Clip
from upreel.datasets.pans import panned
from upreel.degradation.degrade import Degradation, degrade

__all__ = ["Batch", "Pair", "draw_batch", "make_pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A clip and its low-resolution form.

    Attributes:
        high: high resolution.
        low: low resolution, the same frames.
        distinct: frames of it that show something of their own, 0 for all: of a pan over a still
            picture it is one.
    """

    high: Clip
    low: Clip
    distinct: int = 0

    @property
    def weight(self) -> float:
        """How often it is drawn: its pixels, to the power of one half."""
        num_frames, height, width = self.low.luma.shape
        return math.sqrt((self.distinct or num_frames) * height * width)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Patches, 8-bit code values.

    Attributes:
        low_luma: (B, T, h, w), frames in the order of the offsets.
        low_chroma: (B, T, 2, h/2, w/2).
        high_luma: (B, K, s h, s w), frames that are to be answered.
        high_chroma: (B, K, 2, s h/2, s w/2).
        chroma_weight: (B,), 0 where a mirrored patch has its chroma on the wrong side of luma.
    """

    low_luma: npt.NDArray[np.uint8]
    low_chroma: npt.NDArray[np.uint8]
    high_luma: npt.NDArray[np.uint8]
    high_chroma: npt.NDArray[np.uint8]
    chroma_weight: npt.NDArray[np.float32]


def make_pairs(
    clips: Sequence[Clip],
    scale: int,
    degradation: Degradation,
    *,
    variants: int,
    seed: int,
    pan_frames: int = 0,
    patch: int = 0,
) -> list[Pair]:
    """Degrade every clip in `variants` ways that the seed, the clip and the variant decide.

    Args:
        clips: high resolution.
        scale: high over low resolution.
        degradation: what they go through.
        variants: of each clip.
        seed: of the run.
        pan_frames: frames of a pan over each single picture; 0 leaves pictures as they are.
        patch: low-resolution rows and columns that a pan leaves, where a picture has as many.
    """
    pairs: list[Pair] = []
    for number, clip in enumerate(clips):
        for variant in range(variants):
            random = np.random.default_rng([seed, number, variant])
            drawn = degradation.draw(random)
            is_still = len(clip.luma) == 1 and pan_frames > 0
            high = clip
            if is_still:
                high = panned(clip, pan_frames, scale, random, smallest=scale * patch)
            luma, chroma = degrade(high.luma, high.chroma, scale, drawn)
            low = Clip(name=clip.name, luma=luma, chroma=chroma)
            pairs.append(Pair(high=high, low=low, distinct=1 if is_still else 0))
    return pairs


def draw_batch(
    pairs: Sequence[Pair],
    *,
    scale: int,
    offsets: tuple[int, ...],
    size: int,
    patch: int,
    seed: int,
    step: int,
    targets: tuple[int, ...] = (0,),
) -> Batch:
    """Cut the patches of one step.

    Each is mirrored, turned upside down, transposed or run backwards at random. Chroma is sited
    left of luma, so that mirrored and transposed patches teach luma only.

    Args:
        pairs: material, drawn in proportion to `Pair.weight`, so that long clips do not drown
            single pictures.
        scale: high over low resolution.
        offsets: low-resolution frames, relative to the current one; a clip's ends are repeated.
            Run backwards, a clip's last frame is its first.
        size: patches.
        patch: low-resolution luma rows and columns, even.
        seed: of the run.
        step: of the run.
        targets: high-resolution frames, in the same way; they begin with 0 and lie inside the clip
            where it is long enough.
    """
    random = np.random.default_rng([seed, step])
    weights = np.array([pair.weight for pair in pairs])
    chosen = random.choice(len(pairs), size=size, p=weights / weights.sum())
    low_luma = np.empty((size, len(offsets), patch, patch), np.uint8)
    low_chroma = np.empty((size, len(offsets), 2, patch // 2, patch // 2), np.uint8)
    count, last = len(targets), max(targets)
    high_luma = np.empty((size, count, scale * patch, scale * patch), np.uint8)
    high_chroma = np.empty((size, count, 2, scale * patch // 2, scale * patch // 2), np.uint8)
    chroma_weight = np.empty(size, np.float32)
    for b in range(size):
        pair = pairs[int(chosen[b])]
        num_frames, height, width = pair.low.luma.shape
        if height < patch or width < patch:
            raise ValueError(
                f"{pair.low.name} is {width}x{height}, smaller than a patch of {patch}"
            )
        first = int(random.integers(max(num_frames - last, 1)))
        backwards, mirror, flip, transpose = random.random(4) < 0.5
        start, sign = (first + last, -1) if backwards else (first, 1)

        def time(
            offset: int, *, start: int = start, sign: int = sign, count: int = num_frames
        ) -> int:
            """The clip's frame at that offset, its ends repeated."""
            return min(max(start + sign * offset, 0), count - 1)

        y = 2 * int(random.integers((height - patch) // 2 + 1))
        x = 2 * int(random.integers((width - patch) // 2 + 1))
        chroma_weight[b] = not (mirror or transpose)

        def cut(
            plane: npt.NDArray[np.uint8],
            unit: float,
            *,
            y: int = y,
            x: int = x,
            mirror: bool = bool(mirror),
            flip: bool = bool(flip),
            transpose: bool = bool(transpose),
        ) -> npt.NDArray[np.uint8]:
            """The patch in a plane that has `unit` samples for one low-resolution luma sample."""
            top, left, side = int(y * unit), int(x * unit), int(patch * unit)
            part = plane[..., top : top + side, left : left + side]
            part = part[..., :, ::-1] if mirror else part
            part = part[..., ::-1, :] if flip else part
            return np.swapaxes(part, -1, -2) if transpose else part

        for k, offset in enumerate(offsets):
            low_luma[b, k] = cut(pair.low.luma[time(offset)], 1)
            low_chroma[b, k] = cut(pair.low.chroma[time(offset)], 0.5)
        for k, offset in enumerate(targets):
            high_luma[b, k] = cut(pair.high.luma[time(offset)], scale)
            high_chroma[b, k] = cut(pair.high.chroma[time(offset)], scale / 2)
    return Batch(
        low_luma=low_luma,
        low_chroma=low_chroma,
        high_luma=high_luma,
        high_chroma=high_chroma,
        chroma_weight=chroma_weight,
    )
