"""Running this project in processes of their own, from the tree as it is."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TESTS = Path(__file__).parent
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join((str(_TESTS.parent / "src"), str(_TESTS))),
    "PYTHONWARNINGS": "error",
}


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code with `arguments` in ``sys.argv[1:]``."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def run_upreel(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "upreel", *arguments],
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        check=False,
    )


def lines(text: str | Sequence[str]) -> list[str]:
    """Lines that are not empty."""
    return [line for line in (text.splitlines() if isinstance(text, str) else text) if line]
