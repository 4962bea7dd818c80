"""The sections of a report, each a function from the evaluation's JSON to HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from upreel.evaluation.markup import escape, table
from upreel.evaluation.plots import NUM_COLOURS, Dot, Line, curves, scatter
from upreel.evaluation.published import Published
from upreel.evaluation.summary import figure

__all__ = ["gallery", "ladder_table", "means_table", "method", "per_clip", "plots", "state"]

Values = Mapping[str, Any]

_CURVES = {"psnr_y": 0, "temporal_difference": 1}  # first frame that has a value
_FIRST = ("psnr_y", "ssim_y", "ms_ssim_y", "vmaf", "vmaf_neg", "vmaf_v1")
_MANY_CLIPS = 8  # more than these have no curves


def _colour(values: Values, model: str) -> int:
    """Number of a contestant's colour; the first one, grey, is bicubic's."""
    rest = [m["name"] for m in values["models"] if m["name"] != "bicubic"]
    return 1 + rest.index(model) % (NUM_COLOURS - 1) if model in rest else 0


def _dot(values: Values, model: str) -> str:
    return f'<span class="dot k{_colour(values, model)}"></span>'


def _count(number: int | None) -> str:
    """A number of parameters as people say it."""
    if number is None or number < 1000:
        return "-" if number is None else str(number)
    return f"{number / 1e6:.2f} M" if number >= 1_000_000 else f"{number / 1e3:.0f} k"


def _figures(
    values: Values, means: Sequence[Mapping[str, float | None]], names: Sequence[str]
) -> list[list[str]]:
    """Cells of some metrics for rows that compare; the best of a column is bold."""
    columns: list[list[str]] = []
    for name in names:
        metric = values["metrics"][name]
        decimals = metric["decimals"]
        column = [mean.get(name, "absent") for mean in means]
        # An infinite PSNR (equal planes) is null in the JSON: no figure can be better.
        known = [v for v in column if isinstance(v, float | int)]
        best = None
        if known and metric["better"] and None not in column:
            best = (max if metric["better"] == "higher" else min)(known)
        cells: list[str] = []
        for value in column:
            if isinstance(value, float | int):
                text = figure(value, decimals)
                shown = best is not None and text == figure(best, decimals) and len(known) > 1
                cells.append(f"<b>{text}</b>" if shown else text)
            else:
                cells.append("-" if value == "absent" else "equal")
        columns.append(cells)
    return [list(row) for row in zip(*columns, strict=True)]


def _labels(values: Values, names: Sequence[str]) -> list[str]:
    arrow = {"higher": " ↑", "lower": " ↓", "": ""}
    metrics = [values["metrics"][name] for name in names]
    return [f"{m['label']}{arrow[m['better']]}" for m in metrics]


def state(values: Values) -> str:
    """Whether the figures may be compared with others'."""
    check = values["protocol"]
    kind = {True: " good", False: " bad", None: ""}[check["passed"]]
    if check["passed"] is None and values["limit"] is not None:
        kind = " warn"
    message = check["message"]
    return f'<p class="state{kind}">{escape(message[:1].upper() + message[1:])}.</p>'


