# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
# constriction is not typed.
"""Exact coding of whole numbers under tables of whole frequencies.

Nothing here depends on a machine's floating-point arithmetic: encoder and decoder agree
everywhere, symbol by symbol. The coder is constriction's range coder: what is written first is
read first, so that later passes may depend on what earlier ones gave.

Symbols   whole numbers; a table knows -L to L, each table with its own L, and one escape.
Tables    frequencies of -L, ..., L and of the escape in this order, which sum to 2^16.
Order     within one pass by table, then by place; then all that the escapes left out.

A code has no redundancy, so damage gives other symbols. `Decoder.finish` finds 255 of 256 such
cases; the checksum that packets have finds the rest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from upreel.errors import BitstreamError

__all__ = ["MAX_SYMBOL", "TOTAL", "Decoder", "Encoder", "Tables"]

TOTAL = 1 << 16
"""Sum of the frequencies of each table."""

MAX_SYMBOL = (1 << 30) - 1
"""The largest magnitude of a symbol."""

_STREAM: Any = constriction.stream  # pyright: ignore[reportAttributeAccessIssue] - compiled
_CHECK, _NUM_CHECKS = 0xA5, 256  # the last symbol of every code, one of equally frequent ones
_CODER_BITS = 24  # constriction counts in 2^-24
_FINER = (1 << _CODER_BITS) // TOTAL
_MAX_TABLES = 1 << 16

Symbols = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tables:
    """Distributions that symbols are coded under.

    Attributes:
        frequencies: of each table those of -L, ..., L and of the escape: 2 L + 2 whole numbers
            of at least 1, which sum to 65536.
        limits: L of each table, at least 0.

    Raises:
        ValueError: no table, or one that is not as said.
    """

    frequencies: tuple[IntArray, ...]
    limits: IntArray = field(init=False)
    _models: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.frequencies) <= _MAX_TABLES:
            raise ValueError(f"1 to {_MAX_TABLES} tables, got {len(self.frequencies)}")
        tables = tuple(_checked(number, table) for number, table in enumerate(self.frequencies))
        object.__setattr__(self, "frequencies", tables)
        limits = np.array([len(table) // 2 - 1 for table in tables], np.int64)
        object.__setattr__(self, "limits", limits)
        object.__setattr__(self, "_models", tuple(_model(table) for table in tables))

    @property
    def sha256(self) -> str:
        """Hash over all tables: what encoder and decoder have to agree in."""
        digest = hashlib.sha256()
        for table in self.frequencies:
            digest.update(len(table).to_bytes(4, "big"))
            digest.update(table.astype(">u4").tobytes())
        return digest.hexdigest()

    def bits(self, symbols: npt.ArrayLike, which: npt.ArrayLike) -> float:
        """The entropy of symbols under their tables: what no code can be shorter than on average.

        Args:
            symbols: whole numbers.
            which: the table of each.
        """
        values, numbers = _checked_pass(self, symbols, which)
        total = 0.0
        for number in np.unique(numbers):
            limit, table = int(self.limits[number]), self.frequencies[number]
            chosen = values[numbers == number]
            inside = np.abs(chosen) <= limit
            places = np.where(inside, chosen + limit, 2 * limit + 1)
            total += float(np.log2(TOTAL / table[places]).sum())
            excess = (np.abs(chosen[~inside]) - limit).astype(np.float64)
            total += float((2 * np.floor(np.log2(excess)) + 2).sum())
        return total


def _checked(number: int, table: npt.ArrayLike) -> IntArray:
    values = np.array(table)
    if values.ndim != 1 or len(values) < 2 or len(values) % 2:
        raise ValueError(
            f"table {number} must hold 2 L + 2 frequencies (of -L to L and the escape), got an "
            f"array of shape {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"table {number} must hold whole numbers, got {values.dtype}")
    values = values.astype(np.int64)
    if values.min() < 1:
        raise ValueError(f"table {number} has a frequency of {values.min()}; the least is 1")
    if values.max() > TOTAL or values.sum() != TOTAL:
        raise ValueError(f"table {number} sums to {values.sum()}, not to {TOTAL}")
    values.flags.writeable = False
    return values


def _model(table: IntArray) -> Any:  # noqa: ANN401 - constriction's types are not public
    """The table as constriction's model, which has just these frequencies times 256.

    From n weights it makes 1 + weight * (2^24 - n) / sum. Weights of one less than the frequencies
    sum to 2^24 - n, so that the quotient is exactly 1 and all of it is whole numbers below 2^53.
    """
    weights = (table * _FINER - 1).astype(np.float64)
    return _STREAM.model.Categorical(weights, perfect=False, lazy=False)


_BIT = _STREAM.model.Uniform(2)
_CHECKS = _STREAM.model.Uniform(_NUM_CHECKS)


class Encoder:
    """Codes symbols, pass by pass, into one string of bytes.

    Args:
        tables: what the symbols are coded under.

    Example:
        >>> tables = Tables(frequencies=(np.array([1, 65533, 1, 1]),))
        >>> encoder = Encoder(tables)
        >>> encoder.write([0, -1, 7], [0, 0, 0])
        >>> code = encoder.finish()
        >>> decoder = Decoder(tables, code)
        >>> decoder.read([0, 0, 0]).tolist()
        [0, -1, 7]
        >>> decoder.finish()
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._coder = _STREAM.queue.RangeEncoder()
        self._finished = False

    def write(self, symbols: npt.ArrayLike, which: npt.ArrayLike) -> None:
        """Code one pass.

        Args:
            symbols: whole numbers from -MAX_SYMBOL to MAX_SYMBOL, of any shape.
            which: number of the table of each, of the same shape.

        Raises:
            ValueError: a symbol or a table's number is out of range, or the shapes differ.
        """
        if self._finished:
            raise ValueError("the code is finished: it takes no further symbols")
        values, numbers = _checked_pass(self._tables, symbols, which)
        limits = self._tables.limits[numbers]
        escaped = np.abs(values) > limits
        places = np.where(escaped, 2 * limits + 1, values + limits).astype(np.int32)
        order, runs = _grouped(numbers)
        places = places[order]
        for number, start, stop in runs:
            self._coder.encode(places[start:stop], self._tables._models[number])  # pyright: ignore[reportPrivateUsage]
        if escaped.any():
            self._write_escapes(values[escaped], limits[escaped])

    def _write_escapes(self, values: IntArray, limits: IntArray) -> None:
        """Signs, then Elias' gamma code of how far beyond L, bit by bit of all of them."""
        excess = np.abs(values) - limits
        self._bits(values < 0)
        power = 1
        rest = excess
        while len(rest):  # is there a higher bit?
            longer = rest >= 2 * power
            self._bits(longer)
            rest = rest[longer]
            power *= 2
        power = 1
        rest = excess[excess >= 2]
        while len(rest):  # the bits below the highest one, from the lowest on
            self._bits((rest & power) > 0)
            power *= 2
            rest = rest[rest >= 2 * power]

    def _bits(self, bits: npt.NDArray[np.bool_]) -> None:
        self._coder.encode(bits.astype(np.int32), _BIT)

    def finish(self) -> bytes:
        """The code; there is no writing after it."""
        if not self._finished:
            self._coder.encode(_CHECK, _CHECKS)
            self._finished = True
        return _shortest(self._coder)


