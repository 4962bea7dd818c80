"""A run small enough for a test."""

from collections.abc import Iterator

import pytest
import torch

from upreel.datasets.clips import Clip, drawn_clips
from upreel.degradation.degrade import Degradation
from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return drawn_clips(3, num_frames=3, height=96, width=96)


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig(
        name="tiny",
        network=FastConfig(scale=2, channels=6, depth=2, frames=2),
        degradation=Degradation(kernels=("bicubic", "area")),
        variants=2,
        validation=("drawn2",),
        steps=6,
        batch=3,
        patch=24,
        learning_rate=2e-2,
        warmup=2,
        validate_every=3,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, and no other core's time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
