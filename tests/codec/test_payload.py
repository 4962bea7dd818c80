"""Frames as they are sent: exact there and back, the same as PyTorch's whole numbers, safe.

Mutations tried: halves rounded down in the twin; a prior that does not see the quality; motion's
two passes exchanged; neighbours that wrap around; no middle of motion; no limit on motion.
"""

import hashlib
from dataclasses import asdict

import numpy as np
import pytest
import torch

from upreel.codec.payload import FARTHEST_MOTION, FrameNumbers, pack_frame, tables, unpack_frame
from upreel.codec.whole import WholeLayer, WholePrior, seen_past
from upreel.errors import BitstreamError, WeightsError
from upreel.networks.codec import Codec, FrameCodec
from upreel.networks.codec.prior import seen_past as seen_in_training
from upreel.zoo.configs.codec import CodecConfig

CONFIG = CodecConfig(channels=(6, 8, 10), latents=7, hyper=3, prior=5, anchors=2)


def arrays_of(kind: FrameCodec) -> dict[str, np.ndarray]:
    """What a receiver is given of a trained network."""
    found: dict[str, np.ndarray] = {}
    for name in ("first", "second", "past", "mixed", "tail"):
        layer = getattr(kind.prior, name)
        if layer is not None:
            weight, bias = (each.detach().numpy() for each in layer.numbers())
            found[f"{name}.weight"], found[f"{name}.bias"] = weight, bias
    mean, index = (each.detach().numpy() for each in kind.hyper_prior())
    return {**found, "mean": mean, "index": index}


@pytest.fixture
def kinds() -> tuple[FrameCodec, FrameCodec]:
    torch.manual_seed(4)
    codec = Codec(**asdict(CONFIG))
    with torch.no_grad():
        for name, parameter in codec.named_parameters():
            if "prior.tail" in name:
                parameter.add_(3 * torch.randn_like(parameter))
            if name.endswith("hyper_prior.mean"):
                parameter.add_(torch.tensor([0.0, 3.0, -2.0]))
    return codec.alone, codec.next


