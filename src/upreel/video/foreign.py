"""Sources in a container that FFmpeg does not know, as the rooms above read them.

`SourceInfo.foreign` holds one, and what reads sources asks it instead of FFmpeg.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from upreel.video.frame import Frame
from upreel.video.info import Timeline
from upreel.video.notice import Notice
from upreel.video.payload import Carried

__all__ = ["Foreign"]


class Foreign(Protocol):
    """A file that can be read as often as one wants; nothing of it is open between calls."""

    def timeline(self) -> Timeline:
        """Every frame's time; nothing is decoded.

        Raises:
            DamagedError: there are no frames.
        """
        ...

    def frames(
        self, timeline: Timeline, first: int, stop: int, tell: Callable[[Notice], None]
    ) -> Iterator[Frame]:
        """Frames [first, stop) of the timeline in display order, none of them left out.

        Raises:
            DamagedError: none of them can be decoded.
        """
        ...

    def carried(self) -> list[Carried]:
        """All streams but the video, with their packets."""
        ...
