"""SRCNN, ESPCN and the encoder-decoder: gradients, reach, counts, engines, and their papers.

Mutations tried: SRCNN's last padding, tanh for relu, the skip connection of the half size left
out, batch norm fused in the wrong order, radius less one.
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


def test_skips_carry_what_pooling_loses() -> None:
    config = EncoderDecoderConfig(scale=2, channels=(4, 4))
    network = checks.trained_like(config).eval()
    assert isinstance(network, EncoderDecoder)
    given = checks.frames(config, 8, 8)
    before = network(given)

    nn.init.zeros_(network.up_full.weight)  # all that comes from below is one level

    difference = network(given) - before
    assert difference.abs().max() > 1e-3
    edges = network(given) - F.conv2d(given, network.interpolation, padding=2)
    assert edges.std() > 1e-3


@pytest.mark.parametrize("config", [CONFIGS[k] for k in (0, 1, 2, 6)])
def test_engines_answer_what_the_network_answers(config: NetworkConfig) -> None:
    network = checks.trained_like(config)
    folded, model = checks.exported(network, config)
    given = checks.frames(config, 5 * config.multiple, 7 * config.multiple, batch=1)

    expected = folded(given).detach()

    torch.testing.assert_close(expected, network.eval()(given), rtol=0, atol=0.02)
    assert expected.std() > 0.01
    for name, answer in checks.run_onnx(model, given).items():
        torch.testing.assert_close(
            torch.from_numpy(answer), expected, rtol=0, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}"
        )
