"""Where results go: a folder that is seen to be writable before the work begins."""

import tempfile
from pathlib import Path

from upreel.errors import OutputError

__all__ = ["make_folder"]


def make_folder(folder: Path) -> None:
    """Make a folder where there is none, and see that a file can be written into it.

    Raises:
        OutputError: it cannot.
    """
    if folder.is_file():
        raise OutputError(f"{folder} is a file, not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
