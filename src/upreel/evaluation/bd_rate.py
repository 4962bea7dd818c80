"""Bjøntegaard's mean difference of rate between two codecs, by the package ``bjontegaard``.

G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33, 2001.
The logarithm of the rate is interpolated over quality by piecewise cubic Hermite polynomials, as
the common test conditions of HEVC and VVC do, and integrated over the qualities that both reach.
"""

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from upreel.errors import BackendUnavailableError

__all__ = ["BdRate", "bd_rate", "find_package", "rising"]

Curve = Sequence[tuple[float, float]]
"""Points of one codec on one clip: rate (above 0, any unit), and quality (higher is better)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BdRate:
    """How much less or more rate one codec needs than another at equal quality.

    Attributes:
        percent: mean over the qualities that both reach; -50 is half of the rate.
        overlap: share of all qualities that either reaches, 0 to 1: a small one says little.
    """

    percent: float
    overlap: float


def find_package() -> ModuleType:
    """The module that computes.

    Raises:
        BackendUnavailableError: the package is not installed.
    """
    try:
        return importlib.import_module("bjontegaard")
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            "BD-rate needs the package bjontegaard (pip install 'upreel[eval]')"
        ) from error


def rising(curve: Curve) -> list[tuple[float, float]]:
    """The points that no cheaper or equally cheap one reaches in quality, by rising rate.

    A metric that saturates, as VMAF does at 100, has no rate at its end. What is not finite (equal
    planes) is left out.

    Example:
        >>> rising([(9, 100.0), (2, 40.0), (4, 100.0), (3, 39.0), (1, math.inf)])
        [(2, 40.0), (4, 100.0)]
    """
    kept: list[tuple[float, float]] = []
    known = [(rate, quality) for rate, quality in curve if math.isfinite(quality)]
    for rate, quality in sorted(known, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    return kept


def bd_rate(anchor: Curve, test: Curve) -> BdRate | None:
    """The rate of `test` over that of `anchor` at equal quality.

    Args:
        anchor: what is compared with, two points or more.
        test: what is compared.

    Returns:
        None where either has fewer than two points that rise (`rising`), or no quality is
        reached by both.

    Raises:
        BackendUnavailableError: the package is not installed.
        ValueError: a rate is not above 0.

    Example:
        >>> twice = [(2.0, 30.0), (4.0, 33.0), (8.0, 36.0)]
        >>> half = [(rate / 2, quality) for rate, quality in twice]
        >>> round(bd_rate(twice, half).percent, 6)
        -50.0
    """
    if any(rate <= 0 for rate, _ in (*anchor, *test)):
        raise ValueError("rates must be above 0")
    curves = [rising(anchor), rising(test)]
    if any(len(curve) < 2 for curve in curves):
        return None
    lows, highs = zip(*((curve[0][1], curve[-1][1]) for curve in curves), strict=True)
    both = min(highs) - max(lows)
    if both <= 0:
        return None
    (base_rate, base), (test_rate, reached) = (zip(*curve, strict=True) for curve in curves)
    percent = find_package().bd_rate(
        base_rate,
        base,
        test_rate,
        reached,
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return BdRate(percent=float(percent), overlap=both / (max(highs) - min(lows)))
