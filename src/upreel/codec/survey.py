"""What an .upv file holds, without its codec: read through once, nothing is decoded."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from upreel.codec.file import UpvFile
from upreel.codec.header import MAGIC, Header
from upreel.codec.packet import Packet, PacketType, pack_packet
from upreel.codec.parser import Placed
from upreel.video.notice import clock

__all__ = ["Survey", "is_upv", "survey"]

_MOST_DAMAGES = 100  # that are listed


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a file holds.

    Attributes:
        header: of the file.
        num_bytes: of the file.
        num_frames: repeated ones counted.
        num_repeated: of these, sent as repetitions.
        keyframes: times of the frames alone, ticks.
        start: of the first frame, ticks; None without frames.
        end: of the last one, ticks.
        constant_rate: whether all frames last equally long, but for a tick.
        video_bytes: of packets of video, heads counted.
        key_bytes: of these, of keyframes.
        other_packets: packets of each other stream, in their order.
        other_bytes: bytes of these packets.
        qualities: least, mean and greatest of the frames that were sent; None without any.
        indexed: whether there is a sound index.
        num_damages: stretches that cannot be read.
        damages: of these, the first ones: (bytes from the file's start, one line).
    """

    header: Header
    num_bytes: int
    num_frames: int
    num_repeated: int
    keyframes: tuple[int, ...]
    start: int | None
    end: int
    constant_rate: bool
    video_bytes: int
    key_bytes: int
    other_packets: tuple[int, ...]
    other_bytes: tuple[int, ...]
    qualities: tuple[int, float, int] | None
    indexed: bool
    num_damages: int
    damages: tuple[tuple[int, str], ...]

    @property
    def seconds(self) -> Fraction:
        """Of the video."""
        return (self.end - (self.start or 0)) * self.header.time_base

    @property
    def bits_per_second(self) -> float | None:
        """Of the video's packets; None where it has no length."""
        seconds = float(self.seconds)
        return 8 * self.video_bytes / seconds if seconds > 0 else None


@dataclass(kw_only=True, slots=True)
class _Counts:
    frames: int = 0
    repeated: int = 0
    keyframes: list[int] = field(default_factory=list[int])
    start: int | None = None
    last: int = 0
    end: int = 0
    steps: tuple[int, int] | None = None
    video_bytes: int = 0
    key_bytes: int = 0
    least: int = 64
    most: int = -1
    quality: int = 0

    def add(self, packet: Packet, size: int) -> None:
        self.frames += 1
        self.video_bytes += size
        if self.start is None:
            self.start = packet.pts
        else:
            step = packet.pts - self.last
            least, most = self.steps or (step, step)
            self.steps = min(least, step), max(most, step)
        self.last, self.end = packet.pts, max(self.end, packet.pts + packet.duration)
        if packet.type is PacketType.REPEAT:
            self.repeated += 1
            return
        self.least = min(self.least, packet.quality)
        self.most = max(self.most, packet.quality)
        self.quality += packet.quality
        if packet.type is PacketType.VIDEO_KEY:
            self.keyframes.append(packet.pts)
            self.key_bytes += size


def is_upv(path: str | Path) -> bool:
    """Whether a file ends or begins as .upv files do; of a device or a pipe nothing is read."""
    if Path(path).suffix.lower() == ".upv":
        return True
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def survey(path: str | Path) -> Survey:
    """Read a file through and count.

    Raises:
        InputError: no such file, or it may not be read.
        BitstreamError: it is no .upv file, or its header is damaged and has no sound copy.
    """
    counts, damages = _Counts(), list[tuple[int, str]]()
    num_damages = 0
    with UpvFile(path) as file:
        header = file.header
        others = [[0, 0] for _ in header.others.streams]
        for event in file.read():
            if isinstance(event, Placed):
                size = len(pack_packet(event.packet))
                if event.packet.type.is_video:
                    counts.add(event.packet, size)
                elif 1 <= event.packet.stream <= len(others):
                    others[event.packet.stream - 1][0] += 1
                    others[event.packet.stream - 1][1] += size
                continue
            num_damages += 1
            if len(damages) < _MOST_DAMAGES:
                lost = event.lost
                at = ""
                if lost is not None and lost.type.is_video:
                    at = f" (video at {clock(lost.pts * header.time_base)})"
                damages.append((event.offset, event.reason + at))
        indexed = not file.scanned
    sent = counts.frames - counts.repeated
    least, most = counts.steps or (0, 0)
    return Survey(
        header=header,
        num_bytes=Path(path).stat().st_size,
        num_frames=counts.frames,
        num_repeated=counts.repeated,
        keyframes=tuple(counts.keyframes),
        start=counts.start,
        end=counts.end,
        constant_rate=most - least <= 1,
        video_bytes=counts.video_bytes,
        key_bytes=counts.key_bytes,
        other_packets=tuple(count for count, _ in others),
        other_bytes=tuple(size for _, size in others),
        qualities=(counts.least, counts.quality / sent, counts.most) if sent else None,
        indexed=indexed,
        num_damages=num_damages,
        damages=tuple(damages),
    )
