"""The temporal adaptive network: gradients, weights, stages, reach, counts, layouts, engines.

Mutations tried: softmax over the wrong axis, a sum for the mean, chroma moved as far as luma, the
base added twice and left out, a radius without the search.
"""

from dataclasses import asdict, replace

import network_checks as checks
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.planes import interpolation_kernel, pack
from upreel.networks.temporal_adaptive import TemporalAdaptiveNetwork
from upreel.zoo import (
    EncoderDecoderConfig,
    EspcnConfig,
    FastConfig,
    SrcnnConfig,
    TemporalAdaptiveConfig,
)

LUMA = FastConfig(scale=4, channels=6, depth=2, layout="luma")
PACKED = FastConfig(scale=2, channels=6, depth=2)
ESPCN = EspcnConfig(scale=2, channels=(6, 4), activation="relu")
SMALL = (6, 4)
CONFIGS = [
    TemporalAdaptiveConfig(branch=LUMA, modulation_channels=SMALL),
    TemporalAdaptiveConfig(branch=LUMA, modulation_channels=SMALL, alignment="rectified"),
    TemporalAdaptiveConfig(branch=LUMA, modulation_channels=SMALL, alignment="spatial", branches=2),
    TemporalAdaptiveConfig(branch=ESPCN, modulation="free", modulation_channels=SMALL),
    TemporalAdaptiveConfig(branch=ESPCN, modulation="mean", branches=1, alignment="rectified"),
    TemporalAdaptiveConfig(branch=PACKED, modulation="mean", branches=2, alignment="rectified"),
    TemporalAdaptiveConfig(branch=PACKED, modulation_channels=SMALL, alignment="spatial"),
    TemporalAdaptiveConfig(branch=LUMA, modulation_channels=SMALL, alignment="flow", fusion=(6, 2)),
    TemporalAdaptiveConfig(branch=ESPCN, modulation="mean", branches=2, fusion=(5, 2)),
    TemporalAdaptiveConfig(
        branch=EncoderDecoderConfig(scale=2, channels=(4, 3)),
        modulation_channels=SMALL,
        branches=2,
        fusion=(5, 2),
    ),
    TemporalAdaptiveConfig(
        branch=SrcnnConfig(scale=2, channels=(4, 3)), modulation_channels=SMALL, branches=4
    ),
    TemporalAdaptiveConfig(
        branch=EncoderDecoderConfig(scale=2, channels=(4, 3)),
        modulation="mean",
        branches=2,
        alignment="rectified",
    ),
]


