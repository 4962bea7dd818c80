"""Whole numbers: what training rounds is integer arithmetic, flat stays flat, steps fit.

Mutations tried: the bias not rounded, a signed range from 0, the stream added before it is rounded,
the ReLU behind a plain pair left out, first weights rounded one by one, the last bias of the float
network, steps from the largest value, steps by the first input alone, biases as large as their
weights have them.
"""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.quantized import LARGEST_WEIGHT, Layer, QuantizedNetwork, Range
from upreel.zoo import EspcnConfig, FastConfig, QuantizedConfig, network_config

CONFIGS = [
    QuantizedConfig(network=FastConfig(scale=2, channels=6, depth=4, frames=2)),
    QuantizedConfig(network=FastConfig(scale=3, channels=5, depth=2, layout="luma")),
    QuantizedConfig(
        network=FastConfig(scale=2, channels=4, depth=2, frames=3, layout="luma"),
        activation_bits=7,
    ),
    QuantizedConfig(network=FastConfig(scale=4, channels=4, depth=0)),
    QuantizedConfig(network=FastConfig(scale=2, channels=6, depth=4, skips=False)),
]


def frames_for(config: QuantizedConfig, seed: int = 0, side: int = 12) -> Tensor:
    """Bytes as parts of 255."""
    channels = (6 if config.layout == "packed" else 1) * config.frames
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (2, channels, side, side + 2))
    return torch.from_numpy(levels).float() / 255


def calibrated(config: QuantizedConfig) -> QuantizedNetwork:
    """Random weights, steps by two frames."""
    network = build_network(asdict(config))
    assert isinstance(network, QuantizedNetwork)
    torch.manual_seed(4)
    with torch.no_grad():
        for name, parameter in network.network.named_parameters():
            gain = 0.3 if "tail" in name else 1.0
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 30
            parameter.copy_(torch.randn_like(parameter) * gain / fan_in**0.5)
    network.calibrate([frames_for(config)])
    return network


def slow_detail(network: QuantizedNetwork, seen: np.ndarray) -> np.ndarray:
    """The detail of one window (F, H, W) in [0, 1]: sums of whole numbers, scaled in f32."""
    layers = network.layers()
    steps = [np.float32(layer.step) for layer in layers[1:]]

    def convolved(values: np.ndarray, layer: Layer) -> np.ndarray:
        """Sums, and then what they mean."""
        weight = layer.weight.numpy().astype(np.int64)
        assert values.dtype == np.int64
        sums = np.stack(
            [
                sum(
                    correlate(plane, kernel, mode="constant")
                    for plane, kernel in zip(values, kernels, strict=True)
                )
                for kernels in weight
            ]
        )
        sums += layer.bias.numpy().astype(np.int64)[:, None, None]
        assert np.abs(sums).max() < 1 << 24
        return sums.astype(np.float32) * layer.meaning.numpy()[:, None, None]

    def whole(values: np.ndarray, step: np.float32, span: Range) -> np.ndarray:
        assert values.dtype == np.float32
        return np.rint(values / step).clip(span.least, span.most).astype(np.int64)

    values = whole(seen, np.float32(network.input_step), network.input_range)
    stream = whole(np.maximum(convolved(values, layers[0]), 0), steps[0], network.ranges[0])
    for k in range(1, len(layers) - 1, 2):
        inner = whole(np.maximum(convolved(stream, layers[k]), 0), steps[k], network.ranges[k])
        changed = convolved(inner, layers[k + 1])
        if network.skips:
            changed = stream.astype(np.float32) * steps[k - 1] + changed
        else:
            changed = np.maximum(changed, 0)
        stream = whole(changed, steps[k + 1], network.ranges[k + 1])
    return convolved(stream, layers[-1])


@pytest.mark.parametrize("config", CONFIGS)
def test_it_is_integer_arithmetic(config: QuantizedConfig) -> None:
    """To the last bit, but for adding the interpolation and taking it off again."""
    network, seen = calibrated(config), frames_for(config, seed=1)

    with torch.no_grad():
        answer = network(seen).numpy()
        picture = network.network.interpolated(seen).numpy()

    detail = np.stack([slow_detail(network, window.numpy()) for window in seen])
    assert np.abs(detail).max() * 255 > 8
    np.testing.assert_array_equal(answer, picture + detail)


