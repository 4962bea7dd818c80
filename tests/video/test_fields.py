"""Telecine and interlacing, judged on drawn frames without any flag."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame
from clips import draw_planes

from upreel.video.fields import Fields, detect_fields
from upreel.video.formats import av_from_planes, pixel_format

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

    assert detect_fields(frames, TIMES, pixel_format=YUV) == Fields()


@pytest.mark.parametrize("top_first", [True, False])
def test_fields_of_different_times(top_first: bool) -> None:
    pairs = [(2 * n, 2 * n + 1) if top_first else (2 * n + 1, 2 * n) for n in range(24)]

    found = detect_fields(woven(pairs), TIMES, pixel_format=YUV)

    assert found == Fields(interlaced=True, top_first=top_first)


def test_repeated_fields_of_film() -> None:
    found = detect_fields(woven(pulldown(24)), TIMES, pixel_format=YUV)

    assert found.telecine


def test_a_still_picture_shows_nothing() -> None:
    found = detect_fields(woven([(7, 7)] * 24), TIMES, pixel_format=YUV)

    assert found == Fields()


def test_few_frames_are_not_judged_by_their_pictures() -> None:
    found = detect_fields(woven([(0, 1), (2, 3)]), TIMES[:2], pixel_format=YUV)

    assert not found.interlaced
