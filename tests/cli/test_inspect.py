"""`upreel inspect`: pictures where they were asked for, one line on what cannot be shown."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image
from typer.testing import CliRunner

from upreel.cli import app
from upreel.zoo import ModelCard


@pytest.fixture(scope="module")
def card(small_cards: Callable[[str], ModelCard]) -> str:
    made = small_cards("tan-flow")
    return str(made.folder / "tan-flow.json")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", count=9))


def test_three_frames_are_shown_unless_others_are_asked_for(
    card: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["inspect", card, clip])
    asked = CliRunner().invoke(
        app, ["inspect", card, clip, "--frame", "8", "--frame", "0", "-o", "here", "--json"]
    )

    assert done.exit_code == asked.exit_code == 0, done.output + asked.output
    names = ["000002.png", "000004.png", "000006.png"]
    assert sorted(path.name for path in Path("clip-weights").iterdir()) == names
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        f"clip-weights/{name}" for name in names
    ]
    told = json.loads(asked.stdout)
    assert told["model"] == "tan-flow"
    assert [one["frame"] for one in told["frames"]] == [8, 0]
    for one in told["frames"]:
        assert [set(branch) for branch in one["branches"]] == [{"won", "mean_weight"}] * 3
        picture = np.asarray(Image.open(one["picture"]))
        assert picture.shape == (2 * (96 + 28), 3 * 128, 3)
        assert picture.std() > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fast-x2", "CLIP"], "fast-x2 weighs no branches"),
        (["CARD", "CLIP", "--frame", "9"], "frame must be 0 to 8, got 9"),
        (["CARD", "absent.mp4"], "absent.mp4"),
        (["nope", "CLIP"], "no model 'nope'"),
        (["CARD", "CLIP", "-s", "3"], "tan-flow is for x2, not x3"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    arguments: list[str], message: str, card: str, clip: str, tmp_path: Path
) -> None:
    given = [{"CARD": card, "CLIP": clip}.get(word, word) for word in arguments]

    done = CliRunner().invoke(app, ["inspect", *given, "-o", str(tmp_path / "out")])

    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_pytorch_it_says_what_to_install(
    card: str, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )

    done = CliRunner().invoke(app, ["inspect", card, clip])

    assert done.exit_code == 1
    assert done.stderr == "upreel: inspecting needs PyTorch: pip install 'upreel[train]'\n"
