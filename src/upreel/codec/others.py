"""Packets of the source's other streams, as an .upv stream and as `upreel.video` have them."""

from upreel.codec.packet import Packet, PacketType
from upreel.video.carry import CarriedPacket

__all__ = ["carried_packet", "packet_of"]


def packet_of(record: CarriedPacket) -> Packet:
    """The .upv packet that carries another stream's packet.

    Example:
        >>> record = CarriedPacket(stream=1, data=b"sound", pts=5, dts=3)
        >>> carried_packet(packet_of(record)) == record
        True
    """
    return Packet(
        type=PacketType.OTHER,
        stream=record.stream,
        pts=record.pts,
        dts=record.dts,
        duration=record.duration,
        keyframe=record.keyframe,
        corrupt=record.corrupt,
        payload=record.data,
    )


def carried_packet(packet: Packet) -> CarriedPacket:
    """Another stream's packet, from the .upv packet that carried it."""
    return CarriedPacket(
        stream=packet.stream,
        data=packet.payload,
        pts=packet.pts,
        dts=packet.pts if packet.dts is None else packet.dts,
        duration=packet.duration,
        keyframe=packet.keyframe,
        corrupt=packet.corrupt,
    )
