"""What is written over the picture: statistics, and text as an image of its own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Now", "clock_text", "overlay_lines", "text_image"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """How it goes at the moment; the counts are from the start of the title.

    Attributes:
        media: seconds from the source's start.
        duration: seconds, None where there is no end.
        rate: pictures a second of the source.
        fps: pictures a second on the screen.
        network_ms: what the rung in use takes.
        rung: its name.
        source_size: columns and rows.
        shown_size: columns and rows that the picture is enlarged to.
        shown: pictures shown.
        plain: of those, not enlarged in time.
        skipped: pictures never shown.
        stalls: times that it stood still.
        outages: times that a live source broke off.
        latency_ms: of a live picture, from its packet to the screen; None of others.
        offset_ms: picture before sound, None without sound.
    """

    media: float
    duration: float | None
    rate: float
    fps: float
    network_ms: float
    rung: str
    source_size: tuple[int, int]
    shown_size: tuple[int, int]
    shown: int
    plain: int
    skipped: int
    stalls: int
    outages: int
    latency_ms: float | None
    offset_ms: float | None


def clock_text(seconds: float) -> str:
    """Hours where there are any, minutes and seconds.

    Example:
        >>> clock_text(75.9), clock_text(3600)
        ('1:15', '1:00:00')
    """
    whole = int(max(seconds, 0.0))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def overlay_lines(now: Now) -> tuple[str, ...]:
    """The statistics as they are shown."""
    place = clock_text(now.media)
    if now.duration is not None:
        place += f" / {clock_text(now.duration)}"
    (width, height), (columns, rows) = now.source_size, now.shown_size
    lines = [
        place,
        f"{width}x{height} -> {columns}x{rows}",
        f"{now.rung or 'opening'}  {now.network_ms:.1f} ms of {1000 / now.rate:.0f}",
        f"{now.fps:.1f} fps of {now.rate:.4g}",
        f"dropped {now.skipped}  plain {now.plain}  of {now.shown + now.skipped}"
        f"  stalls {now.stalls}",
    ]
    if now.outages:
        lines.append(f"broke off {now.outages} time{'s' * (now.outages > 1)}")
    if now.latency_ms is not None:
        lines.append(f"latency {now.latency_ms:.0f} ms")
    if now.offset_ms is not None:
        lines.append(f"sound offset {now.offset_ms:+.0f} ms")
    return tuple(lines)


def text_image(text: str, size: int, *, boxed: bool, centred: bool = False) -> Pixels:
    """Lines of text as (rows, columns, 4) of blue, green, red and alpha, not premultiplied.

    Args:
        text: lines.
        size: of the letters in pixels.
        boxed: on a dark box; else with a dark rim.
        centred: lines about a common middle, else from the left.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    rim = 0 if boxed else max(size // 10, 1)
    pad = size // 2 if boxed else rim
    align = "center" if centred else "left"
    spacing = size // 4
    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = measure.multiline_textbbox(
        (0, 0), text, font=font, spacing=spacing, align=align, stroke_width=rim
    )
    left, top, right, bottom = (round(value) for value in box)
    extent = (max(right - left, 1) + 2 * pad, max(bottom - top, 1) + 2 * pad)
    image = Image.new("RGBA", extent, (0, 0, 0, 160 if boxed else 0))
    ImageDraw.Draw(image).multiline_text(
        (pad - left, pad - top), text, font=font, spacing=spacing, align=align,
        fill=(255, 255, 255, 255), stroke_width=rim, stroke_fill=(0, 0, 0, 255),
    )  # fmt: skip
    return np.ascontiguousarray(np.asarray(image)[..., [2, 1, 0, 3]])
