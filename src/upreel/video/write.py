"""Encoding frames into a part file, or straight through into a stream.

`PartWriter` writes aside and renames: a part file exists only when it is complete.
"""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Frame

__all__ = ["PartWriter", "part_suffix"]


def part_suffix(settings: EncoderSettings) -> str:
    """Ending of a part file for these settings, with the dot."""


class PartWriter:
    """Context manager that encodes frames into one part file.

    The file appears under `path` only when the block ends without an exception.

    Args:
        path: the part file; its ending must be `part_suffix(settings)`.
        settings: how to encode.

    Raises:
        DiskFullError: no room for it.
        OutputError: the place cannot be written to.
    """

    num_frames: int
    num_bytes: int

    def __init__(self, path: Path, settings: EncoderSettings) -> None: ...
    def __enter__(self) -> Self: ...
    def write(self, frame: Frame) -> None:
        """Encode one frame; frames come in display order with rising PTS."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class StreamWriter:
    """Like `PartWriter`, straight to an open binary file such as stdout.

    Args:
        file: where to; need not be seekable.
        settings: how to encode (Matroska), or the frames' shape (y4m, uncompressed).
        kind: "y4m" or "matroska".
    """

    def __init__(self, file: BinaryIO, settings: EncoderSettings, *, kind: str) -> None: ...


class ImageWriter:
    """Like `PartWriter`: one PNG or TIFF file a frame.

    Args:
        pattern: ``DIR/%06d.png``, or a folder (then ``%06d.png`` in it).
        settings: `format` must be grey or RGB(A), 8 or 16 bits; YUV is converted.
        first: number of the first picture.
    """

    def __init__(self, pattern: str | Path, settings: EncoderSettings, *, first: int = 1) -> None: ...
