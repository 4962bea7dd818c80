"""benchmarks/long_scenes.py: the order of frames, gains by hand, what does not hold is seen."""

# pyright: reportUnknownMemberType=false

from types import ModuleType

import numpy as np
import pytest
import torch  # noqa: TID253
from scripts_as_modules import module_of

from upreel.datasets.clips import Clip, drawn_clips
from upreel.errors import OptionError
from upreel.networks.recurrent import RecurrentNetwork

FIRST = {
    "kind": "fast", "scale": 2, "channels": 4, "depth": 2, "frames": 1, "layout": "luma",
}  # fmt: skip


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/long_scenes.py")


@pytest.fixture
def network() -> RecurrentNetwork:
    torch.manual_seed(2)
    return RecurrentNetwork(first=FIRST, channels=4, depth=2).eval()


@pytest.fixture
def clip() -> Clip:
    return drawn_clips(1, num_frames=4, height=144, width=168)[0]


def test_a_network_that_adds_nothing_gains_nothing(
    benchmark: ModuleType, network: RecurrentNetwork, clip: Clip
) -> None:
    assert benchmark.gains(network, clip, [0, 1, 2, 3, 2], 2, "bicubic") == [0.0] * 5


def test_a_network_that_runs_away_is_seen(
    benchmark: ModuleType, network: RecurrentNetwork, clip: Clip
) -> None:
    with torch.no_grad():
        for cell in (network.from_future, network.from_past):
            cell.tail.weight += 0.5 * torch.randn_like(cell.tail.weight)
            cell.head.weight *= 8

    found = benchmark.gains(network, clip, [0] * 12, 2, "area")
    line = benchmark.row("drawn", "still", found)

    assert found[-1] < -3
    assert float(line.split()[-1]) == pytest.approx(min(found), abs=0.006)
    assert benchmark.row("x", "still", [0.5, float("nan"), 0.3]).split()[-1] == "+nan"


def test_small_clips_are_refused(benchmark: ModuleType, network: RecurrentNetwork) -> None:
    small = Clip(
        name="small", luma=np.zeros((1, 120, 168), np.uint8),
        chroma=np.zeros((1, 2, 60, 84), np.uint8),
    )  # fmt: skip

    with pytest.raises(OptionError, match="small is smaller than 160x128"):
        benchmark.gains(network, small, [0], 2, "bicubic")
