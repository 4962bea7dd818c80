"""OpenCV's ``dnn_superres`` networks: peers that run on the same frames.

OpenCV is imported only when one is asked for. The weights are files that the user has:
``FSRCNN_x2.pb`` and so on, in one folder.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from upreel.errors import BackendUnavailableError, OptionError, WeightsError

__all__ = ["OPENCV_NETWORKS", "OpenCvNetwork", "opencv_version"]

OPENCV_NETWORKS = {
    "FSRCNN": "fsrcnn",
    "FSRCNN-small": "fsrcnn",
    "ESPCN": "espcn",
    "LapSRN": "lapsrn",
}
"""Name of the weight file before ``_x2.pb``, and what OpenCV calls the architecture."""


class _OpenCvPackage(Protocol):
    """What is used of the untyped package."""

    __version__: str
    dnn_superres: Any


def _opencv() -> _OpenCvPackage:
    try:
        package = importlib.import_module("cv2")
        importlib.import_module("cv2.dnn_superres")
    except ImportError as error:
        raise BackendUnavailableError(
            "OpenCV's networks need the package opencv-contrib-python-headless"
        ) from error
    return cast("_OpenCvPackage", package)


def opencv_version() -> str:
    """Version of the installed OpenCV.

    Raises:
        BackendUnavailableError: it, or its ``dnn_superres``, is not there.
    """
    return _opencv().__version__


class OpenCvNetwork:
    """One network, luma to luma, with as many threads as OpenCV takes by itself.

    Args:
        name: a key of `OPENCV_NETWORKS`.
        scale: 2, 3 or 4.
        weights: folder of the ``.pb`` files.

    Raises:
        OptionError: another name.
        BackendUnavailableError: OpenCV or its ``dnn_superres`` is not installed.
        WeightsError: there is no such file.
    """

    def __init__(self, name: str, scale: int, weights: Path) -> None:
        if name not in OPENCV_NETWORKS:
            raise OptionError(
                f"no OpenCV network {name!r}; there are: {', '.join(OPENCV_NETWORKS)}"
            )
        opencv = _opencv()
        path = weights / f"{name}_x{scale}.pb"
        if not path.is_file():
            raise WeightsError(f"{path} is missing")
        network: Any = opencv.dnn_superres.DnnSuperResImpl_create()
        network.readModel(str(path))
        network.setModel(OPENCV_NETWORKS[name], scale)
        self._network = network

    def __call__(self, luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Upscale one 8-bit luma plane (H, W) -> (scale H, scale W)."""
        result = self._network.upsample(np.ascontiguousarray(luma))
        return cast("npt.NDArray[np.uint8]", result.reshape(result.shape[:2]))