def means_table(values: Values) -> str:
    """Every contestant: size, cost, speed and the mean of every metric, in two tables."""
    means = [model["mean"] for model in values["models"]]
    kinds = ["ours" if model["kind"] == "network" else "" for model in values["models"]]
    names = [_dot(values, m["name"]) + escape(m["name"]) for m in values["models"]]
    first = [name for name in values["metrics"] if name in _FIRST]
    second = [name for name in values["metrics"] if name not in _FIRST]
    rows: list[tuple[str, Sequence[str]]] = []
    figures = _figures(values, means, first)
    for n, model in enumerate(values["models"]):
        macs = model.get("macs_per_pixel")
        cost = [
            _count(model.get("parameters")),
            "-" if macs is None else f"{macs / 1e3:.1f}",
            figure(model["fps"], 1),
        ]
        rows.append((kinds[n], [names[n], *cost, *figures[n]]))
    header = ["model", "parameters", "kMAC / LR pixel", "fps", *_labels(values, first)]
    parts = [table(header, rows)]
    rest = _figures(values, means, second)
    rows = [(kinds[n], [name, *rest[n]]) for n, name in enumerate(names)]
    parts += [
        "<h3>Over time, and the other planes</h3>",
        table(["model", *_labels(values, second)], rows),
    ]
    limited = [
        f"{escape(m['name'])} {count}"
        for m in values["models"]
        if (count := sum(clip["limited"].get("psnr_y", 0) for clip in m["clips"]))
    ]
    if limited:
        parts.append(
            '<p class="small soft">Frames whose luma equals the ground truth\'s, or nearly, and '
            f"whose Y-PSNR is limited in the means: {', '.join(limited)}.</p>"
        )
    truths = [t["warping_error"] for t in values["truth"].values() if "warping_error" in t]
    if truths:
        parts.append(
            '<p class="small soft">The ground truth itself has a warping error of '
            f"{sum(truths) / len(truths):.2f}, mean over the clips: a lower one means blur, not "
            "steadiness. Motion and temporal difference are measured against the ground truth.</p>"
        )
    return "\n".join(parts)


def ladder_table(values: Values, published: Sequence[Published]) -> str:
    """Published figures and ours in one order, each marked as what it is."""
    entries: list[tuple[float, str, list[str]]] = []
    figures = [row.psnr_y for row in published]
    figures += [m["mean"]["psnr_y"] for m in values["models"] if m["mean"].get("psnr_y")]
    low, high = min(figures) - 0.5, max(figures)
    here = "measured here"
    if not values["complete"]:
        here += ", part of the set only"
    elif values["protocol"]["passed"] is False:
        here += ", protocol off"

    def cells(
        name: str, psnr: float, ssim: float | None, size: int | None, note: str, k: str
    ) -> list[str]:
        width = 100 * (psnr - low) / (high - low)
        bar = f'<span class="bar{k}" style="width:{max(width, 0):.1f}%"></span>'
        return [
            name,
            f"{psnr:.2f}",
            (figure(ssim, 4) if k else f"{ssim:g}" if ssim else "-"),
            _count(size),
            bar,
            escape(note),
        ]

    for row in published:
        note = f"published; {row.note}" if row.note else "published"
        line = cells(escape(row.name), row.psnr_y, row.ssim_y, row.parameters, note, "")
        entries.append((row.psnr_y, "published", line))
    for model in values["models"]:
        mean, name = model["mean"], model["name"]
        if mean.get("psnr_y") is None:
            continue
        colour = f" k{_colour(values, name)}"
        line = cells(
            _dot(values, name) + escape(name),
            mean["psnr_y"],
            mean.get("ssim_y"),
            model.get("parameters"),
            here,
            colour,
        )
        entries.append((mean["psnr_y"], "ours" if model["kind"] == "network" else "", line))
    entries.sort(key=lambda entry: (entry[0], entry[1]))
    body = table(
        ["model", "Y-PSNR dB", "Y-SSIM", "parameters", "", "from"],
        [(kind, line) for _, kind, line in entries],
        text_columns=(4, 5),
    ).replace('<th class="text"></th>', '<th class="text bars"></th>')
    degradation = escape(values["degradation"]["name"].upper())
    return (
        f"<h2>Beside what is published: Vid4 x4 {degradation}</h2>"
        '<p class="soft">Y-PSNR and Y-SSIM, mean over the four clips. Published rows are quoted, '
        "not run here; their protocols differ in details (borders and frames left out), so that "
        f"small differences say nothing. Only {degradation} figures are in this table.</p>{body}"
    )


def _legend(values: Values) -> str:
    items = "".join(
        f"<span>{_dot(values, m['name'])}{escape(m['name'])}</span>" for m in values["models"]
    )
    return f'<div class="legend">{items}</div>'


