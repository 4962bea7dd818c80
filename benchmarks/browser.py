"""Print how the browser player does on this machine: frames a second, decibels, bytes.

    python benchmarks/browser.py [--seconds 30] [--backend "WASM int8"]

Needs node, Chromium and a development install; builds the player first. The sample's frames, forth
and back, become clips of 320x180 and 480x270 at 25 frames a second, which Chromium plays from a
server of its own: shown is what the network made and the page drew, dropped is what the decoder
or the player's queue left out. Quality is that of the frames of `examples/media` against the truth,
by the networks as browsers run them and as `upreel upscale` does in bf16 (f32 where the CPU has no
bf16). Weight is all that the page fetches to play but video and pictures.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

from upreel.inference import PlaneUpscaler
from upreel.inference.browser import Planes, read_model, run
from upreel.metrics.fidelity import psnr
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour
from upreel.zoo import card_names, load_card

ROOT = Path(__file__).parent.parent
MEDIA = ROOT / "examples" / "media"
SCENARIOS = ROOT / "web" / "build" / "run_player.mjs"
SIZES = ((320, 180), (480, 270))
SCORED = range(10, 100, 10)
RATE = 25


def frames_of(path: Path, width: int = 0, height: int = 0) -> list[Planes]:
    """Planes of a clip's frames, resized where a size is given."""
    found: list[Planes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if width:
                frame = frame.reformat(width=width, height=height, interpolation="BICUBIC")
            planes = [
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[
                    :, : plane.width
                ]
                for plane in frame.planes
            ]
            found.append((planes[0], planes[1], planes[2]))
    return found


def write_film(path: Path, frames: list[Planes], seconds: float) -> None:
    """Frames forth and back for so long, without sound."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "g": "100"})
        stream.height, stream.width = frames[0][0].shape
        stream.pix_fmt = "yuv420p"
        for n in range(round(seconds * RATE)):
            planes = there_and_back[n % len(there_and_back)]
            flat = np.concatenate([plane.ravel() for plane in planes])
            frame = av.VideoFrame.from_ndarray(flat.reshape(-1, stream.width), format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def played(folder: Path, seconds: float, backend: str) -> None:
    """Serve a folder's films, play each, print what came of it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    command = [sys.executable, "-m", "upreel", "serve", str(folder), "--port", "0", "--rungs", "",
               "--cache", str(folder / "cache")]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = re.search(r"http://127.0.0.1:\d+", server.stderr.readline())
            if told is None:
                raise SystemExit("the server did not begin")
            for width, height in SIZES:
                address = f"{told[0]}/watch/{identity(told[0], f'{width}x{height}')}"
                if backend:
                    address += f"?backend={backend}".replace(" ", "%20")
                ran = subprocess.run(
                    ["node", str(SCENARIOS), chromium, address, "measures", str(seconds)],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                if ran.returncode:
                    raise SystemExit(ran.stderr)
                report(json.loads(ran.stdout)["result"], seconds)
        finally:
            server.terminate()


def identity(server: str, name: str) -> str:
    """The id of a title."""
    import urllib.request

    with urllib.request.urlopen(f"{server}/api/titles") as answer:
        titles = json.load(answer)["titles"]
    return next(title["id"] for title in titles if title["name"] == name)


def report(found: dict[str, Any], seconds: float) -> None:
    """One film's line, and after the first what the page weighs."""
    began, ended = found["began"], found["ended"]
    stats = ended["stats"]

    def more(name: str) -> int:
        return int(stats[name] - began["stats"][name])

    print(
        f"{stats['source']} to {stats['answer']}, {stats['model']} by {stats['backend']}: "
        f"{more('shown') / seconds:.1f} frames/s upscaled, {more('bilinear') / seconds:.1f} "
        f"bilinear, {more('replaced')} replaced, {ended['dropped'] - began['dropped']} dropped by "
        f"the decoder; network {stats['networkMs']:.1f} ms, shown after {stats['latencyMs']:.1f} ms"
    )
    if stats["source"].startswith("320"):
        own = [
            entry
            for entry in found["entries"]
            if "/static/" in entry["name"] or entry["name"].endswith(".web")
        ]
        sent, whole = (
            sum(entry[kind] for entry in own) for kind in ("transferSize", "decodedBodySize")
        )
        worker = ROOT / "src" / "upreel" / "server" / "built"
        inside = [worker / name for name in ("kernel8.wasm", "kernel16.wasm")]
        kernels = sum(path.stat().st_size for path in inside)  # fetched by the worker
        model = load_card(stats["model"]).folder / f"{stats['model']}.web"
        rest = kernels + model.stat().st_size
        print(f"page weight: {(sent + rest) / 1000:.0f} kB sent, {(whole + rest) / 1000:.0f} kB")


def quality() -> None:
    """Print Y-PSNR of each network at scale 2, both ways."""
    low, truth = frames_of(MEDIA / "city.mp4"), frames_of(MEDIA / "city-truth.mp4")
    for name in card_names():
        card = load_card(name)
        file = card.folder / f"{name}.web"
        if not file.exists() or card.scale != 2:
            continue
        model = read_model(file.read_bytes())
        upscaler = PlaneUpscaler(
            card,
            pixel_format=pixel_format("yuv420p"),
            colour=Colour(chroma_location=1),
            width=320,
            height=180,
        )
        ours: list[float] = []
        theirs: list[float] = []
        for n in SCORED:
            window = [low[n], low[n - 1]][: model.frames]
            answer = cast("Planes", upscaler(window[::-1]))
            ours.append(psnr(truth[n][0], run(model, window)[0]))
            theirs.append(psnr(truth[n][0], answer[0]))
        print(
            f"{name}: {np.mean(ours):.3f} dB in the browser, {np.mean(theirs):.3f} dB by "
            f"{upscaler.describe().precision}: {np.mean(ours) - np.mean(theirs):+.3f} dB"
        )


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--backend", default="", help="instead of the fastest")
    options = parser.parse_args()
    subprocess.run([sys.executable, str(ROOT / "scripts" / "build_web.py")], check=True)
    quality()
    with tempfile.TemporaryDirectory() as name:
        for width, height in SIZES:
            frames = frames_of(MEDIA / "city-truth.mp4", width, height)
            write_film(Path(name) / f"{width}x{height}.mp4", frames, options.seconds + 10)
        played(Path(name), options.seconds, options.backend)


if __name__ == "__main__":
    main()
