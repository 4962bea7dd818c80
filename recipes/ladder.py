r"""The fast family in three sizes: plain chains, alone and with a teacher, then in whole numbers.

    upreel train recipes/ladder.py:fast_x2_m_clean --data DIR
    upreel distill recipes/ladder.py:fast_x2_m_clean_taught --teacher fast-x2-clean --data DIR
    upreel distill recipes/ladder.py:fast_x2_m --start runs/fast-x2-m-clean-taught.ckpt \
        --teacher fast-x2 --data DIR
    upreel quantize recipes/ladder.py:fast_x2_m_int8 --start runs/fast-x2-m.ckpt --data DIR

A run that starts from another one has the features of that: `upreel prune` may have left fewer than
`SHAPES` has. Sizes come from what untrained networks take (docs/decisions.md). `..._clean` is for
clean bicubic input; without it, for video as it is delivered. The small and the middle one have
teachers, larger networks that see the same and whose features are learned: answers of networks that
see more frames teach nothing (docs/experiments.md). What branches are worth is the difference of
`..._clean` and `..._clean_branches`, what a teacher is worth beside them that of
`..._clean_taught`; all take equal steps. At x4 teachers are `fast-x4-clean` and `fast-x4`; at x3
results of `fast_x3_l_clean` and `fast_x3_l`.
"""

from dataclasses import replace
from typing import Literal

from upreel.degradation.degrade import DELIVERY, Degradation
from upreel.training.config import Distillation, Loss, TrainConfig
from upreel.zoo import FastConfig, QuantizedConfig

Size = Literal["s", "m", "l"]

# Channels and convolutions by scale: packed planes at x2 and x3, luma at x4.
SHAPES: dict[int, dict[Size, tuple[int, int]]] = {
    2: {"s": (16, 4), "m": (32, 4), "l": (48, 6)},
    3: {"s": (16, 4), "m": (32, 4), "l": (48, 6)},
    4: {"s": (16, 8), "m": (32, 8), "l": (48, 8)},
}
CLEAN = Degradation(kernels=("bicubic",))
DELIVERED = Degradation(
    kernels=("bicubic", "area", "gaussian", "lanczos3"),
    codings=DELIVERY,
    uncoded=0.4,
)


def _clean(scale: int, size: Size) -> TrainConfig:
    """Alone, for clean bicubic input."""
    channels, depth = SHAPES[scale][size]
    luma = scale == 4
    return TrainConfig(
        name=f"fast-x{scale}-{size}-clean",
        network=FastConfig(
            scale=scale,
            channels=channels,
            depth=depth,
            frames=2,
            layout="luma" if luma else "packed",
            skips=False,
        ),
        widths="start",
        degradation=CLEAN,
        steps=12_000,
        batch=8,
        patch=48 if luma else 72,
        border=4,
        optimizer="muon",
        losses=(Loss(kind="charbonnier"), Loss(kind="mse", weight=10.0)),
        chroma=2.0,
        validate_every=4000,
    )


def _branches(alone: TrainConfig) -> TrainConfig:
    """The same with a 1x1 beside each filter while it learns."""
    return replace(alone, name=f"{alone.name}-branches", branches=True)


def _large(scale: int) -> TrainConfig:
    """The largest learns with branches: there is no larger one that would see the same."""
    return replace(_clean(scale, "l"), branches=True)


def _taught(alone: TrainConfig) -> TrainConfig:
    """The same with branches and a teacher, at equal steps."""
    return replace(
        alone,
        name=f"{alone.name}-taught",
        branches=True,
        distillation=Distillation(output=0.0, features=0.03),
    )


def _delivered(clean: TrainConfig, steps: int = 6000) -> TrainConfig:
    """For video as it is delivered, from the network for clean input.

    A third of 12,000 steps brought all but 0.01 dB (docs/experiments.md).
    """
    return replace(
        clean,
        name=clean.name.partition("-clean")[0],
        start=clean.name,
        degradation=DELIVERED,
        variants=2,
        steps=steps,
        losses=(Loss(kind="charbonnier"),),
        learning_rate=1e-3,
        seed=2,
    )


def _int8(run: TrainConfig) -> TrainConfig:
    """In whole numbers; its steps follow where calibration loses too much."""
    assert isinstance(run.network, FastConfig)
    return replace(
        run,
        name=f"{run.name}-int8",
        network=QuantizedConfig(network=run.network),
        start="",
        parts=(("network", run.name),),
        distillation=None,
        variants=1,
        branches=False,
        learning_rate=1e-4,
        optimizer="adam",
        steps=2000,
        validate_every=1000,
    )


def fast_x2_s_clean() -> TrainConfig:
    """x2, small, alone."""
    return _clean(2, "s")


def fast_x2_s_clean_branches() -> TrainConfig:
    """x2, small, alone, with branches."""
    return _branches(_clean(2, "s"))