def plots(values: Values, published: Sequence[Published]) -> str:
    """Quality over speed, and curves frame by frame for each clip."""
    parts: list[str] = []
    dots = [
        Dot(
            name=m["name"],
            x=m["fps"],
            y=m["mean"]["psnr_y"],
            area=m.get("parameters") or 0,
            colour=_colour(values, m["name"]),
        )
        for m in values["models"]
        if m["fps"] and m["mean"].get("psnr_y") is not None
    ]
    if dots:
        size = _largest_size(values)
        ours = {model["name"] for model in values["models"]}  # bicubic is a dot already
        parts += [
            "<h2>Quality over speed</h2>",
            '<p class="soft">Frames a second on this machine (reading, opening and measuring not '
            f"counted), frames of up to {size}; the area of a dot is its number of parameters."
            + (" Dashed: published." if published else "")
            + "</p>",
            '<div class="wide">'
            + scatter(
                dots,
                x_label="frames a second, logarithmic",
                y_label="Y-PSNR dB",
                references=[(row.name, row.psnr_y) for row in published if row.name not in ours],
            )
            + "</div>",
        ]
    clips = values["models"][0]["clips"]
    if len(clips) > _MANY_CLIPS:
        parts.append(
            f'<p class="soft">Curves frame by frame are drawn for up to {_MANY_CLIPS} clips; these '
            f"are {len(clips)}. report.json has the values.</p>"
        )
        return "\n".join(parts)
    for metric, first in _CURVES.items():
        if metric not in values["metrics"] or all(c["num_frames"] - first < 2 for c in clips):
            continue
        described = values["metrics"][metric]
        parts += [
            f"<h2>{escape(described['label'])} frame by frame</h2>",
            f'<p class="soft">{escape(described["meaning"])} {described["better"].capitalize()} '
            "is better.</p>",
            _legend(values),
            '<div class="charts">',
        ]
        for n, clip in enumerate(clips):
            lines = [
                Line(values=m["clips"][n]["frames"][metric], colour=_colour(values, m["name"]))
                for m in values["models"]
                if metric in m["clips"][n]["frames"]
            ]
            if lines:
                parts.append(f"<div>{curves(lines, title=clip['name'], first=first)}</div>")
        parts.append("</div>")
    return "\n".join(parts)


def _largest_size(values: Values) -> str:
    """Size of the largest clip's frames."""
    clip = max(values["truth"].values(), key=lambda t: t["width"] * t["height"])
    return f"{clip['width']:.0f}x{clip['height']:.0f}"


def _where(shown: Values) -> str:
    """The whole frame, with the patch and the line marked."""
    width, height = shown["size"]
    x, y, w, h = shown["patch"]
    left, row, length, _ = shown["line"]
    return (
        f'<figure><div class="where"><img alt="" src="{escape(shown["overview"])}">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}"/>'
        f'<line x1="{left}" y1="{row}" x2="{left + length}" y2="{row}"/></svg></div>'
        "<figcaption>ground truth: <span>red, the patch; yellow, the row of the slices</span>"
        "</figcaption></figure>"
    )


def gallery(values: Values) -> str:
    """The same patch, and the same row over time, by each contestant."""
    parts = [
        "<h2>The same patch, and the same row over time</h2>",
        '<p class="soft">The patch with the largest variance of the ground truth, in the middle '
        "frame. Below: one row of luma in every frame, the first on top. Steady motion is a "
        "straight, smooth line; flicker makes it ragged.</p>",
    ]
    for shown in values["pictures"]:
        name, frame = shown["clip"], shown["frame"]
        parts.append(f"<h3>{escape(name)}, frame {frame}</h3>")
        parts.append(f'<div class="crops">{_where(shown)}')
        for model, picture in shown["crops"].items():
            scores = _clip_of(values, model, name)
            psnr = scores["frames"]["psnr_y"][frame] if scores else None
            text = f" <span>{figure(psnr, 2)} dB</span>" if psnr is not None else ""
            parts.append(_picture(picture, model, f"{name}, {model}", text))
        parts.append('</div><p class="small soft">Over time:</p><div class="slices">')
        for model, picture in shown["slices"].items():
            scores = _clip_of(values, model, name)
            mean = scores["mean"].get("temporal_difference") if scores else None
            text = f" <span>temporal difference {figure(mean, 3)}</span>" if mean else ""
            parts.append(_picture(picture, model, f"{name}, {model}, over time", text))
        parts.append("</div>")
    return "\n".join(parts)


