"""Print what adapting a network to a video is worth, beside its self-ensemble.

    python benchmarks/adaptation.py VID4 -m fast-x4-clean --seconds 60

VID4 holds the folders ``GT`` and ``BIx4``. For each clip, bicubic: Y-PSNR (dB, all frames, no crop,
8-bit) of the network, of the network as `upreel upscale --adapt SECONDS` would make it, and of its
self-ensemble. Neither of the latter two is the network's own figure.
"""

# pyright: reportUnknownMemberType=false

import argparse
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from upreel.errors import UpreelError
from upreel.evaluation.clips import frames_of
from upreel.evaluation.degrade import Degradation, Degraded
from upreel.evaluation.sets import open_vid4
from upreel.metrics.fidelity import psnr
from upreel.pipeline.api import Model
from upreel.training.adapt import adapt, ranges
from upreel.zoo import ModelCard, load_card


def score(card: ModelCard, pair: Degraded, *, self_ensemble: bool = False) -> float:
    """Mean Y-PSNR in dB over the frames of a clip."""
    model = Model(card=card, precision="f32", self_ensemble=self_ensemble)
    answers = model.enhance(frames_of(pair.low))
    return statistics.fmean(
        psnr(truth[0], answer.planes[0])
        for truth, answer in zip(pair.truth.planes, answers, strict=True)
    )


def score_adapted(card: ModelCard, pair: Degraded, seconds: float) -> tuple[float, int]:
    """The same after an adaptation to that clip, and the steps that it took."""
    luma = np.stack([planes[0] for planes in pair.low.planes]).astype(np.float32) / 255
    seen = [
        torch.from_numpy(luma[each.start : each.stop])
        for each in ranges(0, len(luma), luma[0].nbytes)
    ]
    with TemporaryDirectory() as folder:
        found = adapt(card, seen, Path(folder), seconds=seconds)
        return score(found.card or card, pair), found.steps


def main() -> None:
    """Adapt to every clip and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("vid4", type=Path, help="folder with GT and BIx4")
    parser.add_argument("-m", "--model", default="fast-x4-clean", help="a network of luma")
    parser.add_argument("--seconds", type=float, default=60, help="of each adaptation")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[float, ...]] = []
    try:
        card = load_card(options.model)
        print(f"{card.name}, {options.seconds:g} s of one core a clip; Y-PSNR, dB")
        print(f"{'clip':<10}{'network':>10}{'adapted':>10}{'gain':>8}{'ensemble':>10}{'steps':>7}")
        for pair in open_vid4(options.vid4, card.scale, Degradation()):
            plain = score(card, pair)
            adapted, steps = score_adapted(card, pair, options.seconds)
            ensemble = score(card, pair, self_ensemble=True)
            rows.append((plain, adapted, adapted - plain, ensemble))
            print(f"{pair.truth.name:<10}{_row(rows[-1])}{steps:>7}", flush=True)
    except UpreelError as error:
        sys.exit(f"adaptation: {error}")
    print(f"{'mean':<10}{_row([statistics.fmean(column) for column in zip(*rows, strict=True)])}")


def _row(values: tuple[float, ...] | list[float]) -> str:
    plain, adapted, gain, ensemble = values
    return f"{plain:>10.3f}{adapted:>10.3f}{gain:>+8.3f}{ensemble:>10.3f}"


if __name__ == "__main__":
    main()