def network_of(config: TemporalAdaptiveConfig) -> TemporalAdaptiveNetwork:
    network = checks.trained_like(config)
    assert isinstance(network, TemporalAdaptiveNetwork)
    return network


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(2, 2), (3, 5)])
def test_every_parameter_gets_a_gradient(
    config: TemporalAdaptiveConfig, size: tuple[int, int]
) -> None:
    unit = max(config.multiple, 8 if config.layout == "luma" else 4)
    height, width = (unit * side for side in size)
    network, given = network_of(config), checks.frames(config, height, width)

    checks.check_gradients(network, given)

    assert network(given).shape == checks.answer_shape(config, given)


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_no_more_than_its_radius(config: TemporalAdaptiveConfig) -> None:
    network = network_of(config).eval()
    multiple = config.multiple
    side = -(-(2 * config.radius + multiple + 2) // multiple) * multiple
    given = checks.frames(config, side, side, batch=1)
    middle = side // 2
    changed = given.clone()
    far = [k for k in range(side) if abs(k - middle) > config.radius]
    changed[..., far, :] = torch.rand_like(changed[..., far, :])
    changed[..., :, far] = torch.rand_like(changed[..., :, far])

    before, after = (network(value)[..., middle, middle] for value in (given, changed))

    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    if config.alignment == "none":
        assert checks.reach(network, given, middle, middle) == config.radius


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: TemporalAdaptiveConfig) -> None:
    network, side = network_of(config), 64 if config.layout == "luma" else 32
    given = checks.frames(config, side, side, batch=1)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    localised = network.localisation
    if localised is not None:  # its patches reach over the frame's edge: counted where they don't
        network.localisation = None
        network.alignment = "none"
    counted = checks.count_macs(network, given) / side**2
    if isinstance(config.branch, FastConfig):  # heads and tails are computed, not called
        for k, branch in enumerate(network.branches):
            times = config.frames if config.fusion and k == 0 else 1
            counted += times * sum(m.weight.numel() for m in (branch.head, branch.tail))  # type: ignore[union-attr]
        counted += (config.frames if config.fusion else config.branches) * (
            network.interpolation.numel()
        )
    elif config.fusion:
        counted += sum(
            m.weight.numel() for m in (network.branches[1].head, network.branches[1].tail)
        )  # type: ignore[union-attr]
        if isinstance(config.branch, EncoderDecoderConfig):
            counted += config.frames * network.interpolation.numel()
    elif isinstance(config.branch, SrcnnConfig | EncoderDecoderConfig):
        seen = sum(2 * k + 1 for k in range(config.branches))
        counted += seen * network.interpolation.numel()
    if localised is not None:
        layers = [
            (m.weight.numel(), m) for m in localised.modules() if isinstance(m, torch.nn.Conv2d)
        ]
        each = 4 if config.layout == "packed" else 1
        areas = (1, 4, 1024, 1024)
        per_sample = sum(n / area for (n, _), area in zip(layers, areas, strict=True))
        counted += (config.frames - 1) * each * per_sample
    assert config.macs_per_position == pytest.approx(counted, abs=1)


