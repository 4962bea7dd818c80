"""What is served of the browser player, built or not: no browser is needed for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Running

from upreel.inference.browser import read_model

CITY = Path(__file__).parents[2] / "examples" / "media" / "city.mp4"
AUTO = ("fast-x2", "fast-x2-m", "fast-x2-s")
NAMES = (*AUTO, "fast-x2-clean", "fast-x3", "fast-x3-m")


def test_without_the_built_page_the_plain_one_says_what_to_run(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    from upreel.server import pages

    real = pages.files

    def without(package: str) -> Any:  # noqa: ANN401
        class Folder:
            def joinpath(self, name: str) -> Any:  # noqa: ANN401
                return real(package).joinpath("nowhere" if name == "built" else name)

        return Folder()

    monkeypatch.setattr(pages, "files", without)
    running = start(CITY, rungs=())
    identity = running.titles()["city"]["id"]

    page = running.get(f"/watch/{identity}").body.decode()

    assert "/watch.js" in page
    assert "player.js" not in page
    assert "make web" in page
    assert "<video controls" in page


def test_networks_are_handed_out_with_their_cards(start: Callable[..., Running]) -> None:
    running = start(CITY, rungs=())

    models = {model["name"]: model for model in running.get("/api/models").json()["models"]}

    offered = [name for name, model in models.items() if model["browser"] is not None]
    assert offered == list(NAMES)
    assert [name for name in NAMES if models[name]["browser"]["auto"]] == list(AUTO)
    for name in NAMES:
        answer = running.get(models[name]["browser"]["url"])
        assert answer.status == 200
        assert read_model(answer.body).card == models[name]["sha256"]
