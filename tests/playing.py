"""What the tests of the player have in common: networks that repeat samples, what was shown."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from clips import AudioTrack, SubtitleTrack, shown_number, write_clip

from upreel.player import PlayConfig, play
from upreel.player.commands import Command
from upreel.player.presenter import HeadlessPresenter, View
from upreel.player.rungs import KnownSpeed
from upreel.player.shelf import Picture
from upreel.player.stats import Statistics
from upreel.video.frame import PixelFormat, Plane
from upreel.zoo import ModelCard

Planes = tuple[Plane, ...]


class Repeating:
    """A network that repeats samples; busy for as long as it is told to be."""

    depth = 2

    def __init__(self, card: ModelCard, busy: Callable[[], float]) -> None:
        self._scale = card.scale
        self._busy = busy
        self._waiting: list[Planes] = []

    def submit(self, window: Sequence[Planes]) -> None:
        self._waiting.append(window[-1])

    def collect(self) -> Planes:
        until = time.monotonic() + self._busy()
        while time.monotonic() < until:
            pass
        scale = self._scale
        planes = self._waiting.pop(0)
        return tuple(p.repeat(scale, axis=0).repeat(scale, axis=1) for p in planes)

    def drop(self) -> None:
        self._waiting.clear()

    def reset(self) -> None:
        """A scene begins, which changes nothing here."""


def repeating(busy: Callable[[], float] = lambda: 0.0) -> Callable[..., Repeating]:
    """What opens such networks, whatever the card."""

    def opened(card: ModelCard, *, pixel_format: PixelFormat, width: int, height: int) -> Repeating:
        del pixel_format, width, height
        return Repeating(card, busy)

    return opened


@dataclass
class Shown:
    """What was shown: for each picture its number, its time, its planes' rows, its view."""

    numbers: list[int] = field(default_factory=list[int])
    times: list[float] = field(default_factory=list[float])
    rows: list[int] = field(default_factory=list[int])
    rungs: list[str] = field(default_factory=list[str])
    views: list[View] = field(default_factory=list[View])
    told: list[str] = field(default_factory=list[str])
    titles: tuple[Statistics, ...] = ()
    seen_at: dict[int, float] = field(default_factory=dict[int, float])

    def see(self, picture: Picture | None, view: View) -> None:
        if picture is None:
            return
        self.numbers.append(shown_number(picture.frame.planes[0]))
        self.seen_at[self.numbers[-1]] = time.monotonic()
        self.times.append(picture.media)
        self.rows.append(picture.planes[0].shape[0])
        self.rungs.append(picture.rung)
        self.views.append(view)

    @property
    def stats(self) -> Statistics:
        (only,) = self.titles
        return only


def watch(
    *sources: Path | str,
    script: Sequence[tuple[float, Command]] = (),
    size: tuple[int, int] = (128, 96),
    busy: Callable[[], float] = lambda: 0.0,
    seen_at: dict[int, float] | None = None,
    known: KnownSpeed | None = None,
    **options: object,
) -> Shown:
    """Play without a window, with networks that repeat samples."""
    shown = Shown(seen_at={} if seen_at is None else seen_at)
    presenter = HeadlessPresenter(size, script=script, seen=shown.see)
    config = PlayConfig(sources=tuple(str(source) for source in sources), **options)  # type: ignore[arg-type]
    played = play(config, presenter, opened=repeating(busy), known=known, told=shown.told.append)
    shown.titles = played.titles
    return shown


def clip(path: Path, *, count: int = 50, sound: bool = True, captions: bool = False) -> Path:
    """A clip of 25 pictures a second with a key frame every ten."""
    seconds = Fraction(count, 25)
    lines = [(Fraction(n), n + Fraction(1, 2), f"word {n}") for n in range(int(seconds))]
    return write_clip(
        path, count=count,
        options={"g": "10", "keyint_min": "10", "bf": "2", "sc_threshold": "0"},
        audio=[AudioTrack(seconds=seconds)] if sound else [],
        subtitles=[SubtitleTrack(lines=lines)] if captions else [],
    )  # fmt: skip