def _shortest(coder: Any) -> bytes:  # noqa: ANN401
    """The shortest string that means the coder's interval, if zeros are read behind its end.

    The code is one number, written from its highest byte on. With n words of 32 bits written, the
    interval is [low, low + width) in units of the (n + 2)-nd word. constriction itself would
    write the upper n + 1 words of low + 2^32 - 1, or a word more. The interval is wider than 2^32,
    so that it holds a number that ends in four bytes of zeros, and perhaps in more.
    """
    num_words, (lower, width) = coder.pos()
    words = coder.get_compressed()[: num_words + 1]
    upper = int.from_bytes(words.astype(">u4").tobytes(), "big")
    tail = lower & 0xFFFFFFFF
    low = ((upper - (1 if tail else 0)) << 32) | tail
    for num_zeros in (8, 7, 6, 5, 4):
        step = 1 << (8 * num_zeros)
        multiple = -(-low // step) * step
        if multiple < low + width:
            return multiple.to_bytes(4 * (num_words + 2), "big").rstrip(b"\0")
    raise AssertionError


class Decoder:
    """Reads symbols back, in the passes in which they were written.

    Args:
        tables: those of the encoder.
        code: what `Encoder.finish` gave.
    """

    def __init__(self, tables: Tables, code: bytes) -> None:
        self._tables = tables
        padded = code + bytes(-len(code) % 4)
        words = np.frombuffer(padded, ">u4").astype(np.uint32)
        self._coder = _STREAM.queue.RangeDecoder(words)

    def read(self, which: npt.ArrayLike) -> Symbols:
        """The symbols of one pass.

        Args:
            which: number of the table of each, as they were given to `Encoder.write`.

        Returns:
            The symbols, in the shape of `which`.

        Raises:
            BitstreamError: the code is damaged.
            ValueError: a table's number is out of range.
        """
        numbers = _checked_numbers(self._tables, which)
        shape = np.shape(which)
        order, runs = _grouped(numbers)
        read = np.empty(len(numbers), np.int64)
        for number, start, stop in runs:
            model = self._tables._models[number]  # pyright: ignore[reportPrivateUsage]
            read[start:stop] = self._decode(model, stop - start)
        places = np.empty_like(read)
        places[order] = read
        limits = self._tables.limits[numbers]
        values = places - limits
        escaped = places > 2 * limits
        if escaped.any():
            values[escaped] = self._read_escapes(limits[escaped])
        return values.astype(np.int32).reshape(shape)

    def _read_escapes(self, limits: IntArray) -> IntArray:
        negative = self._bits(len(limits))
        excess = np.ones(len(limits), np.int64)  # its highest bit alone, at first
        rest = np.arange(len(limits))
        while len(rest):
            rest = rest[self._bits(len(rest))]
            excess[rest] *= 2
            if len(rest) and excess[rest[0]] > MAX_SYMBOL:
                raise BitstreamError("the code is damaged: it holds a number of more than 30 bits")
        power = 1
        highest = excess.copy()
        rest = np.flatnonzero(highest > power)
        while len(rest):
            excess[rest] += power * self._bits(len(rest))
            power *= 2
            rest = rest[highest[rest] > power]
        values = excess + limits
        if values.max() > MAX_SYMBOL:
            raise BitstreamError("the code is damaged: it holds a number of more than 30 bits")
        return np.where(negative, -values, values)

    def _bits(self, count: int) -> npt.NDArray[np.bool_]:
        return self._decode(_BIT, count).astype(np.bool_)

    def _decode(self, model: Any, count: int) -> Symbols:  # noqa: ANN401
        try:
            return self._coder.decode(model, count)
        except AssertionError as error:  # what it says of codes that no encoder makes
            raise BitstreamError("the code is damaged: it means no symbol") from error

    def finish(self) -> None:
        """Check what stands behind the last symbol.

        Raises:
            BitstreamError: the code is damaged, cut off, or was read under other tables than it
                was written. One of 256 such cases is not found.
        """
        (check,) = self._decode(_CHECKS, 1)
        if check != _CHECK:
            raise BitstreamError("the code is damaged, or was made with other tables")


def _checked_numbers(tables: Tables, which: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    numbers = np.asarray(which).ravel()
    if not np.issubdtype(numbers.dtype, np.integer) and len(numbers):
        raise ValueError(f"tables are given by whole numbers, got {numbers.dtype}")
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(tables.limits):
        raise ValueError(
            f"tables are 0 to {len(tables.limits) - 1}, got {numbers.min()} to {numbers.max()}"
        )
    return numbers.astype(np.uint16)  # which NumPy sorts by counting


def _checked_pass(
    tables: Tables, symbols: npt.ArrayLike, which: npt.ArrayLike
) -> tuple[IntArray, npt.NDArray[np.uint16]]:
    numbers = _checked_numbers(tables, which)
    values = np.asarray(symbols)
    if values.shape != np.shape(which):
        raise ValueError(f"symbols and tables differ: {values.shape} and {np.shape(which)}")
    if not np.issubdtype(values.dtype, np.integer) and values.size:
        raise ValueError(f"symbols are whole numbers, got {values.dtype}")
    if values.size and not -MAX_SYMBOL <= values.min() <= values.max() <= MAX_SYMBOL:
        raise ValueError(
            f"symbols are -{MAX_SYMBOL} to {MAX_SYMBOL}, got {values.min()} to {values.max()}"
        )
    return values.ravel().astype(np.int64), numbers


def _grouped(
    numbers: npt.NDArray[np.uint16],
) -> tuple[npt.NDArray[np.intp], Sequence[tuple[int, int, int]]]:
    """The order by table, then by place, and where each table's run is: (table, start, stop)."""
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    stops = np.cumsum(counts)
    runs = [(int(n), int(stops[n] - counts[n]), int(stops[n])) for n in np.flatnonzero(counts)]
    return order, runs
