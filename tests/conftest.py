"""Small networks of every kind, and a small codec, exported once for the whole run."""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from filelock import FileLock

from upreel.zoo import ModelCard, load_card
from upreel.zoo.codec_card import CodecCard, read_codec_card


def shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all processes of a run share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder of its own in that of the run
        folder = folder.parent
    folder /= name
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared_traces(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """From the first test on that wants it, no process traces what another has traced."""
    from traced_once import traced_once

    with traced_once(shared_folder(tmp_path_factory, "traces")):
        yield


@pytest.fixture(scope="session")
def small_codec(tmp_path_factory: pytest.TempPathFactory, shared_traces: None) -> CodecCard:
    """A codec with random weights, exported by whichever process needs it first."""
    from small_codec import export_small_codec

    folder = shared_folder(tmp_path_factory, "codec")
    with FileLock(folder / ".lock"):
        path = folder / "drawn.json"
        return read_codec_card(path) if path.exists() else export_small_codec(folder)


@pytest.fixture(scope="session")
def small_cards(
    tmp_path_factory: pytest.TempPathFactory, shared_traces: None
) -> Callable[[str], ModelCard]:
    """Small networks by name, exported when they are first asked for, whichever process asks."""
    folder = shared_folder(tmp_path_factory, "cards")
    made: dict[str, ModelCard] = {}

    def small_card(name: str) -> ModelCard:
        from small_cards import export_small

        if name not in made:
            path = folder / f"{name}.json"
            with FileLock(folder / f".{name}.lock"):
                made[name] = load_card(str(path)) if path.exists() else export_small(name, folder)
        return made[name]

    return small_card
