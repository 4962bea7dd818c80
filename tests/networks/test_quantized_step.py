"""A step in whole numbers: integer arithmetic, flat pictures, the choice of steps, gradients.

The slow twin sums whole numbers of 64 bits, made from what is exported. Mutations tried: no shift
in the first biases, first weights rounded one by one, zeros around the difference or the frame, a
difference of nine bits, activations not rounded, no ReLU, the last features in a step of their
own, the first frame's or the first clip's activations alone, no gradient, steps from the largest
value.
"""

from dataclasses import asdict, replace
from itertools import pairwise
from weakref import WeakSet

import network_checks as checks
import numpy as np
import pytest
import torch
from network_checks import waves
from scipy.ndimage import correlate
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.quantized import LARGEST_WEIGHT, Layer
from upreel.networks.quantized_step import MIDDLE, QuantizedStepNetwork
from upreel.zoo import FrameRecurrentConfig, QuantizedConfig, network_config

CONFIGS = [
    QuantizedConfig(network=FrameRecurrentConfig(scale=2, channels=6, depth=1, carried=4)),
    QuantizedConfig(network=FrameRecurrentConfig(scale=3, channels=5, depth=2, carried=5)),
    QuantizedConfig(network=FrameRecurrentConfig(scale=4, channels=8, depth=3, carried=3)),
]
HEIGHT, WIDTH = 12, 20


def clip_of(count: int = 3, dx: float = 0.75, contrast: float = 1.0) -> Tensor:
    """A picture of whole levels that moves by `dx` pixels a frame, (1, T, H, W)."""
    frames = [waves(HEIGHT, WIDTH, dx * t) for t in range(count)]
    return (255 * contrast * torch.cat(frames, dim=1)).round() / 255


def calibrated(config: QuantizedConfig, gain: float = 3.0) -> QuantizedStepNetwork:
    """Random weights, steps by a clip."""
    network = build_network(asdict(config))
    assert isinstance(network, QuantizedStepNetwork)
    network.network.load_state_dict(checks.trained_like(config.network).state_dict())
    with torch.no_grad():
        for parameter in network.network.parameters():
            parameter.mul_(gain)
    network.calibrate([clip_of()])
    return network.eval()


def noise_for(config: QuantizedConfig, seed: int = 0) -> Tensor:
    """What a step might see: bytes as parts of 255, (2, S, H, W).

    The answer before lies about the frame, near enough for a byte and, here and there, not.
    """
    random = np.random.default_rng(seed)
    shape = (2, config.step_channels, HEIGHT, WIDTH)
    levels = random.integers(0, 256, shape)
    levels[:, 1 : 1 + config.scale**2] -= levels[:, 1 : 1 + config.scale**2] // 2
    return torch.from_numpy(levels).float() / 255


