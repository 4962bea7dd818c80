"""What an evaluation says in a terminal: tables, and what the figures mean."""

import math

from upreel.evaluation.contestants import BASELINES
from upreel.evaluation.measure import METRICS
from upreel.evaluation.scores import Evaluation, largest_psnr
from upreel.evaluation.tables import text_table

__all__ = ["MAIN_METRICS", "figure", "summary"]

MAIN_METRICS = (
    "psnr_y",
    "ssim_y",
    "ms_ssim_y",
    "vmaf",
    "vmaf_neg",
    "vmaf_v1",
    "warping_error",
    "motion_difference",
    "temporal_difference",
)
"""Those of a terminal's table; the report and the JSON have all."""


def figure(value: float | None, decimals: int) -> str:
    """A figure as tables have it; "equal" where all planes are equal, "-" where there is none.

    Example:
        >>> figure(23.78, 3), figure(math.inf, 3), figure(None, 3), figure(math.nan, 3)
        ('23.780', 'equal', '-', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{decimals}f}" if math.isfinite(value) else "equal"


def _of(evaluation: Evaluation, model: str, source: str) -> dict[str, float]:
    if source == "mean":
        return evaluation.of_set(model)
    return evaluation.of_source(model, source)


def _names(evaluation: Evaluation) -> list[str]:
    used = {name for score in evaluation.scores for name in score.frames}
    return [name for name in MAIN_METRICS if name in used]


def _table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each source, then for the set, every contestant."""
    names = _names(evaluation)
    header = ["source", "model", *(METRICS[m].label for m in names), "fps"]
    rows: list[list[str]] = []
    for source in (*evaluation.sources, "mean"):
        for model in evaluation.models:
            of = _of(evaluation, model, source)
            fps = figure(evaluation.fps(model), 1) if source == "mean" else ""
            rows.append(
                [source, model, *(figure(of.get(m), METRICS[m].decimals) for m in names), fps]
            )
    return header, rows


def _gains(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Header and rows: everyone else less every filter, for each source and the set."""
    names = _names(evaluation)
    header = ["source", "gain", *(METRICS[m].label for m in names)]
    filters = [model for model in evaluation.models if model in BASELINES]
    rows: list[list[str]] = []
    for source in (*evaluation.sources, "mean"):
        for model in evaluation.models:
            for baseline in filters if model not in BASELINES else ():
                ours, theirs = (_of(evaluation, name, source) for name in (model, baseline))
                gains = [ours.get(m, math.nan) - theirs.get(m, math.nan) for m in names]
                figures = [
                    f"{gain:+.{METRICS[m].decimals}f}" if math.isfinite(gain) else "-"
                    for m, gain in zip(names, gains, strict=True)
                ]
                rows.append([source, f"{model} over {baseline}", *figures])
    return header, rows


def _limited(evaluation: Evaluation) -> list[str]:
    """How many frames are equal to the ground truth, or so near that their PSNR is limited."""
    counts = {model: evaluation.limited(model, "psnr_y") for model in evaluation.models}
    if not any(counts.values()):
        return []
    bits = sorted({score.bits for score in evaluation.scores})
    limits = ", ".join(f"{largest_psnr(n):.0f} dB ({n} bits)" for n in bits)
    named = ", ".join(f"{model} {count}" for model, count in counts.items() if count)
    return [f"Y-PSNR counted in means as no more than {limits}: frames of {named}"]


def summary(evaluation: Evaluation) -> str:
    """The table and what the figures mean, for a terminal."""
    head = evaluation.head
    name = f"{head['set']} x{head['scale']} {head['degradation']['name']}"
    header, rows = _table(evaluation)
    lines = [f"{name}: {head['degradation']['description']}", "", text_table(header, rows), ""]
    header, rows = _gains(evaluation)
    if rows:
        lines += [text_table(header, rows), ""]
    reasons: dict[tuple[str, str], list[str]] = {}
    used = {name for score in evaluation.scores for name in score.frames}
    for metric, reason in evaluation.absent.items():
        what = "not on every clip" if metric in used else "not measured"
        reasons.setdefault((what, reason), []).append(METRICS[metric].label)
    lines += [
        f"{what}: {', '.join(labels)}: {reason}" for (what, reason), labels in reasons.items()
    ]
    lines += _limited(evaluation)
    return "\n".join((*lines, evaluation.check.message))
