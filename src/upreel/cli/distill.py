"""`upreel distill`: a training run that learns from a teacher, too. Needs the `train` extra."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.errors import exit_with_message
from upreel.cli.train import (
    Data,
    Device,
    Minutes,
    Out,
    Recipe,
    Resume,
    Seed,
    Start,
    Steps,
    load_recipe,
    train_on,
)
from upreel.zoo import name_at_scale

if TYPE_CHECKING:
    from upreel.training.config import TrainConfig
    from upreel.training.distill import Teacher

TeacherName = Annotated[
    str,
    typer.Option(
        "--teacher", help="Model, path of a card (.json) or checkpoint (.ckpt) to learn from."
    ),
]
SelfEnsemble = Annotated[
    bool,
    typer.Option("--self-ensemble", help="The teacher answers a picture turned over eight ways."),
]
Answers = Annotated[
    Path | None,
    typer.Option(help="Folder where the teacher's answers are kept, for the next run too."),
]


def distill(
    recipe: Recipe,
    teacher: TeacherName = "best",
    self_ensemble: SelfEnsemble = False,
    answers: Answers = None,
    data: Data = None,
    out: Out = Path("runs"),
    resume: Resume = False,
    start: Start = None,
    minutes: Minutes = None,
    steps: Steps = None,
    seed: Seed = None,
    device: Device = "cpu",
) -> None:
    """Train the network that RECIPE describes on what a teacher answers, beside the truth."""
    with exit_with_message():
        config = load_recipe(recipe, steps=steps, seed=seed)
        train_on(
            config,
            data,
            out,
            resume=resume,
            start=start or (),
            minutes=minutes,
            device=device,
            teacher=opened_teacher(teacher, config, ensemble=self_ensemble),
            answers=answers,
        )


def opened_teacher(name: str, config: "TrainConfig", *, ensemble: bool) -> "Teacher":
    """The teacher of a run, of a family the one of its scale."""
    from upreel.training.distill import load_teacher

    scale = config.network.scale
    return load_teacher(name_at_scale(name, scale), scale=scale, ensemble=ensemble)
