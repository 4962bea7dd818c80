"""Upscale the bundled clip and show what came of it: a video, a picture, the numbers.

    python examples/demo.py FOLDER [SECONDS]

Writes ``city_x2.mp4`` and ``side-by-side.png`` (the low-resolution picture, Lanczos, Upreel) into
FOLDER, from the whole clip or its first SECONDS. Needs the base install only.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import upreel
from upreel.degradation.resample import resample
from upreel.metrics import psnr, ssim
from upreel.video.frame import Frame
from upreel.video.probe import probe
from upreel.video.read import read_frames

MEDIA = Path(__file__).parent / "media"
SHOWN = 60  # the frame in the picture
CROP = (210, 40, 300, 270)  # left, top, width, height in the large frame
CAPTION = 24


def lanczos(frame: Frame) -> list[np.ndarray]:
    """The frame's planes at twice the size, as any good player would show them."""
    planes = []
    for n, plane in enumerate(frame.planes):
        origin = (0.5, 0.5) if n == 0 else (0.5, 0.25)
        large = resample(
            plane,
            2 * plane.shape[0],
            2 * plane.shape[1],
            kernel="lanczos3",
            in_origin=origin,
            out_origin=origin,
        )
        planes.append(np.clip(np.rint(large), 0, 255))
    return planes


def picture(planes: list[np.ndarray]) -> Image.Image:
    """4:2:0 planes (BT.601, limited range) as an RGB picture."""
    luma = (planes[0].astype(np.float64) - 16) * 255 / 219
    cb, cr = (p.astype(np.float64).repeat(2, 0).repeat(2, 1) - 128 for p in planes[1:])
    cb, cr = cb * 255 / 224, cr * 255 / 224
    rgb = np.stack((luma + 1.402 * cr, luma - 0.344 * cb - 0.714 * cr, luma + 1.772 * cb), axis=-1)
    return Image.fromarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def side_by_side(images: dict[str, Image.Image]) -> Image.Image:
    """The same crop of each, twice as large, under its name."""
    left, top, width, height = CROP
    gap, zoom = 8, 2
    sheet = Image.new(
        "RGB", (len(images) * (zoom * width + gap) - gap, zoom * height + CAPTION), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for n, (name, image) in enumerate(images.items()):
        x = n * (zoom * width + gap)
        part = image.crop((left, top, left + width, top + height))
        part = part.resize((zoom * width, zoom * height), Image.Resampling.NEAREST)
        sheet.paste(part, (x, CAPTION))
        draw.text((x + 4, 4), name, fill="black", font=ImageFont.load_default(15))
    return sheet


def main() -> None:
    """Upscale, compare, print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else None
    folder.mkdir(parents=True, exist_ok=True)
    source, output = MEDIA / "city.mp4", folder / "city_x2.mp4"
    result = upreel.upscale(source, output, model="fast-x2", end=seconds, overwrite=True)
    shown = min(SHOWN, result.frames - 1)

    scores: dict[str, list[tuple[float, float]]] = {"Lanczos": [], "Upreel": []}
    clips = (source, MEDIA / "city-truth.mp4", output)
    films = (islice(read_frames(probe(clip)), result.frames) for clip in clips)
    for low, truth, ours in zip(*films, strict=True):
        resized = lanczos(low)
        for name, luma in (("Lanczos", resized[0]), ("Upreel", ours.planes[0])):
            scores[name].append((psnr(luma, truth.planes[0]), ssim(luma, truth.planes[0])))
        if low.index == shown:
            nearest = [plane.repeat(2, 0).repeat(2, 1) for plane in low.planes]
            sheet = side_by_side(
                {
                    "low resolution, 320x180": picture(nearest),
                    "Lanczos": picture(resized),
                    "Upreel": picture(list(ours.planes)),
                }
            )
            sheet.save(folder / "side-by-side.png")

    print(f"{output}: {result.frames} frames in {result.seconds:.1f} s, sound and times kept")
    for name, values in scores.items():
        mean_psnr, mean_ssim = np.mean(values, axis=0)
        print(f"  {name:8} Y-PSNR {mean_psnr:.2f} dB  SSIM {mean_ssim:.4f}")
    print(f"{folder / 'side-by-side.png'}: look at it")


if __name__ == "__main__":
    main()
