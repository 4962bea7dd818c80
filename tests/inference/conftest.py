"""bf16 on machines that have no hardware for it; small networks of every kind."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from small_cards import export_small

from upreel.inference import openvino
from upreel.zoo import ModelCard


@pytest.fixture
def slow_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bf16 be asked for: OpenVINO computes it, slowly, on any CPU with AVX-512."""
    slow = tuple(
        replace(info, precisions=("bf16", "f32")) if info.device == "cpu" else info
        for info in openvino.devices()
    )
    monkeypatch.setattr(openvino, "devices", lambda: slow)


@pytest.fixture(scope="session")
def small_cards(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelCard]:
    """Small networks by name, exported once."""
    folder = tmp_path_factory.mktemp("cards")
    made: dict[str, ModelCard] = {}

    def small_card(name: str) -> ModelCard:
        if name not in made:
            made[name] = export_small(name, folder)
        return made[name]

    return small_card
