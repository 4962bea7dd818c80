"""`upreel benchmark`: options in, one `BenchmarkJob` out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message

__all__ = ["benchmark"]

Clip = Annotated[
    Path | None, typer.Argument(exists=True, dir_okay=False, help="Video; none: one is drawn.")
]
Model = Annotated[str, typer.Option("-m", "--model", help="Name or card: see `upreel models`.")]
Weights = Annotated[Path | None, typer.Option(help="Folder of OpenCV's .pb files.")]
Seconds = Annotated[float, typer.Option(help="How much of the clip is used.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often everything is run.")]
Encoder = Annotated[str, typer.Option("-c", "--encoder", help="Ours and the peers'.")]
Preset = Annotated[str, typer.Option(help="Of the encoder.")]
Crf = Annotated[float | None, typer.Option(help="Of the encoder. [default: the encoder's]")]
Device = Annotated[str, typer.Option("-d", "--device", help="As `upreel devices` names it.")]
Precision = Annotated[str, typer.Option(help="auto, or one that the model has.")]
Threads = Annotated[int, typer.Option(min=0, help="Of the network; 0: the engine's choice.")]
Size = Annotated[str, typer.Option(help="WxH of a drawn clip and of the network alone.")]
NetworkOnly = Annotated[
    bool,
    typer.Option(
        "--network-only",
        help="Pack, network, unpack only; a network that carries a state whole, from luma to luma.",
    ),
]
Memory = Annotated[bool, typer.Option("--memory", help="Peak memory of `upreel upscale`.")]
Lengths = Annotated[str, typer.Option(help="Seconds of the clips for --memory.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Report = Annotated[Path | None, typer.Option(help="Markdown file to write.")]


def benchmark(
    clip: Clip = None,
    model: Model = "fast-x2",
    weights: Weights = None,
    seconds: Seconds = 10.0,
    rounds: Rounds = 3,
    encoder: Encoder = "x264",
    preset: Preset = "ultrafast",
    crf: Crf = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    size: Size = "960x540",
    network_only: NetworkOnly = False,
    memory: Memory = False,
    lengths: Lengths = "10,100",
    as_json: Json = False,
    report: Report = None,
) -> None:
    """Time every stage alone, the whole command, and the peers, in one run on one clip."""
    from rich.console import Console
    from rich.progress import Progress

    with exit_with_message():
        from upreel.evaluation.benchmark import BenchmarkJob, summary, write_report
        from upreel.evaluation.benchmark import benchmark as run

        job = BenchmarkJob(
            clip=clip,
            model=model,
            weights=weights,
            seconds=seconds,
            encoder=encoder,
            preset=preset,
            crf=crf,
            device=device,
            precision=precision,
            threads=threads,
            rounds=rounds,
            size=_size(size),
            network_only=network_only,
            memory_lengths=_lengths(lengths) if memory else (),
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
        if report:
            write_report(result, report)
    typer.echo(json.dumps(result.to_json(), allow_nan=False) if as_json else summary(result))


def _size(text: str) -> tuple[int, int]:
    from upreel.pipeline.job import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--size") from error


def _lengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        message = f"lengths are seconds such as 10,100, got {text!r}"
        raise typer.BadParameter(message, param_hint="--lengths") from error
