"""Pictures on their way to the screen: put there by the decoder, enlarged in between, taken off.

    decoder --put--> [shelf] --claim, finish--> enhancer
                        |
                        +--take--> screen

A picture whose time has come is taken whether it has been enlarged or not: whoever enlarges
never holds up whoever shows. One lock guards all of it; the pictures themselves are written by
one thread at a time.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from upreel.video.frame import Frame, Plane

__all__ = ["Picture", "Shelf", "Taken"]


@dataclass(kw_only=True, slots=True, eq=False)
class Picture:
    """A decoded picture, and what was made of it.

    Attributes:
        frame: as decoded, in 4:2:0 of 8 bits.
        window: planes that a network sees: of frames before, then its own.
        bt709: whether its matrix is BT.709's, else BT.601's.
        media: seconds from the source's start.
        duration: seconds that it is shown.
        arrived: wall time at which its packet came.
        decoded: wall time at which it was decoded.
        enlarged: planes of the size asked for, None until they are there.
        rung: what made them, "" until they are there.
    """

    frame: Frame
    window: tuple[tuple[Plane, ...], ...]
    bt709: bool
    media: float
    duration: float
    arrived: float
    decoded: float
    enlarged: tuple[Plane, ...] | None = None
    rung: str = ""
    claimed: bool = False

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The best there is of it."""
        return self.frame.planes if self.enlarged is None else self.enlarged

    @property
    def end(self) -> float:
        """Seconds at which the next one is due."""
        return self.media + self.duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What is to be shown now.

    Attributes:
        picture: the latest one that is due, None if none is.
        num_skipped: pictures before it that were never shown.
        wait: seconds until the next one is due; None: it is not there yet.
    """

    picture: Picture | None
    num_skipped: int
    wait: float | None


@dataclass(slots=True)
class _State:
    pictures: deque[Picture] = field(default_factory=deque[Picture])
    ended: bool = False
    closed: bool = False
    error: BaseException | None = None
    epoch: int = 0


class Shelf:
    """At most `size` pictures in order of time.

    Args:
        size: pictures held.
        ahead: enlarged pictures held at most: large ones take memory.
        lossy: rather lose the oldest picture than have the writer wait: live sources do not.

    Attributes:
        num_lost: pictures lost.
    """

    def __init__(self, size: int, ahead: int, *, lossy: bool = False) -> None:
        self.num_lost = 0
        self._lossy = lossy
        self._size = size
        self._ahead = ahead
        self._state = _State()
        self._changed = threading.Condition()

    def put(self, picture: Picture, epoch: int) -> bool:
        """Wait for room, then add a picture; False: it belongs to an earlier epoch, or all ends."""
        with self._changed:
            state = self._state
            if self._lossy and len(state.pictures) >= self._size:
                state.pictures.popleft()
                self.num_lost += 1
            self._changed.wait_for(
                lambda: len(state.pictures) < self._size or state.closed or state.epoch != epoch
            )
            if state.closed or state.epoch != epoch:
                return False
            state.pictures.append(picture)
            self._changed.notify_all()
            return True

    def end(self, epoch: int, error: BaseException | None = None) -> None:
        """No more pictures will come in this epoch, for a reason or not."""
        with self._changed:
            if epoch == self._state.epoch:
                self._state.ended = True
                self._state.error = error
                self._changed.notify_all()

    def clear(self, epoch: int) -> None:
        """Throw away what is there; pictures of that epoch will come."""
        with self._changed:
            self._state.pictures.clear()
            self._state.epoch = epoch
            self._state.ended = False
            self._changed.notify_all()

    def close(self) -> None:
        """Let whoever waits go."""
        with self._changed:
            self._state.closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether all is over."""
        return self._state.closed

    @property
    def ended(self) -> bool:
        """Whether there is nothing left and nothing comes any more."""
        with self._changed:
            return self._state.ended and not self._state.pictures

    @property
    def finished(self) -> bool:
        """Whether nothing comes any more."""
        return self._state.ended

    @property
    def error(self) -> BaseException | None:
        """Why no more comes, if it was an error."""
        return self._state.error

    def __len__(self) -> int:
        return len(self._state.pictures)

    def buffered(self) -> tuple[float, int]:
        """Seconds and number of pictures that are there."""
        with self._changed:
            pictures = self._state.pictures
            seconds = pictures[-1].end - pictures[0].media if pictures else 0.0
            return seconds, len(pictures)

    @property
    def span(self) -> float:
        """Seconds of pictures that are there; without the lock, for whoever holds it."""
        pictures = self._state.pictures
        return pictures[-1].end - pictures[0].media if pictures else 0.0

    def claim(self, not_before: Callable[[], float], *, wait: float) -> Picture | None:
        """The earliest picture that nobody has claimed and that is still worth enlarging.

        Args:
            not_before: media time that a picture must have at least, asked anew while waiting.
            wait: seconds to wait for one, 0 for not at all.
        """

        def found() -> Picture | None:
            least = not_before()
            large = 0
            for picture in self._state.pictures:
                large += picture.claimed
                if large >= self._ahead:
                    return None
                if not picture.claimed and picture.media >= least:
                    picture.claimed = True
                    return picture
            return None

        with self._changed:
            picture = found()
            if picture is None and wait > 0 and not self._state.closed:
                self._changed.wait(wait)
                picture = found()
            return picture

    def finish(self, picture: Picture, planes: tuple[Plane, ...], rung: str) -> None:
        """A claimed picture has been enlarged."""
        with self._changed:
            picture.rung = rung
            picture.enlarged = planes
            self._changed.notify_all()

    def first(self) -> Picture | None:
        """The picture that comes next, left where it is."""
        with self._changed:
            return self._state.pictures[0] if self._state.pictures else None

    def take(self, media: float) -> Taken:
        """Take what is due at a media time: the latest such picture, without those before it."""
        with self._changed:
            pictures = self._state.pictures
            latest: Picture | None = None
            num_skipped = 0
            while pictures and pictures[0].media <= media:
                num_skipped += latest is not None
                latest = pictures.popleft()
            if latest is not None:
                self._changed.notify_all()
            wait = pictures[0].media - media if pictures else None
            return Taken(picture=latest, num_skipped=num_skipped, wait=wait)

    def wait_for_change(self, seconds: float) -> None:
        """Wait until something is put, finished, taken or cleared, but not longer than that."""
        with self._changed:
            self._changed.wait(seconds)
