r"""The fast family in three sizes: plain chains, alone and with a teacher, then in whole numbers.

    upreel train recipes/ladder.py:fast_x2_m_clean --data DIR
    upreel distill recipes/ladder.py:fast_x2_m_clean_taught --teacher fast-x2-clean --data DIR
    upreel distill recipes/ladder.py:fast_x2_m --start runs/fast-x2-m-clean-taught.ckpt \
        --teacher fast-x2 --data DIR
    upreel quantize recipes/ladder.py:fast_x2_m_int8 --start runs/fast-x2-m.ckpt --data DIR
    upreel distill recipes/ladder.py:fast_x3_m --teacher fast-x3 --data DIR
    upreel prune recipes/ladder.py:fast_x2_l_clean_pruned --start runs/fast-x2-l-clean.ckpt \
        --target-macs 17658 --data DIR

A run that starts from another one has the features of that: `upreel prune` may have left fewer than
`SHAPES` has. Sizes come from what untrained networks take (docs/decisions.md). `..._clean` is for
clean bicubic input; without it, for video as it is delivered. The small and the middle one have
teachers, larger networks that see the same and whose features are learned: answers of networks that
see more frames teach nothing (docs/experiments.md). What branches are worth is the difference of
`..._clean` and `..._clean_branches`, what a teacher is worth beside them that of
`..._clean_taught`; all take equal steps. At x3 and x4 runs begin with delivered video, taught by
`fast-x3` and `fast-x4`. The large one brought 0.01 dB over `fast-x2` (docs/experiments.md): it is
what is pruned, and no rung.
"""

from dataclasses import replace
from typing import Literal

from upreel.degradation.degrade import DELIVERY, Degradation
from upreel.training.config import Distillation, Loss, TrainConfig
from upreel.zoo import FastConfig, QuantizedConfig

Size = Literal["s", "m", "l"]

# Channels and convolutions by scale: packed planes at x2 and x3, luma at x4. `fast-x2`, `fast-x3`
# and `fast-x4` are the rungs above.
SHAPES: dict[int, dict[Size, tuple[int, int]]] = {
    2: {"s": (16, 4), "m": (32, 4), "l": (48, 6)},
    3: {"s": (16, 4), "m": (32, 4)},
    4: {"s": (16, 8), "m": (32, 4)},
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


def _at_once(scale: int, size: Size) -> TrainConfig:
    """For video as it is delivered from the first step on, taught by the rung above."""
    return replace(
        _taught(_clean(scale, size)),
        name=f"fast-x{scale}-{size}",
        degradation=DELIVERED,
        variants=2,
        losses=(Loss(kind="charbonnier"),),
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
    """x2, large, alone, with branches: there is no larger network that would see the same."""
    return replace(_clean(2, "l"), branches=True)


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
        steps=24_000,
        validate_every=4000,
        seed=3,
    )


def fast_x3_s() -> TrainConfig:
    """x3, small, for video as it is delivered."""
    return _at_once(3, "s")


def fast_x3_s_int8() -> TrainConfig:
    """`fast_x3_s` in whole numbers."""
    return _int8(fast_x3_s())


def fast_x3_m() -> TrainConfig:
    """x3, middle, for video as it is delivered."""
    return _at_once(3, "m")


def fast_x3_m_int8() -> TrainConfig:
    """`fast_x3_m` in whole numbers."""
    return _int8(fast_x3_m())


def fast_x4_s() -> TrainConfig:
    """x4, small, for video as it is delivered."""
    return _at_once(4, "s")


def fast_x4_s_int8() -> TrainConfig:
    """`fast_x4_s` in whole numbers."""
    return _int8(fast_x4_s())


def fast_x4_m() -> TrainConfig:
    """x4, middle, for video as it is delivered."""
    return _at_once(4, "m")


def fast_x4_m_int8() -> TrainConfig:
    """`fast_x4_m` in whole numbers."""
    return _int8(fast_x4_m())
