"""`upreel export`: a training checkpoint becomes a card with its ONNX and safetensors files."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import BackendUnavailableError

CheckpointFile = Annotated[Path, typer.Argument(help="What `upreel train` wrote (.ckpt).")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the three files.")]
Name = Annotated[str | None, typer.Option("--name", help="Of the model. Default: the run's.")]
Summary = Annotated[str | None, typer.Option("--summary", help="One line that `models` shows.")]


def export(
    checkpoint: CheckpointFile,
    out: Out = Path(),
    name: Name = None,
    summary: Summary = None,
) -> None:
    """Turn CHECKPOINT into a card: `-m NAME.json` uses it from there."""
    with exit_with_message():
        if importlib.util.find_spec("torch") is None:
            raise BackendUnavailableError("export needs PyTorch: pip install 'upreel[train]'")
        from upreel.inference.export import export_card
        from upreel.training.checkpoint import load_checkpoint

        run = load_checkpoint(checkpoint)
        config = run.config
        card = export_card(
            name=name or config.name,
            summary=summary
            or f"x{config.network.scale}, trained on {config.degradation.describe()}",
            config=config.network,
            weights=dict(run.ema),
            training_data=run.training_data,
            degradation=config.degradation.describe(),
            steps=run.step,
            commit=run.commit,
            folder=out,
        )
        typer.echo(f"{card.folder / card.name}.json: {card.num_parameters} parameters")
