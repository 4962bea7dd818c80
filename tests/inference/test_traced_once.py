"""Traces are shared by what is the same, and by nothing else.

Mutations tried: weights, attributes, free sides left out of the key.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from traced_once import traced_once

from upreel.inference import export
from upreel.networks.recurrent import Aligned


class Scaled(torch.nn.Module):
    """Weights, an attribute and a fixed kernel."""

    def __init__(self, seed: int = 0, factor: float = 2.0, fixed: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layer = torch.nn.Conv2d(1, 2, 3)
        self.factor = factor
        self.register_buffer("fixed", torch.tensor(fixed), persistent=False)


class Doubled(Scaled):
    """Another class with the same weights and attributes."""


@pytest.fixture
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """One entry for each network that was traced, its outputs' names."""
    seen: list[str] = []

    def trace(_: object, __: object, outputs: list[str]) -> onnx.ModelProto:
        seen.extend(outputs)
        return onnx.ModelProto(producer_name=outputs[0])

    monkeypatch.setattr(export, "_traced", trace)
    with traced_once(tmp_path):
        yield seen
    assert export._traced is trace


def traced(network: torch.nn.Module, output: str, **options: Any) -> str:  # noqa: ANN401
    side = torch.export.Dim("height", min=options.pop("least", 1))
    step = options.pop("step", 2)
    example = torch.zeros(1, 1, options.pop("rows", 8), 8)
    return export._traced(network, {"frame": (example, {2: step * side})}, [output]).producer_name


def test_the_same_network_is_traced_once(traces: list[str]) -> None:
    assert traced(Scaled(), "a") == traced(Scaled().train(), "a") == "a"
    assert traced(Aligned("bilinear"), "moved") == traced(Aligned("bilinear"), "moved") == "moved"
    assert traces == ["a", "moved"]


@pytest.mark.parametrize(
    "network",
    [Scaled(seed=1), Scaled(factor=3), Scaled(fixed=0.5), Doubled(), Aligned("bicubic")],
    ids=["weights", "attribute", "fixed kernel", "class", "interpolation"],
)
def test_another_network_is_traced_anew(network: torch.nn.Module, traces: list[str]) -> None:
    traced(Scaled(), "a")
    traced(Aligned("bilinear"), "a")
    traced(network, "a")
    assert len(traces) == 3


@pytest.mark.parametrize("other", [{"least": 2}, {"step": 4}, {"rows": 16}], ids=str)
def test_other_inputs_and_outputs_are_traced_anew(other: dict[str, int], traces: list[str]) -> None:
    traced(Scaled(), "a")
    traced(Scaled(), "a", **other)
    traced(Scaled(), "b")
    assert len(traces) == 3


def test_a_network_with_a_hook_is_its_own(traces: list[str]) -> None:
    for _ in range(2):
        network = Scaled()
        network.register_forward_hook(lambda *_: None)
        traced(network, "a")
    assert len(traces) == 2
