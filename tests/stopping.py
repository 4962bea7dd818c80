"""Commands that are stopped on their way, and go on: pulling the plug, politely or not.

`Stoppable` runs ``stand_in_command`` or ``compress_command`` in a process of its own, which sends
itself a signal at a moment of the run; those modules name the moments.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import ENVIRONMENT

STOPPED = "upreel: stopped; finished parts are kept, and the same command goes on from there\n"


@dataclass(frozen=True, kw_only=True)
class Stoppable:
    """A command of which the output's name and the moment of its end are still open.

    Attributes:
        module: what is run: "stand_in_command" or "compress_command".
        environment: further variables of the process.
    """

    module: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def __call__(
        self,
        *arguments: str | Path,
        moment: str = "never:0",
        signum: signal.Signals = signal.SIGKILL,
        prepare: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run it.

        Args:
            arguments: of the command line.
            moment: ``NAME:N``, at which the process gets the signal: the N-th of that name, from 0.
            signum: the signal.
            prepare: called in the new process before the command.
        """
        return subprocess.run(
            [sys.executable, "-m", self.module, *map(str, arguments)],
            env=ENVIRONMENT | {"MOMENT": moment, "SIGNAL": signum.name} | self.environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=prepare,
        )

    def undisturbed(self, output: Path, *arguments: str | Path) -> bytes:
        """What a run that nothing stops writes to `output`."""
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return output.read_bytes()

    def check_kills(
        self, output: Path, expected: bytes, arguments: Sequence[str | Path], moments: Sequence[str]
    ) -> None:
        """Killed at one moment after the other, it must go on to the same bytes and nothing else.

        Args:
            output: what it writes, in a folder of its own.
            expected: what an undisturbed run writes.
            arguments: of the command line.
            moments: at which it is killed; each run goes on where the one before was killed.
        """
        for moment in moments:
            killed = self(*arguments, moment=moment)
            assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
            assert not output.exists() or output.read_bytes() == expected, moment
        assert self.undisturbed(output, *arguments) == expected
        assert list(output.parent.iterdir()) == [output]


def check_stopped(
    stopped: subprocess.CompletedProcess[str], signum: int, output: Path, kept: Collection[str]
) -> None:
    """A polite signal's exit code and last line; the files `kept` stay, and none that is half.

    Args:
        stopped: the run.
        signum: the signal it was sent.
        output: what it would have written.
        kept: names in its folder.
    """
    assert stopped.returncode == 128 + signum
    assert stopped.stderr.endswith(STOPPED)
    assert not output.exists()
    names = {path.name for path in (output.parent / f".{output.name}.upreel").iterdir()}
    assert names >= set(kept)
    assert not any(name.endswith(".tmp") for name in names)
