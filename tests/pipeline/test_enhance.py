"""windows() against a slow twin; the core's order, ranges, resets, errors and threads."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from frames import make_frame
from hypothesis import given
from hypothesis import strategies as st
from stand_in import Repeater, card

from upreel.errors import DamagedError
from upreel.pipeline.cuts import Thumbnail
from upreel.pipeline.enhance import enhance, windows
from upreel.video.frame import Frame


def scenes_of(numbers: Sequence[int]) -> list[Frame]:
    """Frames whose value is 16 times the number of their scene, plus their index."""
    return [make_frame(n, value=16 * scene + n % 16) for n, scene in enumerate(numbers)]


def another_scene(before: Thumbnail, after: Thumbnail) -> bool:
    return int(before[0, 0] * 255 + 0.5) // 16 != int(after[0, 0] * 255 + 0.5) // 16


def reference_window(scenes: Sequence[int], index: int, past: int, future: int) -> list[int]:
    """Neighbour by neighbour: step outwards until the scene ends, then stay."""
    before, after = [], []
    at = index
    for _ in range(past):
        at -= at > 0 and scenes[at - 1] == scenes[index]
        before.append(at)
    at = index
    for _ in range(future):
        at += at + 1 < len(scenes) and scenes[at + 1] == scenes[index]
        after.append(at)
    return [*reversed(before), index, *after]


@given(
    lengths=st.lists(st.integers(1, 5), max_size=4),
    past=st.integers(0, 3),
    future=st.integers(0, 3),
)
def test_windows_are_those_of_the_slow_twin(lengths: list[int], past: int, future: int) -> None:
    scenes = [scene for scene, length in enumerate(lengths) for _ in range(length)]
    frames = scenes_of(scenes)
    index_of = {id(frame.planes): frame.index for frame in frames}

    found = list(windows(iter(frames), past, future, cuts=another_scene))

    assert [window.frame.index for window in found] == list(range(len(frames)))
    for n, window in enumerate(found):
        seen = [index_of[id(planes)] for planes in window.planes]
        assert seen == reference_window(scenes, n, past, future)
        assert window.starts_scene == (n == 0 or scenes[n - 1] != scenes[n])


def repeater(
    *, seen: tuple[int, int] = (0, 0), recurrent: bool = False, depth: int = 2
) -> Repeater:
    return Repeater(
        card=card(seen=seen, recurrent=recurrent),
        format=make_frame(0).format,
        width=16,
        height=12,
        depth=depth,
    )


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_frames_keep_order_and_all_but_their_planes(depth: int) -> None:
    frames = [make_frame(n, value=n) for n in range(7)]
    upscaler = repeater(depth=depth)

    enlarged = list(enhance(iter(frames), upscaler, upscaler.card))

    assert [(f.index, f.pts, f.format) for f in enlarged] == [
        (f.index, f.pts, f.format) for f in frames
    ]
    for before, after in zip(frames, enlarged, strict=True):
        assert (after.width, after.height) == (16, 12)
        np.testing.assert_array_equal(after.planes[0], np.kron(before.planes[0], np.ones((2, 2))))


def test_context_fills_windows_but_is_not_given() -> None:
    frames = [make_frame(n, value=n) for n in range(10)]
    upscaler = repeater(seen=(2, 1))

    given_frames = list(enhance(frames, upscaler, upscaler.card, first=4, stop=7))

    assert [frame.index for frame in given_frames] == [4, 5, 6]
    seen = [[int(planes[0][0, 0]) for planes in window] for window in upscaler.submitted]
    assert seen == [[2, 3, 4, 5], [3, 4, 5, 6], [4, 5, 6, 7]]


def test_state_is_reset_at_the_start_and_at_a_cut_and_warms_up_on_context() -> None:
    frames = scenes_of([0] * 4 + [1] * 3)
    upscaler = repeater(recurrent=True)

    enlarged = list(enhance(frames, upscaler, upscaler.card, cuts=another_scene, first=2, stop=7))

    added = [int(f.planes[0][0, 0]) - int(frames[f.index].planes[0][0, 0]) for f in enlarged]
    assert added == [2, 3, 0, 1, 2]


def test_a_recurrent_network_sees_what_comes_after_and_need_not_answer_it() -> None:
    upscaler = repeater(recurrent=True, depth=6)

    given_frames = list(enhance(scenes_of([0] * 9), upscaler, upscaler.card, first=2, stop=5))

    assert [frame.index for frame in given_frames] == [2, 3, 4]
    assert len(upscaler.submitted) == 9
    assert upscaler.collected == 5
    assert not upscaler.waiting


def test_at_a_cut_a_two_frame_network_sees_the_current_frame_twice() -> None:
    frames = scenes_of([0, 0, 1, 1])
    upscaler = repeater(seen=(1, 0))

    list(enhance(frames, upscaler, upscaler.card, cuts=another_scene))

    seen = [[int(planes[0][0, 0]) for planes in window] for window in upscaler.submitted]
    assert seen == [[0, 0], [0, 1], [18, 18], [18, 19]]


def test_an_error_of_the_source_comes_after_the_frames_before_it() -> None:
    def source() -> Iterator[Frame]:
        for n in range(4):
            yield make_frame(n)
        raise DamagedError("broken at 0:00:00.080")

    upscaler = repeater(depth=2)
    enlarged = enhance(source(), upscaler, upscaler.card)
    assert [next(enlarged).index, next(enlarged).index] == [0, 1]  # the others were in flight
    with pytest.raises(DamagedError, match=r"broken at 0:00:00\.080"):
        next(enlarged)
    assert not upscaler.waiting


def test_leaving_early_stops_the_thread_and_empties_the_network() -> None:
    upscaler = repeater(depth=3)
    frames = enhance((make_frame(n) for n in range(100)), upscaler, upscaler.card)

    next(frames)
    frames.close()

    assert not upscaler.waiting
    assert "upreel-decode" not in [thread.name for thread in threading.enumerate()]
