"""The header of an .upv stream: what a decoder and a muxer have to know before the first packet.

    magic    8  0x89 "UPV" CR LF 0x1A LF, which a transfer as text would damage
    version  2
    length   4  of the body, at most `MAX_BODY`
    CRC-32   4  of the 14 bytes before
    body        see `docs/bitstream.md`
    CRC-32   4  of the body

Whole numbers are big-endian.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from upreel.codec.packet import checksum
from upreel.errors import BitstreamError
from upreel.video.carry import MAX_CARRIED, CarriedStream, CarriedStreams
from upreel.video.frame import Colour
from upreel.video.info import HdrInfo

__all__ = [
    "MAGIC",
    "MAX_BODY",
    "MAX_SIDE",
    "PRECISIONS",
    "PREFIX_BYTES",
    "VERSION",
    "Arithmetic",
    "Header",
    "ModelIdentity",
    "UnknownVersionError",
    "pack_header",
    "unpack_body",
    "unpack_prefix",
]

MAGIC = b"\x89UPV\r\n\x1a\n"
VERSION = 1
PREFIX_BYTES = 18
MAX_BODY = 1 << 24
"""Bytes of the body, at most: 16 MiB, most of it for attached files."""
MAX_SIDE = 16_384
"""Columns or rows of a picture, at most."""

PRECISIONS = ("", "f32", "bf16")
"""In which a sender's networks may run; "" where it is not said."""

_MAX_TICKS = (1 << 31) - 1
_NO_LIGHT = 0xFFFFFFFF
_CHROMA_420 = 1
_RANGES: tuple[bool | None, ...] = (None, False, True)
_FIXED = struct.Struct(">HHHHBBBBBBBBhIIIIIII")


class UnknownVersionError(BitstreamError):
    """The stream follows a version of the format that this program does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelIdentity:
    """Which networks a stream is made for.

    Attributes:
        name: for people, 1 to 255 bytes of UTF-8.
        sha256: of the networks' file, 32 bytes: what counts.
    """

    name: str
    sha256: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.encode()) <= 255:
            raise ValueError(f"a model's name has 1 to 255 bytes, got {len(self.name.encode())}")
        if len(self.sha256) != 32:
            raise ValueError(f"a SHA-256 has 32 bytes, got {len(self.sha256)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arithmetic:
    """How networks are computed. Where all three agree, pictures are the same to the bit.

    Attributes:
        precision: one of `PRECISIONS`.
        engine: name and version, up to 255 bytes of UTF-8; "" if not said.
        machine: all that chooses the engine's arithmetic: system, architecture, vector
            instructions; up to 255 bytes of UTF-8; "" if not said.
    """

    precision: str = ""
    engine: str = ""
    machine: str = ""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"a precision must be f32 or bf16, got {self.precision!r}")
        _check("engine", len(self.engine.encode()), 0, 255)
        _check("machine", len(self.machine.encode()), 0, 255)

    def is_exactly(self, other: "Arithmetic") -> bool:
        """Whether pictures of both are the same to the bit, as far as both say what they are."""
        return self == other and bool(self.precision and self.engine and self.machine)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What is known before the first packet. Chroma is 4:2:0.

    Attributes:
        coded_width: columns of luma that the networks code, 1 to `MAX_SIDE`.
        coded_height: rows of luma that they code, 1 to `MAX_SIDE`.
        width: columns that are shown: the left ones of `coded_width * scale`.
        height: rows that are shown: the upper ones of `coded_height * scale`.
        scale: 2 if the decoder gives twice the coded size, else 1.
        bits: of a sample, 8 to 16.
        colour: range, primaries, transfer, matrix, siting.
        sample_aspect_ratio: 0 if not known; up to 2^31 - 1 over as much.
        rotation: degrees counter-clockwise that a player turns the picture by, -180 to 180.
        time_base: seconds a tick of the video; numerator and denominator up to 2^31 - 1.
        rate: average frames a second, 0 if not known.
        model: the networks.
        arithmetic: with which the sender decoded what it sent.
        keyframe_interval: frames from one keyframe to the next at most, 0 if there is no limit.
        hdr: mastering display and light levels, None for SDR; its two flags are not kept.
        metadata: tags of the source's container.
        video_metadata: tags of its video stream.
        video_disposition: FFmpeg's bits of its video stream.
        chapters: (start, end, title) in seconds.
        others: the source's other streams.

    Raises:
        ValueError: a field is out of its range.
    """

    coded_width: int
    coded_height: int
    width: int
    height: int
    time_base: Fraction
    model: ModelIdentity
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    scale: int = 1
    bits: int = 8
    colour: Colour = field(default_factory=Colour)
    sample_aspect_ratio: Fraction = Fraction(0)
    rotation: int = 0
    rate: Fraction = Fraction(0)
    keyframe_interval: int = 0
    hdr: HdrInfo | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    video_metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    video_disposition: int = 0
    chapters: tuple[tuple[Fraction, Fraction, str], ...] = ()
    others: CarriedStreams = field(default_factory=CarriedStreams)

    def __post_init__(self) -> None:
        _check("scale", self.scale, 1, 2)
        _check("coded width", self.coded_width, 1, MAX_SIDE)
        _check("coded height", self.coded_height, 1, MAX_SIDE)
        _check("width", self.width, 1, min(self.coded_width * self.scale, MAX_SIDE))
        _check("height", self.height, 1, min(self.coded_height * self.scale, MAX_SIDE))
        _check("bits", self.bits, 8, 16)
        _check("chroma location", self.colour.chroma_location, 0, 6)
        for name in ("primaries", "transfer", "matrix"):
            _check(name, getattr(self.colour, name), 0, 255)
        _check("rotation", self.rotation, -180, 180)
        _check_ratio("sample aspect ratio", self.sample_aspect_ratio, 0)
        _check_ratio("time base", self.time_base, 1)
        _check_ratio("rate", self.rate, 0)
        _check("keyframe interval", self.keyframe_interval, 0, _MAX_TICKS)
        _check("disposition", self.video_disposition, 0, _MAX_TICKS)
        _check("number of other streams", len(self.others.streams), 0, MAX_CARRIED)
        _check("place of the video", self.others.video_place, 0, MAX_CARRIED)
        for stream in self.others.streams:
            _check("place of a stream", stream.template_index, 0, 0xFFFF)
            _check_ratio("time base of a stream", stream.time_base, 1)
        _check("number of chapters", len(self.chapters), 0, 0xFFFF)
        for tags in (self.metadata, self.video_metadata):
            _check("number of tags", len(tags), 0, 0xFFFF)
        if self.hdr is not None:
            _check("mastering display", len((self.hdr.mastering or "").encode()), 0, 255)
            for level in (self.hdr.max_cll, self.hdr.max_fall):
                _check("light level", level or 0, 0, _NO_LIGHT - 1)
        for start, end, _ in self.chapters:
            ticks = _chapter_ticks(start, end)
            if end < start or ticks[2] > _MAX_TICKS or max(map(abs, ticks)) >= 1 << 63:
                raise ValueError(f"a chapter cannot last from {start} to {end}")


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most}, got {value}")


