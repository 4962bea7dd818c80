"""benchmarks/layers.py: what it prints, and what it refuses."""

import json
from types import ModuleType

import pytest
from scripts_as_modules import module_of

from upreel.zoo import load_card


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/layers.py")


def test_the_layers_are_printed(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["fast-x2", "--size", "96x64", "--rounds", "1", "--threads", "1"])
    text = capsys.readouterr().out
    benchmark.main(["fast-x2", "--size", "96x64", "--rounds", "1", "--json"])
    values = json.loads(capsys.readouterr().out)

    assert "fast-x2, 96x64, openvino" in text
    assert "Convolution" in text
    assert len([layer for layer in values["layers"] if layer["macs"]]) == 9


def test_of_a_frame_recurrent_network_it_is_the_step(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.main(["live-x4-clean", "--size", "94x62", "--rounds", "1", "--threads", "1",
                    "--precision", "f32", "--json"])  # fmt: skip
    values = json.loads(capsys.readouterr().out)

    network = load_card("live-x4-clean").network
    first = 25 * 16  # the interpolation's multiply-adds of a sample, which the card leaves out
    macs = sum(layer["macs"] for layer in values["layers"])
    assert macs == 96 * 64 * (network.macs_per_position + first)


def test_what_cannot_be_measured_is_one_line(benchmark: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"^layers: no model .fast-x9.; there are: fast-x2, "):
        benchmark.main(["fast-x9"])
    with pytest.raises(SystemExit, match=r"^layers: best-x4 is run as several networks: it has no"):
        benchmark.main(["best-x4"])
