"""Plans: the arithmetic of ranges and borders, and the JSON that keeps them."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.errors import StaleWorkError
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.plan import Part, Plan, fingerprint, frame_range, part_borders
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.info import Timeline

NTSC = Fraction(1001, 30000)


def timeline(
    pts: list[int], *, time_base: Fraction = Fraction(1, 1000), keyframes: tuple[int, ...] = (0,)
) -> Timeline:
    return Timeline(
        pts=np.array(pts, np.int64),
        keyframes=np.array(keyframes, np.int64),
        time_base=time_base,
        last_duration=40,
        exact=True,
    )


def plan_of(times: Timeline, parts: tuple[Part, ...] = (), **changes: object) -> Plan:
    settings = EncoderSettings(
        encoder="x264",
        format=pixel_format("yuv420p"),
        width=128,
        height=96,
        time_base=times.time_base,
        rate=Fraction(30000, 1001),
        crf=20,
        options={"g": "50"},
    )
    plan = Plan(
        identity={"version": "0", "source": {"bytes": 3}},
        job=UpscaleJob(source="../a.mp4", output="../a_x2.mp4", size=(9, 7), start=Fraction(1, 3)),
        engine="numpy",
        device="cpu",
        precision="f32",
        tile=(48, 64),
        output_size=(128, 96),
        context=(1, 0),
        settings=settings,
        trim=None,
        timeline=times,
        parts=parts,
    )
    return replace(plan, **changes)


rising = st.lists(st.integers(1, 500), min_size=1, max_size=200).map(
    lambda steps: [int(n) for n in np.cumsum(steps)]
)


@given(pts=rising, data=st.data(), seconds=st.fractions(Fraction(1, 20), 8, max_denominator=60))
def test_parts_cover_the_range_once(pts: list[int], data: st.DataObject, seconds: Fraction) -> None:
    first = data.draw(st.integers(0, len(pts) - 1))
    stop = data.draw(st.integers(first + 1, len(pts)))
    keyframes = data.draw(st.sets(st.integers(0, len(pts) - 1)))
    times = timeline(pts, keyframes=tuple(sorted(keyframes)))

    borders = part_borders(times, first, stop, seconds=seconds)

    assert (borders[0], borders[-1]) == (first, stop)
    assert all(a < b for a, b in pairwise(borders))
    for a, b in pairwise(borders):
        # the time from the part's first frame to its last one
        length = Fraction(pts[b - 1] - pts[a], 1000)
        assert length <= 2 * seconds


def test_parts_begin_at_keyframes_where_these_are_near() -> None:
    times = timeline([40 * n for n in range(1000)], keyframes=(0, 110, 260, 400, 700))

    assert part_borders(times, 0, 1000, seconds=Fraction(5)) == [
        0,
        110,
        260,
        400,
        525,
        700,
        825,
        1000,
    ]


def test_a_short_rest_joins_the_last_part() -> None:
    times = timeline([40 * n for n in range(170)])
    assert part_borders(times, 0, 170, seconds=Fraction(5)) == [0, 170]


@given(pts=rising, start=st.fractions(0, 120), length=st.fractions(0, 120))
def test_frame_range_is_that_of_the_slow_twin(
    pts: list[int], start: Fraction, length: Fraction
) -> None:
    end = start + length
    shown = [n for n, t in enumerate(pts) if start <= Fraction(t - pts[0], 1000) < end]

    first, stop = frame_range(timeline(pts), start, end)

    assert list(range(first, stop)) == shown


def test_a_time_that_no_tick_hits_is_not_rounded_down() -> None:
    # Frame 1 is at 33 ms; 0.0331 s is after it.
    assert frame_range(timeline([0, 33, 67]), Fraction(331, 10_000), None) == (2, 3)


def test_three_hours_of_ntsc_stay_exact_and_small() -> None:
    pts = [1001 * n for n in range(3 * 60 * 60 * 30)]
    times = timeline(pts, time_base=Fraction(1, 30000), keyframes=tuple(range(0, len(pts), 250)))
    borders = part_borders(times, 0, len(pts), seconds=Fraction(5))
    parts = tuple(Part(index=n, first=a, stop=b) for n, (a, b) in enumerate(pairwise(borders)))

    text = json.dumps(plan_of(times, parts).to_json())
    again = Plan.from_json(json.loads(text))

    assert len(text) < 150_000
    np.testing.assert_array_equal(again.timeline.pts, times.pts)
    assert again.parts == parts
    assert set(borders[:-2]) <= set(range(0, len(pts), 250))  # but for the rest, at keyframes
    last = frame_range(times, 10_000 * NTSC * 30, 10_000 * NTSC * 30 + NTSC)
    assert last == (300_000, 300_001)


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    plan = plan_of(timeline([5, 38, 105, 106]), (Part(index=0, first=0, stop=4),), trim=(1, 3))

    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))

    assert again.to_json() == plan.to_json()
    np.testing.assert_array_equal(again.timeline.pts, plan.timeline.pts)
    assert again.job == plan.job
    assert (again.settings, again.trim, again.parts) == (plan.settings, plan.trim, plan.parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 99}, "version 99"), ({"parts": 3}, "cannot be read"), ({"tile": None}, "read")],
)
def test_a_plan_that_cannot_be_read_is_stale(change: dict[str, object], message: str) -> None:
    values = plan_of(timeline([0])).to_json() | change
    with pytest.raises(StaleWorkError, match=message):
        Plan.from_json(values)


def test_the_fingerprint_does_not_depend_on_the_order_of_the_identity() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