def _check_ratio(name: str, value: Fraction, least: int) -> None:
    if not least <= value.numerator <= _MAX_TICKS or value.denominator > _MAX_TICKS:
        raise ValueError(f"{name} must be {least} to 2^31 - 1 over as much, got {value}")


def _chapter_ticks(start: Fraction, end: Fraction) -> tuple[int, int, int]:
    """Start, end and the ticks a second that both are whole in."""
    clock = lcm(start.denominator, end.denominator)
    return int(start * clock), int(end * clock), clock


def pack_header(header: Header) -> bytes:
    """A header's bytes, from the magic on.

    Raises:
        ValueError: the body is larger than `MAX_BODY`.
    """
    body = _pack_body(header)
    if len(body) > MAX_BODY:
        raise ValueError(f"the header has {len(body)} bytes, of {MAX_BODY} at most")
    prefix = MAGIC + struct.pack(">HI", VERSION, len(body))
    return prefix + checksum(prefix) + body + checksum(body)


def _pack_body(header: Header) -> bytes:
    colour, hdr = header.colour, header.hdr or HdrInfo()
    aspect, base, rate = header.sample_aspect_ratio, header.time_base, header.rate
    parts = [
        _FIXED.pack(
            *(header.coded_width, header.coded_height, header.width, header.height),
            *(header.scale, header.bits, _CHROMA_420, colour.chroma_location),
            *(_RANGES.index(colour.full_range), colour.primaries, colour.transfer, colour.matrix),
            header.rotation,
            *(aspect.numerator, aspect.denominator),
            *(base.numerator, base.denominator),
            *(rate.numerator, rate.denominator),
            header.keyframe_interval,
        ),
        header.model.sha256,
        _pack_short(header.model.name),
        bytes((PRECISIONS.index(header.arithmetic.precision),)),
        _pack_short(header.arithmetic.engine),
        _pack_short(header.arithmetic.machine),
        bytes((header.hdr is not None,)),
    ]
    if header.hdr is not None:
        parts.append(_pack_short(hdr.mastering or ""))
        levels = [_NO_LIGHT if v is None else v for v in (hdr.max_cll, hdr.max_fall)]
        parts.append(struct.pack(">II", *levels))
    parts += [_pack_tags(header.metadata), _pack_tags(header.video_metadata)]
    parts.append(struct.pack(">IH", header.video_disposition, len(header.chapters)))
    for start, end, title in header.chapters:
        parts.append(struct.pack(">qqI", *_chapter_ticks(start, end)) + _pack_long(title))
    others = header.others
    parts.append(struct.pack(">BB", others.video_place, len(others.streams)))
    for stream in others.streams:
        base = stream.time_base
        parts.append(struct.pack(">HII", stream.template_index, base.numerator, base.denominator))
    parts.append(struct.pack(">I", len(others.template)) + others.template)
    return b"".join(parts)


