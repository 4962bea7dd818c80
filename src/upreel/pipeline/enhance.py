"""The core: frames in, larger frames out. It knows nothing of files, parts or encoders.

A live source may run it endlessly: it holds the frames of one window and those in flight.

    decoder thread --queue--> window, submit -> [network, asynchronous] -> collect --> caller

Window   a network that says ``window = (past, future)`` sees each frame with its neighbours,
         oldest first. Beyond a scene cut, or beyond the ends, the nearest frame of the same
         scene stands in: at a cut, a network of previous and current frame gets the current twice.
State    of a recurrent network is reset at each cut and at the start. It sees every frame that
         it is given, those of its context too: it warms up on them, and looks ahead.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from upreel.pipeline.channel import prefetched
from upreel.pipeline.cuts import Thumbnail, is_cut, thumbnail
from upreel.video.frame import Frame, Plane

__all__ = ["StatefulUpscaler", "Upscaler", "Window", "WindowedCard", "enhance", "windows"]

QUEUE_FRAMES = 4
"""Decoded frames held between the decoder and the network."""

IsCut = Callable[[Thumbnail, Thumbnail], bool]


class WindowedCard(Protocol):
    """What the core asks of a model's card."""

    @property
    def window(self) -> tuple[int, int]:
        """Frames that the network sees before and after the current one."""
        ...

    @property
    def state(self) -> bool:
        """Whether the network carries a state from frame to frame."""
        ...

    @property
    def context(self) -> tuple[int, int]:
        """Frames before and after a stretch of video that its answer there is made from."""
        ...


class Upscaler(Protocol):
    """An opened network: planes in, larger planes out, in order, several in flight."""

    @property
    def depth(self) -> int:
        """Windows that may be submitted before one must be collected, at least 1."""
        ...

    def submit(self, window: Sequence[tuple[Plane, ...]]) -> None:
        """Start work on the planes of `past + 1 + future` frames, oldest first."""
        ...

    def collect(self) -> tuple[Plane, ...]:
        """Wait for the oldest window submitted; its planes in the source's pixel format."""
        ...

    def drop(self) -> None:
        """Forget all windows submitted; nothing runs any more."""
        ...


class StatefulUpscaler(Upscaler, Protocol):
    """An opened recurrent network: what a card with a state is opened as."""

    def reset(self) -> None:
        """Forget the state: the next window submitted begins a scene."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A frame with the neighbours that the network sees.

    Attributes:
        frame: the frame to enhance.
        planes: of past frames, the frame itself and future frames, oldest first.
        starts_scene: whether the frame is the first of its scene.
    """

    frame: Frame
    planes: tuple[tuple[Plane, ...], ...]
    starts_scene: bool


def windows(
    frames: Iterable[Frame], past: int, future: int, *, cuts: IsCut | None = is_cut
) -> Iterator[Window]:
    """Give each frame its neighbours of the same scene.

    Args:
        frames: in display order.
        past: frames wanted before each.
        future: frames wanted after each.
        cuts: says of the thumbnails of two neighbours whether a scene begins with the second;
            None: there are no cuts.
    """
    held: deque[tuple[int, Frame]] = deque()  # (number of the scene, frame)
    position = 0  # in `held`, of the next frame to give
    scene, before = 0, None

    def window() -> Window:
        current, frame = held[position]
        same = [n for n, (number, _) in enumerate(held) if number == current]
        wanted = range(position - past, position + future + 1)
        chosen = [held[min(max(n, same[0]), same[-1])][1].planes for n in wanted]
        # The first frame held has no predecessor only at the very start.
        starts = position == 0 or held[position - 1][0] != current
        return Window(frame=frame, planes=tuple(chosen), starts_scene=starts)

    for frame in frames:
        if cuts is not None:
            small = thumbnail(frame)
            scene += before is not None and cuts(before, small)
            before = small
        held.append((scene, frame))
        if len(held) - position > future:
            yield window()
            position += 1
            if position > max(past, 1):  # one is kept to see where a scene starts
                held.popleft()
                position -= 1
    while position < len(held):
        yield window()
        position += 1


def enhance(
    frames: Iterable[Frame],
    upscaler: Upscaler,
    card: WindowedCard,
    *,
    cuts: IsCut = is_cut,
    first: int | None = None,
    stop: int | None = None,
) -> Generator[Frame, None, None]:
    """Enlarge frames, drawing them in a thread of its own while the network works.

    Output frames keep index, times, colour and all else; only the planes are new. Leaving the
    iterator early (``close``) stops the thread and waits for it.

    Args:
        frames: in display order; drawn ahead by a few.
        upscaler: an opened network with nothing in flight.
        card: says what the network sees.
        cuts: see `windows`.
        first: index of the first frame to give; earlier ones are context, None: all are given.
        stop: index after the last frame to give, None: all are given.
    """
    with prefetched(frames, size=QUEUE_FRAMES, name="upreel-decode") as ahead:
        yield from run_network(ahead, upscaler, card, cuts=cuts, first=first, stop=stop)


def run_network(
    frames: Iterable[Frame],
    upscaler: Upscaler,
    card: WindowedCard,
    *,
    cuts: IsCut = is_cut,
    first: int | None = None,
    stop: int | None = None,
) -> Generator[Frame, None, None]:
    """`enhance` without the thread, for callers that draw frames ahead themselves."""
    past, future = card.window
    temporal = card.state or past > 0 or future > 0
    in_flight: deque[Frame] = deque()

    def collect() -> Frame:
        frame = in_flight.popleft()  # first: if collecting fails, nothing is collected for it again
        return replace(frame, planes=upscaler.collect())

    def wanted(frame: Frame) -> bool:
        return (first is None or frame.index >= first) and (stop is None or frame.index < stop)

    try:
        for window in windows(frames, past, future, cuts=cuts if temporal else None):
            if not wanted(window.frame) and not card.state:
                continue
            if len(in_flight) >= upscaler.depth:
                frame = collect()
                if wanted(frame):
                    yield frame
            if card.state and window.starts_scene:
                cast("StatefulUpscaler", upscaler).reset()
            upscaler.submit(window.planes)
            in_flight.append(window.frame)
        while in_flight and (stop is None or in_flight[0].index < stop):
            frame = collect()
            if wanted(frame):
                yield frame
    finally:
        upscaler.drop()  # the network must be idle for the next caller
