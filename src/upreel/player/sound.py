"""Sound on its way to the device: without gaps, at its own time, as loud as asked for."""

from typing import Protocol

import numpy as np

from upreel.player.clock import Clock
from upreel.player.presenter import SoundDevice
from upreel.video.pieces import SOUND_RATE, Sound

__all__ = ["SoundFeed"]

_AHEAD = 0.2  # seconds queued in the device: what a busy main thread may take without a click
_SLACK = 0.02  # seconds by which sound may lie elsewhere than its times say before that is mended
_LIVE_SLACK = 0.04
_LONGEST_SILENCE = 5.0


class _Source(Protocol):
    def take_sound(self) -> Sound | None:
        """The next sound, None while there is none."""
        ...


class SoundFeed:
    """Keeps a device supplied.

    Args:
        device: that plays it.
        source: where sound comes from.
        clock: of the pictures.
        live: the sound follows the clock, not the clock the sound: pieces are left out, or silence
            is put in, where they differ.

    Attributes:
        volume: from 0 to 1.
        muted: whether nothing is heard.
    """

    def __init__(self, device: SoundDevice, source: _Source, clock: Clock, *, live: bool) -> None:
        self._device = device
        self._source = source
        self._clock = clock
        self._live = live
        self._end: float | None = None  # media time at which what is queued ends
        self.volume = 1.0
        self.muted = False

    @property
    def heard(self) -> float | None:
        """The media time that is heard now; None: nothing is."""
        queued = self._device.queued
        return None if self._end is None or queued <= 0 else self._end - queued

    def begin(self, media: float) -> None:
        """Throw away what is queued; sound from that media time on follows."""
        self._device.clear()
        self._end = media
        self.feed()

    def play(self) -> None:
        """Be heard."""
        self._device.play()

    def pause(self) -> None:
        """Be silent, and keep what is queued."""
        self._device.pause()

    def feed(self) -> None:
        """Queue what the device has room for."""
        if self._end is None:
            return
        queued = self._device.queued
        while queued < _AHEAD:
            sound = self._source.take_sound()
            if sound is None:
                return
            if self._clock.running and (self._live or queued <= 0):
                self._end = max(self._clock.now() + queued, 0.0 if self._live else self._end)
            self._add(sound)
            queued = self._device.queued

    def _add(self, sound: Sound) -> None:
        assert self._end is not None
        samples = sound.samples
        gap = float(sound.at) - self._end
        slack = _LIVE_SLACK if self._live else _SLACK
        if gap > slack:
            silence = np.zeros((round(min(gap, _LONGEST_SILENCE) * SOUND_RATE), 2), np.float32)
            self._device.queue(silence, self._end)
            self._end = float(sound.at)
        elif gap < -slack:
            samples = samples[round(-gap * SOUND_RATE) :]
        if len(samples):
            factor = 0.0 if self.muted else self.volume
            heard = samples if factor == 1.0 else samples * np.float32(factor)
            self._device.queue(heard, self._end)
            self._end += len(samples) / SOUND_RATE
