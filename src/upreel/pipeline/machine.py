"""The machine that a figure was measured on: without it a figure means nothing."""

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = ["Machine", "clock_hz", "cpu_count", "describe_machine", "parse_cpuinfo"]

# What decides the speed of convolutions, by the kernel's names.
_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "bf16",
    "i8mm",
)
_PACKAGES = ("upreel", "openvino", "onnxruntime", "av", "numpy", "opencv-contrib-python-headless")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Hardware and versions.

    Attributes:
        cpu: model name, as the system says.
        cores: that this process may use.
        flags: instruction sets that matter to networks.
        memory_bytes: of the machine, 0 where the system does not say.
        system: operating system and architecture.
        python: version.
        packages: versions of what was measured, where installed.
    """

    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory_bytes: int
    system: str
    python: str
    packages: dict[str, str]

    @property
    def text(self) -> str:
        """One line."""
        flags = " ".join(self.flags) or "no flags known"
        memory = f", {self.memory_bytes / 2**30:.0f} GiB" if self.memory_bytes else ""
        return f"{self.cpu}, {self.cores} cores ({flags}){memory}, {self.system}"


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    r"""Model name and flags of the first processor in Linux's ``/proc/cpuinfo``.

    Example:
        >>> parse_cpuinfo("model name : Some CPU\nflags : fpu amx_bf16 avx2\n")
        ('Some CPU', ('avx2', 'amx_bf16'))
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip().lower(), value.strip())
    there = set((values.get("flags") or values.get("features") or "").split())
    return values.get("model name", ""), tuple(flag for flag in _FLAGS if flag in there)


def cpu_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_machine() -> Machine:
    """This machine; what the system does not say is left empty."""
    name, flags = parse_cpuinfo(_read("/proc/cpuinfo"))
    total = next(
        (line.split()[1] for line in _read("/proc/meminfo").splitlines() if "MemTotal" in line), "0"
    )
    return Machine(
        cpu=name or platform.processor() or platform.machine(),
        cores=cpu_count(),
        flags=flags,
        memory_bytes=int(total) * 1024,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: version for name in _PACKAGES if (version := _version(name))},
    )


def clock_hz(text: str | None = None) -> float | None:
    r"""Clock of the fastest processor at present, in Hz.

    Args:
        text: of Linux's ``/proc/cpuinfo``; None: of this machine's.

    Returns:
        None where the system does not say.

    Example:
        >>> clock_hz("cpu MHz : 2500.0\ncpu MHz : 3100.0\n")
        3100000000.0
    """
    lines = (_read("/proc/cpuinfo") if text is None else text).splitlines()
    clocks = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    return 1e6 * max(clocks) if clocks else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
