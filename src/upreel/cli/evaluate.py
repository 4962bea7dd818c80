"""`upreel evaluate`: options in, one `EvaluationJob` out, or with ``--rd`` one `RdJob`."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.cli.screen import parsed_time
from upreel.errors import OptionError

if TYPE_CHECKING:
    from upreel.evaluation.rd import RdJob

__all__ = ["evaluate"]

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="DIR|vid4|FILE", help="vid4, folders of videos, videos."),
]
Data = Annotated[Path | None, typer.Option(help="Folder with vid4's GT and BIx4.")]
Models = Annotated[
    str,
    typer.Option(
        help="Comma-separated: bicubic, lanczos, models, cards, NAME+ensemble, opencv:FSRCNN, "
        "pyav:spline, onnx:FILE."
    ),
]
Frames = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=DIR", help="Another system's PNG frames, a folder for each clip."),
]
Scale = Annotated[int | None, typer.Option("-s", "--scale", help="2, 3 or 4.")]
Degrade = Annotated[
    str,
    typer.Option("--degradation", help="BI, BD, or codec:ENCODER:crfN such as codec:x264:crf23."),
]
Only = Annotated[str, typer.Option(help="Comma-separated clips or sources to take.")]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="At most so many frames of each clip: a quick look, no benchmark."),
]
Vmaf = Annotated[
    bool | None,
    typer.Option("--vmaf/--no-vmaf", help="Measure VMAF. [default: where its package is there]"),
]
MotionOption = Annotated[
    bool, typer.Option("--motion/--no-motion", help="Measure consistency along motion.")
]
Start = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="With --rd: where in each clip to begin: seconds, M:SS."),
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="With --rd: where to end, likewise.")]
UpvCodec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Of .upv files in the set: path of the codec's card."),
]
Weights = Annotated[Path | None, typer.Option(help="Folder of OpenCV's .pb files.")]
Device = Annotated[str, typer.Option("-d", "--device", help="As `upreel devices` names it.")]
Precision = Annotated[str, typer.Option(help="auto, or one that the model has.")]
Threads = Annotated[
    int,
    typer.Option(
        min=0, help="Of the network; 0: the engine's choice. With --rd of each codec; 0: one."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Report = Annotated[
    Path | None,
    typer.Option(help="Folder for report.html and report.json, with --rd for rd.html and more."),
]
RateDistortionOption = Annotated[
    bool, typer.Option("--rd", help="Compare codecs: bytes, quality, speed, BD-rate.")
]
Codecs = Annotated[
    list[str] | None, typer.Option("--codec", metavar="CARD", help="With --rd: our codec's card.")
]
Peers = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="With --rd: x264:PRESET, x265:PRESET, svtav1:PRESET, or none. [default: two of each]",
    ),
]
Structure = Annotated[
    str, typer.Option(metavar="NAME", help="With --rd: low-delay or random-access.")
]
Keyint = Annotated[int, typer.Option(help="With --rd: frames from one keyframe to the next.")]
Points = Annotated[int, typer.Option(help="With --rd: qualities of each codec, 2 to 16.")]
Qualities = Annotated[
    str, typer.Option(metavar="Q,Q,...", help="With --rd: of our codecs instead, 0 to 63.")
]
From = Annotated[
    Path | None,
    typer.Option("--from", help="A report.json: write its page again, measure nothing."),
]


def evaluate(
    context: typer.Context,
    sets: Set = None,
    models: Models = "",
    scale: Scale = None,
    data: Data = None,
    frames: Frames = None,
    degradation: Degrade = "BI",
    only: Only = "",
    limit: Limit = None,
    start: Start = None,
    end: End = None,
    upv_codec: UpvCodec = None,
    vmaf: Vmaf = None,
    motion: MotionOption = True,
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
    report: Report = None,
    from_json: From = None,
    rate_distortion: RateDistortionOption = False,
    codecs: Codecs = None,
    peers: Peers = None,
    structure: Structure = "low-delay",
    keyint: Keyint = 32,
    points: Points = 5,
    qualities: Qualities = "",
) -> None:
    """Compare models, filters and other systems' frames: quality, flicker, speed.

    With --rd, compare codecs instead: what each makes of as many bytes.
    """
    with exit_with_message():
        from upreel.evaluation.contestants import EngineOptions
        from upreel.evaluation.outputs import make_folder
        from upreel.evaluation.report import read_report, write_report
        from upreel.evaluation.run import EvaluationJob
        from upreel.evaluation.run import evaluate as run
        from upreel.evaluation.summary import summary

        if from_json is not None:
            if others := _given(context, without=("from_json", "report")):
                names = ", ".join(others)
                raise OptionError(f"--from takes --report DIR and nothing else; leave {names} away")
            if report is None:
                raise OptionError("--from needs --report DIR, the folder for the page")
            typer.echo(f"report: {write_report(read_report(from_json), report)}")
            return
        _check_together(context, rate_distortion=rate_distortion)
        if rate_distortion:
            from upreel.evaluation.rd import PEERS, RdJob

            chosen = PEERS if peers is None else _names(peers)
            rd_job = RdJob(
                places=tuple(sets or ()),
                data=data,
                only=_names(only),
                limit=limit,
                start=None if start is None else parsed_time(start),
                end=None if end is None else parsed_time(end),
                upv_codec=upv_codec,
                codecs=tuple(codecs or ()),
                peers=() if chosen == ("none",) else chosen,
                structure=structure,
                keyint=keyint,
                points=points,
                qualities=_numbers(qualities),
                with_vmaf=vmaf,
                with_pictures=report is not None,
                threads=threads or 1,
                device=device,
                precision="f32" if precision == "auto" else precision,
            )
            _compare_codecs(rd_job, report, as_json=as_json)
            return
        if not sets or scale is None:
            raise OptionError("--set and --scale are needed, or --from with --report, or --rd")
        job = EvaluationJob(
            set=tuple(sets),
            data=data,
            models=_names(models),
            frames=tuple(_named_folder(text) for text in frames or ()),
            scale=scale,
            degradation=degradation,
            only=_names(only),
            limit=limit,
            with_vmaf=vmaf,
            with_motion=motion,
            with_pictures=report is not None,
            upv_codec=upv_codec,
            engine=EngineOptions(
                device=device, precision=precision, threads=threads, weights=weights
            ),
        )
        if report is not None:
            make_folder(report)
        with _progress(hidden=as_json) as tell:
            result = run(job, tell)
        # What was measured is told first: nothing that fails from here on can lose it.
        typer.echo(json.dumps(result.to_json(), allow_nan=False) if as_json else summary(result))
        if report is not None:
            page = write_report(result.to_json(pictures=True), report)
            if not as_json:
                typer.echo(f"report: {page}")
    if result.check.passed is False:
        typer.echo(f"upreel: {result.check.message}", err=True)
        raise typer.Exit(1)


@contextmanager
def _progress(*, hidden: bool) -> Generator[Callable[[str, int, int], None]]:
    """A bar on a terminal; gives what is told of what is done, steps done and steps in all."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=hidden or not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total
        )


