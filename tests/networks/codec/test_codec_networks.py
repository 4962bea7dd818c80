"""The codec's networks: whole numbers are whole, bits are what tables say, every part learns.

Mutations tried: halves rounded down; a weight of 1/128; hidden numbers cut off at 255; bits without
the mass beyond zero; motion in pixels instead of quarters; a past that is not cut off; gains
interpolated in place of their logarithms.
"""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_checks import waves
from torch import Tensor

from upreel.networks.codec import Codec, Coded, trade_off
from upreel.networks.codec.movement import found_motion, moved_features, moved_frame
from upreel.networks.codec.prior import Prior, seen_past
from upreel.networks.codec.rates import SCALES, SMALLEST, Gains, laplace_bits
from upreel.networks.codec.whole import WholeConv
from upreel.networks.planes import pack
from upreel.zoo.configs.codec import CodecConfig

SMALL = CodecConfig(channels=(8, 12, 16), latents=10, hyper=4, prior=6, anchors=3)


def planes(height: int = 64, width: int = 80, *, dx: float = 0.0, batch: int = 1) -> Tensor:
    """Packed waves that have moved to the right."""
    luma = waves(height, width, dx=dx)
    chroma = F.avg_pool2d(luma, 2).repeat(1, 2, 1, 1)
    return pack(luma, chroma).repeat(batch, 1, 1, 1)


@pytest.fixture
def codec() -> Codec:
    torch.manual_seed(1)
    return Codec(**asdict(SMALL))


