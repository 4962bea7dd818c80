"""Sources in a container that FFmpeg does not know, as the rooms above read them.

`SourceInfo.foreign` holds one, and what reads sources asks it instead of FFmpeg. Streams other than
the video are read alike, whatever the container: by `open_streams` and `open_stream`.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from upreel.video.frame import Frame
from upreel.video.info import SourceInfo, Timeline
from upreel.video.notice import Notice
from upreel.video.source import open_source

if TYPE_CHECKING:
    from av.container.core import Chapter

    from upreel.video.payload import Carried

__all__ = ["Foreign", "StreamSource", "open_stream", "open_streams", "stream_number"]


class StreamSource(Protocol):
    """As much of PyAV's `InputContainer` as reading streams other than the video takes.

    Attributes:
        streams: PyAV's; of a foreign source the video is not among them.
    """

    streams: Any

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None: ...

    def chapters(self) -> "list[Chapter]":
        """The source's chapters."""
        ...

    def demux(self, streams: Any, /) -> Iterator[Any]:  # noqa: ANN401 - as PyAV takes them
        """The packets of a stream, or of several, from where it is."""
        ...

    def seek(self, offset: int, /) -> None:
        """Go on with packets of about a time, in microseconds, or of an earlier one."""
        ...


class Foreign(Protocol):
    """A file that can be read as often as one wants; nothing of it is open between calls."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should know, one line each."""
        ...

    @property
    def num_damaged(self) -> int:
        """Different frames, of all that were read so far, that stand for lost ones."""
        ...

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

    def carried(self) -> "list[Carried]":
        """All streams but the video, with their packets."""
        ...

    def open_streams(self) -> StreamSource:
        """All streams but the video, to be read; the caller closes it by leaving its block.

        Raises:
            BitstreamError: what describes them is damaged.
        """
        ...

    def identity(self) -> Mapping[str, str]:
        """What decides its frames beside the file itself, by a name that messages can use."""
        ...


def open_streams(info: SourceInfo) -> StreamSource:
    """Open the streams of a source, whatever its container; the caller closes it.

    Raises:
        InputError: no such file, or not one that may be read.
        ProbeError: empty, or in no format that FFmpeg knows.
        BitstreamError: of a foreign source, what describes its streams is damaged.
    """
    if info.foreign is not None:
        return info.foreign.open_streams()
    return cast("StreamSource", open_source(info.path))


def stream_number(info: SourceInfo, place: int) -> int:
    """The number in a source of a stream by its place in what `open_streams` gives.

    Example:
        >>> from types import SimpleNamespace
        >>> film = SimpleNamespace(foreign="yes", video_index=1)
        >>> [stream_number(film, place) for place in (0, 1, 2)]
        [0, 2, 3]
    """
    return place + (info.foreign is not None and place >= info.video_index)


@contextmanager
def open_stream(info: SourceInfo, index: int) -> Generator[tuple[StreamSource, Any]]:
    """One stream other than the video, by its number in the source, and what its packets are in.

    Raises:
        UpreelError: as `open_streams`.
    """
    with open_streams(info) as source:
        yield (
            source,
            source.streams[index - (info.foreign is not None and index > info.video_index)],
        )
