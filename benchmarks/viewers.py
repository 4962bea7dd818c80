"""Print how a server holds with many viewers of different titles on this machine.

    python benchmarks/viewers.py [--viewers 50] [--seconds 60] [--rung 90p|source] [--rate 1]

Draws as many short clips as there are viewers, starts `upreel serve` on them in a process of its
own, has every segment made once, and lets each viewer ask for the segments of its title one after
the other, each viewer at a place of its own, a segment's length apart as a player does, or without
a pause with `--rate 0`. Printed: requests, errors, the median and the 99th percentile of the time
from asking to the last byte of a segment that is in the cache, and the server's peak memory.
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import numpy as np

FRAMES, RATE = 300, 25
WIDTH, HEIGHT = 320, 180


def draw(path: Path, seed: int) -> None:
    """A clip of twelve seconds of moving noise that is smooth, with a key frame a second."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(16, 236, (HEIGHT // 4, WIDTH // 4 + FRAMES), dtype=np.uint8)
    options = {"preset": "ultrafast", "g": str(RATE), "sc_threshold": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            image = np.kron(ground[:, n : n + WIDTH // 4], np.ones((4, 4), np.uint8))
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class Viewer:
    """One who watches one title over and over, over one connection."""

    def __init__(self, port: int, places: list[str], pause: float) -> None:
        self.milliseconds: list[float] = []
        self.errors = 0
        self._places = places
        self._pause = pause
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, place: str) -> bytes:
        """An answer's body; whatever is not a whole one counts as an error."""
        try:
            self._connection.request("GET", place)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self.errors += 1
            return b""
        if response.status != 200 or not body:
            self.errors += 1
        return body

    def watch(self, until: float, start: int, ended: threading.Event) -> None:
        """Ask for one segment after the other until a time."""
        due = time.monotonic() + self._pause * (start % 16) / 16
        number = start
        while time.monotonic() < until:
            if ended.wait(max(due - time.monotonic(), 0)):
                return
            due += self._pause
            began = time.perf_counter()
            self.ask(self._places[number % len(self._places)])
            self.milliseconds.append((time.perf_counter() - began) * 1000)
            number += 1


def segments(viewer: Viewer, title: dict[str, str], rung: str) -> list[str]:
    """Where a title's segments are."""
    tracks = json.loads(viewer.ask(f"/api/titles/{title['id']}/rungs"))["tracks"]
    names = [track["name"] for track in tracks]
    if rung not in names:
        raise SystemExit(f"no rung {rung!r}; there are: {', '.join(names)}")
    playlist = next(track["playlist"] for track in tracks if track["name"] == rung)
    found = re.findall(r"^\d+\.m4s$", viewer.ask(playlist).decode(), re.MULTILINE)
    base = playlist.removesuffix("index.m3u8")
    return [base + name for name in ("init.mp4", *found)]


def peak_memory(pid: int) -> float:
    """MiB that a process had in memory at most; NaN where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else float("nan")


def measure(
    folder: Path, *, viewers: int, seconds: float, rung: str, rate: float
) -> dict[str, float]:
    """Start a server on the clips of a folder and let the viewers watch."""
    command = [sys.executable, "-m", "upreel", "serve", str(folder), "--port", "0", "--cache",
               str(folder / "cache"), "--rungs", "90"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = re.search(r"http://127.0.0.1:(\d+)/", server.stderr.readline())
            if told is None:
                raise SystemExit("the server did not begin")
            port = int(told[1])
            first = Viewer(port, [], 0)
            titles = json.loads(first.ask("/api/titles"))["titles"]
            places = [segments(first, title, rung) for title in titles]
            for some in places:
                for place in some:
                    first.ask(place)
            if first.errors:
                raise SystemExit(f"{first.errors} pieces could not be made")
            pause = 0 if not rate else 4.0 / rate
            watching = [Viewer(port, some, pause) for some in places]
            until, ended = time.monotonic() + seconds, threading.Event()
            threads = [
                threading.Thread(target=viewer.watch, args=(until, n, ended))
                for n, viewer in enumerate(watching)
            ]
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            finally:
                ended.set()
            memory = peak_memory(server.pid)
        finally:
            server.terminate()
    times = np.array([time for viewer in watching for time in viewer.milliseconds])
    return {
        "viewers": viewers,
        "seconds": seconds,
        "requests": len(times),
        "errors": sum(viewer.errors for viewer in watching),
        "median_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "most_ms": float(times.max()),
        "peak_memory_mib": memory,
    }


def main() -> None:
    """Draw the clips, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rung", default="90p", help="source, or 90p, which is encoded")
    parser.add_argument("--rate", type=float, default=1, help="of playing; 0: without a pause")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for n in range(asked.viewers):
            draw(Path(name) / f"{n:04}.mp4", n)
        result = measure(
            Path(name), viewers=asked.viewers, seconds=asked.seconds, rung=asked.rung,
            rate=asked.rate,
        )  # fmt: skip
    if asked.json:
        print(json.dumps(result))
        return
    print(
        f"{result['viewers']} viewers, {result['seconds']:g} s: {result['requests']} requests, "
        f"{result['errors']} errors, median {result['median_ms']:.1f} ms, "
        f"p99 {result['p99_ms']:.1f} ms, at most {result['most_ms']:.1f} ms, "
        f"peak memory {result['peak_memory_mib']:.0f} MiB"
    )


if __name__ == "__main__":
    main()
