"""The frame-recurrent network: its beginning, what is carried and how it is moved, flat pictures.

Slow twins: a step in f64, each channel by SciPy; what is carried is moved sample by sample.
Mutations tried: nothing moved, motion rounded before it is scaled, motion to the future, that of
cells not interpolated, found beside zeros, zeros beyond the frame's border, the answer itself in
place of its difference, weights over the frame that do not sum to zero, nothing rounded or nothing
cut off of what is carried, levels in bf16, gradients through all frames or one too few, none from
beyond the bound, a last convolution that does not begin with zeros.
"""

from dataclasses import asdict, replace

import network_checks as checks
import numpy as np
import pytest
import torch
from network_checks import waves
from scipy.ndimage import correlate
from torch import Tensor

from upreel.degradation.resample import resample
from upreel.networks.build import build_network
from upreel.networks.frame_recurrent import (
    LEVELS,
    FrameRecurrentNetwork,
    FrameStep,
    motion_to_past,
    moved,
)
from upreel.networks.motion import cell_motion
from upreel.zoo import FrameRecurrentConfig, network_config

CONFIGS = [
    FrameRecurrentConfig(scale=2, channels=6, depth=1, carried=4),
    FrameRecurrentConfig(scale=3, channels=5, depth=2, carried=5),
    FrameRecurrentConfig(scale=4, channels=6, depth=3, carried=1),
]
HEIGHT, WIDTH = 20, 28  # multiples of 4, not of 16

Values = np.ndarray


