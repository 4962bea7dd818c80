"""Write what the bundled networks take on this machine into their cards.

    python scripts/time_cards.py NAME [NAME ...]

Milliseconds of the network alone, as `upreel benchmark --network-only` prints them: the median of
three rounds, at five sizes. Memory is the peak of a whole `upreel upscale` of a drawn clip. Nothing
else should run meanwhile.
"""

import sys
from dataclasses import replace

from upreel.evaluation.benchmark import BenchmarkJob, benchmark
from upreel.evaluation.memory import measure_memory
from upreel.zoo import load_card
from upreel.zoo.card import write_card

SIZES = ((320, 180), (480, 270), (640, 360), (960, 540), (1280, 720))
SEEN = (640, 360)  # by the process whose memory is measured
SECONDS = 4.0  # of video
PATIENCE = 2000  # milliseconds a frame: networks that take longer are not timed at larger sizes


def main() -> None:
    """Time them, rewrite their cards."""
    for name in sys.argv[1:]:
        card = load_card(name)
        whole = () if card.network.step_channels else card.quantized  # of those it is "auto"
        for precision in ("auto", *whole):
            place, milliseconds = "", dict[str, float]()
            for size in SIZES:
                job = BenchmarkJob(model=name, precision=precision, size=size, network_only=True)
                result = benchmark(job)
                machine, taken = result.machine, result.timings["network"].ms
                place = f"{machine.cpu}, {machine.cores} threads, {result.engine['precision']}"
                milliseconds[f"{place}, {size[0]}x{size[1]}"] = round(taken, 2)
                print(f"{name}, {place}, {size}: {taken:.2f} ms", flush=True)
                if taken > PATIENCE:
                    break
            (use,) = measure_memory(
                model=name,
                encoder="x264",
                preset="ultrafast",
                width=SEEN[0],
                height=SEEN[1],
                lengths=(SECONDS,),
                precision=precision,
            )
            peak = {f"{place}, {SEEN[0]}x{SEEN[1]}": round(use.peak_bytes / 2**20, 1)}
            print(f"{name}, {peak}", flush=True)
            card = replace(
                card,
                milliseconds={**card.milliseconds, **milliseconds},
                mebibytes={**card.mebibytes, **peak},
            )
        write_card(card)


if __name__ == "__main__":
    main()
