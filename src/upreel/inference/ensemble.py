"""Self-ensemble: the mean of what a network answers to a picture turned over in all eight ways.

A picture is mirrored, turned upside down and transposed in every combination, each is answered,
turned back, and the answers are averaged ("enhanced prediction", Timofte et al., CVPR 2016,
section 2.4). It costs eight times the arithmetic, and is the network's score no more. Luma
alone: chroma is sited left of it, so networks of packed planes cannot be asked.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import cast

import numpy as np

from upreel.errors import OptionError
from upreel.inference.engine import EngineReport
from upreel.inference.kinds import CardUpscaler, StatefulUpscaler, upscaler_of
from upreel.inference.picture import PictureForm, Planes
from upreel.inference.tiles import memory_available
from upreel.inference.upscaler import PlaneUpscaler
from upreel.video.frame import Colour, PixelFormat, Plane
from upreel.zoo import ModelCard, card_names, load_card

__all__ = ["EnsembleUpscaler", "check_ensemble"]

_WAYS = tuple(product((False, True), repeat=3))


@dataclass(frozen=True, kw_only=True)
class _Way:
    """One way to turn a picture over, and the network that is opened for it.

    Attributes:
        transposes: rows become columns, before all else.
        flips: rows are turned upside down.
        mirrors: columns are mirrored.
        member: the network.
    """

    transposes: bool
    flips: bool
    mirrors: bool
    member: CardUpscaler

    def turned(self, plane: Plane) -> Plane:
        """There."""
        plane = plane.T if self.transposes else plane
        return cast("Plane", np.ascontiguousarray(self._reversed(plane)))

    def turned_back(self, plane: Plane) -> Plane:
        """And back."""
        plane = self._reversed(plane)
        return plane.T if self.transposes else plane

    def _reversed(self, plane: Plane) -> Plane:
        return plane[:: -1 if self.flips else 1, :: -1 if self.mirrors else 1]


def check_ensemble(card: ModelCard) -> None:
    """Refuse networks that cannot be asked about a picture turned over.

    Raises:
        OptionError: it is one of packed planes, or its answers are not centred on the frame.
    """
    reason = ""
    if card.layout != "luma":
        reason = "it sees chroma, whose samples lie left of luma's"
    elif card.network.answer_phase != "centred":
        reason = "its answers begin on the frame's first sample, and turned over on the last one"
    if reason:
        others = (load_card(name) for name in card_names())
        can = [c.name for c in others if c.layout == "luma" and c.scale == card.scale]
        raise OptionError(
            f"{card.name} cannot be asked about a picture turned over: {reason}; "
            f"of x{card.scale} these can: {', '.join(can) or 'none'}"
        )


class EnsembleUpscaler:
    """Upscalers that are asked one after the other; see `PictureUpscaler` for all else.

    Args:
        card: the model, of luma.
        pixel_format: of the planes, in and out.
        colour: its chroma location is respected.
        width: columns of luma, in.
        height: rows of luma, in.
        output_size: (width, height) out; None for `card.scale` times the input.
        tile: largest luma rows and columns of a tile, a pair for those chosen before; None lets
            `memory_limit` decide.
        memory_limit: bytes that all networks may use; None for half of what is available.
        options: device, precision and threads, and what tests hand over.

    Raises:
        OptionError: a network of packed planes, a tile or an output size that cannot be.
        OutOfMemoryError: the smallest tile does not fit into a network's share of it.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        pixel_format: PixelFormat,
        colour: Colour,
        width: int,
        height: int,
        output_size: tuple[int, int] | None = None,
        tile: int | tuple[int, int] | None = None,
        memory_limit: int | None = None,
        **options: object,
    ) -> None:
        check_ensemble(card)
        self.card = card
        self._form = PictureForm(
            card,
            pixel_format=pixel_format,
            colour=colour,
            width=width,
            height=height,
            output_size=output_size,
        )
        limit = memory_available() // 2 if memory_limit is None else memory_limit
        bits = self._form.bits
        opened = cast("Callable[..., CardUpscaler]", upscaler_of(card))

        # A network that carries a state, or keeps answers to frames, goes along with one way alone.
        shares = not card.state and not card.network.each_frame

        def network(*, transposes: bool, tile: int | tuple[int, int] | None) -> CardUpscaler:
            rows, columns = (width, height) if transposes else (height, width)
            return opened(
                card,
                pixel_format=PixelFormat(
                    name="gray" if bits == 8 else f"gray{bits}le", model="gray", bits=bits
                ),
                colour=colour,
                width=columns,
                height=rows,
                tile=tile,
                memory_limit=limit // (2 if shares else len(_WAYS)),
                **options,
            )

        self._ways: list[_Way] = []
        shared: dict[bool, CardUpscaler] = {}  # by whether the picture is transposed
        for transposes, flips, mirrors in _WAYS:
            # What the first one chose, or was given, is the others' too: where it is cut may show.
            chosen = self._ways[0].member.tile if self._ways else tile
            if isinstance(chosen, tuple) and transposes:
                chosen = chosen[1], chosen[0]
            member = shared.get(transposes) or network(transposes=transposes, tile=chosen)
            if shares:
                shared[transposes] = member
            self._ways.append(
                _Way(transposes=transposes, flips=flips, mirrors=mirrors, member=member)
            )
        self._waiting: deque[tuple[Planes, list[Plane]]] = deque()  # the frame, luma of its window

    @property
    def depth(self) -> int:
        """Frames that may be submitted before one must be collected."""
        return self._ways[0].member.depth

    @property
    def tile(self) -> tuple[int, int]:
        """Luma rows and columns that a network sees at once, without margins: the smallest."""
        smallest = min(self._ways, key=lambda way: way.member.tile[0] * way.member.tile[1])
        rows, columns = smallest.member.tile
        return (columns, rows) if smallest.transposes else (rows, columns)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know, each line once."""
        return tuple(dict.fromkeys(line for way in self._ways for line in way.member.notices))

    def describe(self) -> EngineReport:
        """What runs, and why."""
        return self._ways[0].member.describe()

    def reset(self) -> None:
        """The next frame submitted begins a scene."""
        for way in self._ways:
            cast("StatefulUpscaler", way.member).reset()

    def submit(self, window: Sequence[Planes]) -> None:
        """Take a frame; nothing is computed before it is collected.

        Args:
            window: planes of the frames that the card's window names, in time's order.
        """
        assert len(self._waiting) < self.depth, "collect() before the next submit()"
        lumas = [self._form.network_planes(planes)[0] for planes in window]
        self._waiting.append((window[self.card.window[0]], lumas))
        if self.card.state:
            for way in self._ways:
                way.member.submit([(way.turned(luma),) for luma in lumas])

    def collect(self) -> Planes:
        """The oldest submitted frame, upscaled: planes in the same format.

        Raises:
            OutOfMemoryError: the smallest tile does not fit into memory.
        """
        source, lumas = self._waiting[0]
        total = np.zeros(self._form.empty_answer()[0].shape, np.uint32)
        for way in self._ways:
            if isinstance(way.member, PlaneUpscaler):
                way.member.submit([(way.turned(luma),) for luma in lumas])
            (answer,) = way.member.collect()
            total += way.turned_back(answer)
        self._waiting.popleft()
        count = len(self._ways)
        mean = ((total + count // 2) // count).astype(self._form.dtype)
        return self._form.finish(source, (cast("Plane", mean),))

    def drop(self) -> None:
        """Forget all that was submitted."""
        self._waiting.clear()
        for way in self._ways:
            way.member.drop()
