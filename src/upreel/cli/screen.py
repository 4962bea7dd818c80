"""What commands print while they work and when they are done, and options that several share."""

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from upreel.pipeline import Progress

__all__ = ["RESUME", "Screen", "duration", "encoder_options", "parsed_time"]

RESUME = "stopped; finished parts are kept, and the same command goes on from there"


def parsed_time(text: str) -> Fraction:
    """Seconds from an option; exit code 2 for what is none."""
    from upreel.pipeline.job import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def encoder_options(pairs: Sequence[str]) -> dict[str, str]:
    """FFmpeg options from KEY=VALUE; exit code 2 for what is none."""
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise typer.BadParameter(f"an encoder option is KEY=VALUE, got {pair!r}")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


class Screen:
    """What is printed, and where: results on stdout unless the video goes there."""

    def __init__(self, *, quiet: bool, as_json: bool, to_stdout: bool) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self._to_stdout = to_stdout
        self._said: set[str] = set()

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

    def failure(self, text: str) -> None:
        """Print an error that does not end the call."""
        typer.echo(f"upreel: {text}", err=True)

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


_STAGES = {
    "scan": "reading times",
    "upscale": "upscaling",
    "compress": "compressing",
    "decompress": "decompressing",
    "join": "joining",
}


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest:.1f} s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{int(rest):02}"
