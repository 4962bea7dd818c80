"""Print a network layer by layer: time, arithmetic, and the share of what the CPU can do at best.

    python benchmarks/layers.py fast-x2 [--size 960x540] [--precision int8] [--threads 1] [--json]

Of a frame-recurrent network it is the step. Times are OpenVINO's own counters, medians over frames
of noise. Without `--threads` all cores are used, as in `upreel benchmark --network-only`, which
times the same network without counters; a frame-recurrent one with motion and all else.
"""

import argparse
import json
import sys

from upreel.errors import UpreelError
from upreel.evaluation.layers import measure_layers, summary
from upreel.pipeline.job import parse_size
from upreel.zoo import load_card


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("model", help="name or card")
    options.add_argument("--size", type=parse_size, default=(960, 540), help="WxH of the picture")
    options.add_argument("--precision", default="auto", help="auto, or one that the model has")
    options.add_argument("--threads", type=int, default=0, help="0: one a core")
    options.add_argument("--rounds", type=int, default=9, help="frames that count")
    options.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    values = options.parse_args(arguments)
    try:
        result = measure_layers(
            load_card(values.model),
            size=values.size,
            precision=values.precision,
            threads=values.threads,
            rounds=values.rounds,
        )
    except UpreelError as error:
        sys.exit(f"layers: {error}")
    print(json.dumps(result.to_json()) if values.json else summary(result))


if __name__ == "__main__":
    main()
