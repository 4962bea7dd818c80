"""What is known of a set's clips before the work begins: their formats and the memory they need.

One clip after the other is in memory: its ground truth, its low resolution, one contestant's frames
and, where motion is measured, the ground truth's. What is kept of a frame grows with the number of
frames; what is needed to work on one does not.
"""

from collections.abc import Sequence
from pathlib import Path

from upreel.errors import InputError, OptionError
from upreel.evaluation.contestants import Expected
from upreel.evaluation.degrade import Degradation, check_codable
from upreel.evaluation.vmaf import refused_format
from upreel.inference.tiles import memory_available
from upreel.video.frame import plane_size
from upreel.video.info import SourceInfo
from upreel.video.scan import scan

__all__ = ["check_formats", "check_memory", "expected_clips", "needed_bytes", "num_frames"]

_RESULT = 4  # bytes a sample: filters answer in float32
_MOTION = 8 + 1  # bytes a sample of luma: two components in float32, and whether it is seen
_WORK = 100  # bytes a sample of luma: while a frame or pair is measured
_WORK_MOTION = 130  # the same with motion
_REST = 1 << 20  # what does not depend on the size


def num_frames(info: SourceInfo, limit: int | None = None) -> int:
    """Frames that are taken of a file, as its headers say; its packets are counted if they don't.

    Args:
        info: of the file.
        limit: at most so many.
    """
    count = info.num_frames
    if count is None and info.duration is not None and info.rate is not None:
        count = round(info.duration * info.rate)
    if count is None:
        count = len(scan(info).pts)
    return count if limit is None else min(count, limit)


def needed_bytes(info: SourceInfo, count: int, scale: int, *, with_motion: bool) -> int:
    """Memory that measuring `count` frames of a file takes, about; engines not counted.

    Args:
        info: of the ground truth.
        count: frames.
        scale: of the evaluation.
        with_motion: whether motion is measured.
    """
    luma = info.width * info.height
    sizes = (
        plane_size(info.format, n, width=info.width, height=info.height)
        for n in range(info.format.num_planes)
    )
    samples = sum(rows * columns for rows, columns in sizes)
    stored = info.format.dtype.itemsize
    frame = samples * stored + samples * stored // scale**2 + _RESULT * samples
    frame += 2 * _RESULT * luma if info.format.model == "rgb" else 0  # luma, of both
    frame += _MOTION * luma if with_motion else 0
    return _REST + (_WORK_MOTION if with_motion else _WORK) * luma + count * frame


def check_memory(
    infos: Sequence[SourceInfo],
    scale: int,
    *,
    limit: int | None = None,
    with_motion: bool,
    available: int | None = None,
) -> None:
    """Refuse clips that do not fit into memory.

    Args:
        infos: of the clips.
        scale: of the evaluation.
        limit: at most so many frames of each.
        with_motion: whether motion is measured.
        available: bytes; None for what this process may still use.

    Raises:
        OptionError: one does not, with the number of frames that would.
    """
    room = memory_available() if available is None else available
    for info in infos:
        count = num_frames(info, limit)
        need = needed_bytes(info, count, scale, with_motion=with_motion)
        if need <= room:
            continue
        none = needed_bytes(info, 0, scale, with_motion=with_motion)
        fitting = (room - none) // (needed_bytes(info, 1, scale, with_motion=with_motion) - none)
        advice = f"--limit {fitting} fits" if fitting > 0 else "not even one frame fits"
        raise OptionError(
            f"{info.path}: {count} frames of {info.width}x{info.height} need about "
            f"{_mib(need)} of memory, {_mib(room)} are available; {advice}"
        )


def expected_clips(
    infos: Sequence[SourceInfo],
    scale: int,
    degradation: Degradation,
    *,
    limit: int | None = None,
    counts: bool = True,
) -> list[Expected]:
    """What the files promise.

    Args:
        infos: of the ground truth's files.
        scale: of the evaluation.
        degradation: that they will go through.
        limit: at most so many frames of each.
        counts: whether their packets are counted, for which they are read to the end.

    Raises:
        InputError: a clip is too small for the scale, or not what the degradation's codec takes.
    """
    clips: list[Expected] = []
    for info in infos:
        name, multiple = Path(info.path).stem, scale << max(info.format.log2_chroma)
        width, height = (side // multiple * multiple for side in (info.width, info.height))
        if not width or not height:
            raise InputError(
                f"{name}: {info.width}x{info.height} is too small, at least {multiple}x{multiple}"
            )
        if degradation.codec is not None:
            check_codable(name, info.format, width // scale, height // scale)
        count = len(scan(info).pts) if counts else num_frames(info)
        clips.append(
            Expected(
                name=name,
                format=info.format,
                width=width,
                height=height,
                num_frames=count if limit is None else min(count, limit),
            )
        )
    return clips


def check_formats(infos: Sequence[SourceInfo]) -> None:
    """Refuse clips that VMAF, which was asked for, does not take.

    Raises:
        OptionError: one is of another format.
    """
    for info in infos:
        if reason := refused_format(info.format):
            raise OptionError(f"{info.path} is {reason}; --no-vmaf does without it")


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
