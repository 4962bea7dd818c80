"""Where the keyframes of an .upv stream are: the payload of its index packet.

Numbers as in `upreel.codec.numbers`: frames; end of the last frame (signed, ticks); offset of the
header's copy; number of keyframes; of each keyframe its time less that of the one before (signed;
of the first its time) and its offset less that of the one before.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from upreel.codec.numbers import (
    MAX_SIGNED,
    Buffer,
    pack_signed,
    pack_unsigned,
    unpack_signed,
    unpack_unsigned,
)
from upreel.errors import BitstreamError

__all__ = ["MAX_KEYFRAMES", "KeyframeIndex", "pack_index", "unpack_index"]

MAX_KEYFRAMES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyframeIndex:
    """Where the keyframes are.

    Attributes:
        pts: their times in ticks, rising; up to `MAX_KEYFRAMES`.
        offsets: where their packets begin, bytes from the start of the stream, rising.
        num_frames: frames of the video, repeated ones counted.
        end_pts: when the last frame ends, ticks.
        header_offset: where the packet with the header's copy begins, 0 if there is none.

    Raises:
        ValueError: a field is out of its range.
    """

    pts: Sequence[int] = ()
    offsets: Sequence[int] = ()
    num_frames: int = 0
    end_pts: int = 0
    header_offset: int = 0

    def __post_init__(self) -> None:
        if len(self.pts) != len(self.offsets) or len(self.pts) > MAX_KEYFRAMES:
            raise ValueError(
                f"up to {MAX_KEYFRAMES} keyframes, each with an offset; got {len(self.pts)} and "
                f"{len(self.offsets)}"
            )
        for name, values in (("times", self.pts), ("offsets", self.offsets)):
            if any(later <= earlier for earlier, later in pairwise(values)):
                raise ValueError(f"{name} of keyframes must rise")
        whole = [*self.offsets[:1], *self.offsets[-1:], self.num_frames, self.header_offset]
        if not all(0 <= value <= MAX_SIGNED for value in whole):
            raise ValueError("offsets and numbers of frames must be 0 to 2^63 - 1")
        span = self.pts[-1] - self.pts[0] if self.pts else 0
        if not all(abs(value) <= MAX_SIGNED for value in (*self.pts, self.end_pts, span)):
            raise ValueError("times must be -(2^63 - 1) to 2^63 - 1")

    def before(self, pts: int) -> int | None:
        """Which keyframe decoding starts from for a time: the last at or before it, else the first.

        Example:
            >>> index = KeyframeIndex(pts=(0, 50), offsets=(200, 900))
            >>> index.before(49), index.before(50), index.before(-3)
            (0, 1, 0)
        """
        return max(bisect_right(self.pts, pts) - 1, 0) if self.pts else None


def pack_index(index: KeyframeIndex) -> bytes:
    """An index packet's payload."""
    packed = bytearray(pack_unsigned(index.num_frames))
    packed += pack_signed(index.end_pts)
    packed += pack_unsigned(index.header_offset)
    packed += pack_unsigned(len(index.pts))
    last_pts = last_offset = 0
    for pts, offset in zip(index.pts, index.offsets, strict=True):
        packed += pack_signed(pts - last_pts)
        packed += pack_unsigned(offset - last_offset)
        last_pts, last_offset = pts, offset
    return bytes(packed)


def unpack_index(data: Buffer) -> KeyframeIndex:
    """An index from its packet's payload.

    Raises:
        BitstreamError: it is not as the format says.
    """
    num_frames, place = unpack_unsigned(data, 0)
    end_pts, place = unpack_signed(data, place)
    header_offset, place = unpack_unsigned(data, place)
    count, place = unpack_unsigned(data, place)
    if count > MAX_KEYFRAMES:
        raise BitstreamError(f"the index has {count} keyframes, of {MAX_KEYFRAMES} at most")
    times: list[int] = []
    offsets: list[int] = []
    pts = offset = 0
    for _ in range(count):
        step, place = unpack_signed(data, place)
        pts += step
        step, place = unpack_unsigned(data, place)
        offset += step
        times.append(pts)
        offsets.append(offset)
    if place != len(data):
        raise BitstreamError(f"{len(data) - place} bytes stand behind the index")
    try:
        return KeyframeIndex(
            pts=tuple(times),
            offsets=tuple(offsets),
            num_frames=num_frames,
            end_pts=end_pts,
            header_offset=header_offset,
        )
    except ValueError as error:
        raise BitstreamError(f"the index is not sound: {error}") from error
