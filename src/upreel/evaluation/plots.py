"""Plots of a report as inline SVG: colours come from the page, so that dark and light both work.

A series has a number that says its colour: class ``k0`` to ``k11`` of ``report.css``.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NUM_COLOURS", "Dot", "Line", "Trace", "curves", "scatter", "ticks", "traces"]

NUM_COLOURS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """One contestant of a scatter plot.

    Attributes:
        name: beside the dot.
        x: above 0, on a logarithmic axis.
        y: on a linear axis.
        area: 0 or more; relative to the largest.
        colour: number of the series.
    """

    name: str
    x: float
    y: float
    area: float
    colour: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One contestant's values, frame by frame; None where a value is not finite."""

    values: Sequence[float | None]
    colour: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Points that belong together: x above 0 on a logarithmic axis, y on a linear one."""

    points: Sequence[tuple[float, float]]
    colour: int


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values within a range, about `count` of them.

    Example:
        >>> ticks(23.6, 25.7)
        [24.0, 24.5, 25.0, 25.5]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within a range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attribute}>'
        f"{html.escape(text)}</text>"
    )


def _segment(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def scatter(
    dots: Sequence[Dot],
    *,
    x_label: str,
    y_label: str,
    references: Sequence[tuple[str, float]] = (),
) -> str:
    """Quality over speed: logarithmic x, linear y, the area of a dot as a third value.

    Args:
        dots: at least one.
        x_label: below the axis.
        y_label: above the axis.
        references: names and heights of dashed lines, drawn where they are within the range.
    """
    width, height = 720, 380
    left, right, top, bottom = 56, 150, 34, 46
    xs, ys = [d.x for d in dots], [d.y for d in dots]
    x_low, x_high = min(xs) / 1.6, max(xs) * 1.6
    margin = 0.16 * (max(ys) - min(ys)) or 0.5
    near = [y for _, y in references if min(ys) - 4 * margin <= y <= max(ys) + 4 * margin]
    y_low, y_high = min([*ys, *near]) - margin, max([*ys, *near]) + margin

    def place(x: float, y: float) -> tuple[float, float]:
        along = math.log(x / x_low) / math.log(x_high / x_low)
        up = (y - y_low) / (y_high - y_low)
        return left + along * (width - left - right), height - bottom - up * (height - top - bottom)

    parts = [_text(left, 16, y_label)]
    for value in ticks(y_low, y_high, 6):
        _, y = place(x_low, value)
        parts += [_segment(left, y, width - right, y, "grid")]
        parts += [_text(left - 8, y + 4, f"{value:g}", anchor="end")]
    for value in _decades(x_low, x_high):
        x, _ = place(value, y_low)
        parts += [_segment(x, height - bottom, x, height - bottom + 5, "axis")]
        parts += [_text(x, height - bottom + 19, f"{value:g}", anchor="middle")]
    parts += [_segment(left, height - bottom, width - right, height - bottom, "axis")]
    parts += [_text((left + width - right) / 2, height - 8, x_label, anchor="middle")]
    lowest = math.inf
    for name, value in sorted(references, key=lambda r: r[1]):
        if value in near:
            _, y = place(x_low, value)
            parts += [_segment(left, y, width - right, y, "reference")]
            lowest = min(y + 4, lowest - 14)
            parts += [_text(width - right + 6, lowest, f"{name} {value:g}")]
    largest = max((d.area for d in dots), default=0) or 1
    taken: list[tuple[float, float]] = []
    for dot in sorted(dots, key=lambda d: (-d.area, d.name)):
        x, y = place(dot.x, dot.y)
        radius = 4 + 12 * math.sqrt(dot.area / largest)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="k{dot.colour}"/>')
        label = y + 4
        while any(abs(label - other) < 14 and abs(x - at) < 110 for at, other in taken):
            label += 14
        taken.append((x, label))
        if x + radius + 7 * len(dot.name) > width - right:
            parts.append(_text(x - radius - 5, label, dot.name, anchor="end", kind="name"))
        else:
            parts.append(_text(x + radius + 5, label, dot.name, kind="name"))
    return _svg(width, height, f"{y_label} over {x_label}", parts)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches of finite values, with their positions."""
    runs: list[list[tuple[int, float]]] = [[]]
    for n, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((n, value))
    return [run for run in runs if run]


def curves(lines: Sequence[Line], *, title: str, first: int = 0) -> str:
    """One value a frame for each contestant.

    Args:
        lines: at least one, all of one length.
        title: above the plot.
        first: number of the first frame.
    """
    width, height = 360, 210
    left, right, top, bottom = 42, 8, 26, 26
    finite = [v for line in lines for v in line.values if v is not None]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    low, high = low - margin, high + margin
    count = max(len(line.values) for line in lines)

    def place(n: float, value: float) -> tuple[float, float]:
        x = left + n / max(count - 1, 1) * (width - left - right)
        return x, height - bottom - (value - low) / (high - low) * (height - top - bottom)

    parts = [_text(left, 15, title, kind="name")]
    for value in ticks(low, high, 4):
        _, y = place(0, value)
        parts += [_segment(left, y, width - right, y, "grid")]
        parts += [_text(left - 6, y + 4, f"{value:g}", anchor="end")]
    parts += [_segment(left, height - bottom, width - right, height - bottom, "axis")]
    for n in dict.fromkeys((0, (count - 1) // 2, count - 1)):
        x, _ = place(n, low)
        anchor = "start" if n == 0 else "end" if n == count - 1 else "middle"
        parts += [_text(x, height - 8, str(first + n), anchor=anchor)]
    for line in lines:
        for run in _runs(line.values):
            points = " ".join("{:.1f},{:.1f}".format(*place(n, v)) for n, v in run)
            parts.append(f'<polyline points="{points}" class="k{line.colour}"/>')
    return _svg(width, height, title, parts)


def traces(lines: Sequence[Trace], *, title: str, x_label: str) -> str:
    """Lines through points: what something reaches over what it costs, logarithmic.

    Args:
        lines: at least one with a point.
        title: above the plot.
        x_label: below the axis.
    """
    width, height = 480, 330
    left, right, top, bottom = 50, 12, 28, 46
    points = [point for line in lines for point in line.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_low, x_high = min(xs) / 1.12, max(xs) * 1.12
    margin = 0.05 * (max(ys) - min(ys)) or 0.5
    y_low, y_high = min(ys) - margin, max(ys) + margin

    def place(x: float, y: float) -> tuple[float, float]:
        along = math.log(x / x_low) / math.log(x_high / x_low)
        up = (y - y_low) / (y_high - y_low)
        return left + along * (width - left - right), height - bottom - up * (height - top - bottom)

    parts = [_text(left, 15, title, kind="name")]
    for value in ticks(y_low, y_high, 6):
        _, y = place(x_low, value)
        parts += [_segment(left, y, width - right, y, "grid")]
        parts += [_text(left - 6, y + 4, f"{value:g}", anchor="end")]
    for value in _decades(x_low, x_high):
        x, _ = place(value, y_low)
        parts += [_segment(x, top, x, height - bottom, "grid")]
        parts += [_text(x, height - bottom + 17, f"{value:g}", anchor="middle")]
    parts += [_segment(left, height - bottom, width - right, height - bottom, "axis")]
    parts += [_text((left + width - right) / 2, height - 8, x_label, anchor="middle")]
    for line in lines:
        places = [place(x, y) for x, y in sorted(line.points)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{joined}" class="k{line.colour}"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="k{line.colour}"/>' for x, y in places
        ]
    return _svg(width, height, title, parts)
