"""The baselines' runs: the same data, steps, patches and optimiser, so that networks are compared.

    upreel train recipes/baselines.py:espcn_x4 --data DIR [--data DIR]

Networks are as their papers have them, but for what makes them comparable: all learn by the loss,
the schedule and the optimiser of this project.
"""

from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import EncoderDecoderConfig, EspcnConfig, SrcnnConfig, VespcnConfig


def espcn_x4() -> TrainConfig:
    """ESPCN, x4 for clean bicubic input."""
    return TrainConfig(
        name="espcn-x4",
        network=EspcnConfig(scale=4),
        degradation=Degradation(kernels=("bicubic",)),
        steps=10_000,
        batch=8,
        patch=24,
        border=4,
        optimizer="muon",
        learning_rate=1.5e-3,
        validate_every=2500,
    )


def srcnn_x4() -> TrainConfig:
    """SRCNN 9-5-5, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="srcnn-x4", network=SrcnnConfig(scale=4))


def vespcn_x4() -> TrainConfig:
    """VESPCN of three frames, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="vespcn-x4", network=VespcnConfig(scale=4))


def encoder_decoder_x4() -> TrainConfig:
    """The encoder-decoder CNN, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="encoder-decoder-x4", network=EncoderDecoderConfig(scale=4))
