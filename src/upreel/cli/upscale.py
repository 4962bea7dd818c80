"""`upreel upscale`: options in, jobs out. No video code here."""

import importlib.util
import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.errors import BackendUnavailableError, OptionError

if TYPE_CHECKING:
    from upreel.pipeline import BatchItem, Prepare, Preview, Progress, UpscaleJob, UpscaleResult

__all__ = ["upscale"]

RESUME = "stopped; finished parts are kept, and the same command goes on from there"


def _time(text: str) -> Fraction:
    from upreel.pipeline.job import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _size(text: str) -> tuple[int, int]:
    from upreel.pipeline.job import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="IN",
        help="Videos, folders of videos, a folder or %06d.png pattern of pictures, or - for "
        "standard input (y4m or Matroska).",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        help="File, folder, %06d.png pattern, or - for standard output (y4m; Matroska with an "
        "encoder option). Default: NAME_x2.EXT beside the source.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="Name (see `upreel models`), such as tan-x4, or tan for that of the scale; fast for "
        "the largest of its sizes that keeps up here; or a card file. Default: fast-x2, fast-x3 "
        "or fast-x4.",
    ),
]
MinFps = Annotated[
    float | None,
    typer.Option(
        help="With -m fast: frames a second that the network is to do on this machine. "
        "Default: as many as the video has.",
    ),
]
Scale = Annotated[
    int | None, typer.Option("-s", "--scale", min=2, max=4, help="2, 3 or 4. Default: 2.")
]
Size = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="Size of the output instead of a scale, such as 1920x1080."),
]
Device = Annotated[str, typer.Option("-d", "--device", help="See `upreel devices`.")]
Precision = Annotated[str, typer.Option(help="Arithmetic of the network, such as bf16 or f32.")]
Tile = Annotated[
    int | None,
    typer.Option("-t", "--tile", help="Side of a tile in pixels. Default: what memory allows."),
]
SelfEnsemble = Annotated[
    bool,
    typer.Option(
        "--self-ensemble",
        help="Average the answers to the picture turned over in all eight ways: eight times "
        "slower. For networks of luma, such as the x4 ones.",
    ),
]
Adapt = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="First train the network for so long on its own self-ensemble's answers to the "
        "video. Needs PyTorch.",
    ),
]
Threads = Annotated[int, typer.Option(help="Threads of the network; 0: all cores.")]
Codec = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--codec",
        help="x264, x265, svtav1, vp9, ffv1 or prores. Default: the first that keeps depth, "
        "chroma and size.",
    ),
]
Crf = Annotated[float | None, typer.Option(help="Encoder's quality; lower is better.")]
Preset = Annotated[str | None, typer.Option(help="Encoder's speed, such as veryfast.")]
EncoderOptions = Annotated[
    list[str] | None,
    typer.Option("-e", "--encoder-option", metavar="KEY=VALUE", help="FFmpeg encoder option."),
]
PixFmt = Annotated[str | None, typer.Option(help="Pixel format. Default: the source's.")]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Where to begin: seconds, M:SS or H:MM:SS.")
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Where to end, likewise.")]
Deinterlacing = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(
        "--deinterlace",
        help="Make two fields one picture: where the source is flagged as interlaced and looks "
        "it (auto), on, or off.",
    ),
]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave out the sound.")]
NoSubs = Annotated[bool, typer.Option("--no-subs", help="Leave out subtitles.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done, lost and needed; write nothing."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output, and parts of another job.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]


def upscale(
    sources: Sources,
    *,
    output: Output = None,
    model: Model = None,
    min_fps: MinFps = None,
    scale: Scale = None,
    size: Size = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: Tile = None,
    self_ensemble: SelfEnsemble = False,
    adapt: Adapt = None,
    threads: Threads = 0,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    encoder_option: EncoderOptions = None,
    pix_fmt: PixFmt = None,
    start: Start = None,
    end: End = None,
    deinterlace: Deinterlacing = "auto",
    no_audio: NoAudio = False,
    no_subs: NoSubs = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Upscale videos; everything but the size of the picture stays as it is.

    Stopped at any moment, the same command goes on from the last finished part.
    """
    options = _encoder_options(encoder_option or [])
    wanted_size = None if size is None else _size(size)
    begin, until = (None if text is None else _time(text) for text in (start, end))
    with exit_with_message(interrupted=RESUME), signals_raise():
        from upreel.pipeline import UpscaleJob, expand_sources

        expanded = expand_sources(sources)
        job = UpscaleJob(
            source=expanded[0],
            output=output,
            model=model,
            min_fps=min_fps,
            scale=scale,
            size=wanted_size,
            device=device,
            precision=precision,
            tile=tile,
            self_ensemble=self_ensemble,
            threads=threads,
            codec=codec,
            crf=crf,
            preset=preset,
            encoder_options=options,
            pix_fmt=pix_fmt,
            start=begin,
            end=until,
            deinterlace=deinterlace,
            audio=not no_audio,
            subtitles=not no_subs,
            overwrite=overwrite,
        )
        screen = _Screen(quiet=quiet, as_json=as_json, to_stdout=output != "-")
        prepare = _adapting(adapt, screen, shows=len(expanded) == 1)
        if dry_run:
            _dry_run(job, expanded, screen, adapt)
        elif len(expanded) == 1:
            _single(job, screen, prepare)
        else:
            _batch(job, expanded, screen, prepare)


def _encoder_options(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise typer.BadParameter(f"an encoder option is KEY=VALUE, got {pair!r}")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


class _Screen:
    """What is printed, and where: results on stdout unless the video goes there."""

    def __init__(self, *, quiet: bool, as_json: bool, to_stdout: bool) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self._to_stdout = to_stdout
        self._said: set[str] = set()
        self.prepared: list[str] = []  # what is to be told of the job's preparation

    def notice(self, text: str) -> None:
        """Say a notice, once."""
        if not (self.quiet or self.as_json or text in self._said):
            typer.echo(f"note: {text}", err=True)
        self._said.add(text)

    def line(self, text: str) -> None:
        """Print a line of a result for people."""
        if not (self.quiet or self.as_json):
            typer.echo(text, err=not self._to_stdout)

    def object(self, values: object) -> None:
        """Print a result for machines."""
        if self.as_json:
            typer.echo(json.dumps(values, ensure_ascii=False), err=not self._to_stdout)

    def completed(self, result: "UpscaleResult") -> "UpscaleResult":
        """The result with what was told before the job began."""
        from dataclasses import replace

        return replace(result, notices=(*self.prepared, *result.notices))

    def failure(self, text: str) -> None:
        """Print an error that does not end the call."""
        typer.echo(f"upreel: {text}", err=True)

    def summary(self, result: "UpscaleResult") -> None:
        """Print what was done."""
        for notice in result.notices:
            self.notice(notice)
        size = f", {result.bytes / 1e6:.1f} MB" if result.bytes else ""
        resumed = f" ({result.resumed_frames} from before)" if result.resumed_frames else ""
        damaged = f", {result.damaged_frames} damaged" if result.damaged_frames else ""
        lost = f", {result.lost_frames} lost" if result.lost_frames else ""
        self.line(
            f"{result.output}: {result.frames} frames{resumed}{damaged}{lost}, "
            f"{result.width}x{result.height}{size}"
        )
        self.line(
            f"  {result.fps:.1f} fps, {_duration(result.seconds)}, {result.cpu_use:.0%} CPU use, "
            f"peak memory {result.peak_memory_bytes / (1 << 20):.0f} MiB"
        )
        encoder = f", {result.encoder}" if result.encoder else ""
        self.line(f"  {_network(result)}{encoder}")

    @contextmanager
    def bar(self, name: str) -> Generator[Callable[["Progress"], None], None, None]:
        """A progress bar on stderr, where that is a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        hidden = self.quiet or self.as_json or not sys.stderr.isatty()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.fields[of]} frames"),
            TextColumn("{task.fields[fps]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[size]}"),
        )
        with Bars(*columns, console=Console(stderr=True), disable=hidden) as bars:
            task = bars.add_task(name, total=None, of="?", fps="", size="")

            rate, size = "", ""  # the last ones known: joining has none, and ends the bar

            def show(progress: "Progress") -> None:
                nonlocal rate, size
                if progress.fps:
                    rate = f"{progress.fps:.1f} fps"
                if progress.expected_bytes is not None:
                    size = f"about {progress.expected_bytes / 1e6:.1f} MB"
                bars.update(
                    task,
                    description=f"{name}: {_STAGES[progress.stage]}",
                    completed=progress.done,
                    total=progress.total,
                    of="?" if progress.total is None else progress.total,
                    fps=rate,
                    size=size,
                )

            yield show

    @contextmanager
    def share(self, name: str, *, shows: bool) -> Generator[Callable[[float], None], None, None]:
        """A bar for a share of work from 0 to 1, likewise."""
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bars

        hidden = not shows or self.quiet or self.as_json or not sys.stderr.isatty()
        columns = (
            TextColumn("{task.description}", markup=False),  # a path may hold brackets
            BarColumn(),
            TaskProgressColumn(),
        )
        with Bars(*columns, console=Console(stderr=True), disable=hidden) as bars:
            task = bars.add_task(name, total=1.0)
            yield lambda share: bars.update(task, completed=share)


