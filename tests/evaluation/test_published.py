"""The published ladder: order, anchors, and where it may stand."""

import pytest

from upreel.evaluation.published import LADDER, ladder
from upreel.evaluation.run import ANCHOR_PSNR, ANCHOR_SSIM


@pytest.mark.parametrize("degradation", list(LADDER))
def test_rungs_rise(degradation: str) -> None:
    figures = [row.psnr_y for row in LADDER[degradation]]

    assert figures == sorted(figures)
    assert len({row.name for row in LADDER[degradation]}) == len(figures)


def test_the_lowest_rung_is_what_the_protocol_is_checked_with() -> None:
    first = LADDER["BI"][0]

    assert (first.name, first.psnr_y, first.ssim_y) == ("bicubic", ANCHOR_PSNR[0], ANCHOR_SSIM[0])


def test_only_vid4_x4_has_a_ladder() -> None:
    assert ladder("vid4", 4, "bd")[0].psnr_y == 25.49
    assert ladder("vid4", 4, "codec:x264:crf23") == ()
    assert ladder("other", 4, "BI") == ()
    assert ladder("vid4", 3, "BI") == ()
