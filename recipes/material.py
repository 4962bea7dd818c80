"""What each way to make more of the material is worth: one small recurrent network, many runs.

    upreel train recipes/material.py:material_pans --seed 1 --data DIR \
        --start checkpoints/fast-x4-clean-single.safetensors --out RUNS

A run differs from `material_stills` by what its name says. benchmarks/material.py prints the table.
"""

from dataclasses import replace
from typing import Any

from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig, RecurrentConfig


def _run(what: str, seed: int, **changes: Any) -> TrainConfig:  # noqa: ANN401 - any of the config's
    """What all runs share, and what this one has instead."""
    first = FastConfig(scale=4, channels=32, depth=8, layout="luma")
    config = TrainConfig(
        name=f"material-{what}-seed{seed}",
        network=RecurrentConfig(first=first, channels=24, depth=2),
        degradation=Degradation(kernels=("bicubic",)),
        steps=1200,
        batch=4,
        patch=48,
        sequence=5,
        border=4,
        optimizer="muon",
        learning_rate=1.5e-3,
        parts=(("first", "fast-x4-clean-single"),),
        frozen=("first",),
        seed=seed,
        validate_every=1200,
    )
    return replace(config, **changes)


def material_stills(seed: int = 1) -> TrainConfig:
    """Photographs as clips that stand still; patches turned over in all ways."""
    return _run("stills", seed)


def material_as_it_is(seed: int = 1) -> TrainConfig:
    """Neither mirrored nor transposed nor run backwards."""
    return _run("as-it-is", seed, turns=False)


def material_pans(seed: int = 1) -> TrainConfig:
    """A camera pans over photographs."""
    return _run("pans", seed, pan_frames=5)


def material_moves(seed: int = 1) -> TrainConfig:
    """A camera pans, zooms, turns, or passes a layer before another."""
    return _run("moves", seed, pan_frames=5, camera="moves")


def material_key_frames(seed: int = 1) -> TrainConfig:
    """The same over the clips' middle frames, too."""
    return _run("key-frames", seed, pan_frames=5, camera="moves", key_frames=True)


def material_strides(seed: int = 1) -> TrainConfig:
    """Clips at their own speed, twice and three times as fast."""
    return _run("strides", seed, strides=(1, 2, 3))


def material_jitter(seed: int = 1) -> TrainConfig:
    """Contrast and brightness by up to a fifth."""
    return _run("jitter", seed, jitter=0.2)


def material_mixed(seed: int = 1) -> TrainConfig:
    """Four kernels, of which the scored one is one."""
    kernels = ("bicubic", "area", "lanczos3", "gaussian")
    return _run("mixed", seed, degradation=Degradation(kernels=kernels))


def material_longer(seed: int = 1) -> TrainConfig:
    """Twice the sequence, half the patches: as many frames a step."""
    return _run("longer", seed, sequence=10, batch=2)
