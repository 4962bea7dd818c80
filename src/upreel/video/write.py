# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Encoding frames into a part file, or straight through into a stream.

`PartWriter` writes aside and renames: a part file exists only when it is complete.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from upreel.errors import OutputError
from upreel.video.aside import AsideFile, output_error
from upreel.video.encode import DueTimes, add_encoder, encodable
from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Frame
from upreel.video.order import fine_clock
from upreel.video.stills import ImageWriter
from upreel.video.stream import StreamWriter

__all__ = ["ImageWriter", "PartWriter", "StreamWriter", "part_suffix"]


def part_suffix(settings: EncoderSettings) -> str:
    """Ending of a part file for these settings, with the dot."""
    return settings.record.part


class PartWriter:
    """Context manager that encodes frames into one part file.

    The file appears under `path` only when the block ends without an exception; until then it is
    ``NAME.tmp``. Every PTS is kept to the tick: the part's clock is the settings' time base. A part
    that would begin before 0, which MP4 cuts off and Matroska cannot say, begins at 0.

    Attributes:
        num_frames: frames given so far.
        num_bytes: size of the file, known after the block.

    Args:
        path: the part file; its ending must be `part_suffix(settings)`.
        settings: how to encode.

    Raises:
        DiskFullError: no room for it.
        OutputError: the place cannot be written to.
        EncoderError: a frame of another size or model than the settings'.
        OptionError: an option that the encoder does not take.
    """

    def __init__(self, path: Path, settings: EncoderSettings) -> None:
        if path.suffix != part_suffix(settings):
            raise OutputError(f"a part for {settings.encoder} ends in {part_suffix(settings)}")
        self.num_frames = 0
        self.num_bytes = 0
        self._settings = settings
        self._path = path
        self._due = DueTimes(settings)
        self._later = 0  # ticks

    def __enter__(self) -> Self:
        self._file = AsideFile(self._path)
        clock = str(fine_clock(self._settings.time_base.denominator))
        try:
            self._container = av.open(
                self._file,
                "w",
                format=self._path.suffix[1:],
                container_options={
                    "fflags": "+bitexact",
                    "movie_timescale": clock,
                    "video_track_timescale": clock,
                },
            )
            self._stream = add_encoder(self._container, self._settings)
        except BaseException:
            self._file.discard()
            raise
        return self

    def write(self, frame: Frame) -> None:
        """Encode one frame; frames come in display order with rising PTS."""
        picture = encodable(frame, self._settings)
        pts = picture.pts or 0
        if not self.num_frames:
            self._later = max(-pts, 0)
        picture.pts = pts + self._later
        self._due.show(picture.pts)
        self._mux(picture)
        self.num_frames += 1

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                packet.dts = self._due.due()
                self._container.mux_one(packet)
        except OSError as error:
            self._file.check()
            raise output_error(error, self._path) from error
        self._file.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if not self.num_frames:
                    raise OutputError(f"no frames for {self._path}")
                self._mux(None)
                self._container.close()
                self.num_bytes = self._file.commit()
                return
        except BaseException:
            self._abandon()
            raise
        self._abandon()

    def _abandon(self) -> None:
        with suppress(av.FFmpegError, OSError):  # its trailer is of no use to anyone
            self._container.close()
        self._file.discard()
