"""Medians, spread and CPU use from hand-made samples; rounds in turn."""

import os

import pytest

from upreel.evaluation import timing
from upreel.evaluation.timing import (
    OtherLoad,
    Sample,
    Timing,
    busy_ticks,
    interleaved,
    sample,
)


def made(*seconds: float, frames: int = 10, cpu: float = 1.0, cores: int = 2) -> Timing:
    samples = tuple(Sample(frames=frames, seconds=s, cpu_seconds=cpu) for s in seconds)
    return Timing(name="made", samples=samples, cores=cores)


def test_the_median_is_what_counts() -> None:
    timing = made(0.1, 5.0, 0.2)

    assert timing.ms == pytest.approx(20)
    assert timing.fps == pytest.approx(50)
    assert timing.ms_range == pytest.approx((10, 500))


def test_cpu_use_is_over_cores() -> None:
    assert made(1.0, 1.0, cpu=1.5).cpu_use == pytest.approx(0.75)


def test_json_has_plain_rounded_values() -> None:
    assert made(0.1, cpu=0.2).to_json() == {
        "name": "made",
        "frames": 10,
        "rounds": 1,
        "fps": 100.0,
        "ms": 10.0,
        "ms_min": 10.0,
        "ms_max": 10.0,
        "cpu_use": 1.0,
    }


def test_tasks_take_turns() -> None:
    order: list[str] = []
    steps: list[tuple[str, int, int]] = []

    def task(name: str, frames: int) -> int:
        order.append(name)
        return frames

    timings = interleaved(
        {"a": lambda: task("a", 1), "b": lambda: task("b", 2)},
        2,
        lambda *step: steps.append(step),
    )

    assert order == ["a", "b", "a", "b"]
    assert [s.frames for s in timings["b"].samples] == [2, 2]
    assert steps == [("a", 0, 4), ("b", 1, 4), ("a", 2, 4), ("b", 3, 4)]


def test_work_on_the_processor_is_seen() -> None:
    def busy() -> int:
        return sum(n * n for n in range(1_000_000)) and 3

    done = sample(busy)

    assert done.frames == 3
    assert 0 < done.cpu_seconds <= done.seconds * 1.5 + 0.02


def test_no_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        interleaved({}, 0)


def test_busy_ticks_need_linux() -> None:
    assert busy_ticks("") is None
    assert busy_ticks("intr 1 2 3 4 5 6 7 8 9") is None


def test_our_own_work_is_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0])
    stats = iter(["cpu 1000 0 0 0 0 0 0 0", "cpu 3000 0 0 0 0 0 0 0"])
    used = iter([5.0, 12.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(timing.Path, "read_text", lambda *_, **__: next(stats))
    monkeypatch.setattr(timing.os, "times", lambda: os.times_result((next(used), 0, 0, 0, 0)))
    monkeypatch.setattr(timing.os, "sysconf", lambda _: 100)
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 2)

    assert OtherLoad().use == pytest.approx((20 - 7) / 10 / 2)