@pytest.mark.parametrize("config", CONFIGS)
def test_flat_stays_flat_in_whole_numbers(config: QuantizedConfig) -> None:
    network = calibrated(config)
    first = network.layers()[0].weight
    channels = 6 if config.layout == "packed" else 1
    frames = first.unflatten(1, (-1, channels)).long()
    planes = [frames[:, :, :4].sum(dim=(2, 3, 4)), *frames[:, :, 4:].sum(dim=(3, 4)).unbind(2)]

    for level in (0, 100, 255):
        flat = torch.full_like(frames_for(config, side=20), level / 255)
        change = network(flat) - network.network.interpolated(flat)
        inner = change[..., config.radius : -config.radius, config.radius : -config.radius]
        assert inner.abs().max() * 255 < 0.02
        assert inner.numel()

    assert all(not plane.any() for plane in planes)
    assert first.any()


@pytest.mark.parametrize("config", CONFIGS)
def test_every_parameter_gets_a_gradient(config: QuantizedConfig) -> None:
    network = calibrated(config)

    network(frames_for(config)).square().sum().backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_weights_fill_their_range() -> None:
    for k, layer in enumerate(calibrated(CONFIGS[0]).layers()):
        largest = layer.weight.int().flatten(1).abs().amax(dim=1)
        assert (largest <= LARGEST_WEIGHT).all()
        assert (largest >= LARGEST_WEIGHT - 2 * (k == 0)).all()


def test_a_bias_without_weights_is_not_lost() -> None:
    network = calibrated(CONFIGS[1])
    layer = network.network.body[0]
    with torch.no_grad():
        layer.weight[2] = 0  # type: ignore[index]
        layer.bias[2] = 0.3  # type: ignore[index]

    whole = network.layers()[1]

    assert whole.bias.abs().max() < 1 << 23
    assert (whole.bias * whole.meaning)[2].item() == pytest.approx(0.3, rel=1e-3)


def test_every_input_counts_for_the_steps() -> None:
    network = calibrated(CONFIGS[1])
    before = network.steps.detach().clone()
    dark, bright = 0.1 * frames_for(CONFIGS[1]), frames_for(CONFIGS[1])

    network.calibrate([dark, bright])

    torch.testing.assert_close(network.steps.detach(), before, rtol=0, atol=0.2)
    network.calibrate([dark])
    assert (network.steps < before - 0.5).any()


def test_steps_are_by_squared_error_and_always_the_same() -> None:
    network = calibrated(CONFIGS[0])
    steps = network.steps.detach().clone()
    seen = frames_for(CONFIGS[0])

    network.calibrate([seen])

    assert torch.equal(network.steps, steps)
    with torch.no_grad():
        for k, span in enumerate(network.ranges):
            values = network._features(seen, upto=k)
            largest = values.abs().max() / span.most

            def error(step: Tensor, values: Tensor = values, span: Range = span) -> Tensor:
                whole = (values / step).round().clamp(span.least, span.most)
                return (whole * step - values).square().mean()

            assert error(steps[k].exp2()) <= 1.001 * error(largest)
            assert error(steps[k].exp2()) < 0.5 * error(0.8 * steps[k].exp2())
            assert error(steps[k].exp2()) < 0.9 * error(1.3 * steps[k].exp2())


def test_eight_bits_are_nearer_than_seven() -> None:
    eight = CONFIGS[0]
    networks = [calibrated(replace(eight, activation_bits=bits)) for bits in (8, 7)]
    seen = frames_for(eight, seed=2)

    with torch.no_grad():
        errors = [(each(seen) - each.network(seen)).square().mean() for each in networks]

    assert errors[0] < 0.7 * errors[1]  # both round weights alike
    assert errors[1] * 255**2 < 4


def test_it_is_never_computed_in_mixed_precision() -> None:
    network, seen = calibrated(CONFIGS[1]), frames_for(CONFIGS[1])

    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(seen)

    assert torch.equal(mixed, network(seen))


def test_what_is_no_such_network_is_refused() -> None:
    config = CONFIGS[1]
    assert network_config(asdict(config)) == config
    with pytest.raises(ValueError, match="activation_bits must be 7 or 8, got 6"):
        replace(config, activation_bits=6)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="network must be of kind fast"):
        replace(config, network=EspcnConfig(scale=2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kind must be quantized, got 'fast'"):
        QuantizedConfig(network=config.network, kind="fast")  # type: ignore[arg-type]
