"""What is known before the work: how long clips are, and what memory they take.

Mutations tried: no motion, the results of two contestants kept.
"""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from clips import write_clip

from upreel.errors import OptionError
from upreel.evaluation.run import EvaluationJob, evaluate
from upreel.evaluation.survey import check_memory, needed_bytes, num_frames
from upreel.video.probe import probe


def test_frames_are_counted_as_far_as_they_are_taken(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", codec="ffv1", count=7))

    assert num_frames(info) == num_frames(info, 9) == 7
    assert num_frames(info, 3) == 3
    unknown = replace(info, num_frames=None, duration=None)
    assert num_frames(unknown) == 7
    by_time = replace(info, num_frames=None)
    assert num_frames(by_time) == 7


@pytest.mark.parametrize(
    ("pix_fmt", "motion"),  # which is that of luma, whatever else there is
    [("yuv420p", False), ("bgr0", False), ("yuv422p10le", False), ("yuv420p", True)],
)
def test_the_estimate_is_what_is_taken(tmp_path: Path, motion: bool, pix_fmt: str) -> None:
    """Of two clips, each with pictures: one after the other is in memory."""
    count = 8 if motion else 24  # without motion it is fast
    for name in "ab":
        path = write_clip(
            tmp_path / f"{name}.mkv",
            codec="ffv1",
            count=count,
            width=192,
            height=176,
            pix_fmt=pix_fmt,
        )
    job = EvaluationJob(
        set=str(tmp_path), models=("bicubic", "lanczos"), scale=2, with_motion=motion,
        with_pictures=True,
    )  # fmt: skip
    info = probe(path)
    evaluate(replace(job, limit=2, only=("a",)))  # what is kept from then on is there

    tracemalloc.start()
    evaluate(job)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    estimate = needed_bytes(info, count, 2, with_motion=motion)
    assert 0.7 * estimate < peak < estimate


def test_a_limit_that_fits_is_named(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", codec="ffv1", count=7))
    enough = needed_bytes(info, 7, 4, with_motion=True)
    check_memory([info], 4, with_motion=True, available=enough)

    with pytest.raises(OptionError) as caught:
        check_memory([info], 4, with_motion=True, available=enough - 1)
    assert str(caught.value) == (
        f"{info.path}: 7 frames of 64x48 need about {enough / 2**20:.1f} MiB of memory, "
        f"{(enough - 1) / 2**20:.1f} MiB are available; --limit 6 fits"
    )
    check_memory([info], 4, limit=6, with_motion=True, available=enough - 1)
    with pytest.raises(OptionError, match=r"1\.0 MiB are available; not even one frame fits"):
        check_memory([replace(info, width=960, height=540)], 4, with_motion=True, available=2**20)
