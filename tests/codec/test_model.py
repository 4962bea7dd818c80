"""Frames through the exported codec: what is received is what was sent, in every engine.

Mutations tried: a receiver that does not keep motion; gains of another quality; borders not cut
off; latents in whole units; cells of the wrong kind.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_codec import CONFIG, lively

from upreel.codec.model import CodecModel, FrameState, OpenCodec
from upreel.datasets.clips import Clip, drawn_clips
from upreel.errors import BackendUnavailableError, BitstreamError, UnknownModelError, WeightsError
from upreel.networks.planes import pack
from upreel.zoo.codec_card import CodecCard, load_codec_card

HEIGHT, WIDTH = 72, 104  # no whole cells


@pytest.fixture(scope="module")
def card(small_codec: CodecCard) -> CodecCard:
    return small_codec


@pytest.fixture(scope="module")
def clip() -> Clip:
    return drawn_clips(1, num_frames=4, height=HEIGHT, width=WIDTH)[0]


def planes_of(clip: Clip, t: int) -> tuple[np.ndarray, ...]:
    return clip.luma[t], clip.chroma[t, 0], clip.chroma[t, 1]


def sent(codec: OpenCodec, clip: Clip, quality: int) -> list[tuple[bytes, FrameState]]:
    found: list[tuple[bytes, FrameState]] = []
    before: FrameState | None = None
    for t in range(len(clip.luma)):
        code, before = codec.send(planes_of(clip, t), quality, before)
        found.append((code, before))
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_received_is_what_was_sent(threads: int, card: CodecCard, clip: Clip) -> None:
    model = CodecModel(card)
    sender = model.open(height=HEIGHT, width=WIDTH, threads=2)
    receiver = model.open(height=HEIGHT, width=WIDTH, threads=threads, sends=False)
    before: FrameState | None = None
    for code, state in sent(sender, clip, 33):
        before = receiver.receive(code, 33, before)
        assert np.array_equal(before.latents, state.latents)
        assert np.array_equal(before.planes, state.planes)
        for plane, own in zip(receiver.planes(before), sender.planes(state), strict=True):
            assert np.array_equal(plane, own)
        assert receiver.planes(before)[0].shape == (HEIGHT, WIDTH)
        assert receiver.planes(before)[2].shape == (HEIGHT // 2, WIDTH // 2)
    assert before is not None
    assert before.motion is not None
    assert np.abs(before.motion).max() > 0


def test_another_engine_receives_the_same_numbers(card: CodecCard, clip: Clip) -> None:
    model = CodecModel(card)
    sender = model.open(height=HEIGHT, width=WIDTH)
    receiver = model.open(height=HEIGHT, width=WIDTH, device="ort-cpu", sends=False)
    before: FrameState | None = None
    for code, state in sent(sender, clip, 20):
        before = receiver.receive(code, 20, before)
        assert np.array_equal(before.latents, state.latents)
        for plane, own in zip(receiver.planes(before), sender.planes(state), strict=True):
            assert np.abs(plane.astype(int) - own).max() <= 1


@torch.no_grad()
def test_it_is_what_was_trained(card: CodecCard, clip: Clip) -> None:
    """PyTorch's codec, on the same padded planes, sends the same numbers but for rare roundings."""
    codec = lively()
    opened = CodecModel(card).open(height=HEIGHT, width=WIDTH)
    edge = ((0, -HEIGHT % 16), (0, -WIDTH % 16))
    state = before = None
    for t in range(2):
        luma, *chroma = planes_of(clip, t)
        padded = torch.from_numpy(np.pad(luma, edge, mode="edge")).float() / 255
        small = [np.pad(c, tuple((0, n // 2) for _, n in edge), mode="edge") for c in chroma]
        planes = pack(padded[None, None], torch.from_numpy(np.stack(small))[None].float() / 255)
        coded = codec(planes, torch.tensor([33]), state)
        state = coded.state
        _, before = opened.send(planes_of(clip, t), 33, before)
        same = np.equal(before.latents, coded.state.latents[0].numpy())
        assert same.mean() > 0.995
        error = np.abs(before.planes - coded.state.planes.numpy())
        assert np.mean(error) < 0.002


def test_qualities_are_sent_differently_and_must_be_known(card: CodecCard, clip: Clip) -> None:
    opened = CodecModel(card).open(height=HEIGHT, width=WIDTH)
    codes = [opened.send(planes_of(clip, 0), quality, None)[0] for quality in (0, 32, 63)]
    assert len(set(codes)) == 3
    try:
        state = opened.receive(codes[0], 63, None)
    except BitstreamError:
        return
    assert not np.array_equal(state.latents, opened.receive(codes[0], 0, None).latents)


def test_deeper_samples_are_sent_as_they_are(card: CodecCard, clip: Clip) -> None:
    opened = CodecModel(card).open(height=HEIGHT, width=WIDTH, bits=10)
    shallow = CodecModel(card).open(height=HEIGHT, width=WIDTH)
    planes = tuple(plane.astype(np.uint16) * 4 for plane in planes_of(clip, 0))
    found = opened.planes(opened.send(planes, 63, None)[1])
    other = shallow.planes(shallow.send(planes_of(clip, 0), 63, None)[1])
    assert found[0].dtype == np.uint16
    assert np.abs(found[0] / 1023 - other[0] / 255).mean() < 0.01


def test_damage_is_an_error_and_nothing_else(card: CodecCard, clip: Clip) -> None:
    opened = CodecModel(card).open(height=HEIGHT, width=WIDTH)
    code, _ = opened.send(planes_of(clip, 0), 40, None)
    with pytest.raises(BitstreamError):
        opened.receive(code[: len(code) // 2], 40, None)
    with pytest.raises(BitstreamError, match="quality must be 0 to 63, got 64"):
        opened.receive(code, 64, None)


def test_files_that_are_not_the_cards_are_refused(card: CodecCard, tmp_path: Path) -> None:
    for path in card.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    copy = load_codec_card(str(tmp_path / "drawn.json"))
    assert copy.network == CONFIG
    (tmp_path / "drawn.motion.onnx").write_bytes(b"else")
    with pytest.raises(WeightsError, match="files of drawn have SHA-256"):
        CodecModel(copy)
    (tmp_path / "drawn.numbers.npz").unlink()
    with pytest.raises(WeightsError, match=r"cannot read .*numbers\.npz"):
        CodecModel(copy)
    with pytest.raises(UnknownModelError, match="no codec 'none'"):
        load_codec_card("none")


def test_a_precision_that_is_not_there_is_refused(card: CodecCard) -> None:
    with pytest.raises(BackendUnavailableError, match="cannot run in int8"):
        CodecModel(card).open(height=16, width=16, precision="int8")
    with pytest.raises(BackendUnavailableError, match="in f32, not in bf16"):
        CodecModel(card).open(height=16, width=16, device="ort-cpu", precision="bf16")