def network_of(config: FrameRecurrentConfig, gain: float = 4.0) -> FrameRecurrentNetwork:
    """Random weights, so large that some answers and features are beyond what is carried."""
    network = checks.trained_like(config)
    assert isinstance(network, FrameRecurrentNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
    return network.eval()


def clip_of(count: int, height: int = HEIGHT, width: int = WIDTH, dx: float = 0.75) -> Tensor:
    """A picture of whole levels that moves by `dx` pixels a frame, (1, T, H, W)."""
    frames = [waves(height, width, dx * t, -0.5 * t) for t in range(count)]
    return (255 * torch.cat(frames, dim=1)).round() / 255


def slow_step(network: FrameRecurrentNetwork, seen: Values) -> tuple[Values, Values]:
    """A step in f64, from (S, H, W): the answer (A, H, W) and the features (K, H, W)."""

    def convolved(planes: Values, weight: Values, modes: list[str]) -> Values:
        return np.stack(
            [
                sum(
                    correlate(plane, kernel, mode=mode)
                    for plane, kernel, mode in zip(planes, kernels, modes, strict=True)
                )
                for kernels in weight
            ]
        )

    def weight_of(layer: torch.nn.Module) -> Values:
        assert isinstance(layer.weight, Tensor)
        return layer.weight.detach().double().numpy()

    each, beyond = network.scale**2, ["nearest"] + ["constant"] * (seen.shape[0] - 1)
    head = weight_of(network.head).copy()
    head[:, 0] -= head[:, 0].mean(axis=(1, 2), keepdims=True)
    kernel = network.interpolation.double().numpy()
    first = convolved(seen[:1], kernel, ["nearest"])
    planes = np.concatenate((seen[:1], seen[1 : 1 + each] - first, seen[1 + each :]))
    values = np.maximum(convolved(planes, head, beyond), 0)
    zeros = ["constant"] * len(values)
    for layer in network.body:
        values = np.maximum(convolved(values, weight_of(layer), zeros), 0)
    values = np.minimum(values, 1)
    return first + convolved(values, weight_of(network.tail), zeros), values[: network.carried]


def slow_moved(answer: Values, features: Values, motion: Values) -> tuple[Values, Values]:
    """A state moved sample by sample.

    Args:
        answer: the plane (s H, s W).
        features: (K, H, W).
        motion: (2, H/4, W/4): dx, dy; bilinear between the cells' middles.
    """
    _, height, width = features.shape
    scale = answer.shape[0] // height

    def between(position: int, cells: int) -> tuple[int, int, float]:
        place = min(max((position + 0.5) / 4 - 0.5, 0.0), cells - 1.0)
        return int(place), min(int(place) + 1, cells - 1), place % 1

    def flow(y: int, x: int) -> tuple[float, float]:
        (a, b, down), (c, d, right) = between(y, motion.shape[1]), between(x, motion.shape[2])
        dx, dy = (
            (1 - down) * ((1 - right) * m[a, c] + right * m[a, d])
            + down * ((1 - right) * m[b, c] + right * m[b, d])
            for m in motion.astype(float)
        )
        return dx, dy

    def inside(place: int, side: int) -> int:
        return min(max(place, 0), side - 1)

    plane, carried = np.empty_like(answer), np.empty_like(features)
    for y in range(height):
        for x in range(width):
            dx, dy = flow(y, x)
            row, column = inside(y + round(dy), height), inside(x + round(dx), width)
            carried[:, y, x] = features[:, row, column]
            for i in range(scale * y, scale * (y + 1)):
                for j in range(scale * x, scale * (x + 1)):
                    row = inside(i + round(scale * dy), scale * height)
                    column = inside(j + round(scale * dx), scale * width)
                    plane[i, j] = answer[row, column]
    return plane, carried


def in_levels(values: Values) -> Values:
    return np.rint(values.clip(0, 1) * 255) / 255


@pytest.mark.parametrize("config", CONFIGS)
def test_it_begins_as_bicubic_interpolation(config: FrameRecurrentConfig) -> None:
    network = build_network(asdict(config)).eval()
    given, size = clip_of(3), (config.scale * HEIGHT, config.scale * WIDTH)

    found = torch.pixel_shuffle(network(given), config.scale)[0, :, 0].detach().numpy()

    for picture, frame in zip(found, given[0].numpy(), strict=True):
        expected = resample(frame, *size, kernel="bicubic")
        assert np.abs(picture - expected).max() < 3 / 255  # its weights are 256ths
    assert (network_of(config)(given) - network(given)).abs().max() > 0.05


@pytest.mark.parametrize("config", CONFIGS)
def test_a_scene_is_its_steps_one_after_the_other(config: FrameRecurrentConfig) -> None:
    network, given = network_of(config), clip_of(3)
    seen, scale = [], config.scale

    def step(values: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(values[0].detach().double().numpy())
        return network.step(values)

    def plane_of(packed: Values) -> Values:
        return torch.pixel_shuffle(torch.from_numpy(packed)[None], scale)[0, 0].numpy()

    answers = network.answers(given, step=step)[0].detach().double().numpy()

    frames = given[0].double().numpy()
    larger = resample(frames[0].astype(np.float32), *plane_of(answers[0]).shape, kernel="bicubic")
    assert np.abs(plane_of(seen[0][1 : 1 + scale**2]) - larger).max() < 3 / 255
    assert not seen[0][1 + scale**2 :].any()
    for t, values in enumerate(seen):
        np.testing.assert_array_equal(values[0], frames[t])
        answer, features = slow_step(network, values)
        np.testing.assert_allclose(answers[t], answer, rtol=0, atol=1e-5)
        if t + 1 < len(seen):
            missing = [(0, -side % 16) for side in (HEIGHT, WIDTH)]
            pair = (np.pad(frames[k], missing, mode="edge")[None, None] for k in (t + 1, t))
            here, before = (torch.from_numpy(each).float() for each in pair)
            motion = cell_motion(here, before, (config.rounds,) * 3)[0, 0]
            motion = motion[:, : HEIGHT // 4, : WIDTH // 4].numpy()
            state = plane_of(in_levels(answer)), in_levels(features)
            plane, carried = slow_moved(*state, motion)
            # Where f32 and f64 lie at either side of a half level, there is another one.
            for found, expected in (
                (plane_of(seen[t + 1][1 : 1 + scale**2]), plane),
                (seen[t + 1][1 + scale**2 :], carried),
            ):
                assert np.mean(np.abs(found - expected) > 1e-6) < 0.002
    alone = network(given[:, 2:]).detach().numpy()[0, 0]
    assert np.abs(answers[2] - alone).mean() > 0.01  # what is carried matters


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_state_is_moved_by_whole_samples(scale: int) -> None:
    random = np.random.default_rng(scale)
    height, width = 12, 20
    answer = random.random((scale * height, scale * width), np.float32)
    features = random.random((3, height, width), np.float32)
    motion = random.integers(-24, 25, (2, 3, 5)) / np.float32(8)  # sums of it are exact
    motion[:, 0, 0], motion[:, 2, 4], motion[:, 1, 2] = -60, 60, (-60, 60)
    packed = torch.pixel_unshuffle(torch.from_numpy(answer)[None, None], scale)

    after, carried = moved(packed, torch.from_numpy(features)[None], torch.from_numpy(motion)[None])

    plane, expected = slow_moved(answer, features, motion)
    np.testing.assert_array_equal(torch.pixel_shuffle(after, scale)[0, 0].numpy(), plane)
    np.testing.assert_array_equal(carried[0].numpy(), expected)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("mixed", [False, True])
def test_what_is_carried_is_whole_levels(config: FrameRecurrentConfig, *, mixed: bool) -> None:
    network, seen = network_of(config), []

    def step(values: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(values[:, 1:])
        return network.step(values)

    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        answers = network.answers(clip_of(4), step=step)

    levels = LEVELS * torch.stack(seen).double()
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert (levels.min().round(), levels.max().round()) == (0, 255)
    assert not levels[0, :, -config.carried :].any()
    assert levels[1:, :, -config.carried :].amax(dim=(0, 1, 3, 4)).all()
    assert answers.min() < 0 or answers.max() > 1  # beyond what was carried


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("level", [0, 153, 255])
def test_flat_stays_flat_up_to_the_border(config: FrameRecurrentConfig, level: int) -> None:
    network = network_of(config)
    flat = torch.full((1, 4, HEIGHT, WIDTH), level / 255)

    answer = network(flat)

    torch.testing.assert_close(answer, torch.full_like(answer, level / 255), rtol=0, atol=1e-5)


def test_motion_is_found_on_the_padded_frame() -> None:
    frames = clip_of(3, 20, 44)
    padded = torch.from_numpy(np.pad(frames.numpy(), [(0, 0)] * 2 + [(0, 12), (0, 4)], "edge"))

    found = motion_to_past(frames)

    assert found.shape == (1, 2, 2, 5, 11)
    for t in (0, 1):
        expected = cell_motion(padded[:, t + 1 : t + 2], padded[:, t : t + 1])[:, 0, :, :5, :11]
        torch.testing.assert_close(found[:, t], expected)
    inner = found[..., 1:-1, 2:-2].mean(dim=(0, 1, 3, 4))
    assert inner.tolist() == pytest.approx([-0.75, 0.5], abs=0.2)


@pytest.mark.parametrize("around", [1, 3])
def test_frames_around_are_gone_through_and_not_learned_from(around: int) -> None:
    network, frames = network_of(CONFIGS[0]), clip_of(2 + around).requires_grad_()
    whole = network(frames)

    answers = network.answers(frames, around)

    torch.testing.assert_close(answers, whole[:, around:])
    for found, first in ((answers, around), (whole, 0)):
        (gradient,) = torch.autograd.grad(found[:, -1].square().sum(), frames, retain_graph=True)
        reached = gradient.abs().sum(dim=(0, 2, 3)) > 0
        assert reached.tolist() == [t >= first for t in range(2 + around)]
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("count", [1, 3])
def test_every_parameter_gets_a_gradient(config: FrameRecurrentConfig, count: int) -> None:
    network, given = network_of(config), clip_of(count).repeat(2, 1, 1, 1)

    checks.check_gradients(network, given)

    assert network(given).shape == (2, count, config.scale**2, HEIGHT, WIDTH)


def test_what_is_cut_off_is_learned_from() -> None:
    """Features beyond their bound and answers beyond white have the gradient of those within."""
    network = network_of(CONFIGS[0], gain=12)
    frames = clip_of(2)
    features = network.step(network.begin(frames[:, :1]))[1]
    assert (features.max(), (features == 1).sum() > 9) == (1, True)

    (gradient,) = torch.autograd.grad(features[features == 1].sum(), network.head.weight)

    assert gradient.abs().max() > 0


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: FrameRecurrentConfig) -> None:
    network = network_of(config)
    given = torch.rand(1, config.step_channels, HEIGHT, WIDTH)

    macs = checks.count_macs(FrameStep(network), given) / (HEIGHT * WIDTH)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    assert config.macs_per_position == macs - 25 * config.scale**2  # the interpolation
    assert config.step_channels == 1 + config.scale**2 + config.carried
    assert config.widest == max(config.channels, config.step_channels)
    assert network_config(asdict(config)) == config


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_exported_is_a_step(config: FrameRecurrentConfig) -> None:
    network = network_of(config)
    seen = torch.rand(2, config.step_channels, HEIGHT, WIDTH)

    found = FrameStep(network).eval()(seen)

    answer, features = network.step(seen)
    torch.testing.assert_close(found, torch.cat((answer, features), dim=1), rtol=0, atol=1e-5)
    slow = np.concatenate(slow_step(network, seen[0].double().numpy()))
    np.testing.assert_allclose(found[0].detach().numpy(), slow, rtol=0, atol=1e-5)


def test_clips_of_a_batch_do_not_meet() -> None:
    network = network_of(CONFIGS[0])
    clips = [clip_of(3), clip_of(3, dx=-1.0)]

    together = network(torch.cat(clips))

    for k, clip in enumerate(clips):
        error = (together[k : k + 1] - network(clip)).abs()
        assert (error < 1e-4).float().mean() > 0.9  # but for what another half level carries on
        assert error.max() < 0.1 * (together[k] - together[1 - k]).abs().max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 5}, "scale must be 2, 3 or 4, got 5"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"carried": 0}, "carried must be at least 1, got 0"),
        ({"carried": 7}, "carried must be at most channels 6, got 7"),
        ({"kind": "fast"}, "kind must be frame_recurrent, got 'fast'"),
    ],
)
def test_values_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIGS[0], **change)
