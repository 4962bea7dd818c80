"""What this process has used: memory and processor."""

import ctypes
import os
import sys
import time
from contextlib import suppress

from upreel.pipeline.resolve import cpu_count

__all__ = ["CpuMeter", "give_back_large_arrays", "peak_memory_bytes"]

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE_ARRAY = 1 << 20


def give_back_large_arrays() -> None:
    """Let freed arrays of a megabyte and more go back to the system at once.

    glibc keeps them once a few came and went (its threshold rises with what is freed), and several
    threads' arrays then leave holes that nothing fits: peak memory grew with the length of a video
    by a fifth, though no frame was kept. For this process's own commands only, as it changes every
    allocation. Other C libraries have no such threshold.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, _LARGE_ARRAY)


def peak_memory_bytes() -> int:
    """Largest resident size of this process so far, 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class CpuMeter:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = self._used()

    @staticmethod
    def _used() -> float:
        times = os.times()
        return times.user + times.system

    @property
    def seconds(self) -> float:
        """Wall time."""
        return time.perf_counter() - self._wall

    @property
    def use(self) -> float:
        """CPU time over wall time and cores, 0 to 1."""
        return min(1.0, (self._used() - self._cpu) / max(self.seconds, 1e-9) / cpu_count())
