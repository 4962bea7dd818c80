"""Whole numbers of one to ten bytes: seven bits a byte, the lowest first.

A byte's highest bit says that another one follows. Signed numbers are taken as 0, -1, 1, -2, 2,
... first. There is one form for each number: a last byte of 0 behind others is refused.
"""

from upreel.errors import BitstreamError

__all__ = [
    "MAX_SIGNED",
    "MAX_UNSIGNED",
    "IncompleteError",
    "pack_signed",
    "pack_unsigned",
    "unpack_signed",
    "unpack_unsigned",
]

MAX_UNSIGNED = (1 << 64) - 1
MAX_SIGNED = (1 << 63) - 1
"""The least signed number is -MAX_SIGNED."""

_MAX_BYTES = 10

Buffer = bytes | bytearray | memoryview


class IncompleteError(BitstreamError):
    """The bytes end within a number; more of them may complete it."""


def pack_unsigned(value: int) -> bytes:
    r"""A number from 0 to 2^64 - 1.

    Example:
        >>> pack_unsigned(5), pack_unsigned(300)
        (b'\x05', b'\xac\x02')
    """
    if not 0 <= value <= MAX_UNSIGNED:
        raise ValueError(f"0 to 2^64 - 1, got {value}")
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def pack_signed(value: int) -> bytes:
    r"""A number from -(2^63 - 1) to 2^63 - 1.

    Example:
        >>> pack_signed(-1), pack_signed(1)
        (b'\x01', b'\x02')
    """
    if not -MAX_SIGNED <= value <= MAX_SIGNED:
        raise ValueError(f"-(2^63 - 1) to 2^63 - 1, got {value}")
    return pack_unsigned(2 * value if value >= 0 else -2 * value - 1)


def unpack_unsigned(data: Buffer, place: int) -> tuple[int, int]:
    """The number at `place`, and the place behind it.

    Raises:
        IncompleteError: the data end within it.
        BitstreamError: it is longer than it need be, or beyond 2^64 - 1.
    """
    value = 0
    for n in range(_MAX_BYTES):
        if place + n >= len(data):
            raise IncompleteError("the bytes end within a number")
        byte = data[place + n]
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            if (byte == 0 and n) or value > MAX_UNSIGNED:
                break
            return value, place + n + 1
    raise BitstreamError("a number is longer than it may be")


def unpack_signed(data: Buffer, place: int) -> tuple[int, int]:
    """The signed number at `place`, and the place behind it.

    Raises:
        IncompleteError: the data end within it.
        BitstreamError: it is longer than it need be, or out of range.
    """
    value, place = unpack_unsigned(data, place)
    signed = -(value + 1) // 2 if value & 1 else value // 2
    if abs(signed) > MAX_SIGNED:
        raise BitstreamError("a signed number is out of range")
    return signed, place