def convolved(whole: np.ndarray, layer: WholeConv) -> np.ndarray:
    """The slow reference: loops over whole numbers of 64 bits."""
    weight, bias = (each.detach().numpy().astype(np.int64) for each in layer.numbers())
    outputs, inputs, size, _ = weight.shape
    padded = np.pad(whole.astype(np.int64), ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    height, width = whole.shape[1:]
    found = np.zeros((outputs, height, width), np.int64)
    for o in range(outputs):
        for y in range(height):
            for x in range(width):
                sums = int((padded[:, y : y + size, x : x + size] * weight[o]).sum()) + int(bias[o])
                found[o, y, x] = (sums + 32) // 64
    assert inputs == whole.shape[0]
    return found.clip(0, 127) if layer.hidden else found


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("size", [1, 3])
def test_a_convolution_of_whole_numbers_is_that_of_integers(hidden: bool, size: int) -> None:
    torch.manual_seed(2)
    layer = WholeConv(3, 4, size, hidden=hidden, level=0.25)
    with torch.no_grad():
        layer.weight[0] = 5.0  # beyond what a weight may be
    whole = torch.randint(-127, 128, (1, 3, 5, 6)).float()

    found = layer(whole)[0].detach().numpy()

    assert np.array_equal(found, convolved(whole[0].numpy(), layer))
    assert layer.numbers()[0].abs().max() == 127


@torch.no_grad()
def test_means_and_scales_do_not_depend_on_how_sums_are_made() -> None:
    """In f64, in parts of the picture and with other threads: the same whole numbers."""
    torch.manual_seed(3)
    prior = Prior(10, 4, 6, past=True).eval()
    hyper = torch.randint(-20, 21, (1, 4, 2, 3)).float()
    past = torch.randint(-127, 128, (1, 10, 7, 11)).float()
    quality = torch.tensor([40])

    mean, index = prior(hyper, quality, (7, 11), past)
    again = prior.double()(hyper.double(), quality, (7, 11), past.double())

    assert torch.equal(mean, mean.round())
    assert torch.equal(index, index.round())
    assert float(index.min()) >= 0
    assert float(index.max()) <= SCALES - 1
    assert torch.equal(again[0].float(), mean)
    assert torch.equal(again[1].float(), index)


def test_what_is_seen_of_the_past_is_whole_and_bounded() -> None:
    units = torch.tensor([-3000.0, -6, -5, -2, -1, 0, 1, 2, 5, 6, 3000])
    seen = seen_past(units[None, None, None])
    assert seen.flatten().tolist() == [-127, -1, -1, 0, 0, 0, 0, 1, 1, 2, 127]


def test_bits_are_minus_the_logarithm_of_the_mass_around_a_number() -> None:
    for index in (5, 31, 50):
        deviation = SMALLEST * (64 / SMALLEST) ** (index / 63)
        spread = deviation / math.sqrt(2)
        for value in (0.0, 1.0, -2.0, 0.3):
            low, high = value - 0.5, value + 0.5
            cdf = [
                0.5 * math.exp(x / spread) if x < 0 else 1 - 0.5 * math.exp(-x / spread)
                for x in (low, high)
            ]
            expected = -math.log2(max(cdf[1] - cdf[0], 2.0**-16))
            found = laplace_bits(torch.tensor([value]), torch.tensor([float(index)]))
            assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_mass_of_all_numbers_is_one() -> None:
    values = torch.arange(-3000.0, 3001)
    for index in (10.0, 40.0, 63.0):
        bits = laplace_bits(values, torch.full_like(values, index))
        likely = bits < 15.99
        assert float((2**-bits)[likely].sum()) == pytest.approx(1, abs=3e-3)


def test_gains_lie_between_those_of_the_anchors() -> None:
    gains = Gains(2, 3)
    with torch.no_grad():
        gains.before.copy_(torch.tensor([1.0, 4.0, 16.0]).log()[:, None].expand(3, 2))
    before, behind = gains(torch.tensor([0, 63]))
    assert before[:, 0, 0, 0].tolist() == pytest.approx([1, 16])
    assert behind.shape == (2, 2, 1, 1)
    middle, _ = gains(torch.tensor([int(63 / 4)]))
    assert float(middle.detach()[0, 0, 0, 0]) == pytest.approx(4 ** (2 * 15 / 63), rel=1e-4)


def test_more_quality_is_worth_more_bits() -> None:
    worth = trade_off(torch.tensor([0.0, 63.0]))
    assert worth.tolist() == pytest.approx([0.0006, 0.06])


@torch.no_grad()
@pytest.mark.parametrize("dx", [2.0, -1.25])
def test_motion_is_found_in_quarters_and_undone(dx: float) -> None:
    before, frame = planes(96, 128), planes(96, 128, dx=dx)
    motion = found_motion(frame, before)
    moved = moved_frame(before, motion)

    assert motion.shape == (1, 2, 6, 8)
    inner = motion[..., 1:-1, 1:-1]
    assert inner[:, 0].flatten().tolist() == pytest.approx([-4 * dx] * 24, abs=1)
    error = (moved - frame)[..., 8:-8, 8:-8].abs().max()
    assert float(error) < 0.3 * float((before - frame)[..., 8:-8, 8:-8].abs().max())


def test_whole_motion_moves_planes_and_features_exactly() -> None:
    frame = planes(64, 64)
    motion = torch.zeros(1, 2, 4, 4)
    motion[:, 0], motion[:, 1] = 4 * 4, 4 * -8  # 4 to the right, 8 up
    moved = moved_frame(frame, motion)
    features = torch.rand(1, 3, 16, 16)

    assert torch.allclose(moved[..., 4:, :-2], frame[..., :-4, 2:], atol=1e-5)
    assert torch.allclose(
        moved_features(features, motion)[..., 2:, :-1], features[..., :-2, 1:], atol=1e-5
    )


@torch.no_grad()
def test_what_is_sent_is_whole_and_what_is_left_to_the_next_is_made_of_it(codec: Codec) -> None:
    codec.eval()
    first = codec(planes(batch=2), torch.tensor([5, 60]))
    second = codec(planes(batch=2, dx=1), torch.tensor([5, 60]), first.state)
    for coded in (first, second):
        assert isinstance(coded, Coded)
        assert torch.equal(coded.symbols, coded.symbols.round())
        assert torch.equal(coded.hyper, coded.hyper.round())
        assert coded.state.planes.shape == (2, 6, 32, 40)
        assert coded.state.latents.shape == (2, 10, 4, 5)
        assert torch.equal(coded.state.latents, coded.state.latents.round())
        assert 0 <= float(coded.state.planes.min()) <= float(coded.state.planes.max()) <= 1
        assert (coded.bits > 0).all()
        assert (coded.hyper_bits > 0).all()
    assert first.motion is None
    assert second.motion is not None


def test_sizes_that_are_no_multiple_of_64_are_sent_too(codec: Codec) -> None:
    coded = codec.eval()(planes(48, 16), torch.tensor([20]))
    assert coded.hyper.shape == (1, 4, 1, 1)
    assert coded.symbols.shape == (1, 10, 3, 1)


@pytest.mark.parametrize("rounding", ["mixed", "noise", "straight"])
def test_every_parameter_learns(rounding: str, codec: Codec) -> None:
    codec.train()
    with torch.no_grad():  # pairs begin as the identity, which passes nothing to their first half
        for name, parameter in codec.named_parameters():
            if parameter.ndim == 4 and ("body" in name or "fine" in name or "middle" in name):
                parameter.add_(0.02 * torch.randn_like(parameter))
            if "hyper_analysis" in name:  # else all of them are rounded to zero
                parameter.mul_(4)
            if "prior" in name and parameter.ndim == 1:
                parameter.add_(0.6)
    quality = torch.tensor([0, 63])
    first = codec(planes(batch=2), quality, None, rounding)
    second = codec(planes(batch=2, dx=1), quality, first.state, rounding)
    total = sum(
        c.bits.sum() + c.hyper_bits.sum() + 1e4 * (c.state.planes - 0.3).square().mean()
        for c in (first, second)
    )
    assert isinstance(total, Tensor)
    total.backward()
    middle = {"gains.before", "gains.behind"}  # of the anchor between the two qualities
    for name, parameter in codec.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if not any(name.endswith(each) for each in middle):
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": (8, 12)}, "channels must be 3 numbers from 1 on"),
        ({"latents": 0}, "latents must be at least 1, got 0"),
        ({"latents": 116}, r"stay below 2\^24: .* got 116, 4 and 6"),
        ({"prior": 57}, r"stay below 2\^24: .* got 10, 4 and 57"),
        ({"anchors": 1}, "anchors must be 2 to 64, got 1"),
    ],
)
def test_configs_out_of_range_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **values)
