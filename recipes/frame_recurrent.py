r"""The frame-recurrent network's runs: real time at x4 from the answer before.

upreel train recipes/frame_recurrent.py:fast_x4_recurrent_short --data DIR
upreel train recipes/frame_recurrent.py:fast_x4_recurrent --data DIR \
        --start runs/fast-x4-recurrent-short.ckpt
    upreel quantize recipes/frame_recurrent.py:fast_x4_recurrent_int8 --data DIR \
        --start runs/fast-x4-recurrent.ckpt
"""

from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import FrameRecurrentConfig, QuantizedConfig


def fast_x4_recurrent_short() -> TrainConfig:
    """x4 for clean bicubic input: sequences of seven frames."""
    return TrainConfig(
        name="fast-x4-recurrent-short",
        network=FrameRecurrentConfig(scale=4, channels=32, depth=6, carried=16),
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


def fast_x4_recurrent() -> TrainConfig:
    """The same on longer sequences, from states that were carried for up to sixteen frames."""
    short = fast_x4_recurrent_short()
    return replace(
        short,
        name="fast-x4-recurrent",
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


def fast_x4_recurrent_int8() -> TrainConfig:
    """`fast_x4_recurrent` in whole numbers; its steps follow where calibration loses too much."""
    run = fast_x4_recurrent()
    assert isinstance(run.network, FrameRecurrentConfig)
    return replace(
        run,
        name=f"{run.name}-int8",
        network=QuantizedConfig(network=run.network),
        start="",
        parts=(("network", run.name),),
        optimizer="adam",
        learning_rate=1e-4,
        steps=1000,
        validate_every=500,
    )
