"""Patches as tensors: the device's are those that the CPU cuts.

Mutations tried: rows for columns where a patch is reversed, transposed before it is reversed,
chroma cut with luma's unit, frames of the low resolution for the high one.
"""

import pytest
import torch

from upreel.datasets.clips import Clip
from upreel.datasets.patches import draw_places, make_pairs
from upreel.degradation.degrade import Degradation
from upreel.training.samples import ClipsInMemory, ClipsOnDevice, clips_on, device_bytes


@pytest.mark.parametrize("targets", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("pan_frames", [0, 3])
def test_a_device_cuts_the_same_patches(
    targets: tuple[int, ...], pan_frames: int, clips: list[Clip]
) -> None:
    still = Clip(name="still", luma=clips[0].luma[:1], chroma=clips[0].chroma[:1])
    degradation = Degradation(kernels=("bicubic",))
    pairs = make_pairs(
        [*clips, still], 2, degradation, variants=1, seed=0, pan_frames=pan_frames, patch=12
    )
    places = draw_places(
        pairs, offsets=(0, -1, 1), size=64, patch=12, seed=3, step=5, targets=targets
    )
    assert len({(p.mirror, p.flip, p.transpose) for p in places}) == 8
    assert len({place.pair for place in places}) == 4

    ours = ClipsInMemory(pairs).cut(places, scale=2, patch=12)
    theirs = ClipsOnDevice(pairs, torch.device("cpu")).cut(places, scale=2, patch=12)

    for name, tensor in vars(ours).items():
        other = getattr(theirs, name)
        assert (other.shape, other.dtype) == (tensor.shape, tensor.dtype), name
        assert torch.equal(other, tensor), name


def test_clips_lie_where_there_is_room(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = make_pairs(clips, 2, Degradation(kernels=("bicubic",)), variants=2, seed=0)
    needed = device_bytes(pairs)
    high, low = 3 * 96 * 96 * 3 // 2, 3 * 48 * 48 * 3 // 2
    assert needed == 3 * (high + 2 * low)  # both variants have one high resolution

    assert isinstance(clips_on(torch.device("cpu"), pairs), ClipsInMemory)
    for free, kind in ((2 * needed, ClipsOnDevice), (2 * needed - 2, ClipsInMemory)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert isinstance(clips_on(torch.device("meta"), pairs), kind)
