"""What is to be played and how, and how that ended."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from upreel.errors import OptionError
from upreel.player.stats import Statistics

__all__ = ["MOST_RECONNECT", "PlayConfig", "Played"]

MOST_RECONNECT = 86_400
"""Seconds for which a source that broke off is tried again at most: a day."""


@dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """What is played, and how.

    Attributes:
        sources: files, addresses, ``/dev/videoN``, "-".
        model: a model, a family, or "lanczos"; None: the fast family.
        device: that networks run on.
        precision: that they run in.
        threads: of the engine, 0 for all that this process may use.
        start: seconds from the start at which the first title begins.
        seconds: that each title is played at most, None for all of it.
        live: play with as little delay as possible; None: where the source says so.
        rows: of a source of several sizes, see `Playback`.
        reconnect: seconds for which a source on the network, or a camera, that broke off is tried
            again, 0 for not at all.
        sound_track: of the first title, by number from 1 or language; None: the first. Those that
            follow have that language, too, where they can.
        caption_track: likewise, of subtitles.
        sound: whether there is sound.
        captions: whether subtitles are shown at first.
        volume: at first, from 0 to 1.
        compare: whether the slider is there at first.
        overlay: whether statistics are shown at first.
        screenshots: folder for them.
        codec: of .upv files: a codec's name, or the path of its card; None: what they name.

    Raises:
        OptionError: a value that cannot be.
    """

    sources: tuple[str, ...]
    model: str | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    start: Fraction = Fraction(0)
    seconds: float | None = None
    live: bool | None = None
    rows: int | None = None
    reconnect: float = 30.0
    sound_track: str | None = None
    caption_track: str | None = None
    sound: bool = True
    captions: bool = True
    volume: float = 1.0
    compare: bool = False
    overlay: bool = False
    codec: str | None = None
    screenshots: Path = Path()

    def __post_init__(self) -> None:
        if not self.sources:
            raise OptionError("nothing to play: give a file, an address, /dev/videoN or -")
        if not 0 <= self.volume <= 1:
            raise OptionError(f"the volume is from 0 to 1, got {self.volume:g}")
        if not 0 <= self.reconnect <= MOST_RECONNECT:
            raise OptionError(
                f"reconnect is from 0 to {MOST_RECONNECT} seconds, got {self.reconnect:g}"
            )
        if self.start < 0 or (self.seconds is not None and self.seconds <= 0):
            raise OptionError(
                f"start must not be below 0 and seconds above, got {float(self.start):g} and "
                f"{self.seconds}"
            )


@dataclass(frozen=True, kw_only=True)
class Played:
    """How playing ended.

    Attributes:
        titles: what each showing came to.
        errors: of titles that could not be played, one line each.
    """

    titles: tuple[Statistics, ...]
    errors: tuple[str, ...]