@pytest.mark.parametrize("modulation", ["softmax", "free"])
def test_weights_begin_as_the_mean_and_sum_to_one_where_normalised(modulation: str) -> None:
    config = replace(CONFIGS[0], modulation=modulation)
    given = checks.frames(config, 8, 8)
    fresh = build_network(asdict(config))
    assert isinstance(fresh, TemporalAdaptiveNetwork)

    begun, later = fresh.weights(given), network_of(config).weights(given)

    assert begun is not None
    assert later is not None
    assert begun.shape == later.shape == (2, 3, 16, 8, 8)
    torch.testing.assert_close(begun, torch.full_like(begun, 1 / 3))
    sums = later.sum(dim=1)
    if modulation == "softmax":
        torch.testing.assert_close(sums, torch.ones_like(sums))
        assert (later > 0).all()
    else:
        assert (sums - 1).abs().max() > 0.01
    assert later.std() > 1e-3


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[3], CONFIGS[5]])
def test_the_answer_is_the_weighted_sum_of_the_branches(config: TemporalAdaptiveConfig) -> None:
    network = network_of(config)
    given = checks.frames(config, 8, 8)
    frames, each = network.aligned(given), checks.EACH[config.layout]
    answers = [branch(frames[:, : each * (2 * i + 1)]) for i, branch in enumerate(network.branches)]
    weights = network.weights(frames)
    if weights is None:
        expected = sum(answers) / len(answers)
    else:
        kernel = interpolation_kernel(config.scale, config.layout)
        base = F.conv2d(given[:, :each], kernel, padding=kernel.shape[-1] // 2)
        base = base if isinstance(config.branch, FastConfig) else torch.zeros_like(base)
        expected = base + sum(weights[:, i] * (a - base) for i, a in enumerate(answers))

    assert isinstance(expected, Tensor)
    torch.testing.assert_close(network(given), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [CONFIGS[7], CONFIGS[8]])
def test_what_fuses_answers_is_weighed_beside_the_first_one(config: TemporalAdaptiveConfig) -> None:
    network = network_of(config)
    given = checks.frames(config, 32, 32)
    answers = network.aligned(given)
    each = config.scale**2
    first = network.branches[0](given[:, :1])
    details = [
        branch.detail(answers[:, : each * (2 * i + 3)])
        for i, branch in enumerate(list(network.branches)[1:])
    ]  # type: ignore[operator]
    weights = network.weights(answers)
    if weights is None:
        expected = first + sum(details) / config.branches
    else:
        assert weights.shape == (2, config.branches, each, 32, 32)
        expected = first + sum(weights[:, i + 1] * d for i, d in enumerate(details))

    torch.testing.assert_close(network(given), expected, rtol=1e-5, atol=1e-5)
    assert (network(given) - first).abs().max() > 1e-3
    fresh = build_network(asdict(config))
    assert isinstance(fresh, TemporalAdaptiveNetwork)
    torch.testing.assert_close(fresh(given), fresh.branches[0](given[:, :1]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[1], CONFIGS[5], CONFIGS[7]])
def test_flat_pictures_stay_flat_whatever_the_weights(config: TemporalAdaptiveConfig) -> None:
    network = network_of(config).double()
    margin = 2 * config.margin
    side = -(-3 * margin // config.multiple) * config.multiple
    level = torch.full((1, checks.EACH[config.layout] * config.frames, side, side), 0.7).double()

    answer = network(level)[..., margin:-margin, margin:-margin]

    torch.testing.assert_close(answer, torch.full_like(answer, 0.7), rtol=0, atol=1e-6)


def test_packed_frames_are_moved_plane_by_plane() -> None:
    """Luma by whole pixels, chroma by half of them."""
    generator = torch.Generator().manual_seed(4)
    luma = F.avg_pool2d(torch.rand(1, 1, 100, 100, generator=generator), 5, stride=1)
    ramp = torch.arange(48.0).expand(1, 2, 48, 48) / 100
    config = replace(CONFIGS[5], alignment="rectified")
    network = network_of(config)

    def frame(dx: int) -> Tensor:
        return pack(luma[..., 20:68, 20 - dx : 68 - dx], ramp[..., :24, 12:36] - dx / 200)

    given = torch.cat([frame(dx) for dx in (0, 3, -4)], dim=1)

    aligned = network.aligned(given)

    inner = (..., slice(10, -10), slice(10, -10))
    for k in (1, 2):
        torch.testing.assert_close(aligned[:, 6 * k : 6 * k + 6][inner], given[:, :6][inner])
    assert torch.equal(aligned[:, :6], given[:, :6])


def test_spatial_alignment_learns_from_the_rectified_one() -> None:
    config = replace(CONFIGS[2], spatial_weight=0.5)
    network = network_of(config)
    generator = torch.Generator().manual_seed(4)
    luma = F.avg_pool2d(torch.rand(1, 1, 100, 100, generator=generator), 5, stride=1)
    given = torch.cat([luma[..., 20:52, 20 - dx : 52 - dx] for dx in (0, 2, -2)], dim=1)

    network.eval()(given)
    assert network.auxiliary_loss() is None
    network.train()(given)
    before = network.auxiliary_loss()
    assert before is not None
    optimizer = torch.optim.Adam(network.localisation.parameters(), lr=1e-3)  # type: ignore[union-attr]
    for _ in range(30):
        network(given)
        loss = network.auxiliary_loss()
        assert loss is not None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    after = network.auxiliary_loss()
    assert after is not None
    assert after < 0.3 * before
    fresh = build_network(asdict(config))
    assert isinstance(fresh, TemporalAdaptiveNetwork)
    torch.testing.assert_close(fresh.aligned(given), given)  # it begins with no motion


def test_only_spatial_alignment_has_an_auxiliary_loss() -> None:
    for config in (CONFIGS[0], CONFIGS[1]):
        network = network_of(config).train()
        network(checks.frames(config, 16, 16))
        assert network.auxiliary_loss() is None


@pytest.mark.parametrize("config", [CONFIGS[k] for k in (0, 3, 5)])
def test_engines_answer_what_the_network_answers(config: TemporalAdaptiveConfig) -> None:
    """With spatial alignment and with motion of luma: tests/inference."""
    given = checks.frames(
        config,
        *(max(config.multiple, 4) * -(-side // max(config.multiple, 4)) for side in (40, 56)),
    )

    checks.check_engines(network_of(config), config, given, rounding=0.05, atol=1e-4)
