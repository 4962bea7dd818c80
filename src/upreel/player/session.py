"""Playing: one title after the other, the main thread's part of it.

    reader threads --> shelf <--> enhancer thread
                         |
       main thread: take what is due, show it, feed the sound, do what the viewer asks for

The clock follows the sound that is heard; of a live source both follow when its pictures come. Each
picture is shown on time, enlarged or as it is, or skipped where several are due at once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from upreel.errors import OptionError, UpreelError
from upreel.player.clock import Arrivals, Clock
from upreel.player.commands import Command
from upreel.player.config import PlayConfig, Played
from upreel.player.enhancer import Enhancer
from upreel.player.opening import Opening
from upreel.player.overlay import Now, clock_text, overlay_lines
from upreel.player.patience import Outage
from upreel.player.presenter import Presenter, SoundDevice, View
from upreel.player.reader import Reader
from upreel.player.rungs import (
    KnownSpeed,
    OpenNetwork,
    cards_for,
    fitted_size,
    open_network,
    pictures_before,
    remembered_speed,
)
from upreel.player.shelf import Picture, Shelf
from upreel.player.sound import SoundFeed
from upreel.player.stats import Statistics
from upreel.player.tracks import Tracks, Wishes
from upreel.video.pieces import PlaySource

__all__ = ["play"]

_TICK = 0.01  # seconds between two looks at what the viewer does, at most
_EARLY = 0.002  # seconds by which a picture may be shown early
_LATE = 0.02  # seconds after its end from which on a picture is not shown any more
_STALL = 0.25  # seconds without the next picture that a viewer notices
_PREPARED = 1.5  # seconds that playing waits for an enlarged picture and for sound to begin with
_MESSAGE = 1.5  # seconds that a word about what was done is shown
_SHELF = 12  # pictures decoded ahead
_LARGE = 6  # pictures enlarged ahead

Ending = Literal["ended", "next", "previous", "quit"]


def play(
    config: PlayConfig,
    presenter: Presenter,
    *,
    opened: OpenNetwork | None = None,
    known: KnownSpeed | None = None,
    told: Callable[[str], None] | None = None,
) -> Played:
    """Play all titles; one that cannot be played does not stop the rest.

    Args:
        config: what and how.
        presenter: shows it; it stays open.
        opened: opens networks; tests hand over stand-ins.
        known: what networks take; None: what is remembered, of stand-ins nothing.
        told: told one line a choice, a notice, an error.

    Raises:
        ModelError: no such model.
        OptionError: a model that cannot be played, a value that cannot be.
        BackendUnavailableError: no such device or precision.
    """
    cards_for(config.model, (2, 2), (8, 8))  # a model that is not there is known before
    options = (config.device, config.precision, config.threads)
    if known is None and opened is None:
        known = remembered_speed(*options)
    opened = opened or open_network(*options)
    tell = told or _nobody
    settings = _Settings(
        captions=config.captions, volume=config.volume, muted=False, full_screen=False,
        compare=0.5 if config.compare else None, overlay=config.overlay,
        wishes=Wishes(sound=config.sound_track, captions=config.caption_track),
    )  # fmt: skip
    later = replace(config, sound_track=None, caption_track=None)
    done: list[Statistics] = []
    errors: list[str] = []
    number, first = 0, True
    while 0 <= number < len(config.sources):
        address = config.sources[number]
        ending: Ending = "ended"
        title: _Title | None = None
        try:
            opening = Opening(address, config if first else later)
            source = opening.attend(presenter)
            if isinstance(source, str):
                ending = source
            else:
                with ExitStack() as unclaimed:
                    unclaimed.push(source)
                    if first:
                        settings.wishes.granted(source)
                    else:
                        settings.wishes.carry_to(source)
                    title = _Title(
                        source, config, presenter, settings, opened=opened, known=known, tell=tell,
                        start=config.start if first else Fraction(0),
                    )  # fmt: skip
                    unclaimed.pop_all()
                ending = title.run(opening.asked)
        except UpreelError as error:
            if len(config.sources) == 1:
                raise
            errors.append(str(error))
            tell(str(error))
        if title is not None:
            done.append(title.stats)
        first = False
        if ending == "quit":
            break
        number = max(number - 1, 0) if ending == "previous" else number + 1
    return Played(titles=tuple(done), errors=tuple(errors))


def _nobody(_: str) -> None:
    """Where lines go that nobody asked for."""


@dataclass(kw_only=True)
class _Settings:
    """What the viewer chose: kept from title to title."""

    captions: bool
    volume: float
    muted: bool
    compare: float | None
    overlay: bool
    full_screen: bool
    wishes: Wishes


class _Title:
    """One title."""

    def __init__(
        self,
        source: PlaySource,
        config: PlayConfig,
        presenter: Presenter,
        settings: _Settings,
        *,
        opened: OpenNetwork,
        known: KnownSpeed | None,
        tell: Callable[[str], None],
        start: Fraction,
    ) -> None:
        info = source.info
        if start and not info.seekable:
            raise OptionError(f"{info.name} can only be played from its start")
        self._info = info
        self._config = config
        self._presenter = presenter
        self._settings = settings
        self._tell = tell
        self._wall = time.monotonic
        self._opened_at = self._wall()
        self._clock = Clock(self._wall)
        self._arrivals = Arrivals()
        self._lock = threading.Lock()
        cards = cards_for(config.model, (2, 2), (8, 8))
        self._shelf = Shelf(_SHELF, _LARGE, lossy=info.live)
        self._reader = Reader(
            source, self._shelf, past=max(map(pictures_before, cards), default=0),
            arrived=self._arrived, reconnect=config.reconnect, resumed=self._resumed,
        )  # fmt: skip
        self._tracks = Tracks(
            info, self._reader, settings.wishes,
            sound=source.sound_place, captions=source.caption_place,
        )  # fmt: skip
        self._enhancer = Enhancer(
            self._shelf,
            model=config.model,
            size=self._fitted,
            opened=opened,
            budget_ms=1000 / float(info.rate),
            due=lambda: self._clock.now() if self._clock.running else None,
            low_delay=info.live,
            known=known,
        )
        self._device: SoundDevice | None = presenter.open_sound() if info.has_sound else None
        self._sound: SoundFeed | None = None
        if self._device is not None:
            self._sound = SoundFeed(self._device, self._reader, self._clock, live=info.live)
            self._sound.volume, self._sound.muted = settings.volume, settings.muted
        self._room = presenter.room
        self._paused = False
        self._waiting = True
        self._waiting_since = self._wall()
        self._shown: Picture | None = None
        self._shown_at: float | None = None
        self._view = View()
        self._message = ("", 0.0)
        self._overlay: tuple[str, ...] = ()
        self._overlay_due = 0.0
        self._recent: list[float] = []
        self._num_choices = 0
        self._outages: tuple[Outage, ...] = ()
        self._start = start
        self.stats = Statistics(
            source=info.name,
            source_size=(info.width, info.height),
            shown_size=self._fitted(info.width, info.height),
            rate=float(info.rate),
            notices=[*info.notices, *presenter.notices],
        )

    def _arrived(self, media: float, wall: float) -> None:
        """On the decoder's thread."""
        with self._lock:
            self._arrivals.arrived(media, wall)

    def _resumed(self) -> None:
        """On the demuxer's thread: the source was connected to again."""
        with self._lock:
            self._arrivals.forget()

    def _fitted(self, width: int, height: int) -> tuple[int, int]:
        """The size for pictures of that size; on the enhancer's thread, too."""
        columns, rows = self._room
        if self._info.rotation % 180:
            columns, rows = rows, columns
        return fitted_size(width, height, float(self._info.sample_aspect_ratio), (columns, rows))

    def run(self, asked: Sequence[Command]) -> Ending:
        """Play it, and close its source.

        Args:
            asked: what the viewer asked for while it was opened.
        """
        for notice in self.stats.notices:
            self._tell(f"{self._info.name}: {notice}")
        self._reader.start()
        self._enhancer.start()
        try:
            if self._start:
                self._go_to(self._start, counted=False)
            for command in asked:
                self._do(command)
            return self._loop()
        finally:
            self._shelf.close()
            self._enhancer.close()
            self._reader.close()
            self._tell_news()
            if self._device is not None:
                self._device.close()
            self._collect()

    def _collect(self) -> None:
        stats, enhancer = self.stats, self._enhancer
        stats.skipped += self._shelf.num_lost
        stats.sound_track, stats.caption_track = self._tracks.sound, self._tracks.captions
        stats.outages = list(self._reader.outages)
        stats.choices = enhancer.choices
        stats.rungs = enhancer.describe()
        stats.tried_ms = {name: round(ms, 2) for name, ms in enhancer.tried_ms.items()}
        stats.remembered = sorted(enhancer.remembered)
        stats.network_ms = enhancer.network_ms

    def _loop(self) -> Ending:
        before = self._wall()
        while True:
            now = self._wall()
            if self._clock.running:
                self.stats.seconds += now - before
            before = now
            self._reader.check()
            self._enhancer.check()
            for command in self._presenter.commands(self._clock.now()):
                ending = self._do(command)
                if ending is not None:
                    return ending
            limit = self._config.seconds
            if self._has_ended() or (limit is not None and self.stats.seconds >= limit):
                if self._reader.error is not None:
                    raise self._reader.error
                return "ended"
            if self._waiting and self._is_prepared():
                self._begin()
            if self._sound is not None and not self._waiting:
                self._sound.feed()
            self._keep_time()
            self._tell_choices()
            self._tell_outages()
            self._tell_news()
            wait = self._show_what_is_due()
            self._presenter.wait(wait)

    def _keep_time(self) -> None:
        if not self._clock.running:
            return
        if self._info.live:
            with self._lock:
                offset = self._arrivals.offset
            if offset is not None:
                took = min(1.5 * self._enhancer.expected_ms / 1000, 0.15) + 0.01
                self._clock.follow(self._wall() - offset - took)
        elif self._sound is not None and (heard := self._sound.heard) is not None:
            self._clock.follow(heard)

    def _has_ended(self) -> bool:
        if not self._shelf.ended or self._paused:
            return False
        if self._shown is not None and self._clock.now() < self._shown.end:
            return self._waiting
        silent = self._device is None or self._device.queued < 0.02
        return self._waiting or (self._reader.sound_ended and silent) or self._device is None

    def _is_prepared(self) -> bool:
        """Whether there is enough to begin with."""
        first = self._shelf.first()
        if first is None:
            return False
        if self._info.live:
            return True
        waited = self._wall() - self._waiting_since
        _, count = self._shelf.buffered()
        if not (self._enhancer.ready.is_set() and (count >= 4 or self._shelf.finished)):
            return False
        return first.enlarged is not None or waited > _PREPARED

    def _begin(self) -> None:
        first = self._shelf.first()
        assert first is not None
        self._waiting = False
        if not self.stats.start_ms:
            self.stats.start_ms = round((self._wall() - self._opened_at) * 1000, 1)
        self._clock.stop(first.media)
        if self._sound is not None:
            self._sound.begin(first.media)
        if self._paused:
            self._show(self._shelf.take(first.media).picture)
            return
        if self._sound is not None:
            self._sound.play()
        self._clock.start(first.media)

    def _show_what_is_due(self) -> float:
        """Show it; seconds until there is something to do."""
        if self._waiting or self._paused:
            self._show(None)
            return _TICK
        taken = self._shelf.take(self._clock.now() + _EARLY)
        self.stats.skipped += taken.num_skipped
        if taken.picture is not None and self._is_too_late(taken.picture):
            self.stats.skipped += 1
            return 0.0
        self._show(taken.picture)
        if taken.wait is not None:
            return min(max(taken.wait - _EARLY, 0.0), _TICK)
        starved = not self._shelf.finished and self._shown is not None
        if starved and not self._info.live and self._clock.now() > self._last_end() + _STALL:
            self._wait()
        return 0.005

    def _is_too_late(self, picture: Picture) -> bool:
        """Whether it is better not shown: others come, and something was shown a moment ago."""
        now = self._wall()
        if self._shelf.finished or self._shown_at is None or now - self._shown_at > _STALL:
            return False
        return self._clock.now() - picture.end > _LATE

    def _last_end(self) -> float:
        return self._shown.end if self._shown is not None else 0.0

    def _wait(self) -> None:
        """Nothing is there: stand until there is."""
        self._waiting, self._waiting_since = True, self._wall()
        self._clock.stop(self._last_end())
        if self._sound is not None:
            self._sound.pause()

    def _show(self, picture: Picture | None) -> None:
        view = self._viewed(picture)
        if picture is None:
            if view != self._view and self._shown is not None:
                self._view = view
                self._presenter.show(None, view)
            return
        before, self._shown, self._view = self._shown, picture, view
        self._presenter.show(picture, view)
        now, stats = self._wall(), self.stats
        stats.shown += 1
        if picture.enlarged is None:
            stats.plain += 1
        else:
            stats.by_rung[picture.rung] += 1
        if self._shown_at is not None and before is not None:
            gap = now - self._shown_at
            stats.longest_gap_ms = round(max(stats.longest_gap_ms, gap * 1000), 1)
            stats.stalls += gap > _STALL + before.duration
        self._shown_at = None if self._paused else now
        self._recent = [*self._recent[-49:], now]
        if self._info.live:
            stats.latency_ms.add((now - picture.arrived) * 1000)
        if self._sound is not None and self._clock.running:
            heard = self._sound.heard
            if heard is not None:
                stats.offset_ms.add((picture.media - heard) * 1000)

    def _viewed(self, picture: Picture | None) -> View:
        settings, media = self._settings, self._clock.now()
        now = self._wall()
        shown = picture or self._shown
        if settings.overlay and now >= self._overlay_due:
            self._overlay_due = now + 0.5
            self._overlay = overlay_lines(self._now(media))
        text, until = self._message
        return View(
            title=self._info.name,
            aspect=float(self._info.sample_aspect_ratio),
            rotation=self._info.rotation,
            compare=settings.compare,
            rung=(shown.rung if shown is not None else "") or "plain",
            overlay=self._overlay if settings.overlay else (),
            caption=self._reader.caption(media) if settings.captions else "",
            message=text if now < until else self._outage_text(now),
            full_screen=settings.full_screen,
        )

    def _now(self, media: float) -> Now:
        stats, recent = self.stats, self._recent
        fps = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0
        return Now(
            media=media,
            duration=None if self._info.duration is None else float(self._info.duration),
            rate=stats.rate,
            fps=0.0 if self._paused else fps,
            network_ms=self._enhancer.expected_ms,
            rung=self._enhancer.rung,
            source_size=stats.source_size,
            shown_size=self._fitted(*stats.source_size),
            shown=stats.shown,
            plain=stats.plain,
            skipped=stats.skipped + self._shelf.num_lost,
            stalls=stats.stalls,
            outages=len(self._outages),
            latency_ms=stats.latency_ms.last if self._info.live else None,
            offset_ms=stats.offset_ms.last if len(stats.offset_ms) else None,
        )

    def _tell_choices(self) -> None:
        choices = self._enhancer.choices
        for choice in choices[self._num_choices :]:
            line = f"{choice.rung} ({choice.reason})"
            self._tell(f"{clock_text(self._clock.now())} {line}")
            if self._num_choices:
                self._say(line)
            self._num_choices += 1

    def _tell_news(self) -> None:
        """Say what the source has found out while it was read."""
        for line in self._reader.news():
            self.stats.notices.append(line)
            self._tell(f"{self._info.name}: {line}")

    def _tell_outages(self) -> None:
        """Say that the source broke off, and that it is back."""
        known, self._outages = self._outages, self._reader.outages
        lines: list[str] = []
        for number, outage in enumerate(self._outages):
            before = known[number] if number < len(known) else None
            if before is None:
                seconds = self._config.reconnect
                lines.append(f"broke off ({outage.reason}); trying again for {seconds:g} s")
            if outage.seconds is not None and (before is None or before.until is None):
                lines.append(f"back after {outage.seconds:.1f} s")
                self._say(lines[-1])
        for line in lines:
            self._tell(f"{clock_text(self._clock.now())} {self._info.name}: {line}")

    def _outage_text(self, now: float) -> str:
        """What is to be read while the source is away, "" while it is not."""
        outage = self._outages[-1] if self._outages else None
        if outage is None or outage.until is not None:
            return ""
        left = max(outage.since + self._config.reconnect - now, 0.0)
        return f"the source broke off; trying again for {left:.0f} s"

    def _say(self, text: str) -> None:
        self._message = (text, self._wall() + _MESSAGE)

    def _go_to(self, seconds: Fraction, *, counted: bool = True) -> None:
        if not self._info.seekable:
            self._say("this source has no other place to go to")
            return
        duration = self._info.duration
        least = Fraction(0)
        most = max(duration - Fraction(1, 2), least) if duration is not None else seconds
        seconds = min(max(seconds, least), most)
        self._reader.seek(seconds)
        self._waiting, self._waiting_since = True, self._wall()
        self._shown_at = None
        self._clock.stop(float(seconds))
        if self._sound is not None:
            self._sound.pause()
        if counted:
            self.stats.seeks += 1
            self._say(clock_text(float(seconds)))

    def _do(self, command: Command) -> Ending | None:
        """What the viewer asks for."""
        settings, amount = self._settings, command.amount
        match command.word:
            case "quit" | "next" | "previous":
                return command.word
            case "pause":
                self._pause()
            case "seek":
                self._go_to(Fraction(self._clock.now() + amount).limit_denominator(1000))
            case "volume":
                settings.volume = min(max(round(settings.volume + amount, 2), 0.0), 1.0)
                self._say(f"volume {settings.volume:.0%}")
            case "mute":
                settings.muted = not settings.muted
                self._say("sound off" if settings.muted else "sound on")
            case "full-screen":
                settings.full_screen = not settings.full_screen
            case "compare":
                settings.compare = 0.5 if settings.compare is None else None
            case "slide":
                place = 0.5 if settings.compare is None else settings.compare + amount
                settings.compare = min(max(place, 0.0), 1.0)
            case "slide-to":
                if settings.compare is not None:
                    settings.compare = min(max(amount, 0.0), 1.0)
            case "statistics":
                settings.overlay = not settings.overlay
                self._overlay_due = 0.0
            case "captions":
                settings.captions = not settings.captions
                self._say("subtitles on" if settings.captions else "subtitles off")
            case "sound-track":
                self._next_sound()
            case "caption-track":
                taken = self._tracks.next_captions()
                settings.captions = settings.captions or taken is not None
                self._say(f"subtitles {taken}" if taken else "there are no other subtitles")
            case "screenshot":
                self._save_picture()
            case "resized":
                self._room = self._presenter.room
        if self._sound is not None:
            self._sound.volume, self._sound.muted = settings.volume, settings.muted
        return None

    def _next_sound(self) -> None:
        taken = self._tracks.next_sound()
        if taken is not None and self._info.seekable:  # what was read on is of the one before
            self._go_to(Fraction(self._clock.now()).limit_denominator(1000), counted=False)
        self._say(f"sound {taken}" if taken else "there is no other sound")

    def _pause(self) -> None:
        self._paused = not self._paused
        self._shown_at = None
        if self._waiting:
            return
        if self._paused:
            self._clock.stop()
            if self._sound is not None:
                self._sound.pause()
        else:
            self._clock.start()
            if self._sound is not None:
                self._sound.play()

    def _save_picture(self) -> None:
        from upreel.player.screenshot import save_picture

        if self._shown is None:
            return
        try:
            path = save_picture(self._shown, self._info.name, self._config.screenshots)
        except UpreelError as error:
            self._say(str(error))
            self._tell(str(error))
            return
        self._say(f"saved {path.name}")
        self._tell(f"saved {path}")
