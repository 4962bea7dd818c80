"""What the browser player's tests are made of: node, Chromium and the built page, or why not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
PLAYER = ROOT / "src" / "upreel" / "server" / "built" / "player.js"
WAIT = 600  # seconds, after which something hangs


def lacking(what: str) -> None:
    """Skip the test for want of something; in CI that is a failure."""
    if os.environ.get("CI") or os.environ.get("UPREEL_WEB") == "required":
        pytest.fail(what)
    pytest.skip(what)


def node() -> str:
    """Where node is."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        lacking("no node: apt-get install nodejs npm")
    return found or ""


def chromium() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        lacking("no Chromium: apt-get install chromium")
    return found or ""


def done(command: Sequence[str | Path], folder: Path = ROOT) -> str:
    """A command's output; the test fails with it if the command does."""
    result = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=WAIT,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@lru_cache(maxsize=1)
def built() -> Path:
    """The page and its kernels, built from what is there; returns `web/`."""
    node()
    with FileLock(ROOT / ".venv" / "web.lock"):
        done([sys.executable, ROOT / "scripts" / "build_web.py"])
    return WEB