_STAGES = {"scan": "reading times", "upscale": "upscaling", "join": "joining"}


def _network(values: "UpscaleResult | Preview") -> str:
    return (
        f"{values.model} on {values.device} in {values.precision} by {values.engine} "
        f"({values.reason})"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest:.1f} s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{int(rest):02}"


def _adapting(seconds: float | None, screen: _Screen, *, shows: bool) -> "Prepare":
    """What makes of a job the one that is run, with a bar where no other is there."""
    if seconds is None:
        return nullcontext
    if importlib.util.find_spec("torch") is None:
        raise BackendUnavailableError("--adapt needs PyTorch: pip install 'upreel[train]'")
    if seconds <= 0:
        raise OptionError(f"--adapt takes more than 0 seconds, got {seconds:g}")
    return partial(_adapted, seconds=seconds, screen=screen, shows=shows)


@contextmanager
def _adapted(
    job: "UpscaleJob", *, seconds: float, screen: _Screen, shows: bool
) -> Generator["UpscaleJob", None, None]:
    from upreel.training.adapt import adapted_job

    def note(text: str) -> None:
        screen.notice(text)
        screen.prepared.append(text)

    screen.prepared.clear()
    with ExitStack() as stack:
        with screen.share(f"{job.source}: adapting", shows=shows) as show:
            adapted = adapted_job(job, seconds=seconds, on_progress=show, on_notice=note)
            prepared = stack.enter_context(adapted)
        yield prepared


