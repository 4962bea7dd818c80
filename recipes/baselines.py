"""The baselines' runs: the same data, steps, patches and optimiser, so that networks are compared.

    upreel train recipes/baselines.py:espcn_x4 --data DIR [--data DIR]

Networks are as their papers have them, but for what makes them comparable: all learn by the loss,
the schedule and the optimiser of this project, and begin as bicubic interpolation or close to it.
ESPCN has ReLU, as in Liu et al. (ICCV 2017): with the tanh of its own paper so short a training
ends 0.3 dB lower (docs/experiments.md).
"""

from dataclasses import replace

from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import EncoderDecoderConfig, EspcnConfig, SrcnnConfig, VespcnConfig


def espcn_x4() -> TrainConfig:
    """ESPCN, x4 for clean bicubic input."""
    return TrainConfig(
        name="espcn-x4",
        network=EspcnConfig(scale=4, activation="relu"),
        degradation=Degradation(kernels=("bicubic",)),
        steps=6000,
        batch=8,
        patch=32,
        border=4,
        optimizer="muon",
        learning_rate=1.5e-3,
        validate_every=2000,
    )


def srcnn_x4() -> TrainConfig:
    """SRCNN 9-5-5, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="srcnn-x4", network=SrcnnConfig(scale=4))


def vespcn_x4() -> TrainConfig:
    """VESPCN of three frames, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="vespcn-x4", network=VespcnConfig(scale=4, residual=True))


def encoder_decoder_x4() -> TrainConfig:
    """The encoder-decoder CNN, x4 for clean bicubic input."""
    return replace(espcn_x4(), name="encoder-decoder-x4", network=EncoderDecoderConfig(scale=4))