def _picture(source: str, name: str, alternative: str, more: str) -> str:
    return (
        f'<figure><img alt="{escape(alternative)}" src="{escape(source)}">'
        f"<figcaption>{escape(name)}{more}</figcaption></figure>"
    )


def _clip_of(values: Values, model: str, clip: str) -> Values | None:
    return next(
        (
            scores
            for m in values["models"]
            if m["name"] == model
            for scores in m["clips"]
            if scores["name"] == clip
        ),
        None,
    )


def per_clip(values: Values) -> str:
    """A table of all metrics for each clip."""
    rows: list[tuple[str, Sequence[str]]] = []
    metrics = list(values["metrics"])
    for n, clip in enumerate(values["models"][0]["clips"]):
        facts = values["truth"][clip["name"]]
        size = f"{facts['width']:.0f}x{facts['height']:.0f}, {facts['num_frames']:.0f} frames"
        if "warping_error" in facts:
            size += f", warping error of the truth {facts['warping_error']:.2f}"
        rows.append(("group", [f'{escape(clip["name"])} <span class="soft">{size}</span>']))
        cells = _figures(values, [m["clips"][n]["mean"] for m in values["models"]], metrics)
        for model, figures in zip(values["models"], cells, strict=True):
            rows.append(
                (
                    "",
                    [
                        _dot(values, model["name"]) + escape(model["name"]),
                        figure(model["clips"][n]["fps"], 1),
                        *figures,
                    ],
                )
            )
    return table(["model", "fps", *_labels(values, metrics)], rows)


def method(values: Values) -> str:
    """Command, machine, versions, contestants and what every figure means."""
    machine = values["machine"]
    versions = {"python": machine["python"], **machine["packages"]}
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    flags = f" ({' '.join(machine['flags'])})" if machine["flags"] else ""
    facts = {
        "date": values["date"],
        "machine": f"{machine['cpu']}, {machine['cores']} cores{flags}{memory}, "
        f"{machine['system']}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "kMAC / LR pixel": "of convolutions; answers that an engine keeps from the window before "
        "are counted, motion and warping are not",
        "means": "over the frames of a clip, the clips of a source, the sources of the set; what "
        "compares two frames has one value less than there are frames; one frame's PSNR counts as "
        'at most 60 dB (8 bits; 72 for 10), and "equal" says that all frames are',
    }
    for model in values["models"]:
        known = {
            key: model[key]
            for key in ("engine", "device", "precision", "sha256", "frames")
            if model.get(key)
        }
        text = ", ".join(f"{key} {value}" for key, value in known.items())
        facts[model["name"]] = f"{model['kind']}{', ' if text else ''}{text}"
    labels: dict[str, Any] = {m["label"]: m["meaning"] for m in values["metrics"].values()}
    for name, reason in values["absent"].items():
        if name in values["metrics"]:
            labels[values["metrics"][name]["label"]] += f" Not on every clip: {reason}."
        else:
            labels[name] = f"not measured: {reason}"

    def listed(items: Mapping[str, Any]) -> str:
        inner = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in items.items())
        return f"<dl>{inner}</dl>"

    return (
        f"<pre>{escape(values['command'])}</pre>{listed(facts)}<h3>The figures</h3>{listed(labels)}"
    )
