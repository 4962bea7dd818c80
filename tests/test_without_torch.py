"""What the base install does: every command but training, with the extras' packages out of reach.

Each command runs in a process whose import system does not find them, as if they had never been
installed. Mutation tried: `import torch` at the top of a module of `inference`; all fail.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clips import write_clip
from processes import ENVIRONMENT

from upreel.zoo.codec_card import CodecCard

ABSENT = (
    "torch", "jaxtyping", "beartype", "safetensors", "onnx", "onnxscript", "onnxruntime",
    "tensorboard", "cv2", "skimage", "imageio_ffmpeg", "starlette", "uvicorn",
    "sdl2", "sdl2dll", "bjontegaard", "matplotlib",
)  # fmt: skip
ROOMS = (
    "video", "metrics", "degradation", "datasets", "zoo", "inference", "codec", "pipeline",
    "evaluation", "cli",
)  # fmt: skip
NEED_EXTRAS = tuple(
    f"upreel.inference.{name}"
    for name in ("export", "export_browser", "export_codec", "export_quantized", "onnxruntime")
)
BLOCKER = f"""
import importlib.machinery
import sys

ABSENT = {ABSENT!r}
find_spec = importlib.machinery.PathFinder.find_spec


def find_others(fullname, path=None, target=None):
    if fullname.partition(".")[0] in ABSENT:
        return None
    return find_spec(fullname, path, target)


importlib.machinery.PathFinder.find_spec = staticmethod(find_others)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, and `sitecustomize` in a folder of its own."""
    folder = tmp_path_factory.mktemp("base")
    write_clip(folder / "clip.mp4", count=3, width=48, height=32)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(BLOCKER)
    return folder


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(place / "site"), ENVIRONMENT["PYTHONPATH"]))
    return subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env=ENVIRONMENT | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def upreel(place: Path, *arguments: str) -> str:
    done = run(place, "-m", "upreel", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_packages_are_out_of_reach(place: Path) -> None:
    code = (
        "import importlib.util, sys\n"
        f"print([n for n in {ABSENT!r} if importlib.util.find_spec(n)])\n"
        "try:\n    import torch\nexcept ModuleNotFoundError as e:\n    print(e)\n"
    )

    assert run(place, "-c", code).stdout == "[]\nNo module named 'torch'\n"


def test_upscale_probe_and_verify(place: Path) -> None:
    result = json.loads(
        upreel(place, "upscale", "clip.mp4", "-o", "large.mkv", "-m", "fast-x2", "--json")
    )
    assert result
    assert (place / "large.mkv").stat().st_size > 0
    assert "96x64" in upreel(place, "probe", "large.mkv")
    upreel(place, "verify", "clip.mp4", "large.mkv")


def test_compress_and_decompress(place: Path, small_codec: CodecCard) -> None:
    card = str(small_codec.folder / "drawn.json")
    upreel(place, "compress", "clip.mp4", "small.upv", "--codec", card, "--threads", "1")
    assert "3 frames" in upreel(place, "probe", "small.upv")
    told = upreel(place, "decompress", "small.upv", "back.mkv", "--codec", card, "--json")
    assert json.loads(told)["frames"] == 3


def test_codecs_are_compared_without_what_is_not_there(place: Path) -> None:
    arguments = ("--set", "clip.mp4", "--peers", "x264:fast", "--points", "2", "--json")

    values = json.loads(upreel(place, "evaluate", "--rd", *arguments))

    assert len(values["coders"][0]["points"]) == 2
    for name in ("vmaf", "vmaf_neg", "BD-rate"):
        assert "pip install 'upreel[eval]'" in values["absent"][name]


def test_models(place: Path) -> None:
    assert "fast-x2-clean" in json.loads(upreel(place, "models", "--json"))


def test_devices(place: Path) -> None:
    devices = json.loads(upreel(place, "devices", "--json"))["devices"]

    assert {device["engine"] for device in devices} == {"openvino"}


@pytest.mark.parametrize(
    "command", [[], ["benchmark"], ["evaluate"], ["train"], ["export"], ["serve"], ["play"]]
)
def test_help(place: Path, command: list[str]) -> None:
    assert "Usage: " in upreel(place, *command, "--help")


@pytest.mark.parametrize(
    ("command", "name"), [(["train", "a.py:b"], "training"), (["export", "a.ckpt"], "export")]
)
def test_commands_that_need_more_say_so_in_one_line(
    place: Path, command: list[str], name: str
) -> None:
    done = run(place, "-m", "upreel", *command)

    assert done.returncode == 1
    assert done.stderr == f"upreel: {name} needs PyTorch: pip install 'upreel[train]'\n"


def test_serving_names_its_extra_in_one_line(place: Path) -> None:
    done = run(place, "-m", "upreel", "serve", ".")

    assert done.returncode == 1
    assert done.stderr == "upreel: serving needs its extra: pip install 'upreel[serve]'\n"


def test_a_window_names_its_extra_and_playing_without_one_needs_none(place: Path) -> None:
    done = run(place, "-m", "upreel", "play", "clip.mp4")

    assert done.returncode == 1
    assert done.stderr == (
        "upreel: a window needs its extra: pip install 'upreel[play]'; --no-window plays without "
        "one\n"
    )
    upreel(place, "play", "clip.mp4", "--no-window", "--size", "96x64")


@pytest.mark.parametrize("module", ["upreel", "upreel.cli", "upreel.errors"])
def test_importing_loads_nothing_heavy(place: Path, module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "heavy = ('av', 'numpy', 'openvino', 'PIL', 'rich.progress')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    assert run(place, "-c", code).stdout == "[]\n"


def test_every_room_of_the_base_install_imports(place: Path) -> None:
    code = (
        "import importlib, pkgutil, upreel\n"
        f"for room in {ROOMS!r}:\n"
        "    package = importlib.import_module(f'upreel.{room}')\n"
        "    for module in pkgutil.iter_modules(package.__path__):\n"
        "        name = f'upreel.{room}.{module.name}'\n"
        f"        if name not in {NEED_EXTRAS!r}:\n"
        "            importlib.import_module(name)\n"
        "print('all')\n"
    )
    done = run(place, "-c", code)

    assert done.stdout == "all\n", done.stderr
