"""Measure our fast networks and their peers in one run: speed, memory, quality.

    python benchmarks/peers.py --weights DIR [--weights FILE.onnx] [--data CLIP] [--out peers]
    python benchmarks/peers.py --from peers/peers.json [--out peers]

For 540p to 1080p, 270p to 1080p and 180p to 720p. DIR holds OpenCV's .pb files (FSRCNN_x2.pb and
so on), ONNX files, or both; an ONNX file takes and gives one picture, NCHW, float in [0, 1], luma
or RGB. Clips are 8-bit 4:2:0, cut or mirrored to the larger size; none: one is drawn, on which
quality says little. What is absent is listed with the reason. `upreel.evaluation.peers_run` says
how each figure comes about. Written are peers.json, peers.md and peers.html.
"""

import argparse
import sys
from pathlib import Path

from upreel.errors import UpreelError
from upreel.evaluation.outputs import make_folder
from upreel.evaluation.peers import CASES, PeersJob
from upreel.evaluation.peers_report import markdown, read_peers, write_peers
from upreel.evaluation.peers_run import benchmark_peers


def parser() -> argparse.ArgumentParser:
    """All options."""
    default = PeersJob()
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("--out", type=Path, default=Path("peers"), help="folder to write to")
    options.add_argument("--data", type=Path, action="append", default=[], help="clip; repeatable")
    options.add_argument(
        "--weights", type=Path, action="append", default=[],
        help="folder of .pb and .onnx files, or an .onnx file; repeatable",
    )  # fmt: skip
    options.add_argument(
        "--only", action="append", choices=[case.name for case in CASES], help="case; repeatable"
    )
    options.add_argument("--frames", type=int, default=default.frames, help="of each clip")
    options.add_argument("--rounds", type=int, default=default.rounds, help="of timing")
    options.add_argument(
        "--threads", type=int, default=default.threads, help="of networks; 0: one a core"
    )
    options.add_argument("--no-vmaf", action="store_true", help="do without VMAF-NEG")
    options.add_argument("--from", dest="source", type=Path, help="peers.json to write again")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, or read what was measured; write it and print the tables."""
    options = parser().parse_args(arguments)

    def show(what: str, done: int, total: int) -> None:
        print(f"{what} ({done + 1} of {total})", file=sys.stderr)

    try:
        make_folder(options.out)  # before the work, not after it
        if options.source:
            values = read_peers(options.source)
        else:
            job = PeersJob(
                data=tuple(options.data),
                weights=tuple(options.weights),
                cases=tuple(c for c in CASES if not options.only or c.name in options.only),
                frames=options.frames,
                rounds=options.rounds,
                threads=options.threads,
                with_vmaf=not options.no_vmaf,
            )
            values = benchmark_peers(job, show).to_json()
        write_peers(values, options.out)
    except UpreelError as error:
        sys.exit(f"peers: {error}")
    print(markdown(values), end="")


if __name__ == "__main__":
    main()
