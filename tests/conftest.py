"""Small networks of every kind, exported once for the whole run."""

import os
from collections.abc import Callable

import pytest
from filelock import FileLock

from upreel.zoo import ModelCard, load_card


@pytest.fixture(scope="session")
def small_cards(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelCard]:
    """Small networks by name, exported when they are first asked for, whichever process asks."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder of its own in that of the run
        folder = folder.parent
    folder /= "cards"
    folder.mkdir(exist_ok=True)
    made: dict[str, ModelCard] = {}

    def small_card(name: str) -> ModelCard:
        from small_cards import export_small

        if name not in made:
            path = folder / f"{name}.json"
            with FileLock(folder / f".{name}.lock"):
                made[name] = load_card(str(path)) if path.exists() else export_small(name, folder)
        return made[name]

    return small_card
