"""Which packets of an H.264 stream are the second field of a frame.

Interlaced H.264 may code a frame as two pictures, one a field (PAFF). Transport streams then give
a packet for each field, and two packets make one frame. Only slice headers tell them apart.
Clause numbers: ITU-T H.264.
"""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FieldPairs"]

_HEADER = 64  # bytes of a NAL unit that are enough for what is read of it
_SLICE, _IDR_SLICE, _SPS, _PPS = 1, 5, 7, 8
_WITH_CHROMA_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What slice headers need of a sequence parameter set."""

    frames_only: bool
    frame_number_bits: int
    separate_planes: bool


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a frame."""

    bottom: bool
    frame_number: int


class FieldPairs:
    """Follows the packets of an H.264 stream in the order of decoding.

    Args:
        header: the stream's extradata: parameter sets, with start codes or as ``avcC``.
    """

    def __init__(self, header: bytes) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # by picture parameter set
        self._length_size = 0  # bytes of a NAL unit's length; 0: start codes
        self._first: _Field | None = None
        if len(header) > 6 and header[0] == 1:
            self._length_size = (header[4] & 3) + 1
            self._read_avcc(header)
        else:
            for nal in _start_coded(header):
                self._read_parameters(nal)

    @property
    def possible(self) -> bool:
        """Whether there can be fields, as far as is known: if not, packets need not be shown."""
        known = self._sequences.values()
        return not known or any(not sequence.frames_only for sequence in known)

    def is_second(self, packet: bytes) -> bool:
        """Whether a packet is the field that completes the frame of the packet before."""
        fields: list[_Field] = []
        for nal in self._nals(packet):
            kind = nal[0] & 31
            if kind in (_SPS, _PPS):
                self._read_parameters(nal)
            elif kind in (_SLICE, _IDR_SLICE):
                field = self._field(nal)
                if field is None:
                    self._first = None
                    return False
                fields.append(field)
        if not fields:
            return False
        field, first = fields[0], self._first
        if any(other.bottom != field.bottom for other in fields):  # both are in this packet
            self._first = None
            return False
        completes = (
            first is not None
            and first.bottom != field.bottom
            and first.frame_number == field.frame_number
        )
        self._first = None if completes else field
        return completes

    def _nals(self, packet: bytes) -> Iterator[bytes]:
        if not self._length_size:
            yield from _start_coded(packet)
            return
        place, size = 0, self._length_size
        while place + size < len(packet):
            length = int.from_bytes(packet[place : place + size], "big")
            if length:
                yield packet[place + size : place + size + min(length, _HEADER)]
            place += size + length

    def _read_avcc(self, header: bytes) -> None:
        """Parameter sets of an ``avcC`` record (ISO/IEC 14496-15, 5.3.3.1)."""
        place = 5
        for mask in (31, 255):
            if place >= len(header):
                return
            count = header[place] & mask
            place += 1
            for _ in range(count):
                length = int.from_bytes(header[place : place + 2], "big")
                self._read_parameters(header[place + 2 : place + 2 + length])
                place += 2 + length

    def _read_parameters(self, nal: bytes) -> None:
        try:
            if nal and nal[0] & 31 == _SPS:
                number, sequence = _sequence(_Reader(nal[1:]))
                self._sequences[number] = sequence
            elif nal and nal[0] & 31 == _PPS:
                reader = _Reader(nal[1:])
                number = reader.ue()
                self._sequence_of[number] = reader.ue()
        except IndexError:
            return  # broken off: what it says is not known

    def _field(self, nal: bytes) -> _Field | None:
        """The field that a slice belongs to; None for a whole frame, or if it cannot be told."""
        reader = _Reader(nal[1:])
        try:
            reader.ue()  # first_mb_in_slice
            reader.ue()  # slice_type
            sequence = self._sequences.get(self._sequence_of.get(reader.ue(), -1))
            if sequence is None or sequence.frames_only:
                return None
            if sequence.separate_planes:
                reader.u(2)
            frame_number = reader.u(sequence.frame_number_bits)
            if not reader.u(1):  # field_pic_flag
                return None
            return _Field(bool(reader.u(1)), frame_number)
        except IndexError:
            return None


def _start_coded(data: bytes) -> Iterator[bytes]:
    """The beginnings of NAL units after start codes (Annex B)."""
    place = data.find(b"\0\0\1")
    while place >= 0:
        begin = place + 3
        place = data.find(b"\0\0\1", begin)
        end = len(data) if place < 0 else place
        if end > begin:
            yield data[begin : min(end, begin + 4 * _HEADER)]


class _Reader:
    """Bits of a NAL unit; `IndexError` past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")  # emulation prevention (7.4.1)
        self._place = 0

    def u(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        value = 0
        for _ in range(count):
            byte = self._data[self._place >> 3]
            value = value << 1 | (byte >> (7 - (self._place & 7)) & 1)
            self._place += 1
        return value

    def ue(self) -> int:
        """An Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb code (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _sequence(reader: _Reader) -> tuple[int, _Sequence]:
    """Number and meaning of a sequence parameter set (7.3.2.1.1), as far as it is needed."""
    profile = reader.u(8)
    reader.u(16)  # constraints, level
    number = reader.ue()
    separate = False
    if profile in _WITH_CHROMA_FORMAT:
        chroma_format = reader.ue()
        if chroma_format == 3:
            separate = bool(reader.u(1))
        reader.ue()  # bit_depth_luma_minus8
        reader.ue()  # bit_depth_chroma_minus8
        reader.u(1)
        if reader.u(1):
            for n in range(8 if chroma_format != 3 else 12):
                if reader.u(1):
                    _skip_scaling_list(reader, 16 if n < 6 else 64)
    frame_number_bits = reader.ue() + 4
    order = reader.ue()  # pic_order_cnt_type
    if order == 0:
        reader.ue()
    elif order == 1:
        reader.u(1)
        reader.se()
        reader.se()
        for _ in range(reader.ue()):
            reader.se()
    reader.ue()  # max_num_ref_frames
    reader.u(1)
    reader.ue()  # width
    reader.ue()  # height
    return number, _Sequence(bool(reader.u(1)), frame_number_bits, separate)


def _skip_scaling_list(reader: _Reader, size: int) -> None:
    """7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.se()) % 256
        last = following or last
