"""Numbers of one to ten bytes: round trips, literal bytes, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.codec.numbers import (
    MAX_SIGNED,
    MAX_UNSIGNED,
    IncompleteError,
    pack_signed,
    pack_unsigned,
    unpack_signed,
    unpack_unsigned,
)
from upreel.errors import BitstreamError


@given(st.integers(0, MAX_UNSIGNED))
def test_unsigned_numbers_come_back(value: int) -> None:
    packed = pack_unsigned(value)

    assert unpack_unsigned(b"\xaa" + packed + b"\xbb", 1) == (value, 1 + len(packed))


@given(st.integers(-MAX_SIGNED, MAX_SIGNED))
def test_signed_numbers_come_back(value: int) -> None:
    packed = pack_signed(value)

    assert unpack_signed(packed, 0) == (value, len(packed))


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (MAX_UNSIGNED, "ffffffffffffffffff01"),
    ],
)
def test_bytes_are_as_specified(value: int, packed: str) -> None:
    assert pack_unsigned(value).hex() == packed


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (-64, "7f"),
        (64, "8001"),
        (MAX_SIGNED, "feffffffffffffffff01"),
        (-MAX_SIGNED, "fdffffffffffffffff01"),
    ],
)
def test_signed_bytes_are_as_specified(value: int, packed: str) -> None:
    assert pack_signed(value).hex() == packed


@pytest.mark.parametrize("packed", ["8000", "ff00", "ffffffffffffffffff02", "80" * 11])
def test_a_second_form_of_a_number_is_refused(packed: str) -> None:
    with pytest.raises(BitstreamError, match="longer than it may be"):
        unpack_unsigned(bytes.fromhex(packed), 0)


def test_the_least_number_of_64_bits_is_no_signed_number() -> None:
    with pytest.raises(BitstreamError, match="out of range"):
        unpack_signed(pack_unsigned(MAX_UNSIGNED), 0)


@pytest.mark.parametrize("packed", ["", "80", "ffff"])
def test_a_number_that_is_cut_off_asks_for_more(packed: str) -> None:
    with pytest.raises(IncompleteError):
        unpack_unsigned(bytes.fromhex(packed), 0)


@pytest.mark.parametrize("value", [-1, MAX_UNSIGNED + 1])
def test_numbers_out_of_range_are_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="0 to 2\\^64 - 1"):
        pack_unsigned(value)


@pytest.mark.parametrize("value", [-MAX_SIGNED - 1, MAX_SIGNED + 1])
def test_signed_numbers_out_of_range_are_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="2\\^63 - 1"):
        pack_signed(value)
