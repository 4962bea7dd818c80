"""Print the ablation table of Liu et al. (ICCV 2017) for our temporal adaptive network.

    python benchmarks/temporal_adaptive_ablation.py RUNS VID4 [--frames N] [--json FILE]

RUNS holds checkpoints ``ablation-STAGE-seedN.ckpt`` of recipes/temporal_adaptive.py, VID4 the
folders ``GT`` and ``BIx4``. For each stage: Y-PSNR of every clip and their mean (dB, all frames, no
crop, 8-bit; mean over clips), mean and spread over the seeds, and the gain over the stages that
it differs from by one part.
"""

import argparse
import hashlib
import json
import re
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.errors import InputError, UpreelError
from upreel.evaluation.degrade import Degradation, Degraded
from upreel.evaluation.sets import open_vid4
from upreel.metrics.fidelity import psnr
from upreel.networks.build import build_network
from upreel.networks.planes import luma_of, pack
from upreel.networks.temporal_adaptive import TemporalAdaptiveNetwork
from upreel.training.checkpoint import load_checkpoint
from upreel.zoo import EspcnConfig, NetworkConfig, TemporalAdaptiveConfig

STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "b1": ("B1: one frame", ()),
    "b2": ("B2: three frames", ("b1",)),
    "b3": ("B3: five frames", ("b1",)),
    "plain": ("B1,2,3: plain average", ("b1",)),
    "mean": ("B1,2,3: average, trained together", ("plain",)),
    "free": ("B1,2,3 + T, free weights", ("plain", "mean", "t")),
    "t": ("B1,2,3 + T, softmax", ("plain", "mean")),
    "rectified": ("B1,2,3 + T + rectified alignment", ("t",)),
    "spatial": ("B1,2,3 + T + spatial alignment", ("t",)),
    "answers-still": ("B1 + fusions of answers in place + T", ("b1",)),
    "answers-mean": ("B1 + fusions of moved answers, average", ("b1",)),
    "answers-t": ("B1 + fusions of moved answers + T", ("answers-mean", "answers-still")),
}
"""Rows of the table: what each is, and the stages that its gains are over."""

_TRAINED = tuple(stage for stage in STAGES if stage != "plain")
Scores = dict[str, float]  # Y-PSNR in dB by clip


def find_runs(folder: Path) -> dict[str, dict[int, Path]]:
    """Checkpoints by stage and seed.

    Raises:
        InputError: there is none.
    """
    runs: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("ablation-*.ckpt")):
        match = re.fullmatch(r"ablation-([\w-]+)-seed(\d+)\.ckpt", path.name)
        if match and match[1] in _TRAINED:
            runs.setdefault(match[1], {})[int(match[2])] = path
    if not runs:
        raise InputError(f"no ablation-STAGE-seedN.ckpt in {folder}; stages: {', '.join(_TRAINED)}")
    return runs


def load_average(paths: Sequence[Path]) -> tuple[nn.Module, NetworkConfig]:
    """The plain average of branches, each as its own run left it: nothing is trained together.

    Args:
        paths: of the branches on 1, 3, ... frames.
    """
    branches = [load_network(path) for path in paths]
    first = branches[0][1]
    assert isinstance(first, EspcnConfig)
    config = TemporalAdaptiveConfig(branch=first, branches=len(branches), modulation="mean")
    network = build_network(asdict(config)).eval()
    assert isinstance(network, TemporalAdaptiveNetwork)
    for own, (branch, _) in zip(network.branches, branches, strict=True):
        own.load_state_dict(branch.state_dict())
    return network, config


def load_network(path: Path) -> tuple[nn.Module, NetworkConfig]:
    """The result of a run, and what it is."""
    checkpoint = load_checkpoint(path)
    config = checkpoint.config.network
    network = build_network(asdict(config)).eval()
    network.load_state_dict(checkpoint.result)
    return network, config


@torch.no_grad()
def score(network: nn.Module, config: NetworkConfig, pair: Degraded) -> float:
    """Mean Y-PSNR in dB over the frames of a clip."""
    values = [
        psnr(truth[0], _upscaled(network, config, pair, t))
        for t, truth in enumerate(pair.truth.planes)
    ]
    return statistics.fmean(values)


