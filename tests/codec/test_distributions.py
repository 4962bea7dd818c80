"""Tables of Gaussian and Laplace distributions: golden hashes, and the mathematics."""

import math
from fractions import Fraction

import numpy as np
import pytest

from upreel.codec.distributions import Shape, zero_mean_tables
from upreel.codec.entropy import TOTAL

GOLDEN: dict[Shape, str] = {
    "gaussian": "7dc0402b1eea18aec6ffe8290426ee5e41a08152b74a0c92b760c39f17ffed10",
    "laplace": "293187a5fd33e42703012405c194b8c54b91d18010b6b588adcb55c7e7bd341d",
}
SMALLEST: dict[Shape, float] = {"gaussian": 0.11, "laplace": 0.07}


def mass(shape: Shape, deviation: float, number: float) -> float:
    """Of what lies within half a unit of a number, in the floating point of this machine."""

    def below(x: float) -> float:
        if shape == "gaussian":
            return math.erfc(-x / deviation / math.sqrt(2)) / 2
        half = math.exp(-abs(x) * math.sqrt(2) / deviation) / 2
        return half if x < 0 else 1 - half

    return below(-abs(number) + 0.5) - below(-abs(number) - 0.5)


@pytest.mark.parametrize("shape", ["gaussian", "laplace"])
def test_all_tables_are_as_specified(shape: Shape) -> None:
    assert zero_mean_tables(shape).sha256 == GOLDEN[shape]


def test_small_tables_are_as_specified() -> None:
    tables = zero_mean_tables(
        "gaussian", num_scales=2, smallest=Fraction(1, 4), largest=Fraction(1)
    )

    assert [table.tolist() for table in tables.frequencies] == [
        [1491, 62_553, 1491, 1],
        [15, 392, 3971, 15_842, 25_095, 15_842, 3971, 392, 15, 1],
    ]


@pytest.mark.parametrize("shape", ["gaussian", "laplace"])
def test_frequencies_are_those_of_the_distribution(shape: Shape) -> None:
    tables = zero_mean_tables(shape)

    for n, table in enumerate(tables.frequencies):
        deviation = SMALLEST[shape] * (64 / SMALLEST[shape]) ** (n / 63)
        limit = int(tables.limits[n])
        wanted = [TOTAL * mass(shape, deviation, k) for k in range(-limit, limit + 1)]
        assert np.abs(table[:-1] - wanted).max() <= 2.01
        assert table[-1] == pytest.approx(TOTAL - sum(wanted), abs=2.01)
        assert np.array_equal(table[:-1], table[-2::-1])


@pytest.mark.parametrize("shape", ["gaussian", "laplace"])
def test_tables_cost_little_more_than_the_distribution(shape: Shape) -> None:
    tables = zero_mean_tables(shape)

    for n in (16, 32, 48, 63):
        deviation = SMALLEST[shape] * (64 / SMALLEST[shape]) ** (n / 63)
        numbers = np.arange(-500, 501)
        masses = np.array([mass(shape, deviation, k) for k in numbers])
        there = masses > 0
        entropy = -(masses[there] * np.log2(masses[there])).sum()
        costs = [tables.bits([k], [n]) for k in numbers[there]]
        assert entropy * 0.9999 < (masses[there] * costs).sum() < entropy * 1.0006


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_scales": 1}, "2 to 1024 scales, got 1"),
        ({"num_scales": 1025}, "2 to 1024 scales, got 1025"),
        ({"smallest": Fraction(1, 101)}, "rise between"),
        ({"smallest": Fraction(64)}, "rise between"),
        ({"largest": Fraction(4097)}, "rise between"),
    ],
)
def test_scales_out_of_range_are_refused(options: dict[str, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        zero_mean_tables("laplace", **options)


def test_an_unknown_shape_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="the shapes are gaussian, laplace, got 'cauchy'"):
        zero_mean_tables("cauchy")  # pyright: ignore[reportArgumentType]
