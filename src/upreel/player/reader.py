"""Two threads that read a source: packets and sound in one, pictures in the other.

    source --> [demuxer, sound] --packets--> [decoder] --pictures--> shelf
                      |
                      +--sound, captions--> main thread

An *epoch* is what lies between two seeks. Whatever belongs to an earlier one is thrown away where
it turns up. A source that breaks off is connected to again within its epoch: a live one goes on at
the present, a film behind the last picture that was decoded.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from upreel.errors import InputError, UpreelError
from upreel.pipeline.cuts import is_cut
from upreel.pipeline.enhance import windows
from upreel.player.patience import Outage, Patience
from upreel.player.shelf import Picture, Shelf
from upreel.video.deinterlace import deinterlaced
from upreel.video.frame import Frame
from upreel.video.pieces import SOUND_RATE, Piece, PlaySource, Sound
from upreel.video.tracks import Caption

__all__ = ["Reader"]

_MOST_BYTES = 64 << 20  # of packets that wait for the decoder
_PACKETS = 2  # seconds of pictures that wait for the decoder, while there is sound enough
_SOUND = Fraction(1)  # seconds of sound that are enough
_CAPTIONS = 1000  # of all tracks
_BEHIND = 2  # seconds by which sound may lie behind pictures within a film
_ROUNDING = 0.001  # seconds by which a picture's times may differ when it comes again
_HANGING = 0.3  # seconds after which a thread that is to end is taken to hang in the system
_COMPUTING = 12.0  # seconds that one may take that does not wait for a source


@dataclass(frozen=True, slots=True)
class _Item:
    piece: Piece | None  # None: there are no more
    arrived: float
    pauses: bool = False  # there are no more of this connection


class Reader:
    """Reads a source onto a shelf.

    Args:
        source: open; the reader's alone from `start` on, which closes it, too.
        shelf: for pictures.
        past: pictures before each one that it is to be seen with.
        wall: a steady clock in seconds.
        arrived: told the media time of each picture and the wall time at which it was decoded.
        reconnect: seconds for which a source that broke off is tried again, if it can be.
        resumed: told that pictures come from a new connection from now on.
    """

    def __init__(
        self,
        source: PlaySource,
        shelf: Shelf,
        *,
        past: int,
        wall: Callable[[], float] = time.monotonic,
        arrived: Callable[[float, float], None] | None = None,
        reconnect: float = 0.0,
        resumed: Callable[[], None] | None = None,
    ) -> None:
        self._source = source
        self._shelf = shelf
        self._past = past
        self._wall = wall
        self._arrived = arrived
        self._resumed = resumed
        self._patience = Patience(reconnect if source.info.resumable else 0.0)
        self._drained = False
        self._last = (Fraction(0), wall())  # where the last picture ends, when it was decoded
        self._heard = Fraction(0)  # where the last sound ends
        self._again = (Fraction(0), Fraction(0))  # pictures, sound that end by then were there
        self._away: str | None = None  # why it is not connected to
        self._changed = threading.Condition()
        self._epoch = 0
        self._target: Fraction | None = None
        self._items: deque[_Item] = deque()
        self._num_bytes = 0
        self._sounds: deque[Sound] = deque()
        self._sound_samples = 0
        self._ended = self._closed = False
        self._error: UpreelError | None = None
        self._failure: BaseException | None = None
        self._sound_place, self._caption_place = source.sound_place, source.caption_place
        self._captions: deque[Caption] = deque(maxlen=_CAPTIONS)
        self._most_packets = max(int(source.info.rate * _PACKETS), 8)
        self._num_running = 0
        # Daemons: a read that hangs in the system shall not keep the process alive.
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (("upreel-read", self._demux), ("upreel-decode", self._decode))
        ]

    def start(self) -> None:
        """Begin."""
        self._num_running = len(self._threads)
        for thread in self._threads:
            thread.start()

    def close(self) -> bool:
        """Stop, and have the source closed; False: it hangs, and is closed when it does no more.

        Nothing can wake a thread that waits for a source within FFmpeg, and nothing may be closed
        that it uses. So it is left alone, and the last thread to end closes the source.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._shelf.close()
        demuxer, decoder = self._threads
        demuxer.join(_HANGING)
        decoder.join(_HANGING if demuxer.is_alive() else _COMPUTING)
        return not (demuxer.is_alive() or decoder.is_alive())

    def seek(self, seconds: Fraction) -> None:
        """Go on from another time; what was read is thrown away."""
        with self._changed:
            self._epoch += 1
            self._target = max(seconds, Fraction(0))
            self._last, self._heard = (self._target, self._wall()), self._target
            self._again = (Fraction(0), Fraction(0))
            self._items.clear()
            self._num_bytes = 0
            self._sounds.clear()
            self._sound_samples = 0
            self._ended = False
            self._shelf.clear(self._epoch)
            self._changed.notify_all()

    def choose_sound(self, place: int) -> None:
        """Have the sound of another track: of packets that come, those read are thrown away."""
        with self._changed:
            self._sound_place = place
            self._sounds.clear()
            self._sound_samples = 0
            self._changed.notify_all()

    def choose_captions(self, place: int) -> None:
        """Have the words of another track."""
        with self._changed:
            self._caption_place = place

    def _follow_choices(self) -> None:
        """On the demuxer's thread, which has the source."""
        source = self._source
        if source.sound_place != self._sound_place:
            source.choose_sound(self._sound_place)
        if source.caption_place != self._caption_place:
            source.choose_captions(self._caption_place)

    @property
    def error(self) -> UpreelError | None:
        """Why the source broke off, if it did."""
        return self._error

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The times without pictures, for which the source broke off."""
        with self._changed:
            return tuple(self._patience.outages)

    def check(self) -> None:
        """Raise what a thread failed with."""
        if self._failure is not None:
            raise self._failure

    @property
    def sound_ended(self) -> bool:
        """Whether no more sound comes."""
        with self._changed:
            return self._ended and not self._sounds

    def take_sound(self) -> Sound | None:
        """The next sound, None while there is none."""
        with self._changed:
            if not self._sounds:
                return None
            sound = self._sounds.popleft()
            self._sound_samples -= len(sound.samples)
            self._changed.notify_all()
            return sound

    def caption(self, media: float) -> str:
        """The words to be read at a media time."""
        with self._changed:
            place = self._caption_place
            near = [c for c in self._captions if c.track == place]
        found = [c.text for c in near if c.start <= media < c.end]
        found += self._source.words_beside(place, media)
        return "\n".join(dict.fromkeys(found))

    def news(self) -> list[str]:
        """What turned up in the source since this was asked last, one line each."""
        return self._source.news()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - raised again by the main thread
            self._failure = failure
            self._shelf.end(self._epoch, failure)
        with self._changed:
            self._num_running -= 1
            is_last = not self._num_running
        if is_last:
            self._source.__exit__(None, None, None)

    def _demux(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                epoch, target = self._epoch, self._target
            self._error = self._read_on(epoch, target)
            with self._changed:
                if epoch == self._epoch and not self._closed:
                    self._items.append(_Item(None, self._wall()))
                    self._ended = True
                    self._changed.notify_all()
                self._changed.wait_for(lambda epoch=epoch: self._closed or epoch != self._epoch)

    def _read_on(self, epoch: int, target: Fraction | None) -> UpreelError | None:
        """Pass on packets while the source has any; why it has no more, if it broke off."""
        name = self._source.info.name
        while True:
            if self._away is None:
                error = self._read_connection(epoch, target)
                finished = error is None and self._source.info.ends
                if finished or not self._patience.seconds:
                    return error
                self._away = "it ended" if error is None else str(error).removeprefix(f"{name} ")
            if not self._empty_decoder(epoch):
                return None
            with self._changed:
                self._patience.broke_off(self._away, self._wall())
            try:
                if not self._connected(epoch):
                    return None
            except UpreelError as fault:
                reason = str(fault).removeprefix(f"{name} ")
                seconds = self._patience.seconds
                return InputError(
                    f"{name} broke off and did not come back within {seconds:g} s: {reason}"
                )
            target = None

    def _read_connection(self, epoch: int, target: Fraction | None) -> UpreelError | None:
        """Pass on packets until there are no more, or are not wanted; why it broke off, if so."""
        try:
            self._follow_choices()
            if target is not None:
                self._source.seek(target)
                self._source.flush_sound()
            for piece in self._source.pieces():
                if not self._take(piece, epoch):
                    return None
        except UpreelError as fault:
            return fault
        return None

    def _connected(self, epoch: int) -> bool:
        """Connect to a source that broke off; False: it has ended, or nobody wants it any more.

        Raises:
            UpreelError: it cannot be connected to for so long.
        """
        last: UpreelError = InputError("no picture came")
        while True:
            with self._changed:
                pause = self._patience.pause(self._wall())
                if pause is None:
                    raise last
                self._changed.wait_for(lambda: self._closed or epoch != self._epoch, pause)
                if self._closed or epoch != self._epoch:
                    return False
                left = self._patience.left(self._wall())
            try:
                goes_on = self._source.reopen(self._goes_on_at, wait=max(left, 0.5))
            except UpreelError as error:
                last = error
                continue
            self._away = None
            if self._resumed is not None:
                self._resumed()
            return goes_on

    def _goes_on_at(self) -> Fraction:
        """The media time at which it goes on: of a film, what was not decoded comes again.

        A live source went on meanwhile.
        """
        with self._changed:
            end, decoded = self._last
            if self._source.info.ends:
                heard = max(min(end, self._heard), end - _BEHIND)
                self._again = (end, heard)
                return heard
            return end + Fraction(self._wall() - decoded).limit_denominator(1000)

    def _empty_decoder(self, epoch: int) -> bool:
        """Have all pictures of a connection, so that nothing decodes; False: nobody wants them."""
        with self._changed:
            self._drained = False
            self._items.append(_Item(None, self._wall(), pauses=True))
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._drained or self._closed or epoch != self._epoch)
            return not self._closed and epoch == self._epoch

    def _take(self, piece: Piece, epoch: int) -> bool:
        """Pass a packet on; False: it came too late, read on from elsewhere."""
        arrived = self._wall()
        kind = piece.kind
        self._follow_choices()
        sounds = self._source.sound(piece) if kind == "audio" else []
        again = self._again[1]
        sounds = [sound for sound in sounds if not again or sound.end > again]
        caption = self._source.caption(piece) if kind == "subtitle" else None
        with self._changed:
            if epoch != self._epoch or self._closed:
                return False
            self._sounds.extend(sounds)
            self._heard = max(self._heard, *(sound.end for sound in sounds), Fraction(0))
            self._sound_samples += sum(len(sound.samples) for sound in sounds)
            if caption is not None:
                self._captions.append(caption)
            if kind == "video":
                if not self._source.info.ends:
                    self._patience.came_back(arrived)
                self._items.append(_Item(piece, arrived))
                self._num_bytes += piece.size
            self._changed.notify_all()
            if not self._source.info.live:
                self._changed.wait_for(
                    lambda: self._closed or epoch != self._epoch or not self._is_enough()
                )
            return epoch == self._epoch and not self._closed

    def _is_enough(self) -> bool:
        if self._num_bytes > _MOST_BYTES:
            return True
        quiet = self._source.info.has_sound and self._sound_samples < _SOUND * SOUND_RATE
        return len(self._items) >= self._most_packets and not quiet

    def _decode(self) -> None:
        epoch = -1
        while True:
            with self._changed:
                self._changed.wait_for(lambda epoch=epoch: self._closed or epoch != self._epoch)
                if self._closed:
                    return
                epoch, target = self._epoch, self._target
            if epoch:
                self._source.flush_video()
            self._show_all(epoch, float(target or 0))

    def _show_all(self, epoch: int, target: float) -> None:
        """Put the pictures of an epoch onto the shelf."""
        arrivals: dict[int, float] = {}
        frames = self._frames(epoch, arrivals)
        interlaced = self._source.interlaced
        if interlaced is not None:
            frames = deinterlaced(frames, top_first=interlaced)
        for window in windows(frames, self._past, 0, cuts=is_cut if self._past else None):
            frame = window.frame
            decoded = self._wall()
            media = float(frame.pts * frame.time_base)
            picture = Picture(
                frame=frame,
                window=window.planes,
                bt709=self._source.bt709,
                media=media,
                duration=float(frame.duration * frame.time_base),
                arrived=arrivals.pop(frame.pts, decoded),
                decoded=decoded,
            )
            if len(arrivals) > 100:  # of packets that gave no picture
                arrivals.clear()
            if picture.end <= max(target, float(self._again[0]) + _ROUNDING):
                continue
            with self._changed:
                if epoch == self._epoch:
                    # What was there before is no return, nor what is left once it is given up.
                    if self._source.info.ends and self._error is None:
                        self._patience.came_back(decoded)
                    self._last = ((frame.pts + frame.duration) * frame.time_base, decoded)
            if self._arrived is not None:
                self._arrived(media, decoded)
            if not self._shelf.put(picture, epoch):
                break
        self._shelf.end(epoch, self._error)

    def _frames(self, epoch: int, arrivals: dict[int, float]) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closed or epoch != self._epoch)
                if self._closed or epoch != self._epoch:
                    return
                item = self._items.popleft()
                self._num_bytes -= item.piece.size if item.piece is not None else 0
                self._changed.notify_all()
            if item.piece is not None and item.piece.ticks is not None:
                arrivals[item.piece.ticks] = item.arrived
            if not (item.pauses and self._source.info.ends):  # those of a film come again
                yield from self._source.video(item.piece)
            if item.pauses:
                with self._changed:
                    self._drained = True
                    self._changed.notify_all()
            elif item.piece is None:
                return
