"""VMAF, by the static FFmpeg of the package ``imageio-ffmpeg``, run as a process.

VMAF v0.6.1 rewards sharpening; its NEG form ("no enhancement gain") does not: both are printed,
always side by side, and see luma alone. VMAF v1 (2026) sees chroma and banding, too; its model for
1080p at a viewing distance of three picture heights is the one that compares with v0.6.1.
"""

import importlib
import json
import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from upreel.errors import BackendUnavailableError, OptionError
from upreel.video.frame import PixelFormat, Plane

__all__ = ["VMAF_MODELS", "find_ffmpeg", "refused_format", "too_small", "vmaf", "write_y4m"]

VMAF_MODELS = {
    "vmaf": "vmaf_v0.6.1",
    "vmaf_neg": "vmaf_v0.6.1neg",
    "vmaf_v1": "vmaf_v1.0.16_3d0h",
}
"""Metric by name: the model that is built into the library."""

_SMALLEST_SIDE = 24  # libvmaf 3 ends in a segmentation fault at 16x16
_V1_SIDES = (160, 216)  # v1: less chroma ends in a segmentation fault, less luma in an error

_Y4M_CHROMA = {
    "gray": "mono",
    "yuv420p": "420jpeg",
    "yuv422p": "422",
    "yuv444p": "444",
    "yuv420p10le": "420p10",
    "yuv422p10le": "422p10",
    "yuv444p10le": "444p10",
}


def find_ffmpeg() -> str:
    """Path of the FFmpeg program with libvmaf.

    Raises:
        BackendUnavailableError: the package is not installed.
    """
    try:
        package: Any = importlib.import_module("imageio_ffmpeg")
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            "VMAF needs the package imageio-ffmpeg (pip install 'upreel[eval]'); "
            "--no-vmaf does without it"
        ) from error
    return str(package.get_ffmpeg_exe())


def _write_header(
    file: BinaryIO, fmt: PixelFormat, width: int, height: int, rate: Fraction
) -> None:
    if reason := refused_format(fmt):
        raise OptionError(f"VMAF is not measured on {reason}")
    chroma = _Y4M_CHROMA[fmt.name]
    fps = f"{rate.numerator}:{rate.denominator}"
    file.write(f"YUV4MPEG2 W{width} H{height} F{fps} Ip A1:1 C{chroma}\n".encode("ascii"))


def write_y4m(
    path: Path, frames: Iterable[tuple[Plane, ...]], fmt: PixelFormat, rate: Fraction
) -> int:
    """Write uncompressed frames for another program to read.

    Args:
        path: file to write.
        frames: planes of each, 8 or 10 bits.
        fmt: their layout.
        rate: frames a second.

    Returns:
        Frames written.

    Raises:
        OptionError: a layout that YUV4MPEG2 or VMAF does not know.
    """
    num_frames = 0
    with path.open("wb") as file:
        for planes in frames:
            if num_frames == 0:
                height, width = planes[0].shape
                _write_header(file, fmt, width, height, rate)
            file.write(b"FRAME\n")
            for plane in planes:
                file.write(plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes())
            num_frames += 1
    return num_frames


def refused_format(fmt: PixelFormat) -> str | None:
    """Why pictures of a format are not measured, or None where they are.

    Example:
        >>> refused_format(PixelFormat(name="gbrp", model="rgb", bits=8))[:22]
        'gbrp; VMAF takes gray,'
    """
    if fmt.name in _Y4M_CHROMA:
        return None
    return f"{fmt.name}; VMAF takes {', '.join(sorted(_Y4M_CHROMA))}"


def too_small(width: int, height: int) -> dict[str, str]:
    """Which of `VMAF_MODELS` take no pictures of this size, and the size that they take.

    Example:
        >>> too_small(160, 144)
        {'vmaf_v1': 'at least 216x160'}
    """
    if min(width, height) < _SMALLEST_SIDE:
        return dict.fromkeys(VMAF_MODELS, f"at least {_SMALLEST_SIDE}x{_SMALLEST_SIDE}")
    shorter, longer = _V1_SIDES
    if min(width, height) < shorter or max(width, height) < longer:
        return {"vmaf_v1": f"at least {longer}x{shorter}"}
    return {}


def vmaf(
    reference: Path, judged: Path, *, names: Sequence[str] = tuple(VMAF_MODELS), threads: int = 1
) -> dict[str, tuple[float, ...]]:
    """VMAF of each frame, 0 to 100, by one or more models.

    Args:
        reference: ground truth, y4m.
        judged: the same number of frames of the same size, y4m.
        names: of `VMAF_MODELS`, those that take this size (`too_small`).
        threads: of the library.

    Returns:
        By name, one value a frame.

    Raises:
        BackendUnavailableError: there is no FFmpeg with libvmaf, or it failed.
    """
    log = judged.with_suffix(".json")
    models = "|".join(rf"version={VMAF_MODELS[name]}\:name={name}" for name in names)
    graph = (
        f"[0:v][1:v]libvmaf=model='{models}':n_threads={threads}:log_fmt=json:log_path={log.name}"
    )
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += [
        "-i",
        judged.name,
        "-i",
        str(reference.resolve()),
        "-lavfi",
        graph,
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, cwd=judged.parent, capture_output=True, text=True, check=False)
    if done.returncode or not log.is_file():
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise BackendUnavailableError(f"FFmpeg could not measure VMAF: {last}")
    frames: list[dict[str, Any]] = json.loads(log.read_text(encoding="utf-8"))["frames"]
    log.unlink()
    return {name: tuple(float(f["metrics"][name]) for f in frames) for name in names}
