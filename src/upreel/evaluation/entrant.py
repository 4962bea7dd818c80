"""Who enters the benchmark against peers, as a process of its own can open it, too.

    python -m upreel.evaluation.entrant CLIP SCALE ENTRANT

runs one alone over a clip and prints nothing: what it takes is what its process took.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from upreel.evaluation.clips import Clip, read_clip
from upreel.evaluation.contestants import Contestant, EngineOptions, open_contestant
from upreel.pipeline.backend import Backend, DefaultBackend

__all__ = ["Entrant", "command_alone", "enhance_task", "run_alone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """One row of the table.

    Attributes:
        label: what the table calls it.
        name: what `open_contestant` calls it.
        precision: of its arithmetic, "auto" where there is no choice.
        weights: folder of OpenCV's files, "" for none.
        threads: of the engine, 0 for as many as there are cores.
    """

    label: str
    name: str
    precision: str = "auto"
    weights: str = ""
    threads: int = 0

    def open(self, scale: int, backend: Backend | None = None) -> Contestant:
        """The contestant that it is.

        Raises:
            UpreelError: it cannot run here.
        """
        options = EngineOptions(
            device="cpu",
            precision=self.precision,
            threads=self.threads,
            weights=Path(self.weights) if self.weights else None,
        )
        return open_contestant(self.name, scale, options, backend or DefaultBackend())


def enhance_task(contestant: Contestant, clip: Clip, scale: int) -> Callable[[], int]:
    """All frames of a clip through a contestant; each is let go of at once."""
    return lambda: sum(1 for _ in contestant.enhance(clip, scale))


def command_alone(entrant: Entrant, clip: Path, scale: int) -> list[str]:
    """The command that runs one alone."""
    words = [str(clip), str(scale), json.dumps(asdict(entrant))]
    return [sys.executable, "-m", "upreel.evaluation.entrant", *words]


def run_alone(clip: str, scale: str, entrant: str) -> None:
    """What `command_alone` starts.

    Args:
        clip: its low-resolution file.
        scale: a number.
        entrant: as JSON.
    """
    alone = Entrant(**json.loads(entrant))
    contestant = alone.open(int(scale))
    low = read_clip(Path(clip))
    contestant.prepare(low)
    enhance_task(contestant, low, int(scale))()


if __name__ == "__main__":
    run_alone(*sys.argv[1:])
