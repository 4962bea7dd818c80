"""What an evaluation says: a table for the terminal, one self-contained HTML page, JSON beside."""

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from upreel.errors import OutputError
from upreel.evaluation.clips import Clip
from upreel.evaluation.contestants import BASELINES, Picture
from upreel.evaluation.run import Evaluation, Shot
from upreel.evaluation.tables import text_table
from upreel.video.frame import Plane

__all__ = ["busiest_patch", "summary", "to_rgb", "write_report"]

METRICS = {
    "psnr_y": ("Y-PSNR dB", 3),
    "ssim_y": ("Y-SSIM", 4),
    "vmaf": ("VMAF", 2),
    "vmaf_neg": ("VMAF-NEG", 2),
    "psnr_cb": ("Cb-PSNR dB", 2),
    "psnr_cr": ("Cr-PSNR dB", 2),
}
"""Heading and decimals of each metric, in the table's order."""

PATCH = 96  # ground-truth samples a side of a crop
ZOOM = 2

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left }
figure { display: inline-block; margin: 0 .6em .8em 0 }
figcaption { font-size: .85em }
img { image-rendering: pixelated; display: block }
.off { background: #fdd; padding: .5em }
"""


def _figure(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "equal"


def _of(evaluation: Evaluation, model: str, source: str) -> dict[str, float]:
    if source == "mean":
        return evaluation.of_set(model)
    return evaluation.of_source(model, source)


def _table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each source, then for the set, every contestant."""
    names = [m for m in METRICS if m in evaluation.scores[0].frames]
    header = ["source", "model", *(METRICS[m][0] for m in names)]
    rows: list[list[str]] = []
    for source in (*evaluation.sources, "mean"):
        for model in evaluation.models:
            of = _of(evaluation, model, source)
            rows.append([source, model, *(_figure(of[m], METRICS[m][1]) for m in names)])
    return header, rows


def _gains(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Header and rows: every network less every filter, for each source and the set."""
    names = [m for m in METRICS if m in evaluation.scores[0].frames]
    header = ["source", "gain", *(METRICS[m][0] for m in names)]
    filters = [model for model in evaluation.models if model in BASELINES]
    rows: list[list[str]] = []
    for source in (*evaluation.sources, "mean"):
        for model in evaluation.models:
            for baseline in filters if model not in BASELINES else ():
                ours, theirs = (_of(evaluation, name, source) for name in (model, baseline))
                figures = (f"{ours[m] - theirs[m]:+.{METRICS[m][1]}f}" for m in names)
                rows.append([source, f"{model} over {baseline}", *figures])
    return header, rows


def summary(evaluation: Evaluation) -> str:
    """The table and what the figures mean, for a terminal."""
    job = evaluation.job
    header, rows = _table(evaluation)
    head = f"{job.set} x{job.scale} {job.degradation}: {evaluation.degradation}"
    lines = [head, "", text_table(header, rows), ""]
    header, rows = _gains(evaluation)
    if rows:
        lines += [text_table(header, rows), ""]
    return "\n".join((*lines, evaluation.check.message))


def to_rgb(planes: Picture, clip: Clip) -> npt.NDArray[np.uint8]:
    """Planes as 8-bit R'G'B' for pictures in reports; chroma samples are repeated.

    BT.709 where the clip says so (H.273 MatrixCoefficients 1), else BT.601.

    Args:
        planes: of a frame in the clip's format, any size.
        clip: says what they mean.

    Returns:
        (rows, columns, 3).
    """
    fmt = clip.format
    scale = 255 / fmt.max_value
    if fmt.model == "rgb":
        values = np.stack([p.astype(np.float64) * scale for p in planes[:3]], axis=-1)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    full = clip.colour.full_range is True
    unit = 1 << (fmt.bits - 8)
    luma = planes[0].astype(np.float64)
    y = luma / fmt.max_value if full else (luma - 16 * unit) / (219 * unit)
    rows, columns = luma.shape
    if fmt.model == "gray":
        cb = cr = np.zeros_like(y)
    else:
        log2_x, log2_y = fmt.log2_chroma
        span = fmt.max_value if full else 224 * unit
        cb, cr = (
            (
                np.repeat(np.repeat(p, 1 << log2_y, 0), 1 << log2_x, 1)[:rows, :columns]
                - 128.0 * unit
            )
            / span
            for p in planes[1:3]
        )
    kr, kb = (0.2126, 0.0722) if clip.colour.matrix == 1 else (0.299, 0.114)
    red = y + 2 * (1 - kr) * cr
    blue = y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.rint(np.stack((red, green, blue), -1) * 255), 0, 255).astype(np.uint8)


def busiest_patch(luma: Plane, size: int = PATCH) -> tuple[int, int]:
    """Row and column of the patch with the largest variance, on a grid of half its size.

    The same patch whichever contestant is looked at, chosen from the ground truth alone.
    """
    best, place = -1.0, (0, 0)
    for row in range(0, max(luma.shape[0] - size, 0) + 1, size // 2):
        for column in range(0, max(luma.shape[1] - size, 0) + 1, size // 2):
            variance = float(np.var(luma[row : row + size, column : column + size]))
            if variance > best:
                best, place = variance, (row, column)
    return place


def _crop(planes: Picture, clip: Clip, place: tuple[int, int]) -> str:
    """A patch as an ``img`` element with the PNG inside."""
    row, column = place
    patch = to_rgb(planes, clip)[row : row + PATCH, column : column + PATCH]
    image = Image.fromarray(patch)
    image = image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, format="PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img alt="" width={image.width} height={image.height} src="data:image/png;base64,{data}">'
    )


def _shot(evaluation: Evaluation, shot: Shot) -> str:
    truth = shot.pair.truth
    place = busiest_patch(truth.planes[shot.index][0])
    figures: list[tuple[str, Picture]] = [("ground truth", truth.planes[shot.index])]
    figures += shot.planes.items()
    parts = [f"<h3>{html.escape(shot.clip)}, frame {shot.index}</h3>"]
    for name, planes in figures:
        score = next(
            (s for s in evaluation.scores if s.model == name and s.clip == shot.clip), None
        )
        value = _figure(score.frames["psnr_y"][shot.index], 2) + " dB" if score else ""
        caption = html.escape(f"{name} {value}".strip())
        parts.append(
            f"<figure>{_crop(planes, truth, place)}<figcaption>{caption}</figcaption></figure>"
        )
    return "\n".join(parts)


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(h)}</th>" for h in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _html(evaluation: Evaluation) -> str:
    job = evaluation.job
    title = html.escape(f"{job.set} x{job.scale} {job.degradation}")
    tables = "\n".join(
        _html_table(header, rows)
        for header, rows in (_table(evaluation), _gains(evaluation))
        if rows
    )
    mark = ' class="off"' if evaluation.check.passed is False else ""
    facts = "".join(
        f"<li>{html.escape(model)}: "
        + html.escape(", ".join(f"{k} {v}" for k, v in evaluation.facts[model].items()) or "filter")
        + "</li>"
        for model in evaluation.models
    )
    shots = "\n".join(_shot(evaluation, shot) for shot in evaluation.shots)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1>
<p>Input: {html.escape(evaluation.degradation)}.</p>
<p{mark}>{html.escape(evaluation.check.message)}</p>
{tables}
<p>PSNR and SSIM of Y on all frames, no crop; means over frames, clips, sources.</p>
<ul>{facts}</ul>
<h2>The same patch by each</h2>
{shots}
</body></html>
"""


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write ``report.html`` (with its pictures inside) and ``report.json``; return the page.

    Raises:
        OutputError: the folder cannot be written.
    """
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(_html(evaluation), encoding="utf-8")
        values = json.dumps(evaluation.to_json(), indent=2, allow_nan=False)
        (folder / "report.json").write_text(values + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the report to {folder}: {error.strerror}") from error
    return page
