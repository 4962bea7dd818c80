"""`upreel inspect`: what a temporal adaptive network weighs. Needs the `train` extra."""

import importlib.util
import json
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import BackendUnavailableError, ExistsError, InputError, OutputError

__all__ = ["inspect"]

Model = Annotated[
    str, typer.Argument(help="tan, a model's name (see `upreel models`), or a card file.")
]
Source = Annotated[str, typer.Argument(metavar="IN", help="Video, or folder of pictures.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        help="Folder for the pictures. Default: NAME-weights in the working directory, NAME being "
        "IN's without its ending.",
    ),
]
FrameOption = Annotated[
    list[int] | None,
    typer.Option(
        "--frame", min=0, help="Index of a frame, from 0; repeatable. Default: three of them."
    ),
]
Scale = Annotated[int | None, typer.Option("-s", "--scale", help="Of the family: 2 or 4.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace pictures that are there already.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def inspect(
    model: Model,
    source: Source,
    out: Out = None,
    frame: FrameOption = None,
    scale: Scale = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write pictures of which branch of MODEL won where in IN, and of each branch's weights."""
    with exit_with_message():
        if importlib.util.find_spec("torch") is None:
            raise BackendUnavailableError("inspecting needs PyTorch: pip install 'upreel[train]'")
        from upreel.evaluation.inspection import choose_card, inspect_frames, sheet
        from upreel.evaluation.outputs import make_folder
        from upreel.video.probe import probe
        from upreel.video.scan import scan

        card = choose_card(model, scale)
        info = probe(source)
        if not info.seekable:
            raise InputError(f"{source}: a stream cannot be inspected, a file can")
        timeline = scan(info)
        count = len(timeline.pts)
        indices = frame or sorted({count // 4, count // 2, 3 * count // 4})
        folder = out or Path(f"{Path(source).resolve().stem}-weights")
        paths = {index: folder / f"{index:06d}.png" for index in indices}
        results = inspect_frames(card, info, timeline, indices)
        there = [path for path in paths.values() if path.exists()]
        if there and not overwrite:
            raise ExistsError(f"{there[0]} exists; --overwrite replaces it")
        make_folder(folder)
        found: list[dict[str, object]] = []
        for result in results:
            path = paths[result.index]
            try:
                sheet(result).save(path)
            except OSError as error:
                raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
            found.append({"frame": result.index, "picture": str(path), "branches": result.facts()})
            if not as_json:
                won = ", ".join(
                    f"{2 * k + 1} frame{'s' * (k > 0)} {branch['won']:.0%}"
                    for k, branch in enumerate(result.facts())
                )
                typer.echo(f"{path}: won by {won}")
    if as_json:
        typer.echo(json.dumps({"model": card.name, "source": source, "frames": found}))
