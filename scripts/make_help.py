"""Write docs/help.md: what every command says with --help. A test checks that it is current."""

import os
import sys
from pathlib import Path

os.environ |= {"COLUMNS": "90", "TERMINAL_WIDTH": "90", "NO_COLOR": "1"}

from typer.testing import CliRunner  # the width is read when it is imported

from upreel.cli import app

PLACE = Path(__file__).parent.parent / "docs" / "help.md"


def help_text() -> str:
    """The whole page."""
    runner = CliRunner()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    page = ["# Commands", "", "Made by `python scripts/make_help.py`.", ""]
    for words in ([], *([name] for name in names)):
        result = runner.invoke(app, [*words, "--help"], prog_name="upreel")
        text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        page += [f"## {' '.join(['upreel', *words])}", "", "```", text, "```", ""]
    return "\n".join(page)


if __name__ == "__main__":
    PLACE.parent.mkdir(exist_ok=True)
    if PLACE.exists() and PLACE.read_text(encoding="utf-8") == help_text():
        sys.exit(0)
    PLACE.write_text(help_text(), encoding="utf-8")
    print(f"wrote {PLACE}")
