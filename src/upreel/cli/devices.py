"""`upreel devices`: what networks can run on here."""

import json
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message

__all__ = ["devices"]

Json = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


def devices(*, as_json: Json = False) -> None:
    """List the devices that networks can run on here."""
    with exit_with_message():
        from dataclasses import asdict

        from upreel.inference import available_devices

        found = available_devices()
        if as_json:
            typer.echo(json.dumps({"devices": [asdict(info) for info in found]}))
            return
        for info in found:
            typer.echo(
                f"{info.device}: {info.name}, by {info.engine}, {', '.join(info.precisions)}"
            )
            typer.echo(f"  {info.reason}")
