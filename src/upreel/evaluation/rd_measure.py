"""What a codec lost, a frame at a time: no more than a few frames are in memory.

Both clips lie on disk as uncompressed planes (YUV4MPEG2), which VMAF's program reads, too.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy.typing as npt

from upreel.errors import DamagedError, InputError, OptionError
from upreel.evaluation.rd import RD_METRICS, ClipFacts
from upreel.evaluation.scores import largest_psnr
from upreel.evaluation.sets import source_of
from upreel.evaluation.vmaf import too_small, vmaf, write_y4m
from upreel.metrics import MS_SSIM_SMALLEST, ms_ssim, mse, psnr
from upreel.pipeline.plan import frame_range
from upreel.video.frame import Frame
from upreel.video.info import SourceInfo
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan

__all__ = ["VMAF_NAMES", "compare", "frames_in", "unmeasured", "vmaf_means", "write_truth"]

VMAF_NAMES = ("vmaf", "vmaf_neg")

_RATE = Fraction(25)  # of what does not say

Planes = Sequence[npt.NDArray[Any]]


def frames_in(path: Path, *, threads: int = 1) -> Iterator[Frame]:
    """The frames of a file, fields left as they are."""
    return read_frames(probe(path), deinterlace="off", threads=threads)


def write_truth(
    info: SourceInfo,
    target: Path,
    *,
    limit: int | None,
    start: Fraction | None = None,
    end: Fraction | None = None,
) -> ClipFacts:
    """Decode a clip, once for all codecs.

    Args:
        info: of the clip.
        target: ends in ``.y4m``.
        limit: at most so many frames.
        start: seconds after the first frame at which it begins; None: at the first.
        end: likewise, at which it ends; None: after the last.

    Raises:
        OptionError: no frame is from start to end.
        InputError: it is not 4:2:0 of 8 or 10 bits, or has no frame that can be decoded.
    """
    if info.format.name not in ("yuv420p", "yuv420p10le"):
        raise InputError(f"{info.path} is {info.format.name}; allowed: yuv420p, yuv420p10le")
    rate = info.rate or _RATE
    frames = islice(_stretch(info, start, end), limit)
    num_frames = write_y4m(target, (frame.planes for frame in frames), info.format, rate)
    if not num_frames:
        raise InputError(f"{info.path}: no frame could be decoded")
    return ClipFacts(
        source=source_of(Path(info.path).stem),
        num_frames=num_frames,
        width=info.width,
        height=info.height,
        rate=rate,
        bits=info.format.bits,
    )


def _stretch(info: SourceInfo, start: Fraction | None, end: Fraction | None) -> Iterator[Frame]:
    """Frames shown from one time to another."""
    if start is None and end is None:
        return read_frames(info, deinterlace="off")
    timeline = scan(info)
    first, stop = frame_range(timeline, start, end)
    if first >= stop:
        after = int(timeline.pts[-1] - timeline.pts[0]) + timeline.last_duration
        length = float(after * timeline.time_base)
        raise OptionError(f"no frame of {info.path} from start to end: it has {length:.3f} s")
    return read_frames(info, timeline=timeline, first=first, stop=stop, deinterlace="off")


def unmeasured(infos: Iterable[SourceInfo], *, with_vmaf: bool) -> dict[str, str]:
    """Metrics that a clip is too small for, with the reason: they are left out for all clips."""
    reasons: dict[str, str] = {}
    for info in infos:
        size = f"{Path(info.path).stem} is {info.width}x{info.height}"
        if min(info.width, info.height) < MS_SSIM_SMALLEST:
            reasons["ms_ssim_y"] = f"{size}; at least {MS_SSIM_SMALLEST}x{MS_SSIM_SMALLEST}"
        if with_vmaf:
            small = too_small(info.width, info.height)
            reasons |= {name: f"{size}; {small[name]}" for name in VMAF_NAMES if name in small}
    return reasons


def compare(
    truth: Iterable[Planes], judged: Iterable[Planes], *, bits: int, without: Iterable[str] = ()
) -> dict[str, float]:
    """Means over the frames of a clip.

    Args:
        truth: Y, Cb and Cr of each frame.
        judged: the same of what was decoded.
        bits: of a sample.
        without: metrics to leave out.

    Returns:
        ``psnr_y``, ``psnr_uv`` (dB, infinite where all frames are equal, each frame's limited as
        in `upreel.evaluation.scores`) and ``ms_ssim_y`` (0 to 1).

    Raises:
        DamagedError: there are not as many frames of the one as of the other.
        ValueError: no frame.
    """
    peak, limit = (1 << bits) - 1, largest_psnr(bits)
    left_out = set(without)
    values: dict[str, list[float]] = {}
    for count, (a, b) in enumerate(zip_longest(truth, judged)):
        if a is None or b is None:
            more, which = ("more", "source") if a is None else ("fewer", "decoded clip")
            raise DamagedError(f"{more} frames were decoded than coded: the {which} has {count}")
        chroma = [(a[n].size, mse(a[n], b[n])) for n in (1, 2)]
        error = sum(size * each for size, each in chroma) / sum(size for size, _ in chroma)
        figures = {
            "psnr_y": psnr(a[0], b[0], max_value=peak),
            "psnr_uv": 10 * math.log10(peak * peak / error) if error else math.inf,
        }
        if "ms_ssim_y" not in left_out:
            figures["ms_ssim_y"] = ms_ssim(a[0], b[0], max_value=peak)
        for name, value in figures.items():
            values.setdefault(name, []).append(value)
    if not values:
        raise ValueError("a clip must have a frame")
    return {
        name: _mean(each, limit if name.startswith("psnr_") else math.inf)
        for name, each in values.items()
    }


def _mean(values: Sequence[float], limit: float) -> float:
    if min(values) == math.inf:
        return math.inf
    return math.fsum(min(value, limit) for value in values) / len(values)


def vmaf_means(truth: Path, judged: Path, names: Sequence[str], threads: int) -> dict[str, float]:
    """VMAF of a clip, mean over its frames, by the names of `RD_METRICS`.

    Args:
        truth: y4m.
        judged: y4m of the same size and length.
        names: of `VMAF_NAMES`; may be empty.
        threads: of the library.
    """
    assert all(name in RD_METRICS for name in names)
    if not names:
        return {}
    found = vmaf(truth, judged, names=names, threads=threads)
    return {name: math.fsum(values) / len(values) for name, values in found.items()}
