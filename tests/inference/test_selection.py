"""Devices, precisions and weights that are not there: one line that names what is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors
import pytest

from upreel.errors import BackendUnavailableError, WeightsError
from upreel.inference import available_devices, open_session
from upreel.inference.engine import DeviceInfo, EngineReport, SessionRequest, report_of
from upreel.inference.tiles import memory_available
from upreel.zoo import ModelCard, load_card


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_card("fast-x2-clean")


def test_the_cpu_is_there_by_both_engines() -> None:
    there = {info.device: info for info in available_devices()}

    assert there["cpu"].engine == "openvino"
    assert there["ort-cpu"].engine == "onnxruntime"
    assert [p for p in there["cpu"].precisions if p != "int8"] in (["f32"], ["bf16", "f32"])
    assert all(info.reason and info.name for info in there.values())


def test_automatic_choices_are_the_first_that_fit(card: ModelCard) -> None:
    cpu = next(info for info in available_devices() if info.device == "cpu")

    report = open_session(card, 8, 8, device="cpu", threads=1).describe()
    only_f32 = replace(card, tolerance={"f32": 1.0})
    plain = open_session(only_f32, 8, 8, device="cpu", threads=1).describe()

    assert (report.device, report.precision, report.threads) == ("cpu", cpu.precisions[0], 1)
    assert report.engine.startswith("openvino 20")
    assert report.reason == cpu.reason
    assert plain.precision == "f32"


@pytest.mark.parametrize(
    ("bits", "depth", "precision", "reason"),
    [
        (8, 0, "bf16", ""),
        (10, 0, "bf16", ""),
        (12, 0, "f32", "bf16 would round levels of 12 bits"),
        (16, 8, "bf16", ""),  # luma made of RGB
        (16, 12, "f32", "bf16 would round levels of 12 bits"),
    ],
)
@pytest.mark.usefixtures("slow_bf16")
def test_deep_levels_are_not_rounded_unless_asked_for(
    card: ModelCard, bits: int, depth: int, precision: str, reason: str
) -> None:
    def opened(precision: str) -> EngineReport:
        return open_session(
            card, 8, 8, bits=bits, depth=depth, device="cpu", precision=precision, threads=1
        ).describe()

    chosen = opened("auto")
    assert chosen.precision == precision
    assert reason in chosen.reason
    assert opened("bf16").precision == "bf16"
    assert opened("f32").reason == "asked for instead of bf16"


def test_unknown_devices_are_answered_with_those_that_are_there(card: ModelCard) -> None:
    with pytest.raises(BackendUnavailableError, match="no device 'tpu' here; there are: cpu") as e:
        open_session(card, 8, 8, device="tpu")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(("device", "precision"), [("cpu", "f8"), ("ort-cpu", "bf16")])
def test_unknown_precisions_are_answered_with_those_that_are_there(
    card: ModelCard, device: str, precision: str
) -> None:
    message = rf"fast-x2-clean cannot run in {precision} on {device} .*; it can in: .*f32"
    with pytest.raises(BackendUnavailableError, match=message) as caught:
        open_session(card, 8, 8, device=device, precision=precision)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cpu", "ort-cpu"])
def test_other_weights_never_run(card: ModelCard, device: str, tmp_path: Path) -> None:
    data = bytearray(card.onnx_path().read_bytes())
    data[-100] ^= 1
    other = replace(card, folder=tmp_path)
    other.onnx_path().write_bytes(data)

    with pytest.raises(WeightsError, match="SHA-256"):
        open_session(other, 8, 8, device=device, precision="f32")


@pytest.mark.parametrize("error", [ort_errors.RuntimeException, ort_errors.Fail])
def test_onnx_runtime_out_of_memory_is_a_memory_error(
    card: ModelCard, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_session(card, 8, 8, device="ort-cpu", precision="f32", threads=1)
    batch = np.zeros((1, 8, 8, 6 * (1 + sum(card.window))), np.uint8)

    class Starved:
        message = "Failed to allocate memory for requested buffer of size 1"

        def run(self, *_: object) -> None:
            raise error(self.message)

    monkeypatch.setattr(session, "_session", Starved())
    with pytest.raises(MemoryError, match="Failed to allocate"):
        session.submit(batch)
    Starved.message = "something else"
    with pytest.raises(error, match="something else"):
        session.submit(batch)


def test_available_memory_is_some_of_the_machine() -> None:
    assert 1 << 20 < memory_available() < 1 << 50


@pytest.mark.parametrize(
    ("device", "precision"), [("cuda", "f32"), ("cpu", "f16")], ids=["device", "precision"]
)
def test_an_engine_refuses_what_it_does_not_have(device: str, precision: str) -> None:
    there = DeviceInfo(
        device="cpu", engine="x", name="a CPU", precisions=("bf16", "f32"), reason="a test"
    )
    request = SessionRequest(
        card=load_card("fast-x2"), height=8, width=8, precision=precision, device=device
    )

    with pytest.raises(BackendUnavailableError) as caught:
        report_of(request, "x 1.0", [there])

    assert str(caught.value) == (
        f"x 1.0 has no {precision} on {device} here; there are: cpu (bf16/f32)"
    )
    fine = replace(request, device="cpu", precision="f32", threads=3)
    assert report_of(fine, "x 1.0", [there]).threads == 3
