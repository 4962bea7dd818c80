"""The recipes' functions by file."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from upreel.training.config import TrainConfig

FOLDER = Path(__file__).parents[1] / "recipes"
FILES = sorted(path.stem for path in FOLDER.glob("*.py"))


def recipes(file: str) -> dict[str, Callable[..., TrainConfig]]:
    """Functions of a file that return a run, by name."""
    spec = importlib.util.spec_from_file_location(f"{file}_recipes", FOLDER / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == spec.name and not name.startswith("_")
    }
