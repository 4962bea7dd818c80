"""The recurrent network: gradients, its beginning, both directions, motion, flat pictures, counts.

Mutations tried: the state not moved, motion swapped or not scaled to the answer, zeros beyond the
border, the level left out, the backward cell's state not given to the forward one.
"""

from dataclasses import asdict, replace

import network_checks as checks
import pytest
import torch
from network_checks import waves
from torch import Tensor

from upreel.networks.build import build_network
from upreel.networks.motion import cell_motion
from upreel.networks.recurrent import LARGEST_FEATURE, RecurrentNetwork, State, moved
from upreel.zoo import EspcnConfig, FastConfig, RecurrentConfig
from upreel.zoo.configs import TemporalAdaptiveConfig

FIRST = FastConfig(scale=4, channels=6, depth=2, layout="luma")
FUSING = TemporalAdaptiveConfig(
    branch=replace(FIRST, scale=2), modulation_channels=(6, 4), alignment="flow", fusion=(6, 2)
)
ESPCN = EspcnConfig(scale=2, channels=(6, 4), activation="relu", residual=True)
CONFIGS = [
    RecurrentConfig(first=FIRST, channels=6, depth=2),
    RecurrentConfig(first=ESPCN, channels=5, depth=4),
    RecurrentConfig(first=replace(FIRST, scale=2), channels=6, depth=2, interpolation="bicubic"),
    RecurrentConfig(first=FUSING, channels=6, depth=2),
]
ALONE = CONFIGS[:3]


def network_of(config: RecurrentConfig) -> RecurrentNetwork:
    network = checks.trained_like(config)
    assert isinstance(network, RecurrentNetwork)
    return network


def clip_of(count: int, height: int = 32, width: int = 48, dx: float = 0.5) -> Tensor:
    """A picture that moves by `dx` pixels a frame, (1, T, H, W)."""
    return torch.cat([waves(height, width, dx * t, 0.25 * t) for t in range(count)], dim=1)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_parameter_gets_a_gradient(config: RecurrentConfig, count: int) -> None:
    network, given = network_of(config), clip_of(count).repeat(2, 1, 1, 1)

    checks.check_gradients(network, given)

    assert network(given).shape == (2, count, config.scale**2, 32, 48)


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_are_those_of_the_module(config: RecurrentConfig) -> None:
    network = network_of(config)

    assert config.num_parameters == sum(p.numel() for p in network.parameters())
    convolutions = (p for p in network.parameters() if p.ndim == 4)
    interpolation = 25 * config.scale**2
    assert config.macs_per_position == sum(p.numel() for p in convolutions) + interpolation


@pytest.mark.parametrize("config", ALONE)
def test_it_begins_with_the_answers_of_its_first_network(config: RecurrentConfig) -> None:
    fresh, trained = build_network(asdict(config)).eval(), network_of(config).eval()
    assert isinstance(fresh, RecurrentNetwork)
    fresh.first.load_state_dict(trained.first.state_dict())
    given = clip_of(3)
    m = config.first.margin

    alone = [
        fresh.first(torch.nn.functional.pad(frame, (m, m, m, m), mode="replicate"))
        for frame in given.split(1, dim=1)
    ]

    expected = torch.stack([answer[..., m:-m, m:-m] for answer in alone], dim=1)
    torch.testing.assert_close(fresh(given), expected)
    assert not torch.allclose(trained(given), expected, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_its_first_answers_may_be_those_of_windows(count: int) -> None:
    """Away from the border, which the temporal adaptive network leaves to its caller."""
    network, given = network_of(CONFIGS[3]).eval(), clip_of(count, 64, 96)
    begun = build_network(asdict(CONFIGS[3])).eval()
    assert isinstance(begun, RecurrentNetwork)
    begun.first.load_state_dict(network.first.state_dict())
    m, inner = 16, (..., slice(8, -8), slice(8, -8))
    wide = torch.nn.functional.pad(given, (m, m, m, m), mode="replicate")

    def window_of(t: int, *offsets: int) -> Tensor:
        window = [min(max(t + offset, 0), count - 1) for offset in offsets]
        return network.first(wide[:, window])[..., m:-m, m:-m][inner]

    answers = begun(given)

    for t in range(count):
        found, expected = answers[:, t][inner], window_of(t, 0, -1, 1, -2, 2)
        error = (found - expected).abs().mean()  # motion is found without what is beyond the border
        for wrong in (window_of(t, 0, 0, 0, 0, 0), window_of(t, 0, 1, -1, 2, -2)):
            assert count == 1 or error < 0.15 * (wrong - expected).abs().mean()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("changed", "seen"), [(0, 3), (3, 0)])
