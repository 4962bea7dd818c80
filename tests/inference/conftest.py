"""bf16 on machines that have no hardware for it."""

from dataclasses import replace

import pytest

from upreel.inference import openvino


@pytest.fixture
def slow_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bf16 be asked for: OpenVINO computes it, slowly, on any CPU with AVX-512."""
    slow = tuple(
        replace(info, precisions=("bf16", "f32")) if info.device == "cpu" else info
        for info in openvino.devices()
    )
    monkeypatch.setattr(openvino, "devices", lambda: slow)
