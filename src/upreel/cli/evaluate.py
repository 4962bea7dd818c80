"""`upreel evaluate`: options in, one `EvaluationJob` out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message

__all__ = ["evaluate"]

Set = Annotated[str, typer.Option("--set", help="vid4, or a folder of videos.")]
Data = Annotated[Path | None, typer.Option(help="Folder with vid4's GT and BIx4.")]
Models = Annotated[
    str, typer.Option(help="Comma-separated: bicubic, lanczos, models, cards, opencv:FSRCNN.")
]
Scale = Annotated[int, typer.Option("-s", "--scale", help="2, 3 or 4.")]
Degrade = Annotated[
    str, typer.Option("--degradation", help="BI, or codec:ENCODER:crfN such as codec:x264:crf23.")
]
Only = Annotated[str, typer.Option(help="Comma-separated clips or sources of the folder to take.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many frames of each clip.")]
Vmaf = Annotated[
    bool | None,
    typer.Option("--vmaf/--no-vmaf", help="Measure VMAF too. [default: for codec degradations]"),
]
Weights = Annotated[Path | None, typer.Option(help="Folder of OpenCV's .pb files.")]
Device = Annotated[str, typer.Option("-d", "--device", help="As `upreel devices` names it.")]
Precision = Annotated[str, typer.Option(help="auto, or one that the model has.")]
Threads = Annotated[int, typer.Option(min=0, help="Of the network; 0: the engine's choice.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Report = Annotated[Path | None, typer.Option(help="Folder for report.html and report.json.")]


def evaluate(
    set_name: Set,
    models: Models,
    scale: Scale,
    data: Data = None,
    degradation: Degrade = "BI",
    only: Only = "",
    limit: Limit = None,
    vmaf: Vmaf = None,
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
    report: Report = None,
) -> None:
    """Compare models and filters on the same frames: PSNR, SSIM and VMAF."""
    from rich.console import Console
    from rich.progress import Progress

    with exit_with_message():
        from upreel.evaluation.contestants import EngineOptions
        from upreel.evaluation.report import summary, write_report
        from upreel.evaluation.run import EvaluationJob
        from upreel.evaluation.run import evaluate as run

        job = EvaluationJob(
            set=set_name,
            data=data,
            models=_names(models),
            scale=scale,
            degradation=degradation,
            only=_names(only),
            limit=limit,
            with_vmaf=degradation.startswith("codec:") if vmaf is None else vmaf,
            engine=EngineOptions(
                device=device, precision=precision, threads=threads, weights=weights
            ),
        )
        console = Console(stderr=True)
        hidden = as_json or not console.is_terminal
        with Progress(console=console, transient=True, disable=hidden) as progress:
            task = progress.add_task("", total=None)
            result = run(
                job,
                lambda what, done, total: progress.update(
                    task, description=what, completed=done, total=total
                ),
            )
        page = write_report(result, report) if report else None
    if as_json:
        typer.echo(json.dumps(result.to_json(), allow_nan=False))
    else:
        typer.echo(summary(result))
        if page:
            typer.echo(f"report: {page}")
    if result.check.passed is False:
        typer.echo(f"upreel: {result.check.message}", err=True)
        raise typer.Exit(1)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