def test_each_frame_is_seen_from_both_sides(
    config: RecurrentConfig, changed: int, seen: int
) -> None:
    network, given = network_of(config).eval(), clip_of(4)
    other = given.clone()
    other[:, changed, 8:24, 8:24] += 0.2

    before, after = network(given), network(other)

    assert (after[:, seen] - before[:, seen]).abs().max() > 1e-4


@pytest.mark.parametrize("scale", [2, 4])
def test_a_state_follows_the_motion(scale: int) -> None:
    height, width, dx = 64, 96, 1.5
    then, now = waves(height, width), waves(height, width, dx)
    large = [waves(scale * height, scale * width, scale * dx * k, zoom=scale) for k in (0, 1)]
    answers = [torch.nn.functional.pixel_unshuffle(picture, scale) for picture in large]
    state = State(features=then, answer=answers[0], level=torch.ones(1))

    after = moved(state, cell_motion(now, then)[:, 0])

    inner = (..., slice(16, -16), slice(16, -16))
    for values, truth, still in (
        (after.features, now, then),
        (after.answer, answers[1], answers[0]),
    ):
        error = (values - truth)[inner].square().mean()
        assert error < 0.03 * (still - truth)[inner].square().mean()
    assert torch.equal(after.level, state.level)


def test_a_cubic_blurs_less_what_is_moved_again_and_again() -> None:
    """Eight times by a quarter of a sample of the low resolution: half a sample of x2."""
    large = waves(128, 128, zoom=1.0)
    motion = torch.zeros(1, 2, 16, 16)
    motion[:, 0] = -0.25
    errors: dict[str, Tensor] = {}
    for interpolation in ("bilinear", "bicubic"):
        answer = torch.nn.functional.pixel_unshuffle(large, 2)
        state = State(features=large[..., ::2, ::2], answer=answer, level=torch.ones(1))
        for _ in range(8):
            state = moved(state, motion, interpolation)
        truth = waves(128, 128, 4.0, zoom=1.0)
        found = torch.nn.functional.pixel_shuffle(state.answer, 2)
        errors[interpolation] = (found - truth)[..., 24:-24, 24:-24].square().mean()
        features = state.features
    assert errors["bicubic"] < 0.3 * errors["bilinear"]
    assert features.shape == (1, 1, 64, 64)


def test_a_network_moves_answers_as_its_config_says() -> None:
    config = CONFIGS[2]
    network = network_of(config).eval()
    other = build_network(asdict(replace(config, interpolation="bilinear"))).eval()
    other.load_state_dict(network.state_dict())
    given = clip_of(3)
    assert (network(given) - other(given)).abs().max() > 1e-4
    aligned = network.cells()["aligned"]
    state = torch.rand(1, 6, 32, 48), torch.rand(1, 4, 32, 48)
    answer, motion = torch.rand(1, 4, 32, 48), torch.full((1, 2, 8, 12), 0.3)
    features, difference = aligned(answer, motion, *state)
    expected = moved(
        State(features=state[0], answer=state[1], level=torch.zeros(6)), motion, "bicubic"
    )
    assert torch.equal(features, expected.features)
    assert torch.equal(difference, expected.answer - answer)


@pytest.mark.parametrize("config", CONFIGS)
def test_flat_pictures_stay_flat_up_to_the_border(config: RecurrentConfig) -> None:
    network = network_of(config).double().eval()
    if config.first.kind == "espcn":  # ESPCN itself makes no such promise
        network.first.tail.weight.data.zero_()
        assert network.first.tail.bias is not None
        network.first.tail.bias.data.zero_()
    level = torch.full((1, 4, 32, 32), 0.7).double()

    answer = network(level)

    torch.testing.assert_close(answer, torch.full_like(answer, 0.7), rtol=0, atol=1e-6)
    assert network(clip_of(4, 32, 32).double()).std() > 0.01


