"""Cameras over pictures: motion, sizes, chances; in training pairs.

Mutations tried: the start of a pan backwards at 0, rows and columns swapped, chroma moved.
"""

from dataclasses import replace

import numpy as np
import pytest

from upreel.datasets.cameras import LARGEST_STEP, filmed, key_frames, panned
from upreel.datasets.clips import Clip, drawn_clips
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


def ramp(axis: int) -> Clip:
    """A picture that tells its own rows, or columns: a level each, which cubics keep exactly."""
    luma = np.broadcast_to(np.expand_dims(np.arange(256, dtype=np.uint8), 1 - axis), (256, 256))
    return replace(still(256, 256), luma=luma[None])


def looked_at(seed: int, *, smallest: int = 192) -> np.ndarray:
    """Rows and columns of the picture in each sample of each frame: (2, T, h, w)."""
    clips = [
        filmed(ramp(axis), 9, 4, np.random.default_rng(seed), camera="moves", smallest=smallest)
        for axis in (0, 1)
    ]
    return np.stack([clip.luma for clip in clips]).astype(float)


def similarity(places: np.ndarray) -> tuple[complex, float]:
    """Zoom and turn of a frame as one complex number, and the largest distance from it."""
    _, height, width = places.shape
    rows, columns = np.mgrid[0:height, 0:width]
    seen, own = places[1] + 1j * places[0], columns + 1j * rows
    seen, own = seen - seen.mean(), own - own.mean()
    factor = (seen * own.conj()).sum() / (abs(own) ** 2).sum()
    return complex(factor), float(abs(seen - factor * own).max())


KINDS = {seed: int(np.random.default_rng(seed).integers(3)) for seed in range(40)}
"""Which camera a seed draws first of all: a pan, one that zooms and turns, two layers."""
TURNING, LAYERED = ([seed for seed, found in KINDS.items() if found == kind] for kind in (1, 2))


@pytest.mark.parametrize("seed", TURNING)
def test_a_camera_zooms_and_turns_steadily_and_never_magnifies(seed: int) -> None:
    frames = looked_at(seed)

    found = [similarity(frames[:, t]) for t in range(9)]

    assert frames.shape[2:] == (192, 192)
    assert max(distance for _, distance in found) < 1.5
    factors = np.array([factor for factor, _ in found])
    assert 0.97 < abs(factors[4]) < 1.31
    steps = np.log(factors[1:] / factors[:-1])
    np.testing.assert_allclose(steps, steps.mean(), atol=2e-3)
    assert abs(steps.mean().real) < 0.0125
    assert abs(steps.mean().imag) < 0.0155


def test_two_layers_move_apart() -> None:
    apart: list[float] = []
    for seed in LAYERED:
        frames = looked_at(seed)
        step = np.rint(frames[:, 4] - frames[:, 3]).reshape(2, -1)
        found, counts = np.unique(step, axis=1, return_counts=True)
        common = found[:, counts > 192 * 192 / 50]  # the edge of the disc has steps of its own
        apart.append(float(np.ptp(common, axis=1).max()))

    assert np.median(apart) >= 2


def test_a_filmed_picture_leaves_room_for_a_patch_or_stands_still() -> None:
    for seed in range(30):
        clip = filmed(still(), 9, 4, np.random.default_rng(seed), camera="moves", smallest=192)
        assert min(clip.luma.shape[1:]) == 192
        assert clip.chroma.shape[2:] == tuple(side // 2 for side in clip.luma.shape[1:])


def test_key_frames_are_those_in_the_middle_of_clips_that_move() -> None:
    clips = [*drawn_clips(2, num_frames=5), still()]

    found = key_frames(clips)

    assert [clip.name for clip in found] == ["drawn0_0", "drawn1_0"]
    for clip, key in zip(clips, found, strict=False):
        np.testing.assert_array_equal(key.luma, clip.luma[2:3])
        np.testing.assert_array_equal(key.chroma, clip.chroma[2:3])
