"""OpenCV's networks: what is missing is named; OpenCV is not imported before it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from upreel.errors import BackendUnavailableError, OptionError, WeightsError
from upreel.evaluation.opencv import OpenCvNetwork, opencv_version


def test_a_missing_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"FSRCNN-small_x3\.pb is missing"):
        OpenCvNetwork("FSRCNN-small", 3, tmp_path)


def test_an_unknown_network_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there are: FSRCNN, FSRCNN-small, ESPCN, LapSRN"):
        OpenCvNetwork("EDSR", 2, tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(BackendUnavailableError, match="opencv-contrib-python-headless"):
        opencv_version()


def test_the_plain_package_without_the_networks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2.dnn_superres", None)

    with pytest.raises(BackendUnavailableError, match="opencv-contrib-python-headless"):
        opencv_version()


def test_importing_evaluation_imports_no_heavy_package() -> None:
    code = (
        "import sys, upreel.evaluation.run, upreel.evaluation.benchmark, upreel.evaluation.report,"
        "upreel.evaluation.peers_run, upreel.evaluation.entrant;"
        "print(sorted({'cv2', 'torch', 'openvino', 'onnxruntime', 'onnx'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
