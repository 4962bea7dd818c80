"""A camera for tests, a process of its own: draws pictures and writes them as they come.

    python live_source.py RATE COUNT > stream.nut

Picture n is written at its own time on the system's steady clock, which all processes share. The
time of the first is printed on standard error.
"""

import sys
import time
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import av
from clips import draw_frame


def main() -> None:
    """Write `COUNT` pictures."""
    rate, count = int(sys.argv[1]), int(sys.argv[2])
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(rate)}
    with av.open(sys.stdout.buffer, "w", format="nut", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = [draw_frame(n) for n in range(count)]
        first = time.monotonic() + 0.2
        sys.stderr.write(f"{first}\n")
        sys.stderr.flush()
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, rate)
            time.sleep(max(first + number / rate - time.monotonic(), 0))
            container.mux(stream.encode(picture))
            sys.stdout.buffer.flush()
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