def fast_x2_s_clean_taught() -> TrainConfig:
    """x2, small, with a teacher."""
    return _taught(_clean(2, "s"))


def fast_x2_s() -> TrainConfig:
    """x2, small, for video as it is delivered."""
    return _delivered(fast_x2_s_clean_taught(), steps=12_000)


def fast_x2_s_int8() -> TrainConfig:
    """`fast_x2_s` in whole numbers."""
    return _int8(fast_x2_s())


def fast_x2_m_clean() -> TrainConfig:
    """x2, middle, alone."""
    return _clean(2, "m")


def fast_x2_m_clean_branches() -> TrainConfig:
    """x2, middle, alone, with branches."""
    return _branches(_clean(2, "m"))


def fast_x2_m_clean_taught() -> TrainConfig:
    """x2, middle, with a teacher."""
    return _taught(_clean(2, "m"))


def fast_x2_m_clean_taught_int8() -> TrainConfig:
    """`fast_x2_m_clean_taught` in whole numbers."""
    return _int8(fast_x2_m_clean_taught())


def fast_x2_m() -> TrainConfig:
    """x2, middle, for video as it is delivered."""
    return _delivered(fast_x2_m_clean_taught(), steps=12_000)


def fast_x2_m_int8() -> TrainConfig:
    """`fast_x2_m` in whole numbers."""
    return _int8(fast_x2_m())


def fast_x2_l_clean() -> TrainConfig:
    """x2, large, alone."""
    return _large(2)


def fast_x2_l() -> TrainConfig:
    """x2, large, for video as it is delivered."""
    return _delivered(fast_x2_l_clean())


def fast_x2_l_int8() -> TrainConfig:
    """`fast_x2_l` in whole numbers."""
    return _int8(fast_x2_l())


def fast_x2_l_clean_pruned() -> TrainConfig:
    """x2, large, for `upreel prune`: what it learns between and after its cuts."""
    return replace(
        _clean(2, "l"),
        name="fast-x2-l-clean-pruned",
        start="fast-x2-l-clean",
        learning_rate=1e-3,
        steps=9000,
        validate_every=3000,
        seed=3,
    )


def fast_x3_l_clean() -> TrainConfig:
    """x3, large, alone: the teacher of the others."""
    return _large(3)


def fast_x3_l() -> TrainConfig:
    """x3, large, for video as it is delivered."""
    return _delivered(fast_x3_l_clean())


def fast_x3_l_int8() -> TrainConfig:
    """`fast_x3_l` in whole numbers."""
    return _int8(fast_x3_l())


def fast_x3_m_clean_taught() -> TrainConfig:
    """x3, middle, taught by `fast_x3_l_clean`."""
    return _taught(_clean(3, "m"))


def fast_x3_m() -> TrainConfig:
    """x3, middle, for video as it is delivered."""
    return _delivered(fast_x3_m_clean_taught())


def fast_x3_m_int8() -> TrainConfig:
    """`fast_x3_m` in whole numbers."""
    return _int8(fast_x3_m())


def fast_x3_s_clean_taught() -> TrainConfig:
    """x3, small, taught by `fast_x3_l_clean`."""
    return _taught(_clean(3, "s"))


def fast_x3_s() -> TrainConfig:
    """x3, small, for video as it is delivered."""
    return _delivered(fast_x3_s_clean_taught())


def fast_x3_s_int8() -> TrainConfig:
    """`fast_x3_s` in whole numbers."""
    return _int8(fast_x3_s())


def fast_x4_s_clean_taught() -> TrainConfig:
    """x4, small, with a teacher."""
    return _taught(_clean(4, "s"))


def fast_x4_s() -> TrainConfig:
    """x4, small, for video as it is delivered."""
    return _delivered(fast_x4_s_clean_taught())


def fast_x4_s_int8() -> TrainConfig:
    """`fast_x4_s` in whole numbers."""
    return _int8(fast_x4_s())


def fast_x4_m_clean_taught() -> TrainConfig:
    """x4, middle, with a teacher."""
    return _taught(_clean(4, "m"))


def fast_x4_m() -> TrainConfig:
    """x4, middle, for video as it is delivered."""
    return _delivered(fast_x4_m_clean_taught())


def fast_x4_m_int8() -> TrainConfig:
    """`fast_x4_m` in whole numbers."""
    return _int8(fast_x4_m())


def fast_x4_l_clean() -> TrainConfig:
    """x4, large, alone."""
    return _large(4)


def fast_x4_l() -> TrainConfig:
    """x4, large, for video as it is delivered."""
    return _delivered(fast_x4_l_clean())


def fast_x4_l_int8() -> TrainConfig:
    """`fast_x4_l` in whole numbers."""
    return _int8(fast_x4_l())