def _single(job: "UpscaleJob", screen: _Screen, prepare: "Prepare") -> None:
    from upreel.pipeline import upscale as run

    with prepare(job) as prepared, screen.bar(job.source) as show:
        result = run(prepared, show, on_notice=screen.notice)
    result = screen.completed(result)
    screen.summary(result)
    screen.object(result.to_json())


def _batch(job: "UpscaleJob", sources: Sequence[str], screen: _Screen, prepare: "Prepare") -> None:
    from dataclasses import replace

    from upreel.pipeline import upscale_batch

    items: list[BatchItem] = []
    with screen.bar(f"{len(sources)} files") as show:
        for item in upscale_batch(
            job,
            sources,
            lambda _source, progress: show(progress),
            on_notice=screen.notice,
            prepare=prepare,
        ):
            if item.result is not None:
                item = replace(item, result=screen.completed(item.result))
            items.append(item)
            if item.result is not None:
                screen.summary(item.result)
            elif item.error is not None:
                screen.failure(f"{item.source}: {item.error}")
            else:
                screen.line(f"{item.source}: skipped, {item.skipped}")
    screen.object(
        {
            "files": [
                {
                    "source": item.source,
                    "result": None if item.result is None else item.result.to_json(),
                    "error": item.error,
                    "skipped": item.skipped,
                }
                for item in items
            ]
        }
    )
    failed = sum(item.error is not None for item in items)
    if failed:
        screen.failure(f"{failed} of {len(items)} files failed")
        raise typer.Exit(1)


def _dry_run(
    job: "UpscaleJob", sources: Sequence[str], screen: _Screen, adapt: float | None
) -> None:
    from dataclasses import replace

    from upreel.pipeline import preview

    if adapt is not None:
        screen.notice(f"a dry run does not adapt: about {adapt:g} s a file come on top")
    previews: list[Preview] = []
    for source in sources:
        if adapt is not None:
            from upreel.training.adapt import check_job

            check_job(replace(job, source=source), seconds=adapt)
        seen = preview(replace(job, source=source))
        previews.append(seen)
        for notice in seen.notices:
            screen.notice(notice)
        screen.line(
            f"{seen.source} would become {seen.output}: {seen.frames} frames in {seen.parts} "
            f"part{'s' * (seen.parts != 1)}, {seen.width}x{seen.height}"
        )
        screen.line(
            f"  about {_duration(seen.seconds)} at {seen.fps:.1f} fps, about "
            f"{seen.bytes / 1e6:.1f} MB of picture (guessed from {seen.sampled_frames} frames)"
        )
        encoder = f", {seen.encoder}" if seen.encoder else ""
        screen.line(f"  {_network(seen)}{encoder}")
    screen.object(
        previews[0].to_json() if len(previews) == 1 else {"files": [p.to_json() for p in previews]}
    )
