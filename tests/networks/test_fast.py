"""The fast family: gradients, shapes, flat pictures, folding, and what its config promises.

Mutations tried: the head's mean not subtracted from chroma, the tail's bias without its ReLU, a
body convolution left out of the radius, `to_grid` left out of `folded`.
"""

from dataclasses import asdict

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import TypeCheckError
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork, ResidualPairs
from upreel.networks.planes import interpolation_kernel
from upreel.networks.sizes import CHANNELS
from upreel.zoo import FastConfig

CONFIGS = (
    [
        FastConfig(scale=scale, channels=8, depth=depth, frames=frames)
        for scale, depth, frames in [(2, 2, 1), (3, 2, 2), (4, 4, 1), (2, 0, 2)]
    ]
    + [
        FastConfig(scale=scale, channels=8, depth=depth, frames=frames, layout="luma")
        for scale, depth, frames in [(4, 2, 1), (3, 0, 2), (2, 4, 5)]
    ]
    + [FastConfig(scale=2, channels=8, depth=4, frames=2, skips=False)]
)


def trained_like(config: FastConfig, seed: int = 0) -> FastNetwork:
    """Random weights everywhere, most features alive."""
    network = build_network(asdict(config))
    assert isinstance(network, FastNetwork)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            spread = 0.3 / max(parameter[0].numel(), 9) ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
            if parameter.ndim == 1:
                parameter.add_(0.2)
    return network


def packed(config: FastConfig, height: int = 12, width: int = 14) -> Tensor:
    channels = CHANNELS[config.layout] * config.frames
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(1))


def interpolated(config: FastConfig, frames: Tensor) -> Tensor:
    """The current frame, the first, by the fixed kernel."""
    kernel = interpolation_kernel(config.scale, config.layout)
    return F.conv2d(frames[:, : kernel.shape[1]], kernel, padding=kernel.shape[-1] // 2)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_parameter_gets_a_gradient(config: FastConfig) -> None:
    network = trained_like(config)

    answer = network(packed(config))
    answer.square().sum().backward()

    assert answer.shape == (2, CHANNELS[config.layout] * config.scale**2, 12, 14)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("config", CONFIGS)
def test_it_begins_as_bicubic_interpolation(config: FastConfig) -> None:
    network, frames = build_network(asdict(config)), packed(config)

    expected = interpolated(config, frames)

    torch.testing.assert_close(network(frames), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_flat_pictures_stay_as_they_are(config: FastConfig) -> None:
    network = trained_like(config).double()
    current = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.2, 0.7]).double()
    other = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6, 0.4]).double()
    if config.layout == "luma":
        current, other = current[:1], other[:1]
    levels = torch.cat((current, *[other] * (config.frames - 1)))
    side = 2 * config.radius + 3

    answer = network(levels[None, :, None, None].expand(1, -1, side, side))

    s2 = config.scale**2
    expected = torch.tensor([0.9] * 4 * s2 + [0.2] * s2 + [0.7] * s2).double()
    expected = expected[: CHANNELS[config.layout] * s2]
    inside = answer[0, :, config.radius : -config.radius, config.radius : -config.radius]
    torch.testing.assert_close(inside, expected[:, None, None].expand_as(inside), rtol=0, atol=1e-7)
    busy = network(packed(config, side, side).double())
    plain = interpolated(config, packed(config, side, side)).double()
    assert (busy - plain).abs().max() > 1e-3  # it is not bicubic interpolation any more


@pytest.mark.parametrize("config", CONFIGS)
def test_folded_is_the_same_function(config: FastConfig) -> None:
    network = trained_like(config)
    folded = network.folded()
    frames = packed(config)
    head = network.head_weight().detach()

    largest = head.flatten(1).abs().amax(dim=1)
    steps = torch.exp2(torch.ceil(torch.log2(largest)) - 7)[:, None, None, None]
    assert ((folded.head.weight - head).abs() <= steps * 1.001).all()
    torch.testing.assert_close(folded(frames), network(frames), rtol=0, atol=0.01)
    with torch.no_grad():  # with the rounded weights it is the same to the last bits
        network.head.weight.copy_(folded.head.weight)
    torch.testing.assert_close(folded(frames), network(frames), rtol=0, atol=2e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_folded_weights_are_exact_in_bf16(config: FastConfig) -> None:
    folded = trained_like(config).folded()

    for weight in (folded.head.weight, folded.interpolation.weight):
        assert torch.equal(weight.bfloat16().float(), weight)
    each = CHANNELS[config.layout]
    by_frame = folded.head.weight.double().unflatten(1, (-1, each))
    assert (by_frame[:, :, :4].sum(dim=(2, 3, 4)) == 0).all()
    assert (by_frame[:, :, 4:].sum(dim=(3, 4)) == 0).all()
    interpolation = folded.interpolation.weight.double()
    assert (interpolation[:, :each].sum(dim=(1, 2, 3)) == 1).all()
    assert (interpolation[:, each:] == 0).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_exactly_its_radius(config: FastConfig) -> None:
    network = trained_like(config)
    side = 2 * config.radius + 5
    middle = side // 2
    frames = packed(config, side, side).requires_grad_()

    network(frames)[0, :, middle, middle].square().sum().backward()

    assert frames.grad is not None
    rows, columns = torch.nonzero(frames.grad[0].abs().sum(dim=0), as_tuple=True)
    reach = [middle - config.radius, middle + config.radius]
    assert [rows.min().item(), rows.max().item()] == reach
    assert [columns.min().item(), columns.max().item()] == reach
    assert network.radius == config.radius


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: FastConfig) -> None:
    network = trained_like(config)
    weights = [p.numel() for p in network.parameters() if p.ndim == 4]

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    assert config.macs_per_position == sum(weights) + network.interpolation.numel()


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="no network of kind 'slow'; there are: fast, espcn"):
        build_network(asdict(CONFIGS[0]) | {"kind": "slow"})


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        trained_like(CONFIGS[0])(torch.rand(6, 8, 8))


def test_pairs_begin_as_the_identity() -> None:
    features = torch.randn(2, 6, 5, 7)

    torch.testing.assert_close(ResidualPairs(6, 4)(features), features, rtol=0, atol=0)


def test_a_plain_chain_begins_near_the_identity() -> None:
    features = torch.rand(2, 16, 9, 9)
    torch.manual_seed(3)

    chain = ResidualPairs(16, 6, skips=False)
    answer = chain(features)

    together = torch.stack((features.flatten(), answer.flatten())).corrcoef()[0, 1]
    assert 0.5 < together < 0.999
    assert (answer >= 0).all()  # a ReLU behind the last one, too
