"""Layers of a network: their arithmetic is the config's, their time is there, and what is refused.

Mutations tried: arithmetic of one output row, the first rounds counted, all kinds summed as one.
"""

import pytest

from upreel.errors import BackendUnavailableError, OptionError
from upreel.evaluation.layers import Layer, Layers, best_macs_a_cycle, measure_layers, summary
from upreel.inference.engine import EngineReport
from upreel.inference.tiles import grid_size
from upreel.pipeline.machine import clock_hz, describe_machine
from upreel.zoo import load_card


@pytest.mark.parametrize("name", ["fast-x2", "fast-x4-clean"])
def test_the_layers_do_the_arithmetic_of_the_config(name: str) -> None:
    card = load_card(name)

    result = measure_layers(card, size=(96, 64), precision="f32", threads=1, rounds=2)

    rows, columns, margin = grid_size(card, 64, 96)
    positions = (rows + 2 * margin) * (columns + 2 * margin)
    config = card.network
    # The interpolation is stored for every frame of the window, with zeros for all but one.
    each = 6 if config.layout == "packed" else 1
    taps = 9 if config.layout == "packed" else 25
    idle = taps * each * (len(config.offsets) - 1) * each * config.scale**2
    assert sum(layer.macs for layer in result.layers) == positions * (
        config.macs_per_position + idle
    )
    assert result.ms > 0
    assert all(layer.ms > 0 for layer in result.layers)


def report() -> EngineReport:
    return EngineReport(
        engine="openvino", device="cpu", name="any", precision="int8", threads=2, reason=""
    )


def test_time_is_summed_by_kind_and_set_against_the_best() -> None:
    layers = [
        Layer(name="a", kind="Convolution", kernel="brgconv", ms=3.0, macs=6_000_000),
        Layer(name="b", kind="Reorder", kernel="jit", ms=1.0, macs=0),
        Layer(name="c", kind="Convolution", kernel="brgconv", ms=4.0, macs=2_000_000),
    ]
    result = Layers(
        model="any",
        size=(960, 540),
        report=report(),
        machine=describe_machine(),
        layers=tuple(layers),
        best_macs_a_second=4e9,
    )

    text = summary(result)

    assert result.ms == 8.0
    assert result.share_of_best == pytest.approx(0.25)  # 8 million in 8 ms: 1 G a second
    assert "Convolution  7.00  88%" in text
    assert "all layers: 8.00 ms, 25% of the 4 G multiply-adds a second" in text
    assert result.to_json()["share_of_best"] == pytest.approx(0.25)


def test_a_cpu_that_is_not_known_has_no_best() -> None:
    assert best_macs_a_cycle(("amx_int8", "avx512f", "avx512_vnni"), "int8") == 1024
    assert best_macs_a_cycle(("avx2", "avx_vnni"), "int8") == 64
    assert best_macs_a_cycle(("avx512f",), "f32") == 32
    assert best_macs_a_cycle(("avx512f",), "bf16") is None
    assert best_macs_a_cycle((), "f32") is None
    assert clock_hz("processor : 0\n") is None


def test_networks_of_several_parts_are_refused() -> None:
    for name in ("best-x4", "tan-x4"):
        with pytest.raises(OptionError, match=f"{name} is run as several networks"):
            measure_layers(load_card(name), size=(96, 64))


def test_a_precision_that_the_model_has_not_is_refused() -> None:
    with pytest.raises(BackendUnavailableError, match="espcn-x4 cannot run in int8"):
        measure_layers(load_card("espcn-x4"), size=(96, 64), precision="int8")
