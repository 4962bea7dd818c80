"""Pictures that a camera pans over: clips whose motion is known, made from stills.

Motion is a whole number of samples a frame, so that nothing is interpolated and nothing blurs; at
low resolution, s times smaller, it is any multiple of 1/s of a sample, and the frames differ in
what aliasing took from them, as those of real video do. Frames are views of the picture: they take
no memory.
"""

import numpy as np
import numpy.typing as npt

from upreel.datasets.clips import Clip

__all__ = ["LARGEST_STEP", "panned"]

LARGEST_STEP = 3.0
"""Low-resolution samples a frame, along rows and along columns."""


def panned(
    still: Clip, num_frames: int, scale: int, random: np.random.Generator, *, smallest: int = 24
) -> Clip:
    """Frames of a pan at constant speed over a single picture; slow ones are more frequent.

    Chroma stays where it is, so such clips are for networks of luma.

    Args:
        still: of one frame.
        num_frames: T.
        scale: of the network that learns from it.
        random: decides where to and how fast.
        smallest: rows and columns that remain at least, where the picture has as many.
    """
    kept = -(-smallest // 24) * 24
    speeds = scale * LARGEST_STEP * random.random(2) ** 2
    limits = [max(side - kept, 0) // (num_frames - 1) for side in still.luma.shape[1:]]
    steps = [
        min(round(speed), limit) * (1 if forth else -1)
        for speed, limit, forth in zip(speeds, limits, random.random(2) < 0.5, strict=True)
    ]
    luma = _window(still.luma[0], steps, num_frames)
    rows, columns = luma.shape[1:]
    chroma = still.chroma[..., : rows // 2, : columns // 2]
    return Clip(
        name=still.name,
        luma=luma,
        chroma=np.broadcast_to(chroma, (num_frames, *chroma.shape[1:])),
    )


def _window(
    picture: npt.NDArray[np.uint8], steps: list[int], num_frames: int
) -> npt.NDArray[np.uint8]:
    """(T, h, w) of (H, W): a window that moves by `steps` rows and columns a frame.

    Example:
        >>> _window(np.arange(600, dtype=np.uint8).reshape(24, 25), [0, -1], 2)[:, 0, 0].tolist()
        [1, 0]
    """
    lost = [abs(step) * (num_frames - 1) for step in steps]
    height, width = ((side - n) // 24 * 24 for side, n in zip(picture.shape, lost, strict=True))
    y, x = (n if step < 0 else 0 for step, n in zip(steps, lost, strict=True))
    down, across = picture.strides
    return np.lib.stride_tricks.as_strided(
        picture[y:, x:],
        (num_frames, height, width),
        (steps[0] * down + steps[1] * across, down, across),
        writeable=False,
    )
