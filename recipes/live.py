r"""The live family's runs: the frame-recurrent network, x4 in real time from the answer before.

    upreel train recipes/live.py:live_x4_clean_short --data DIR
    upreel train recipes/live.py:live_x4_clean_long --data DIR --start runs/live-x4-clean-short.ckpt
    upreel train recipes/live.py:live_x4_clean --data DIR --start runs/live-x4-clean-long.ckpt
    upreel quantize recipes/live.py:live_x4_clean_int8 --data DIR --start runs/live-x4-clean.ckpt
    upreel train recipes/live.py:live_x4 --data DIR --start runs/live-x4-clean.ckpt
    upreel quantize recipes/live.py:live_x4_int8 --data DIR --start runs/live-x4.ckpt

Short sequences come first: a state is worth carrying for long once there is something in it. The
last run for clean input finds motion in half of the rounds, which takes half of the time; the one
for video as it is delivered goes on from it.
"""

from dataclasses import replace

from upreel.degradation.degrade import DELIVERY, Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FrameRecurrentConfig, QuantizedConfig


def live_x4_clean_short() -> TrainConfig:
    """x4 for clean bicubic input: sequences of seven frames."""
    return TrainConfig(
        name="live-x4-clean-short",
        network=FrameRecurrentConfig(scale=4, channels=32, depth=6, carried=16, rounds=2),
        degradation=Degradation(kernels=("bicubic",)),
        steps=3000,
        batch=4,
        patch=48,
        sequence=7,
        pan_frames=7,
        camera="moves",
        key_frames=True,
        optimizer="muon",
        losses=(Loss(kind="charbonnier"), Loss(kind="mse", weight=10.0)),
        learning_rate=1.5e-3,
        validate_every=1000,
    )


def live_x4_clean_long() -> TrainConfig:
    """The same on longer sequences, from states that were carried for up to twelve frames."""
    short = live_x4_clean_short()
    return replace(
        short,
        name="live-x4-clean-long",
        start=short.name,
        batch=2,
        patch=64,
        sequence=12,
        around=12,
        pan_frames=12,
        steps=8000,
        validate_every=2000,
        strides=(0, *(1,) * 7),
    )


def live_x4_clean() -> TrainConfig:
    """The same with one round of motion a level."""
    long = live_x4_clean_long()
    assert isinstance(long.network, FrameRecurrentConfig)
    return replace(
        long,
        name="live-x4-clean",
        network=replace(long.network, rounds=1),
        start=long.name,
        learning_rate=1e-3,
        steps=3000,
        validate_every=3000,
        seed=2,
    )


def live_x4() -> TrainConfig:
    """x4 for video as it is delivered, from the network for clean input."""
    clean = live_x4_clean()
    return replace(
        clean,
        name="live-x4",
        start=clean.name,
        degradation=Degradation(
            kernels=("bicubic", "area", "gaussian", "lanczos3"), codings=DELIVERY, uncoded=0.4
        ),
        variants=2,
        losses=(Loss(kind="charbonnier"),),
        steps=5000,
        validate_every=2500,
        seed=3,
    )


def live_x4_clean_int8() -> TrainConfig:
    """`live_x4_clean` in whole numbers; its steps follow where calibration loses too much."""
    return _int8(live_x4_clean())


def live_x4_int8() -> TrainConfig:
    """`live_x4` in whole numbers."""
    return _int8(live_x4())


def _int8(run: TrainConfig) -> TrainConfig:
    """In whole numbers, from its result."""
    assert isinstance(run.network, FrameRecurrentConfig)
    return replace(
        run,
        name=f"{run.name}-int8",
        network=QuantizedConfig(network=run.network),
        start="",
        parts=(("network", run.name),),
        variants=1,
        optimizer="adam",
        learning_rate=1e-4,
        steps=1000,
        validate_every=500,
    )
