"""`upreel prune`: a network with fewer features, as fast as asked. Needs the `train` extra."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.errors import exit_with_message
from upreel.cli.train import (
    Data,
    Device,
    Out,
    Recipe,
    Resume,
    Start,
    Steps,
    load_recipe,
    material_for,
    print_progress,
)
from upreel.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from upreel.zoo import FastConfig

TargetMs = Annotated[
    float | None,
    typer.Option("--target-ms", min=0, help="Milliseconds a frame, measured on this machine."),
]
TargetMacs = Annotated[
    int | None,
    typer.Option("--target-macs", min=1, help="Multiply-adds a low-resolution luma sample."),
]
Size = Annotated[str, typer.Option("--size", help="Of the frame that is timed, WxH.")]
Precision = Annotated[str, typer.Option(help="In which it is timed: auto, f32, bf16 or int8.")]
Rounds = Annotated[int, typer.Option(min=1, help="Of cutting and learning.")]


def prune(
    recipe: Recipe,
    target_ms: TargetMs = None,
    target_macs: TargetMacs = None,
    size: Size = "960x540",
    precision: Precision = "auto",
    rounds: Rounds = 3,
    data: Data = None,
    out: Out = Path("runs"),
    resume: Resume = False,
    start: Start = None,
    steps: Steps = None,
    device: Device = "cpu",
) -> None:
    """Cut features out of the network that RECIPE describes until it is as fast as it shall be."""
    with exit_with_message():
        config = load_recipe(recipe, steps=steps, seed=None)
        if (target_ms is None) == (target_macs is None):
            raise OptionError("one of --target-ms and --target-macs says how small it shall be")
        from upreel.training.prune import prune as run

        if target_macs is not None:
            fits = _within(target_macs)
        else:
            fits = _fast_enough(target_ms or 0.0, size, precision)
        checkpoint = run(
            config,
            material_for(config, data),
            out,
            fits=fits,
            rounds=rounds,
            start=start or (),
            resume=resume,
            device=device,
            on_progress=print_progress,
            on_notice=lambda line: typer.echo(line, err=True),
        )
        typer.echo(f"{checkpoint}: upreel export {checkpoint} makes a card of it")


def _within(macs: int) -> "Callable[[FastConfig], bool]":
    """Whether a network has so many multiply-adds for a luma sample."""

    def fits(config: "FastConfig") -> bool:
        return config.macs_per_position <= macs * (4 if config.layout == "packed" else 1)

    return fits


def _fast_enough(milliseconds: float, size: str, precision: str) -> "Callable[[FastConfig], bool]":
    """Whether a network takes so long for a frame; each is timed once."""
    from upreel.training.prune import milliseconds as measured

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise OptionError(f"--size must be WxH, such as 960x540, got {size!r}")
    known: dict[FastConfig, float] = {}

    def fits(config: "FastConfig") -> bool:
        if config not in known:
            known[config] = measured(config, int(width), int(height), precision=precision)
            inner = "/".join(map(str, config.inner))
            typer.echo(f"{config.channels} ({inner}): {known[config]:.2f} ms", err=True)
        return known[config] <= milliseconds

    return fits
