"""Options that mean the same in several commands."""

from typing import Annotated

import typer

__all__ = ["Device", "Precision", "Threads"]

Device = Annotated[str, typer.Option("-d", "--device", help="See `upreel devices`.")]
Precision = Annotated[
    str, typer.Option(help="Arithmetic of the network: auto, f32, bf16, f16 or int8.")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the network; 0: all cores.")]
