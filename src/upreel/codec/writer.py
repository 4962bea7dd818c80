"""Writing an .upv stream."""

from array import array
from typing import Protocol

from upreel.codec.header import Header, pack_header
from upreel.codec.index import MAX_KEYFRAMES, KeyframeIndex, pack_index
from upreel.codec.packet import Packet, PacketType, pack_packet

__all__ = ["END_BYTES", "Writer"]

END_BYTES = 23
"""Size of the last packet."""


class _Output(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Writer:
    """Writes a header at once, then packets, then what helps to seek.

    Sixteen bytes a keyframe are held, of no more than `MAX_KEYFRAMES` of them.

    Args:
        output: anything that takes bytes: a file, a pipe, a socket's file.
        header: what the stream begins with.
        index: whether the stream ends with an index; live streams need none.
    """

    def __init__(self, output: _Output, header: Header, *, index: bool = True) -> None:
        self._output = output
        self._header = pack_header(header)
        self._index = index
        self._num_streams = len(header.others.streams)
        self._size = 0
        self._pts = array("q")
        self._offsets = array("q")
        self._num_frames = 0
        self._end_pts = 0
        self._finished = False
        self._write(self._header)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def _write(self, data: bytes) -> None:
        self._output.write(data)
        self._size += len(data)

    def write(self, packet: Packet) -> None:
        """Write a packet of video or of another stream.

        Raises:
            ValueError: the packet is of another type or of no known stream, the first frame is no
                keyframe, or the times of keyframes do not rise.
        """
        if self._finished:
            raise ValueError("the stream is finished: it takes no further packets")
        if packet.type is PacketType.OTHER:
            if packet.stream > self._num_streams:
                raise ValueError(
                    f"the header describes {self._num_streams} other streams, not {packet.stream}"
                )
        elif packet.type.is_video:
            self._count(packet)
        else:
            raise ValueError(f"packets of type {packet.type.name} are written by `finish`")
        self._write(pack_packet(packet))

    def _count(self, packet: Packet) -> None:
        if packet.type is PacketType.VIDEO_KEY:
            if self._pts and packet.pts <= self._pts[-1]:
                raise ValueError(
                    f"times of keyframes must rise, got {packet.pts} after {self._pts[-1]}"
                )
            if self._index and len(self._pts) == MAX_KEYFRAMES:
                del self._pts[1::2], self._offsets[1::2]  # seeking gets coarser
            if self._index or not self._pts:
                self._pts.append(packet.pts)
                self._offsets.append(self._size)
            else:
                self._pts[-1] = packet.pts
        elif not self._num_frames:
            raise ValueError("the first frame must be a keyframe")
        self._num_frames += 1
        end = packet.pts + packet.duration
        self._end_pts = end if self._num_frames == 1 else max(self._end_pts, end)

    def finish(self) -> int:
        """Write the header once more, the index and the last packet; returns the stream's size."""
        if self._finished:
            return self._size
        self._finished = True
        index_offset = 0
        if self._index:
            header_offset = self._size
            self._write(pack_packet(Packet(type=PacketType.HEADER, payload=self._header)))
            index_offset = self._size
            index = KeyframeIndex(
                pts=self._pts,
                offsets=self._offsets,
                num_frames=self._num_frames,
                end_pts=self._end_pts,
                header_offset=header_offset,
            )
            self._write(pack_packet(Packet(type=PacketType.INDEX, payload=pack_index(index))))
        end = Packet(type=PacketType.END, payload=index_offset.to_bytes(8, "big"))
        self._write(pack_packet(end))
        return self._size
