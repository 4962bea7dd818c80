"""`upreel quantize`: a network in whole numbers of 8 bits. Needs the `train` extra."""

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.distill import Answers, SelfEnsemble, opened_teacher
from upreel.cli.errors import exit_with_message
from upreel.cli.train import (
    Data,
    Device,
    Minutes,
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

TeacherName = Annotated[
    str | None,
    typer.Option(
        "--teacher",
        help="Model, card (.json) or checkpoint (.ckpt) that a recipe with a distillation "
        "learns from.",
    ),
]

Allowed = Annotated[
    float,
    typer.Option(
        "--allowed", min=0, help="dB that rounding alone may cost; 0 trains whatever it costs."
    ),
]


def quantize(
    recipe: Recipe,
    data: Data = None,
    out: Out = Path("runs"),
    resume: Resume = False,
    start: Start = None,
    allowed: Allowed = 0.05,
    teacher: TeacherName = None,
    self_ensemble: SelfEnsemble = False,
    answers: Answers = None,
    minutes: Minutes = None,
    steps: Steps = None,
    device: Device = "cpu",
) -> None:
    """Calibrate the network that RECIPE describes, and train it where that loses too much."""
    with exit_with_message():
        config = load_recipe(recipe, steps=steps, seed=None)
        from upreel.training.quantize import quantize as run

        if teacher is None and (self_ensemble or answers is not None):
            raise OptionError("--self-ensemble and --answers are of a teacher: --teacher names it")
        taught_by = None
        if teacher is not None:
            taught_by = opened_teacher(teacher, config, ensemble=self_ensemble)
        checkpoint = run(
            config,
            material_for(config, data),
            out,
            start=start or (),
            resume=resume,
            teacher=taught_by,
            answers=answers,
            allowed=allowed,
            minutes=minutes,
            device=device,
            on_progress=print_progress,
            on_notice=lambda line: typer.echo(line, err=True),
        )
        typer.echo(f"{checkpoint}: upreel export {checkpoint} --into CARD adds int8 to a card")
