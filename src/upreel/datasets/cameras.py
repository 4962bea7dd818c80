"""Cameras that move over pictures: clips whose motion is known, made from stills.

A pan moves by a whole number of samples a frame, so that nothing is interpolated and nothing blurs;
at low resolution, s times smaller, it is any multiple of 1/s of a sample, and the frames differ in
what aliasing took from them, as those of real video do. Its frames are views of the picture: they
take no memory. A camera that zooms and turns, or passes one layer before another, samples the
picture between its own samples, never closer together than they are, so that little blurs.

Chroma stays where it is, so such clips are for networks of luma.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from upreel.datasets.clips import Clip, to_8_bit

__all__ = ["CAMERAS", "LARGEST_STEP", "Camera", "filmed", "key_frames", "panned"]

Camera = Literal["pans", "moves"]
CAMERAS: tuple[Camera, ...] = ("pans", "moves")
"""Pans alone; or pans, zooms that turn, and two layers, each as likely."""

LARGEST_STEP = 3.0
"""Low-resolution samples a frame, along rows and along columns."""
_LARGEST_TURN = 0.015  # radians a frame
_LARGEST_ZOOM = 0.012  # of the size, a frame
_WIDEST = 1.3  # source samples a sample, at most; 1 at least

_Plane = npt.NDArray[np.uint8]
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Path:
    """Where a camera looks, t frames from the middle of a clip.

    Attributes:
        centre: row and column in the picture.
        step: rows and columns a frame.
        turn: radians a frame.
        zoom: logarithm of the size a frame.
        width: source samples a sample in the middle.
    """

    centre: tuple[float, float]
    step: tuple[float, float]
    turn: float = 0.0
    zoom: float = 0.0
    width: float = 1.0

    def slowed(self, factor: float) -> "_Path":
        """The same with so much of its motion."""
        dy, dx = self.step
        return _Path(
            centre=self.centre,
            step=(factor * dy, factor * dx),
            turn=factor * self.turn,
            zoom=factor * self.zoom,
            width=self.width,
        )

    def look(self, t: float, rows: _Values, columns: _Values) -> tuple[_Values, _Values]:
        """The picture's rows and columns at places given from the middle of the frame."""
        size = self.width * np.exp(self.zoom * t)
        sine, cosine = size * np.sin(self.turn * t), size * np.cos(self.turn * t)
        y = self.centre[0] + t * self.step[0] + cosine * rows - sine * columns
        x = self.centre[1] + t * self.step[1] + sine * rows + cosine * columns
        return y.astype(np.float32), x.astype(np.float32)


