"""Patches as tensors: the device's are those that the CPU cuts.

Mutations tried: rows for columns where a patch is reversed, transposed before it is reversed,
chroma cut with luma's unit, frames of the low resolution for the high one.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from upreel.datasets.clips import Clip
from upreel.datasets.patches import draw_places, make_pairs
from upreel.degradation.degrade import Degradation
from upreel.training.samples import (
    ClipsInMemory,
    ClipsOnDevice,
    clips_on,
    device_bytes,
    there_and_back,
)


@pytest.mark.parametrize("targets", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("pan_frames", [0, 3])
@pytest.mark.parametrize("with_teacher", [False, True])
def test_a_device_cuts_the_same_patches(
    with_teacher: bool,
    targets: tuple[int, ...],
    pan_frames: int,
    clips: list[Clip],
) -> None:
    still = Clip(name="still", luma=clips[0].luma[:1], chroma=clips[0].chroma[:1])
    degradation = Degradation(kernels=("bicubic",))
    pairs = make_pairs(
        [*clips, still], 2, degradation, variants=1, seed=0, pan_frames=pan_frames, patch=12
    )
    random = np.random.default_rng(2)
    if with_teacher:
        pairs = [
            replace(pair, taught=random.integers(0, 256, pair.high.luma.shape, np.uint8))
            for pair in pairs
        ]
    places = draw_places(
        pairs, offsets=(0, -1, 1), size=64, patch=12, seed=3, step=5, targets=targets
    )
    assert len({(p.mirror, p.flip, p.transpose) for p in places}) == 8
    assert len({place.pair for place in places}) == 4

    ours = ClipsInMemory(pairs).cut(places, scale=2, patch=12)
    theirs = ClipsOnDevice(pairs, torch.device("cpu")).cut(places, scale=2, patch=12)

    assert (ours.taught is not None) == (theirs.taught is not None) == with_teacher
    tensors = {name: tensor for name, tensor in vars(ours).items() if tensor is not None}
    for name, tensor in tensors.items():
        other = getattr(theirs, name)
        assert (other.shape, other.dtype) == (tensor.shape, tensor.dtype), name
        assert torch.equal(other, tensor), name


def test_what_is_taught_is_cut_like_the_truth(clips: list[Clip]) -> None:
    pairs = make_pairs(clips, 2, Degradation(kernels=("bicubic",)), variants=1, seed=0)
    pairs = [replace(pair, taught=255 - pair.high.luma) for pair in pairs]
    places = draw_places(
        pairs, offsets=(0,), size=32, patch=12, seed=3, step=5, targets=(0, 1)
    )  # fmt: skip

    batch = ClipsInMemory(pairs).cut(places, scale=2, patch=12)

    assert batch.taught is not None
    assert torch.equal(255 - batch.taught, batch.high_luma)
    assert device_bytes(pairs) == 3 * 96 * 96 * 3 * 5 // 2 + 3 * 48 * 48 * 3 * 3 // 2


def test_clips_lie_where_there_is_room(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = make_pairs(clips, 2, Degradation(kernels=("bicubic",)), variants=2, seed=0)
    needed = device_bytes(pairs)
    high, low = 3 * 96 * 96 * 3 // 2, 3 * 48 * 48 * 3 // 2
    assert needed == 3 * (high + 2 * low)  # both variants have one high resolution

    assert isinstance(clips_on(torch.device("cpu"), pairs), ClipsInMemory)
    for free, kind in ((2 * needed, ClipsOnDevice), (2 * needed - 2, ClipsInMemory)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert isinstance(clips_on(torch.device("meta"), pairs), kind)


@pytest.mark.parametrize(
    ("count", "times", "order"),
    [
        (3, range(7), [0, 1, 2, 1, 0, 1, 2]),
        (2, range(-3, 3), [1, 0, 1, 0, 1, 0]),
        (1, range(-1, 2), [0, 0, 0]),
        (5, range(2), [0, 1]),
    ],
)
def test_frames_go_there_and_back(count: int, times: range, order: list[int]) -> None:
    assert there_and_back(count, times) == order
