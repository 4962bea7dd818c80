"""benchmarks/layers.py: what it prints, and what it refuses."""

import json
from types import ModuleType

import pytest
from scripts_as_modules import module_of


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


def test_what_cannot_be_measured_is_one_line(benchmark: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"^layers: no model .fast-x9.; there are: fast-x2, "):
        benchmark.main(["fast-x9"])
