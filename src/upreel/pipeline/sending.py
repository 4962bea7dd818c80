"""Frames to packets, and packets to frames: the codec's loops, without files.

Sent     a frame goes alone at the start, at a scene cut, and where the keyframe interval ends. A
         cut within `LEAST_DISTANCE` frames behind a keyframe makes none: flashes do that. One
         whose samples all equal those of the frame before it (of the source: not of what was
         decoded) goes as a repetition, a head without a payload; a keyframe that is due goes first.
Received what cannot be decoded is shown as the frame before, until the next keyframe that decodes.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import numpy as np

from upreel.codec.header import Header
from upreel.codec.packet import Packet, PacketType, pack_packet
from upreel.codec.parser import Damage, Placed
from upreel.codec.rate import QualityControl
from upreel.errors import BitstreamError
from upreel.pipeline.coding import FrameCodec
from upreel.pipeline.cuts import Thumbnail, is_cut, thumbnail
from upreel.video.formats import pixel_format
from upreel.video.frame import Frame, Plane
from upreel.video.notice import clock

__all__ = ["LEAST_DISTANCE", "Receiver", "Sender"]

LEAST_DISTANCE = 5
"""Frames from a keyframe to the next one that a scene cut makes."""

_MOST_FILLED = 100_000  # frames that stand for a hole


class Sender:
    """Turns frames into packets, one for one.

    Args:
        codec: opened for the frames' size.
        control: chooses qualities.
        keyint: frames from one keyframe to the next at most.
        key_seconds: likewise, in time; None for any.
    """

    def __init__(
        self,
        codec: FrameCodec,
        control: QualityControl,
        *,
        keyint: int,
        key_seconds: Fraction | None = None,
    ) -> None:
        self._codec, self._control = codec, control
        self._keyint, self._key_seconds = keyint, key_seconds
        self._state: object = None
        self._seen: Thumbnail | None = None
        self._planes: tuple[Plane, ...] = ()
        self._since_key = 0
        self._key_time = Fraction(0)
        self._quality = 0

    def packet(self, frame: Frame) -> Packet:
        """The next frame's packet."""
        seen = thumbnail(frame)
        alone = self._seen is None or self._is_due(frame)
        if self._seen is not None and self._since_key >= LEAST_DISTANCE:
            alone = alone or is_cut(self._seen, seen)
        same = not alone and all(
            np.array_equal(plane, before)
            for plane, before in zip(frame.planes, self._planes, strict=True)
        )
        self._seen, self._planes = seen, frame.planes
        self._since_key += 1
        if alone:
            self._since_key, self._key_time = 1, frame.pts * frame.time_base
        if same:
            packet = self._made(PacketType.REPEAT, frame, b"")
            self._control.repeated(_num_bits(packet))
            return packet
        kind = PacketType.VIDEO_KEY if alone else PacketType.VIDEO_INTER
        before = None if alone else self._state
        while True:
            self._quality = self._control.choose(alone=alone)
            code, state = self._codec.send(frame.planes, self._quality, before)
            packet = self._made(kind, frame, code)
            num_bits = _num_bits(packet)
            if not self._control.again(self._quality, num_bits, alone=alone):
                break
        self._state = state
        self._control.sent(self._quality, num_bits, alone=alone)
        return packet

    def _is_due(self, frame: Frame) -> bool:
        if self._since_key >= self._keyint:
            return True
        length = frame.pts * frame.time_base - self._key_time
        return self._key_seconds is not None and length >= self._key_seconds

    def _made(self, kind: PacketType, frame: Frame, code: bytes) -> Packet:
        return Packet(
            type=kind,
            pts=frame.pts,
            duration=max(frame.duration, 0),
            quality=self._quality,
            payload=code,
        )


def _num_bits(packet: Packet) -> int:
    return 8 * len(pack_packet(packet))


