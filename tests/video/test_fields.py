"""Telecine and interlacing: what flags say, and what drawn frames show."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from clips import as_interlaced, draw_planes, write_clip

from upreel.video.fields import Fields, detect_fields, field_notice, is_deinterlaced, show_fields
from upreel.video.formats import av_from_planes, pixel_format
from upreel.video.info import Deinterlace
from upreel.video.probe import probe

YUV = pixel_format("yuv420p")
TIMES = range(0, 24 * 40, 40)


def woven(pairs: Sequence[tuple[int, int]]) -> list[VideoFrame]:
    """Frames with the upper lines of one drawn picture and the lower lines of another."""
    frames: list[VideoFrame] = []
    noise = np.random.default_rng(1)
    for upper, lower in pairs:
        planes = draw_planes(upper)
        for plane, other in zip(planes, draw_planes(lower), strict=True):
            plane[1::2] = other[1::2]
        # A little noise, as from a camera: repeated fields then stand out against it.
        planes[0][:] = np.clip(planes[0] + noise.integers(-2, 3, planes[0].shape), 16, 235)
        frame = av_from_planes(planes, YUV)
        frame.pts, frame.time_base = len(frames), Fraction(1, 25)
        frames.append(frame)
    return frames


def pulldown(count: int) -> list[tuple[int, int]]:
    """3:2 pulldown of film pictures 0, 1, 2, ...: AA AB BC CC DD."""
    cycle = [(0, 0), (0, 1), (1, 2), (2, 2), (3, 3)]
    return [(4 * (n // 5) + cycle[n % 5][0], 4 * (n // 5) + cycle[n % 5][1]) for n in range(count)]


def test_progressive_pictures() -> None:
    frames = woven([(n, n) for n in range(24)])

    assert detect_fields(frames, TIMES, pixel_format=YUV) == Fields(progressive=True)


@pytest.mark.parametrize("top_first", [True, False])
def test_fields_of_different_times(top_first: bool) -> None:
    pairs = [(2 * n, 2 * n + 1) if top_first else (2 * n + 1, 2 * n) for n in range(24)]

    found = detect_fields(woven(pairs), TIMES, pixel_format=YUV)

    assert found == Fields(seen=True, top_first=top_first)
    assert not found.interlaced  # pictures alone decide nothing


@pytest.mark.parametrize("top_first", [True, False])
def test_flagged_fields_of_different_times(top_first: bool) -> None:
    pairs = [(2 * n, 2 * n + 1) if top_first else (2 * n + 1, 2 * n) for n in range(24)]
    frames = [as_interlaced(frame, top_first) for frame in woven(pairs)]

    found = detect_fields(frames, TIMES, pixel_format=YUV)

    assert found == Fields(flagged=True, seen=True, top_first=top_first)
    assert found.interlaced


def test_pictures_tell_the_order_better_than_flags() -> None:
    frames = [as_interlaced(f, True) for f in woven([(2 * n + 1, 2 * n) for n in range(24)])]

    assert not detect_fields(frames, TIMES, pixel_format=YUV).top_first


def test_flagged_but_progressive_pictures() -> None:
    frames = [as_interlaced(frame, True) for frame in woven([(n, n) for n in range(24)])]

    found = detect_fields(frames, TIMES, pixel_format=YUV)

    assert found == Fields(flagged=True, progressive=True)
    assert not found.interlaced


@pytest.mark.parametrize("top_first", [True, False])
def test_few_flagged_frames_are_believed(top_first: bool) -> None:
    frames = [as_interlaced(frame, top_first) for frame in woven([(0, 0), (1, 1)])]

    found = detect_fields(frames, TIMES[:2], pixel_format=YUV)

    assert (found.interlaced, found.top_first) == (True, top_first)


def test_a_still_picture_that_is_flagged_contradicts_nothing() -> None:
    frames = [as_interlaced(frame, True) for frame in woven([(7, 7)] * 24)]

    assert detect_fields(frames, TIMES, pixel_format=YUV).interlaced


def test_a_few_flagged_frames_will_do_where_the_pictures_agree() -> None:
    fields = woven([(2 * n, 2 * n + 1) for n in range(24)])
    whole = woven([(n, n) for n in range(24)])

    hybrid = [as_interlaced(f, True) if n % 4 == 0 else f for n, f in enumerate(fields)]
    mistaken = [as_interlaced(f, True) if n % 4 == 0 else f for n, f in enumerate(whole)]

    assert detect_fields(hybrid, TIMES, pixel_format=YUV).interlaced
    assert not detect_fields(mistaken, TIMES, pixel_format=YUV).interlaced


@pytest.mark.parametrize(
    ("field_order", "top_first"), [(2, True), (5, True), (3, False), (4, False)]
)
def test_the_header_may_be_the_only_flag(field_order: int, top_first: bool) -> None:
    pairs = [(2 * n, 2 * n + 1) if top_first else (2 * n + 1, 2 * n) for n in range(24)]

    moving = detect_fields(woven(pairs), TIMES, pixel_format=YUV, field_order=field_order)
    few = detect_fields(woven(pairs)[:2], TIMES[:2], pixel_format=YUV, field_order=field_order)
    progressive = detect_fields(
        woven([(n, n) for n in range(24)]), TIMES, pixel_format=YUV, field_order=field_order
    )

    assert (moving.interlaced, moving.top_first) == (True, top_first)
    assert (few.interlaced, few.top_first) == (True, top_first)
    assert not progressive.interlaced


def test_doubled_rows_and_columns_are_not_flagged() -> None:
    """An old game enlarged by repeating pixels: whatever it looks like, it is left alone."""
    frames: list[VideoFrame] = []
    for number in range(24):
        small = draw_planes(number, width=32, height=24)
        planes = tuple(np.repeat(np.repeat(plane, 2, 0), 2, 1) for plane in small)
        frames.append(av_from_planes(planes, YUV))
        frames[-1].pts, frames[-1].time_base = number, Fraction(1, 25)

    assert not detect_fields(frames, TIMES, pixel_format=YUV).interlaced


def test_a_place_further_on() -> None:
    assert show_fields(woven([(2 * n, 2 * n + 1) for n in range(12)]))
    assert not show_fields(woven([(n, n) for n in range(12)]))
    assert not show_fields(woven([(7, 7)] * 12))
    assert not show_fields([])


@pytest.mark.parametrize(
    ("shown", "flagged", "choice", "done", "words"),
    [
        ("fields", True, "auto", True, "interlaced, bottom field first: each frame's two fields"),
        ("fields", True, "off", False, "interlaced, bottom field first: left as it is, as asked"),
        ("fields", True, "on", True, "interlaced, bottom field first: each frame's two fields"),
        ("fields", False, "auto", False, "looks interlaced, bottom field first, but is not"),
        ("fields", False, "off", False, "looks interlaced, bottom field first, but is not"),
        ("fields", False, "on", True, "deinterlaced as asked, bottom field first"),
        ("whole", True, "auto", False, "flagged as interlaced, but its pictures are progressive"),
        ("whole", True, "on", True, "deinterlaced as asked"),
        ("whole", False, "auto", False, None),
        ("whole", False, "on", True, "deinterlaced as asked, top field first"),
    ],
)
def test_what_is_done_and_said(
    tmp_path: Path, shown: str, flagged: bool, choice: Deinterlace, done: bool, words: str | None
) -> None:
    info = probe(
        write_clip(
            tmp_path / "a.mkv", count=16, interlaced=shown == "fields" or flagged, flagged=flagged,
            top_first=False, woven=shown == "fields",
        )
    )  # fmt: skip

    said = field_notice(info, choice)

    assert is_deinterlaced(info, choice) == done
    assert (said is None) if words is None else (said is not None and said.startswith(words))
    if said is not None and not done:
        assert ("--deinterlace on" in said) == (choice == "auto")


def test_repeated_fields_of_film() -> None:
    found = detect_fields(woven(pulldown(24)), TIMES, pixel_format=YUV)

    assert found.telecine


def test_a_still_picture_shows_nothing() -> None:
    found = detect_fields(woven([(7, 7)] * 24), TIMES, pixel_format=YUV)

    assert found == Fields()
    assert not found.progressive


def test_few_frames_are_not_judged_by_their_pictures() -> None:
    found = detect_fields(woven([(0, 1), (2, 3)]), TIMES[:2], pixel_format=YUV)

    assert not found.interlaced
