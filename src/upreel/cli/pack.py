"""`upreel pack`: folders of clips in, one file of a given size out, for machines without videos."""

import re
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import OptionError

__all__ = ["pack"]

Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR", help="Folders of videos and pictures, or packs.")
]
Out = Annotated[Path, typer.Option("-o", "--output", help="The pack; `upreel train --data` reads.")]
Size = Annotated[str, typer.Option(metavar="BYTES", help="Such as 60M: largest size of the file.")]
Window = Annotated[
    int,
    typer.Option(min=24, help="Rows and columns that the picture of a clip keeps at least."),
]
Frames = Annotated[int, typer.Option(min=1, help="Frames that a clip keeps at least.")]
NoChroma = Annotated[bool, typer.Option("--no-chroma", help="For networks of luma alone.")]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def pack(
    folders: Folders,
    *,
    output: Out = Path("clips.pack"),
    size: Size = "60M",
    window: Window = 288,
    frames: Frames = 16,
    no_chroma: NoChroma = False,
) -> None:
    """Put the clips of DIRs into one file without loss: as much of each as fits into the size."""
    with exit_with_message():
        limit = _bytes(size)
        from upreel.datasets.load import load_clips
        from upreel.datasets.pack import write_pack

        packed = write_pack(
            load_clips(folders),
            output,
            size=limit,
            smallest=-(-window // 24) * 24,
            fewest=frames,
            chroma=not no_chroma,
        )
        typer.echo(
            f"{output}: {packed.bytes / 1e6:.1f} MB, {packed.clips} clips, {packed.frames} frames, "
            f"{packed.share:.0%} of their samples"
        )


def _bytes(text: str) -> int:
    """From a number with K, M, G or nothing behind it."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise OptionError(f"a size is a number with K, M or G behind it, such as 60M, got {text!r}")
    return int(float(match[1]) * _UNITS[match[2].upper()])
