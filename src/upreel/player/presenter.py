"""Where pictures and sound go: a window, or nowhere at the same pace. What both have in common.

All of a presenter is used by the main thread alone, its sound device too.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from upreel.player.commands import Command
from upreel.player.shelf import Picture
from upreel.video.pieces import SOUND_RATE

__all__ = [
    "HeadlessPresenter",
    "Presenter",
    "Samples",
    "SilentSound",
    "SoundDevice",
    "TappedSound",
    "View",
]

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What is to be seen beside the picture.

    Attributes:
        title: of the window.
        aspect: width of a sample of the source over its height.
        rotation: degrees counter-clockwise that pictures are turned by.
        compare: where the plain picture ends, as a share of the width; None: no slider.
        rung: what made the picture, to be told beside the slider.
        overlay: lines of statistics, none: no overlay.
        caption: words of a subtitle, "" for none.
        message: a word about what was just done, "" for none.
        full_screen: whether the window takes all of the screen.
    """

    title: str = ""
    aspect: float = 1.0
    rotation: int = 0
    compare: float | None = None
    rung: str = ""
    overlay: tuple[str, ...] = ()
    caption: str = ""
    message: str = ""
    full_screen: bool = False


class SoundDevice(Protocol):
    """Plays what is queued, in order, at `SOUND_RATE`."""

    @property
    def queued(self) -> float:
        """Seconds that are queued and not heard yet, the device's own delay counted."""
        ...

    def queue(self, samples: Samples, media: float) -> None:
        """Add float32 (N, 2), whose media time this is."""
        ...

    def play(self) -> None:
        """Begin, or go on."""
        ...

    def pause(self) -> None:
        """Hold what is queued."""
        ...

    def clear(self) -> None:
        """Throw away what is queued."""
        ...

    def close(self) -> None:
        """No more sound."""
        ...


class Presenter(Protocol):
    """Shows pictures."""

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows that there are for a picture."""
        ...

    def open_sound(self) -> SoundDevice | None:
        """Where sound goes; None: there is none, the reason is in `notices`."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What the viewer should know."""
        ...

    def commands(self, media: float) -> Sequence[Command]:
        """What the viewer asked for since last time."""
        ...

    def show(self, picture: Picture | None, view: View) -> None:
        """Put a picture on the screen; None: the same one, with another view."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep, but not through what the viewer does."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class SilentSound:
    """A sound device without a loudspeaker that takes samples as fast as one would.

    Args:
        wall: a steady clock in seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._queued = 0.0  # seconds at `_since`, or now where it does not play
        self._since: float | None = None
        self.heard = 0.0

    @property
    def queued(self) -> float:
        """See `SoundDevice`."""
        if self._since is not None:
            now = self._wall()
            passed = min(now - self._since, self._queued)
            self.heard += passed
            self._queued -= passed
            self._since = now
        return self._queued

    def queue(self, samples: Samples, media: float) -> None:
        """See `SoundDevice`."""
        del media
        self._queued = self.queued + len(samples) / SOUND_RATE

    def play(self) -> None:
        """See `SoundDevice`."""
        if self._since is None:
            self._since = self._wall()

    def pause(self) -> None:
        """See `SoundDevice`."""
        self._queued = self.queued
        self._since = None

    def clear(self) -> None:
        """See `SoundDevice`."""
        self._queued = 0.0

    def close(self) -> None:
        """See `SoundDevice`."""


class TappedSound(SilentSound):
    """A sound device that nobody hears, and that passes on what it is given.

    Args:
        passed: told samples and their media time.
    """

    def __init__(self, passed: Callable[[Samples, float], None]) -> None:
        super().__init__()
        self._passed = passed

    def queue(self, samples: Samples, media: float) -> None:
        """See `SoundDevice`."""
        super().queue(samples, media)
        self._passed(samples, media)


class HeadlessPresenter:
    """Shows nothing, on time.

    Args:
        size: columns and rows of the screen that there is not.
        script: commands, each with the media time in seconds at which it is given.
        seen: told of every picture and the view that it is shown with.
    """

    def __init__(
        self,
        size: tuple[int, int] = (1920, 1080),
        *,
        script: Sequence[tuple[float, Command]] = (),
        seen: Callable[[Picture | None, View], None] | None = None,
    ) -> None:
        self.room = size
        self.notices: tuple[str, ...] = ()
        self.sound: SilentSound | None = None
        self._script = list(script)
        self._seen = seen
        self._woken = threading.Event()

    def open_sound(self) -> SoundDevice:
        """See `Presenter`."""
        self.sound = SilentSound()
        return self.sound

    def commands(self, media: float) -> Sequence[Command]:
        """See `Presenter`."""
        given: list[Command] = []
        while self._script and self._script[0][0] <= media:
            given.append(self._script.pop(0)[1])
        return given

    def show(self, picture: Picture | None, view: View) -> None:
        """See `Presenter`."""
        if self._seen is not None:
            self._seen(picture, view)

    def wait(self, seconds: float) -> None:
        """See `Presenter`."""
        self._woken.wait(seconds)

    def close(self) -> None:
        """See `Presenter`."""
