"""`upreel inspect`: pictures where they were asked for, one line on what cannot be shown."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner, Result

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


@pytest.fixture
def copied(card: str, tmp_path: Path) -> Path:
    """A card of its own, with its files."""
    for path in Path(card).parent.glob("tan-flow.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "tan-flow.json"


def refused(
    card: str | Path, clip: str, monkeypatch: pytest.MonkeyPatch, *options: str | Path
) -> str:
    """The one line that is said before anything is decoded."""
    monkeypatch.setattr(
        "upreel.evaluation.inspection.read_frames", lambda *_, **__: pytest.fail("work began")
    )
    done: Result = CliRunner().invoke(app, ["inspect", str(card), clip, *map(str, options)])
    assert done.exit_code == 1
    assert done.stderr.startswith("upreel: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("upreel: ").rstrip("\n")


def test_a_place_that_cannot_be_written_is_said_first(
    card: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("a file")

    assert refused(card, clip, monkeypatch, "-o", file) == f"{file} is a file, not a folder"
    below = refused(card, clip, monkeypatch, "-o", file / "below")
    assert below == f"cannot write to {file / 'below'}: Not a directory"


def test_weights_that_are_missing_or_cut_short(
    copied: Path, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, out = copied.with_suffix(".safetensors"), tmp_path / "out"
    weights.write_bytes(weights.read_bytes()[:-100])
    cut = refused(copied, clip, monkeypatch, "-o", out)
    weights.unlink()
    missing = refused(copied, clip, monkeypatch, "-o", out)

    assert cut.startswith(f"cannot read {weights}: ")
    assert missing == f"cannot read {weights}: No such file or directory"
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "other", "holds the weights of other, not of tan-flow"),
        ("network", '"branch": null', "does not say what network it holds"),
        ("fusion", "", "holds another network than its card describes"),
        ("", "", "says nothing of its network: no weights of a card"),
        ("keys", "", "do not fit the network of its card"),
    ],
)
def test_weights_of_another_card(
    copied: Path, clip: str, monkeypatch: pytest.MonkeyPatch, key: str, value: str, message: str
) -> None:
    weights = copied.with_suffix(".safetensors")
    tensors = load_file(weights)
    with safe_open(weights, "np") as file:
        header = dict(file.metadata())
    if key == "fusion":
        network = json.loads(header["network"])
        header["network"] = json.dumps({**network, "modulation_channels": [6, 5]})
    elif key == "keys":
        tensors.pop(next(iter(tensors)))
    elif key:
        header[key] = value
    else:
        header = {}
    save_file(tensors, weights, metadata=header)

    assert message in refused(copied, clip, monkeypatch)


def test_pictures_are_replaced_only_when_asked(
    card: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mine = out / "000003.png"
    mine.write_bytes(b"mine")
    options = ("--frame", "1", "--frame", "3", "-o", str(out))
    with monkeypatch.context() as patch:
        assert refused(card, clip, patch, *options) == f"{mine} exists; --overwrite replaces it"
    assert mine.read_bytes() == b"mine"
    assert [path.name for path in out.iterdir()] == ["000003.png"]

    done = CliRunner().invoke(app, ["inspect", card, clip, *options, "--overwrite"])

    assert done.exit_code == 0, done.output
    with Image.open(mine) as picture:
        assert picture.size == (384, 248)


def test_the_folder_is_named_after_a_video_without_an_ending(
    card: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["inspect", card, clip, "--frame", "1", "--json"])

    assert json.loads(done.stdout)["frames"][0]["picture"] == "clip-weights/000001.png"
    assert "Default: NAME-weights" in " ".join(
        CliRunner().invoke(app, ["inspect", "--help"]).output.split()
    )
