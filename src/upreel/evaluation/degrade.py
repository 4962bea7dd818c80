"""From a ground-truth clip to the low-resolution clip that the contestants get.

BI        MATLAB-style antialiased bicubic (`upreel.degradation.resample`) of every plane as it
          is: luma by the scale, the subsampled chroma planes by the same scale with their siting
          kept, each rounded to the clip's own code values. No RGB comes in.
BD        a Gaussian blur of standard deviation 1.6 samples, 13 x 13, then every s-th sample from
          the first on, as the field's BD sets are made; each plane by itself, rounded. So the
          input lies (s - 1) / 2 ground-truth samples up and left of where a filter or a network
          for BI expects it, which costs them several dB; networks trained on BD learn the shift.
          Chroma is sampled where the new luma grid's siting wants it.
codec     BI's downscale, then `upreel.video.recode`: a real encoder at one constant quality,
          decoded again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from upreel.degradation.blur import BLUR_SIGMA, blur_shrink
from upreel.degradation.resample import Kernel, resample
from upreel.errors import InputError, OptionError
from upreel.evaluation.clips import Clip, crop_to_multiple
from upreel.video.encoders import encoder_named
from upreel.video.frame import PixelFormat, Plane, plane_origins, plane_size
from upreel.video.recode import RECODERS, Recoder, recode

__all__ = [
    "Degradation",
    "Degraded",
    "blurred",
    "check_codable",
    "degrade",
    "parse_degradation",
    "resample_frames",
    "resize",
    "to_levels",
]

_SMALLEST_CODED = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Degradation:
    """How the low-resolution clip comes about.

    Attributes:
        kernel: of the downscale, "blur" for BD's.
        codec: encoder afterwards (`upreel.video.recode`), None for no compression.
        crf: its quality number.
    """

    kernel: Literal["bicubic", "blur"] = "bicubic"
    codec: Recoder | None = None
    crf: int = 0

    @property
    def text(self) -> str:
        """As the command line writes it."""
        if self.kernel == "blur":
            return "BD"
        return "BI" if self.codec is None else f"codec:{self.codec}:crf{self.crf}"

    @property
    def description(self) -> str:
        """One sentence for reports."""
        if self.kernel == "blur":
            return (
                f"Gaussian blur of the planes, standard deviation {BLUR_SIGMA}, then every s-th "
                "sample from the first on (chroma: where its siting wants it), rounded; "
                "(s - 1) / 2 samples off for what was made for BI"
            )
        down = "bicubic downscale of the planes, chroma siting kept, rounded"
        if self.codec is None:
            return down
        library, options = RECODERS[self.codec]
        preset = " ".join(f"{key}={value}" for key, value in options.items())
        return f"{down}; then {library} {preset} crf={self.crf}"


def parse_degradation(text: str) -> Degradation:
    """Read ``BI``, ``BD`` or ``codec:ENCODER:crfN``.

    Raises:
        OptionError: another text, an unknown encoder, or a crf outside its range.

    Example:
        >>> parse_degradation("codec:x264:crf23").crf
        23
    """
    if text.upper() in ("BI", "BD"):
        return Degradation(kernel="bicubic" if text.upper() == "BI" else "blur")
    match = re.fullmatch(r"codec:([a-z0-9_-]+):crf([0-9]+)", text)
    if not match or match[1] not in RECODERS:
        raise OptionError(
            f"degradation {text!r} is not known; allowed: BI, BD, codec:ENCODER:crfN "
            f"with ENCODER one of {', '.join(RECODERS)}"
        )
    codec, crf = cast("Recoder", match[1]), int(match[2])
    low, high = encoder_named(codec).crf or (0, 63)
    if not low <= crf <= high:
        raise OptionError(f"crf {crf} is out of range for {codec}: {low:g} to {high:g}")
    return Degradation(codec=codec, crf=crf)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Degraded:
    """A pair to be compared.

    Attributes:
        truth: ground truth, its sides cut to a multiple of the scale.
        low: what contestants get.
    """

    truth: Clip
    low: Clip


def resample_frames(
    clip: Clip, width: int, height: int, kernel: Kernel, *, first: int = 0
) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    """Planes of each frame resampled, chroma siting kept; neither rounded nor clipped.

    Args:
        clip: what to resample.
        width: columns of luma, out.
        height: rows of luma, out.
        kernel: of the filter.
        first: plane to begin with: 1 for chroma alone.
    """
    ratio = (clip.height / height, clip.width / width)
    planes = range(first, clip.format.num_planes)
    sizes = [plane_size(clip.format, n, width=width, height=height) for n in planes]
    origins = [plane_origins(clip.format, clip.colour, n) for n in planes]

    for frame in clip.planes:
        yield tuple(
            resample(plane, *size, kernel=kernel, ratio=ratio, in_origin=origin, out_origin=origin)
            for plane, size, origin in zip(frame[first:], sizes, origins, strict=True)
        )


def to_levels(
    planes: Sequence[npt.NDArray[np.float32] | Plane], fmt: PixelFormat
) -> tuple[Plane, ...]:
    """Planes rounded and clipped to the format's code values."""
    return tuple(
        cast("Plane", np.clip(np.rint(plane), 0, fmt.max_value).astype(fmt.dtype))
        for plane in planes
    )


