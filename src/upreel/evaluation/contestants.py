"""Who is compared: filters, the models of the zoo, others' networks, others' frames.

A contestant turns the low-resolution clip into planes of the ground truth's size, in the clip's
own pixel format. Networks give code values, as a viewer gets them. Filters are not rounded, as in
the published tables: on Vid4 that is worth 0.0015 dB and 0.0003 of SSIM to them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import Kernel
from upreel.errors import BackendUnavailableError, InputError, OptionError, UnknownModelError
from upreel.evaluation.clips import Clip, frames_of
from upreel.evaluation.degrade import resample_frames
from upreel.evaluation.opencv import OpenCvNetwork, opencv_version
from upreel.inference.ensemble import check_ensemble
from upreel.pipeline.backend import Backend, ReportingUpscaler
from upreel.pipeline.enhance import enhance
from upreel.pipeline.machine import cpu_count
from upreel.video.frame import PixelFormat
from upreel.video.rescale import INTERPOLATIONS, Interpolation, PlaneScaler
from upreel.video.rgb import RgbConverter
from upreel.zoo import ModelCard

if TYPE_CHECKING:  # OpenVINO is loaded when a network is opened
    from upreel.inference.foreign import ForeignNetwork

__all__ = [
    "BASELINES",
    "KINDS",
    "Contestant",
    "EngineOptions",
    "Expected",
    "Picture",
    "open_contestant",
]

BASELINES: dict[str, Kernel] = {"bicubic": "bicubic", "lanczos": "lanczos3"}
KINDS = ("filter", "network", "peer", "frames")
"""What a contestant may be: ours are networks."""

_OPENCV = "opencv:"
_PYAV = "pyav:"
_ONNX = "onnx:"
_ENSEMBLE = "+ensemble"

Picture = tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32], ...]
"""Planes of one frame, code values or the same in floating point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """How networks run.

    Attributes:
        device: as ``upreel devices`` names them.
        precision: as the card has them, or "auto".
        threads: 0 for as many as there are cores.
        weights: folder of OpenCV's ``.pb`` files.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    weights: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """A clip of the ground truth as its file promises it.

    Attributes:
        name: of the clip.
        format: of its planes.
        width: columns of luma, cut to what the scale divides.
        height: rows of it.
        num_frames: that are taken of it.
    """

    name: str
    format: PixelFormat
    width: int
    height: int
    num_frames: int


class Contestant(Protocol):
    """One column of the table."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What it is (`KINDS`), parameters, engine: whatever is known, as plain values."""
        ...

    @property
    def timed(self) -> bool:
        """Whether it computes its frames here, so that its speed means something."""
        ...

    def check(self, clips: Sequence[Expected]) -> None:
        """Refuse clips before any work; most take all."""
        ...

    def prepare(self, clip: Clip) -> None:
        """What is not counted as its time: opening a network for this size."""
        ...

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        """Planes of each frame at `scale` times the size."""
        ...


class _Computed:
    """What is common to those that compute their frames here."""

    timed = True

    def check(self, clips: Sequence[Expected]) -> None:
        """Takes all."""

    def prepare(self, clip: Clip) -> None:
        """Needs nothing."""


@dataclass(frozen=True)
class _Filter(_Computed):
    """A resize filter on every plane, chroma siting kept."""

    name: str
    facts: dict[str, Any] = field(default_factory=lambda: {"kind": "filter"})

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        size = (clip.width * scale, clip.height * scale)
        return resample_frames(clip, *size, BASELINES[self.name])


_Opened = TypeVar("_Opened")


class _Opening(_Computed, ABC, Generic[_Opened]):
    """One that is opened for a format and a size, and kept until another comes."""

    def __init__(self) -> None:
        self._kept: tuple[object, _Opened] | None = None

    def prepare(self, clip: Clip) -> None:
        """Open it."""
        self._opened(clip)

    def _opened(self, clip: Clip) -> _Opened:
        key = (clip.format, clip.colour, clip.width, clip.height)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._open(clip)
        return self._kept[1]

    @abstractmethod
    def _open(self, clip: Clip) -> _Opened: ...


class _Swscale(_Opening[PlaneScaler]):
    """FFmpeg's scaler on every plane."""

    def __init__(self, name: str, kernel: Interpolation, scale: int) -> None:
        super().__init__()
        self._kernel: Interpolation = kernel
        self._scale = scale
        self.name = name
        self.facts: dict[str, Any] = {"kind": "filter", "engine": f"PyAV {metadata.version('av')}"}

    def _open(self, clip: Clip) -> PlaneScaler:
        size = (clip.width * self._scale, clip.height * self._scale)
        return PlaneScaler(clip.format, *size, self._kernel)

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        return map(self._opened(clip), clip.planes)


def _check_luma(name: str, clips: Sequence[Expected]) -> None:
    """Refuse all but 8-bit luma."""
    for clip in clips:
        if clip.format.bits != 8 or clip.format.model == "rgb":
            raise InputError(f"{name} takes 8-bit luma, {clip.name} is {clip.format.name}")


def _bicubic_chroma(clip: Clip, scale: int) -> Iterator[Picture]:
    """Chroma planes of each frame at `scale` times the size; nothing of grey."""
    return resample_frames(clip, clip.width * scale, clip.height * scale, "bicubic", first=1)


@dataclass(frozen=True)
class _OpenCv(_Computed):
    """Luma by the network, chroma by bicubic."""

    name: str
    network: OpenCvNetwork
    facts: dict[str, Any]

    def check(self, clips: Sequence[Expected]) -> None:
        """Refuse all but 8-bit luma."""
        _check_luma(self.name, clips)

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        for low, chroma in zip(clip.planes, _bicubic_chroma(clip, scale), strict=True):
            yield self.network(low[0].astype(np.uint8, copy=False)), *chroma


