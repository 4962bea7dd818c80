"""Timing that holds on a noisy machine: rounds of all tasks in turn, medians with their spread."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upreel.pipeline.machine import cpu_count

__all__ = ["OtherLoad", "Sample", "Task", "Timing", "busy_ticks", "interleaved", "sample"]

Task = Callable[[], int]
"""Does some work; returns how many frames it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One run of a task.

    Attributes:
        frames: how many it was.
        seconds: wall time.
        cpu_seconds: user and system time of this process, all threads.
    """

    frames: int
    seconds: float
    cpu_seconds: float


def sample(task: Task) -> Sample:
    """Run a task once."""
    before, started = time.process_time(), time.perf_counter()
    frames = task()
    seconds, used = time.perf_counter() - started, time.process_time() - before
    return Sample(frames=frames, seconds=seconds, cpu_seconds=used)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """All runs of one task.

    Attributes:
        name: what was run.
        samples: one a round.
        cores: that the process may use.
    """

    name: str
    samples: tuple[Sample, ...]
    cores: int

    @property
    def ms(self) -> float:
        """Milliseconds a frame, the median of the rounds."""
        return 1000 * statistics.median(s.seconds / s.frames for s in self.samples)

    @property
    def ms_range(self) -> tuple[float, float]:
        """Milliseconds a frame of the fastest and the slowest round."""
        each = [1000 * s.seconds / s.frames for s in self.samples]
        return min(each), max(each)

    @property
    def fps(self) -> float:
        """Frames a second, from the median."""
        return 1000 / self.ms

    @property
    def cpu_use(self) -> float:
        """CPU time over wall time and cores, over all rounds; 1 is every core busy."""
        seconds = sum(s.seconds for s in self.samples)
        return sum(s.cpu_seconds for s in self.samples) / seconds / self.cores

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        low, high = self.ms_range
        return {
            "name": self.name,
            "frames": self.samples[0].frames,
            "rounds": len(self.samples),
            "fps": round(self.fps, 3),
            "ms": round(self.ms, 4),
            "ms_min": round(low, 4),
            "ms_max": round(high, 4),
            "cpu_use": round(self.cpu_use, 4),
        }


def busy_ticks(stat: str) -> int | None:
    """Ticks that all processors together have worked, from Linux's ``/proc/stat``.

    Returns:
        None where the text does not say.

    Example:
        >>> busy_ticks("cpu  10 1 20 900 50 2 3 4 0 0")
        40
    """
    words = stat.split("\n", 1)[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, words[1:9])
    return user + nice + system + hard + soft + stolen


class OtherLoad:
    """How busy other processes (and other guests) keep the machine from now on."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._before = self._others()

    @staticmethod
    def _others() -> float | None:
        try:
            ticks = busy_ticks(Path("/proc/stat").read_text(encoding="ascii"))
        except OSError:
            return None
        times = os.times()
        ours = times.user + times.system + times.children_user + times.children_system
        return None if ticks is None else ticks / os.sysconf("SC_CLK_TCK") - ours

    @property
    def use(self) -> float | None:
        """Their CPU time over wall time and all cores, None where the system does not say."""
        now = self._others()
        if now is None or self._before is None:
            return None
        seconds = time.perf_counter() - self._started
        return max(now - self._before, 0.0) / seconds / (os.cpu_count() or 1)


def interleaved(
    tasks: Mapping[str, Task], rounds: int, on_step: Callable[[str, int, int], None] | None = None
) -> dict[str, Timing]:
    """Run every task once a round, so that a slow minute of the machine hits all alike.

    Args:
        tasks: by name.
        rounds: at least 1.
        on_step: called before each run with the name, steps done and steps in all.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    samples: dict[str, list[Sample]] = {name: [] for name in tasks}
    for turn in range(rounds):
        for n, (name, task) in enumerate(tasks.items()):
            if on_step:
                on_step(name, turn * len(tasks) + n, rounds * len(tasks))
            samples[name].append(sample(task))
    cores = cpu_count()
    return {n: Timing(name=n, samples=tuple(s), cores=cores) for n, s in samples.items()}