def _pack_short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _pack_long(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def _pack_tags(tags: Mapping[str, str]) -> bytes:
    pairs = [_pack_long(key) + _pack_long(value) for key, value in tags.items()]
    return struct.pack(">H", len(pairs)) + b"".join(pairs)


def unpack_prefix(data: bytes | bytearray) -> int:
    """Check the first `PREFIX_BYTES` of a stream; returns the length of the body.

    Raises:
        BitstreamError: not an .upv stream, or damaged.
        UnknownVersionError: of another version.
    """
    prefix = bytes(data[:PREFIX_BYTES])
    if len(prefix) < PREFIX_BYTES:
        raise BitstreamError("the header is cut off")
    if prefix[: len(MAGIC)] != MAGIC:
        if prefix[:4] == MAGIC[:4]:
            raise BitstreamError("the first bytes are damaged, as by a transfer as text")
        raise BitstreamError("not an .upv stream: it begins with other bytes")
    if checksum(prefix[:-4]) != prefix[-4:]:
        raise BitstreamError("the first bytes are damaged")
    version, length = struct.unpack(">HI", prefix[len(MAGIC) : -4])
    if version != VERSION:
        raise UnknownVersionError(f"version {version} of the format is not known, only {VERSION}")
    if length > MAX_BODY:
        raise BitstreamError(f"a header of {length} bytes, of {MAX_BODY} at most")
    return length


def unpack_body(body: bytes) -> Header:
    """A header from its body, whose checksum is right.

    Raises:
        BitstreamError: it is not as the format says.
    """
    cursor = _Cursor(body)
    try:
        header = _unpack_body(cursor)
    except (ValueError, struct.error, ZeroDivisionError) as error:
        raise BitstreamError(f"the header is not sound: {error}") from error
    if cursor.place != len(body):
        raise BitstreamError(f"{len(body) - cursor.place} bytes stand behind the header's fields")
    return header


class _Cursor:
    """Takes fields from some bytes, one behind the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self.place:
            raise ValueError("it ends within a field")
        self.place += count
        return self._data[self.place - count : self.place]

    def numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def number(self, layout: str) -> int:
        return self.numbers(layout)[0]

    def ratio(self) -> Fraction:
        return Fraction(*self.numbers(">II"))

    def text(self, layout: str) -> str:
        return self.take(self.number(layout)).decode()

    def tags(self) -> dict[str, str]:
        return {self.text(">I"): self.text(">I") for _ in range(self.number(">H"))}


def _unpack_body(cursor: _Cursor) -> Header:
    fixed = cursor.numbers(_FIXED.format)
    coded_width, coded_height, width, height, scale, bits, chroma, location = fixed[:8]
    range_, primaries, transfer, matrix, rotation = fixed[8:13]
    if chroma != _CHROMA_420 or range_ >= len(_RANGES):
        raise ValueError(f"chroma layout {chroma} or range {range_} is not known")
    digest = cursor.take(32)
    model = ModelIdentity(name=cursor.text(">B"), sha256=digest)
    precision = cursor.number(">B")
    if precision >= len(PRECISIONS):
        raise ValueError(f"precision {precision} is not known")
    arithmetic = Arithmetic(
        precision=PRECISIONS[precision], engine=cursor.text(">B"), machine=cursor.text(">B")
    )
    return Header(
        coded_width=coded_width,
        coded_height=coded_height,
        width=width,
        height=height,
        scale=scale,
        bits=bits,
        colour=Colour(
            full_range=_RANGES[range_],
            primaries=primaries,
            transfer=transfer,
            matrix=matrix,
            chroma_location=location,
        ),
        rotation=rotation,
        sample_aspect_ratio=Fraction(*fixed[13:15]),
        time_base=Fraction(*fixed[15:17]),
        rate=Fraction(*fixed[17:19]),
        keyframe_interval=fixed[19],
        model=model,
        arithmetic=arithmetic,
        hdr=_unpack_hdr(cursor),
        metadata=cursor.tags(),
        video_metadata=cursor.tags(),
        video_disposition=cursor.number(">I"),
        chapters=tuple(_unpack_chapter(cursor) for _ in range(cursor.number(">H"))),
        others=_unpack_others(cursor),
    )


def _unpack_hdr(cursor: _Cursor) -> HdrInfo | None:
    there = cursor.number(">B")
    if there > 1:
        raise ValueError(f"a mark of HDR is {there}")
    if not there:
        return None
    mastering = cursor.text(">B") or None
    levels = [None if v == _NO_LIGHT else v for v in cursor.numbers(">II")]
    return HdrInfo(mastering=mastering, max_cll=levels[0], max_fall=levels[1])


def _unpack_chapter(cursor: _Cursor) -> tuple[Fraction, Fraction, str]:
    start, end, clock = cursor.numbers(">qqI")
    return Fraction(start, clock), Fraction(end, clock), cursor.text(">I")


def _unpack_others(cursor: _Cursor) -> CarriedStreams:
    video_place, count = cursor.numbers(">BB")
    streams = tuple(
        CarriedStream(template_index=cursor.number(">H"), time_base=cursor.ratio())
        for _ in range(count)
    )
    template = cursor.take(cursor.number(">I"))
    return CarriedStreams(template=template, video_place=video_place, streams=streams)
