r"""The offline network's runs: the recurrent network, on short sequences and then on long ones.

    upreel train recipes/recurrent.py:best_x4_short --data DIR \
        --start checkpoints/fast-x4-clean-single.safetensors
    upreel train recipes/recurrent.py:best_x4 --start best-x4-short.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x4_long --start best-x4.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x4_larger --start best-x4-long.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x4_whole --start best-x4-larger.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x4_moves --start best-x4-whole.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x2_short --data DIR \
        --start best-x4-larger.ckpt --start checkpoints/tan-x2-b1.safetensors
    upreel train recipes/recurrent.py:best_x2 --start best-x2-short.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x2_fused --data DIR \
        --start best-x2.ckpt --start tan-x2.ckpt

The network of one frame is the run `fast_x4_clean_single` of recipes/fast.py and stays as it is
until `best_x4_whole`; at x2 it is `tan_x2_b1` of recipes/temporal_adaptive.py, and in the end
`tan_x2`. For BD, whose frames are blurred and lie elsewhere, both are trained on:

    upreel train recipes/recurrent.py:best_x4_bd_first --data DIR \
        --start checkpoints/fast-x4-clean-single.safetensors
    upreel train recipes/recurrent.py:best_x4_bd --data DIR \
        --start best-x4-long.ckpt --start best-x4-bd-first.ckpt
    upreel train recipes/recurrent.py:best_x4_bd_whole --start best-x4-bd.ckpt --data DIR
"""

from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FastConfig, RecurrentConfig, TemporalAdaptiveConfig

FIRST = FastConfig(scale=4, channels=32, depth=8, layout="luma")
FUSING = TemporalAdaptiveConfig(  # that of `tan_x2`
    branch=replace(FIRST, scale=2),
    modulation_channels=(16, 16),
    alignment="flow",
    fusion=(32, 8),
)


def best_x4_short() -> TrainConfig:
    """x4 for clean bicubic input: sequences of seven frames."""
    return TrainConfig(
        name="best-x4-short",
        network=RecurrentConfig(first=FIRST, channels=48, depth=6),
        degradation=Degradation(kernels=("bicubic",)),
        steps=3000,
        batch=4,
        patch=48,
        sequence=7,
        pan_frames=7,
        border=4,
        optimizer="muon",
        learning_rate=1.5e-3,
        parts=(("first", "fast-x4-clean-single"),),
        frozen=("first",),
        validate_every=500,
    )


def best_x4() -> TrainConfig:
    """x4 for clean bicubic input: sequences of fifteen frames.

    One sequence of eight stands still, and each is gone through from states that were carried over
    up to sixteen frames more: sequences of seven alone had taught nothing that holds for longer.
    The backward direction's answers count: else the forward one learns not to listen where what
    the other carries grows without end.
    """
    return replace(
        best_x4_short(),
        name="best-x4",
        start="best-x4-short",
        parts=(),
        batch=2,
        sequence=15,
        around=16,
        backward=0.3,
        strides=(0, *(1,) * 7),
        pan_frames=15,
        steps=1100,
        warmup=50,
        clip_norm=0.2,  # twice what a step has that does not run away
        learning_rate=1e-3,
        validate_every=1100,
    )


def best_x4_long() -> TrainConfig:
    """The same with four more convolutions a cell, which begin as the identity, and squared errors.

    Mean errors count what PSNR does not: where it is measured, large errors rule.
    """
    before = best_x4()
    return replace(
        before,
        name="best-x4-long",
        network=replace(before.network, depth=10),
        start="best-x4",
        losses=(Loss(kind="charbonnier"), Loss(kind="mse", weight=10.0)),
        steps=4000,
        warmup=100,
        clip_norm=0.3,
        validate_every=4000,
    )


def best_x4_larger() -> TrainConfig:
    """The same on larger patches, where what is carried along stays inside them for longer."""
    return replace(
        best_x4_long(),
        name="best-x4-larger",
        start="best-x4-long",
        patch=64,
        steps=2500,
        validate_every=2500,
    )


def best_x4_whole() -> TrainConfig:
    """The same, and the network of one frame learns what the cells need."""
    return replace(
        best_x4_larger(),
        name="best-x4-whole",
        start="best-x4-larger",
        frozen=(),
        steps=800,
        validate_every=800,
    )


def best_x4_moves() -> TrainConfig:
    """The same, and cameras over photographs zoom, turn and pass one layer before another, too."""
    return replace(
        best_x4_whole(),
        name="best-x4-moves",
        start="best-x4-whole",
        camera="moves",
        key_frames=True,
        seed=2,
        steps=700,
        validate_every=700,
    )


def best_x4_bd_first() -> TrainConfig:
    """x4 for BD: one frame."""
    return TrainConfig(
        name="best-x4-bd-first",
        network=replace(FIRST, phase="first"),
        degradation=Degradation(kernels=("blur",)),
        steps=6000,
        batch=8,
        patch=48,
        border=4,
        optimizer="muon",
        start="fast-x4-clean-single",
        validate_every=2000,
    )


def best_x4_bd() -> TrainConfig:
    """x4 for BD, from the network for bicubic input."""
    before = best_x4_long()
    return replace(
        before,
        name="best-x4-bd",
        network=replace(before.network, first=best_x4_bd_first().network),
        degradation=Degradation(kernels=("blur",)),
        start="best-x4-long",
        parts=(("first", "best-x4-bd-first"),),
        steps=1300,
        validate_every=1300,
    )


def best_x4_bd_whole() -> TrainConfig:
    """The same on larger patches, under moving cameras; the network of one frame learns along."""
    return replace(
        best_x4_bd(),
        name="best-x4-bd-whole",
        start="best-x4-bd",
        parts=(),
        frozen=(),
        patch=64,
        camera="moves",
        key_frames=True,
        seed=2,
        steps=750,
        validate_every=750,
    )


def best_x2_short() -> TrainConfig:
    """x2 for clean bicubic input, from the network for x4: its bodies fit, its ends do not."""
    before = best_x4_larger()
    return replace(
        before,
        name="best-x2-short",
        network=replace(before.network, first=replace(FIRST, scale=2)),
        start="best-x4-larger",
        parts=(("first", "tan-x2-b1"),),
        patch=48,
        steps=1200,
        validate_every=1200,
    )


def best_x2() -> TrainConfig:
    """The same for longer, and the network of one frame learns what the cells need."""
    return replace(
        best_x2_short(),
        name="best-x2",
        start="best-x2-short",
        parts=(),
        frozen=(),
        steps=3000,
        validate_every=3000,
    )


def best_x2_fused() -> TrainConfig:
    """The same over answers of windows, from `tan-x2`, which are moved by a cubic.

    At x2 a bilinear interpolation blurs what answers add, and cells that saw one frame's answers
    followed a wrong reading of fine stripes from frame to frame.
    """
    before = best_x2()
    return replace(
        before,
        name="best-x2-fused",
        network=replace(before.network, first=FUSING, interpolation="bicubic"),
        start="best-x2",
        parts=(("first", "tan-x2"),),
        frozen=("first",),
        camera="moves",
        key_frames=True,
        seed=2,
        steps=1500,
        validate_every=1500,
    )
