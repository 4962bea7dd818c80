"""Servers that run in a thread of the test run, on a port that the system chooses."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import Running, running


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Running]]:
    """Starts servers on some sources; they end with the test."""
    with ExitStack() as stack:

        def begin(*sources: Path, **options: object) -> Running:
            options.setdefault("cache", tmp_path / "cache")
            return stack.enter_context(running(*sources, **options))

        yield begin
