"""VESPCN: gradients, flows of whole pixels, its auxiliary loss, reach, counts, engines.

Mutations tried: the warp left out, tanh left out, the fine flow not added, dx and dy swapped.
"""

from dataclasses import asdict

import network_checks as checks
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from upreel.networks.alignment import warp
from upreel.networks.build import build_network
from upreel.networks.vespcn import Vespcn
from upreel.zoo import VespcnConfig

CONFIGS = [
    VespcnConfig(scale=4, channels=6, depth=4),
    VespcnConfig(scale=2, frames=5, channels=6, depth=2, coarse=3, residual=True),
]


def network_of(config: VespcnConfig) -> Vespcn:
    network = checks.trained_like(config)
    assert isinstance(network, Vespcn)
    return network


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(8, 8), (12, 20)])
def test_every_parameter_gets_a_gradient(config: VespcnConfig, size: tuple[int, int]) -> None:
    network, given = network_of(config), checks.frames(config, *size)

    checks.check_gradients(network, given, auxiliary=True)

    assert network(given).shape == checks.answer_shape(config, given)


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_no_more_than_its_radius(config: VespcnConfig) -> None:
    network = network_of(config)
    side = -(-(2 * config.radius + 9) // 4) * 4
    given = checks.frames(config, side, side, batch=1)

    reached = max(checks.reach(network, given, side // 2 + k, side // 2 + k) for k in range(4))

    assert config.radius - 6 <= reached <= config.radius


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: VespcnConfig) -> None:
    network = network_of(config)
    taps = 25 * config.scale**2 * config.residual

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    counted = checks.count_macs(network, checks.frames(config, 8, 8, batch=1)) / 64
    assert config.macs_per_position == pytest.approx(counted + taps, abs=1)


def test_it_begins_with_no_motion() -> None:
    network = build_network(asdict(CONFIGS[1]))
    assert isinstance(network, Vespcn)
    given = checks.frames(CONFIGS[1], 8, 12)

    torch.testing.assert_close(network.aligned(given), given)
    expected = F.conv2d(given[:, :1], network.interpolation, padding=2)
    torch.testing.assert_close(network(given), expected)


def test_flows_are_bounded_and_warp_neighbours() -> None:
    network = network_of(CONFIGS[0]).eval()
    given = checks.frames(CONFIGS[0], 16, 16, batch=1)
    for layers in (network.motion.coarse, network.motion.fine):
        tail = layers["tail"]
        assert isinstance(tail, nn.Conv2d)
        assert tail.bias is not None
        nn.init.zeros_(tail.weight)
        nn.init.constant_(tail.bias, 9.0)  # tanh of it is one

    flow = network.motion(given[:, :1], given[:, 1:2])

    torch.testing.assert_close(flow, torch.full_like(flow, 8.0 + 2.0))
    aligned = network.aligned(given)
    torch.testing.assert_close(aligned[:, 1:2], warp(given[:, 1:2], flow))
    torch.testing.assert_close(aligned[..., 0, 0][:, 1], given[..., 10, 10][:, 1])
    assert torch.equal(aligned[:, :1], given[:, :1])


def test_the_auxiliary_loss_is_the_papers() -> None:
    network = network_of(CONFIGS[0])
    still = checks.frames(CONFIGS[0], 8, 8)[:, :1].expand(-1, 3, -1, -1)
    fresh = build_network(asdict(CONFIGS[0]))
    assert isinstance(fresh, Vespcn)
    fresh.train()(still)
    least = fresh.auxiliary_loss()
    assert least is not None
    assert least.item() == pytest.approx(2 * 0.001 * 0.01**0.5)  # nothing differs, nothing moves

    network.train()(still)
    loss = network.auxiliary_loss()

    assert loss is not None
    here, there = still[:, :1], still[:, 1:2]
    flow = network.motion(here, there)
    error = (warp(there, flow) - here).square().mean()
    right = flow[:, :, :-1, 1:] - flow[:, :, :-1, :-1]
    below = flow[:, :, 1:, :-1] - flow[:, :, :-1, :-1]
    rough = (0.01 + right.square().sum(dim=1) + below.square().sum(dim=1)).sqrt().mean()
    torch.testing.assert_close(loss, 2 * (0.01 * error + 0.001 * rough))
    network.eval()(still)
    assert network.auxiliary_loss() is None


def test_engines_answer_what_the_network_answers() -> None:
    """Of five frames, over interpolation; of three, alone: tests/inference."""
    config = CONFIGS[1]
    given = checks.frames(config, 20, 28)

    checks.check_engines(network_of(config), config, given, rounding=0.05, atol=1e-4)
