"""`upreel train`: a recipe and folders in, a resumable run out. Needs the `train` extra."""

import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict, Unpack

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import BackendUnavailableError, OptionError

if TYPE_CHECKING:
    from upreel.datasets.clips import Clip
    from upreel.training.codec import CodecProgress, CodecRun
    from upreel.training.config import TrainConfig
    from upreel.training.distill import Teacher
    from upreel.training.run import Progress

Recipe = Annotated[
    str, typer.Argument(help="FILE.py:FUNCTION, such as recipes/fast.py:fast_x2_clean_first.")
]
Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", help="Folder of videos and pictures, or a pack; repeatable. Default: drawn clips."
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the checkpoint and TensorBoard.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")]
Start = Annotated[
    list[Path] | None,
    typer.Option(
        "--start",
        help="Checkpoint or a card's .safetensors to take fitting weights from; "
        "repeatable, in the order of the recipe's parts.",
    ),
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Stop after so long; --resume goes on from there.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps instead of the recipe's.")]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Seed, for recipes that take one; the run is named by it.")
]
Device = Annotated[str, typer.Option("-d", "--device", help="cpu or cuda.")]


class RunOptions(TypedDict):
    """Those of `upreel.training.run.train`."""

    resume: bool
    start: Sequence[Path]
    minutes: float | None
    device: str
    teacher: NotRequired["Teacher"]
    answers: NotRequired[Path | None]


def train(
    recipe: Recipe,
    data: Data = None,
    out: Out = Path("runs"),
    resume: Resume = False,
    start: Start = None,
    minutes: Minutes = None,
    steps: Steps = None,
    seed: Seed = None,
    device: Device = "cpu",
) -> None:
    """Train the network that RECIPE describes; a kill loses some minutes at most."""
    with exit_with_message():
        options = RunOptions(resume=resume, start=start or (), minutes=minutes, device=device)
        config = _described(recipe, steps, seed)
        from upreel.training.codec import CodecRun

        if isinstance(config, CodecRun):
            _train_codec_on(config, data, out, options)
        else:
            train_on(config, data, out, **options)


def load_recipe(recipe: str, *, steps: int | None, seed: int | None) -> "TrainConfig":
    """The run of a network for pictures that a recipe describes; see `TrainConfig`.

    Raises:
        BackendUnavailableError: PyTorch is not installed.
        OptionError: there is no such recipe, or it is for another kind of network.
    """
    config = _described(recipe, steps, seed)
    from upreel.training.config import TrainConfig

    if not isinstance(config, TrainConfig):
        raise OptionError(f"{recipe} is a run of the codec, which upreel train is for")
    return config


def _described(recipe: str, steps: int | None, seed: int | None) -> "TrainConfig | CodecRun":
    """The run that a recipe describes, with what the command line says of it."""
    if importlib.util.find_spec("torch") is None:
        raise BackendUnavailableError("training needs PyTorch: pip install 'upreel[train]'")
    config = _read_recipe(recipe, seed)
    return config if steps is None else replace(config, steps=steps)


def _train_codec_on(
    config: "CodecRun", data: Sequence[Path] | None, out: Path, options: RunOptions
) -> None:
    """Train the codec, a line for each report."""
    from upreel.datasets.clips import drawn_clips
    from upreel.datasets.load import load_clips
    from upreel.training.codec import train_codec

    start = options["start"]
    if len(start) > 1:
        raise OptionError(f"{config.name} starts from one run, got {len(start)}")
    side = config.patch
    clips = load_clips(data) if data else drawn_clips(8, height=side, width=side + 48)
    checkpoint = train_codec(
        config,
        clips,
        out,
        resume=options["resume"],
        start=start[0] if start else None,
        minutes=options["minutes"],
        device=options["device"],
        on_progress=_print_codec_progress,
    )
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"{checkpoint}: upreel export {checkpoint} makes a card of it")


def train_on(
    config: "TrainConfig", data: Sequence[Path] | None, out: Path, **options: Unpack[RunOptions]
) -> None:
    """Train on folders, packs or drawn clips, a line for each report."""
    from upreel.training.run import train as run

    checkpoint = run(
        config,
        material_for(config, data),
        out,
        on_progress=print_progress,
        on_notice=lambda line: typer.echo(line, err=True),
        **options,
    )
    if os.environ.get("RANK", "0") == "0":  # torchrun's others say nothing
        typer.echo(f"{checkpoint}: upreel export {checkpoint} makes a card of it")


def material_for(config: "TrainConfig", data: Sequence[Path] | None) -> "list[Clip]":
    """Clips of folders and packs, or drawn ones that a patch fits into."""
    from upreel.datasets.clips import drawn_clips
    from upreel.datasets.load import load_clips

    side = -(-config.patch * config.network.scale // 24) * 24
    return load_clips(data) if data else drawn_clips(8, height=side, width=side + 48)


def _read_recipe(recipe: str, seed: int | None) -> "TrainConfig | CodecRun":
    """The config that a recipe's function returns."""
    from upreel.training.codec import CodecRun
    from upreel.training.config import TrainConfig

    file, _, function = recipe.partition(":")
    path = Path(file)
    if not function or path.suffix != ".py" or not path.is_file():
        raise OptionError(f"a recipe is FILE.py:FUNCTION with a file that is there, got {recipe!r}")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    known = sorted(
        name
        for name, value in vars(module).items()
        if callable(value)
        and getattr(value, "__module__", "") == spec.name
        and not name.startswith("_")
    )
    if function not in known:
        raise OptionError(f"no recipe {function!r} in {file}; there are: {', '.join(known)}")
    values: dict[str, int] = {}
    if seed is not None:
        if "seed" not in inspect.signature(vars(module)[function]).parameters:
            raise OptionError(f"the recipe {function} takes no seed, got {seed}")
        values["seed"] = seed
    config = vars(module)[function](**values)
    if not isinstance(config, TrainConfig | CodecRun):
        raise OptionError(f"{recipe} returns a {type(config).__name__}, not a TrainConfig")
    return config


def print_progress(progress: "Progress") -> None:
    """One line for people, and for a log file."""
    line = (
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.5f}  "
        f"{progress.patches_per_second:.0f} patches/s  {progress.teraflops:.3g} TFLOP/s"
    )
    if progress.scores and progress.baseline:
        gains = "  ".join(
            f"{source} {psnr:.2f} ({psnr - progress.baseline[source]:+.2f})"
            for source, psnr in progress.scores.items()
        )
        line += f"  Y-PSNR (over bicubic): {gains}"
    typer.echo(line)


def _print_codec_progress(progress: "CodecProgress") -> None:
    """One line, likewise."""
    points = "".join(
        f"  q{point.quality} {point.psnr:.2f} dB at {point.bits:.3f} bits"
        for point in progress.points
    )
    typer.echo(
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.5f}  "
        f"{progress.patches_per_second:.0f} patches/s{points}"
    )
