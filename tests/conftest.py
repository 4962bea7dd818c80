"""Small networks of every kind, exported once for the whole run."""

from collections.abc import Callable

import pytest

from upreel.zoo import ModelCard


@pytest.fixture(scope="session")
def small_cards(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelCard]:
    """Small networks by name, exported when they are first asked for."""
    folder = tmp_path_factory.mktemp("cards")
    made: dict[str, ModelCard] = {}

    def small_card(name: str) -> ModelCard:
        from small_cards import export_small

        if name not in made:
            made[name] = export_small(name, folder)
        return made[name]

    return small_card