def slow_step(
    network: QuantizedStepNetwork, seen: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The detail of one step (A, H, W) and the features in levels, from sums of whole numbers.

    Args:
        network: whose `layers` are taken.
        seen: (S, H, W), bytes as parts of 255, f32.
        first: the frame's interpolation (A, H, W), f32.
    """
    layers, each = network.layers(), len(first)

    def convolved(values: np.ndarray, layer: Layer) -> np.ndarray:
        """Sums, one position smaller on every side, and then what they mean."""
        weight = layer.weight.numpy().astype(np.int64)
        assert values.dtype == np.int64
        assert (values.min() >= 0, values.max() <= 255) == (True, True)
        sums = np.stack(
            [
                sum(
                    correlate(plane, kernel, mode="constant")
                    for plane, kernel in zip(values, kernels, strict=True)
                )
                for kernels in weight
            ]
        )[:, 1:-1, 1:-1]
        sums += layer.bias.numpy().astype(np.int64)[:, None, None]
        assert np.abs(sums).max() < 1 << 24
        return sums.astype(np.float32) * layer.meaning.numpy()[:, None, None]

    def padded(values: np.ndarray, value: int) -> np.ndarray:
        sides = ((0, 0), (1, 1), (1, 1))
        return np.pad(values, sides, constant_values=value)

    byte = np.float32(255)
    difference = np.rint(byte * (seen[1 : 1 + each] - first)).clip(-128, 127).astype(np.int64)
    frame = np.rint(byte * seen[:1]).astype(np.int64)
    features = np.rint(byte * seen[1 + each :]).astype(np.int64)
    values = np.concatenate(
        (
            np.pad(frame, ((0, 0), (1, 1), (1, 1)), mode="edge"),
            padded(difference + 128, 128),
            padded(features, 0),
        )
    )
    for layer, behind in pairwise(layers):
        found = np.maximum(convolved(values, layer), 0)
        values = padded(np.rint(found / np.float32(behind.step)).clip(0, 255).astype(np.int64), 0)
    inner = values[:, 1:-1, 1:-1]
    return convolved(values, layers[-1]), inner


@pytest.mark.parametrize("config", CONFIGS)
def test_a_step_is_integer_arithmetic(config: QuantizedConfig) -> None:
    """To the last bit, but for adding the interpolation and taking it off again."""
    network, seen = calibrated(config), noise_for(config, seed=1)

    with torch.no_grad():
        answer, features = network.step(seen)
        first = network.network.interpolated(seen[:, :1])

    carried = network.network.carried
    for k in (0, 1):
        detail, whole = slow_step(network, seen[k].numpy(), first[k].numpy())
        np.testing.assert_array_equal(answer[k].numpy(), first[k].numpy() + detail)
        np.testing.assert_allclose(255 * features[k].numpy(), whole[:carried], rtol=0, atol=1e-4)
        assert np.abs(detail).max() * 255 > 8
        assert whole.max(axis=(1, 2)).all()
        assert (whole == 0).any()


@pytest.mark.parametrize("config", CONFIGS)
def test_a_scene_goes_through_its_steps(config: QuantizedConfig) -> None:
    network, clip = calibrated(config), clip_of(4)

    with torch.no_grad():
        found = network(clip)
        expected = network.network.answers(clip, step=network.step)
        plain = network.network(clip)
        later = network.answers(clip, around=2)

    assert torch.equal(found, expected)
    assert torch.equal(later, expected[:, 2:])
    picture = network.network.interpolated(clip.flatten(0, 1)[:, None])[None]
    error = (found - plain).abs().mean()  # not what it stands for, and near it
    assert 0.01 / 255 < error < 0.35 * (plain - picture).abs().mean()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("level", [0, 100, 255])
def test_flat_stays_flat_in_whole_numbers(config: QuantizedConfig, level: int) -> None:
    network = calibrated(config)
    flat = torch.full((1, 3, HEIGHT, WIDTH), level / 255)

    answer = network(flat)

    torch.testing.assert_close(255 * answer, torch.full_like(answer, level), rtol=0, atol=0.01)
    first = network.layers()[0].weight.long()
    assert not first[:, 0].sum(dim=(1, 2)).any()
    assert first[:, 0].any()


@pytest.mark.parametrize("config", CONFIGS)
def test_every_parameter_gets_a_gradient(config: QuantizedConfig) -> None:
    checks.check_gradients(calibrated(config), clip_of().repeat(2, 1, 1, 1))


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_exported_has_whole_numbers_of_eight_bits(config: QuantizedConfig) -> None:
    network = calibrated(config)
    layers, each = network.layers(), config.scale**2

    assert len(layers) == config.network.depth + 2
    assert layers[0].step == layers[-1].step == pytest.approx(1 / 255)
    for k, layer in enumerate(layers):
        largest = layer.weight.int().flatten(1).abs().amax(dim=1)
        assert (largest <= LARGEST_WEIGHT).all()
        assert (largest >= LARGEST_WEIGHT - 2 * (k == 0)).all()
        torch.testing.assert_close(layer.meaning, layer.weight_step * layer.step)
        shift = -MIDDLE * layer.weight[:, 1 : 1 + each].int().sum(dim=(1, 2, 3))
        assert torch.equal(layer.bias, shift if k == 0 else torch.zeros_like(layer.bias))
    weight = network.network.head_weight()
    error = layers[0].weight * layers[0].weight_step[:, None, None, None] - weight
    assert (error.abs() <= 1.01 * layers[0].weight_step[:, None, None, None]).all()


def test_steps_are_by_squared_error_and_always_the_same() -> None:
    network, clip = calibrated(CONFIGS[2]), clip_of()
    steps = network.steps.detach().clone()
    seen: list[Tensor] = []

    network.calibrate([clip])

    def step(values: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(values)
        return network.network.step(values)

    assert torch.equal(network.steps, steps)
    with torch.no_grad():
        network.network.answers(clip, step=step)
        for k in range(len(steps)):
            values = network._features(seen[-1], upto=k)
            largest = values.abs().max() / 255

            def error(step: Tensor, values: Tensor = values) -> Tensor:
                return ((values / step).round().clamp(0, 255) * step - values).square().mean()

            best = error(steps[k].exp2())
            assert best <= 1.001 * error(largest)
            assert best < 0.5 * error(0.75 * steps[k].exp2())
            assert best < 0.9 * error(1.4 * steps[k].exp2())


def test_a_single_dot_does_not_set_the_steps() -> None:
    network = calibrated(CONFIGS[2])
    levels = np.random.default_rng(7).normal(128, 6, (1, 1, 80, 80)).round()
    levels[..., 40, 40] = 255
    dotted = torch.from_numpy(levels).float() / 255

    network.calibrate([dotted])

    with torch.no_grad():
        values = network._features(network.network.begin(dotted), upto=0)
    assert network.steps[0].exp2() < 0.97 * values.max() / 255


def test_every_input_counts_for_the_steps() -> None:
    network = calibrated(CONFIGS[1])
    before = network.steps.detach().clone()
    dark, bright = clip_of(contrast=0.1), clip_of()

    network.calibrate([dark, bright])

    torch.testing.assert_close(network.steps.detach(), before, rtol=0, atol=0.3)
    network.calibrate([dark])
    assert (network.steps < before - 0.5).any()


def test_what_a_clip_s_earlier_frames_saw_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network, alive = calibrated(CONFIGS[1]), list[int]()
    seen = WeakSet[Tensor]()
    step = network.network.step

    def counted(values: Tensor) -> tuple[Tensor, Tensor]:
        seen.add(values)
        alive.append(len(seen))
        return step(values)

    monkeypatch.setattr(network.network, "step", counted)
    network.calibrate([clip_of(6)] * 3)

    assert len(alive) == 18
    assert max(alive) <= 4  # the last one of each clip, and the one before this


def test_it_is_never_computed_in_mixed_precision() -> None:
    network = calibrated(CONFIGS[1])

    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(clip_of())

    assert torch.equal(mixed, network(clip_of()))


@pytest.mark.parametrize("config", CONFIGS)
def test_it_counts_as_its_network(config: QuantizedConfig) -> None:
    network = calibrated(config)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    for name in ("macs_per_position", "step_channels", "warm_up", "multiple", "margin", "widest"):
        assert getattr(config, name) == getattr(config.network, name)
    assert config.recurrent
    assert network_config(asdict(config)) == config


def test_other_bits_are_refused() -> None:
    refused = "activation_bits must be 8 of a frame-recurrent network, got 7"
    with pytest.raises(ValueError, match=refused):
        replace(CONFIGS[0], activation_bits=7)
