"""Figures of a decoded clip, by hand; and how many frames are in memory meanwhile.

Mutations tried: chroma's planes weighed by their number, frames not limited, a missing frame
ignored, the clip read as a whole: each fails one of these tests or more.
"""

import math
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from upreel.errors import DamagedError, InputError
from upreel.evaluation.rd_measure import compare, frames_in, unmeasured, vmaf_means, write_truth
from upreel.metrics import ms_ssim
from upreel.video.frame import Plane
from upreel.video.probe import probe


def flat(
    luma: int, cb: int = 128, cr: int = 128, *, side: int = 8, dtype: type = np.uint8
) -> tuple[Plane, ...]:
    half = (side // 2, side // 2)
    return (
        np.full((side, side), luma, dtype),
        np.full(half, cb, dtype),
        np.full(half, cr, dtype),
    )


def decibels(error: float, peak: int = 255) -> float:
    return 10 * math.log10(peak * peak / error)


def test_figures_are_means_over_frames() -> None:
    truth = [flat(100), flat(100)]
    judged = [flat(102, cb=131), flat(105, cb=129, cr=130)]

    found = compare(truth, judged, bits=8, without=["ms_ssim_y"])

    assert list(found) == ["psnr_y", "psnr_uv"]
    assert found["psnr_y"] == pytest.approx((decibels(4) + decibels(25)) / 2)
    assert found["psnr_uv"] == pytest.approx((decibels(9 / 2) + decibels(5 / 2)) / 2)


def test_a_frame_counts_as_60_db_at_most_and_equal_clips_are_infinite() -> None:
    half = compare([flat(1), flat(1)], [flat(1), flat(2)], bits=8, without=["ms_ssim_y"])
    ten = [flat(100, 512, 512, dtype=np.uint16)]
    deep = compare(ten, [flat(104, 512, 512, dtype=np.uint16)], bits=10, without=["ms_ssim_y"])

    assert half["psnr_y"] == pytest.approx((60 + decibels(1)) / 2)
    assert half["psnr_uv"] == math.inf
    assert deep["psnr_y"] == pytest.approx(decibels(16, 1023))


def test_ms_ssim_is_that_of_luma() -> None:
    random = np.random.default_rng(1)
    truth = [(random.integers(0, 255, (176, 180)).astype(np.uint8), *flat(0)[1:])] * 2
    judged = [((planes[0] // 2 + 40).astype(np.uint8), *planes[1:]) for planes in truth]

    found = compare(truth, judged, bits=8)

    assert found["ms_ssim_y"] == pytest.approx(ms_ssim(truth[0][0], judged[0][0]))
    assert found["ms_ssim_y"] < 0.99


@pytest.mark.parametrize("missing", [0, 1])
def test_another_number_of_frames_is_no_figure(missing: int) -> None:
    both = [[flat(1)] * 3, [flat(1)] * 3]
    both[missing] = both[missing][:2]

    with pytest.raises(DamagedError, match=r"frames were decoded than coded: the .* has 2"):
        compare(*both, bits=8, without=["ms_ssim_y"])


def test_a_few_frames_are_in_memory_at_a_time() -> None:
    alive: set[int] = set()
    most = 0

    def stream() -> Iterator[tuple[Plane, ...]]:
        nonlocal most
        for number in range(40):
            planes = flat(number, side=16)
            alive.add(number)
            weakref.finalize(planes[0], alive.discard, number)
            most = max(most, len(alive))
            yield planes

    compare(stream(), (flat(0, side=16) for _ in range(40)), bits=8, without=["ms_ssim_y"])

    assert most <= 3


def test_a_clip_on_disk_is_the_source(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "film_1.mkv", codec="ffv1", pix_fmt="yuv420p10le", count=5)

    facts = write_truth(probe(clip), tmp_path / "truth.y4m", limit=3)

    assert (facts.source, facts.num_frames, facts.bits, facts.rate) == ("film", 3, 10, 25)
    before = list(frames_in(clip))
    after = list(frames_in(tmp_path / "truth.y4m"))
    assert len(after) == 3
    for source, kept in zip(before, after, strict=False):
        for plane, other in zip(source.planes, kept.planes, strict=True):
            assert np.array_equal(plane, other)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p", count=1)

    with pytest.raises(InputError, match="is yuv444p; allowed: yuv420p, yuv420p10le"):
        write_truth(probe(clip), tmp_path / "truth.y4m", limit=None)


def test_small_clips_have_no_ms_ssim_and_tiny_ones_no_vmaf(tmp_path: Path) -> None:
    infos = [
        probe(write_clip(tmp_path / f"{side}.mkv", codec="ffv1", count=1, width=side, height=side))
        for side in (176, 22)
    ]

    assert unmeasured(infos[:1], with_vmaf=True) == {}
    assert unmeasured(infos, with_vmaf=False) == {"ms_ssim_y": "22 is 22x22; at least 176x176"}
    assert set(unmeasured(infos, with_vmaf=True)) == {"ms_ssim_y", "vmaf", "vmaf_neg"}


def test_vmaf_is_the_mean_over_frames_and_of_nothing_if_not_asked_for(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=2, width=64, height=64)
    write_truth(probe(clip), tmp_path / "truth.y4m", limit=None)
    write_truth(probe(clip), tmp_path / "judged.y4m", limit=None)

    found = vmaf_means(tmp_path / "truth.y4m", tmp_path / "judged.y4m", ("vmaf_neg",), threads=1)

    assert list(found) == ["vmaf_neg"]
    assert 90 < found["vmaf_neg"] <= 100
    assert vmaf_means(tmp_path / "none", tmp_path / "none", (), threads=1) == {}
