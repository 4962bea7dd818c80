"""Ticks, dots and lines: where they are drawn, and what is odd."""

import re
from xml.etree import ElementTree

import pytest

from upreel.evaluation.plots import Dot, Line, Trace, curves, scatter, ticks, traces


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3, 12, [0, 5, 10]),
        (5, 5, [5]),
        (1999, 2003, [1999, 2000, 2001, 2002, 2003]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def dot(name: str, x: float, y: float, area: float = 0) -> Dot:
    return Dot(name=name, x=x, y=y, area=area, colour=1)


def circles(svg: str) -> list[tuple[float, float, float]]:
    found = ElementTree.fromstring(svg).iter("circle")
    return [(float(c.get("cx", "")), float(c.get("cy", "")), float(c.get("r", ""))) for c in found]


def test_dots_are_where_their_values_are() -> None:
    svg = scatter(
        [dot("a", 1, 24, 300), dot("b", 10, 25, 200), dot("c", 100, 26, 100)],
        x_label="fps",
        y_label="dB",
    )

    (ax, ay, ar), (bx, by, br), (cx, cy, cr) = circles(svg)
    assert bx - ax == pytest.approx(cx - bx, abs=0.2)  # logarithmic
    assert ay - by == pytest.approx(by - cy, abs=0.2)  # upwards, linear
    assert ax < bx
    assert ay > by
    assert ar > br > cr
    assert [t.text for t in ElementTree.fromstring(svg).iter("text") if t.get("class")] == [
        "a", "b", "c",
    ]  # fmt: skip


def test_references_far_away_are_left_out() -> None:
    svg = scatter(
        [dot("a", 1, 24), dot("b", 2, 25)],
        x_label="",
        y_label="",
        references=[("near", 25.2), ("far", 31.0)],
    )

    assert "near 25.2" in svg
    assert "far" not in svg


def test_one_dot_alone_has_axes() -> None:
    assert len(circles(scatter([dot("<a>", 3, 24)], x_label="", y_label=""))) == 1


def test_dots_at_one_place_have_names_at_several() -> None:
    svg = scatter([dot("a", 1, 24), dot("b", 1, 24), dot("c", 1, 24)], x_label="", y_label="")

    names = [t for t in ElementTree.fromstring(svg).iter("text") if t.get("class") == "name"]
    assert len({t.get("y") for t in names}) == 3


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = ElementTree.fromstring(svg).iter("polyline")
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", p.get("points", ""))]
        for p in lines
    ]


def test_curves_go_from_the_left_to_the_right() -> None:
    (line,) = points(curves([Line(values=[1.0, 3.0, 2.0], colour=0)], title="x"))

    xs, ys = zip(*line, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[1] < ys[2] < ys[0]


def test_curves_are_broken_where_there_is_no_value() -> None:
    svg = curves([Line(values=[1.0, 2.0, None, 2.0], colour=0)], title="x", first=1)

    assert [len(line) for line in points(svg)] == [2, 1]
    assert [t.text for t in ElementTree.fromstring(svg).iter("text")][-3:] == ["1", "2", "4"]


def test_curves_without_any_value_are_empty() -> None:
    assert points(curves([Line(values=[None, None], colour=0)], title="x")) == []


def test_traces_are_logarithmic_along_and_linear_upwards() -> None:
    lines = [
        Trace(points=[(400, 36), (100, 30), (200, 33)], colour=3),
        Trace(points=[(100, 31)], colour=4),
    ]

    svg = traces(lines, title="<dB>", x_label="kbit/s")

    line, alone = points(svg)
    (x1, y1), (x2, y2), (x3, y3) = line
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert x2 > x1
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y2 < y1
    assert len(alone) == 1
    assert alone[0][0] == x1
    assert len(circles(svg)) == 4
    assert {circle.get("class") for circle in ElementTree.fromstring(svg).iter("circle")} == {
        "k3", "k4",
    }  # fmt: skip