def numbers_for(
    prior: WholePrior, size: tuple[int, int], *, alone: bool, past: np.ndarray | None, seed: int = 0
) -> tuple[FrameNumbers, np.ndarray]:
    random = np.random.default_rng(seed)
    hyper_size = tuple(-(-side // 4) for side in size)
    hyper = random.integers(-9, 10, (3, *hyper_size)).astype(np.int32)
    mean, index = prior(hyper, 40, size, past)
    symbols = np.rint(random.laplace(0, 2, mean.shape)).astype(np.int32)
    symbols[0, 0, 0] = 5000 if index[0, 0, 0] else 0  # an escape
    symbols[index == 0] = 0
    motion = None
    if not alone:
        motion = np.rint(random.normal(6, 3, (2, *size))).astype(np.int32)
    return FrameNumbers(motion=motion, hyper=hyper, symbols=symbols), index


SIZES = [(9, 12), (1, 1), (1, 5), (4, 1), (2, 2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("alone", [True, False])
def test_what_is_sent_comes_back(
    size: tuple[int, int], alone: bool, kinds: tuple[FrameCodec, FrameCodec]
) -> None:
    prior = WholePrior(arrays_of(kinds[0 if alone else 1]))
    random = np.random.default_rng(1)
    past = None if alone else random.integers(-900, 900, (7, *size)).astype(np.int32)
    for before in (None, random.integers(-20, 20, (2, *size)).astype(np.int32)):
        numbers, index = numbers_for(prior, size, alone=alone, past=past)
        code = pack_frame(numbers, index, prior, before=before)
        hyper_size = (numbers.hyper.shape[1], numbers.hyper.shape[2])
        found, latents = unpack_frame(
            code,
            prior,
            quality=40,
            size=size,
            hyper_size=hyper_size,
            alone=alone,
            before=before,
            past=past,
        )
        mean, _ = prior(numbers.hyper, 40, size, past)

        assert np.array_equal(found.hyper, numbers.hyper)
        assert np.array_equal(found.symbols, numbers.symbols)
        assert np.array_equal(latents, 8 * numbers.symbols + mean)
        if alone:
            assert found.motion is None
        else:
            assert found.motion is not None
            assert numbers.motion is not None
            assert np.array_equal(found.motion, numbers.motion)


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_the_twin_gives_what_training_gave(
    size: tuple[int, int], kinds: tuple[FrameCodec, FrameCodec]
) -> None:
    random = np.random.default_rng(2)
    hyper = random.integers(-200, 200, (3, *(-(-side // 4) for side in size))).astype(np.int32)
    past = random.integers(-2000, 2000, (7, *size)).astype(np.int32)
    for kind, latents in zip(kinds, (None, past), strict=True):
        prior = WholePrior(arrays_of(kind))
        for quality in (0, 63):
            seen = None
            if latents is not None:
                seen = seen_in_training(torch.from_numpy(latents)[None].float())
                assert np.array_equal(seen_past(latents), seen[0].numpy())
            mean, index = kind.prior(
                torch.from_numpy(hyper)[None].float(), torch.tensor([quality]), size, seen
            )
            found_mean, found_index = prior(hyper, quality, size, latents)
            assert np.array_equal(found_mean, mean[0].numpy())
            assert np.array_equal(found_index, index[0].numpy())
        assert len(np.unique(found_index)) > 3 or size == (1, 1)


def test_the_code_is_the_same_everywhere() -> None:
    """Golden: a change of a pass, a table or a context gives other bytes."""
    prior = WholePrior(
        {
            "first.weight": np.full((16, 2, 3, 3), 3),
            "first.bias": np.arange(16) * 50,
            "second.weight": np.full((16, 4, 3, 3), 2),
            "second.bias": np.zeros(16),
            "past.weight": np.ones((4, 3, 3, 3)),
            "past.bias": np.zeros(4),
            "mixed.weight": np.full((4, 10, 3, 3), 1),
            "mixed.bias": np.arange(4) * 100,
            "tail.weight": np.arange(24).reshape(6, 4, 1, 1) - 8,
            "tail.bias": np.array([0, 8, 16, 1500, 1600, -9000]),
            "mean": np.array([1, -1]),
            "index": np.array([30, 40]),
        }
    )
    past = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 17 * 8 - 60).astype(np.int32)
    hyper = np.array([[[3, -4]], [[0, 9]]], np.int32)
    mean, index = prior(hyper, 20, (4, 5), past)
    symbols = (np.arange(60).reshape(3, 4, 5) % 7 - 3).astype(np.int32)
    symbols[index == 0] = 0
    motion = (np.arange(40).reshape(2, 4, 5) % 11 - 5).astype(np.int32)
    numbers = FrameNumbers(motion=motion, hyper=hyper, symbols=symbols)

    code = pack_frame(numbers, index, prior, before=None)

    digest = hashlib.sha256(np.concatenate([mean, index]).astype("<i4").tobytes()).hexdigest()
    assert digest[:16] == GOLDEN_NUMBERS
    assert code.hex() == GOLDEN_CODE


def test_still_motion_costs_next_to_nothing(kinds: tuple[FrameCodec, FrameCodec]) -> None:
    prior = WholePrior(arrays_of(kinds[1]))
    size = (24, 40)
    past = np.zeros((7, *size), np.int32)
    hyper = np.zeros((3, 6, 10), np.int32)
    mean, index = prior(hyper, 0, size, past)
    codes: list[int] = []
    for motion in (np.zeros((2, *size), np.int32), np.full((2, *size), 9, np.int32)):
        numbers = FrameNumbers(motion=motion, hyper=hyper, symbols=np.zeros_like(mean))
        codes.append(len(pack_frame(numbers, index, prior, before=motion)))
        alone = FrameNumbers(motion=None, hyper=hyper, symbols=np.zeros_like(mean))
        codes.append(len(pack_frame(alone, index, prior, before=None)))
    assert codes[0] - codes[1] < 110  # bytes for 1,920 components
    assert codes[2] - codes[3] < 110


def test_damaged_codes_are_refused_or_give_other_numbers(
    kinds: tuple[FrameCodec, FrameCodec],
) -> None:
    prior = WholePrior(arrays_of(kinds[1]))
    past = np.zeros((7, 6, 7), np.int32)
    numbers, index = numbers_for(prior, (6, 7), alone=False, past=past)
    code = pack_frame(numbers, index, prior, before=None)
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(200):
        damaged = bytearray(code)
        damaged[random.integers(len(code))] ^= 1 << int(random.integers(8))
        cut = bytes(damaged[: random.integers(len(code) + 1)])
        for each in (bytes(damaged), cut):
            try:
                found, _ = unpack_frame(
                    each,
                    prior,
                    quality=40,
                    size=(6, 7),
                    hyper_size=(2, 2),
                    alone=False,
                    before=None,
                    past=past,
                )
            except BitstreamError:
                refused += 1
            else:
                assert found.motion is not None
                assert np.abs(found.motion).max() <= FARTHEST_MOTION
    assert refused > 300


def test_motion_that_leads_too_far_is_refused(kinds: tuple[FrameCodec, FrameCodec]) -> None:
    prior = WholePrior(arrays_of(kinds[1]))
    past = np.zeros((7, 2, 2), np.int32)
    numbers, index = numbers_for(prior, (2, 2), alone=False, past=past)
    assert numbers.motion is not None
    numbers.motion[1, 0, 1] = FARTHEST_MOTION + 1
    code = pack_frame(numbers, index, prior, before=None)
    with pytest.raises(BitstreamError, match="motion of more than 127 quarters of a sample"):
        unpack_frame(
            code,
            prior,
            quality=40,
            size=(2, 2),
            hyper_size=(1, 1),
            alone=False,
            before=None,
            past=past,
        )


def test_weights_whose_sums_could_be_rounded_are_refused() -> None:
    weight = np.full((2, 120, 3, 3), 127, np.int8)
    with pytest.raises(WeightsError, match=r"reach 17\d{6}, 2\^24 is the limit"):
        WholeLayer(weight=weight, bias=np.zeros(2, np.int32), hidden=True)


def test_a_codec_without_a_layer_is_refused(kinds: tuple[FrameCodec, FrameCodec]) -> None:
    arrays = arrays_of(kinds[0])
    del arrays["mixed.bias"]
    with pytest.raises(WeightsError, match=r"a codec without mixed\.bias"):
        WholePrior(arrays)


def test_scales_of_training_are_those_of_the_tables() -> None:
    """Bits that training counts are bits that the coder needs."""
    from upreel.networks.codec.rates import SCALES, laplace_bits

    assert len(tables().frequencies) == SCALES
    values = np.arange(-40, 41)
    for number in (5, 20, 40, 60):
        counted = laplace_bits(
            torch.from_numpy(values).float(), torch.full((len(values),), float(number))
        ).numpy()
        table = tables().frequencies[number]
        limit = int(tables().limits[number])
        for value, bits in zip(values, counted, strict=True):
            if abs(value) < limit and bits < 10:
                frequency = table[value + limit]
                assert bits == pytest.approx(16 - np.log2(frequency), abs=0.06)


GOLDEN_NUMBERS = "3692468498bbf265"
GOLDEN_CODE = (
    "000309b1ac6d4b2488e4fdd4163cbfb12a6fc79d3d81ff7eba7326f05413706e"
    "2b46e4eef8698a812992e62a714abd0e"
)
