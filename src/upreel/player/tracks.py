"""Which sound and which subtitles of a title a viewer has chosen."""

from typing import Protocol

from upreel.video.pieces import PlayInfo

__all__ = ["Tracks"]


class _Source(Protocol):
    def choose_sound(self, place: int) -> None:
        """The sound of another track, by its place from 0."""
        ...

    def choose_captions(self, place: int) -> None:
        """The words of another track, by its place from 0."""
        ...


class Tracks:
    """Goes through the tracks of a title, round and round.

    Args:
        info: says what there is.
        source: is told of choices.
        sound: place of the first sound.
        captions: place of the first subtitles.
    """

    def __init__(self, info: PlayInfo, source: _Source, *, sound: int, captions: int) -> None:
        self._info = info
        self._source = source
        self._sound = sound
        self._captions = captions

    def next_sound(self) -> str | None:
        """Take the next sound: what was taken; None where there is no other."""
        tracks = self._info.sound_tracks
        if len(tracks) < 2:
            return None
        self._sound = (self._sound + 1) % len(tracks)
        self._source.choose_sound(self._sound)
        return self.sound

    def next_captions(self) -> str | None:
        """Take the next subtitles, likewise."""
        tracks = self._info.caption_tracks
        if len(tracks) < 2:
            return None
        self._captions = (self._captions + 1) % len(tracks)
        self._source.choose_captions(self._captions)
        return self.captions

    @property
    def sound(self) -> str:
        """What is heard, "" for nothing."""
        tracks = self._info.sound_tracks
        return tracks[self._sound].label if tracks else ""

    @property
    def captions(self) -> str:
        """What is to be read, "" for nothing."""
        tracks = self._info.caption_tracks
        return tracks[self._captions].label if tracks else ""
