"""Which sound and which subtitles of a title a viewer has chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from upreel.errors import OptionError
from upreel.video.pieces import PlayInfo, PlaySource
from upreel.video.tracks import Track, found_track, same_language

__all__ = ["Tracks", "Wishes"]

Wish = Track | str | None  # a track of an earlier title, what was asked for at first, nothing


@dataclass(kw_only=True)
class Wishes:
    """What the viewer chose, for the titles that follow.

    Attributes:
        sound: a track, or as `found_track` takes it; None: the first is as good as any.
        captions: likewise, of subtitles.
    """

    sound: Wish
    captions: Wish

    def granted(self, source: PlaySource) -> None:
        """Remember which tracks of the first title those are that were asked for."""
        if self.sound is not None and source.info.sound_tracks:
            self.sound = source.info.sound_tracks[source.sound_place]
        if self.captions is not None:
            self.captions = source.info.caption_tracks[source.caption_place]

    def carry_to(self, source: PlaySource) -> None:
        """Have a title begin with what is wished for, where it has that."""
        sound = _found(source.info.sound_tracks, self.sound)
        if sound is not None:
            source.choose_sound(sound)
        captions = _found(source.info.caption_tracks, self.captions)
        if captions is not None:
            source.choose_captions(captions)


def _found(tracks: Sequence[Track], wish: Wish) -> int | None:
    """The place of the track that is most like another: one of its language at least.

    One of which no language is known is like the one of its number, if that tells none either.
    """
    if wish is None:
        return None
    if isinstance(wish, str):
        try:
            return found_track(tracks, wish, kind="", name="")
        except OptionError:
            return None

    def differs(place: int) -> tuple[bool, bool]:
        track = tracks[place]
        return track.title != wish.title, track.number != wish.number

    places = [n for n, t in enumerate(tracks) if same_language(t.language, wish.language)]
    if not wish.language:
        places = [n for n, t in enumerate(tracks) if not t.language and t.number == wish.number]
    return min(places, key=differs, default=None)


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
        wishes: have what the viewer chooses.
        sound: place of the first sound.
        captions: place of the first subtitles.
    """

    def __init__(
        self, info: PlayInfo, source: _Source, wishes: Wishes, *, sound: int, captions: int
    ) -> None:
        self._info = info
        self._wishes = wishes
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
        self._wishes.sound = tracks[self._sound]
        return self.sound

    def next_captions(self) -> str | None:
        """Take the next subtitles, likewise."""
        tracks = self._info.caption_tracks
        if len(tracks) < 2:
            return None
        self._captions = (self._captions + 1) % len(tracks)
        self._source.choose_captions(self._captions)
        self._wishes.captions = tracks[self._captions]
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