_RD_ALONE = (
    "rate_distortion", "codecs", "peers", "structure", "keyint", "points", "qualities", "start",
    "end",
)  # fmt: skip
_RD_TOO = (
    "sets",
    "data",
    "only",
    "limit",
    "upv_codec",
    "vmaf",
    "threads",
    "device",
    "precision",
    "as_json",
)


def _check_together(context: typer.Context, *, rate_distortion: bool) -> None:
    """Refuse options of the other comparison: they would be ignored."""
    if rate_distortion:
        if others := _given(context, without=(*_RD_ALONE, *_RD_TOO, "report")):
            raise OptionError(f"--rd compares codecs; leave {', '.join(others)} away")
        return
    every = [name for p in context.command.params if (name := p.name) and name not in _RD_ALONE]
    if others := _given(context, without=tuple(every)):
        raise OptionError(f"{', '.join(others)} takes --rd: it compares codecs")


def _compare_codecs(job: "RdJob", report: Path | None, *, as_json: bool) -> None:
    from upreel.evaluation.outputs import make_folder
    from upreel.evaluation.rd_report import summary, write_rd
    from upreel.evaluation.rd_run import compare_codecs

    if report is not None:
        make_folder(report)
    # Stopped in any way, it takes its temporary files with it: they are large.
    with signals_raise(), _progress(hidden=as_json) as tell:
        result, images = compare_codecs(job, tell)
    values = result.to_json()
    typer.echo(json.dumps(values, allow_nan=False) if as_json else summary(values))
    if report is not None:
        page = write_rd(values, images, report)
        if not as_json:
            typer.echo(f"report: {page}")


def _given(context: typer.Context, *, without: tuple[str, ...]) -> list[str]:
    """Long names of the options on the command line, but for some."""
    found: list[str] = []
    for parameter in context.command.params:
        if parameter.name in without:
            continue
        source = context.get_parameter_source(parameter.name)
        if source is not None and source.name == "COMMANDLINE":
            found.append(next(name for name in parameter.opts if name.startswith("--")))
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _names(text))
    except ValueError as error:
        raise OptionError(
            f"--qualities takes whole numbers such as 8,24,40, got {text!r}"
        ) from error


def _named_folder(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise OptionError(f"--frames takes NAME=DIR, got {text!r}")
    return name, Path(folder)
