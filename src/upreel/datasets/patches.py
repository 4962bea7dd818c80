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

from upreel.datasets.cameras import Camera, filmed
from upreel.datasets.clips import Clip
from upreel.degradation.degrade import Degradation, degrade

__all__ = ["Batch", "Pair", "Place", "cut_batch", "draw_places", "make_pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A clip and its low-resolution form.

    Attributes:
        high: high resolution.
        low: low resolution, the same frames.
        distinct: frames of it that show something of their own, 0 for all: of a pan over a still
            picture it is one.
        taught: what a teacher answers, luma like that of `high`.
    """

    high: Clip
    low: Clip
    distinct: int = 0
    taught: npt.NDArray[np.uint8] | None = None

    @property
    def weight(self) -> float:
        """How often it is drawn: its pixels, to the power of one half."""
        num_frames, height, width = self.low.luma.shape
        return math.sqrt((self.distinct or num_frames) * height * width)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a patch is cut, and how it is turned over.

    Attributes:
        pair: number of the pair.
        low: frames at low resolution, in the order of the offsets.
        high: frames at high resolution, which are to be answered.
        y: first row, in low-resolution luma samples, even.
        x: first column.
        mirror: columns are reversed.
        flip: rows are reversed.
        transpose: rows become columns, after all else.
        gain: luma is multiplied by it.
        offset: and this is added, in [0, 1] values.
        lag: high-resolution samples by which a sample's answers lie elsewhere when mirrored.
    """

    pair: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    y: int
    x: int
    mirror: bool
    flip: bool
    transpose: bool
    gain: float = 1.0
    offset: float = 0.0
    lag: int = 0

    @property
    def chroma_weight(self) -> float:
        """Chroma is sited left of luma: mirrored and transposed patches have it elsewhere."""
        return 0.0 if self.mirror or self.transpose else 1.0

    def window(self, unit: float, patch: int, *, high: bool = False) -> tuple[slice, slice]:
        """Rows and columns in a plane that has `unit` samples for a low-resolution luma sample."""
        top, left, side = int(self.y * unit), int(self.x * unit), int(patch * unit)
        if high:
            top -= self.lag * self.flip
            left -= self.lag * self.mirror
        return slice(top, top + side), slice(left, left + side)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Patches, 8-bit code values.

    Attributes:
        low_luma: (B, T, h, w), frames in the order of the offsets.
        low_chroma: (B, T, 2, h/2, w/2).
        high_luma: (B, K, s h, s w), frames that are to be answered.
        high_chroma: (B, K, 2, s h/2, s w/2).
        chroma_weight: (B,), 0 where a mirrored patch has its chroma on the wrong side of luma.
        taught: like `high_luma`, of a teacher; None without one.
    """

    low_luma: npt.NDArray[np.uint8]
    low_chroma: npt.NDArray[np.uint8]
    high_luma: npt.NDArray[np.uint8]
    high_chroma: npt.NDArray[np.uint8]
    chroma_weight: npt.NDArray[np.float32]
    taught: npt.NDArray[np.uint8] | None = None


def make_pairs(
    clips: Sequence[Clip],
    scale: int,
    degradation: Degradation,
    *,
    variants: int,
    seed: int,
    pan_frames: int = 0,
    camera: Camera = "pans",
    patch: int = 0,
) -> list[Pair]:
    """Degrade every clip in `variants` ways that the seed, the clip and the variant decide.

    Args:
        clips: high resolution.
        scale: high over low resolution.
        degradation: what they go through.
        variants: of each clip.
        seed: of the run.
        pan_frames: frames of a camera over each single picture; 0 leaves pictures as they are.
        camera: how it moves.
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
                high = filmed(
                    clip, pan_frames, scale, random, camera=camera, smallest=scale * patch
                )
            luma, chroma = degrade(high.luma, high.chroma, scale, drawn)
            low = Clip(name=clip.name, luma=luma, chroma=chroma)
            pairs.append(Pair(high=high, low=low, distinct=1 if is_still else 0))
    return pairs


def draw_places(
    pairs: Sequence[Pair],
    *,
    offsets: tuple[int, ...],
    size: int,
    patch: int,
    seed: int,
    step: int,
    targets: tuple[int, ...] = (0,),
    strides: tuple[int, ...] = (1,),
    jitter: float = 0.0,
    turns: bool = True,
    lag: int = 0,
) -> list[Place]:
    """Decide where the patches of one step are cut.

    Each is mirrored, turned upside down, transposed or run backwards at random, if `turns`.

    Args:
        pairs: material, drawn in proportion to `Pair.weight`, so that long clips do not drown
            single pictures.
        offsets: low-resolution frames, relative to the current one; a clip's ends are repeated.
            Run backwards, a clip's last frame is its first.
        size: patches.
        patch: low-resolution luma rows and columns, even.
        seed: of the run.
        step: of the run.
        targets: high-resolution frames, in the same way; they begin with 0 and lie inside the clip
            where it is long enough.
        strides: steps from frame to frame that a patch may have, one of those with which all of
            its frames lie inside the clip, or the least above 0: 0 shows one frame again and again,
            more than 1 is faster motion.
        jitter: largest change of contrast, as a share of it, and of brightness, as one of white.
        turns: see above.
        lag: of the high-resolution samples of a low-resolution sample, so many more lie behind it
            than before it (BD: all of them, scale - 1). Patches at a picture's edge are then not
            mirrored there.
    """
    random = np.random.default_rng([seed, step])
    weights = np.array([pair.weight for pair in pairs])
    chosen = random.choice(len(pairs), size=size, p=weights / weights.sum())
    # Of their own, so that places are the same with and without.
    changes = np.random.default_rng([seed, step, 1]).uniform(-jitter, jitter, (size, 2))
    places: list[Place] = []
    for number, (contrast, brightness) in zip(map(int, chosen), changes.tolist(), strict=True):
        pair = pairs[number]
        num_frames, height, width = pair.low.luma.shape
        if height < patch or width < patch:
            raise ValueError(
                f"{pair.low.name} is {width}x{height}, smaller than a patch of {patch}"
            )
        span = max(*offsets, *targets) - min(*offsets, *targets)
        least = min(s for s in strides if s)
        fitting = [s for s in strides if span * s < num_frames or s == least]
        # Nothing is drawn where there is no choice.
        stride = fitting[int(random.integers(len(fitting)))] if len(fitting) > 1 else fitting[0]
        last = max(targets) * stride
        first = int(random.integers(max(num_frames - last, 1)))
        backwards, mirror, flip, transpose = (
            turns and bool(chance) for chance in random.random(4) < 0.5
        )
        start, sign = (first + last, -stride) if backwards else (first, stride)
        low, high = (
            tuple(min(max(start + sign * offset, 0), num_frames - 1) for offset in wanted)
            for wanted in (offsets, targets)
        )
        y, x = (2 * int(random.integers((side - patch) // 2 + 1)) for side in (height, width))
        places.append(
            Place(
                pair=number,
                low=low,
                high=high,
                y=y,
                x=x,
                mirror=mirror and not (lag and x == 0),
                flip=flip and not (lag and y == 0),
                transpose=transpose,
                gain=1 + contrast,
                offset=brightness,
                lag=lag,
            )
        )
    return places


def cut_batch(pairs: Sequence[Pair], places: Sequence[Place], *, scale: int, patch: int) -> Batch:
    """Cut the patches of one step out of their clips.

    Args:
        pairs: material.
        places: at least one, as `draw_places` decided.
        scale: high over low resolution.
        patch: low-resolution luma rows and columns.
    """
    size, seen, answered = len(places), len(places[0].low), len(places[0].high)
    large = scale * patch
    has_teacher = pairs[places[0].pair].taught is not None
    batch = Batch(
        low_luma=np.empty((size, seen, patch, patch), np.uint8),
        low_chroma=np.empty((size, seen, 2, patch // 2, patch // 2), np.uint8),
        high_luma=np.empty((size, answered, large, large), np.uint8),
        high_chroma=np.empty((size, answered, 2, large // 2, large // 2), np.uint8),
        chroma_weight=np.array([place.chroma_weight for place in places], np.float32),
        taught=np.empty((size, answered, large, large), np.uint8) if has_teacher else None,
    )
    for b, place in enumerate(places):
        pair = pairs[place.pair]

        def cut(
            plane: npt.NDArray[np.uint8], unit: float, *, high: bool = False, place: Place = place
        ) -> npt.NDArray[np.uint8]:
            part = plane[..., *place.window(unit, patch, high=high)]
            part = part[..., :, ::-1] if place.mirror else part
            part = part[..., ::-1, :] if place.flip else part
            return np.swapaxes(part, -1, -2) if place.transpose else part

        for k, t in enumerate(place.low):
            batch.low_luma[b, k] = cut(pair.low.luma[t], 1)
            batch.low_chroma[b, k] = cut(pair.low.chroma[t], 0.5)
        for k, t in enumerate(place.high):
            batch.high_luma[b, k] = cut(pair.high.luma[t], scale, high=True)
            batch.high_chroma[b, k] = cut(pair.high.chroma[t], scale / 2, high=True)
            if batch.taught is not None and pair.taught is not None:
                batch.taught[b, k] = cut(pair.taught[t], scale, high=True)
    return batch
