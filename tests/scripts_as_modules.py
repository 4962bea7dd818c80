"""Files beside the package, recipes and benchmarks, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def module_of(file: str) -> ModuleType:
    """A file as a module of its own.

    Args:
        file: its path from the tree's root.
    """
    path = ROOT / file
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
