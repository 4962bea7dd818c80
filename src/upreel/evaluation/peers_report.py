"""The benchmark against peers to be read: Markdown for the documentation, a page with plots.

Both are made from the JSON alone (`upreel.evaluation.peers`), so that they can be made again.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

from upreel.errors import InputError, OutputError
from upreel.evaluation.markup import escape, table
from upreel.evaluation.measure import METRICS
from upreel.evaluation.outputs import make_folder
from upreel.evaluation.peers import FIGURES, JSON_VERSION, YARDSTICK
from upreel.evaluation.plots import Dot, scatter
from upreel.evaluation.summary import figure

__all__ = ["markdown", "page", "read_peers", "write_peers"]

Values = Mapping[str, Any]

_COLOURS = {"filter": 0, "network": 1, "peer": 2}  # ours are networks
_QUIET = 0.05  # of the machine: less from others does not move a median
_HEADER = (
    "fps",
    "ms a frame",
    "fastest to slowest round",
    "peak memory, MiB",
    *(METRICS[name].label for name in FIGURES),
    "over bicubic, dB",
    f"fps over {YARDSTICK}",
)


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _figures(scores: Values) -> list[str]:
    return [figure(scores[name], METRICS[name].decimals) for name in FIGURES]


def _rows(case: Values) -> list[tuple[str, str, list[str]]]:
    """Name, kind and cells of the reference and of all that ran, in their order."""
    blank = ["", "", "", ""]
    rows = [("bicubic, not timed", "filter", [*blank, *_figures(case["reference"]), "", ""])]
    for row in case["rows"]:
        timing, peak = row["timing"], row["peak_bytes"]
        ratio = row["fps_over_fsrcnn"]
        cells = [
            figure(timing["fps"], 1),
            figure(timing["ms"], 2),
            f"{timing['ms_min']:.2f} to {timing['ms_max']:.2f}",
            "-" if peak is None else f"{peak / 2**20:.0f}",
            *_figures(row),
            _signed(row["over_bicubic"]),
            figure(ratio, 2),
        ]
        rows.append((row["name"], row["kind"], cells))
    return rows


def _notes(values: Values) -> list[str]:
    """What a reader of the figures must know, one sentence each."""
    machine = values["machine"]
    versions = {"Python": machine["python"], **machine["packages"]}
    flags = f" ({' '.join(machine['flags'])})" if machine["flags"] else ""
    notes = [
        f"{machine['cpu']}, {machine['cores']} cores{flags}, {machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"; {values['date']}.",
        f"Clips: {', '.join(values['clips'])}; {values['frames']} frames of each at most, "
        f"{values['rounds']} rounds of all in turn, medians.",
        "Frames in memory to frames in memory, all planes; networks of luma enlarge chroma by "
        "bicubic. Memory is that of a process that runs one alone.",
    ]
    notes += [
        f"{METRICS[name].label} was not measured: {why}."
        for name, why in values["unmeasured"].items()
    ]
    if (values["other_load"] or 0) > _QUIET:
        share = f"{values['other_load']:.0%}"
        notes.append(f"Other processes took {share} of the machine: trust the ratios only.")
    return notes


def markdown(values: Values) -> str:
    """Tables for the documentation, the command before them.

    Args:
        values: the JSON of this version.
    """
    lines = [f"    {values['command']}", "", *_notes(values)]
    for case in values["cases"]:
        lines += ["", f"### {case['name']}, x{case['scale']}", ""]
        lines.append("| | " + " | ".join(_HEADER) + " |")
        lines.append("|---" * (1 + len(_HEADER)) + "|")
        lines += [f"| {name} | {' | '.join(cells)} |" for name, _, cells in _rows(case)]
        lines += ["", *(f"* absent: {name}: {why}" for name, why in case["absent"].items())]
    return "\n".join(lines).rstrip() + "\n"


def page(values: Values) -> str:
    """One self-contained HTML file: tables, and quality over speed.

    Args:
        values: the JSON of this version.
    """
    style = resources.files("upreel.evaluation").joinpath("report.css").read_text("utf-8")
    parts = ["<h1>Upreel and its peers</h1>"]
    parts += [f'<p class="soft">{escape(note)}</p>' for note in _notes(values)]
    for case in values["cases"]:
        parts.append(f"<h2>{escape(case['name'])}, x{case['scale']}</h2>")
        parts.append(_plot(case))
        rows = [
            ("ours" if kind == "network" else "", [escape(name), *map(escape, cells)])
            for name, kind, cells in _rows(case)
        ]
        parts.append(table(["", *_HEADER], rows))
        parts += [
            f'<p class="small soft">Absent: {escape(name)}: {escape(why)}</p>'
            for name, why in case["absent"].items()
        ]
    body = "\n".join(part for part in parts if part)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Upreel and its peers</title><style>
{style}</style></head>
<body>
{body}
<pre>{escape(values["command"])}</pre>
</body></html>
"""


def _plot(case: Values) -> str:
    dots = [
        Dot(
            name=row["name"],
            x=row["timing"]["fps"],
            y=row["psnr_y"],
            area=row["peak_bytes"] or 0,
            colour=_COLOURS[row["kind"]],
        )
        for row in case["rows"]
        if row["psnr_y"] is not None
    ]
    if not dots:
        return ""
    reference = case["reference"]["psnr_y"]
    plot = scatter(
        dots,
        x_label="frames a second, logarithmic; the area is peak memory",
        y_label="Y-PSNR dB",
        references=[] if reference is None else [("bicubic", round(reference, 2))],
    )
    return f'<div class="wide">{plot}</div>'


def write_peers(values: Values, folder: Path) -> None:
    """Write ``peers.json``, ``peers.md`` and ``peers.html``.

    Args:
        values: what `Peers.to_json` made, or `read_peers` read.
        folder: made where it is not there.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    texts = {
        "peers.json": json.dumps(values, indent=1, allow_nan=False) + "\n",
        "peers.md": markdown(values),
        "peers.html": page(values),
    }
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error


def read_peers(path: Path) -> dict[str, Any]:
    """Read a ``peers.json``.

    Raises:
        InputError: it cannot be read, is none, is of another version, or lacks what is shown.
    """
    try:
        parsed: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    values = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if values.get("version") != JSON_VERSION or "cases" not in values:
        raise InputError(
            f"{path} is no benchmark of peers of version {JSON_VERSION}, "
            f"got {values.get('version')!r}"
        )
    try:
        markdown(values)
        page(values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no whole benchmark: {error!r}") from error
    return values
