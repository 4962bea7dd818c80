"""`upreel compress` and `upreel decompress`: options in, jobs out. No video code here."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.cli.screen import RESUME, Screen, duration, encoder_options, parsed_time

if TYPE_CHECKING:
    from upreel.pipeline import CompressResult, DecompressResult

__all__ = ["compress", "decompress"]


def _bitrate(text: str) -> int:
    from upreel.pipeline.coding import parse_bitrate

    try:
        return parse_bitrate(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Source = Annotated[
    str, typer.Argument(metavar="IN", help="Video (.upv, too), 4:2:0 of 8 or 10 bits.")
]
Output = Annotated[str, typer.Argument(metavar="OUT.upv", help="File to write.")]
Quality = Annotated[
    int | None,
    typer.Option(min=0, max=63, help="Of every frame; higher is better and larger. Default: 32."),
]
Bitrate = Annotated[
    str | None,
    typer.Option(metavar="R", help="Bits a second of the video instead of a quality: 500k, 1.5M."),
]
Keyint = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Frames from one keyframe to the next at most. Default: 250, and 10 seconds at most.",
    ),
]
Codec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Path of the codec's card (.json). None is bundled yet."),
]
UpvCodec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Where IN is .upv: of the codec that made it, if another."),
]
Device = Annotated[
    str, typer.Option("-d", "--device", help="See `upreel devices`. Default: the processor.")
]
Precision = Annotated[
    Literal["f32", "bf16"],
    typer.Option(help="Arithmetic; f32 keeps pictures alike on all machines."),
]
Threads = Annotated[int, typer.Option(help="Threads of the networks; 0: all cores.")]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Where to begin: seconds, M:SS or H:MM:SS.")
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Where to end, likewise.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave out the sound.")]
NoSubs = Annotated[bool, typer.Option("--no-subs", help="Leave out subtitles.")]
OverwriteParts = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output, and parts of another job.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
Stream = Annotated[str, typer.Argument(metavar="IN.upv", help="What `upreel compress` wrote.")]
Decoded = Annotated[
    str,
    typer.Argument(
        metavar="OUT",
        help="File whose ending names the container, .y4m for raw planes, or - for standard "
        "output (y4m; Matroska with an encoder option).",
    ),
]
StreamCodec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Path of the card of the codec that IN was made by."),
]
StreamPrecision = Annotated[
    Literal["auto", "f32", "bf16"], typer.Option(help="Arithmetic; auto: that of IN.upv's sender.")
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--encoder",
        help="x264, x265, svtav1, vp9 or ffv1. Default: the first that keeps depth and size.",
    ),
]
Crf = Annotated[float | None, typer.Option(help="Encoder's quality; lower is better.")]
Preset = Annotated[str | None, typer.Option(help="Encoder's speed, such as veryfast.")]
EncoderOptions = Annotated[
    list[str] | None,
    typer.Option("-e", "--encoder-option", metavar="KEY=VALUE", help="FFmpeg encoder option."),
]


def compress(
    source: Source,
    output: Output,
    *,
    quality: Quality = None,
    bitrate: Bitrate = None,
    keyint: Keyint = None,
    codec: Codec = None,
    device: Device = "auto",
    precision: Precision = "f32",
    threads: Threads = 0,
    start: Start = None,
    end: End = None,
    no_audio: NoAudio = False,
    no_subs: NoSubs = False,
    upv_codec: UpvCodec = None,
    overwrite: OverwriteParts = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compress a video with a learned codec; sound, subtitles and the rest are carried along.

    Stopped at any moment, the same command goes on from the last finished part.
    """
    rate = None if bitrate is None else _bitrate(bitrate)
    begin, until = (None if text is None else parsed_time(text) for text in (start, end))
    with exit_with_message(interrupted=RESUME), signals_raise():
        from upreel.pipeline import CompressJob
        from upreel.pipeline import compress as run

        job = CompressJob(
            source=source,
            output=output,
            codec=codec,
            quality=quality,
            bitrate=rate,
            keyint=keyint,
            device=device,
            precision=precision,
            threads=threads,
            start=begin,
            end=until,
            audio=not no_audio,
            subtitles=not no_subs,
            upv_codec=upv_codec,
            overwrite=overwrite,
        )
        screen = Screen(quiet=quiet, as_json=as_json, to_stdout=True)
        with screen.bar(source) as show:
            result = run(job, show, on_notice=screen.notice)
        _compressed(result, screen)
        screen.object(result.to_json())


def _compressed(result: "CompressResult", screen: Screen) -> None:
    for notice in result.notices:
        screen.notice(notice)
    resumed = f" ({result.resumed_frames} from before)" if result.resumed_frames else ""
    damaged = f", {result.damaged_frames} damaged" if result.damaged_frames else ""
    screen.line(
        f"{result.output}: {result.frames} frames{resumed}{damaged}, "
        f"{result.width}x{result.height}, {result.bytes / 1e6:.3f} MB"
    )
    screen.line(
        f"  {result.bitrate / 1000:.1f} kbit/s of video, quality {result.quality:.1f}, "
        f"{result.keyframes} keyframes, {result.repeated_frames} repeated"
    )
    _effort(result, screen)
    screen.line(f"  {result.codec} on {result.device} in {result.precision}")


def decompress(
    source: Stream,
    output: Decoded,
    *,
    codec: StreamCodec = None,
    device: Device = "auto",
    precision: StreamPrecision = "auto",
    threads: Threads = 0,
    encoder: Encoder = None,
    crf: Crf = None,
    preset: Preset = None,
    encoder_option: EncoderOptions = None,
    overwrite: OverwriteParts = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a video that players know of an .upv file. What is damaged is concealed and told.

    Stopped at any moment, the same command goes on from the last finished part; y4m begins anew.
    """
    options = encoder_options(encoder_option or [])
    kept = not (output == "-" or output.lower().endswith(".y4m"))
    with exit_with_message(interrupted=RESUME if kept else "stopped"), signals_raise():
        from upreel.pipeline import DecompressJob
        from upreel.pipeline import decompress as run

        job = DecompressJob(
            source=source,
            output=output,
            codec=codec,
            device=device,
            precision=precision,
            threads=threads,
            encoder=encoder,
            crf=crf,
            preset=preset,
            encoder_options=options,
            overwrite=overwrite,
        )
        screen = Screen(quiet=quiet, as_json=as_json, to_stdout=output != "-")
        with screen.bar(source) as show:
            result = run(job, show, on_notice=screen.notice)
        _decompressed(result, screen)
        screen.object(result.to_json())


def _decompressed(result: "DecompressResult", screen: Screen) -> None:
    for notice in result.notices:
        screen.notice(notice)
    resumed = f" ({result.resumed_frames} from before)" if result.resumed_frames else ""
    damaged = f", {result.damaged_frames} damaged" if result.damaged_frames else ""
    size = f", {result.bytes / 1e6:.1f} MB" if result.bytes else ""
    screen.line(
        f"{result.output}: {result.frames} frames{resumed}{damaged}, "
        f"{result.width}x{result.height}{size}"
    )
    _effort(result, screen)
    encoder = f", {result.encoder}" if result.encoder else ""
    alike = "the sender's pictures to the bit" if result.exact else "to within rounding"
    screen.line(f"  {result.codec} on {result.device} in {result.precision}, {alike}{encoder}")


def _effort(result: "CompressResult | DecompressResult", screen: Screen) -> None:
    screen.line(
        f"  {result.fps:.1f} fps, {duration(result.seconds)}, {result.cpu_use:.0%} CPU use, "
        f"peak memory {result.peak_memory_bytes / (1 << 20):.0f} MiB"
    )
