"""The recipes' functions by file."""

from collections.abc import Callable

from scripts_as_modules import ROOT, module_of

from upreel.training.config import TrainConfig

FILES = sorted(path.stem for path in (ROOT / "recipes").glob("*.py"))


def recipes(file: str) -> dict[str, Callable[..., TrainConfig]]:
    """Functions of a file that return a run, by name."""
    module = module_of(f"recipes/{file}.py")
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
