"""Who is compared: resize filters, the models of the zoo, OpenCV's networks, others' frames.

A contestant turns the low-resolution clip into planes of the ground truth's size, in the clip's
own pixel format. Networks give code values, as a viewer gets them. Filters are not rounded, as in
the published tables: on Vid4 that is worth 0.0015 dB and 0.0003 of SSIM to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from upreel.degradation.resample import Kernel
from upreel.errors import InputError, OptionError, UnknownModelError
from upreel.evaluation.clips import Clip, frames_of
from upreel.evaluation.degrade import resample_frames
from upreel.evaluation.opencv import OpenCvNetwork, opencv_version
from upreel.inference.ensemble import check_ensemble
from upreel.pipeline.backend import Backend, ReportingUpscaler
from upreel.pipeline.enhance import enhance
from upreel.video.frame import PixelFormat
from upreel.zoo import ModelCard

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


@dataclass(frozen=True)
class _OpenCv(_Computed):
    """Luma by the network, chroma by bicubic."""

    name: str
    network: OpenCvNetwork
    facts: dict[str, Any]

    def check(self, clips: Sequence[Expected]) -> None:
        """Refuse all but 8-bit luma."""
        for clip in clips:
            if clip.format.bits != 8 or clip.format.model == "rgb":
                raise InputError(f"{self.name} takes 8-bit luma, {clip.name} is {clip.format.name}")

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        large = resample_frames(clip, clip.width * scale, clip.height * scale, "bicubic")
        for planes, low in zip(large, clip.planes, strict=True):
            yield self.network(low[0].astype(np.uint8, copy=False)), *planes[1:]


class _Model(_Computed):
    """A card's network through the pipeline's own frame loop."""

    def __init__(
        self, card: ModelCard, options: EngineOptions, backend: Backend, *, self_ensemble: bool
    ) -> None:
        self._card = card
        self._options = options
        self._backend = backend
        self._opened: tuple[object, ReportingUpscaler] | None = None
        self._self_ensemble = self_ensemble
        self.name = card.name + _ENSEMBLE * self_ensemble
        self.facts: dict[str, Any] = {
            "kind": "network",
            "parameters": card.num_parameters,
            "macs_per_pixel": card.macs_per_pixel * (8 if self_ensemble else 1),
            "sha256": card.sha256,
        }

    def prepare(self, clip: Clip) -> None:
        self._open(clip)

    def _open(self, clip: Clip) -> ReportingUpscaler:
        key = (clip.format, clip.colour, clip.width, clip.height)
        if self._opened is None or self._opened[0] != key:
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
            self._opened = (key, upscaler)
        return self._opened[1]

    def enhance(self, clip: Clip, scale: int) -> Iterator[Picture]:
        if scale != self._card.scale:
            raise OptionError(f"{self.name} is a x{self._card.scale} model, not x{scale}")
        for frame in enhance(frames_of(clip), self._open(clip), self._card):
            yield frame.planes


def open_contestant(name: str, scale: int, options: EngineOptions, backend: Backend) -> Contestant:
    """A contestant by its name: a baseline, ``opencv:NAME``, a model or the path of its card.

    A model with ``+ensemble`` behind its name is asked in eight ways, `upreel.inference.ensemble`.

    Raises:
        OptionError: a model of another scale, or an unknown OpenCV network.
        ModelError: no such model, or its weights are not there.
        BackendUnavailableError: OpenCV is not installed.
    """
    if name in BASELINES:
        return _Filter(name)
    if name.startswith(_OPENCV):
        if options.weights is None:
            raise OptionError(f"{name} needs --weights DIR with its .pb files")
        network = OpenCvNetwork(name.removeprefix(_OPENCV), scale, options.weights)
        return _OpenCv(name, network, {"kind": "peer", "engine": f"OpenCV {opencv_version()}"})
    try:
        card = backend.load_card(name.removesuffix(_ENSEMBLE))
    except UnknownModelError as error:
        others = f"{', '.join(BASELINES)}, {_OPENCV}NAME, NAME{_ENSEMBLE}"
        raise UnknownModelError(f"{error}; beside these: {others}") from error
    if card.scale != scale:
        raise OptionError(f"{card.name} is a x{card.scale} model; --scale says {scale}")
    if name.endswith(_ENSEMBLE):
        check_ensemble(card)
    return _Model(card, options, backend, self_ensemble=name.endswith(_ENSEMBLE))
