"""What this process has used: memory and processor."""

import os
import sys
import time

from upreel.pipeline.machine import cpu_count

__all__ = ["CpuMeter", "peak_memory_bytes"]


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

    def rate(self, count: int) -> float:
        """`count` over wall time: things a second."""
        return count / max(self.seconds, 1e-9)

    @property
    def use(self) -> float:
        """CPU time over wall time and cores, 0 to 1."""
        return min(1.0, (self._used() - self._cpu) / max(self.seconds, 1e-9) / cpu_count())
