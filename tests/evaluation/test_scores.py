"""Means where frames are equal to the ground truth, and where a pair has no value.

Mutations tried: no limit on finite values, infinite means averaged, the limit of 8 bits for all.
"""

import math
from collections.abc import Mapping

import pytest

from upreel.evaluation.scores import ClipScore, Evaluation, ProtocolCheck
from upreel.evaluation.summary import summary

HEAD = {"set": "x", "scale": 2, "degradation": {"name": "BI", "description": "drawn"}}


def score(
    values: tuple[float, ...], *, model: str = "bicubic", clip: str = "a", bits: int = 8
) -> ClipScore:
    return ClipScore(
        model=model, clip=clip, source=clip, num_frames=len(values), frames={"psnr_y": values},
        seconds=1.0, bits=bits,
    )  # fmt: skip


def evaluation(*scores: ClipScore) -> Evaluation:
    facts: Mapping[str, Mapping[str, str]] = {s.model: {"kind": "filter"} for s in scores}
    check = ProtocolCheck(passed=None, message="nothing to check")
    return Evaluation(head=HEAD, scores=scores, check=check, facts=facts)


def test_one_black_frame_does_not_make_a_clip_equal() -> None:
    found = evaluation(score((math.inf, 30.0, 36.0)))

    assert found.of_set("bicubic") == {"psnr_y": 42.0}
    (model,) = found.to_json()["models"]
    assert model["mean"] == {"psnr_y": 42.0}
    assert model["clips"][0]["limited"] == {"psnr_y": 1}
    assert model["clips"][0]["frames"] == {"psnr_y": [None, 30.0, 36.0]}


def test_a_filters_noise_in_a_black_frame_counts_like_an_equal_one() -> None:
    found = evaluation(
        score((math.inf, 30.0)),
        score((158.9, 30.0), model="lanczos"),
        score((59.9, 30.0), model="network"),
    )

    means = [found.of_set(model)["psnr_y"] for model in found.models]
    assert means == pytest.approx([45.0, 45.0, 44.95])
    assert "60 dB (8 bits): frames of bicubic 1, lanczos 1\n" in summary(found)
    assert "+0.000" not in summary(found)


def test_equal_says_that_all_frames_of_all_clips_are() -> None:
    equal = score((math.inf, math.inf))
    other = score((30.0, 30.0), clip="b")

    assert evaluation(equal).of_set("bicubic") == {"psnr_y": math.inf}
    both = evaluation(equal, other)
    assert both.of_source("bicubic", "a") == {"psnr_y": math.inf}
    assert both.of_set("bicubic") == {"psnr_y": 45.0}
    assert [line.split()[2] for line in summary(both).splitlines()[4:7]] == [
        "equal", "30.000", "45.000",
    ]  # fmt: skip


def test_the_limit_is_that_of_the_clips_bits() -> None:
    assert score((math.inf, 30.0), bits=10).mean == {"psnr_y": 51.0}


def test_pairs_in_which_nothing_is_seen_twice_are_left_out_and_are_not_equal() -> None:
    one = score((30.0, 30.0, 30.0))
    some = ClipScore(
        model="bicubic", clip="a", source="a", num_frames=3, seconds=None,
        frames={**one.frames, "warping_error": (math.nan, 4.0)},
    )  # fmt: skip
    none = ClipScore(
        model="bicubic", clip="a", source="a", num_frames=3, seconds=None,
        frames={**one.frames, "warping_error": (math.nan, math.nan)},
    )  # fmt: skip

    assert some.mean["warping_error"] == 4.0
    assert none.mean == {"psnr_y": 30.0}
    row = next(line for line in summary(evaluation(none)).splitlines() if line.startswith("mean"))
    assert row.split() == ["mean", "bicubic", "30.000", "-", "-"]
    assert "equal" not in summary(evaluation(none))
