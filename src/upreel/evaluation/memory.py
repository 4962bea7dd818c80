"""Peak memory of the real command, run as a user runs it, for a short and a long clip."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upreel.errors import BackendUnavailableError, UpreelError
from upreel.evaluation.drawn import draw_clip

__all__ = ["MemoryUse", "measure_memory", "peak_of_command"]

# Linux counts a forked copy of the parent into the child's peak until the child is replaced, so a
# large parent would be measured in its stead: a small interpreter starts the command.
_STARTER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
unit = 1 if sys.platform == "darwin" else 1024
print(usage.ru_maxrss * unit, process.returncode)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryUse:
    """Peak of one run.

    Attributes:
        clip_seconds: length of what was upscaled.
        peak_bytes: largest resident size.
    """

    clip_seconds: float
    peak_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"clip_seconds": self.clip_seconds, "peak_bytes": self.peak_bytes}


def peak_of_command(command: Sequence[str]) -> int:
    """Run a command to its end; return its largest resident size in bytes.

    Raises:
        BackendUnavailableError: the system does not tell (Windows).
        UpreelError: the command failed; the message ends with its last line on stderr.
    """
    if sys.platform == "win32":
        raise BackendUnavailableError("peak memory of a command is measured on Linux and macOS")
    done = subprocess.run(
        [sys.executable, "-S", "-c", _STARTER, *command],
        capture_output=True,
        text=True,
        check=False,
    )
    words = done.stdout.split()
    if done.returncode or len(words) != 2 or words[1] != "0":
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UpreelError(f"{' '.join(command[:4])} failed: {last}")
    return int(words[0])


def measure_memory(
    *,
    model: str,
    encoder: str,
    preset: str,
    width: int,
    height: int,
    lengths: Sequence[float],
    device: str = "auto",
    precision: str = "auto",
) -> tuple[MemoryUse, ...]:
    """`upreel upscale` on drawn clips of these lengths.

    Args:
        model: name or card.
        encoder: word for ``--codec``.
        preset: of the encoder.
        width: of the drawn clips, even.
        height: of the drawn clips, even.
        lengths: in seconds.
        device: as ``--device``.
        precision: as ``--precision``.

    Raises:
        UpreelError: the command failed.
    """
    uses: list[MemoryUse] = []
    with tempfile.TemporaryDirectory(prefix="upreel-") as name:
        folder = Path(name)
        for seconds in lengths:
            clip = draw_clip(folder / "clip.mp4", width=width, height=height, seconds=seconds)
            command = [sys.executable, "-m", "upreel", "upscale", str(clip)]
            command += ["-o", str(folder / "out.mp4"), "-m", model, "-c", encoder]
            command += ["--preset", preset, "-d", device, "--precision", precision]
            peak = peak_of_command([*command, "--overwrite", "-q"])
            uses.append(MemoryUse(clip_seconds=seconds, peak_bytes=peak))
    return tuple(uses)
