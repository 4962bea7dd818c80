"""draw_places(), a pure function of seed and step; cut_batch(), low and high resolution alike.

Planes are drawn so that each patch tells where it was cut and how it was turned.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from upreel.datasets.clips import Clip, drawn_clips
from upreel.datasets.patches import Batch, Pair, cut_batch, draw_places, make_pairs
from upreel.degradation.degrade import Coding, Degradation, shrink


def told(count: int = 4, *, scale: int, height: int = 24, width: int = 32) -> Pair:
    """Low resolution in blocks of 2x2 like its Cb; Cr is the frame's number; high repeats low."""
    y, x = np.mgrid[: height // 2, : width // 2]
    blocks = (10 * x + y).astype(np.uint8)
    cb = np.broadcast_to(blocks, (count, *blocks.shape))
    cr = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], cb.shape)
    low = Clip(name="told", luma=larger(cb, 2), chroma=np.stack((cb, cr), axis=1))
    high = Clip(name="told", luma=larger(low.luma, scale), chroma=larger(low.chroma, scale))
    return Pair(high=high, low=low)


def larger(planes: np.ndarray, factor: int) -> np.ndarray:
    return planes.repeat(factor, axis=-2).repeat(factor, axis=-1)


def drawn(pair: Pair, *, scale: int, frames: int = 2, step: int = 0, seed: int = 1) -> Batch:
    places = draw_places([pair], offsets=(0, -1)[:frames], size=200, patch=8, seed=seed, step=step)
    return cut_batch([pair], places, scale=scale, patch=8)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_low_and_high_resolution_are_cut_and_turned_alike(scale: int) -> None:
    batch = drawn(told(scale=scale), scale=scale)

    assert batch.low_luma.shape == (200, 2, 8, 8)
    assert batch.low_chroma.shape == (200, 2, 2, 4, 4)
    np.testing.assert_array_equal(batch.high_luma[:, 0], larger(batch.low_luma[:, 0], scale))
    np.testing.assert_array_equal(batch.high_chroma[:, 0], larger(batch.low_chroma[:, 0], scale))
    for frame in range(2):
        np.testing.assert_array_equal(
            batch.low_luma[:, frame], larger(batch.low_chroma[:, frame, 0], 2)
        )


def test_all_turns_occur_and_only_unmirrored_chroma_counts() -> None:
    batch = drawn(told(scale=2), scale=2)

    cb = batch.low_chroma[:, 0, 0].astype(int)
    dx, dy = cb[:, 0, 1] - cb[:, 0, 0], cb[:, 1, 0] - cb[:, 0, 0]
    turns = {(int(a), int(b)) for a, b in zip(dx, dy, strict=True)}
    assert turns == {(10, 1), (10, -1), (-10, 1), (-10, -1), (1, 10), (1, -10), (-1, 10), (-1, -10)}
    np.testing.assert_array_equal(batch.chroma_weight, (dx == 10).astype(np.float32))


