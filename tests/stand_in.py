"""A network for tests that repeats samples, and the backend that opens it.

It is exact and instant, so that tests see what the pipeline does with frames and nothing else.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from upreel.pipeline.backend import UpscalerOptions
from upreel.video.frame import PixelFormat, Plane, plane_size
from upreel.zoo import FastConfig, ModelCard

Planes = tuple[Plane, ...]


@dataclass(frozen=True, kw_only=True)
class StandInCard(ModelCard):
    """A card whose window and state tests choose."""

    seen: tuple[int, int] = (0, 0)
    recurrent: bool = False

    @property
    def window(self) -> tuple[int, int]:
        return self.seen

    @property
    def state(self) -> bool:
        return self.recurrent

    @property
    def context(self) -> tuple[int, int]:
        return (16, 8) if self.recurrent else self.seen


def card(
    scale: int = 2,
    *,
    seen: tuple[int, int] = (0, 0),
    recurrent: bool = False,
    layout: Literal["packed", "luma"] = "packed",
) -> StandInCard:
    return StandInCard(
        name=f"repeat-x{scale}",
        summary="repeats samples",
        network=FastConfig(scale=scale, channels=1, depth=0, layout=layout),
        training_data=(),
        degradation="none",
        licence="Apache-2.0",
        steps=0,
        commit="",
        sha256="0" * 64,
        tolerance={"f32": 0},
        folder=Path(),
        seen=seen,
        recurrent=recurrent,
    )


@dataclass(frozen=True)
class Report:
    engine: str = "numpy"
    device: str = "cpu"
    precision: str = "f32"
    reason: str = "the only one"


@dataclass
class Repeater:
    """Repeats the samples of the current frame; a temporal one shows the mean of its window.

    With a state it adds the number of frames since the last reset to luma.

    Attributes:
        on_submit: called before each frame with its number.
    """

    card: StandInCard
    format: PixelFormat
    width: int
    height: int
    on_submit: Callable[[int], None] = lambda _number: None
    depth: int = 2
    tile: tuple[int, int] = (48, 64)
    notices: tuple[str, ...] = ()
    submitted: list[tuple[Planes, ...]] = field(default_factory=list)
    waiting: deque[Planes] = field(default_factory=deque)
    since_reset: int = 0
    collected: int = 0
    report: Report = field(default_factory=lambda: Report())

    def describe(self) -> Report:
        return self.report

    def reset(self) -> None:
        self.since_reset = 0

    def submit(self, window: Sequence[Planes]) -> None:
        assert len(self.waiting) < self.depth
        assert len(window) == 1 + sum(self.card.window)
        self.on_submit(len(self.submitted))
        self.submitted.append(tuple(window))
        self.waiting.append(self._enlarged(window))
        self.since_reset += 1

    def collect(self) -> Planes:
        self.collected += 1
        return self.waiting.popleft()

    def drop(self) -> None:
        self.waiting.clear()

    def _enlarged(self, window: Sequence[Planes]) -> Planes:
        planes: list[Plane] = []
        for number in range(self.format.num_planes):
            stack = np.stack([planes_of[number] for planes_of in window]).astype(np.uint32)
            mean = (stack.sum(axis=0) // len(window)).astype(self.format.dtype)
            if self.card.state and number == 0:
                mean = mean + self.format.dtype.type(self.since_reset)
            rows, columns = plane_size(self.format, number, width=self.width, height=self.height)
            y = np.arange(rows) * mean.shape[0] // rows
            x = np.arange(columns) * mean.shape[1] // columns
            planes.append(mean[y[:, None], x[None, :]])
        return tuple(planes)


@dataclass
class StandIn:
    """A backend whose every model repeats samples."""

    seen: tuple[int, int] = (0, 0)
    recurrent: bool = False
    on_submit: Callable[[int], None] = lambda _number: None
    opened: list[Repeater] = field(default_factory=list)
    tiles: list[int | tuple[int, int] | None] = field(default_factory=list)
    layout: Literal["packed", "luma"] = "packed"
    ensembles: list[bool] = field(default_factory=list)

    def load_card(self, name: str) -> StandInCard:
        scale = int(name[-1]) if name[-1].isdigit() else 2
        return card(scale, seen=self.seen, recurrent=self.recurrent, layout=self.layout)

    def open(
        self, card: ModelCard, *, self_ensemble: bool, **options: Unpack[UpscalerOptions]
    ) -> Repeater:
        assert isinstance(card, StandInCard)
        tile, whole = options["tile"], (options["height"], options["width"])
        self.tiles.append(tile)
        self.ensembles.append(self_ensemble)
        repeater = Repeater(
            card=card,
            format=options["pixel_format"],
            width=options["output_size"][0],
            height=options["output_size"][1],
            on_submit=self.on_submit,
            tile=(tile, tile) if isinstance(tile, int) else tile or whole,
        )
        self.opened.append(repeater)
        return repeater
