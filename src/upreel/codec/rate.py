"""Which quality each frame is sent with: one for all, or what keeps to a bitrate.

`RateControl` chooses from what was sent so far and nothing else, so that the same frames give the
same stream, also where it was broken off and goes on from `state`.

Model    log2 of a frame's bits is a line over quality, of its own for frames alone ("alone") and
         for frames from the one before ("next"). Its level follows the frames that were sent, its
         slope is fitted to their changes of quality.
Budget   what the frames of the next seconds may take: their share of the whole, and what earlier
         frames left over or took too much. Towards the end these are all frames that are left.
"""

from dataclasses import asdict, dataclass, replace
from math import ceil, log2
from typing import Any, Protocol

from upreel.codec.packet import MAX_QUALITY
from upreel.errors import OptionError

__all__ = ["FixedQuality", "QualityControl", "RateControl"]

_AHEAD_SECONDS = 5.0
_FEWEST_AHEAD = 6  # frames that a debt is spread over, also at the very end
_SLOPE = 1 / 12  # of log2 bits over quality, before any frame has told it
_LEAST_SLOPE, _MOST_SLOPE = 0.01, 0.4
_TRUST = 200.0  # squared steps of quality that the first slope counts for
_FORGET = 0.95  # of what told the slope, a frame
_FOLLOW = 0.5  # share of a frame's surprise that its level takes over
_STEP = 4  # most that quality differs from one frame to the next within a scene
_OFF = 0.4  # log2: a frame alone that is farther from what was expected is sent once more
_TRIES = 3


class QualityControl(Protocol):
    """Chooses qualities, and is told what they gave."""

    def choose(self, *, alone: bool) -> int:
        """The quality of the next frame, 0 to 63."""
        ...

    def again(self, quality: int, num_bits: int, *, alone: bool) -> bool:
        """Whether a frame that takes so many bits is to be chosen for, and sent, once more."""
        ...

    def sent(self, quality: int, num_bits: int, *, alone: bool) -> None:
        """A frame has been sent."""
        ...

    def repeated(self, num_bits: int) -> None:
        """A frame has been sent as a repetition of the one before."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain values to go on from."""
        ...


@dataclass(frozen=True, kw_only=True)
class FixedQuality:
    """One quality for all frames.

    Attributes:
        quality: 0 to 63.
    """

    quality: int

    def choose(self, *, alone: bool) -> int:
        """That quality."""
        del alone
        return self.quality

    def again(self, quality: int, num_bits: int, *, alone: bool) -> bool:
        """Never."""
        del quality, num_bits, alone
        return False

    def sent(self, quality: int, num_bits: int, *, alone: bool) -> None:
        """Nothing follows."""

    def repeated(self, num_bits: int) -> None:
        """Nothing follows."""

    def state(self) -> dict[str, Any]:
        """None is needed."""
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """log2 of the bits of one kind of frame: ``level + slope * quality``.

    Attributes:
        level: at quality 0.
        change: sum of products of changes of quality and of log2 bits.
        square: sum of squared changes of quality.
        quality: of the frame before; -1 where the scene is new.
        bits: log2 of that frame's.
    """

    level: float
    change: float = 0.0
    square: float = 0.0
    quality: int = -1
    bits: float = 0.0

    @property
    def slope(self) -> float:
        fitted = (self.change + _TRUST * _SLOPE) / (self.square + _TRUST)
        return min(max(fitted, _LEAST_SLOPE), _MOST_SLOPE)

    def at(self, quality: float) -> float:
        """Bits."""
        return 2.0 ** min(self.level + self.slope * quality, 60.0)

    def learnt(self, quality: int, num_bits: int) -> "_Line":
        """The line behind a frame."""
        bits = log2(max(num_bits, 1))
        change, square = self.change * _FORGET, self.square * _FORGET
        share = 1.0
        if self.quality >= 0:
            step = quality - self.quality
            change, square = change + step * (bits - self.bits), square + step * step
            share = _FOLLOW
        line = replace(self, change=change, square=square, quality=quality, bits=bits)
        wanted = bits - line.slope * quality
        # From the point that the old line goes through at this quality: its slope may have changed.
        before = self.level + (self.slope - line.slope) * quality
        return replace(line, level=before + share * (wanted - before))


