"""`upreel play`: options in, one `PlayConfig` out. A window needs the `play` extra."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.cli.options import Device, Precision, Threads
from upreel.errors import BackendUnavailableError, InputError, OptionError

if TYPE_CHECKING:
    from upreel.player.presenter import Presenter

__all__ = ["play"]

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|DIR|URL|/dev/videoN|-...",
        help="Videos, folders of videos, addresses (http, rtsp, ...), a camera, or a pipe.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("-m", "--model", help="One model, or lanczos. [default: what the machine bears]"),
]
Size = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="Of the window. [default: the screen's; 1920x1080 without]"),
]
FullScreen = Annotated[bool, typer.Option("--full-screen", help="Begin with all of the screen.")]
NoWindow = Annotated[bool, typer.Option("--no-window", help="Play on time, but show nothing.")]
Stats = Annotated[Path | None, typer.Option(help="JSON file for what the showing came to.")]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|DIR|pipe:",
        help="Instead of a window: a file, a folder for HLS (DIR/), or standard output.",
    ),
]
Start = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Where to begin.")]
Seconds = Annotated[
    float | None, typer.Option(min=0.1, help="End after this long. [default: at the end]")
]
Live = Annotated[
    bool | None,
    typer.Option("--live/--no-live", help="Least delay, or none lost. [default: by the source]"),
]
Rows = Annotated[
    int | None,
    typer.Option(min=1, help="Of HLS in several sizes: the rows to take. [default: the most]"),
]
Reconnect = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="How long a source on the network that broke off is tried again; 0: not at all.",
    ),
]
AudioTrack = Annotated[
    str | None,
    typer.Option(metavar="N|LANGUAGE", help="Sound to begin with, such as 2 or de. [default: 1]"),
]
SubTrack = Annotated[
    str | None,
    typer.Option(
        metavar="N|LANGUAGE",
        help="Subtitles to begin with, those of .srt and .vtt files beside it last. [default: 1]",
    ),
]
Volume = Annotated[float, typer.Option(min=0, max=1, help="At first.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="No sound.")]
NoSubs = Annotated[bool, typer.Option("--no-subs", help="Subtitles off at first.")]
Compare = Annotated[bool, typer.Option("--compare", help="Slider on at first.")]
Overlay = Annotated[bool, typer.Option("--overlay", help="Statistics on at first.")]
Codec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Of .upv files: path of the codec's card (.json)."),
]
Screenshots = Annotated[Path, typer.Option(metavar="DIR", help="Where pictures are saved.")]


def play(
    sources: Sources,
    model: Model = None,
    size: Size = None,
    full_screen: FullScreen = False,
    no_window: NoWindow = False,
    stats: Stats = None,
    output: Output = None,
    start: Start = 0.0,
    seconds: Seconds = None,
    live: Live = None,
    rows: Rows = None,
    reconnect: Reconnect = 30.0,
    audio_track: AudioTrack = None,
    sub_track: SubTrack = None,
    volume: Volume = 1.0,
    no_audio: NoAudio = False,
    no_subs: NoSubs = False,
    compare: Compare = False,
    overlay: Overlay = False,
    screenshots: Screenshots = Path(),
    codec: Codec = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
) -> None:
    r"""Play videos, cameras and streams, enlarged as well as the machine can.

    Keys; Esc leaves the full screen, or ends, and the slider can be dragged with the mouse:

    \b
    Space     pause, go on
    Left      5 seconds back
    Right     5 seconds on
    Down      softer
    Up        louder
    M         sound off, on
    PageDown  next title
    PageUp    previous title
    F         full screen, window
    C         compare with the plain picture, whole picture
    ,         slider to the left
    .         slider to the right
    I         statistics
    V         subtitles on, off
    A         next sound track
    T         next subtitle track
    S         save the picture
    Q         end
    """
    with exit_with_message(), signals_raise():
        room = None if size is None else _parsed_size(size)
        from upreel.pipeline import expand_sources
        from upreel.player import PlayConfig, write_statistics
        from upreel.player import play as run

        config = PlayConfig(
            sources=tuple(expand_sources(sources)),
            model=model,
            device=device,
            precision=precision,
            threads=threads,
            start=Fraction(start).limit_denominator(1000),
            seconds=seconds,
            live=live,
            rows=rows,
            reconnect=reconnect,
            sound_track=audio_track,
            caption_track=sub_track,
            sound=not no_audio,
            captions=not no_subs,
            volume=volume,
            compare=compare,
            overlay=overlay,
            screenshots=screenshots,
            codec=codec,
        )
        presenter = _presenter(room, output, no_window=no_window, full_screen=full_screen)
        try:
            played = run(config, presenter, told=lambda line: typer.echo(line, err=True))
        finally:
            presenter.close()
        for title in played.titles:
            typer.echo(title.line(), err=True)
        if stats is not None:
            write_statistics(stats, list(played.titles))
        if played.errors:
            count = len(played.errors)
            raise InputError(f"{count} of {len(config.sources)} titles could not be played")


def _parsed_size(text: str) -> tuple[int, int]:
    from upreel.pipeline.job import parse_size

    try:
        size = parse_size(text)
    except ValueError:
        size = (0, 0)
    if not all(16 <= side <= 16384 for side in size):
        raise OptionError(f"--size takes WxH of 16 to 16384, such as 1280x720, got {text!r}")
    return size


def _presenter(
    size: tuple[int, int] | None, output: str | None, *, no_window: bool, full_screen: bool
) -> "Presenter":
    from upreel.player import HeadlessPresenter

    if output is not None:
        from upreel.player.restream import RestreamPresenter

        return RestreamPresenter(output, size or (1920, 1080))
    if no_window:
        return HeadlessPresenter(size or (1920, 1080))
    if importlib.util.find_spec("sdl2") is None:
        raise BackendUnavailableError(
            "a window needs its extra: pip install 'upreel[play]'; --no-window plays without one"
        )
    from upreel.player.window import WindowPresenter

    return WindowPresenter(size, full_screen=full_screen)
