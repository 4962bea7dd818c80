"""Print whether a recurrent network holds over long scenes, moving and still.

    python benchmarks/long_scenes.py CHECKPOINT --data DIR --clips bees_01 flower_02 [--frames 160]

Each clip is gone through there and back until there are enough frames, and its first frame is
shown again and again; both directions go over all of them at once. Printed is the gain over the
network of one frame in Y-PSNR (dB, clean input by the first kernel of the run, 80x64 samples of it,
16 samples at the answer's borders left out): of eight frames spread over the scene, and the least.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.datasets.clips import Clip
from upreel.datasets.load import load_clips
from upreel.degradation.degrade import Downscale, shrink
from upreel.errors import InputError, OptionError, UpreelError
from upreel.networks.build import build_network
from upreel.networks.recurrent import RecurrentNetwork
from upreel.training.checkpoint import Checkpoint, load_checkpoint
from upreel.training.samples import there_and_back

ROWS, COLUMNS = 64, 80  # of the input
BORDER = 16
SHOWN = 8


def load_network(run: Checkpoint) -> RecurrentNetwork:
    """The averaged weights of a run.

    Raises:
        OptionError: it is not one of a recurrent network.
    """
    network = build_network(asdict(run.config.network)).eval()
    if not isinstance(network, RecurrentNetwork):
        raise OptionError(
            f"{run.config.name} is a run of kind {run.config.network.kind}, not recurrent"
        )
    network.load_state_dict(run.result)
    return network


@torch.no_grad()
def gains(
    network: RecurrentNetwork, clip: Clip, order: Sequence[int], scale: int, kernel: Downscale
) -> list[float]:
    """Gain over the first answers in dB, frame by frame."""
    rows, columns = scale * ROWS, scale * COLUMNS
    if clip.luma.shape[1] < rows or clip.luma.shape[2] < columns:
        raise OptionError(f"{clip.name} is smaller than {columns}x{rows}")
    high = clip.luma[:, :rows, :columns]
    low, _ = shrink(high, clip.chroma[..., : rows // 2, : columns // 2], scale, kernel)
    frames = torch.from_numpy(low[list(order)][None]).float() / 255
    truth = torch.from_numpy(np.ascontiguousarray(high[list(order)])).float()

    def psnr(answers: Tensor) -> Tensor:
        luma = F.pixel_shuffle(answers[0], scale)[:, 0].mul(255).round().clamp(0, 255)
        error = (luma - truth)[:, BORDER:-BORDER, BORDER:-BORDER].square().mean(dim=(1, 2))
        return 10 * torch.log10(255**2 / error.clamp(min=1e-10))

    difference = psnr(network(frames)) - psnr(network.first_answers(frames))
    return [float(value) for value in difference.tolist()]


def row(name: str, what: str, found: Sequence[float]) -> str:
    """A line of the table."""
    shown = [found[len(found) * k // SHOWN] for k in range(SHOWN)]
    return f"{name:<16}{what:<16}" + "".join(f"{value:>+8.2f}" for value in (*shown, np.min(found)))


def main() -> None:
    """Go through every clip in both ways and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path, help="of a recurrent network")
    parser.add_argument("--data", type=Path, required=True, help="folder or pack with the clips")
    parser.add_argument("--clips", nargs="+", required=True, help="names of clips")
    parser.add_argument("--frames", type=int, default=160, help="of a scene")
    options = parser.parse_args()
    try:
        if options.frames < 1:
            raise OptionError(f"--frames must be at least 1, got {options.frames}")
        run = load_checkpoint(options.checkpoint)
        network, scale = load_network(run), run.config.network.scale
        kernel = run.config.degradation.kernels[0]
        clips = {clip.name: clip for clip in load_clips([options.data])}
        if unknown := [name for name in options.clips if name not in clips]:
            raise InputError(f"no clip {', '.join(unknown)} in {options.data}")
        print(f"{'gain, dB':<32}{f'{SHOWN} of {options.frames} frames':>{8 * SHOWN}}{'least':>8}")
        for clip in (clips[name] for name in options.clips):
            ways = {"there and back": there_and_back(len(clip.luma), range(options.frames))}
            ways["still"] = [0] * options.frames
            for what, order in ways.items():
                print(row(clip.name, what, gains(network, clip, order, scale, kernel)), flush=True)
    except UpreelError as error:
        sys.exit(f"long_scenes: {error}")


if __name__ == "__main__":
    main()
