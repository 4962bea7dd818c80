"""SRCNN, ESPCN and the encoder-decoder: gradients, reach, counts, engines, and their papers.

Mutations tried: SRCNN's padding, relu for tanh, either skip connection left out, batch norm left
out of transposed convolutions, radius less one.
"""

from dataclasses import asdict, replace

import network_checks as checks
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from upreel.networks.baselines import Espcn
from upreel.networks.build import build_network
from upreel.networks.encoder_decoder import EncoderDecoder
from upreel.networks.planes import interpolation_kernel
from upreel.zoo import EncoderDecoderConfig, EspcnConfig, NetworkConfig, SrcnnConfig

CONFIGS: list[NetworkConfig] = [
    EspcnConfig(scale=4),
    EspcnConfig(scale=3, frames=3, channels=(8, 6), activation="relu", residual=True),
    *[SrcnnConfig(scale=scale, channels=(6, 4)) for scale in (2, 3, 4)],
    *[EncoderDecoderConfig(scale=scale, channels=(6, 8)) for scale in (2, 3, 4)],
]
PAPERS: list[tuple[NetworkConfig, int]] = [
    (EspcnConfig(scale=3), 25 * 64 + 64 + 9 * 64 * 32 + 32 + 9 * 32 * 9 + 9),
    (SrcnnConfig(scale=3), 81 * 64 + 64 + 25 * 64 * 32 + 32 + 25 * 32 + 1),
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(1, 2), (3, 5)])
def test_every_parameter_gets_a_gradient(config: NetworkConfig, size: tuple[int, int]) -> None:
    height, width = (4 * config.multiple * side for side in size)
    network, given = checks.trained_like(config), checks.frames(config, height, width)

    checks.check_gradients(network, given)

    assert network(given).shape == checks.answer_shape(config, given)


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_exactly_its_radius(config: NetworkConfig) -> None:
    network = checks.trained_like(config)
    multiple = config.multiple
    side = -(-(2 * config.radius + 5) // multiple) * multiple
    given = checks.frames(config, side, side)

    middles = range(side // 2, side // 2 + multiple)
    reached = max(checks.reach(network, given, middle, middle) for middle in middles)

    assert reached == config.radius


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: NetworkConfig) -> None:
    network, side = checks.trained_like(config), 4
    taps = 25 * config.scale**2 * (not isinstance(config, EspcnConfig) or config.residual)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    counted = checks.count_macs(network, checks.frames(config, side, side, batch=1))
    assert config.macs_per_position == round(counted / side**2) + taps


@pytest.mark.parametrize(("config", "parameters"), PAPERS)
def test_sizes_are_the_papers(config: NetworkConfig, parameters: int) -> None:
    assert config.num_parameters == parameters


@pytest.mark.parametrize(
    "config", [EspcnConfig(scale=4, residual=True), EncoderDecoderConfig(scale=4)]
)
def test_residual_networks_begin_as_bicubic_interpolation(config: NetworkConfig) -> None:
    network, given = build_network(asdict(config)), checks.frames(config, 8, 12)

    kernel = interpolation_kernel(4, "luma")
    torch.testing.assert_close(network(given), F.conv2d(given[:, :1], kernel, padding=2))


@pytest.mark.parametrize(
    ("config", "levels"),
    [
        (EspcnConfig(scale=4), 2),
        (EspcnConfig(scale=4, activation="relu"), 1e-3),
        *[(SrcnnConfig(scale=scale), 1e-3) for scale in (2, 3, 4)],
    ],
)
def test_the_others_begin_close_to_it(config: NetworkConfig, levels: float) -> None:
    """Between 0.25 and 0.75, where it does not undershoot black, which ReLU would cut."""
    network = build_network(asdict(config))
    given = 0.25 + 0.5 * checks.frames(config, 24, 32)

    kernel = interpolation_kernel(config.scale, "luma")
    expected = F.conv2d(given[:, :1], kernel, padding=2)
    inner = (..., slice(6, -6), slice(6, -6))
    difference = 255 * (network(given) - expected)[inner].abs()
    assert difference.max() <= levels


def test_the_activation_is_what_the_config_says() -> None:
    config = EspcnConfig(scale=2, channels=(4, 4))
    given = checks.frames(config, 6, 6)
    tanh, relu = (
        checks.trained_like(replace(config, activation=kind)) for kind in ("tanh", "relu")
    )
    assert isinstance(tanh, Espcn)

    features = torch.tanh(tanh.body(torch.tanh(tanh.head(given))))

    torch.testing.assert_close(tanh(given), tanh.tail(features))
    assert not torch.allclose(tanh(given), relu(given), atol=1e-3)


@pytest.mark.parametrize("size", ["half", "full"])
def test_skips_carry_what_pooling_loses(size: str) -> None:
    """Nothing comes from below: what changes from place to place came by the skip alone."""
    network = checks.trained_like(EncoderDecoderConfig(scale=2, channels=(4, 4))).eval()
    assert isinstance(network, EncoderDecoder)
    given = checks.frames(EncoderDecoderConfig(scale=2), 8, 8)
    below, after = {
        "half": (network.up_half, network.up_full),
        "full": (network.up_full, network.tail),
    }[size]
    nn.init.zeros_(below.weight)
    seen: list[torch.Tensor] = []
    after.register_forward_pre_hook(lambda _, values: seen.append(values[0]))

    network(given)

    assert seen[0][..., 2:-2, 2:-2].std(dim=(2, 3)).max() > 1e-3


@pytest.mark.parametrize("scale", [2, 4])
def test_batch_norm_is_worked_into_the_convolutions(scale: int) -> None:
    config = EncoderDecoderConfig(scale=scale, channels=(4, 6))
    network, given = checks.trained_like(config).eval(), checks.frames(config, 8, 8)
    assert isinstance(network, EncoderDecoder)

    folded = network.folded()

    torch.testing.assert_close(folded(given), network(given), rtol=0, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("config", [CONFIGS[k] for k in (0, 1, 2, 6)])
def test_engines_answer_what_the_network_answers(config: NetworkConfig) -> None:
    network = checks.trained_like(config)
    given = checks.frames(config, 5 * config.multiple, 7 * config.multiple, batch=1)

    checks.check_engines(network, config, given, rounding=0.02, atol=2e-5)
