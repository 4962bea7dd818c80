"""What can be done to a picture to fill a screen, from the best to the cheapest.

Each rung answers at the size asked for, so that whoever shows pictures need not know which one made
them. Networks come from `upreel.inference`; what they lack or overshoot in size, and the chroma of
networks of luma, is made by FFmpeg's Lanczos with its siting kept.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from upreel.errors import OptionError
from upreel.inference import upscaler_of
from upreel.inference.kinds import CardUpscaler, StatefulUpscaler
from upreel.pipeline.calibrate import remembered_fps
from upreel.pipeline.cuts import is_cut, plane_thumbnail
from upreel.pipeline.enhance import Upscaler
from upreel.video.display import DISPLAY, SitedScaler
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, PixelFormat, Plane
from upreel.zoo import ModelCard, ladder, load_card, name_at_scale

__all__ = [
    "FAST",
    "LANCZOS",
    "KnownSpeed",
    "LanczosRung",
    "NetworkRung",
    "OpenNetwork",
    "Rung",
    "cards_for",
    "fitted_size",
    "open_network",
    "pictures_before",
    "remembered_speed",
]

LANCZOS = "lanczos"
"""The name of what needs no network."""

FAST = ("live-x4", *(name for scale in (4, 3, 2) for name in ladder("fast", scale)))
"""What is chosen from where no model is asked for: the more times larger, the dearer; at x4 the one
that carries its answer on is the dearest and the best."""

_GRAY = pixel_format("gray")
_LEFT = Colour(chroma_location=1)
Planes = tuple[Plane, ...]


class Rung(Protocol):
    """One way to enlarge a picture; several may be under way at once."""

    name: str
    past: int
    depth: int

    def fit(self, size: tuple[int, int]) -> None:
        """From now on answer at another size; nothing is under way."""
        ...

    def submit(self, window: Sequence[Planes]) -> None:
        """Start on the last of some pictures of `DISPLAY`, `past` before it."""
        ...

    def collect(self) -> Planes:
        """The oldest one submitted, at the size asked for."""
        ...

    def drop(self) -> None:
        """Forget all that was submitted."""
        ...

    def describe(self) -> str:
        """What runs it, one line."""
        ...


class LanczosRung:
    """No network.

    Args:
        width: columns of luma, in.
        height: rows of luma, in.
        size: columns and rows, out.
    """

    name = LANCZOS
    past = 0
    depth = 1

    def __init__(self, width: int, height: int, size: tuple[int, int]) -> None:
        self._size = (width, height)
        self._waiting: deque[Planes] = deque()
        self.fit(size)

    def fit(self, size: tuple[int, int]) -> None:
        """See `Rung`."""
        self._scaler = SitedScaler(*self._size, size)

    def submit(self, window: Sequence[Planes]) -> None:
        """See `Rung`."""
        self._waiting.append(window[-1])

    def collect(self) -> Planes:
        """See `Rung`."""
        return self._scaler(self._waiting.popleft())

    def drop(self) -> None:
        """See `Rung`."""
        self._waiting.clear()

    def describe(self) -> str:
        """See `Rung`."""
        return "FFmpeg's scaler"


class OpenNetwork(Protocol):
    """Opens a network for pictures of one size; tests hand over stand-ins."""

    def __call__(
        self, card: ModelCard, *, pixel_format: PixelFormat, width: int, height: int
    ) -> Upscaler:
        """The network of that card."""
        ...


def open_network(device: str = "auto", precision: str = "auto", threads: int = 0) -> OpenNetwork:
    """What opens networks with these options of `upreel.inference.base.PictureUpscaler`."""

    def opened(
        card: ModelCard, *, pixel_format: PixelFormat, width: int, height: int
    ) -> CardUpscaler:
        return upscaler_of(card)(
            card,
            pixel_format=pixel_format,
            colour=_LEFT,
            width=width,
            height=height,
            device=device,
            precision=precision,
            threads=threads,
        )

    return opened


KnownSpeed = Callable[[ModelCard, int, int], float | None]
"""Milliseconds that a network takes for a picture of some columns and rows; None: nobody knows."""


def remembered_speed(device: str = "auto", precision: str = "auto", threads: int = 0) -> KnownSpeed:
    """What ``upreel upscale -m fast`` measured on this machine with these options.

    It was given files of 4:2:0 in 8 bits there, as screens are here; networks of luma made the
    chroma as well.
    """

    def known(card: ModelCard, width: int, height: int) -> float | None:
        fps = remembered_fps(
            card,
            pixel_format=DISPLAY,
            width=width,
            height=height,
            device=device,
            precision=precision,
            threads=threads,
        )
        return None if not fps else 1000 / fps

    return known


def pictures_before(card: ModelCard) -> int:
    """Pictures that a network wants to see before the current one.

    One that carries a state wants the one before only to know whether a scene begins.
    """
    return 1 if card.state else card.window[0]


class NetworkRung:
    """A network, and what it needs around it.

    One that carries a state goes on from the picture that it was given last, shown or not. It
    begins anew where a window begins with its own picture, as it does at cuts and behind seeks, and
    over pictures that it was not given where these two are of different scenes: the one that the
    scene began with may be among those.

    Args:
        card: the model; it sees no later pictures.
        width: columns of luma, in.
        height: rows of luma, in.
        size: columns and rows, out.
        opened: opens the network.

    Attributes:
        scales_on: whether its answer is not of the size asked for yet.
    """

    def __init__(
        self,
        card: ModelCard,
        width: int,
        height: int,
        size: tuple[int, int],
        *,
        opened: OpenNetwork,
    ) -> None:
        self.name = card.name
        self.past = pictures_before(card)
        self._carries = card.state
        self._given: Planes = ()  # to a network that carries a state, the last picture
        self._luma = card.layout == "luma"
        fmt = _GRAY if self._luma else DISPLAY
        self._network = opened(card, pixel_format=fmt, width=width, height=height)
        self.depth = self._network.depth
        self._large = (card.scale * width, card.scale * height)
        self._chroma = SitedScaler(width, height, self._large) if self._luma else None
        self._waiting: deque[Planes] = deque()
        self.fit(size)

    def fit(self, size: tuple[int, int]) -> None:
        """See `Rung`."""
        self._last = SitedScaler(*self._large, size)
        self.scales_on = size != self._large

    def submit(self, window: Sequence[Planes]) -> None:
        """See `Rung`."""
        seen = window[len(window) - 1 - self.past :]
        if self._carries:
            if self._begins_scene(*seen):
                cast("StatefulUpscaler", self._network).reset()
            self._given = seen[-1]
            seen = seen[-1:]
        self._network.submit([planes[:1] for planes in seen] if self._luma else seen)
        self._waiting.append(window[-1])

    def _begins_scene(self, before: Planes, current: Planes) -> bool:
        """Whether a scene began with a picture, or since the one that was given last."""
        given = self._given
        if before is current or not given:
            return True
        if given is before:
            return False
        small = (plane_thumbnail(planes[0], DISPLAY.max_value) for planes in (given, current))
        return is_cut(*small)

    def collect(self) -> Planes:
        """See `Rung`."""
        source = self._waiting[0]
        chroma = self._chroma(source)[1:] if self._chroma is not None else ()
        planes = (*self._network.collect(), *chroma)
        self._waiting.popleft()
        return self._last(planes)

    def drop(self) -> None:
        """See `Rung`."""
        self._waiting.clear()
        self._given = ()
        self._network.drop()

    def describe(self) -> str:
        """See `Rung`."""
        describe = getattr(self._network, "describe", None)
        if describe is None:
            return "?"
        report = describe()
        return f"{report.engine} {report.device} {report.precision}"


def cards_for(
    model: str | None, source: tuple[int, int], size: tuple[int, int]
) -> tuple[ModelCard, ...]:
    """The networks for enlarging pictures of one size to another, best first.

    Args:
        model: one that is asked for, a family, or "lanczos"; None: the fast family.
        source: columns and rows of luma, in.
        size: columns and rows, out.

    Returns:
        Of the fast family all scales up to the least that reaches `size`; none if the source is
        as large; of a model asked for, that one.

    Raises:
        ModelError: no such model.
        OptionError: a model that sees later pictures.
    """
    if model == LANCZOS:
        return ()
    if model is None or model == "fast":
        wanted = max(size[0] / source[0], size[1] / source[1])
        if wanted <= 1:
            return ()
        cards = [load_card(name) for name in FAST]
        reaching = [card.scale for card in cards if card.scale >= wanted]
        most = min(reaching, default=cards[0].scale)
        return tuple(card for card in cards if card.scale <= most)
    card = load_card(name_at_scale(model, None))
    if card.context[1]:
        raise OptionError(
            f"{card.name} sees {card.context[1]} later pictures, which takes too long to play; "
            f"there are: {', '.join(FAST)} and "
            f"other models of past pictures, or {LANCZOS}"
        )
    return (card,)


def fitted_size(width: int, height: int, aspect: float, room: tuple[int, int]) -> tuple[int, int]:
    """The largest size of a picture's shape in a room, even numbers.

    Args:
        width: columns of luma of the source.
        height: rows of luma of the source.
        aspect: width of a sample over its height.
        room: columns and rows that there are.

    Example:
        >>> fitted_size(480, 270, 1.0, (1920, 1200)), fitted_size(720, 576, 16 / 15, (100, 100))
        ((1920, 1080), (100, 74))
    """
    shape = width * aspect / height
    columns, rows = room
    if columns / rows > shape:
        columns = round(rows * shape)
    else:
        rows = round(columns / shape)
    return max(columns // 2 * 2, 2), max(rows // 2 * 2, 2)
