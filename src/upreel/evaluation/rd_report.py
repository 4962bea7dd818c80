"""A comparison of codecs to be read: a terminal's tables, Markdown, a page with curves.

All are made from the JSON alone (`upreel.evaluation.rd`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from upreel.errors import OutputError
from upreel.evaluation.markup import escape, table
from upreel.evaluation.outputs import make_folder
from upreel.evaluation.plots import NUM_COLOURS, Trace, traces
from upreel.evaluation.rd import on_scale
from upreel.evaluation.summary import figure
from upreel.evaluation.tables import text_table

__all__ = ["markdown", "page", "summary", "write_rd"]

Values = Mapping[str, Any]

_SHORT = ("psnr_y", "ms_ssim_y", "vmaf_neg")
"""Metrics of which a terminal has BD-rates; the report has all."""

_LITTLE = 0.5  # overlap of two curves below which a BD-rate is marked
_QUIET = 0.05  # of the machine: less from others hardly moves a speed
_MANY_CLIPS = 8  # more than these have no curves of their own


def _title(values: Values) -> str:
    structure = values["structure"]
    return f"{values['set']}: {structure['name']}, keyframes every {structure['keyint']} frames"


def _notes(values: Values) -> list[str]:
    """What a reader of the figures must know, one sentence each."""
    machine = values["machine"]
    versions = {"Python": machine["python"], **machine["packages"]}
    flags = f" ({' '.join(machine['flags'])})" if machine["flags"] else ""
    description = values["structure"]["description"]
    count = sum(clip["num_frames"] for clip in values["clips"].values())
    sizes = sorted({(c["width"], c["height"]) for c in values["clips"].values()})
    notes = [
        f"{machine['cpu']}, {machine['cores']} cores{flags}, {machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"; {values['date']}.",
        f"Clips: {', '.join(values['clips'])}; {count} frames, "
        f"{', '.join(f'{width}x{height}' for width, height in sizes)}.",
        f"Conditions: {description[:1].upper()}{description[1:]}. Constant quality (crf), the "
        "encoders' own tuning.",
        "Rate: bytes of the whole file, MP4 for peers and .upv for ours, picture alone; the JSON "
        "has the bytes of its packets beside.",
        f"Speed: {_counted(values['threads'], 'thread')} for each codec; of coding, frames from "
        "disk to a file, of decoding, a file to planes in memory; opening it is not counted.",
        "Means: over the frames of a clip, the clips of a source, the sources of the set; BD-rate "
        "of each clip first. BD-rate: piecewise cubic interpolation, over the quality that both "
        "reach.",
    ]
    if (values["other_load"] or 0) > _QUIET:
        share = f"{values['other_load']:.0%}"
        notes.append(f"Other processes took {share} of the machine: speeds say little.")
    if values["drawn"]:
        notes.append("The clips were drawn: their figures say little of real video.")
    if not values["complete"]:
        notes.append("Not all frames or clips of the set were taken: a quick look.")
    notes += [f"Absent: {name}: {why}." for name, why in values["absent"].items()]
    return notes


def _counted(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"{number} {what}s"


def _point_table(values: Values) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each codec at each quality, means over the set."""
    metrics = values["metrics"]
    header = ["codec", "quality", "kbit/s", *(metric["label"] for metric in metrics.values())]
    header += ["encode fps", "decode fps"]
    rows: list[list[str]] = []
    for coder in values["coders"]:
        for mean in sorted(coder["means"], key=lambda each: each["kbps"]):
            cells = [coder["name"], f"{mean['quality']:g}", figure(mean["kbps"], 1)]
            cells += [_equal(mean[name], metric["decimals"]) for name, metric in metrics.items()]
            cells += [figure(mean[f"{what}_fps"], 1) for what in ("encode", "decode")]
            rows.append(cells)
    return header, rows


def _equal(value: float | None, decimals: int) -> str:
    """A metric; null in the JSON is infinite: all planes are equal."""
    return "equal" if value is None else figure(value, decimals)