def resize(clip: Clip, width: int, height: int, kernel: Kernel) -> Clip:
    """`resample_frames` as a clip: rounded and clipped."""
    frames = resample_frames(clip, width, height, kernel)
    return replace(clip, planes=tuple(to_levels(planes, clip.format) for planes in frames))


def blurred(clip: Clip, scale: int) -> Clip:
    """BD's input: blurred, then every `scale`-th sample; rounded and clipped.

    Args:
        clip: ground truth, its sides multiples of the scale times the chroma subsampling.
        scale: 2, 3 or 4.
    """
    fmt = clip.format
    frames: list[tuple[Plane, ...]] = []
    for planes in clip.planes:
        low: list[npt.NDArray[np.float32]] = []
        for n, plane in enumerate(planes):
            rows, columns = plane.shape
            # Luma's new origin is the old one; chroma keeps its place relative to the luma grid.
            down, across = (
                (scale - 1) * (origin - 0.5 / (1 << log2))
                for origin, log2 in zip(
                    plane_origins(fmt, clip.colour, n), _log2_sampling(fmt, n), strict=True
                )
            )
            low.append(blur_shrink(plane, rows // scale, columns // scale, scale, (down, across)))
        frames.append(to_levels(low, fmt))
    return replace(clip, planes=tuple(frames))


def _log2_sampling(fmt: PixelFormat, plane: int) -> tuple[int, int]:
    """Subsampling of a plane (vertical, horizontal), as powers of two."""
    if fmt.model != "yuv" or plane not in (1, 2):
        return 0, 0
    return fmt.log2_chroma[1], fmt.log2_chroma[0]


def degrade(clip: Clip, scale: int, degradation: Degradation) -> Degraded:
    """Make the low-resolution clip of a ground truth.

    The ground truth is first cut at the bottom and the right to a multiple of the scale times
    the chroma subsampling.

    Args:
        clip: ground truth.
        scale: 2, 3 or 4.
        degradation: how.

    Raises:
        InputError: the clip is too small, or a codec is asked for and it is not 8-bit 4:2:0.
    """
    truth = crop_to_multiple(clip, scale << max(clip.format.log2_chroma))
    if degradation.kernel == "blur":
        low = blurred(truth, scale)
    else:
        low = resize(truth, truth.width // scale, truth.height // scale, degradation.kernel)
    if degradation.codec is not None:
        low = _through_encoder(low, degradation.codec, degradation.crf)
    return Degraded(truth=truth, low=low)


def check_codable(name: str, fmt: PixelFormat, width: int, height: int) -> None:
    """Refuse a low-resolution clip that the codec degradations do not take.

    Raises:
        InputError: it is not 8-bit 4:2:0, or too small.
    """
    if not fmt.is_420 or fmt.bits != 8 or fmt.alpha:
        raise InputError(f"{name} is {fmt.name}; codec degradations take yuv420p")
    if min(width, height) < _SMALLEST_CODED:
        allowed = f"at least {_SMALLEST_CODED}x{_SMALLEST_CODED}"
        raise InputError(f"{name}: {width}x{height} is too small to be coded, {allowed}")


def _through_encoder(clip: Clip, codec: Recoder, crf: int) -> Clip:
    """The clip as its viewer decodes it."""
    check_codable(clip.name, clip.format, clip.width, clip.height)
    luma, chroma = recode(
        np.stack([planes[0] for planes in clip.planes]).astype(np.uint8, copy=False),
        np.stack([np.stack(planes[1:]) for planes in clip.planes]).astype(np.uint8, copy=False),
        codec=codec,
        crf=crf,
        rate=max(round(clip.rate), 1),
    )
    planes = tuple((y, c[0], c[1]) for y, c in zip(luma, chroma, strict=True))
    return replace(clip, planes=planes)
