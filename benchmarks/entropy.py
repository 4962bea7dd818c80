"""Measure the entropy coder: time, and bytes over the entropy under the tables.

    python benchmarks/entropy.py [--symbols 200000] [--rounds 9]

Symbols are drawn from the distributions that the tables stand for, all 64 of them alike often.
"""

import argparse
from statistics import median
from time import perf_counter
from typing import get_args

import numpy as np

from upreel.codec.distributions import Shape, zero_mean_tables
from upreel.codec.entropy import Decoder, Encoder

SMALLEST: dict[Shape, float] = {"gaussian": 0.11, "laplace": 0.07}


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("--symbols", type=int, default=200_000, help="of one pass")
    options.add_argument("--rounds", type=int, default=9, help="that the medians are of")
    values = options.parse_args(arguments)
    print("tables    make ms  encode ms  decode ms     bytes  over entropy  escapes")
    for shape in get_args(Shape):
        print(measure(shape, values.symbols, values.rounds))


def measure(shape: Shape, count: int, rounds: int) -> str:
    """One line of the table."""
    start = perf_counter()
    tables = zero_mean_tables(shape)
    made = perf_counter() - start
    chance = np.random.default_rng(0)
    which = chance.integers(0, 64, count)
    deviations = SMALLEST[shape] * (64 / SMALLEST[shape]) ** (which / 63)
    if shape == "gaussian":
        drawn = chance.normal(0, deviations)
    else:
        drawn = chance.laplace(0, deviations / np.sqrt(2))
    symbols = np.rint(drawn).astype(np.int64)
    encoding: list[float] = []
    decoding: list[float] = []
    code = b""
    for _ in range(rounds):
        start = perf_counter()
        encoder = Encoder(tables)
        encoder.write(symbols, which)
        code = encoder.finish()
        encoding.append(perf_counter() - start)
        start = perf_counter()
        decoder = Decoder(tables, code)
        read = decoder.read(which)
        decoder.finish()
        decoding.append(perf_counter() - start)
        assert np.array_equal(read, symbols)
    over = len(code) / (tables.bits(symbols, which) / 8) - 1
    escapes = int((np.abs(symbols) > tables.limits[which]).sum())
    times = (1000 * median(encoding), 1000 * median(decoding))
    return (
        f"{shape:<9}{1000 * made:8.0f}{times[0]:11.1f}{times[1]:11.1f}"
        f"{len(code):10d}{100 * over:13.4f}%{escapes:9d}"
    )


if __name__ == "__main__":
    main()
