"""Print how the player does on this machine: a film, a live source, an overload.

    python benchmarks/player.py [--seconds 60] [--size 480x270] [--rate 25] [--to 1920x1080]
                                [--only film,window,live,overload] [--model NAME] [--json]

Draws a clip with sound and plays it in processes of their own, without a screen:

* film: pictures shown a second, skipped, stalls, the largest distance to the sound; what enlarged
  them.
* window: the same through SDL with its dummy drivers, which makes colours on the processor.
* live: a camera in another process writes pictures into a pipe at their own times; from the moment
  that one is handed to the encoder until it is shown.
* overload: after a third of the time the best network takes ten times as long as two pictures may;
  how long until pictures are enlarged in time again, and what happened to sound and pictures.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

ROWS = ("film", "window", "live", "overload")
RATE = 48000


def picture(number: int, width: int, height: int, ground: np.ndarray) -> av.VideoFrame:
    """Smooth noise that moves."""
    first = 2 * number % (ground.shape[1] - width)
    image = np.ascontiguousarray(ground[:height, first : first + width])
    return av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")


def noise(width: int, height: int) -> np.ndarray:
    """Something to look at, wider than a picture."""
    rng = np.random.default_rng(1)
    small = rng.integers(16, 236, (height // 6 + 1, width // 2), dtype=np.uint8)
    return np.kron(small, np.ones((6, 6), np.uint8))


def draw(path: Path, width: int, height: int, rate: int, seconds: float) -> None:
    """A clip with sound."""
    ground = noise(width, height)
    count = round(seconds * rate)
    options = {"preset": "veryfast", "crf": "24", "g": str(2 * rate)}
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="stereo")
        wave = (0.1 * np.sin(np.arange(1024) * 2 * np.pi * 468.75 / RATE)).astype(np.float32)
        blocks = 0
        for number in range(count):
            frame = picture(number, width, height, ground)
            frame.pts = number
            container.mux(video.encode(frame))
            while blocks * 1024 < (number + 1) * RATE / rate:
                sound = av.AudioFrame.from_ndarray(
                    np.stack((wave, wave)), format="fltp", layout="stereo"
                )
                sound.sample_rate, sound.pts = RATE, blocks * 1024
                sound.time_base = Fraction(1, RATE)
                container.mux(audio.encode(sound))
                blocks += 1
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def camera(width: int, height: int, rate: int, count: int) -> None:
    """Write pictures to standard output at their own times; tell the time of the first."""
    ground = noise(width, height)
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(rate)}
    with av.open(sys.stdout.buffer, "w", format="nut", options={"flush_packets": "1"}) as out:
        stream = out.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        first = time.monotonic()
        print(first, file=sys.stderr, flush=True)
        for number in range(count):
            frame = picture(number, width, height, ground)
            frame.pts = number
            time.sleep(max(first + number / rate - time.monotonic(), 0))
            out.mux(stream.encode(frame))
            sys.stdout.buffer.flush()


def played(arguments: Sequence[str], *, dummy: bool = False, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """What `upreel play` says that a showing came to."""
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        environment = dict(os.environ)
        if dummy:
            environment |= {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
        subprocess.run(
            [sys.executable, "-m", "upreel", "play", *arguments, "--stats", str(stats)],
            check=True, env=environment, stderr=subprocess.DEVNULL, **options,
        )  # fmt: skip
        return json.loads(stats.read_text())["titles"][0]


def live(asked: argparse.Namespace) -> dict[str, Any]:
    """Glass to glass: this process plays, so that it sees when each picture is shown."""
    from upreel.player import HeadlessPresenter, PlayConfig, play

    width, height = asked.size
    count = round(asked.seconds * asked.rate)
    command = [sys.executable, __file__, "--camera", f"{width}x{height}", "--rate",
               str(asked.rate), "--count", str(count)]  # fmt: skip
    shown: dict[float, float] = {}

    def seen(picture: Any, _view: Any) -> None:  # noqa: ANN401
        if picture is not None:
            shown.setdefault(picture.media, time.monotonic())

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source:
        assert source.stdout is not None
        assert source.stderr is not None
        before = os.dup(0)
        os.dup2(source.stdout.fileno(), 0)
        try:
            config = PlayConfig(sources=("-",), live=True, model=asked.model)
            result = play(config, HeadlessPresenter(asked.to, seen=seen))
        finally:
            os.dup2(before, 0)
        first = float(source.stderr.readline())
    # The stream's first key frame is its time 0, and the camera's first picture.
    steady = [at for media, at in shown.items() if media > 3]
    delays = [(at - first - media) * 1000 for media, at in shown.items() if media > 3]
    title = result.titles[0].as_json()
    return title | {
        "glass_ms": {
            "median": round(float(np.median(delays)), 1),
            "p95": round(float(np.percentile(delays, 95)), 1),
            "most": round(max(delays), 1),
        }
        if steady
        else {}
    }


def overload(film: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Play with a network that becomes slow."""
    from upreel.player import HeadlessPresenter, PlayConfig, play
    from upreel.player.rungs import open_network

    begins = asked.seconds / 3
    slow_ms = 10 * 1000 / asked.rate
    real = open_network()
    began: list[float] = []
    shown: list[tuple[float, str]] = []
    best: list[str] = []

    class Slow:
        """A network that takes longer from a time on."""

        def __init__(self, name: str, network: Any) -> None:  # noqa: ANN401
            self._name, self._network = name, network
            self.depth = network.depth
            self.submit, self.drop = network.submit, network.drop

        def collect(self) -> Any:  # noqa: ANN401
            planes = self._network.collect()
            # The one in use at that time is the one that becomes slow.
            if began and time.monotonic() - began[0] > begins and best and self._name == best[0]:
                time.sleep(slow_ms / 1000)
            return planes

    def opened(card: Any, **options: Any) -> Slow:  # noqa: ANN401
        return Slow(card.name, real(card, **options))

    def seen(picture: Any, _view: Any) -> None:  # noqa: ANN401
        if picture is None:
            return
        began[:] = began or [time.monotonic()]
        at = time.monotonic() - began[0]
        shown.append((at, picture.rung))
        if at < begins and picture.rung not in ("", "lanczos"):
            best[:] = [picture.rung]

    config = PlayConfig(sources=(str(film),), model=asked.model)
    title = play(config, HeadlessPresenter(asked.to, seen=seen), opened=opened).titles[0].as_json()
    after = [(at, rung) for at, rung in shown if at > begins]
    plain = [at for at, rung in after if not rung and at < begins + 10]
    return title | {
        "slowed": best[0] if best else "",
        "recovered_s": round(max(plain, default=begins) - begins, 3),
        "plain_after": sum(not rung for _, rung in after),
    }


