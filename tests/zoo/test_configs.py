"""Architectures as values: JSON and back, what is refused, reach by counting. No PyTorch here.

What configs say of their networks (radius, parameters, multiply-accumulates) is tested beside
the networks. Mutations tried: taps of phase 0 taken as 2, a branch left as the mapping it came as.
"""

import json
from dataclasses import asdict
from typing import Any

import pytest

from upreel.zoo import (
    EncoderDecoderConfig,
    EspcnConfig,
    FastConfig,
    FusionConfig,
    NetworkConfig,
    RecurrentConfig,
    SrcnnConfig,
    TemporalAdaptiveConfig,
    VespcnConfig,
    network_config,
)
from upreel.zoo.configs.common import reach_after_upscaling

FAST = FastConfig(scale=4, channels=8, depth=2, layout="luma")
FIRST = FastConfig(scale=4, channels=8, depth=2, layout="luma", phase="first")
CONFIGS: list[NetworkConfig] = [
    FAST,
    FIRST,
    RecurrentConfig(first=FIRST, channels=8, depth=2),
    RecurrentConfig(first=FIRST, channels=8, depth=2, interpolation="bicubic"),
    EspcnConfig(scale=3, frames=5, channels=(8, 4), activation="relu", residual=True),
    SrcnnConfig(scale=2, channels=(8, 4), sizes=(9, 1, 5)),
    EncoderDecoderConfig(scale=4, channels=(4, 8)),
    VespcnConfig(scale=4, frames=5, channels=8, depth=3),
    TemporalAdaptiveConfig(branch=FAST, modulation="free", alignment="rectified"),
    TemporalAdaptiveConfig(branch=EspcnConfig(scale=2), branches=2, modulation_channels=(8, 4)),
    TemporalAdaptiveConfig(branch=FAST, alignment="flow", fusion=(8, 4)),
    FusionConfig(first=FAST, frames=3, channels=8, depth=4, alignment="none"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_goes_through_json(config: NetworkConfig) -> None:
    assert network_config(json.loads(json.dumps(asdict(config)))) == config
    assert hash(network_config(json.loads(json.dumps(asdict(config))))) == hash(config)


@pytest.mark.parametrize("config", CONFIGS)
def test_windows_are_centred_and_the_current_frame_is_first(config: NetworkConfig) -> None:
    assert config.offsets[0] == 0
    assert len(config.offsets) == config.frames
    assert sum(config.offsets) == 0
    assert [abs(offset) for offset in config.offsets] == sorted(abs(o) for o in config.offsets)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("espcn", {"scale": 5}, "scale must be 2, 3 or 4, got 5"),
        ("espcn", {"scale": 2, "frames": 2}, r"frames must be one of \(1, 3, 5, 7, 9\), got 2"),
        ("espcn", {"scale": 2, "channels": [8]}, r"channels must be 2 numbers.*got \(8,\)"),
        ("espcn", {"scale": 2, "channels": [8, 0]}, r"channels must be 2 .* got \(8, 0\)"),
        ("espcn", {"scale": 2, "activation": "elu"}, "activation must be tanh or relu, got 'elu'"),
        ("srcnn", {"scale": 2, "sizes": [9, 4, 5]}, r"sizes must be odd, got \(9, 4, 5\)"),
        ("encoder_decoder", {"scale": 1}, "scale must be 2, 3 or 4, got 1"),
        ("vespcn", {"scale": 2, "frames": 1}, r"frames must be one of \(3, 5\), got 1"),
        ("vespcn", {"scale": 2, "depth": 1}, "depth must be at least 2, got 1"),
        ("vespcn", {"scale": 2, "coarse": 0}, "coarse must be at least 1, got 0"),
        ("fusion", {"first": asdict(FastConfig(scale=2, channels=4, depth=0))}, "got 'packed'"),
        (
            "fusion",
            {"first": asdict(FAST), "frames": 1},
            r"frames must be one of \(3, 5, 7, 9\), got 1",
        ),
        ("fusion", {"first": asdict(FAST), "depth": 3}, "depth must be an even .* got 3"),
        ("fusion", {"first": asdict(FAST), "alignment": "rectified"}, "flow or none, got 'rect"),
        ("fast", {"scale": 2, "channels": 0, "depth": 2}, "channels must be at least 1, got 0"),
        ("fast", {"scale": 2, "channels": 8, "depth": 2, "layout": "rgb"}, "got 'rgb'"),
        ("fast", {"scale": 2, "channels": 8, "depth": 2, "phase": "last"}, "got 'last'"),
        (
            "fast",
            {"scale": 4, "channels": 8, "depth": 2, "phase": "first"},
            "first is for layout luma, got 'packed'",
        ),
        ("fusion", {"first": asdict(FIRST)}, "phase of a branch must be centred, got 'first'"),
    ],
)
def test_impossible_networks_are_refused(kind: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_config({"kind": kind, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"branch": asdict(FIRST)}, "phase of a branch must be centred, got 'first'"),
        ({"branches": 6}, "branches must be 1 to 5, got 6"),
        ({"branch": asdict(EspcnConfig(scale=2, frames=3))}, "branch must be of one frame, got 3"),
        (
            {"branch": asdict(VespcnConfig(scale=2))},
            "branch must be of kind fast, espcn, srcnn or encoder_decoder, got Vespcn",
        ),
        ({"branch": {"kind": "new"}}, "no network of kind 'new'"),
        ({"branch": 3}, "branch must be of kind fast, espcn, srcnn or encoder_decoder, got 3"),
        ({"modulation": "max"}, "modulation must be softmax, free or mean, got 'max'"),
        ({"alignment": "flow"}, "alignment must be none, rectified or spatial, got 'flow'"),
        ({"fusion": [8]}, r"fusion must be 2 numbers from 1 on, got \(8,\)"),
        ({"fusion": [8, 3]}, "depth must be an even number from 0 on, got 3"),
        ({"fusion": [8, 2], "alignment": "spatial"}, "alignment of answers .* got 'spatial'"),
        ({"spatial_weight": -1.0}, "spatial_weight must be at least 0, got -1.0"),
    ],
)
def test_impossible_temporal_adaptive_networks_are_refused(
    values: dict[str, Any], message: str
) -> None:
    given = {"kind": "temporal_adaptive", "branch": asdict(EspcnConfig(scale=2)), **values}

    with pytest.raises(ValueError, match=message):
        network_config(given)


