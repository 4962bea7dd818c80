"""Branches beside filters: what learns as a sum runs as one, exactly.

Mutations tried: the 1x1 in a corner of the 3x3, merged weights of the 3x3 alone, a flat picture's
features without the branch.
"""

from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from upreel.networks.branches import BranchedConv2d, filters, merged, with_branches
from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.zoo import FastConfig

CONFIGS = [
    FastConfig(scale=2, channels=8, depth=4, frames=2),
    FastConfig(scale=4, channels=6, depth=2, layout="luma", skips=False),
    FastConfig(scale=2, channels=8, depth=4, widths=(3, 5)),
]


def random_network(config: FastConfig, *, branches: bool) -> FastNetwork:
    torch.manual_seed(2)
    network = build_network(asdict(config))
    if branches:
        with_branches(network)
    assert isinstance(network, FastNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return network


def frames_for(config: FastConfig) -> Tensor:
    channels = (6 if config.layout == "packed" else 1) * config.frames
    return torch.rand(1, channels, 10, 12)


@pytest.mark.parametrize("config", CONFIGS)
def test_merged_weights_answer_the_same(config: FastConfig) -> None:
    branched = random_network(config, branches=True).double()
    plain = random_network(config, branches=False).double()

    plain.load_state_dict(merged(branched.state_dict()))

    seen = frames_for(config).double()
    torch.testing.assert_close(plain(seen), branched(seen), rtol=1e-12, atol=1e-12)


def test_a_branched_convolution_is_the_sum_of_two() -> None:
    convolution = torch.nn.Conv2d(5, 4, 3, padding=1, padding_mode="replicate")
    branched = BranchedConv2d(convolution)
    features = torch.randn(2, 5, 7, 6)
    torch.testing.assert_close(branched(features), convolution(features), rtol=0, atol=0)

    torch.nn.init.normal_(branched.one)

    both = convolution(features) + torch.nn.functional.conv2d(features, branched.one)
    torch.testing.assert_close(branched(features), both, rtol=1e-5, atol=1e-5)
    assert filters(convolution) is convolution.weight


def test_every_branch_learns_beside_its_filter() -> None:
    network = random_network(CONFIGS[0], branches=True)

    network(frames_for(CONFIGS[0])).square().sum().backward()

    for convolution in network.body:
        assert isinstance(convolution, BranchedConv2d)
        assert convolution.one.grad is not None
        assert convolution.weight.grad is not None
        torch.testing.assert_close(
            convolution.one.grad, convolution.weight.grad[..., 1:2, 1:2], rtol=0, atol=0
        )
        assert convolution.one.grad.abs().max() > 0


def test_weights_without_branches_stay_as_they_are() -> None:
    weights = random_network(CONFIGS[1], branches=False).state_dict()

    kept = merged(weights)

    assert list(kept) == list(weights)
    assert all(kept[name] is weights[name] for name in weights)