class _Onnx(_Opening["ForeignNetwork"]):
    """Another's network: luma alone, with chroma by bicubic, or R'G'B' by way of swscale."""

    def __init__(self, name: str, path: Path, scale: int, options: EngineOptions) -> None:
        from upreel.inference.foreign import examine
        from upreel.inference.selection import available_devices

        super().__init__()
        offered = next(d for d in available_devices() if d.device == "cpu").precisions
        precision = "f32" if options.precision == "auto" else options.precision
        if precision == "int8" or precision not in offered:
            floats = ", ".join(p for p in offered if p != "int8")
            raise BackendUnavailableError(f"{name} cannot run in {precision}; it can in: {floats}")
        self._form = examine(path)
        if self._form.scale != scale:
            raise OptionError(f"{name} is a x{self._form.scale} network, not x{scale}")
        self._path = path
        self._threads = options.threads or cpu_count()
        self.name = name
        self.facts: dict[str, Any] = {"kind": "peer", "precision": precision}

    def check(self, clips: Sequence[Expected]) -> None:
        """Refuse all but 8-bit luma."""
        _check_luma(self.name, clips)

    def _open(self, clip: Clip) -> "ForeignNetwork":
        from upreel.inference.foreign import ForeignNetwork

        network = ForeignNetwork(
            self._path,
            self._form,
            height=clip.height,
            width=clip.width,
            precision=self.facts["precision"],
            threads=self._threads,
        )
        self.facts["engine"] = network.engine
        return network

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        network = self._opened(clip)
        if self._form.channels == 3:
            convert = RgbConverter(clip.format, clip.colour, clip.height)
            for planes in clip.planes:
                yield convert.to_planes(network(convert.to_rgb(planes)))
            return
        for low, chroma in zip(clip.planes, _bicubic_chroma(clip, scale), strict=True):
            yield network(low[0].astype(np.uint8, copy=False)[..., None])[..., 0], *chroma


class _Model(_Opening[ReportingUpscaler]):
    """A card's network through the pipeline's own frame loop."""

    def __init__(
        self, card: ModelCard, options: EngineOptions, backend: Backend, *, self_ensemble: bool
    ) -> None:
        super().__init__()
        self._card = card
        self._options = options
        self._backend = backend
        self._self_ensemble = self_ensemble
        self.name = card.name + _ENSEMBLE * self_ensemble
        self.facts: dict[str, Any] = {
            "kind": "network",
            "parameters": card.num_parameters,
            "macs_per_pixel": card.macs_per_pixel * (8 if self_ensemble else 1),
            "sha256": card.sha256,
        }

    def _open(self, clip: Clip) -> ReportingUpscaler:
        upscaler = self._backend.open(
            self._card,
            pixel_format=clip.format,
            colour=clip.colour,
            width=clip.width,
            height=clip.height,
            output_size=(clip.width * self._card.scale, clip.height * self._card.scale),
            device=self._options.device,
            precision=self._options.precision,
            threads=self._options.threads,
            tile=None,
            self_ensemble=self._self_ensemble,
        )
        report = upscaler.describe()
        self.facts |= {
            "engine": report.engine,
            "device": report.device,
            "precision": report.precision,
            "sha256": self._card.identity(report.precision),
        }
        return upscaler

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        if scale != self._card.scale:
            raise OptionError(f"{self.name} is a x{self._card.scale} model, not x{scale}")
        for frame in enhance(frames_of(clip), self._opened(clip), self._card):
            yield frame.planes


def open_contestant(name: str, scale: int, options: EngineOptions, backend: Backend) -> Contestant:
    """A contestant by its name: a baseline, a peer, a model or the path of its card.

    Peers are ``opencv:NAME``, ``pyav:KERNEL`` (swscale's) and ``onnx:FILE``. A model with
    ``+ensemble`` behind its name is asked in eight ways, `upreel.inference.ensemble`.

    Raises:
        OptionError: a model of another scale, an unknown OpenCV network or kernel.
        ModelError: no such model, or its weights are not there.
        BackendUnavailableError: OpenCV is not installed, or there is no such precision.
    """
    if name in BASELINES:
        return _Filter(name)
    if name.startswith(_PYAV):
        kernel = name.removeprefix(_PYAV)
        if kernel not in INTERPOLATIONS:
            raise OptionError(f"no kernel {kernel!r}; there are: {', '.join(INTERPOLATIONS)}")
        return _Swscale(name, kernel, scale)
    if name.startswith(_ONNX):
        return _Onnx(name, Path(name.removeprefix(_ONNX)), scale, options)
    if name.startswith(_OPENCV):
        if options.weights is None:
            raise OptionError(f"{name} needs --weights DIR with its .pb files")
        network = OpenCvNetwork(name.removeprefix(_OPENCV), scale, options.weights)
        return _OpenCv(name, network, {"kind": "peer", "engine": f"OpenCV {opencv_version()}"})
    try:
        card = backend.load_card(name.removesuffix(_ENSEMBLE))
    except UnknownModelError as error:
        peers = f"{_OPENCV}NAME, {_PYAV}KERNEL, {_ONNX}FILE"
        others = f"{', '.join(BASELINES)}, {peers}, NAME{_ENSEMBLE}"
        raise UnknownModelError(f"{error}; beside these: {others}") from error
    if card.scale != scale:
        raise OptionError(f"{card.name} is a x{card.scale} model; --scale says {scale}")
    if name.endswith(_ENSEMBLE):
        check_ensemble(card)
    return _Model(card, options, backend, self_ensemble=name.endswith(_ENSEMBLE))