def _bd_table(values: Values, metric: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the rate of a row's codec over that of a column's, in percent."""
    names = [coder["name"] for coder in values["coders"]]
    rates = values["bd_rate"][metric]
    rows = [[test, *(_percent(values, rates[test].get(anchor)) for anchor in names)]
            for test in names]  # fmt: skip
    for n, row in enumerate(rows):
        row[n + 1] = ""
    return [f"BD-rate %, {_bd_label(values, metric)}", *names], rows


def _bd_label(values: Values, metric: str) -> str:
    label = values["metrics"][metric]["label"]
    return f"{label} in dB" if metric == "ms_ssim_y" else label


def _percent(values: Values, found: Mapping[str, Any] | None) -> str:
    """A BD-rate; what it is not over all clips or hardly over any quality is told with it."""
    if found is None:
        return "-"
    some = found["num_clips"]
    part = f" ({some} of {len(values['clips'])} clips)" if some < len(values["clips"]) else ""
    mark = " *" if found["overlap"] < _LITTLE else ""
    return f"{found['percent']:+.1f}{mark}{part}"


_MARKED = "* on a clip, both curves share less than half of the quality that either covers."


def _bd_metrics(values: Values) -> list[str]:
    return list(values["bd_rate"])


def summary(values: Values) -> str:
    """Tables for a terminal.

    Args:
        values: the JSON of this version.
    """
    lines = [_title(values), "", *_notes(values), "", text_table(*_point_table(values)), ""]
    marked = False
    for metric in _bd_metrics(values):
        if metric in _SHORT:
            text = text_table(*_bd_table(values, metric))
            marked = marked or "*" in text
            lines += [text, ""]
    if marked:
        lines += [_MARKED]
    return "\n".join(lines).rstrip()


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def markdown(values: Values) -> str:
    """Tables for the documentation, the command before them.

    Args:
        values: the JSON of this version.
    """
    lines = [f"    {values['command']}", ""]
    lines += [f"* {note}" for note in _notes(values)]
    lines += ["", *_markdown_table(*_point_table(values))]
    for metric in _bd_metrics(values):
        lines += ["", *_markdown_table(*_bd_table(values, metric))]
    if any("*" in line for line in lines if line.startswith("| ")):
        lines += ["", f"\\{_MARKED}"]
    for picture in values["pictures"]:
        lines += ["", f"{_caption(picture)}", "", f"![{picture['clip']}]({picture['file']})"]
    return "\n".join(lines) + "\n"


def _caption(picture: Values) -> str:
    size = picture["target_bytes"] / 1000
    return (
        f"{picture['clip']}, frame {picture['frame']}, at {size:.2f} kB for the clip; beside the "
        "size, Y-PSNR of the whole clip."
    )


def page(values: Values) -> str:
    """One HTML file: tables and curves; pictures lie beside it.

    Args:
        values: the JSON of this version.
    """
    style = resources.files("upreel.evaluation").joinpath("report.css").read_text("utf-8")
    colours = {c["name"]: 1 + n % (NUM_COLOURS - 1) for n, c in enumerate(values["coders"])}
    legend = "".join(
        f'<span><span class="dot k{n}"></span>{escape(name)}</span>' for name, n in colours.items()
    )
    header, rows = _point_table(values)
    kinds = {coder["name"]: coder["kind"] for coder in values["coders"]}

    def shown(cells: Sequence[str]) -> tuple[str, list[str]]:
        return kinds[cells[0]] if kinds[cells[0]] == "ours" else "", [escape(c) for c in cells]

    parts = [f"<h1>{escape(_title(values))}</h1>"]
    parts += [f'<p class="soft">{escape(note)}</p>' for note in _notes(values)]
    parts += ["<h2>Curves</h2>", f'<div class="legend">{legend}</div>']
    parts += [f'<div class="charts">{"".join(_plots(values, colours))}</div>', "<h2>BD-rate</h2>"]
    for metric in _bd_metrics(values):
        parts.append(_html_table(*_bd_table(values, metric), shown))
    parts += [f'<p class="small soft">{escape(_MARKED)}</p>', "<h2>At equal bits</h2>"]
    for picture in values["pictures"]:
        parts.append(
            f'<figure><img src="{escape(picture["file"])}" alt=""><figcaption>'
            f"{escape(_caption(picture))}</figcaption></figure>"
        )
    parts += ["<h2>All points</h2>", _html_table(header, rows, shown)]
    encoders = "".join(
        f"<dt>{escape(c['name'])}</dt><dd>{escape(c.get('encoder') or c.get('summary', ''))}</dd>"
        for c in values["coders"]
    )
    body = "\n".join([*parts, f"<dl>{encoders}</dl>"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(_title(values))}</title><style>
{style}</style></head>
<body>
{body}
<pre>{escape(values["command"])}</pre>
</body></html>
"""


def _html_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    shown: Callable[[Sequence[str]], tuple[str, list[str]]],
) -> str:
    return table(header, [shown(row) for row in rows])


def _plots(values: Values, colours: Mapping[str, int]) -> list[str]:
    """A plot of each metric over the set, and one of Y-PSNR of each clip."""
    plots = [
        _plot(values, metric, _bd_label(values, metric), colours, clip=None)
        for metric in values["metrics"]
    ]
    if 1 < len(values["clips"]) <= _MANY_CLIPS and "psnr_y" in values["metrics"]:
        plots += [
            _plot(values, "psnr_y", f"Y-PSNR dB, {clip}", colours, clip=clip)
            for clip in values["clips"]
        ]
    return [plot for plot in plots if plot]


def _plot(
    values: Values, metric: str, title: str, colours: Mapping[str, int], *, clip: str | None
) -> str:
    lines: list[Trace] = []
    for coder in values["coders"]:
        of_clip = [point for point in coder["points"] if point["clip"] == clip]
        points = [
            (point["kbps"], value)
            for point in (coder["means"] if clip is None else of_clip)
            if point[metric] is not None
            if (value := on_scale(metric, point[metric])) < 1000
        ]
        if points:
            lines.append(Trace(points=points, colour=colours[coder["name"]]))
    return traces(lines, title=title, x_label="kbit/s, logarithmic") if lines else ""


def write_rd(values: Values, images: Mapping[str, bytes], folder: Path) -> Path:
    """Write ``rd.json``, ``rd.md``, ``rd.html`` and the pictures; return the page.

    Args:
        values: what `RateDistortion.to_json` made.
        images: PNG files by name.
        folder: made where it is not there.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    texts = {
        "rd.json": json.dumps(values, indent=1, allow_nan=False) + "\n",
        "rd.md": markdown(values),
        "rd.html": page(values),
    }
    try:
        for name, image in images.items():
            (folder / name).write_bytes(image)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the report to {folder}: {error.strerror}") from error
    return folder / "rd.html"
