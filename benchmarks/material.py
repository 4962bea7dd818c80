"""Print what each way to make more of the material is worth: recipes/material.py.

    python benchmarks/material.py RUNS --data DIR [--data DIR ...]

RUNS holds checkpoints ``material-WHAT-seedN.ckpt``. For each: Y-PSNR in dB on the validation
sources of DIR (three frames of each clip, 16 samples at the borders left out) of the averaged
weights and of the last ones, and the gain over ``stills`` of the same seed.
"""

# pyright: reportUnknownMemberType=false

import argparse
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from upreel.datasets.load import load_clips
from upreel.datasets.patches import Pair, make_pairs
from upreel.errors import InputError, UpreelError
from upreel.networks.build import build_network
from upreel.training.checkpoint import Checkpoint, load_checkpoint
from upreel.training.validation import score

Row = tuple[float, float]  # of the average weights, of the last ones


def find_runs(folder: Path) -> dict[tuple[str, int], Path]:
    """Checkpoints by what was different and seed.

    Raises:
        InputError: there is none.
    """
    runs: dict[tuple[str, int], Path] = {}
    for path in sorted(folder.glob("material-*.ckpt")):
        match = re.fullmatch(r"material-([\w-]+)-seed(\d+)\.ckpt", path.name)
        if match:
            runs[match[1], int(match[2])] = path
    if not runs:
        raise InputError(f"no material-WHAT-seedN.ckpt in {folder}")
    return runs


def held_back(run: Checkpoint, data: Sequence[Path]) -> list[Pair]:
    """The validation sources' clips, degraded as the scored runs' are.

    Raises:
        InputError: there are none.
    """
    config = run.config
    clips = [clip for clip in load_clips(data) if clip.source in config.validation]
    if not clips:
        raise InputError(f"none of {', '.join(config.validation)} in the data")
    return make_pairs(clips, config.network.scale, config.degradation, variants=1, seed=config.seed)


def score_run(run: Checkpoint, pairs: Sequence[Pair]) -> Row:
    """Mean over the sources, of both kinds of weights."""
    found: list[float] = []
    for weights in (run.ema, run.network):
        network = build_network(asdict(run.config.network)).eval()
        network.load_state_dict(dict(weights))
        scores, _ = score(network, run.config.network, pairs, torch.device("cpu"))
        found.append(statistics.fmean(scores.values()))
    return found[0], found[1]


def table(rows: Mapping[tuple[str, int], Row]) -> str:
    """The table as text; ``stills`` first, the rest by their gain."""
    lines = [f"{'Y-PSNR, dB':<14}{'seed':>5}{'average':>10}{'last':>10}{'gain':>9}"]

    def gain(key: tuple[str, int]) -> float | None:
        base = rows.get(("stills", key[1]))
        return None if base is None else rows[key][0] - base[0]

    for what, seed in sorted(rows, key=lambda key: (key[0] != "stills", -(gain(key) or 0.0))):
        average, last = rows[what, seed]
        own = gain((what, seed))
        shown = "" if own is None or what == "stills" else f"{own:>+9.3f}"
        lines.append(f"{what:<14}{seed:>5}{average:>10.3f}{last:>10.3f}{shown}")
    return "\n".join(lines)


def main() -> None:
    """Score every checkpoint and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("runs", type=Path, help="folder of checkpoints")
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="folder or pack; repeatable"
    )
    options = parser.parse_args()
    try:
        runs = {key: load_checkpoint(path) for key, path in find_runs(options.runs).items()}
        base = runs.get(("stills", min(seed for _, seed in runs)), next(iter(runs.values())))
        pairs = held_back(base, options.data)
        rows = {key: score_run(run, pairs) for key, run in runs.items()}
    except UpreelError as error:
        sys.exit(f"material: {error}")
    print(table(rows))


if __name__ == "__main__":
    main()
