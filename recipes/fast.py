r"""The fast family's runs: one function a run, each returns its config.

    upreel train recipes/fast.py:fast_x2_clean_first --data DIR [--data DIR]
    upreel train recipes/fast.py:fast_x2_clean --start runs/fast-x2-clean-first.ckpt --data DIR

Sizes come from comparisons at equal steps (docs/experiments.md): at x2 six convolutions of 32
channels beat four of 48 with two thirds of the arithmetic, and the previous frame beside the
current one is worth more than its 5 % of arithmetic; at x4 luma at full size beats packed planes.

A model comes of several parts, each from the result of the one that its config names; the last
one has the model's name. The default of a scale starts from the weights for clean input, and
learns delivered video on top.

Whole numbers of 8 bits are made of a model's weights, and are then a precision of its card:

    upreel quantize recipes/fast.py:fast_x2_int8 --data DIR \
        --start src/upreel/zoo/weights/fast-x2.safetensors
    upreel export runs/fast-x2-int8.ckpt --into fast-x2
"""

from dataclasses import replace

from upreel.degradation.degrade import DELIVERY, Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FastConfig, QuantizedConfig

CLEAN = Degradation(kernels=("bicubic",))
DELIVERED = Degradation(
    kernels=("bicubic", "area", "gaussian", "lanczos3"),
    codings=DELIVERY,
    uncoded=0.25,
)
# Three of four patches are mirrored or transposed and teach luma only (`datasets.patches`): with
# less than this, which the first parts had, chroma comes out below Lanczos.
CHROMA = 2.0


def _refined(first: TrainConfig, name: str) -> TrainConfig:
    """Go on from a run's result: squared errors, larger and other patches, a lower peak."""
    return replace(
        first,
        name=name,
        start=first.name,
        batch=first.batch // 2,
        patch=first.patch * 3 // 2,
        border=4,
        chroma=CHROMA,
        losses=(Loss(kind="mse", weight=100),),
        learning_rate=6e-4,
        seed=2,
    )


def fast_x2_clean_first() -> TrainConfig:
    """x2 for clean bicubic input, first part."""
    return TrainConfig(
        name="fast-x2-clean-first",
        network=FastConfig(scale=2, channels=32, depth=6, frames=2),
        degradation=CLEAN,
        steps=12_000,
        batch=8,
        validate_every=4000,
    )


def fast_x2_clean() -> TrainConfig:
    """x2 for clean bicubic input."""
    return replace(_refined(fast_x2_clean_first(), "fast-x2-clean"), steps=7000)


def fast_x2_first() -> TrainConfig:
    """x2 for video as it is delivered, first part."""
    return replace(
        fast_x2_clean_first(),
        name="fast-x2-first",
        degradation=DELIVERED,
        variants=2,
        steps=7000,
        learning_rate=1e-3,
        start="fast-x2-clean-first",
    )


def fast_x2_second() -> TrainConfig:
    """x2 for video as it is delivered, second part: more of it clean, where the first lost much."""
    return replace(
        _refined(fast_x2_first(), "fast-x2-second"), degradation=replace(DELIVERED, uncoded=0.45)
    )


def fast_x2_third() -> TrainConfig:
    """x2 for video as it is delivered, third part: squared errors had it sharpen soft noise."""
    return replace(
        fast_x2_second(),
        name="fast-x2-third",
        start="fast-x2-second",
        degradation=replace(DELIVERED, uncoded=0.4),
        losses=(Loss(kind="charbonnier"),),
        learning_rate=5e-4,
        seed=3,
        steps=6000,
    )


def fast_x2() -> TrainConfig:
    """x2 for video as it is delivered."""
    return replace(
        fast_x2_third(),
        name="fast-x2",
        start="fast-x2-third",
        optimizer="muon",
        seed=4,
        steps=12_000,
    )


def fast_x3() -> TrainConfig:
    """x3 for video as it is delivered."""
    return replace(
        fast_x2_first(),
        name="fast-x3",
        network=FastConfig(scale=3, channels=32, depth=6, frames=2),
        patch=64,
        chroma=CHROMA,
        start="fast-x2-first",
    )


def fast_x4_clean_single() -> TrainConfig:
    """x4 for clean bicubic input from the luma of one frame."""
    return TrainConfig(
        name="fast-x4-clean-single",
        network=FastConfig(scale=4, channels=32, depth=8, layout="luma"),
        degradation=CLEAN,
        steps=16_000,
        batch=8,
        patch=48,
        border=4,
        optimizer="muon",
        validate_every=2000,
    )


def fast_x4_clean() -> TrainConfig:
    """x4 for clean bicubic input from luma of the current and the previous frame."""
    first = fast_x4_clean_single()
    return replace(
        _refined(first, "fast-x4-clean"),
        network=replace(first.network, frames=2),
        patch=64,
        steps=10_000,
    )


def fast_x4() -> TrainConfig:
    """x4 for video as it is delivered, from luma of the current and the previous frame."""
    first = fast_x4_clean_single()
    return replace(
        first,
        name="fast-x4",
        network=replace(first.network, frames=2),
        degradation=replace(DELIVERED, uncoded=0.35),
        variants=2,
        losses=(Loss(kind="psnr"),),
        patch=56,
        batch=6,
        steps=9000,
        learning_rate=1e-3,
        seed=2,
        start="fast-x4-clean-single",
    )


def _int8(run: TrainConfig) -> TrainConfig:
    """A model's network in whole numbers; its steps follow where calibration loses too much."""
    assert isinstance(run.network, FastConfig)
    return replace(
        run,
        name=f"{run.name}-int8",
        network=QuantizedConfig(network=run.network),
        start="",
        parts=(("network", run.name),),
        variants=1,
        learning_rate=1e-4,
        optimizer="adam",
        steps=2000,
        validate_every=1000,
    )


def fast_x2_clean_int8() -> TrainConfig:
    """`fast_x2_clean` in whole numbers."""
    return _int8(fast_x2_clean())


def fast_x2_int8() -> TrainConfig:
    """`fast_x2` in whole numbers."""
    return _int8(fast_x2())


def fast_x3_int8() -> TrainConfig:
    """`fast_x3` in whole numbers."""
    return _int8(fast_x3())


def fast_x4_clean_int8() -> TrainConfig:
    """`fast_x4_clean` in whole numbers."""
    return _int8(fast_x4_clean())


def fast_x4_int8() -> TrainConfig:
    """`fast_x4` in whole numbers."""
    return _int8(fast_x4())
