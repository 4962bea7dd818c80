"""Sub-pixel motion between frames: Lucas-Kanade on a pyramid, a displacement for each cell.

Lucas and Kanade (IJCAI 1981), coarse to fine: at each level of a pyramid of 2x2 means the windows
of a frame and of its neighbour are made equal in the least-squares sense. What differs from
`upreel.metrics.lucas_kanade`, which is the reference for it, makes it cheap enough for every frame:
products of gradients are summed over cells of 4x4 pixels first, windows are smoothed and equations
solved on the grid of cells, at a sixteenth of the cost. Frames are softened at every level, since
what aliases does not move with the picture, and each level ends with the median of 3x3 cells, which
single cells that went astray do not survive. Only plain operations, which every engine has and
which what is exported needs no library for.

Axes          B clips, K neighbours, H rows, W columns of luma, both divisible by 16.
Displacement  channel 0 is dx (to the right), channel 1 is dy (down), in pixels; it points from
              the current frame to the neighbour: ``current[y, x]`` is at ``other[y + dy, x + dx]``.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from upreel.networks.alignment import sample, sampling_grid
from upreel.networks.precision import in_f32
from upreel.networks.sizes import CELL

__all__ = [
    "ITERATIONS",
    "LONGEST_STEP",
    "cell_motion",
    "enlarged_motion",
    "rectified_displacement",
]

ITERATIONS = (2, 2, 2)
"""Rounds at full size, at half and at a quarter of it."""
LONGEST_STEP = 1.0
"""Pixels of a level that one round may move, along rows and along columns."""
_RIDGE = 4.0  # levels of 255 squared: flat areas keep what the coarser level said


def cell_motion(
    current: Float[Tensor, "B 1 H W"],
    neighbours: Float[Tensor, "B K H W"],
    iterations: tuple[int, ...] = ITERATIONS,
) -> Float[Tensor, "B K 2 H/4 W/4"]:
    """Where the middle of each cell is found in each neighbour, without a gradient.

    Args:
        current: luma in [0, 1].
        neighbours: luma of the other frames.
        iterations: rounds at each level, the finest first.
    """
    with in_f32(current.device.type):
        count = neighbours.shape[1]
        here = 255 * current.detach().float().expand_as(neighbours).flatten(0, 1)[:, None]
        there = 255 * neighbours.detach().float().flatten(0, 1)[:, None]
        levels = [(here, there)]
        for _ in iterations[1:]:
            levels.append((F.avg_pool2d(levels[-1][0], 2), F.avg_pool2d(levels[-1][1], 2)))
        motion: Tensor | None = None
        for (frame, other), rounds in reversed(list(zip(levels, iterations, strict=True))):
            coarse = None if motion is None else 2 * enlarged_motion(motion, 2)
            frame, other = _softened(frame), _softened(other)
            motion = _median(_refined(frame, other, coarse, rounds))
        assert motion is not None
        return motion.unflatten(0, (-1, count))


def rectified_displacement(
    current: Float[Tensor, "B 1 H W"], neighbours: Float[Tensor, "B K H W"]
) -> Float[Tensor, "B K 2 H/4 W/4"]:
    """Each cell's motion in whole pixels, so that nothing is interpolated and nothing blurs.

    Rectified optical flow of Liu et al. (ICCV 2017, section 3.3): a patch's mean flow, rounded.
    """
    return cell_motion(current, neighbours).round()


def enlarged_motion(
    motion: Float[Tensor, "N 2 h w"], factor: int
) -> Float[Tensor, "N 2 {factor}*h {factor}*w"]:
    """The same displacements on a finer grid, bilinear between the cells' middles.

    A convolution and a shuffle: OpenVINO takes half of the time that it takes to interpolate.
    """
    phases = (torch.arange(factor, device=motion.device) + 0.5) / factor - 0.5
    cells = torch.arange(-1, 2, device=motion.device)
    taps = F.relu(1 - (phases[:, None] - cells).abs())  # (factor, 3)
    kernel = torch.einsum("pi,qj->pqij", taps, taps).flatten(0, 1)[:, None]
    with in_f32(motion.device.type):
        each = F.pad(motion.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
        larger = F.pixel_shuffle(F.conv2d(each, kernel.to(motion.dtype)), factor)
        return larger[:, 0].unflatten(0, (-1, 2))


def _refined(
    frame: Float[Tensor, "N 1 H W"],
    other: Float[Tensor, "N 1 H W"],
    motion: Float[Tensor, "N 2 H/4 W/4"] | None,
    rounds: int,
) -> Float[Tensor, "N 2 H/4 W/4"]:
    """Rounds of Lucas-Kanade at one level; the gradients are the frame's own."""
    gradient = _gradients(frame)
    across, down = gradient.split(1, dim=1)
    matrix = _window_means(torch.cat((gradient.square(), across * down), dim=1))
    xx, yy, xy = matrix[:, :1] + _RIDGE, matrix[:, 1:2] + _RIDGE, matrix[:, 2:]
    # Its inverse: (yy, -xy), (-xy, xx) over the determinant.
    determinant = xx * yy - xy * xy
    straight, crossed = torch.cat((yy, xx), dim=1) / determinant, xy / determinant
    places = sampling_grid(other)
    for _ in range(rounds):
        moved = other
        if motion is not None:
            moved = sample(other, enlarged_motion(motion, CELL), places)
        right = _window_means(gradient * (frame - moved))
        step = straight * right - crossed * right.flip(1)
        step = step.clamp(-LONGEST_STEP, LONGEST_STEP)
        motion = step if motion is None else motion + step
    assert motion is not None
    return motion


def _gradients(frame: Float[Tensor, "N 1 H W"]) -> Float[Tensor, "N 2 H W"]:
    """Central differences along rows and along columns."""
    line = frame.new_tensor([[-0.5, 0.0, 0.5]])
    none = torch.zeros_like(line)
    across = torch.cat((none, line, none))
    kernel = torch.stack((across, across.T))[:, None]
    return F.conv2d(F.pad(frame, (1, 1, 1, 1), mode="replicate"), kernel)


def _window_means(values: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H/4 W/4"]:
    """Weighted means over 3x3 cells, 1-2-1 along both axes."""
    return _softened(F.avg_pool2d(values, CELL))


def _softened(values: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    """1-2-1 along both axes, border samples repeated."""
    line = values.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(values.shape[1], 1, 3, 3)
    padded = F.pad(values, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel, groups=values.shape[1])


def _median(motion: Float[Tensor, "N 2 h w"]) -> Float[Tensor, "N 2 h w"]:
    """Of 3x3 cells, each component for itself; border cells repeated.

    Minima and maxima: columns are sorted once, and the median of nine is that of the largest of the
    least, the median of the middle and the least of the largest of three sorted columns (Smith,
    "Implementing median filters in XC4000E FPGAs", Xcell 23, 1996).
    """
    padded = F.pad(motion, (1, 1, 1, 1), mode="replicate")
    high, wide = motion.shape[-2:]
    a, b, c = (padded[:, :, k : k + high] for k in range(3))
    low, top = torch.minimum(a, b), torch.maximum(a, b)
    least, most = torch.minimum(low, c), torch.maximum(top, c)
    middle = torch.maximum(low, torch.minimum(top, c))
    least, middle, most = (
        [each[..., k : k + wide] for k in range(3)] for each in (least, middle, most)
    )
    return _middle_of(
        torch.maximum(torch.maximum(least[0], least[1]), least[2]),
        _middle_of(*middle),
        torch.minimum(torch.minimum(most[0], most[1]), most[2]),
    )


def _middle_of(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The middle one of three."""
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
