"""Fusion of answers: it begins as its first network, reach, counts, alignment, flat, engines.

Mutations tried: flow not scaled to the answer, neighbours not as differences, first weights that
do not sum to zero, a radius without the motion's.
"""

from dataclasses import asdict, replace

import network_checks as checks
import pytest
import torch
from network_checks import waves
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.fusion import FusionNetwork, aligned_answers
from upreel.networks.planes import luma_of
from upreel.zoo import (
    EncoderDecoderConfig,
    EspcnConfig,
    FastConfig,
    FusionConfig,
    SrcnnConfig,
)
from upreel.zoo.configs.fusion import FLOW_RADIUS, FLOW_REACH

FIRST = FastConfig(scale=4, channels=6, depth=2, layout="luma")
ESPCN = EspcnConfig(scale=2, channels=(6, 4), activation="relu", residual=True)
CONFIGS = [
    FusionConfig(first=FIRST, frames=5, channels=6, depth=2),
    FusionConfig(first=ESPCN, frames=3, channels=5, depth=0),
    FusionConfig(first=ESPCN, frames=3, channels=6, depth=4, alignment="none"),
    FusionConfig(first=SrcnnConfig(scale=2, channels=(4, 3)), frames=3, channels=5, depth=2),
    FusionConfig(
        first=EncoderDecoderConfig(scale=2, channels=(4, 3)),
        frames=3,
        channels=5,
        depth=0,
        alignment="none",
    ),
]


def network_of(config: FusionConfig) -> FusionNetwork:
    network = checks.trained_like(config)
    assert isinstance(network, FusionNetwork)
    return network


def clip_of(config: FusionConfig, side: int, seed: int = 0) -> Tensor:
    """A picture that moves by half a pixel a frame, in the order of the offsets."""
    return torch.cat([waves(side, side, 0.5 * t, 0.25 * t, seed=seed) for t in config.offsets], 1)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(2, 2), (3, 4)])
def test_every_parameter_gets_a_gradient(config: FusionConfig, size: tuple[int, int]) -> None:
    height, width = (max(config.multiple, 8) * side for side in size)
    network, given = network_of(config), checks.frames(config, height, width)

    checks.check_gradients(network, given)

    assert network(given).shape == checks.answer_shape(config, given)


@pytest.mark.parametrize("config", CONFIGS)
def test_it_begins_as_its_first_network(config: FusionConfig) -> None:
    fresh = build_network(asdict(config))
    assert isinstance(fresh, FusionNetwork)
    given = checks.frames(config, 32, 48)

    torch.testing.assert_close(fresh(given), fresh.first(given[:, :1]), rtol=0, atol=1e-6)
    assert (network_of(config)(given) - network_of(config).first(given[:, :1])).abs().max() > 0.01


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_no_more_than_its_radius(config: FusionConfig) -> None:
    network = network_of(config).eval()
    side = -(-(2 * config.radius + 18) // 16) * 16
    given = clip_of(config, side)
    middle = side // 2
    far = [k for k in range(side) if abs(k - middle) > config.radius]
    changed = given.clone()
    changed[..., far, :] = torch.rand_like(changed[..., far, :])
    changed[..., :, far] = torch.rand_like(changed[..., :, far])

    with torch.no_grad():
        before, after = (network(value)[..., middle, middle] for value in (given, changed))

    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    assert config.margin <= config.radius
    if config.alignment == "none":
        assert checks.reach(network, given, middle, middle) == config.radius


def test_motion_reaches_about_as_far_as_said() -> None:
    config = CONFIGS[0]
    network = network_of(config).eval()
    side = 2 * FLOW_RADIUS
    given = clip_of(config, side)
    changed = given.clone()
    near = FLOW_RADIUS // 2
    changed[..., : side // 2 - near, :] = torch.rand(1, 5, side // 2 - near, side)

    with torch.no_grad():
        change = (network(changed) - network(given))[..., side // 2, side // 2].abs().max()

    assert change > 0  # half of the radius would be too little
    assert FLOW_REACH == 2 + 2 * 2 + 4 * 2


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: FusionConfig) -> None:
    network, side = network_of(config), 32
    given = checks.frames(config, side, side, batch=1)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    counted = checks.count_macs(network, given) / side**2
    counted += network.head.weight.numel() + network.tail.weight.numel()  # computed, not called
    first = network.first
    if isinstance(config.first, FastConfig):
        counted += config.frames * (first.head.weight.numel() + first.tail.weight.numel())
    counted += config.frames * first.interpolation.numel()
    assert config.macs_per_position == pytest.approx(counted, abs=config.frames / 2)  # rounded


def test_answers_to_a_moving_picture_come_to_lie_on_each_other() -> None:
    """Bicubic answers, so that what is left is alignment's error and interpolation's."""
    config = replace(CONFIGS[0], first=replace(FIRST, depth=0))
    fresh = build_network(asdict(config))
    assert isinstance(fresh, FusionNetwork)
    given = clip_of(config, 64)

    still, moved = (aligned_answers(fresh.first, given, 4, moves=moves) for moves in (False, True))

    for k in range(1, 5):
        before, after = (
            (luma_of(a[:, 16 * k : 16 * k + 16] - a[:, :16], 4, "luma")[..., 48:-48, 48:-48])
            .square()
            .mean()
            for a in (still, moved)
        )
        assert after < 0.02 * before
    assert torch.equal(still[:, :16], moved[:, :16])


@pytest.mark.parametrize("config", CONFIGS[:3])
def test_flat_pictures_stay_flat(config: FusionConfig) -> None:
    first = replace(config.first, residual=True) if config.first.kind == "espcn" else config.first
    network = network_of(replace(config, first=first)).double()
    side = 16 * (2 * config.margin // 16 + 4)
    if config.first.kind == "espcn":  # ESPCN itself makes no such promise
        with torch.no_grad():
            network.first.tail.weight.zero_()
            network.first.tail.bias.zero_()  # type: ignore[union-attr]
    level = torch.full((1, config.frames, side, side), 0.7).double()
    inner = slice(2 * config.margin, -2 * config.margin)

    answer = network(level)[..., inner, inner]

    torch.testing.assert_close(answer, torch.full_like(answer, 0.7), rtol=0, atol=1e-6)


def test_engines_answer_what_the_network_answers() -> None:
    """With motion: tests/inference, in the temporal adaptive network."""
    config = CONFIGS[2]

    checks.check_engines(network_of(config), config, clip_of(config, 32), rounding=0.05, atol=1e-4)
