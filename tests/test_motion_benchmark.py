"""benchmarks/motion.py: known shifts, what moves nothing, and the table's last column.

Mutations tried: the flow's sign, its size not that of the truth, the mean of errors.
"""

# pyright: reportUnknownMemberType=false

from types import ModuleType

import pytest
import torch  # noqa: TID253
from network_checks import waves
from scripts_as_modules import module_of


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/motion.py")


def moved_pair(dx: float) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Two frames of the low resolution in [0, 1] and of the truth in levels, the picture moved."""
    high = [255 * waves(192, 224, 4 * shift) for shift in (0.0, dx)]
    low = [torch.nn.functional.avg_pool2d(frame, 4) / 255 for frame in high]
    return low, high


@pytest.mark.parametrize("name", ["upreel", "DIS"])
def test_motion_that_is_found_leaves_little(benchmark: ModuleType, name: str) -> None:
    low, high = moved_pair(1.25)
    find = benchmark.finders()[name]

    left = benchmark.error_of(find, low, high)

    assert left < 0.05 * benchmark.error_of(benchmark.still, low, high)


def test_no_motion_is_the_difference_of_frames(benchmark: ModuleType) -> None:
    low, high = moved_pair(0.5)
    inner = (high[1] - high[0])[..., 32:-32, 32:-32]

    assert benchmark.error_of(benchmark.still, low, high) == pytest.approx(
        float(inner.square().mean()), rel=1e-4
    )


def test_a_mean_is_of_logarithms(benchmark: ModuleType) -> None:
    assert benchmark.row("x", [10.0, 1000.0]).split() == ["x", "10.0", "1000.0", "20.00"]
