"""Clips in memory: read as stored, cut at the bottom and the right with their chroma."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes, write_clip

from upreel.errors import InputError
from upreel.evaluation.clips import (
    YUV420P,
    Clip,
    crop_to_multiple,
    fitted,
    frames_of,
    luma_clip,
    read_clip,
)
from upreel.video.frame import PixelFormat


def drawn(count: int = 2, *, width: int = 64, height: int = 48) -> Clip:
    planes = tuple(draw_planes(n, width=width, height=height) for n in range(count))
    return Clip(name="drawn", planes=planes, format=YUV420P, rate=Fraction(30000, 1001))


def test_a_lossless_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one_0.mkv", codec="ffv1", count=3, rate=Fraction(30))

    clip = read_clip(path)

    assert (clip.name, clip.num_frames, clip.rate) == ("one_0", 3, 30)
    for n, planes in enumerate(clip.planes):
        for plane, expected in zip(planes, draw_planes(n), strict=True):
            np.testing.assert_array_equal(plane, expected)


def test_a_limit_takes_the_first_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", count=5)

    clip = read_clip(path, limit=2)

    np.testing.assert_array_equal(clip.planes[1][0], draw_planes(1)[0])
    assert clip.num_frames == 2


def test_interlaced_content_is_compared_as_stored(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", count=3, interlaced=True)

    luma = read_clip(path).planes[1][0]

    np.testing.assert_array_equal(luma[0::2], draw_planes(2)[0][0::2])
    np.testing.assert_array_equal(luma[1::2], draw_planes(3)[0][1::2])


def test_frames_carry_one_tick_each() -> None:
    frames = list(frames_of(drawn(3)))

    assert [f.pts for f in frames] == [f.index for f in frames] == [0, 1, 2]
    assert frames[0].time_base == Fraction(1001, 30000)


def test_cropping_cuts_bottom_and_right_of_every_plane() -> None:
    clip = drawn(width=62, height=46)

    cropped = crop_to_multiple(clip, 8)

    for plane, whole in zip(cropped.planes[1], clip.planes[1], strict=True):
        np.testing.assert_array_equal(plane, whole[: plane.shape[0], : plane.shape[1]])
    assert [p.shape for p in cropped.planes[0]] == [(40, 56), (20, 28), (20, 28)]


def test_a_fitting_size_is_left_alone() -> None:
    clip = drawn()

    assert crop_to_multiple(clip, 8) is clip


def test_too_small_to_crop_is_said() -> None:
    clip = drawn(width=6, height=48)

    with pytest.raises(InputError, match="drawn: 6x48 is too small, at least 8x8"):
        crop_to_multiple(clip, 8)


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a frame"):
        replace(drawn(), planes=())


def test_another_size_has_the_same_samples_mirrored_or_cut() -> None:
    clip = drawn(width=16, height=12)

    ((luma, cb, _), _) = fitted(clip, 40, 8).planes

    low, low_cb, _ = clip.planes[0]
    assert (luma.shape, cb.shape) == ((8, 40), (4, 20))
    np.testing.assert_array_equal(luma[:, :16], low[:8])
    np.testing.assert_array_equal(luma[:, 16:32], low[:8, ::-1])
    np.testing.assert_array_equal(luma[:, 32:], low[:8, :8])
    np.testing.assert_array_equal(cb[:, 8:16], low_cb[:4, ::-1])


def test_an_odd_side_is_cut_before_it_is_mirrored() -> None:
    odd = replace(drawn(), planes=tuple(draw_planes(n, width=15, height=11) for n in range(2)))

    fit = fitted(odd, 28, 20)

    for plane, low in zip(fit.planes[1], odd.planes[1], strict=True):
        rows, columns = plane.shape
        np.testing.assert_array_equal(plane, plane[::-1, ::-1])
        np.testing.assert_array_equal(plane[: rows // 2, : columns // 2],
                                      low[: rows // 2, : columns // 2])  # fmt: skip


def test_luma_alone_is_grey() -> None:
    clip = drawn()

    grey = luma_clip(clip)

    assert (grey.format.name, grey.format.num_planes) == ("gray", 1)
    assert [len(planes) for planes in grey.planes] == [1, 1]
    assert grey.planes[1][0] is clip.planes[1][0]
    for name, model, bits in (("gbrp", "rgb", 8), ("yuv420p10le", "yuv", 10)):
        other = replace(clip, format=PixelFormat(name=name, model=model, bits=bits))
        with pytest.raises(InputError, match=f"drawn is {name}; 8-bit Y'CbCr or grey"):
            luma_clip(other)
