"""VMAF, by the static FFmpeg of the package ``imageio-ffmpeg``, run as a process.

VMAF v0.6.1 rewards sharpening; its NEG form ("no enhancement gain") does not: both are printed,
always side by side. Only luma counts.
"""

import importlib
import json
import subprocess
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from upreel.errors import BackendUnavailableError, OptionError
from upreel.video.frame import PixelFormat, Plane

__all__ = ["VMAF_MODELS", "find_ffmpeg", "vmaf", "write_y4m"]

VMAF_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
"""Metric by name: the model that is built into the library."""

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
    chroma = _Y4M_CHROMA.get(fmt.name)
    if chroma is None:
        raise OptionError(
            f"VMAF is not measured on {fmt.name}; allowed: {', '.join(sorted(_Y4M_CHROMA))}"
        )
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


def vmaf(reference: Path, judged: Path, *, threads: int = 1) -> dict[str, tuple[float, ...]]:
    """VMAF and VMAF-NEG of each frame, 0 to 100.

    Args:
        reference: ground truth, y4m.
        judged: the same number of frames of the same size, y4m.
        threads: of the library.

    Returns:
        By the names of `VMAF_MODELS`, one value a frame.

    Raises:
        BackendUnavailableError: there is no FFmpeg with libvmaf, or it failed.
    """
    log = judged.with_suffix(".json")
    models = "|".join(rf"version={model}\:name={name}" for name, model in VMAF_MODELS.items())
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
    return {name: tuple(float(f["metrics"][name]) for f in frames) for name in VMAF_MODELS}
