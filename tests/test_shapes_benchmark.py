"""benchmarks/shapes.py: what it prints, and what it refuses."""

import json
from types import ModuleType

import pytest
from scripts_as_modules import module_of

SMALL = ["--size", "48x32", "--channels", "4", "--rounds", "1", "--threads", "1"]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_of("benchmarks/shapes.py")


def test_untrained_networks_are_timed(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.main(["2", *SMALL, "--depths", "0", "2", "--plain", "--json"])
    networks = json.loads(capsys.readouterr().out)["networks"]
    benchmark.main(["4", *SMALL, "--depths", "2", "--layout", "luma"])
    text = capsys.readouterr().out

    assert [(each["channels"], each["depth"]) for each in networks] == [(4, 0), (4, 2)]
    # 12 inputs to 4 to 24 with 3x3, and two of 4 to 4 with biases between them.
    assert [each["parameters"] for each in networks] == [1300, 1300 + 2 * 148]
    assert all(each[kind]["ms"] > 0 for each in networks for kind in ("float", "int8"))
    assert "48x32 x4" in text


def test_what_there_is_not_is_one_line(benchmark: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"^shapes: .*depth must be .*got 3"):
        benchmark.main(["2", *SMALL, "--depths", "3"])
