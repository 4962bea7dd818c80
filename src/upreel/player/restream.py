"""Instead of a screen: what is played goes to a file, a folder for HLS, or a pipe, as it plays.

Encoding runs in a thread of its own. Where it cannot keep up, pictures are left out rather than
held, and that is told at the end.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction

from upreel.errors import UpreelError
from upreel.player.commands import Command
from upreel.player.presenter import (
    HeadlessPresenter,
    Samples,
    SoundDevice,
    TappedSound,
    View,
)
from upreel.player.rungs import LanczosRung
from upreel.player.shelf import Picture
from upreel.video.restream import LiveWriter, check_target

__all__ = ["RestreamPresenter"]

_WAITING = 12  # pictures that wait for the encoder, at most


class RestreamPresenter(HeadlessPresenter):
    """Writes what is played.

    Args:
        target: see `upreel.video.restream.check_target`.
        size: columns and rows that a picture has room in.

    Attributes:
        num_left_out: pictures that the encoder had no time for.

    Raises:
        OutputError: a place that cannot be written to.
    """

    def __init__(self, target: str, size: tuple[int, int]) -> None:
        check_target(target)
        super().__init__(size)
        self.num_left_out = 0
        self._target = target
        self._has_sound = False
        self._rate = Fraction(25)
        self._work: deque[Callable[[LiveWriter], None]] = deque()
        self._num_pictures = 0
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._writer: LiveWriter | None = None
        self._size = (0, 0)
        self._first = 0.0
        self._sound_waiting: list[tuple[Samples, float]] = []
        self._scaler: tuple[tuple[int, int], LanczosRung] | None = None
        self._thread = threading.Thread(target=self._write, name="upreel-encode", daemon=True)
        self._begun = False

    def open_sound(self) -> SoundDevice:
        """See `Presenter`."""
        self._has_sound = True
        self.sound = TappedSound(self._heard)
        return self.sound

    def commands(self, media: float) -> Sequence[Command]:
        """See `Presenter`: nobody asks, and an encoder that failed is told of here."""
        if self._failure is not None:
            raise self._failure
        return super().commands(media)

    def _heard(self, samples: Samples, media: float) -> None:
        if not self._begun:
            self._sound_waiting.append((samples, media))
            return
        self._put(lambda writer: writer.sound(samples, media - self._first))

    def show(self, picture: Picture | None, view: View) -> None:
        """See `Presenter`."""
        if picture is None:
            return
        if not self._begun:
            self._begin(picture)
        with self._changed:
            if self._num_pictures >= _WAITING:
                self.num_left_out += 1
                return
            self._num_pictures += 1
        self._put(lambda writer: self._add(writer, picture))

    def _begin(self, picture: Picture) -> None:
        """The first picture says what the stream is like."""
        self._begun, self._first = True, picture.media
        if picture.duration > 0:
            self._rate = Fraction(1 / picture.duration).limit_denominator(1001)
        size = picture.planes[0].shape if picture.enlarged is not None else self.room[::-1]
        self._size = (size[1] // 2 * 2, size[0] // 2 * 2)
        self._writer = LiveWriter(
            self._target,
            size=self._size,
            rate=self._rate,
            bt709=picture.bt709,
            has_sound=self._has_sound,
        )
        self._thread.start()
        for samples, media in self._sound_waiting:
            self._heard(samples, media)
        self._sound_waiting.clear()

    def _add(self, writer: LiveWriter, picture: Picture) -> None:
        """On the encoder's thread: all pictures of a stream are of one size."""
        planes = picture.planes
        height, width = planes[0].shape
        if (width, height) != self._size:
            if self._scaler is None or self._scaler[0] != (width, height):
                self._scaler = ((width, height), LanczosRung(width, height, self._size))
            scaler = self._scaler[1]
            scaler.submit((planes,))
            planes = scaler.collect()
        writer.picture(planes, picture.media - self._first)
        with self._changed:
            self._num_pictures -= 1

    def _put(self, work: Callable[[LiveWriter], None]) -> None:
        with self._changed:
            self._work.append(work)
            self._changed.notify_all()

    def _write(self) -> None:
        assert self._writer is not None
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._work or self._closed)
                    if not self._work:
                        break
                    work = self._work.popleft()
                work(self._writer)
            self._writer.close()
        except (UpreelError, OSError) as failure:
            self._failure = failure

    def close(self) -> None:
        """See `Presenter`; what is left is written.

        Raises:
            OutputError: it cannot be written.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._begun:
            self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
