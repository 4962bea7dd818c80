"""The `upreel` command: one thin module per subcommand, registered here.

Modules import only what is light at their top, so that `upreel --help` answers at once.
"""

import os
import sys
from typing import Annotated

import typer

from upreel import __version__
from upreel.cli.devices import devices
from upreel.cli.models import models
from upreel.cli.upscale import upscale

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Video super-resolution: sharper and larger, everything else untouched.",
)


def _print_version(*, value: bool) -> None:
    if value:
        typer.echo(f"upreel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    _print_version(value=version)


for _command in (upscale, models, devices):
    app.command()(_command)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 an error, 2 wrong usage, 130/143 stopped."""
    os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 reads it when PyAV is first imported
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe went away: `upreel ... -o - | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