def key_frames(clips: list[Clip]) -> list[Clip]:
    """The middle frame of each clip that moves, as a single picture."""
    return [
        Clip(
            name=clip.name,
            luma=clip.luma[len(clip.luma) // 2][None],
            chroma=clip.chroma[len(clip.luma) // 2][None],
            has_chroma=clip.has_chroma,
        )
        for clip in clips
        if len(clip.luma) > 1
    ]


def filmed(
    still: Clip,
    num_frames: int,
    scale: int,
    random: np.random.Generator,
    *,
    camera: Camera,
    smallest: int = 24,
) -> Clip:
    """Frames of a camera over a single picture.

    Args:
        still: of one frame.
        num_frames: T.
        scale: of the network that learns from it.
        random: decides which camera, where to and how fast; slow ones are more frequent.
        camera: see `CAMERAS`.
        smallest: rows and columns that remain at least, where the picture has as many.
    """
    kind = int(random.integers(3)) if camera == "moves" else 0
    if kind == 0:
        return panned(still, num_frames, scale, random, smallest=smallest)
    picture = still.luma[0]
    side = min(-(-smallest // 24) * 24, min(picture.shape) // 24 * 24)
    places = np.mgrid[0:side, 0:side].astype(np.float32) - np.float32((side - 1) / 2)
    times = [t - (num_frames - 1) / 2 for t in range(num_frames)]
    path = _fitting(_drawn_path(picture, scale, random, turns=kind == 1), picture, side, times)
    frames = [_sampled(picture, *path.look(t, *places)) for t in times]
    if kind == 2:
        front = _fitting(_drawn_path(picture, scale, random, turns=False), picture, side, times)
        # A disc of the picture goes past; where it is belongs to it and moves with it.
        middle = front.centre + random.uniform(-side / 3, side / 3, 2)
        radius = random.uniform(side / 6, side / 3)
        for number, t in enumerate(times):
            y, x = front.look(t, *places)
            inside = np.clip(radius - np.hypot(y - middle[0], x - middle[1]) + 0.5, 0, 1)
            frames[number] += inside * (_sampled(picture, y, x) - frames[number])
    luma = to_8_bit(np.stack(frames))
    chroma = still.chroma[..., : side // 2, : side // 2]
    return Clip(
        name=still.name,
        luma=luma,
        chroma=np.broadcast_to(chroma, (num_frames, *chroma.shape[1:])),
    )


def _drawn_path(picture: _Plane, scale: int, random: np.random.Generator, *, turns: bool) -> _Path:
    speeds = scale * LARGEST_STEP * random.random(2) ** 2 * random.choice((-1, 1), 2)
    centre = tuple((np.array(picture.shape) - 1) * random.uniform(0.3, 0.7, 2))
    turn, zoom, width = random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(1, _WIDEST)
    path = _Path(centre=(centre[0], centre[1]), step=(speeds[0], speeds[1]))
    if not turns:
        return path
    return _Path(
        centre=path.centre,
        step=path.step,
        turn=_LARGEST_TURN * turn,
        zoom=_LARGEST_ZOOM * zoom,
        width=width,
    )


def _fitting(path: _Path, picture: _Plane, side: int, times: list[float]) -> _Path:
    """The path slowed down and moved inwards until the whole of each frame lies in the picture."""
    corner = np.array([-(side - 1) / 2, (side - 1) / 2], np.float32)
    rows, columns = (grid.ravel() for grid in np.meshgrid(corner, corner, indexing="ij"))
    height, width = picture.shape
    for factor in (1.0, 0.5, 0.25, 0.1):
        slow = path.slowed(factor)
        looks = [slow.look(t, rows, columns) for t in times]
        y, x = (np.stack(values) for values in zip(*looks, strict=True))
        shift = [
            max(0.0, -float(v.min())) - max(0.0, float(v.max()) - (limit - 1))
            for v, limit in ((y, height), (x, width))
        ]
        spans = ((float(y.max() - y.min()), height), (float(x.max() - x.min()), width))
        if all(span <= limit - 1 for span, limit in spans):
            centre = (slow.centre[0] + shift[0], slow.centre[1] + shift[1])
            return _Path(
                centre=centre, step=slow.step, turn=slow.turn, zoom=slow.zoom, width=slow.width
            )
    return _Path(centre=((height - 1) / 2, (width - 1) / 2), step=(0.0, 0.0))


def _sampled(picture: _Plane, y: _Values, x: _Values) -> _Values:
    """The picture between its samples by Keys' cubic (a = -1/2), its border repeated."""
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    down, across = _cubic(y - top), _cubic(x - left)
    answer = np.zeros(y.shape, np.float32)
    for j in range(4):
        rows = np.clip(top + j - 1, 0, picture.shape[0] - 1)
        row = np.zeros(y.shape, np.float32)
        for i in range(4):
            row += across[i] * picture[rows, np.clip(left + i - 1, 0, picture.shape[1] - 1)]
        answer += down[j] * row
    return answer


def _cubic(part: _Values) -> list[_Values]:
    """Weights of the four samples around, 0 <= part < 1 behind the second."""
    a, b = part, 1 - part
    return [
        (-0.5 * a * b * b).astype(np.float32),
        (1 + a * a * (1.5 * a - 2.5)).astype(np.float32),
        (1 + b * b * (1.5 * b - 2.5)).astype(np.float32),
        (-0.5 * b * a * a).astype(np.float32),
    ]


def panned(
    still: Clip, num_frames: int, scale: int, random: np.random.Generator, *, smallest: int = 24
) -> Clip:
    """Frames of a pan at constant speed over a single picture; slow ones are more frequent.

    See `filmed` for the arguments.
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
