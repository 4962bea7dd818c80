"""The `upreel` command: one thin module per subcommand, registered here.

Modules import only what is light at their top, so that `upreel --help` answers at once.
"""

import os
import sys
import threading
from typing import Annotated

import typer

from upreel import __version__
from upreel.cli.benchmark import benchmark
from upreel.cli.compress import compress, decompress
from upreel.cli.devices import devices
from upreel.cli.distill import distill
from upreel.cli.evaluate import evaluate
from upreel.cli.export import export
from upreel.cli.inspect import inspect
from upreel.cli.models import models
from upreel.cli.pack import pack
from upreel.cli.play import play
from upreel.cli.probe import probe
from upreel.cli.prune import prune
from upreel.cli.quantize import quantize
from upreel.cli.serve import serve
from upreel.cli.train import train
from upreel.cli.upscale import upscale
from upreel.cli.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Video super-resolution: sharper and larger, everything else untouched.",
)


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"upreel {__version__}")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    del version  # its callback has done it


for _command in (
    upscale,
    compress,
    decompress,
    probe,
    verify,
    models,
    devices,
    pack,
    train,
    distill,
    prune,
    quantize,
    export,
    evaluate,
    benchmark,
    inspect,
    serve,
    play,
):
    app.command()(_command)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 an error, 2 wrong usage, 130/143 stopped."""
    os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 reads it when PyAV is first imported
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe went away: `upreel ... -o - | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SystemExit as done:
        if any(t.daemon and t.name.startswith("upreel-") for t in threading.enumerate()):
            # One hangs within FFmpeg, and would come back to an interpreter that is no more.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(done.code if isinstance(done.code, int) else int(done.code is not None))
        raise
