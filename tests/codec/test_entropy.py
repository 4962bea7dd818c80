"""The entropy coder: equal to a slow reference, exact, small, and never astray.

The reference is written from `docs/bitstream.md`, with numbers of any length: no carries, no
words, no floating point.
"""

import hashlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upreel.codec.distributions import zero_mean_tables
from upreel.codec.entropy import MAX_SYMBOL, TOTAL, Decoder, Encoder, Tables
from upreel.errors import BitstreamError

Pass = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class ReferenceEncoder:
    """One interval [low, low + width), in units that get 2^32 times finer where it gets small."""

    def __init__(self) -> None:
        self.low, self.width, self.num_words = 0, 2**64 - 1, 0

    def put(self, start: int, count: int) -> None:
        unit = self.width >> 24
        self.low += unit * start
        self.width = unit * count
        if self.width < 2**32:
            self.low, self.width = self.low << 32, self.width << 32
            self.num_words += 1

    def finish(self) -> bytes:
        self.put(0xA5 << 16, 1 << 16)
        size = 8 + 4 * self.num_words
        for length in range(size + 1):
            unit = 256 ** (size - length)
            number = -(-self.low // unit)
            if number * unit < self.low + self.width:
                return number.to_bytes(length, "big")
        raise AssertionError


def reference_encode(tables: Tables, passes: list[Pass]) -> bytes:
    coder = ReferenceEncoder()
    for symbols, which in passes:
        escaped: list[tuple[int, int]] = []
        order = sorted(range(len(which)), key=lambda place: (which[place], place))
        for place in order:
            table = [int(f) for f in tables.frequencies[which[place]]]
            limit = len(table) // 2 - 1
            symbol = int(symbols[place])
            column = symbol + limit if abs(symbol) <= limit else 2 * limit + 1
            coder.put(256 * sum(table[:column]), 256 * table[column])
        for symbol, number in zip(symbols, which, strict=True):
            limit = len(tables.frequencies[number]) // 2 - 1
            if abs(int(symbol)) > limit:
                escaped.append((int(symbol < 0), abs(int(symbol)) - limit))
        for negative, _ in escaped:
            coder.put(negative << 23, 1 << 23)
        for power in range(30):
            for _, excess in escaped:
                if excess >= 1 << power:
                    coder.put(int(excess >= 2 << power) << 23, 1 << 23)
        for power in range(30):
            for _, excess in escaped:
                if excess >= 2 << power:
                    coder.put((excess >> power & 1) << 23, 1 << 23)
    return coder.finish()


class ReferenceDecoder:
    """The same interval, and the code as a number in it."""

    def __init__(self, code: bytes) -> None:
        self.code, self.low, self.width, self.num_words = code, 0, 2**64 - 1, 0

    def get(self, starts: list[int]) -> int:
        size = 8 + 4 * self.num_words
        number = int.from_bytes(self.code[:size].ljust(size, b"\0"), "big")
        unit = self.width >> 24
        count = (number - self.low) // unit
        column = next(n for n, (a, b) in enumerate(pairwise(starts)) if a <= count < b)
        self.low += unit * starts[column]
        self.width = unit * (starts[column + 1] - starts[column])
        if self.width < 2**32:
            self.low, self.width = self.low << 32, self.width << 32
            self.num_words += 1
        return column


def encode(tables: Tables, passes: list[Pass]) -> bytes:
    encoder = Encoder(tables)
    for symbols, which in passes:
        encoder.write(symbols, which)
    return encoder.finish()


def decode(tables: Tables, code: bytes, passes: list[Pass]) -> list[npt.NDArray[np.int32]]:
    decoder = Decoder(tables, code)
    read = [decoder.read(which) for _, which in passes]
    decoder.finish()
    return read


def some_tables(chance: np.random.Generator, count: int) -> Tables:
    """Flat and peaked ones, of 2 to 130 entries, the smallest frequencies among them."""
    made: list[npt.NDArray[np.int64]] = []
    for _ in range(count):
        size = 2 * int(chance.integers(1, 65))
        weights = chance.random(size) ** int(chance.integers(1, 40))
        table = 1 + np.floor((TOTAL - size) * weights / weights.sum()).astype(np.int64)
        table[int(chance.integers(size))] += TOTAL - table.sum()
        made.append(table)
    return Tables(frequencies=tuple(made))


def some_pass(chance: np.random.Generator, tables: Tables, count: int) -> Pass:
    which = chance.integers(0, len(tables.limits), count)
    symbols = np.rint(chance.laplace(0, 1 + tables.limits[which])).astype(np.int64)
    return symbols, which


@pytest.mark.parametrize("seed", range(40))
def test_code_equals_the_reference(seed: int) -> None:
    chance = np.random.default_rng(seed)
    tables = some_tables(chance, 5)
    passes = [some_pass(chance, tables, int(chance.integers(0, 60))) for _ in range(3)]

    code = encode(tables, passes)

    assert code == reference_encode(tables, passes)
    for (symbols, _), read in zip(passes, decode(tables, code, passes), strict=True):
        assert read.tolist() == symbols.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_every_symbol_equals_the_reference_decoder(seed: int) -> None:
    chance = np.random.default_rng(100 + seed)
    tables = some_tables(chance, 1)
    limit = int(tables.limits[0])
    symbols = chance.integers(-limit, limit + 1, 80)
    which = np.zeros(80, np.int64)
    code = encode(tables, [(symbols, which)])
    starts = [0, *(256 * np.cumsum(tables.frequencies[0])).tolist()]

    reference = ReferenceDecoder(code)

    assert [reference.get(starts) - limit for _ in range(80)] == symbols.tolist()
    assert reference.get([n << 16 for n in range(257)]) == 0xA5


def test_a_run_of_carries_equals_the_reference() -> None:
    """Symbols whose interval lies across 2^32 for long: every word waits for the carry."""
    tables = Tables(frequencies=(np.array([21_845, 21_846, 1, 21_844]),))
    for pattern in ([0, 1] * 200, [0] * 400, [1] * 400, [0, 0, 1] * 150):
        passes = [(np.array(pattern) - 1, np.zeros(len(pattern), np.int64))]

        assert encode(tables, passes) == reference_encode(tables, passes)


@given(
    st.lists(st.integers(-MAX_SYMBOL, MAX_SYMBOL), max_size=30),
    st.lists(st.integers(0, 63), min_size=30, max_size=30),
)
@settings(max_examples=60)
def test_any_symbols_come_back(values: list[int], numbers: list[int]) -> None:
    tables = zero_mean_tables("laplace")
    passes = [(np.array(values, np.int64), np.array(numbers[: len(values)], np.int64))]

    code = encode(tables, passes)

    assert code == reference_encode(tables, passes)
    assert decode(tables, code, passes)[0].tolist() == values


def test_bytes_are_as_specified() -> None:
    tables = Tables(frequencies=(np.array([1, 65_533, 1, 1]), np.array([40_000, 25_536])))
    symbols = np.array([0, -1, 1, 0, 0, 5, 0, -9])

    code = encode(tables, [(symbols, np.array([0, 0, 0, 0, 1, 1, 0, 0]))])

    assert code.hex() == "0001fffbfefe7d3ed2"


def test_larger_codes_are_as_specified() -> None:
    tables = zero_mean_tables("gaussian")
    n = np.arange(50_000)
    symbols = (n * n * 2_654_435_761 >> 7) % 23 * ((n * 7919) % 64) // 60 - 5

    code = encode(tables, [(symbols, (n * 7919) % 64)])

    assert (
        hashlib.sha256(code).hexdigest()
        == "77643484b0f792ffab5fb79825988627208fb4b36671e60f2454b69a08995d04"
    )


def test_bytes_are_less_than_3_in_1000_over_the_entropy() -> None:
    chance = np.random.default_rng(5)
    tables = zero_mean_tables("gaussian")
    which = chance.integers(0, 64, 250_000)
    deviations = 0.11 * (64 / 0.11) ** (which / 63)
    symbols = np.rint(chance.normal(0, deviations)).astype(np.int64)

    code = encode(tables, [(symbols, which)])

    assert len(code) > 100_000
    assert tables.bits(symbols, which) / 8 < len(code) < 1.003 * tables.bits(symbols, which) / 8
    assert np.array_equal(decode(tables, code, [(symbols, which)])[0], symbols)


def test_the_entropy_is_that_of_the_tables() -> None:
    tables = Tables(frequencies=(np.array([16_384, 16_384, 16_384, 16_384]),))

    assert tables.bits([0, 1, -1], [0, 0, 0]) == pytest.approx(6)
    assert tables.bits([2], [0]) == pytest.approx(2 + 1 + 1)  # escape, sign, "1"
    assert tables.bits([-6], [0]) == pytest.approx(2 + 1 + 5)


def test_symbols_that_are_certain_cost_next_to_nothing() -> None:
    tables = Tables(frequencies=(np.array([1, 65_533, 1, 1]),))

    code = encode(tables, [(np.zeros(10_000, np.int64), np.zeros(10_000, np.int64))])

    assert len(code) <= 3


def test_shapes_are_kept() -> None:
    tables = zero_mean_tables("laplace")
    which = np.arange(24).reshape(2, 3, 4) % 64
    symbols = which - 10
    encoder = Encoder(tables)
    encoder.write(symbols, which)

    read = Decoder(tables, encoder.finish()).read(which)

    assert read.shape == (2, 3, 4)
    assert np.array_equal(read, symbols)


def test_later_passes_may_depend_on_earlier_ones() -> None:
    tables = zero_mean_tables("laplace")
    first = np.array([1, 30, 2, 63])
    encoder = Encoder(tables)
    encoder.write(first, np.full(4, 50))
    encoder.write(np.array([0, 9, -1, 200]), first)
    decoder = Decoder(tables, encoder.finish())

    again = decoder.read(np.full(4, 50))

    assert decoder.read(again).tolist() == [0, 9, -1, 200]
    decoder.finish()


def test_nothing_is_coded_in_a_byte() -> None:
    tables = zero_mean_tables("laplace")
    code = Encoder(tables).finish()

    assert code == b"\xa5"
    Decoder(tables, code).finish()


def test_damage_is_found_or_gives_symbols() -> None:
    chance = np.random.default_rng(9)
    tables = zero_mean_tables("laplace")
    passes = [some_pass(chance, tables, 400), some_pass(chance, tables, 100)]
    code = encode(tables, passes)
    found = 0

    for _ in range(1000):
        damaged = bytearray(code)
        if chance.random() < 0.5:
            damaged[int(chance.integers(len(code)))] ^= 1 << int(chance.integers(8))
        else:
            del damaged[int(chance.integers(len(code))) :]
        try:
            decode(tables, bytes(damaged), passes)
        except BitstreamError:
            found += 1

    assert found >= 980  # 996 are to be expected


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(code: bytes) -> None:
    tables = zero_mean_tables("laplace")
    decoder = Decoder(tables, code)
    try:
        for _ in range(20):
            symbols = decoder.read(np.arange(64))
            assert np.abs(symbols).max() <= MAX_SYMBOL
        decoder.finish()
    except BitstreamError:
        pass


@pytest.mark.parametrize("code", [b"\xff" * 400, b"", b"\0" * 400])
def test_extreme_codes_are_read_or_refused(code: bytes) -> None:
    tables = Tables(frequencies=(np.array([1, TOTAL - 1]),))  # an escape at every symbol

    with pytest.raises(BitstreamError):  # noqa: PT012
        decoder = Decoder(tables, code)
        decoder.read(np.zeros(50, np.int64))
        decoder.finish()


@pytest.mark.parametrize("bits", [[1] * 30, [1] * 500, [1] * 29 + [0] + [1] * 29])
def test_numbers_of_more_than_30_bits_are_refused(bits: list[int]) -> None:
    """Elias' code going on and on, and 2^30 - 1 beyond L = 1."""
    tables = Tables(frequencies=(np.array([1, 1, 1, TOTAL - 3]),))
    coder = ReferenceEncoder()
    coder.put(3 * 256, (TOTAL - 3) * 256)
    for bit in [0, *bits]:
        coder.put(bit << 23, 1 << 23)

    with pytest.raises(BitstreamError, match="a number of more than 30 bits"):
        Decoder(tables, coder.finish()).read([0])


def test_other_tables_are_noticed() -> None:
    symbols, which = np.arange(200) % 9 - 4, np.full(200, 30)
    code = encode(zero_mean_tables("laplace"), [(symbols, which)])

    with pytest.raises(BitstreamError, match="other tables"):
        decode(zero_mean_tables("gaussian"), code, [(symbols, which)])


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ([TOTAL], r"must hold 2 L \+ 2 frequencies"),
        ([1, 1, TOTAL - 2], r"must hold 2 L \+ 2 frequencies"),
        ([[1, TOTAL - 1]], r"must hold 2 L \+ 2 frequencies"),
        ([0, TOTAL], "table 0 has a frequency of 0; the least is 1"),
        ([-1, TOTAL + 1], "a frequency of -1"),
        ([1, TOTAL], "sums to 65537, not to 65536"),
        ([1, TOTAL - 2], "sums to 65535, not to 65536"),
        ([0.5, TOTAL - 0.5], "whole numbers, got float64"),
        ([2**62, 2**62, 2**62, 2**62], "sums to"),
    ],
)
def test_unsound_tables_are_refused(table: list[int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Tables(frequencies=(np.array(table),))


def test_no_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 65536 tables, got 0"):
        Tables(frequencies=())


@pytest.mark.parametrize(
    ("symbols", "which", "match"),
    [
        ([0], [64], "tables are 0 to 63, got 64 to 64"),
        ([0], [-1], "tables are 0 to 63, got -1 to -1"),
        ([0], [0.5], "tables are given by whole numbers"),
        ([0.5], [0], "symbols are whole numbers"),
        ([0, 0], [0], "symbols and tables differ"),
        ([MAX_SYMBOL + 1], [0], "symbols are -1073741823 to 1073741823"),
        ([-MAX_SYMBOL - 1], [0], "symbols are -1073741823 to 1073741823"),
    ],
)
def test_unsound_passes_are_refused(symbols: list[int], which: list[int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Encoder(zero_mean_tables("laplace")).write(symbols, which)


def test_a_finished_code_takes_no_more() -> None:
    encoder = Encoder(zero_mean_tables("laplace"))
    code = encoder.finish()

    assert encoder.finish() == code
    with pytest.raises(ValueError, match="finished"):
        encoder.write([0], [0])
