"""`upreel upscale`: options in, jobs out. No video code here."""

import importlib.util
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.cli.options import Device, Precision, Threads
from upreel.cli.screen import RESUME, Screen, duration, encoder_options, parsed_time
from upreel.errors import BackendUnavailableError, OptionError

if TYPE_CHECKING:
    from upreel.pipeline import BatchItem, Prepare, Preview, UpscaleJob, UpscaleResult

__all__ = ["upscale"]


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
        help="Videos (.upv, too), folders of videos, a folder or %06d.png pattern of pictures, or "
        "- for standard input (y4m or Matroska).",
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
Codec = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--codec",
        help="x264, x265, svtav1, vp9, ffv1 or prores. Default: the first that keeps depth, "
        "chroma and size.",
    ),
]
UpvCodec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Of .upv files: path of the codec's card (.json)."),
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
    upv_codec: UpvCodec = None,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Upscale videos; everything but the size of the picture stays as it is.

    Stopped at any moment, the same command goes on from the last finished part.
    """
    options = encoder_options(encoder_option or [])
    wanted_size = None if size is None else _size(size)
    begin, until = (None if text is None else parsed_time(text) for text in (start, end))
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
            upv_codec=upv_codec,
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


class _Screen(Screen):
    """What `upscale` prints."""

    def __init__(self, *, quiet: bool, as_json: bool, to_stdout: bool) -> None:
        super().__init__(quiet=quiet, as_json=as_json, to_stdout=to_stdout)
        self.prepared: list[str] = []  # what is to be told of the job's preparation

    def completed(self, result: "UpscaleResult") -> "UpscaleResult":
        """The result with what was told before the job began."""
        from dataclasses import replace

        return replace(result, notices=(*self.prepared, *result.notices))

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
            f"  {result.fps:.1f} fps, {duration(result.seconds)}, {result.cpu_use:.0%} CPU use, "
            f"peak memory {result.peak_memory_bytes / (1 << 20):.0f} MiB"
        )
        encoder = f", {result.encoder}" if result.encoder else ""
        self.line(f"  {_network(result)}{encoder}")


def _network(values: "UpscaleResult | Preview") -> str:
    return (
        f"{values.model} on {values.device} in {values.precision} by {values.engine} "
        f"({values.reason})"
    )


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
            f"  about {duration(seen.seconds)} at {seen.fps:.1f} fps, about "
            f"{seen.bytes / 1e6:.1f} MB of picture (guessed from {seen.sampled_frames} frames)"
        )
        encoder = f", {seen.encoder}" if seen.encoder else ""
        screen.line(f"  {_network(seen)}{encoder}")
    screen.object(
        previews[0].to_json() if len(previews) == 1 else {"files": [p.to_json() for p in previews]}
    )
