"""The offline network's runs: the recurrent network, on short sequences and then on long ones.

    upreel train recipes/recurrent.py:best_x4_short --start fast-x4-clean-single.ckpt --data DIR
    upreel train recipes/recurrent.py:best_x4 --start best-x4-short.ckpt --data DIR

The network of one frame is the run `fast_x4_clean_single` of recipes/fast.py and stays as it is.
"""

from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FastConfig, RecurrentConfig

FIRST = FastConfig(scale=4, channels=32, depth=8, layout="luma")


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
    """x4 for clean bicubic input: sequences of fifteen frames, squared errors."""
    return replace(
        best_x4_short(),
        name="best-x4",
        start="best-x4-short",
        parts=(),
        losses=(Loss(kind="mse"),),
        batch=2,
        sequence=15,
        pan_frames=15,
        steps=2000,
        learning_rate=5e-4,
        validate_every=1000,
    )
