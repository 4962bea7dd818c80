"""`upreel verify`: does an output keep what its source had?"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message

Source = Annotated[str, typer.Argument(metavar="IN", help="The source.")]
Output = Annotated[str, typer.Argument(metavar="OUT", help="What was made of it.")]
Codec = Annotated[
    str | None,
    typer.Option(metavar="CARD", help="Of .upv files: path of the codec's card (.json)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def verify(source: Source, output: Output, codec: Codec = None, as_json: Json = False) -> None:
    """Compare OUT with IN: frames, times, size, tags, every other stream. Exit code 0 or 1.

    Of an .upv file the packets' checksums, the index and the decoding of every frame are checked,
    too.
    """
    with exit_with_message():
        from upreel.pipeline import verify as run  # PyAV: only when the command runs

        report = run(source, output, codec=codec)
    if as_json:
        typer.echo(json.dumps({"passed": report.passed, **asdict(report)}))
    else:
        for check in report.checks:
            word = "ok  " if check.passed else "FAIL"
            typer.echo(f"{word}  {check.name}: {check.detail}")
    if not report.passed:
        raise typer.Exit(1)
