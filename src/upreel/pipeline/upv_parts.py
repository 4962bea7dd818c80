"""Parts of an .upv file under way: each a stream of its own, and a record of what follows on it."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from upreel.codec.header import Header
from upreel.codec.packet import Packet, PacketType
from upreel.codec.writer import Writer
from upreel.video.aside import AsideFile

__all__ = ["RECORD_VERSION", "OpenPart", "PartRecord", "part_name"]

RECORD_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PartRecord:
    """The record of a finished part.

    Attributes:
        stop: index of the frame behind its last one.
        frames: in it.
        keyframes: of these.
        repeated: of these.
        quality: sum of the qualities of the frames that were sent.
        bytes: of its file.
        video_bytes: of its packets.
        damaged: frames in which the source's decoder concealed errors.
        notices: what reading it found, one line each.
        rate: state of the rate control behind it.
        last: whether the video ends with it.
    """

    stop: int
    frames: int
    keyframes: int
    repeated: int
    quality: int
    bytes: int
    video_bytes: int
    damaged: int
    notices: tuple[str, ...]
    rate: dict[str, Any]
    last: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {"version": RECORD_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any] | None) -> "PartRecord | None":
        """The record that `to_json` was called on; None for anything else."""
        if values is None or values.pop("version", None) != RECORD_VERSION:
            return None
        with suppress(KeyError, TypeError):
            known = dict(values)
            return cls(notices=tuple(known.pop("notices")), **known)
        return None


class OpenPart:
    """A part under way.

    Args:
        path: where it is to appear.
        header: of its stream: without the other streams.
        first_time: of its first frame, seconds.
    """

    def __init__(self, path: Path, header: Header, first_time: Fraction) -> None:
        self.first_time = first_time
        self._file = AsideFile(path)
        self._writer = Writer(self._file, header)
        self._head_bytes = self._writer.size
        self._counts = {"frames": 0, "keyframes": 0, "repeated": 0, "quality": 0, "damaged": 0}

    def write(self, packet: Packet, *, damaged: bool) -> None:
        """Add a frame."""
        self._writer.write(packet)
        self._file.check()
        repeated = packet.type is PacketType.REPEAT
        self._counts["frames"] += 1
        self._counts["keyframes"] += packet.type is PacketType.VIDEO_KEY
        self._counts["repeated"] += repeated
        self._counts["quality"] += 0 if repeated else packet.quality
        self._counts["damaged"] += damaged

    def finish(
        self, *, stop: int, notices: tuple[str, ...], rate: dict[str, Any], last: bool
    ) -> PartRecord:
        """Bring it to the disk."""
        video_bytes = self._writer.size - self._head_bytes
        self._writer.finish()
        return PartRecord(
            stop=stop,
            **self._counts,
            bytes=self._file.commit(),
            video_bytes=video_bytes,
            notices=notices,
            rate=rate,
            last=last,
        )

    def discard(self) -> None:
        """Remove what was written."""
        self._file.discard()


def part_name(number: int, suffix: str) -> str:
    """A part's file, or its record."""
    return f"part-{number:05}{suffix}"
