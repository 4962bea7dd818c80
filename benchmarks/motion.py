"""Print how well motion found in the low resolution moves the truth.

    python benchmarks/motion.py --data DIR [--frames 7]

DIR is Vid4's folder. Between each frame of the published x4 input and the one before it motion is
found, enlarged, and the frame before of the truth moved along it. Printed is the squared error to
the truth's frame in levels, 32 samples at the borders left out, means over a clip's pairs, and the
mean over clips of its logarithms in dB. OpenCV's DIS finds motion on frames enlarged to twice their
size (by cubic interpolation), where that package is installed.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.errors import OptionError, UpreelError
from upreel.evaluation.degrade import Degradation
from upreel.evaluation.sets import open_vid4
from upreel.networks.alignment import warp
from upreel.networks.motion import cell_motion, enlarged_motion
from upreel.networks.sizes import CELL
from upreel.zoo.configs.fusion import FLOW_MULTIPLE

BORDER = 32
SCALE = 4

Finder = Callable[[Tensor, Tensor], Tensor]
"""From two pictures (1, 1, H, W) in [0, 1] to a displacement of each sample, (1, 2, H, W)."""


def still(here: Tensor, _there: Tensor) -> Tensor:
    """No motion."""
    return torch.zeros_like(here).expand(-1, 2, -1, -1)


def ours(here: Tensor, there: Tensor) -> Tensor:
    """What the networks move by."""
    return enlarged_motion(cell_motion(here, there)[:, 0], CELL)


def inverse_search(here: Tensor, there: Tensor) -> Tensor:
    """OpenCV's DIS (Kroeger et al., ECCV 2016), preset "medium", on pictures twice as large."""
    import cv2  # the comparison alone needs it

    size = (2 * here.shape[3], 2 * here.shape[2])
    frames = (
        cv2.resize(255 * frame[0, 0].numpy(), size, interpolation=cv2.INTER_CUBIC)
        for frame in (here, there)
    )
    first, second = (frame.round().clip(0, 255).astype(np.uint8) for frame in frames)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = torch.from_numpy(np.asarray(search.calc(first, second, None))).permute(2, 0, 1)[None]
    return F.avg_pool2d(flow, 2) / 2


def finders() -> dict[str, Finder | None]:
    """By name; None for what is not installed."""
    has_opencv = find_spec("cv2") is not None
    return {"none": still, "upreel": ours, "DIS": inverse_search if has_opencv else None}


def error_of(find: Finder, low: tuple[Tensor, Tensor], high: tuple[Tensor, Tensor]) -> float:
    """Squared error in levels of the truth's other frame, moved along what was found.

    Args:
        find: motion from two pictures.
        low: a frame and another one, (1, 1, H, W) in [0, 1].
        high: the same of the truth in levels, at `SCALE` times the size.
    """
    height, width = low[0].shape[2:]
    sides = (0, -width % FLOW_MULTIPLE, 0, -height % FLOW_MULTIPLE)
    padded = [F.pad(frame, sides, mode="replicate") for frame in low]
    flow = find(*padded)[..., :height, :width]
    flow = SCALE * F.interpolate(flow, scale_factor=SCALE, mode="bilinear", align_corners=False)
    difference = (warp(high[1], flow) - high[0])[..., BORDER:-BORDER, BORDER:-BORDER]
    return float(difference.square().mean())


def row(name: str, errors: list[float]) -> str:
    """A line of the table."""
    mean = np.mean(10 * np.log10(errors))
    return f"{name:<10}" + "".join(f"{error:>10.1f}" for error in errors) + f"{mean:>10.2f}"


def main() -> None:
    """Go through every clip by every way and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="Vid4's folder")
    parser.add_argument("--frames", type=int, default=7, help="of a clip, from its first")
    options = parser.parse_args()
    try:
        if options.frames < 2:
            raise OptionError(f"--frames must be at least 2, got {options.frames}")
        ways = finders()
        found: dict[str, list[float]] = {name: [] for name, find in ways.items() if find}
        names: list[str] = []
        for pair in open_vid4(options.data, SCALE, Degradation(), limit=options.frames):
            low, high = (
                [torch.tensor(planes[0], dtype=torch.float32)[None, None] for planes in clip.planes]
                for clip in (pair.low, pair.truth)
            )
            names.append(pair.truth.name)
            for name, errors in found.items():
                find = ways[name]
                assert find is not None
                pairs = range(1, len(low))
                errors.append(
                    float(np.mean([
                        error_of(
                            find, (low[k] / 255, low[k - 1] / 255), (high[k], high[k - 1])
                        )
                        for k in pairs
                    ]))
                )  # fmt: skip
        print(f"{'motion':<10}" + "".join(f"{name:>10}" for name in names) + f"{'mean, dB':>10}")
        for name in ways:
            print(row(name, found[name]) if name in found else f"{name:<10} absent: no OpenCV")
    except UpreelError as error:
        sys.exit(f"motion: {error}")


if __name__ == "__main__":
    main()