class Receiver:
    """Turns packets and damages into frames.

    Attributes:
        num_damaged: frames so far that stand for ones which could not be decoded.

    Args:
        codec: opened for the header's coded size.
        header: the stream's.
        tell: told of damage, one line a stretch.
    """

    def __init__(self, codec: FrameCodec, header: Header, tell: Callable[[str], None]) -> None:
        self.num_damaged = 0
        self._codec, self._header, self._tell = codec, header, tell
        self._format = pixel_format(f"yuv420p{header.bits}le" if header.bits > 8 else "yuv420p")
        self._state: object = None
        self._planes: tuple[Plane, ...] = ()
        self._index = 0
        self._last_pts: int | None = None
        self._duration = 0
        self._waiting = True  # for a keyframe
        self._hole = False  # something unknown is missing since the last frame
        self._missing = 0  # frames of the stretch of damage that is under way
        self._missing_from = Fraction(0)
        self._lost_others: dict[int, int] = {}
        self._out_of_order = 0

    def frames(self, events: Iterable[Placed | Damage]) -> Iterator[Frame]:
        """The frames of a stream, damaged ones among them."""
        for event in events:
            yield from self.take(event)
        self.finish()

    def take(self, event: Placed | Damage) -> Iterator[Frame]:
        """The frames that come of one packet or damage; events come in the stream's order."""
        if isinstance(event, Placed):
            if event.packet.type.is_video:
                yield from self._packet(event.packet)
        elif event.lost is not None:
            yield from self._lost(event.lost)
        elif event.num_bytes:
            self._hole = True
        else:
            at = "" if self._last_pts is None else f" at {self._clock(self._next_pts)}"
            self._tell(f"the file is cut off{at}: what was there is kept")

    def finish(self) -> None:
        """Tell of what is known only when there are no more events."""
        self._recovered()
        for stream, count in sorted(self._lost_others.items()):
            what = "packet of another stream" if count == 1 else "packets of another stream"
            self._tell(f"{count} damaged {what} ({stream}) left out")
        if self._out_of_order:
            self._tell(f"{self._out_of_order} frames whose times do not rise: they are left out")

    @property
    def _next_pts(self) -> int:
        """When a frame behind the last one is due, if none is missing."""
        return (self._last_pts or 0) + self._duration

    def _clock(self, pts: int) -> str:
        return clock(pts * self._header.time_base)

    def _packet(self, packet: Packet) -> Iterator[Frame]:
        yield from self._fill(packet.pts)
        if packet.type is PacketType.REPEAT:
            yield from self._shown(packet, damaged=self._waiting)
            return
        alone = packet.type is PacketType.VIDEO_KEY
        damaged = self._waiting and not alone
        if not damaged:
            try:
                before = None if alone else self._state
                self._state = self._codec.receive(packet.payload, packet.quality, before)
            except BitstreamError:
                damaged = True
        self._waiting = damaged
        if not damaged:
            self._recovered()
            self._planes = self._cut(self._codec.planes(self._state))
        yield from self._shown(packet, damaged=damaged)

    def _lost(self, packet: Packet) -> Iterator[Frame]:
        if packet.type.is_video:
            yield from self._fill(packet.pts)
            self._waiting = True
            yield from self._shown(packet, damaged=True)
        elif packet.type is PacketType.OTHER:
            count = self._lost_others.get(packet.stream, 0)
            self._lost_others[packet.stream] = count + 1

    def _fill(self, pts: int) -> Iterator[Frame]:
        """Frames for a hole before `pts`: one each of the last frame's duration."""
        if not self._hole:
            return
        self._hole = False
        if self._last_pts is None or pts == self._next_pts:
            return  # no frame was in it
        self._waiting = True
        count = 0
        while self._duration and 2 * (pts - self._next_pts) >= self._duration:
            place = Packet(
                type=PacketType.REPEAT,
                pts=self._next_pts,
                duration=min(self._duration, pts - self._next_pts),
            )
            yield from self._shown(place, damaged=True)
            count += 1
            if count == _MOST_FILLED:
                return

    def _shown(self, packet: Packet, *, damaged: bool) -> Iterator[Frame]:
        if damaged:
            if not self._missing:
                self._missing_from = packet.pts * self._header.time_base
            self._missing += 1
        if not self._planes:
            return
        if self._last_pts is not None and packet.pts <= self._last_pts:
            self._out_of_order += 1
            return
        self.num_damaged += damaged
        header = self._header
        yield Frame(
            planes=self._planes,
            format=self._format,
            index=self._index,
            pts=packet.pts,
            time_base=header.time_base,
            duration=packet.duration,
            colour=header.colour,
            sample_aspect_ratio=header.sample_aspect_ratio,
            rotation=header.rotation,
            damaged=damaged,
        )
        self._index += 1
        self._last_pts, self._duration = packet.pts, packet.duration or self._duration

    def _recovered(self) -> None:
        """Tell of the stretch of damage that ends here."""
        if not self._missing:
            return
        count, at = self._missing, clock(self._missing_from)
        frames = "1 frame" if count == 1 else f"{count} frames"
        self._missing = 0
        if self._planes:
            self._tell(f"{frames} from {at} on cannot be decoded: the one before is shown")
        else:
            self._tell(f"{frames} from {at} on cannot be decoded: they are left out")

    def _cut(self, planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
        """What is shown of what is coded."""
        height, width = self._header.height, self._header.width
        if (height, width) == (self._header.coded_height, self._header.coded_width):
            return planes
        luma, *chroma = planes
        half = (slice(-(-height // 2)), slice(-(-width // 2)))
        return (luma[:height, :width], *(plane[half] for plane in chroma))
