"""Tables of Gaussian and Laplace distributions around zero, the same on every machine.

All of it is `decimal` arithmetic of 30 digits, whose operations, `exp` and `ln` included, are
rounded as its specification says; no floating-point number is involved.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import Literal

import numpy as np

from upreel.codec.entropy import TOTAL, Tables

__all__ = ["Shape", "zero_mean_tables"]

Shape = Literal["gaussian", "laplace"]

_DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
_SMALLEST = {"gaussian": Fraction(11, 100), "laplace": Fraction(7, 100)}
_LARGEST = Fraction(64)
_SERIES_UP_TO = Decimal(6)  # standard deviations; beyond, less than 2^-29 is left


@cache
def zero_mean_tables(
    shape: Shape,
    *,
    num_scales: int = 64,
    smallest: Fraction | None = None,
    largest: Fraction = _LARGEST,
) -> Tables:
    """Tables of whole numbers around zero whose standard deviations rise in geometric steps.

    A number's probability is the distribution's mass within half a unit of it. The table of
    number n has the standard deviation ``smallest * (largest / smallest) ** (n / (num - 1))``.

    Args:
        shape: the distribution.
        num_scales: tables, 2 to 1024.
        smallest: standard deviation of the first; by default one at which 2^-16 hardly tells it
            from zero: 0.11 for Gaussian, 0.07 for Laplace tables.
        largest: standard deviation of the last, at most 4096.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> tables = zero_mean_tables("laplace")
        >>> tables.limits[[0, 32, 63]].tolist()
        [1, 16, 305]
    """
    if shape not in _SMALLEST:
        raise ValueError(f"the shapes are {', '.join(_SMALLEST)}, got {shape!r}")
    first = smallest if smallest is not None else _SMALLEST[shape]
    if not 2 <= num_scales <= 1024:
        raise ValueError(f"2 to 1024 scales, got {num_scales}")
    if not Fraction(1, 100) <= first < largest <= 4096:
        raise ValueError(f"scales rise between 1/100 and 4096, got {first} to {largest}")
    with localcontext(_DIGITS):
        low, high = _decimal(first), _decimal(largest)
        step = ((high / low).ln() / (num_scales - 1)).exp()
        tail = _gaussian_tail if shape == "gaussian" else _laplace_tail
        tables = [_table(tail, low * step**n) for n in range(num_scales)]
    return Tables(frequencies=tuple(np.array(table, np.int64) for table in tables))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _table(tail: Callable[[Decimal], Decimal], deviation: Decimal) -> list[int]:
    """Frequencies of -L to L and the escape.

    The mass beyond k - 1/2 is rounded to whole parts of 2^16, for each k; the frequency of k is
    the difference of two, so that all of them sum up by themselves. L is where it would be 0.
    """
    beyond = [_parts(tail(Decimal("0.5") / deviation))]
    side: list[int] = []
    while True:
        k = len(side) + 1
        beyond.append(_parts(tail((k + Decimal("0.5")) / deviation)))
        if beyond[-2] == beyond[-1]:
            break
        side.append(beyond[-2] - beyond[-1])
    escape = max(2 * beyond[-1], 1)
    centre = TOTAL - 2 * sum(side) - escape
    return [*reversed(side), centre, *side, escape]


def _parts(mass: Decimal) -> int:
    return int((mass * TOTAL).to_integral_value(ROUND_HALF_EVEN))


def _laplace_tail(x: Decimal) -> Decimal:
    """The mass beyond x >= 0 standard deviations."""
    return (-x * Decimal(2).sqrt()).exp() / 2


def _gaussian_tail(x: Decimal) -> Decimal:
    """The mass beyond x >= 0 standard deviations.

    1/2 less x / sqrt(2 pi) * exp(-x^2 / 2) * (1 + x^2 / 3 + x^4 / (3 * 5) + ...), whose terms are
    all positive, so that no digits are lost.
    """
    if x > _SERIES_UP_TO:
        return Decimal(0)
    square = x * x
    term = total = Decimal(1)
    divisor = 1
    while term > Decimal("1e-24"):
        divisor += 2
        term = term * square / divisor
        total += term
    return Decimal("0.5") - x * total * (-square / 2).exp() / _SQUARE_ROOT_OF_2_PI


_SQUARE_ROOT_OF_2_PI = Decimal("2.50662827463100050241576528481")
