"""The house: sizes of files, docstrings, what may be stored, what may not be said."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("src", "tests", "recipes", "scripts", "examples", "benchmarks")
WEIGHTS = Path("src/upreel/zoo/weights")


def stored_files() -> list[Path]:
    """What git keeps, or would: relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


FILES = stored_files()
PYTHON = [path for path in FILES if path.suffix == ".py" and path.parts[0] in CODE]


def test_something_is_looked_at() -> None:
    assert len(PYTHON) > 100
    assert Path("src/upreel/__init__.py") in FILES


def test_no_source_file_is_longer_than_600_lines() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in PYTHON}

    assert {path: length for path, length in lengths.items() if length > 600} == {}


@pytest.mark.parametrize("place", ["src", "recipes", "scripts", "examples"])
def test_every_module_says_what_it_is(place: str) -> None:
    silent = [
        path
        for path in PYTHON
        if path.parts[0] == place and not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    ]

    assert silent == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in PYTHON if path.parts[0] == "src"}

    assert {folder for folder in folders if folder / "__init__.py" not in PYTHON} == set()


def test_stored_files_are_small() -> None:
    sizes = {path: (ROOT / path).stat().st_size for path in FILES}

    resumable = [path for path in FILES if path.suffix == ".ckpt"]  # the run in training
    assert len(resumable) <= 1
    assert sum(sizes[path] for path in resumable) <= 30 << 20
    kept = {p for p in FILES if WEIGHTS in p.parents} | set(resumable)
    large = {path: size for path, size in sizes.items() if size > 5 << 20 and path not in kept}
    assert large == {}
    assert sum(size for path, size in sizes.items() if WEIGHTS in path.parents) <= 30 << 20


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    places = re.compile(rb"/(home|Users|root)/[\w.]+|[A-Z]:\\\\?Users")

    found = {path: places.search((ROOT / path).read_bytes()) for path in FILES}

    assert {path: match.group() for path, match in found.items() if match} == {}


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"])
def test_nothing_is_left_undone(word: str) -> None:
    mentioned = re.compile(rf"\b{word}\b")

    assert [path for path in PYTHON if mentioned.search((ROOT / path).read_text())] == []
