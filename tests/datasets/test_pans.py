"""panned(): motion by whole samples, views and not copies, sizes, chances; in training pairs.

Mutations tried: the start of a pan backwards at 0, rows and columns swapped, chroma moved.
"""

from dataclasses import replace

import numpy as np
import pytest

from upreel.datasets.clips import Clip, drawn_clips
from upreel.datasets.pans import LARGEST_STEP, panned
from upreel.datasets.patches import make_pairs
from upreel.degradation.degrade import Degradation, degrade


def still(height: int = 192, width: int = 240) -> Clip:
    random = np.random.default_rng(8)
    return Clip(
        name="still",
        luma=random.integers(0, 256, (1, height, width), np.uint8),
        chroma=random.integers(0, 256, (1, 2, height // 2, width // 2), np.uint8),
    )


def step_of(clip: Clip) -> tuple[int, int]:
    """Rows and columns that the window moves from a frame to the next."""
    first, second = clip.luma[:2].astype(int)
    found = [
        (dy, dx)
        for dy in range(-12, 13)
        for dx in range(-12, 13)
        if np.array_equal(
            first[max(dy, 0) : 48 + min(dy, 0), max(dx, 0) : 48 + min(dx, 0)],
            second[max(-dy, 0) : 48 + min(-dy, 0), max(-dx, 0) : 48 + min(-dx, 0)],
        )
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("seed", range(8))
def test_a_window_moves_over_the_picture_at_constant_speed(seed: int) -> None:
    picture = still()

    clip = panned(picture, 5, 4, np.random.default_rng(seed))

    dy, dx = step_of(clip)
    rows, columns = clip.luma.shape[1:]
    y, x = (4 * max(-step, 0) for step in (dy, dx))
    assert max(abs(dy), abs(dx)) <= 4 * LARGEST_STEP
    assert (rows % 24, columns % 24) == (0, 0)
    assert rows == (192 - 4 * abs(dy)) // 24 * 24
    assert columns == (240 - 4 * abs(dx)) // 24 * 24
    for t, frame in enumerate(clip.luma):
        top, left = y + t * dy, x + t * dx
        part = picture.luma[0, top : top + rows, left : left + columns]
        np.testing.assert_array_equal(frame, part)
    assert clip.chroma.shape == (5, 2, rows // 2, columns // 2)
    assert np.shares_memory(clip.luma, picture.luma)
    assert not clip.luma.flags.writeable


def test_all_directions_and_speeds_occur() -> None:
    steps = {step_of(panned(still(), 2, 2, np.random.default_rng(seed))) for seed in range(120)}

    signs = {(int(np.sign(dy)), int(np.sign(dx))) for dy, dx in steps}
    assert {(1, 1), (1, -1), (-1, 1), (-1, -1)} <= signs
    assert {abs(dy) for dy, _ in steps} == set(range(7))


def test_a_pan_leaves_room_for_a_patch() -> None:
    for seed in range(20):
        clip = panned(still(), 20, 4, np.random.default_rng(seed), smallest=160)
        assert min(clip.luma.shape[1:]) >= 160
    assert panned(still(), 4, 4, np.random.default_rng(1), smallest=500).luma.shape == (4, 192, 240)


def test_pairs_of_pictures_are_pans_and_drawn_no_more_often() -> None:
    video = drawn_clips(1, num_frames=3, height=96, width=144)[0]
    degradation = Degradation(kernels=("bicubic",))

    moving, shown = make_pairs(
        [video, still()], 4, degradation, variants=1, seed=3, pan_frames=6, patch=24
    )
    _, as_it_is = make_pairs([video, still()], 4, degradation, variants=1, seed=3)

    assert moving.high is video
    assert len(shown.low.luma) == 6
    assert len(as_it_is.low.luma) == 1
    random = np.random.default_rng([3, 1, 0])
    luma, _ = degrade(shown.high.luma, shown.high.chroma, 4, degradation.draw(random))
    np.testing.assert_array_equal(shown.low.luma, luma)
    per_frame = shown.low.luma[0].size
    assert shown.weight == pytest.approx(per_frame**0.5)
    assert replace(shown, distinct=0).weight == pytest.approx((6 * per_frame) ** 0.5)
    assert moving.weight == pytest.approx(moving.low.luma.size**0.5)
