"""BD-rate: what it must be by arithmetic, and where there is none.

Mutations tried: anchor and test exchanged, the logarithm left out, points not sorted, the overlap
over the shorter curve, saturated points kept: each fails one of these tests or more.
"""

import math
import sys
from collections.abc import Callable

import pytest

from upreel.errors import BackendUnavailableError
from upreel.evaluation.bd_rate import bd_rate, find_package, rising

CURVE = [(100.0, 30.0), (210.0, 33.5), (430.0, 36.2), (900.0, 39.0), (2000.0, 41.1)]


def scaled(factor: float) -> list[tuple[float, float]]:
    return [(rate * factor, quality) for rate, quality in CURVE]


def percent(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> float:
    found = bd_rate(anchor, test)
    assert found is not None
    return found.percent


@pytest.mark.parametrize(("factor", "expected"), [(1, 0), (0.5, -50), (2, 100), (0.9, -10)])
def test_a_multiple_of_the_rate_is_that(factor: float, expected: float) -> None:
    assert percent(CURVE, scaled(factor)) == pytest.approx(expected, abs=1e-9)
    assert percent(CURVE, scaled(factor)[::-1]) == pytest.approx(expected, abs=1e-9)


def line(
    log_rate: Callable[[float], float], qualities: tuple[float, ...]
) -> list[tuple[float, float]]:
    return [(10 ** log_rate(quality), quality) for quality in qualities]


def test_lines_are_compared_over_the_quality_that_both_reach() -> None:
    anchor = line(lambda q: 0.05 * q + 1, (28, 31, 35, 40))
    test = line(lambda q: 0.07 * q + 0.2, (32, 36, 44))

    found = bd_rate(anchor, test)

    assert found is not None
    middle = (32 + 40) / 2  # a straight line's mean is its middle
    assert found.percent == pytest.approx((10 ** (0.02 * middle - 0.8) - 1) * 100)
    assert found.overlap == pytest.approx((40 - 32) / (44 - 28))


def test_saturated_and_equal_points_do_not_count() -> None:
    test = [*scaled(0.5), (9000.0, 41.1), (10_000.0, math.inf), (9500.0, 40.0)]

    assert rising(test) == scaled(0.5)
    assert percent(CURVE, test) == pytest.approx(-50, abs=1e-9)


@pytest.mark.parametrize(
    "test", [[], CURVE[:1], [(10.0, 42.0), (20.0, 45.0)], [(10.0, 33.0), (20.0, 33.0)]]
)
def test_there_is_none_without_a_quality_that_both_reach(test: list[tuple[float, float]]) -> None:
    assert bd_rate(CURVE, test) is None
    assert bd_rate(test, CURVE) is None


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rates must be above 0"):
        bd_rate(CURVE, [(0.0, 30.0), (1.0, 35.0)])


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)

    with pytest.raises(BackendUnavailableError, match=r"bjontegaard \(pip install 'upreel\[eval\]"):
        find_package()
