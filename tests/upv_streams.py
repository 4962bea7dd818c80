"""Small .upv streams for tests: two other streams, three keyframes, repeated frames, odd times."""

import io
from dataclasses import replace
from fractions import Fraction

from upreel.codec.header import Arithmetic, Header, ModelIdentity
from upreel.codec.packet import Packet, PacketType
from upreel.codec.writer import Writer
from upreel.video.carry import CarriedStream, CarriedStreams
from upreel.video.frame import Colour
from upreel.video.info import HdrInfo

MODEL = ModelIdentity(name="tiny", sha256=bytes(range(32)))
PLAIN = Header(
    coded_width=64, coded_height=48, width=64, height=48, time_base=Fraction(1, 25), model=MODEL
)
FULL = Header(
    coded_width=72,
    coded_height=56,
    width=130,
    height=98,
    scale=2,
    bits=10,
    colour=Colour(full_range=True, primaries=9, transfer=16, matrix=9, chroma_location=3),
    sample_aspect_ratio=Fraction(16, 15),
    rotation=-90,
    time_base=Fraction(1001, 30_000),
    rate=Fraction(30_000, 1001),
    keyframe_interval=64,
    model=ModelIdentity(name="größe", sha256=b"\xff" * 32),
    arithmetic=Arithmetic(precision="bf16", engine="abacus 2", machine="bean"),
    hdr=HdrInfo(mastering="G(13250,34500)", max_cll=1000, max_fall=None),
    metadata={"title": "Häuser", "comment": ""},
    video_metadata={"language": "deu"},
    video_disposition=1,
    chapters=(
        (Fraction(0), Fraction(1, 3), "eins"),
        (Fraction(-1, 1000), Fraction(10**12, 7), ""),
    ),
    others=CarriedStreams(
        template=b"not really Matroska" * 3,
        video_place=1,
        streams=(
            CarriedStream(template_index=0, time_base=Fraction(1, 48_000)),
            CarriedStream(template_index=2, time_base=Fraction(1, 1000)),
        ),
    ),
)


def packets(count: int = 24, *, interval: int = 8, size: int = 120) -> list[Packet]:
    """`count` frames with uneven times, and packets of two other streams between them."""
    made: list[Packet] = []
    for n in range(count):
        pts, payload = 3 * n + n % 2, bytes((n * 37 + k * k * 11) % 256 for k in range(size))
        if n % interval == 0:
            type_ = PacketType.VIDEO_KEY
        elif n % 5 == 3:
            type_, payload = PacketType.REPEAT, b""
        else:
            type_, payload = PacketType.VIDEO_INTER, payload[: size // 2]
        made.append(Packet(type=type_, pts=pts, duration=3, quality=20 + n % 3, payload=payload))
        sound = Packet(
            type=PacketType.OTHER, stream=1 + n % 2, pts=1024 * n - 1024, duration=1024,
            payload=payload[:40] or b"\0", keyframe=True,
        )  # fmt: skip
        made.append(replace(sound, dts=sound.pts - 7, corrupt=True) if n == 5 else sound)
    return made


def stream(header: Header = FULL, made: list[Packet] | None = None, *, index: bool = True) -> bytes:
    """A whole stream."""
    file = io.BytesIO()
    writer = Writer(file, header, index=index)
    for packet in packets() if made is None else made:
        writer.write(packet)
    writer.finish()
    return file.getvalue()
