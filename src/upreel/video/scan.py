"""Every frame's time by demuxing alone: the base of plans, seeking and exact preservation.

All arithmetic is on whole ticks. Where packets lack presentation times, they are made from the
decoding times: the k-th frame shown has the k-th smallest of them, plus the reorder delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from upreel.errors import InputError, ProbeError
from upreel.video.avc import FieldPairs
from upreel.video.info import SourceInfo, Timeline
from upreel.video.order import reorder_delay
from upreel.video.source import open_source, sequence_files

__all__ = ["PacketTime", "scan", "timeline_from_packets"]


@dataclass(frozen=True, slots=True)
class PacketTime:
    """What a container says of one video packet, in ticks; None is "not said"."""

    pts: int | None
    dts: int | None
    duration: int = 0
    keyframe: bool = False
    num_bytes: int = 0


def scan(info: SourceInfo) -> Timeline:
    """Read all video packets of a source, decoding none, and list its frames' times.

    Packets that an edit list cuts off are not counted. Two packets of H.264 that hold a field each
    are one frame, with the first one's time. A file that breaks off gives the frames up to there.

    Args:
        info: from `upreel.video.probe.probe`.

    Raises:
        InputError: the source is a pipe, which can be read once only.
        ProbeError: there is no packet of video in it.
    """
    if info.foreign is not None:
        return info.foreign.timeline()
    if info.is_sequence:
        count = len(sequence_files(info.path))
        return Timeline(
            pts=np.arange(count, dtype=np.int64),
            keyframes=np.arange(count, dtype=np.int64),
            time_base=info.time_base,
            last_duration=1,
            exact=True,
        )
    if not info.seekable:
        raise InputError("standard input cannot be scanned: a pipe can be read only once")
    packets = _packets(info)
    if not packets:
        raise ProbeError(f"{info.path} holds no packet of video")
    # AVI stores frames in the order of decoding and tells no times: only without B-frames do the
    # times that FFmpeg makes of that hold.
    reliable = info.container != "avi" or all(packet.pts == packet.dts for packet in packets)
    return timeline_from_packets(
        packets, time_base=info.time_base, rate=info.rate, reliable=reliable
    )


def _packets(info: SourceInfo) -> list[PacketTime]:
    """The packets of the video that make frames, in the file's order."""
    packets: list[PacketTime] = []
    with open_source(info.path) as container:
        stream = cast("VideoStream", container.streams[info.video_index])
        pairs = None
        if info.codec == "h264":
            pairs = FieldPairs(stream.codec_context.extradata or b"")
        kept = False  # whether the packet before is in the list
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if pairs is not None and pairs.possible and pairs.is_second(bytes(packet)):
                    if kept:  # its duration may be that of a field or of the frame
                        num_bytes = packets[-1].num_bytes + packet.size
                        packets[-1] = replace(packets[-1], duration=0, num_bytes=num_bytes)
                    continue
                kept = not packet.is_discard
                if kept:
                    packets.append(
                        PacketTime(
                            packet.pts,
                            packet.dts,
                            packet.duration or 0,
                            packet.is_keyframe,
                            packet.size,
                        )
                    )
        except FFmpegError:
            pass  # the file breaks off here: what came before is the video
    return packets


def timeline_from_packets(
    packets: Sequence[PacketTime],
    *,
    time_base: Fraction,
    rate: Fraction | None,
    reliable: bool = True,
) -> Timeline:
    """Times of all frames in display order from those of their packets in file order.

    Args:
        packets: at least one.
        time_base: seconds a tick.
        rate: frames a second, for packets without any time.
        reliable: whether presentation times, where given, are to be believed.

    Example:
        >>> packets = [PacketTime(0, -2, 1, True), PacketTime(3, -1, 1), PacketTime(1, 0, 2)]
        >>> timeline_from_packets(packets, time_base=Fraction(1, 30), rate=None).pts.tolist()
        [0, 1, 3]
    """
    pts = [packet.pts for packet in packets]
    known = [time for time in pts if time is not None]
    if reliable and len(known) == len(packets) and len(set(known)) == len(known):
        order = np.argsort(np.array(known, dtype=np.int64))
        times = np.array(known, dtype=np.int64)[order]
        keys = np.array([packet.keyframe for packet in packets], dtype=np.bool_)[order]
        sizes = np.array([packet.num_bytes for packet in packets], dtype=np.int64)[order]
        last = _last_duration(packets[int(order[-1])].duration, times, time_base, rate)
        return Timeline(
            pts=times,
            keyframes=np.flatnonzero(keys).astype(np.int64),
            time_base=time_base,
            last_duration=last,
            exact=True,
            sizes=sizes,
            delay=reorder_delay(np.array(known, dtype=np.int64)),
        )
    times = _times_without_pts(packets, known, time_base=time_base, rate=rate, reliable=reliable)
    last = _last_duration(packets[-1].duration, times, time_base, rate)
    return Timeline(
        pts=times,
        keyframes=np.zeros(1, dtype=np.int64),
        time_base=time_base,
        last_duration=last,
        exact=False,
    )


def _times_without_pts(
    packets: Sequence[PacketTime],
    known: Sequence[int],
    *,
    time_base: Fraction,
    rate: Fraction | None,
    reliable: bool,
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rising times of frames whose packets do not all tell them."""
    stored = sorted({packet.dts for packet in packets if packet.dts is not None})
    if len(stored) == len(packets):
        delay = _reorder_delay(stored, known) if reliable else 0
        return np.array(stored, dtype=np.int64) + delay
    start = min([*known, *stored], default=0)
    tick = Fraction(1) / rate / time_base if rate else Fraction(max(packets[0].duration, 1))
    # Half a tick is added before the whole part is taken: rounding, in whole numbers.
    top, bottom = 2 * tick.numerator, 2 * tick.denominator
    return np.array(
        [start + (n * top + tick.denominator) // bottom for n in range(len(packets))],
        dtype=np.int64,
    )


def _reorder_delay(stored: Sequence[int], known: Sequence[int]) -> int:
    """Ticks from the k-th decoding to the k-th presentation time, so that all known ones fit."""
    if not known:
        return 0
    times = set(known)
    for first in stored[:17]:
        delay = min(known) - first
        if delay >= 0 and times <= {time + delay for time in stored}:
            return delay
    return max(min(known) - stored[0], 0)


def _last_duration(
    told: int,
    times: np.ndarray[tuple[int], np.dtype[np.int64]],
    time_base: Fraction,
    rate: Fraction | None,
) -> int:
    if told > 0:
        return told
    if rate:
        return max(round(1 / rate / time_base), 1)
    return int(times[-1] - times[-2]) if len(times) > 1 else 1