def test_the_first_answers_say_where_all_answers_lie() -> None:
    phases = [RecurrentConfig(first=first).answer_phase for first in (FAST, FIRST)]

    assert phases == ["centred", "first"]


def test_what_describes_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="no network of kind 'slow'; there are: fast, espcn"):
        network_config({"kind": "slow"})
    with pytest.raises(TypeError, match="names and values, got 'fast'"):
        network_config("fast")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bogus"):
        network_config({"kind": "espcn", "scale": 2, "bogus": 1})


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("left", [0, 1, 2, 6, 8])
def test_reach_is_counted_in_the_taps_of_keys_cubic(scale: int, left: int) -> None:
    reached: set[int] = set()
    for sample in range(-left, scale):
        centre = (sample + 0.5) / scale - 0.5
        reached |= {
            tap
            for tap in range(-20, 20)
            if abs(tap - centre) < 2 - 1e-9 and (abs(tap - centre) < 1e-9 or tap % 1 != centre % 1)
        }

    assert reach_after_upscaling(scale, left) == -min(reached)


def test_a_branch_is_widened_to_its_frames() -> None:
    config = TemporalAdaptiveConfig(branch=FAST)

    assert [branch.frames for branch in config.branch_configs] == [1, 3, 5]
    assert config.branch_configs[0] == FAST
    assert (config.frames, config.scale, config.layout) == (5, 4, "luma")
