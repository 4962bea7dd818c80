"""Decoding times: given the display times of a film's packets in coded order, when each is due.

Pure integer arithmetic over whole films: parts are encoded apart, so their own decoding times
overlap at the joints.
"""

from math import lcm

import numpy as np
import numpy.typing as npt

__all__ = ["decoding_times", "fine_clock", "reorder_delay", "scale_of_movie"]

Ticks = npt.NDArray[np.int64]


def reorder_delay(coded: Ticks) -> int:
    """By how many places a packet comes at most earlier in display than in coded order.

    Args:
        coded: display times in coded order, ticks, all different (N,).

    Returns:
        The least d such that the packet at place k is shown no earlier than the (k - d)-th
        frame, for every k.

    Example:
        >>> reorder_delay(np.array([0, 4, 2, 1, 3]))
        2
    """
    if not len(coded):
        return 0
    rank = np.empty(len(coded), np.int64)
    rank[np.argsort(coded, kind="stable")] = np.arange(len(coded))
    return int((np.arange(len(coded)) - rank).max())


def decoding_times(shown: Ticks, delay: int) -> Ticks:
    """Decoding times of packets: the k-th takes the k-th display time less the reorder delay.

    The delay is counted in frames, as encoders count it, so that one long frame does not move
    all packets of a film: the k-th packet is due when the (k - delay)-th frame is shown. Before
    the first frame, the steps are those of the first frames.

    Args:
        shown: display times in rising order, ticks (N,).
        delay: `reorder_delay` of the same packets.

    Returns:
        Strictly rising decoding times, ticks (N,), none later than its packet's display time.

    Example:
        >>> decoding_times(np.array([0, 10, 20, 35]), 2).tolist()
        [-20, -10, 0, 10]
    """
    num = len(shown)
    delay = min(delay, num)
    if not delay:
        return shown.copy()
    due = np.empty(num, np.int64)
    due[delay:] = shown[: num - delay]
    if delay < num:
        head = shown[:delay] - shown[delay]
    else:  # fewer frames than places: count back from the last one by its own step
        step = shown[-1] - shown[-2] if num > 1 else 1
        head = shown - shown[-1] - step
    due[:delay] = shown[0] + head
    return due


def fine_clock(denominator: int) -> int:
    """Ticks a second of an MP4 track: the stream's own, doubled up to 10000 at least.

    This is what FFmpeg does on its own for exact times, and what players are used to.

    Example:
        >>> fine_clock(25), fine_clock(30000)
        (12800, 30000)
    """
    while denominator < 10_000:
        denominator *= 2
    return denominator


def scale_of_movie(denominators: tuple[int, ...], limit: int = 2**31 - 1) -> tuple[int, bool]:
    """Ticks a second in which the start of every stream of an MP4 file is exact.

    Args:
        denominators: ticks a second of the streams that start late, or not at a whole millisecond.
        limit: the largest that the file can say.

    Returns:
        The least common multiple with 1000, and True; or the largest of them within the limit
        and False where that does not fit.

    Example:
        >>> scale_of_movie((30000, 48000))
        (240000, True)
    """
    exact = lcm(1000, *denominators)
    if exact <= limit:
        return exact, True
    return max(d for d in (1000, *denominators) if d <= limit), False