def _upscaled(
    network: nn.Module, config: NetworkConfig, pair: Degraded, t: int
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Luma of frame `t`, in a margin of real or repeated border samples."""
    last = pair.low.num_frames - 1
    frames: list[Tensor] = []
    for k in (min(max(t + offset, 0), last) for offset in config.offsets):
        planes = [torch.from_numpy(plane)[None, None].float() / 255 for plane in pair.low.planes[k]]
        packed = config.layout == "packed"
        frames.append(pack(planes[0], torch.cat(planes[1:], dim=1)) if packed else planes[0])
    window = torch.cat(frames, dim=1)
    rows, columns = window.shape[2:]
    before = -(-config.margin // config.period) * config.period
    after = [before + -side % config.period for side in (columns, rows)]
    padded = F.pad(window, (before, after[0], before, after[1]), mode="replicate")
    answer = network(padded)[..., before : before + rows, before : before + columns]
    luma = luma_of(answer, config.scale, config.layout)[0, 0] * 255
    return luma.round().clamp(0, 255).byte().numpy()


def score_all(
    runs: Mapping[str, Mapping[int, Path]], pairs: Sequence[Degraded], known: Path | None
) -> dict[str, dict[int, Scores]]:
    """Scores of every run's result, and of the plain average where a seed has all three branches.

    Args:
        runs: of `find_runs`.
        pairs: the clips.
        known: JSON file of scores of earlier calls, by what was scored, added to after each one.

    Raises:
        InputError: `known` is no such file.
    """
    stored: dict[str, Scores] = {}
    if known is not None and known.exists():
        try:
            stored = json.loads(known.read_text(encoding="utf-8"))["scores"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{known} holds no scores of this program: {error!r}") from error
    frames = "-".join(str(pair.truth.num_frames) for pair in pairs)
    results: dict[str, dict[int, Scores]] = {}
    for stage, seed, paths in _contestants(runs):
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
        key = f"{stage} {seed} {frames} {digest}"
        if key not in stored:
            network, config = load_average(paths) if stage == "plain" else load_network(paths[0])
            stored[key] = {pair.truth.name: score(network, config, pair) for pair in pairs}
            if known is not None:
                known.write_text(json.dumps({"scores": stored}, indent=2) + "\n", encoding="utf-8")
        results.setdefault(stage, {})[seed] = stored[key]
    return results


def _contestants(
    runs: Mapping[str, Mapping[int, Path]],
) -> Iterator[tuple[str, int, list[Path]]]:
    """Stage, seed and checkpoints."""
    for stage, by_seed in runs.items():
        for seed, path in by_seed.items():
            yield stage, seed, [path]
    branches = [runs.get(stage, {}) for stage in ("b1", "b2", "b3")]
    for seed in sorted(set.intersection(*(set(found) for found in branches))):
        yield "plain", seed, [found[seed] for found in branches]


def table(results: Mapping[str, Mapping[int, Scores]]) -> str:
    """The table as text.

    Args:
        results: by stage and seed the clips' scores.
    """
    clips = list(next(iter(next(iter(results.values())).values())))
    header = f"{'Y-PSNR, dB':<40}" + "".join(f"{clip:>10}" for clip in (*clips, "mean"))
    lines = [header + f"{'spread':>8}{'gain':>16}"]
    means = {
        stage: {seed: statistics.fmean(scores.values()) for seed, scores in runs.items()}
        for stage, runs in results.items()
    }
    for stage, (words, others) in STAGES.items():
        if stage not in results:
            continue
        runs = results[stage]
        line = f"{words:<40}"
        for clip in clips:
            line += f"{statistics.fmean(scores[clip] for scores in runs.values()):>10.2f}"
        line += (
            f"{statistics.fmean(means[stage].values()):>10.3f}{_spread(means[stage].values()):>8}"
        )
        for other in others:
            shared = sorted(means[stage].keys() & means.get(other, {}).keys())
            if shared:
                gains = [means[stage][seed] - means[other][seed] for seed in shared]
                line += f"{statistics.fmean(gains):>+10.3f}{_spread(gains):>6} over {other}"
        lines.append(line)
    seeds = sorted({seed for runs in results.values() for seed in runs})
    lines.append(
        f"seeds {', '.join(map(str, seeds))}; spread: standard deviation over them; gains are "
        "differences at the same seed"
    )
    return "\n".join(lines)


def _spread(values: Iterable[float]) -> str:
    """The standard deviation; a dash of a single value."""
    found = list(values)
    return f"{statistics.stdev(found):.3f}" if len(found) > 1 else "-"


def _count(text: str) -> int:
    """A positive number of frames."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text!r}")
    return int(text)


def main() -> None:
    """Score every checkpoint and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("runs", type=Path, help="folder of checkpoints")
    parser.add_argument("vid4", type=Path, help="folder with GT and BIx4")
    parser.add_argument("--frames", type=_count, help="at most so many frames of each clip")
    parser.add_argument("--json", type=Path, help="keep scores here and take known ones from it")
    options = parser.parse_args()
    try:
        runs = find_runs(options.runs)
        pairs = list(open_vid4(options.vid4, 4, Degradation(), limit=options.frames))
        results = score_all(runs, pairs, options.json)
    except UpreelError as error:
        sys.exit(f"temporal_adaptive_ablation: {error}")
    print(table(results))


if __name__ == "__main__":
    main()
