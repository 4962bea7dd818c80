"""The page of an evaluation: one self-contained HTML file, made from the JSON alone.

No script, no font, no picture comes from elsewhere; colours follow the reader's light or dark
setting, tables scroll on a phone.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

from upreel.errors import InputError, OutputError
from upreel.evaluation.markup import escape
from upreel.evaluation.outputs import make_folder
from upreel.evaluation.page import (
    gallery,
    ladder_table,
    means_table,
    method,
    per_clip,
    plots,
    state,
)
from upreel.evaluation.published import ladder
from upreel.evaluation.scores import JSON_VERSION

__all__ = ["page", "read_report", "write_report"]

Values = Mapping[str, Any]


def page(values: Values) -> str:
    """The page, from what `Evaluation.to_json(pictures=True)` made.

    Args:
        values: the JSON of this version.
    """
    title = f"{values['set']} x{values['scale']} {values['degradation']['name']}"
    style = resources.files("upreel.evaluation").joinpath("report.css").read_text("utf-8")
    published = ladder(values["set"], values["scale"], values["degradation"]["name"])
    count = sum(round(clip["num_frames"]) for clip in values["truth"].values())
    clips = "clip" if len(values["truth"]) == 1 else "clips"
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{len(values["truth"])} {clips}, {count} frames. '
        f"Input: {escape(values['degradation']['description'])}.</p>",
        state(values),
        "<h2>Mean over the set</h2>",
        means_table(values),
        ladder_table(values, published) if published else "",
        plots(values, published),
        gallery(values) if values.get("pictures") else "",
        "<h2>Each clip</h2>",
        per_clip(values),
        "<h2>How this was measured</h2>",
        method(values),
    ]
    body = "\n".join(part for part in sections if part)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>
{style}</style></head>
<body>
{body}
</body></html>
"""


def write_report(values: Values, folder: Path) -> Path:
    """Write ``report.html`` (with its pictures inside) and ``report.json``; return the page.

    Args:
        values: what `Evaluation.to_json(pictures=True)` made, or `read_report` read.
        folder: made where it is not there.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / "report.html"
    make_folder(folder)
    try:
        path.write_text(page(values), encoding="utf-8")
        text = json.dumps(values, indent=1, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the report to {folder}: {error.strerror}") from error
    return path


def read_report(path: Path) -> dict[str, Any]:
    """Read a ``report.json``, or what ``--json`` printed (which has no pictures).

    Raises:
        InputError: it cannot be read, is none, is of another version, or lacks what the page shows.
    """
    try:
        parsed: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    values = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if values.get("version") != JSON_VERSION or "models" not in values:
        raise InputError(
            f"{path} is no evaluation of version {JSON_VERSION}, got {values.get('version')!r}"
        )
    try:
        page(values)
    except KeyError as error:
        raise InputError(f"{path} is no whole report: it lacks {error}") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no whole report: {error}") from error
    return values
