"""An engine that repeats samples, for tests of what happens around engines."""

from collections import deque

import numpy as np

from upreel.inference.engine import Batch, EngineReport
from upreel.networks.sizes import CHANNELS
from upreel.zoo import ModelCard


class RepeatingSession:
    """Enlarges the current frame by repeating samples; may run out of memory on the way.

    Args:
        card: for the scale.
        height: rows of the network's grid.
        width: columns of it.
        depth: batches that may be on their way.
        fits: positions that fit into memory; above, `fails_in` raises.
        fails_in: "open", "submit" or "wait".
    """

    def __init__(
        self,
        card: ModelCard,
        height: int,
        width: int,
        *,
        depth: int = 2,
        fits: int = 1 << 30,
        fails_in: str = "wait",
    ) -> None:
        self.scale = card.scale
        self.layout = card.layout
        self.shape = (1, height, width, CHANNELS[card.layout] * (1 + sum(card.window)))
        self.depth = depth
        self.fails_in = fails_in if height * width > fits else ""
        self.batches: list[Batch] = []
        self._running: deque[Batch] = deque()
        self._fail("open")

    def _fail(self, place: str) -> None:
        if self.fails_in == place:
            raise MemoryError(f"in {place}")

    def submit(self, batch: Batch, state: object = None) -> None:
        del state
        assert batch.shape == self.shape, f"opened for {self.shape}, got {batch.shape}"
        assert len(self._running) < self.depth
        self._fail("submit")
        self.batches.append(batch)
        self._running.append(batch)

    def wait(self) -> tuple[Batch, object]:
        self._fail("wait")
        batch = self._running.popleft()
        s = self.scale
        if self.layout == "luma":
            return batch[..., :1].repeat(s * s, axis=-1), None
        luma = batch[..., :4].reshape(*batch.shape[:3], 2, 2).repeat(s, axis=-2).repeat(s, axis=-1)
        chroma = batch[..., 4:6].repeat(s * s, axis=-1)
        return np.concatenate((luma.reshape(*batch.shape[:3], -1), chroma), axis=-1), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, object]:
        self.submit(batch, state)
        return self.wait()

    def drop(self) -> None:
        self._running.clear()

    def describe(self) -> EngineReport:
        return EngineReport(
            engine="repeating", device="none", name="", precision="exact", threads=1, reason="test"
        )
