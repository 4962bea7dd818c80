"""The cells of a small recurrent network by PyTorch, and clips for them: no file, no engine."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch  # noqa: TID253
from small_cards import CONFIGS, random_network

from upreel.inference import RecurrentUpscaler
from upreel.inference.engine import Cells, EngineReport, Values
from upreel.inference.picture import Planes
from upreel.networks.recurrent import RecurrentNetwork
from upreel.zoo import ModelCard

WIDTH, HEIGHT = 45, 37  # no multiples of anything
CARD = ModelCard(
    name="recurrent", summary="", network=CONFIGS["recurrent"], training_data=(), degradation="",
    licence="", steps=0, commit="", sha256="", tolerance={"f32": 1.0},
)  # fmt: skip
FUSING = replace(CARD, name="recurrent-fused", network=CONFIGS["recurrent-fused"])
"""Its first answers are those of windows."""


class TorchCells:
    """The cells by PyTorch, without any file; runs out of memory where a test wants it to."""

    def __init__(
        self, fails: Callable[[int], bool] = lambda _call: False, name: str = "recurrent"
    ) -> None:
        network = random_network(name)
        assert isinstance(network, RecurrentNetwork)
        self.cells = network.cells()
        self.fails = fails
        self.opened: list[tuple[int, int]] = []
        self.calls = 0

    def open(self, _card: ModelCard, height: int, width: int, **_options: object) -> Cells:
        self.opened.append((height, width))
        return self

    def run(self, cell: str, *inputs: Values) -> tuple[Values, ...]:
        self.calls += 1
        if self.fails(self.calls):
            raise MemoryError("no more")
        with torch.no_grad():
            given = [torch.from_numpy(values) for values in inputs]
            outputs = self.cells[cell](*given)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.numpy() for output in outputs)

    def describe(self) -> EngineReport:
        raise AssertionError


def moving(count: int, *, seed: int = 0, width: int = WIDTH) -> list[Planes]:
    """Soft random grey pictures that move by half a pixel a frame."""
    y, x = np.mgrid[:HEIGHT, :width]
    phases = np.random.default_rng(seed).uniform(0, 6, 4)
    return [
        (np.rint(255 * (0.5 + 0.1 * sum(_waves(y, x + 0.5 * t, phases)))).astype(np.uint8),)
        for t in range(count)
    ]


def _waves(y: np.ndarray, x: np.ndarray, phases: np.ndarray) -> list[np.ndarray]:
    return [
        np.sin((0.2 + 0.15 * k) * x + (0.5 - 0.1 * k) * y + phase) for k, phase in enumerate(phases)
    ]


def enlarged(made: RecurrentUpscaler, scenes: Sequence[Sequence[Planes]]) -> list[Planes]:
    """All frames, as many as possible in flight."""
    found: list[Planes] = []
    waiting = 0
    for scene in scenes:
        made.reset()
        for planes in scene:
            if waiting == made.depth:
                found.append(made.collect())
                waiting -= 1
            made.submit([planes])
            waiting += 1
    return found + [made.collect() for _ in range(waiting)]