class RateControl:
    """Qualities that give a bitrate on average.

    A whole clip of some seconds ends within 5 % of it, unless its frames take more at quality 0, or
    less at quality 63. Frames count alike, however long each is shown.

    Args:
        bits_per_second: of the video's packets, heads counted.
        seconds: of the video.
        num_frames: of the video.
        keyframe_interval: frames from one keyframe to the next at most.
        luma: columns times rows: for the first guess alone.
        state: of `state`, to go on from there.

    Raises:
        OptionError: fewer bits than the packets' heads take.
    """

    def __init__(
        self,
        bits_per_second: float,
        *,
        seconds: float,
        num_frames: int,
        keyframe_interval: int,
        luma: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._frames = max(num_frames, 1)
        self._share = bits_per_second * seconds / self._frames
        least = ceil(_HEAD_BITS * self._frames / max(seconds, 1e-9))
        if self._share < _HEAD_BITS:
            raise OptionError(
                f"{bits_per_second / 1000:g} kbit/s do not even hold the packets' heads of "
                f"{num_frames} frames: give more than {least / 1000:g}"
            )
        self._ahead = max(int(_AHEAD_SECONDS * self._frames / max(seconds, 1e-9)), _FEWEST_AHEAD)
        self._interval = max(keyframe_interval, 1)
        # About half a bit a sample of a frame alone, and a tenth of one from the frame before, at
        # quality 32.
        self._alone = _Line(level=log2(0.5 * luma + _HEAD_BITS) - 32 * _SLOPE)
        self._next = _Line(level=log2(0.1 * luma + _HEAD_BITS) - 32 * _SLOPE)
        self._done = self._keys = self._tries = 0
        self._spent = 0
        self._moving = 1.0  # share of frames that are no repetitions
        self._quality = -1  # of the frame before
        if state:
            self._alone, self._next = _Line(**state["alone"]), _Line(**state["next"])
            self._done, self._keys = state["done"], state["keys"]
            self._spent, self._moving = state["spent"], state["moving"]
            self._quality = state["quality"]

    def state(self) -> dict[str, Any]:
        """Plain values to go on from, between two frames."""
        return {
            "alone": asdict(self._alone),
            "next": asdict(self._next),
            "done": self._done,
            "keys": self._keys,
            "spent": self._spent,
            "moving": self._moving,
            "quality": self._quality,
        }

    def choose(self, *, alone: bool) -> int:
        """The quality at which this frame and those of the next seconds take their budget."""
        left = max(self._frames - self._done, 1)
        ahead = min(left, self._ahead)
        budget = self._share * (self._done + ahead) - self._spent
        if left < _FEWEST_AHEAD:  # the debt of the last frames is not theirs alone
            ahead, budget = _FEWEST_AHEAD, budget + self._share * (_FEWEST_AHEAD - left)
        behind = max(ahead - 1, 0)
        keys = behind * self._keys / max(self._done, self._interval)
        moving = max(behind * self._moving - keys, 0.0)
        now, keys = (1.0, keys) if alone else (0.0, keys)
        moving += not alone

        def taken(quality: float) -> float:
            return (now + keys) * self._alone.at(quality) + moving * self._next.at(quality)

        low, high = 0.0, float(MAX_QUALITY)
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if taken(middle) < budget else (low, middle)
        quality = round((low + high) / 2)
        if not alone and self._quality >= 0:
            quality = min(max(quality, self._quality - _STEP), self._quality + _STEP)
        return min(max(quality, 0), MAX_QUALITY)

    def again(self, quality: int, num_bits: int, *, alone: bool) -> bool:
        """Whether the choice was much mistaken: of frames alone, which nothing told of before."""
        if not alone or self._tries >= _TRIES - 1:
            return False
        off = log2(max(num_bits, 1)) - log2(self._alone.at(quality))
        if abs(off) < _OFF:
            return False
        # Of the same picture: what it tells of the slope is certain, but for the first try.
        line = self._alone if self._tries else replace(self._alone, quality=-1)
        self._alone = replace(line.learnt(quality, num_bits), quality=quality)
        self._tries += 1
        return self.choose(alone=True) != quality

    def sent(self, quality: int, num_bits: int, *, alone: bool) -> None:
        """Learn from a frame, and count it."""
        if alone:
            known = self._alone if self._tries else replace(self._alone, quality=-1)
            before = known.level
            self._alone = replace(known.learnt(quality, num_bits), quality=-1)
            # Another scene: its frames in between are likely to differ as this one does.
            moved = (self._alone.level - before) / 2 if self._keys else 0.0
            self._next = replace(self._next, level=self._next.level + moved, quality=-1)
            self._keys += 1
        else:
            self._next = self._next.learnt(quality, num_bits)
        self._tries = 0
        self._quality = quality
        self._count(num_bits, moving=True)

    def repeated(self, num_bits: int) -> None:
        """Count a frame that costs its packet's head alone."""
        self._count(num_bits, moving=False)

    def _count(self, num_bits: int, *, moving: bool) -> None:
        self._done += 1
        self._spent += num_bits
        self._moving += (moving - self._moving) / 16


_HEAD_BITS = 8 * 20