def test_clips_of_a_batch_do_not_meet() -> None:
    network = network_of(CONFIGS[0]).eval()
    clips = [clip_of(3), clip_of(3, dx=-1.0)]

    together = network(torch.cat(clips))

    for k, clip in enumerate(clips):
        torch.testing.assert_close(together[k : k + 1], network(clip), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 3}, "depth must be an even number from 0 on, got 3"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"first": replace(FIRST, layout="packed")}, "first must be of layout luma, got 'packed'"),
        ({"first": replace(FIRST, frames=3)}, "branch must be of one frame, got 3"),
        ({"first": replace(FUSING, alignment="none")}, "must fuse answers of three frames or more"),
        ({"first": replace(FUSING, branches=1)}, "must fuse answers of three frames or more"),
    ],
)
def test_values_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIGS[0], **change)


@pytest.mark.parametrize("around", [1, 3])
def test_frames_around_are_gone_through_and_not_learned_from(around: int) -> None:
    network, frames = network_of(CONFIGS[0]), clip_of(2 + 2 * around).requires_grad_()
    whole = network(frames)

    answers, behind = network.both_ways(frames, around)

    torch.testing.assert_close(answers, whole[:, around:-around])
    torch.testing.assert_close(behind, network.both_ways(frames)[1][:, around:-around])
    for found in (answers, behind):
        (gradient,) = torch.autograd.grad(found.square().sum(), frames, retain_graph=True)
        reached = gradient.abs().sum(dim=(0, 2, 3)) > 0
        assert reached.tolist() == [around <= t < around + 2 for t in range(2 + 2 * around)]


def test_the_backward_direction_answers_from_what_comes_later_alone() -> None:
    network, frames = network_of(CONFIGS[0]).eval(), clip_of(4)

    behind = network.both_ways(frames)[1]

    state = network.from_future.begin(network.first_answers(frames)[:, 3])
    last = network.from_future(network.first_answers(frames)[:, 3], state)
    torch.testing.assert_close(behind[:, 3], last.answer)
    torch.testing.assert_close(behind[:, 2:], network.both_ways(frames[:, 2:])[1])
    assert (behind[:, 0] - network.both_ways(frames[:, :1])[1][:, 0]).abs().max() > 1e-4


def test_what_is_carried_is_bounded_however_long_the_scene() -> None:
    network = network_of(CONFIGS[0]).eval()
    with torch.no_grad():
        for cell in (network.from_future, network.from_past):
            cell.head.weight *= 50  # more comes out of each step than went in
    frame = clip_of(1)
    answers = network.first_answers(frame)[:, 0]
    state = network.from_future.begin(answers)
    for _ in range(60):
        state = network.from_future(answers, state)

    assert state.features.abs().max() == LARGEST_FEATURE
    assert state.level.abs().max() <= LARGEST_FEATURE
    network.train()  # the same values, and a gradient from beyond the bound
    learned = network.from_future(answers, network.from_future.begin(answers))
    for _ in range(5):
        learned = network.from_future(answers, learned)
    assert (learned.features.abs() > LARGEST_FEATURE - 1e-6).all(dim=1).any()
    assert learned.features.abs().max() <= LARGEST_FEATURE + 1e-6
    beyond = learned.features[learned.features.abs() > LARGEST_FEATURE - 1e-6]
    (gradient,) = torch.autograd.grad(beyond.sum(), network.from_future.head.weight)
    assert gradient.abs().max() > 0
    most = LARGEST_FEATURE * network.from_future.tail.weight.abs().sum(dim=(1, 2, 3)).max()
    assert (state.answer - answers).abs().max() <= 2 * most


def test_states_from_around_are_those_of_the_whole_scene() -> None:
    network, frames = network_of(CONFIGS[0]), clip_of(6)
    alone = network(frames[:, 2:-2])

    assert (network.both_ways(frames, around=2)[0] - alone).abs().max() > 1e-3
