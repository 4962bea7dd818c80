# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""A source opened for playing: packets, and what is decoded from them, for three threads at once.

Demuxing, decoding pictures and decoding sound may each run in a thread of its own. Times count from
the source's start. What cannot be decoded is passed over: a player plays on.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from math import floor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import av
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from upreel.errors import DamagedError, InputError, OptionError, ProbeError
from upreel.video.display import DISPLAY, DisplayConverter
from upreel.video.fields import is_deinterlaced
from upreel.video.frame import Frame
from upreel.video.live import LIVE_SCHEMES, REMOTE_PROTOCOLS
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
from upreel.video.probe import probe, siting_and_aspect
from upreel.video.source import is_sequence, open_source, picture_stream
from upreel.video.tracks import (
    Caption,
    CaptionFile,
    captions_beside,
    found_track,
    read_captions,
)

__all__ = ["Playback", "shown_name"]

_WAIT = 10.0  # seconds without a byte after which a source is given up
_BACK = (4, 8, 16, 32)  # seconds further back that a seek tries
_MOST_AHEAD = 2000  # packets before a key frame that it reads
_MISSING = (3, Fraction(1, 50))  # seconds, and share, that HLS may lack of what its playlist says


class Playback:
    """A source that is open.

    Args:
        address: a file, an address, ``/dev/videoN``, or "-" for standard input.
        live: play with as little delay as possible; None: devices and addresses of live
            protocols are, HTTP where nothing tells a duration.
        sound: False: as if there were none.
        rows: of a source of several sizes take that with this many rows, or the largest that has
            no more; None: the largest.
        sound_track: see `found_track`; None: the first.
        caption_track: likewise.

    Raises:
        InputError: no such file, or the address cannot be opened.
        OptionError: no such track.
        ProbeError: not a video.
    """

    def __init__(
        self,
        address: str,
        *,
        live: bool | None = None,
        sound: bool = True,
        rows: int | None = None,
        sound_track: str | None = None,
        caption_track: str | None = None,
    ) -> None:
        self._address = address
        kind = _kind(address)
        self._local = kind == "file"
        if is_sequence(address):
            raise InputError(f"{address} is a sequence of pictures; upreel play takes videos")
        info = probe(address) if self._local else None
        self._rows, self._wants_sound, self._asked_live = rows, sound, live
        self.sound_place = self.caption_place = 0
        self._beside: list[CaptionFile] = []
        self._sounding = SoundDecoder()
        self._connect()
        try:
            duration = self._container.duration
            live = self._is_live
            self._base = Fraction(self._video.time_base or Fraction(1, 90_000))
            start = cast("int | None", self._container.start_time)
            self._origin = None if live or start is None else Fraction(start, 1_000_000)
            context = self._video.codec_context
            self._fields = info is not None and is_deinterlaced(info, "auto")
            self._top_first = info is None or info.top_field_first
            rate = self._video.average_rate or self._video.guessed_rate or Fraction(25)
            ratio = Fraction(self._video.sample_aspect_ratio or 0)
            notices: list[str] = []
            if self._fields:
                notices.append("interlaced: its fields are made whole pictures")
            for file in captions_beside(Path(address)) if self._local else ():
                try:
                    self._beside.append(read_captions(file, Path(address)))
                except InputError as error:
                    notices.append(str(error))
            self.info = PlayInfo(
                name=shown_name(address),
                width=context.width,
                height=context.height,
                rate=Fraction(rate) if info is None or not info.rate else info.rate,
                duration=None if duration is None else Fraction(duration, 1_000_000),
                live=live,
                seekable=duration is not None and not live and kind in ("file", "http"),
                resumable=kind in ("http", "live"),
                rotation=info.rotation if info else 0,
                sample_aspect_ratio=(info.sample_aspect_ratio if info else ratio) or Fraction(1),
                codec=context.codec.canonical_name,
                sound_tracks=tracks_of(self._sounds),
                caption_tracks=tracks_of([*self._texts, *self._beside]),
                notices=tuple(notices),
            )
            self._choose_first(sound_track, caption_track)
        except BaseException:
            self._container.close()
            raise
        self._decoding = threading.Lock()
        self._ahead: list[Packet] = []  # read by a seek to see where it led to
        self._converter: DisplayConverter | None = None
        self._index = 0
        self._next_pts = 0
        self._place = self._origin or Fraction(0)  # that it was sent to
        self._begins_at: Callable[[], Fraction] = Fraction  # 0, but of connections later on

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def reopen(self, at: Callable[[], Fraction], *, wait: float) -> bool:
        """Connect anew to a source that broke off.

        Args:
            at: seconds from the source's start: of one with an end, that it is to go on at; of
                others, that its next key frame is to have, asked when that has come.
            wait: seconds without an answer after which that is given up.

        Returns:
            Whether it goes on; a playlist may have come to its end.

        Raises:
            InputError: it cannot be opened.
            ProbeError: what is there now is no video.
        """
        self._reconnect(wait)
        self.flush_sound()
        if self.info.ends:
            place = at() + (self._origin or 0)
            if not self._reached(place, wait):
                self._reconnect(wait)
            return True
        self._origin, self._begins_at = None, at
        return self.info.live or self._container.duration is None

    def _reconnect(self, wait: float = _WAIT) -> None:
        """Begin from the start on a connection of its own."""
        with self._decoding:
            self._container.close()
            self._connect(min(wait, _WAIT))
            self._base = Fraction(self._video.time_base or Fraction(1, 90_000))
            self._converter, self._ahead = None, []

    def _connect(self, wait: float = _WAIT) -> None:
        """Open the source, and choose its streams."""
        kind, live = _kind(self._address), self._asked_live
        low_delay = bool(live) or kind == "live"
        self._container = _open(self._address, kind, low_delay=low_delay, wait=wait)
        try:
            self._video = self._chosen_video(self._rows)
            sounds: tuple[AudioStream, ...] = self._container.streams.audio
            self._sounds = [s for s in sounds if is_known(s)] if self._wants_sound else []
            self._texts = [stream for stream in self._container.streams if is_text(stream)]
            self._streams = [self._video, *self._sounds, *self._texts]
            for stream in cast("Iterator[Stream]", self._container.streams):
                if all(stream is not kept for kept in self._streams):
                    stream.discard = Discard.all
            self._leave_the_rest()
            if live is None:
                endless = self._container.duration is None
                is_hls = self._container.format.name == "hls"
                live = kind == "live" or (kind == "http" and endless and not is_hls)
            self._is_live = live
            context = self._video.codec_context
            context.thread_type = "SLICE" if live else "AUTO"
            context.flags |= int(Flags.output_corrupt) | (int(Flags.low_delay) if live else 0)
        except BaseException:
            self._container.close()
            raise

    def _choose_first(self, sound: str | None, captions: str | None) -> None:
        info = self.info
        if sound is not None and self._wants_sound:
            self.choose_sound(found_track(info.sound_tracks, sound, kind="sound", name=info.name))
        if captions is not None:
            place = found_track(info.caption_tracks, captions, kind="subtitle", name=info.name)
            self.choose_captions(place)

    def choose_sound(self, place: int) -> None:
        """Give the sound of another of `PlayInfo.sound_tracks`, by its place from 0."""
        self.sound_place = place
        self._leave_the_rest()
        self.flush_sound()

    def choose_captions(self, place: int) -> None:
        """Have the subtitles of one of `PlayInfo.caption_tracks` sent, by its place from 0."""
        self.caption_place = place
        self._leave_the_rest()

    def _leave_the_rest(self) -> None:
        """Of HLS load what is chosen only; elsewhere all of it comes, mixed."""
        chosen = self._sounds[self.sound_place : self.sound_place + 1]
        self._audio = chosen[0] if chosen else None
        if self._container.format.name != "hls":
            return
        for place, stream in enumerate(self._sounds):
            stream.discard = Discard.default if place == self.sound_place else Discard.all
        for place, stream in enumerate(self._texts):
            stream.discard = Discard.default if place == self.caption_place else Discard.all

    def _chosen_video(self, rows: int | None) -> VideoStream:
        first = picture_stream(self._container, shown_name(self._address))
        streams = [s for s in self._container.streams.video if is_known(s) and s.height]
        if self._container.format.name != "hls" or len(streams) < 2:
            return first
        fitting = [s for s in streams if rows is None or s.height <= rows]
        return (
            max(fitting, key=lambda s: s.height)
            if fitting
            else min(streams, key=lambda s: s.height)
        )

    def news(self) -> list[str]:
        """What the viewer should know that turned up: nothing, of files that FFmpeg reads."""
        return []

    @property
    def interlaced(self) -> bool | None:
        """None: it is not; else whether the upper field is the earlier one."""
        return self._top_first if self._fields else None

    def pieces(self) -> Iterator[Piece]:
        """All packets from where it is.

        Raises:
            DamagedError: it breaks off.
        """
        packets = chain(self._ahead, self._container.demux(self._streams))
        self._ahead = []
        if self.info.ends and self.info.resumable:
            packets = self._whole(packets)
        try:
            for packet in packets:
                if packet.size and self._is_heard(packet) and self._has_begun(packet):
                    yield self._piece(packet)
        except av.FFmpegError as error:
            late = isinstance(error, av.ExitError)
            reason = f"nothing came for {_WAIT:g} s" if late else error.strerror
            raise DamagedError(f"{self.info.name} broke off: {reason}") from error

    def _whole(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Those of a film on the network, but for the one within which its connection breaks off.

        Raises:
            DamagedError: it breaks off and FFmpeg does not say so.
        """
        torn: Packet | None = None
        end = self._place
        for packet in packets:
            if torn is not None:
                yield torn
            torn = packet if packet.is_corrupt else None
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base))
            if torn is None:
                yield packet
        duration, seconds = self.info.duration or Fraction(0), end - (self._origin or 0)
        missing = duration - seconds
        least, share = _MISSING
        # HLS passes over what it cannot load, and sums up lengths that may be rounded.
        if self._container.format.name == "hls" and missing > max(least, share * duration):
            raise DamagedError(f"{self.info.name} broke off: {float(missing):.1f} s before its end")

    def _has_begun(self, packet: Packet) -> bool:
        """Whether it is not before the first key frame of what has no other beginning."""
        if self._origin is None:
            ticks = packet.pts if packet.pts is not None else packet.dts
            if ticks is None or packet.stream.type != "video" or not packet.is_keyframe:
                return False
            self._origin = ticks * Fraction(packet.time_base) - self._begins_at()
        return True

    def _is_heard(self, packet: Packet) -> bool:
        """Whether it is not of a sound that is not chosen."""
        return packet.stream.type != "audio" or packet.stream is self._audio

    def _piece(self, packet: Packet) -> Piece:
        kind = cast("Literal['video', 'audio', 'subtitle']", packet.stream.type)
        ticks = None
        if kind == "video" and packet.pts is not None:
            ticks = packet.pts - round((self._origin or Fraction(0)) / self._base)
        return Piece(kind=kind, size=packet.size, ticks=ticks, packet=packet)

    def seek(self, seconds: Fraction) -> None:
        """Go on with the packets of the key frame at or before a time.

        Raises:
            OptionError: it cannot be played from elsewhere.
        """
        if not self.info.seekable:
            raise OptionError(f"{self.info.name} can only be played from its start")
        place = seconds + (self._origin or 0)
        if self._reached(place):
            return
        if self.info.resumable and self._container.format.name != "hls":
            self._reconnect()  # it may have broken off
            if self._reached(place):
                return
        # HLS does not go back to its first key frame where that is decoded before it is shown.
        self._reconnect()

    def _reached(self, place: Fraction, wait: float = _WAIT) -> bool:
        """Go to the key frame at or before a time in the packets' clock; False: it is not reached.

        Args:
            place: the time.
            wait: seconds after which nothing further back is tried.
        """
        self._place = place
        began = time.monotonic()
        for back in (0, *_BACK):
            self._ahead = self._sought(max(place - back, self._origin or Fraction(0)))
            times = [p.pts for p in self._ahead if p.stream is self._video and p.pts is not None]
            if times and times[0] * self._base <= place:
                return True
            if time.monotonic() - began > wait:
                break
        return False

    def _sought(self, place: Fraction) -> list[Packet]:
        """Packets up to the first key frame from about a place on; HLS and TS give later ones."""
        found: list[Packet] = []
        try:
            with self._decoding:  # PyAV empties the decoders, too
                ticks = floor(place / self._base)
                self._container.seek(ticks, backward=True, stream=self._video)
            for number, packet in enumerate(self._container.demux(self._streams)):
                is_video = packet.stream is self._video
                begins = is_video and packet.is_keyframe
                if packet.size and (begins or not is_video):
                    found.append(packet)
                if begins or number > _MOST_AHEAD:
                    break
        except av.FFmpegError:  # before the first key frame, or an index that is missing
            pass
        return found

    def flush_video(self) -> None:
        """The next packet does not follow the last one."""
        with self._decoding:
            self._video.codec_context.flush_buffers()

    def flush_sound(self) -> None:
        """Likewise."""
        if self._audio is not None:
            self._audio.codec_context.flush_buffers()
        self._sounding.flush()

    def video(self, piece: Piece | None) -> list[Frame]:
        """Pictures as screens take them, in display order; None gives the last ones.

        Raises:
            ProbeError: a pixel format that cannot be read.
        """
        try:
            packet = None if piece is None else piece.packet
            with self._decoding:
                decoded = self._video.codec_context.decode(packet)
        except av.FFmpegError:
            return []
        return [self._frame(frame) for frame in decoded]

    def _frame(self, frame: av.VideoFrame) -> Frame:
        if self._converter is None:
            frame.time_base = self._base  # the last frames of a stream lack it
            location, _ = siting_and_aspect(frame)
            self._converter = DisplayConverter(left=location in (0, 1))
        origin = self._origin or Fraction(0)
        step = max(round(1 / self.info.rate / self._base), 1)
        pts = self._next_pts if frame.pts is None else frame.pts - round(origin / self._base)
        duration = frame.duration or step
        interlaced, corrupt = frame.interlaced_frame, frame.is_corrupt
        self._next_pts = pts + duration
        planes = self._converter(frame)
        made = Frame(
            planes=planes,
            format=DISPLAY,
            index=self._index,
            pts=pts,
            time_base=self._base,
            duration=duration,
            interlaced=interlaced,
            damaged=corrupt,
        )
        self._index += 1
        return made

    @property
    def bt709(self) -> bool:
        """Whether the pictures made last are of BT.709's matrix; of BT.601's else."""
        return self._converter is not None and self._converter.bt709

    def sound(self, piece: Piece) -> list[Sound]:
        """The sound of a packet; nothing where it is damaged, or of another track by now."""
        if not self._is_heard(piece.packet):
            return []
        return self._sounding(piece.packet, self._origin or Fraction(0))

    def caption(self, piece: Piece) -> Caption | None:
        """The words of a packet of subtitles, None if there are none."""
        return caption_of(piece, self._texts, self._origin or Fraction(0))

    def words_beside(self, place: int, media: float) -> list[str]:
        """What the file beside it that is a track by that place says at a time, in seconds."""
        number = place - len(self.info.caption_tracks) + len(self._beside)
        return self._beside[number].at(media) if 0 <= number < len(self._beside) else []


def _kind(address: str) -> str:
    """Of what kind it is: file, pipe, http or live."""
    if address == "-":
        return "pipe"
    if re.fullmatch(r"/dev/video\d+", address):
        return "live"
    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if scheme in ("http", "https"):
        return "http"
    if scheme in LIVE_SCHEMES:
        return "live"
    if scheme:
        known = ", ".join(f"{name}://" for name in LIVE_SCHEMES)
        raise OptionError(f"upreel play takes files and {known}; got {address!r}")
    return "file"


def _open(address: str, kind: str, *, low_delay: bool, wait: float) -> InputContainer:
    if kind == "file":
        return open_source(address)
    options: dict[str, str] = {}
    if low_delay:
        options |= {"analyzeduration": "300000", "probesize": "200000"}
    arguments: dict[str, Any] = {"metadata_errors": "replace", "timeout": (wait, _WAIT)}
    source = address
    if kind == "pipe":
        source = "pipe:0"  # not sys.stdin, which reads until its buffer is full
        del arguments["timeout"]
    elif address.startswith("/dev/"):
        arguments["format"] = "v4l2"
    else:
        options["protocol_whitelist"] = REMOTE_PROTOCOLS
        if kind == "http":  # PyAV's limit is for opening and for packets, not for seeking
            options["rw_timeout"] = str(round(_WAIT * 1_000_000))
        if address.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    name = shown_name(address)
    try:
        return av.open(source, "r", options=options, **arguments)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fault = ProbeError if kind == "pipe" else InputError
        raise fault(f"{name} cannot be opened: {reason}") from error


def shown_name(address: str) -> str:
    """An address without the name and password that may be in it.

    Example:
        >>> shown_name("http://me:secret@host/film")
        'http://host/film'
    """
    if address == "-":
        return "standard input"
    return re.sub(r"(?<=://)[^/@]*@", "", address)
