"""Print what untrained networks of the fast family take, in bf16 or f32 and in whole numbers.

    python benchmarks/shapes.py 2 [--size 960x540] [--layout packed] [--channels 16 32 48]
        [--depths 4 6 8] [--plain] [--threads 0] [--rounds 7] [--json]

Speed does not depend on the weights, so that sizes can be chosen before anything is trained: each
network is made with random ones, calibrated on noise, and answers two frames of noise a round, all
networks in turn.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from upreel.errors import UpreelError
from upreel.evaluation.tables import text_table
from upreel.evaluation.timing import Task, interleaved
from upreel.inference.engine import Session
from upreel.inference.export import export_card
from upreel.inference.export_quantized import add_quantized
from upreel.inference.selection import open_session
from upreel.inference.tiles import grid_size
from upreel.networks.build import build_network
from upreel.networks.quantized import QuantizedNetwork
from upreel.networks.sizes import CHANNELS
from upreel.pipeline.job import parse_size
from upreel.pipeline.machine import describe_machine
from upreel.zoo import FastConfig, ModelCard, QuantizedConfig

FRAMES_A_ROUND = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("scale", type=int, choices=(2, 3, 4))
    options.add_argument("--size", type=parse_size, default=(960, 540), help="WxH of the picture")
    options.add_argument("--layout", choices=("packed", "luma"), default="packed")
    options.add_argument("--channels", type=int, nargs="+", default=[16, 32, 48])
    options.add_argument("--depths", type=int, nargs="+", default=[4, 6, 8])
    options.add_argument("--plain", action="store_true", help="chains without skips")
    options.add_argument("--threads", type=int, default=0, help="0: one a core")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    values = options.parse_args(arguments)
    with TemporaryDirectory() as folder:
        cards: list[ModelCard] = []
        tasks: dict[str, Task] = {}
        try:
            for channels, depth in product(values.channels, values.depths):
                config = FastConfig(
                    scale=values.scale,
                    channels=channels,
                    depth=depth,
                    frames=2,
                    layout=values.layout,
                    skips=not values.plain,
                )
                card = untrained(config, Path(folder))
                cards.append(card)
                for precision in ("auto", "int8"):
                    task = frames_task(card, values.size, precision, values.threads)
                    tasks[f"{card.name} {precision}"] = task
        except (UpreelError, ValueError) as error:
            sys.exit(f"shapes: {error}")
        times = interleaved(tasks, values.rounds)
    rows = [
        {
            "channels": card.network.channels,
            "depth": card.network.depth,
            "parameters": card.num_parameters,
            "macs_per_pixel": card.macs_per_pixel,
            **{
                name: {"ms": times[f"{card.name} {precision}"].ms, "range_ms": span}
                for name, precision in (("float", "auto"), ("int8", "int8"))
                for span in [times[f"{card.name} {precision}"].ms_range]
            },
        }
        for card in cards
        if isinstance(card.network, FastConfig)
    ]
    machine = describe_machine()
    if values.json:
        print(json.dumps({"machine": asdict(machine), "size": values.size, "networks": rows}))
        return
    print(f"{machine.cpu}, {values.size[0]}x{values.size[1]} x{values.scale}, medians (least) ms")
    print(text_table(HEADINGS, [table_row(row) for row in rows]))


HEADINGS = ("channels", "convolutions", "parameters", "MACs/pixel", "float", "int8", "ratio")


def table_row(row: dict[str, object]) -> tuple[str, ...]:
    """A network's row."""
    of_float, of_int8 = row["float"], row["int8"]
    assert isinstance(of_float, dict)
    assert isinstance(of_int8, dict)
    times = [f"{each['ms']:.1f} ({each['range_ms'][0]:.1f})" for each in (of_float, of_int8)]
    ratio = f"{of_float['ms'] / of_int8['ms']:.2f}"
    numbers = [str(row[key]) for key in ("channels", "depth", "parameters", "macs_per_pixel")]
    return (*numbers, *times, ratio)


def untrained(config: FastConfig, folder: Path) -> ModelCard:
    """A card of random weights, in whole numbers, too."""
    torch.manual_seed(1)
    told = {"training_data": (), "degradation": "none", "steps": 0, "commit": ""}
    plain = "" if config.skips else "-plain"
    card = export_card(
        name=f"untrained-{config.channels}x{config.depth}{plain}",
        summary="random weights",
        config=config,
        weights=dict(build_network(asdict(config)).state_dict()),
        folder=folder,
        **told,
    )
    whole = QuantizedConfig(network=config)
    network = build_network(asdict(whole)).eval()
    assert isinstance(network, QuantizedNetwork)
    network.calibrate([torch.rand(1, CHANNELS[config.layout] * config.frames, 32, 32)])
    return add_quantized(card, config=whole, weights=network.state_dict(), **told)


def frames_task(card: ModelCard, size: tuple[int, int], precision: str, threads: int) -> Task:
    """Answers to frames of noise of that size, the margin counted."""
    width, height = size
    rows, columns, margin = grid_size(card, height, width)
    rows, columns = rows + 2 * margin, columns + 2 * margin
    session = open_session(card, rows, columns, precision=precision, threads=threads)
    inputs = CHANNELS[card.layout] * len(card.network.offsets)
    shape = (1, rows, columns, inputs)
    batch = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    session.run(batch)
    return partial(answers, session, batch)


def answers(session: Session, batch: np.ndarray) -> int:
    """Some frames' answers; returns how many."""
    for _ in range(FRAMES_A_ROUND):
        session.run(batch)
    return FRAMES_A_ROUND


if __name__ == "__main__":
    main()