def told(row: str, title: dict[str, Any]) -> str:
    """One line for people."""
    made = ", ".join(f"{name} {count}" for name, count in title["by_rung"].items()) or "nothing"
    parts = [
        f"{title['fps']:.2f} fps of {title['rate']:g}",
        f"skipped {title['skipped_share']:.2%}",
        f"{title['stalls']} stalls, longest gap {title['longest_gap_ms']:.0f} ms",
        f"{made}, plain {title['plain']}",
    ]
    offset = title["offset_ms"]
    if offset:
        widest = max(abs(offset["least"]), abs(offset["most"]))
        parts.append(f"sound {offset['mean']:+.1f} ms, at most {widest:.0f}")
    if title.get("glass_ms"):
        glass = title["glass_ms"]
        parts.append(f"glass to glass {glass['median']:.0f} ms, p95 {glass['p95']:.0f}")
    if "recovered_s" in title:
        parts.append(
            f"{title['slowed'] or 'no network'} slowed, enlarged in time again after "
            f"{title['recovered_s']:.2f} s"
        )
    return f"{row}: " + "; ".join(parts)


def measure(asked: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """All rows that are asked for."""
    width, height = asked.size
    rows = asked.only.split(",")
    common = ["--size", "{}x{}".format(*asked.to)]
    common += ["--model", asked.model] if asked.model else []
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        draw(film, width, height, asked.rate, asked.seconds)
        if "film" in rows:
            found["film"] = played([str(film), "--no-window", *common])
        if "window" in rows:
            found["window"] = played([str(film), *common], dummy=True)
        if "live" in rows:
            found["live"] = live(asked)
        if "overload" in rows:
            found["overload"] = overload(film, asked)
    return found


def size(text: str) -> tuple[int, int]:
    """WxH."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", type=size, default=(480, 270))
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--to", type=size, default=(1920, 1080))
    parser.add_argument("--only", default=",".join(ROWS), help="of " + ", ".join(ROWS))
    parser.add_argument("--model", help="one model in place of what the machine bears")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--camera", type=size, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.camera:
        camera(*asked.camera, asked.rate, asked.count)
        return
    unknown = set(asked.only.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are: {', '.join(ROWS)}")
    found = measure(asked)
    if asked.json:
        print(json.dumps(found))
        return
    for row, title in found.items():
        print(told(row, title))


if __name__ == "__main__":
    main()
