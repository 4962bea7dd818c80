"""The fast family's runs: one function a run, each returns its config.

    upreel train recipes/fast.py:fast_x2_clean --data DIR [--data DIR]

Sizes come from a comparison at equal steps (docs/experiments.md): at x2 six convolutions of 32
channels beat four of 48 with two thirds of the arithmetic, and the previous frame beside the
current one is worth more than its 5 % of arithmetic; at x4 it only slows so short a training. The
default of a scale starts from the weights of its variant for clean input, and learns delivered
video on top; a refinement goes on from a run's own result with squared errors.
"""

from dataclasses import replace

from upreel.degradation.degrade import Coding, Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FastConfig

CLEAN = Degradation(kernels=("bicubic",))
DELIVERED = Degradation(
    kernels=("bicubic", "area", "gaussian", "lanczos3"),
    codings=(
        Coding(codec="x264", crf=(18, 30)),
        Coding(codec="x264", crf=(20, 28)),
        Coding(codec="x265", crf=(20, 30)),
        Coding(codec="vp9", crf=(24, 40)),
        Coding(codec="svtav1", crf=(24, 42)),
    ),
    uncoded=0.25,
)


# Three of four patches are mirrored or transposed and teach luma only (`datasets.patches`).
CHROMA = 2.0


def _refined(config: TrainConfig) -> TrainConfig:
    """Go on from a run's result: squared errors, larger and other patches, a lower peak."""
    return replace(
        config,
        name=f"{config.name}-refined",
        batch=config.batch // 2,
        patch=config.patch * 3 // 2,
        border=4,
        losses=(Loss(kind="mse", weight=100),),
        learning_rate=6e-4,
        seed=config.seed + 1,
        start=config.name,
    )


def fast_x2_clean() -> TrainConfig:
    """x2 for clean bicubic input."""
    return TrainConfig(
        name="fast-x2-clean",
        network=FastConfig(scale=2, channels=32, depth=6, frames=2),
        degradation=CLEAN,
        steps=12_000,
        batch=8,
        chroma=CHROMA,
        validate_every=4000,
    )


def fast_x2() -> TrainConfig:
    """x2 for video as it is delivered."""
    return replace(
        fast_x2_clean(),
        name="fast-x2",
        degradation=DELIVERED,
        variants=2,
        steps=7000,
        learning_rate=1e-3,
        start="fast-x2-clean",
    )


def fast_x3() -> TrainConfig:
    """x3 for video as it is delivered."""
    return replace(
        fast_x2(),
        name="fast-x3",
        network=FastConfig(scale=3, channels=32, depth=6, frames=2),
        patch=64,
        start="fast-x2",
    )


def fast_x4_clean() -> TrainConfig:
    """x4 for clean bicubic input."""
    return TrainConfig(
        name="fast-x4-clean",
        network=FastConfig(scale=4, channels=48, depth=8),
        degradation=CLEAN,
        steps=12_000,
        batch=8,
        patch=48,
        chroma=CHROMA,
        validate_every=4000,
    )


def fast_x4() -> TrainConfig:
    """x4 for video as it is delivered."""
    return replace(
        fast_x4_clean(),
        name="fast-x4",
        degradation=DELIVERED,
        variants=2,
        steps=6000,
        learning_rate=1e-3,
        start="fast-x4-clean",
    )


def fast_x2_clean_refined() -> TrainConfig:
    """x2 for clean input, second part."""
    return replace(_refined(fast_x2_clean()), steps=7000)


def fast_x2_refined() -> TrainConfig:
    """x2 for delivered video, second part: more of it clean, where the first lost too much."""
    return replace(_refined(fast_x2()), degradation=replace(DELIVERED, uncoded=0.45), steps=7000)


def fast_x4_clean_refined() -> TrainConfig:
    """x4 for clean input, second part."""
    return replace(_refined(fast_x4_clean()), patch=64, steps=5000)
