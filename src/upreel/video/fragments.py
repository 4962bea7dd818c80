# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Fragments of MP4 as HLS and MSE take them: an init segment and media segments, by PyAV's muxer.

Each fragment is muxed on its own and tells the time at which it is due, so fragments that were
made apart, in any order, fit together. There is no edit list: times are what they are in the
packets, and may not be below 0.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from upreel.errors import DamagedError

__all__ = [
    "Fragment",
    "FragmentMuxer",
    "boxes",
    "empty_fragment",
]

_FLAGS = "+frag_custom+default_base_moof+frag_discont+skip_trailer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """One piece of one track.

    Attributes:
        init: ``ftyp`` and ``moov``, the same for all fragments of a track.
        media: ``moof`` and ``mdat``; empty where only `init` was asked for.
    """

    init: bytes
    media: bytes


class FragmentMuxer:
    """One MP4 fragment in memory, of one stream.

    Add the stream to `container`, give its packets to `add` in the order of decoding, then take
    `fragment`.

    Args:
        clock: ticks a second of the track.
        header_first: write the init segment before any packet: for encoders, which know it.
    """

    def __init__(self, clock: int, *, header_first: bool = False) -> None:
        self._file = io.BytesIO()
        flags = _FLAGS + ("+empty_moov" if header_first else "+delay_moov")
        self.container: OutputContainer = av.open(
            self._file,
            "w",
            format="mp4",
            container_options={
                "movflags": flags,
                "use_editlist": "0",
                "fflags": "+bitexact",
                "avoid_negative_ts": "disabled",
                "video_track_timescale": str(clock),
            },
        )

    def add(self, stream: Stream, packets: Sequence[Packet]) -> None:
        """Mux the packets of the fragment, whose times are set.

        Raises:
            DamagedError: they are not of a kind that can be muxed.
        """
        try:
            for packet in packets:
                packet.stream = stream
                self.container.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            raise DamagedError(f"its packets cannot be sent: {error}") from error

    def header(self) -> Fragment:
        """The init segment alone, for a muxer that was opened with `header_first`."""
        self.container.start_encoding()
        init = self._file.getvalue()
        self.container.close()
        return Fragment(init=init, media=b"")

    def fragment(self, number: int) -> Fragment:
        """Close the muxer and take what it wrote.

        Args:
            number: of the fragment within its track, from 0.

        Raises:
            DamagedError: what was added makes no fragment.
        """
        try:
            self.container.close()
        except (av.FFmpegError, ValueError) as error:
            raise DamagedError(f"its packets cannot be sent: {error}") from error
        data = self._file.getvalue()
        init, media = bytearray(), bytearray()
        for kind, box in boxes(data):
            if kind in (b"ftyp", b"moov"):
                init += box
            elif kind in (b"moof", b"mdat"):
                media += box
        place = media.find(b"mfhd")
        if place < 0:
            raise DamagedError("its packets make no fragment")
        media[place + 8 : place + 12] = struct.pack(">I", number + 1)
        return Fragment(init=bytes(init), media=bytes(media))


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of some MP4 data, one behind the other: (type, whole box).

    Example:
        >>> [kind for kind, _ in boxes(struct.pack(">I4sI4s", 8, b"free", 8, b"skip"))]
        [b'free', b'skip']
    """
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size == 1 and place + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, place + 8)
        if size < 8:  # to the end of the file
            size = len(data) - place
        yield kind, data[place : place + size]
        place += size


def empty_fragment(number: int, start: int) -> bytes:
    """A fragment without samples: for a stretch where a track has nothing.

    Args:
        number: of the fragment within its track, from 0.
        start: its time in ticks of the track.
    """
    tfhd = struct.pack(">I4sII", 16, b"tfhd", 0x020000, 1)
    tfdt = struct.pack(">I4sIQ", 20, b"tfdt", 0x01000000, start)
    trun = struct.pack(">I4sII", 16, b"trun", 0, 0)
    traf = _box(b"traf", tfhd + tfdt + trun)
    mfhd = struct.pack(">I4sII", 16, b"mfhd", 0, number + 1)
    return _box(b"moof", mfhd + traf) + _box(b"mdat", b"")


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
