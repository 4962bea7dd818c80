"""`upreel export`: a training checkpoint becomes a card with its ONNX and safetensors files."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import BackendUnavailableError, OptionError
from upreel.zoo import QuantizedConfig, load_card

if TYPE_CHECKING:
    from upreel.training.checkpoint import Checkpoint

CheckpointFile = Annotated[Path, typer.Argument(help="What `upreel train` wrote (.ckpt).")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the files.")]
Name = Annotated[str | None, typer.Option("--name", help="Of the model. Default: the run's.")]
Summary = Annotated[str | None, typer.Option("--summary", help="One line that `models` shows.")]
Sources = Annotated[
    Path | None,
    typer.Option(
        "--sources", help="JSON that says of each training source what it is, and its licence."
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        "--into", help="Of a quantised run: the card (NAME.json or model) that shall offer int8."
    ),
]


def export(
    checkpoint: CheckpointFile,
    out: Out = Path(),
    name: Name = None,
    summary: Summary = None,
    sources: Sources = None,
    into: Into = None,
) -> None:
    """Turn CHECKPOINT into a card: `-m NAME.json` uses it from there.

    A quantised run becomes a precision of a card that is there: `--into`. A codec's card is what
    `upreel compress --codec` takes.
    """
    with exit_with_message():
        if importlib.util.find_spec("torch") is None:
            raise BackendUnavailableError("export needs PyTorch: pip install 'upreel[train]'")
        from upreel.inference.export import export_card
        from upreel.training.checkpoint import load_checkpoint
        from upreel.training.codec import is_codec

        if is_codec(checkpoint):
            if into is not None:
                raise OptionError(f"{checkpoint} is a codec: --into is not for it")
            _export_codec(checkpoint, out, name, summary, sources)
            return
        run = load_checkpoint(checkpoint)
        config = run.config
        if isinstance(config.network, QuantizedConfig) != (into is not None):
            wrong = "is not quantised: --into is not for it"
            lacking = "is quantised, a precision of a card: --into names it"
            raise OptionError(f"{checkpoint} {lacking if into is None else wrong}")
        if into is not None and (name or summary or out != Path()):
            raise OptionError("--into takes name, summary and folder from the card")
        if into is not None:
            _add_precision(run, into, sources)
            return
        card = export_card(
            name=name or config.name,
            summary=summary
            or f"x{config.network.scale}, trained on {config.degradation.describe()}",
            config=config.network,
            weights=run.result,
            training_data=_described(run.training_data, sources),
            degradation=config.degradation.describe(),
            steps=run.step,
            commit=run.commit,
            teacher=run.teacher,
            folder=out,
        )
        typer.echo(f"{card.folder / card.name}.json: {card.num_parameters} parameters")


def _export_codec(
    checkpoint: Path, out: Path, name: str | None, summary: str | None, sources: Path | None
) -> None:
    """A codec's card, cells and whole numbers."""
    from upreel.inference.export_codec import export_codec
    from upreel.training.codec import load_codec

    run = load_codec(checkpoint)
    card = export_codec(
        name=name or run.config.name,
        summary=summary or "a learned codec",
        config=run.config.network,
        weights=run.weights,
        training_data=_described(run.training_data, sources),
        steps=run.step,
        commit=run.commit,
        folder=out,
    )
    typer.echo(f"{card.folder / card.name}.json: upreel compress --codec takes it")


def _add_precision(run: "Checkpoint", into: str, sources: Path | None) -> None:
    """A quantised run's result beside the card that it is of."""
    from upreel.inference.export_quantized import add_quantized

    config = run.config
    assert isinstance(config.network, QuantizedConfig)
    card = add_quantized(
        load_card(into),
        config=config.network,
        weights=run.result,
        training_data=_described(run.training_data, sources),
        degradation=config.degradation.describe(),
        steps=run.step,
        commit=run.commit,
        teacher=run.teacher,
    )
    typer.echo(f"{card.onnx_path('int8')}: {card.folder / card.name}.json offers int8")


def _described(training_data: tuple[str, ...], sources: Path | None) -> tuple[str, ...]:
    """Each source with what is known of it; every one must be known where a file is given."""
    if sources is None:
        return training_data
    try:
        known: Any = json.loads(sources.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"cannot read {sources}: {error}") from error
    if not isinstance(known, dict):
        raise OptionError(f"{sources} is no JSON object")
    described: list[str] = []
    for entry in training_data:
        name = entry.split()[-1]  # "320 photographs" are listed under their kind
        if name not in known:
            raise OptionError(f"{sources} says nothing of {name!r}")
        described.append(f"{entry}: {known[name]}")
    return tuple(described)
