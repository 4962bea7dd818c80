# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# PyAV is typed in part: packets are generic without parameters.
"""An .upv file opened for playing: see `upreel.video.playback.Playback`.

Pictures are decoded by the codec's networks, one packet at a time; sound and words come from the
packets that are carried along. Times count from the first of all that is to be seen or heard. A
file by its HTTP address is played while its bytes arrive.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from upreel.codec.file import UpvFile
from upreel.codec.others import carried_packet
from upreel.codec.packet import PacketType
from upreel.codec.parser import Damage, Placed
from upreel.errors import DamagedError, InputError, OptionError
from upreel.pipeline.coding import CodecBackend
from upreel.pipeline.sending import Receiver
from upreel.pipeline.upv_source import LOOKED_AT, UpvSource
from upreel.player.remote import RemoteFile
from upreel.video.display import DISPLAY, DisplayConverter
from upreel.video.formats import av_from_planes
from upreel.video.frame import Frame
from upreel.video.pieces import (
    Piece,
    PlayInfo,
    Sound,
    SoundDecoder,
    caption_of,
    is_known,
    is_text,
    tracks_of,
)
from upreel.video.tracks import Caption, CaptionFile, captions_beside, found_track, read_captions

__all__ = ["UpvPlayback"]

_LOOKED_AT_AFAR = 50  # packets that are waited for to know when each stream begins
_UNSEEKABLE = "it cannot be sought: the server gives no ranges, or the file has no index"


class UpvPlayback:
    """An .upv file that is open.

    Attributes:
        info: what it is.
        sound_place: the track that is heard, by its place from 0.
        caption_place: the subtitles that are wanted, likewise.

    Args:
        path: of the file, or its address.
        codec: a codec's name, or the path of its card; None: what the file names.
        threads: of its networks, 0 for all cores.
        sound: False: as if there were none.
        sound_track: see `found_track`; None: the first.
        caption_track: likewise.
        backend: where codecs come from; None: cards and the engines.

    Raises:
        InputError: no such file, or it may not be read.
        BitstreamError: it is no .upv file, or its header is damaged.
        DamagedError: there is no frame in it.
        ModelError: it was made by another codec, or none of that name is there.
        OptionError: no such track.
    """

    def __init__(
        self,
        path: str,
        *,
        codec: str | None = None,
        threads: int = 0,
        sound: bool = True,
        sound_track: str | None = None,
        caption_track: str | None = None,
        backend: CodecBackend | None = None,
    ) -> None:
        self._remote = RemoteFile(path) if "://" in path else None
        self._open = ExitStack()
        with ExitStack() as opened:
            self._file = opened.enter_context(_opened(path, self._remote))
            name = path if self._remote is None else self._remote.name
            source = UpvSource(
                name,
                codec=codec,
                threads=threads,
                backend=backend,
                file=self._file,
                looked_at=LOOKED_AT if self._remote is None else _LOOKED_AT_AFAR,
            )
            self._carried = opened.enter_context(source.open_streams())
            self._begin(source, name, Path(path) if self._remote is None else None, sound=sound)
            tracks = self.info
            if sound_track is not None and sound:
                self.sound_place = found_track(
                    tracks.sound_tracks, sound_track, kind="sound", name=name
                )
            if caption_track is not None:
                self.caption_place = found_track(
                    tracks.caption_tracks, caption_track, kind="subtitle", name=name
                )
            self._open = opened.pop_all()

    def _begin(self, source: UpvSource, name: str, path: Path | None, *, sound: bool) -> None:
        """Know what is there."""
        header, known, file = source.header, source.info, self._file
        self._header, self._base = header, header.time_base
        index = file.index
        if not index.num_frames and (self._remote is None or file.seekable):
            raise DamagedError(f"no frame of {name} can be decoded")
        self._codec = source.open_codec()
        starts = {s.index: s.start * s.time_base for s in known.streams if s.start is not None}
        # What begins a little before 0 is sound that its decoder swallows.
        earliest = max(min(starts.values(), default=Fraction(0)), Fraction(0))
        self._origin = min(starts.get(known.video_index, earliest), earliest)
        self._found: deque[str] = deque()  # what is to be told
        self._told: set[str] = set()
        self._receiver = self._new_receiver()
        self._converter = DisplayConverter(left=header.colour.chroma_location in (0, 1))
        self._index = 0
        self._from: int | None = None  # ticks that reading is to begin at
        self.sound_place = self.caption_place = 0
        streams = self._carried.streams
        self._sounds = [s for s in streams if s.type == "audio" and is_known(s)] if sound else []
        self._texts = [stream for stream in streams if is_text(stream)]
        self._decoder = SoundDecoder()
        notices = [*source.notices, *([] if file.seekable else [_UNSEEKABLE])]
        self._beside: list[CaptionFile] = []
        if path is not None:
            for words in captions_beside(path):
                try:
                    self._beside.append(read_captions(words, path))
                except InputError as error:
                    notices.append(str(error))
        duration = index.end_pts * self._base - self._origin if index.num_frames else Fraction(0)
        self.info = PlayInfo(
            name=name,
            width=header.width,
            height=header.height,
            rate=header.rate or Fraction(25),
            duration=duration if duration > 0 else None,
            live=False,
            seekable=duration > 0 and file.seekable,
            rotation=header.rotation,
            sample_aspect_ratio=header.sample_aspect_ratio or Fraction(1),
            codec="upv",
            sound_tracks=tracks_of(self._sounds),
            caption_tracks=tracks_of([*self._texts, *self._beside]),
            notices=tuple(notices),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def _new_receiver(self) -> Receiver:
        def tell(text: str) -> None:
            if text not in self._told:  # once, however often it is played
                self._told.add(text)
                self._found.append(text)

        return Receiver(self._codec, self._header, tell)

    def news(self) -> list[str]:
        """Damage that was found since this was asked last, one line a stretch."""
        return [self._found.popleft() for _ in range(len(self._found))]

    @property
    def interlaced(self) -> bool | None:
        """None: it is not."""
        return None

    @property
    def bt709(self) -> bool:
        """Whether the pictures made last are of BT.709's matrix; of BT.601's else."""
        return self._converter.bt709

    def choose_sound(self, place: int) -> None:
        """Give the sound of another of `PlayInfo.sound_tracks`, by its place from 0."""
        self.sound_place = place
        self.flush_sound()

    def choose_captions(self, place: int) -> None:
        """Have the subtitles of one of `PlayInfo.caption_tracks`, by its place from 0."""
        self.caption_place = place

    def pieces(self) -> Iterator[Piece]:
        """All packets from where it is, and what is damaged among those of the video.

        Raises:
            DamagedError: a file by its address breaks off.
        """
        if self._remote is not None:
            self._remote.held = False
        seen = False
        for event in self._file.read(self._from):
            piece = self._piece(event)
            if piece is not None:
                seen = seen or (piece.kind == "video" and piece.ticks is not None)
                yield piece
        if not seen:
            raise DamagedError(f"no frame of {self.info.name} can be decoded")

    def _piece(self, event: Placed | Damage) -> Piece | None:
        if isinstance(event, Damage):
            return Piece(kind="video", size=event.num_bytes, ticks=None, packet=event)
        packet = event.packet
        size = len(packet.payload)
        if packet.type.is_video:
            ticks = packet.pts - round(self._origin / self._base)
            return Piece(kind="video", size=size, ticks=ticks, packet=event)
        if packet.type is not PacketType.OTHER:
            return None
        carried = self._carried.packet(carried_packet(packet))
        if carried is None:
            return None
        if carried.stream.type == "audio":
            return Piece(kind="audio", size=size, ticks=None, packet=carried)
        if any(carried.stream is stream for stream in self._texts):
            return Piece(kind="subtitle", size=size, ticks=None, packet=carried)
        return None

    @property
    def _heard(self) -> Any:  # noqa: ANN401 - PyAV's stream
        return self._sounds[self.sound_place] if self._sounds else None

    def seek(self, seconds: Fraction) -> None:
        """Go on with the packets of the last sound keyframe at or before a time.

        Raises:
            OptionError: it cannot be played from elsewhere.
            DamagedError: a file by its address breaks off.
        """
        if not self.info.seekable:
            raise OptionError(f"{self.info.name} can only be played from its start")
        pts = floor((seconds + self._origin) / self._base)
        for key in (*reversed([key for key in self._file.index.pts if key <= pts]), None):
            self._from = key
            if key is None or self._is_sound(key):
                return

    def _is_sound(self, key: int) -> bool:
        """Whether reading from a keyframe begins with it."""
        for event in self._file.read(key):
            if isinstance(event, Damage):
                return False
            if event.packet.type.is_video:
                return event.packet.pts == key
        return False

    def reopen(self, at: Callable[[], Fraction], *, wait: float) -> bool:
        """Not asked for: a file does not go on elsewhere."""
        raise AssertionError("a file is not connected to")

    def flush_video(self) -> None:
        """The next packet does not follow the last one."""
        self._receiver = self._new_receiver()

    def flush_sound(self) -> None:
        """Likewise."""
        if self._heard is not None:
            self._heard.codec_context.flush_buffers()
        self._decoder.flush()

    def video(self, piece: Piece | None) -> list[Frame]:
        """Pictures as screens take them, damaged ones among them; None: there are no more."""
        if piece is None:
            self._receiver.finish()
            return []
        return [self._shown(frame) for frame in self._receiver.take(piece.packet)]

    def _shown(self, frame: Frame) -> Frame:
        picture = av_from_planes(frame.planes, frame.format)
        colour = frame.colour
        picture.color_range = 2 if colour.full_range else 1
        picture.color_trc, picture.colorspace = colour.transfer, colour.matrix
        picture.color_primaries = colour.primaries
        self._index += 1
        return replace(
            frame,
            planes=self._converter(picture),
            format=DISPLAY,
            index=self._index - 1,
            pts=frame.pts - round(self._origin / self._base),
        )

    def sound(self, piece: Piece) -> list[Sound]:
        """The sound of a packet; nothing where it is damaged, or of another track by now."""
        if piece.packet.stream is not self._heard:
            return []
        return self._decoder(piece.packet, self._origin)

    def caption(self, piece: Piece) -> Caption | None:
        """The words of a packet of subtitles, None if there are none."""
        return caption_of(piece, self._texts, self._origin)

    def words_beside(self, place: int, media: float) -> list[str]:
        """What the file beside it that is a track by that place says at a time, in seconds."""
        number = place - len(self._texts)
        return self._beside[number].at(media) if 0 <= number < len(self._beside) else []


def _opened(path: str, remote: RemoteFile | None) -> UpvFile:
    if remote is None:
        return UpvFile(path)
    return UpvFile(remote.name, far=remote, far_seekable=remote.seekable)
