"""Peak memory of a command: what it took, not what its parent holds."""

import subprocess
import sys

import pytest

from upreel.errors import UpreelError
from upreel.evaluation.memory import peak_of_command

MIB = 1 << 20


def test_the_peak_is_the_commands_own() -> None:
    hold = "x = b'1' * (60 << 20); del x"

    small = peak_of_command([sys.executable, "-c", "pass"])
    large = peak_of_command([sys.executable, "-c", hold])

    assert 55 * MIB < large - small < 70 * MIB


def test_a_large_parent_does_not_count() -> None:
    # In a process of its own, so that this one stays small.
    code = (
        "import sys; held = b'1' * (200 << 20);"
        "from upreel.evaluation.memory import peak_of_command;"
        "print(peak_of_command([sys.executable, '-c', 'pass']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 100 * MIB


def test_a_failing_command_gives_its_last_line() -> None:
    command = [sys.executable, "-c", "import sys; print('a\\nb', file=sys.stderr); sys.exit(3)"]

    with pytest.raises(UpreelError, match=r"failed: b$"):
        peak_of_command(command)