def test_patches_come_from_everywhere() -> None:
    batch = drawn(told(scale=2), scale=2)

    lowest = batch.low_chroma[:, 0, 0].min(axis=(1, 2))
    assert {int(v) for v in lowest // 10} == set(range(13))  # 16 columns of Cb, patches of 4
    assert {int(v) for v in lowest % 10} == set(range(9))


def test_the_second_frame_is_a_neighbour_in_either_direction() -> None:
    batch = drawn(told(scale=2), scale=2)

    numbers = batch.low_chroma[:, :, 1, 0, 0].astype(int)
    pairs = {(int(a), int(b)) for a, b in numbers}
    inside = {(t, u) for t in range(4) for u in (t - 1, t + 1) if 0 <= u < 4}
    assert pairs == inside | {(0, 0), (3, 3)}  # the ends stand in for what is beyond them


def test_strides_are_those_that_fit() -> None:
    pair, short = told(9, scale=2), told(3, scale=2)
    places = draw_places(
        [pair, short], offsets=(0, 1, 2), size=400, patch=8, seed=1, step=0, targets=(0, 1, 2),
        strides=(1, 3),
    )  # fmt: skip

    for number, steps in ((0, {1, -1, 3, -3}), (1, {1, -1})):
        cut = [place for place in places if place.pair == number]
        assert all(place.low == place.high for place in cut)
        assert {b - a for place in cut for a, b in itertools.pairwise(place.low)} == steps
    seen = {frame for place in places if place.pair == 0 for frame in place.low}
    assert seen == set(range(9))


def test_a_stride_of_nothing_stands_still_as_often_as_it_is_given() -> None:
    places = draw_places(
        [told(9, scale=2)], offsets=(0, 1, 2), size=400, patch=8, seed=1, step=0,
        targets=(0, 1, 2), strides=(0, 1, 1, 1),
    )  # fmt: skip

    still = [place for place in places if len(set(place.low)) == 1]
    assert 70 < len(still) < 130
    assert {place.low[0] for place in still} == set(range(9))
    assert all(len(set(place.low)) == 3 for place in places if place not in still)


def test_clips_shorter_than_a_sequence_do_not_stand_still_for_it() -> None:
    places = draw_places(
        [told(2, scale=2)], offsets=(0, 1, 2), size=400, patch=8, seed=1, step=0,
        targets=(0, 1, 2), strides=(0, 1, 1, 1),
    )  # fmt: skip

    still = [place for place in places if len(set(place.low)) == 1]
    assert 70 < len(still) < 130
    assert {place.low for place in places if place not in still} == {(0, 1, 1), (1, 1, 0)}


def test_jitter_changes_levels_and_no_place() -> None:
    pair = told(scale=2)
    plain, jittered = (
        [
            draw_places([pair], offsets=(0,), size=1, patch=8, seed=1, step=step, jitter=jitter)[0]
            for step in range(200)
        ]
        for jitter in (0.0, 0.2)
    )

    assert {(place.gain, place.offset) for place in plain} == {(1.0, 0.0)}
    assert [replace(place, gain=1.0, offset=0.0) for place in jittered] == plain
    changes = np.array([(place.gain - 1, place.offset) for place in jittered])
    assert np.abs(changes).max() <= 0.2
    assert (changes.min(axis=0) < -0.18).all()
    assert (changes.max(axis=0) > 0.18).all()
    assert abs(np.corrcoef(changes.T)[0, 1]) < 0.2


def test_without_turns_patches_are_as_they_were_cut() -> None:
    places, plain = (
        [
            draw_places(
                [told(scale=2)], offsets=(0, 1), size=4, patch=8, seed=1, step=step, turns=turns
            )
            for step in range(50)
        ]
        for turns in (True, False)
    )

    for turned, as_it_is in zip(itertools.chain(*places), itertools.chain(*plain), strict=True):
        assert (as_it_is.y, as_it_is.x) == (turned.y, turned.x)
        assert (as_it_is.mirror, as_it_is.flip, as_it_is.transpose) == (False, False, False)
        assert as_it_is.low[1] >= as_it_is.low[0]


def test_one_frame_is_the_current_one() -> None:
    one, two = (drawn(told(scale=2), scale=2, frames=frames) for frames in (1, 2))

    np.testing.assert_array_equal(one.low_luma[:, 0], two.low_luma[:, 0])
    assert one.low_luma.shape[1] == 1


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    pair = told(scale=2)
    batch, again = drawn(pair, scale=2, step=7), drawn(pair, scale=2, step=7)

    for name in ("low_luma", "low_chroma", "high_luma", "high_chroma", "chroma_weight"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(again, name))
    assert (batch.low_luma != drawn(pair, scale=2, step=8).low_luma).any()
    assert (batch.low_luma != drawn(pair, scale=2, step=7, seed=2).low_luma).any()


def test_long_clips_are_drawn_by_the_root_of_their_pixels() -> None:
    long, short = told(16, scale=2), told(1, scale=2)
    places = draw_places([long, short], offsets=(0,), size=2000, patch=2, seed=0, step=0)

    assert sum(place.pair == 0 for place in places) / 2000 == pytest.approx(0.8, abs=0.04)


def test_a_clip_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="told is 32x24, smaller than a patch of 26"):
        draw_places([told(scale=2)], offsets=(0,), size=1, patch=26, seed=0, step=0)


def test_pairs_are_degraded_as_seed_clip_and_variant_decide() -> None:
    clips = drawn_clips(2, num_frames=2, height=144, width=144)
    coding = Coding(codec="x264", crf=(10, 40))
    degradation = Degradation(kernels=("bicubic", "area"), codings=(coding,), uncoded=0.5)

    pairs, again, other = (
        make_pairs(clips, 2, degradation, variants=3, seed=seed) for seed in (5, 5, 6)
    )

    assert [pair.high.name for pair in pairs] == ["drawn0_0"] * 3 + ["drawn1_0"] * 3
    assert all(pair.low.luma.shape == (2, 72, 72) for pair in pairs)
    for pair, same in zip(pairs, again, strict=True):
        assert pair.high in clips
        np.testing.assert_array_equal(pair.low.luma, same.low.luma)
        np.testing.assert_array_equal(pair.low.chroma, same.low.chroma)
    assert len({pair.low.luma.tobytes() for pair in pairs}) > 4
    assert any((a.low.luma != b.low.luma).any() for a, b in zip(pairs, other, strict=True))


def test_answers_stay_on_the_first_sample_however_a_patch_is_turned() -> None:
    """BD's: each patch of the truth, blurred and thinned out anew, is the input's patch."""
    (clip,) = drawn_clips(1, num_frames=3, height=160, width=192)
    (pair,) = make_pairs([clip], 4, Degradation(kernels=("blur",)), variants=1, seed=1)
    places = draw_places([pair], offsets=(0,), size=100, patch=24, seed=1, step=0, lag=3)

    batch = cut_batch([pair], places, scale=4, patch=24)

    turns = {(place.mirror, place.flip, place.transpose) for place in places}
    assert len(turns) == 8
    again, _ = shrink(batch.high_luma[:, 0], batch.high_chroma[:, 0], 4, "blur")
    inner = (slice(None), slice(3, -3), slice(3, -3))
    difference = again[inner].astype(int) - batch.low_luma[:, 0][inner]
    assert np.abs(difference).max() <= 1  # sums in another order, rounded
    assert not any(place.mirror and place.x == 0 for place in places)
