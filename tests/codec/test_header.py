"""The header: literal bytes, round trips, the limits of every field, other versions."""

import struct
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upv_streams import FULL, PLAIN

from upreel.codec.header import (
    MAGIC,
    MAX_BODY,
    PREFIX_BYTES,
    Arithmetic,
    Header,
    ModelIdentity,
    UnknownVersionError,
    pack_header,
    unpack_body,
    unpack_prefix,
)
from upreel.codec.packet import checksum
from upreel.codec.parser import unpack_header
from upreel.errors import BitstreamError
from upreel.video.carry import CarriedStream, CarriedStreams
from upreel.video.frame import Colour
from upreel.video.info import HdrInfo

PLAIN_BYTES = """
8955 5056 0d0a 1a0a  0001 00000067 83260ea4
0040 0030 0040 0030  01 08 01 00  00 02 02 02  0000
00000000 00000001  00000001 00000019  00000000 00000001  00000000
000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
04 74696e79  00 00 00  00  0000 0000  00000000 0000  00 00  00000000
bd583843
"""


def test_bytes_are_as_specified() -> None:
    packed = pack_header(PLAIN)

    assert packed.hex() == "".join(PLAIN_BYTES.split())


@pytest.mark.parametrize("header", [PLAIN, FULL])
def test_headers_come_back(header: Header) -> None:
    assert unpack_header(pack_header(header)) == header


tags = st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=4)
ratios = st.fractions(Fraction(1, 1000), 1000, max_denominator=100_000)
headers = st.builds(
    Header,
    coded_width=st.integers(64, 16_384),
    coded_height=st.integers(64, 16_384),
    width=st.integers(1, 64),
    height=st.integers(1, 64),
    scale=st.integers(1, 2),
    bits=st.integers(8, 16),
    time_base=ratios,
    rate=st.just(Fraction(0)) | ratios,
    sample_aspect_ratio=st.just(Fraction(0)) | ratios,
    rotation=st.integers(-180, 180),
    keyframe_interval=st.integers(0, 2**31 - 1),
    model=st.builds(
        ModelIdentity,
        name=st.text(min_size=1, max_size=40),
        sha256=st.binary(min_size=32, max_size=32),
    ),
    arithmetic=st.builds(
        Arithmetic,
        precision=st.sampled_from(["", "f32", "bf16"]),
        engine=st.text(max_size=60),
        machine=st.text(max_size=60),
    ),
    colour=st.builds(
        Colour,
        full_range=st.sampled_from([None, False, True]),
        primaries=st.integers(0, 255),
        transfer=st.integers(0, 255),
        matrix=st.integers(0, 255),
        chroma_location=st.integers(0, 6),
    ),
    hdr=st.none()
    | st.builds(
        HdrInfo,
        mastering=st.none() | st.text(min_size=1, max_size=60),
        max_cll=st.none() | st.integers(0, 10_000),
        max_fall=st.none() | st.integers(0, 10_000),
    ),
    metadata=tags,
    video_metadata=tags,
    video_disposition=st.integers(0, 2**31 - 1),
    others=st.builds(
        CarriedStreams,
        template=st.binary(max_size=50),
        video_place=st.integers(0, 255),
        streams=st.lists(
            st.builds(CarriedStream, template_index=st.integers(0, 65_535), time_base=ratios),
            max_size=4,
        ).map(tuple),
    ),
)


@given(headers)
def test_any_header_comes_back(header: Header) -> None:
    assert unpack_header(pack_header(header)) == header


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_body_is_read_or_refused(noise: bytes, kept: int) -> None:
    body = pack_header(PLAIN)[PREFIX_BYTES : PREFIX_BYTES + kept] + noise
    try:
        header = unpack_body(body)
    except BitstreamError:
        return

    assert isinstance(header, Header)


def other_streams(count: int = 1, *, template_index: int, time_base: Fraction) -> CarriedStreams:
    stream = CarriedStream(template_index=template_index, time_base=time_base)
    return CarriedStreams(streams=(stream,) * count)


@pytest.mark.parametrize(
    "change",
    [
        {"coded_width": 0},
        {"coded_width": 16_385},
        {"coded_height": 0},
        {"coded_height": 16_385},
        {"width": 0},
        {"width": 65},
        {"height": 49},
        {"scale": 0},
        {"scale": 3},
        {"bits": 7},
        {"bits": 17},
        {"colour": Colour(chroma_location=7)},
        {"colour": Colour(primaries=256)},
        {"colour": Colour(transfer=-1)},
        {"colour": Colour(matrix=256)},
        {"rotation": -181},
        {"rotation": 181},
        {"sample_aspect_ratio": Fraction(-1)},
        {"sample_aspect_ratio": Fraction(1, 2**31)},
        {"time_base": Fraction(0)},
        {"time_base": Fraction(1, 2**31)},
        {"rate": Fraction(2**31)},
        {"keyframe_interval": -1},
        {"keyframe_interval": 2**31},
        {"video_disposition": 2**31},
        {"metadata": {str(n): "" for n in range(65_536)}},
        {"hdr": HdrInfo(mastering="x" * 256)},
        {"hdr": HdrInfo(max_cll=0xFFFFFFFF)},
        {"hdr": HdrInfo(max_fall=-1)},
        {"chapters": ((Fraction(2), Fraction(1), ""),)},
        {"chapters": ((Fraction(0), Fraction(2**63), ""),)},
        {"chapters": ((Fraction(0), Fraction(1, 2**31), ""),)},
        {"chapters": ((Fraction(0), Fraction(1), ""),) * 65_536},
        {"others": CarriedStreams(video_place=256)},
        {"others": other_streams(template_index=0, time_base=Fraction(0))},
        {"others": other_streams(template_index=65_536, time_base=Fraction(1))},
        {"others": other_streams(256, template_index=0, time_base=Fraction(1))},
    ],
    ids=lambda change: str(change)[:50],
)  # fmt: skip
def test_fields_out_of_range_are_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot last"):
        replace(PLAIN, **change)


@pytest.mark.parametrize(("name", "digest"), [("", b"0" * 32), ("x" * 256, b"0" * 32), ("x", b"")])
def test_models_are_named_and_hashed(name: str, digest: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        ModelIdentity(name=name, sha256=digest)


@pytest.mark.parametrize(
    "change", [{"precision": "f16"}, {"engine": "x" * 256}, {"machine": "ö" * 128}]
)
def test_arithmetic_is_known_and_named(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Arithmetic(**change)


def test_only_what_is_told_whole_is_exact() -> None:
    one = Arithmetic(precision="f32", engine="abacus 2", machine="bean")
    assert one.is_exactly(replace(one))
    for field, other in (("precision", "bf16"), ("engine", "abacus 3"), ("machine", "pea")):
        assert not one.is_exactly(replace(one, **{field: other}))
        less = replace(one, **{field: ""})
        assert not less.is_exactly(less)


def test_a_header_of_more_than_16_mib_is_not_written() -> None:
    with pytest.raises(ValueError, match="of 16777216 at most"):
        pack_header(replace(PLAIN, others=CarriedStreams(template=bytes(MAX_BODY))))


PLACES = {  # of fields in the body: (first byte, layout)
    "coded_width": (0, ">H"), "height": (6, ">H"), "scale": (8, ">B"), "bits": (9, ">B"),
    "chroma": (10, ">B"), "siting": (11, ">B"), "range": (12, ">B"), "rotation": (16, ">h"),
    "aspect": (22, ">I"), "time base": (26, ">I"), "clock": (30, ">I"), "interval": (42, ">I"),
    "name": (78, ">B"), "precision": (83, ">B"), "engine": (84, ">B"), "hdr": (86, ">B"),
    "tags": (87, ">H"), "disposition": (91, ">I"), "chapters": (95, ">H"),
    "streams": (98, ">B"), "template": (99, ">I"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("coded_width", 0), ("height", 65_535), ("scale", 3), ("bits", 17), ("chroma", 2),
        ("siting", 7), ("range", 3), ("rotation", 181), ("aspect", 0), ("time base", 0),
        ("clock", 0), ("clock", 2**31), ("interval", 2**31), ("name", 0), ("name", 255),
        ("precision", 3), ("engine", 255), ("hdr", 2), ("tags", 1), ("disposition", 2**31),
        ("chapters", 1), ("streams", 1), ("template", 1),
    ],
)  # fmt: skip
def test_fields_out_of_range_are_not_read(field: str, value: int) -> None:
    body = bytearray(pack_header(PLAIN)[PREFIX_BYTES:-4])
    place, layout = PLACES[field]
    struct.pack_into(layout, body, place, value)

    with pytest.raises(BitstreamError, match="not sound"):
        unpack_body(bytes(body))


def test_a_mark_of_hdr_is_0_or_1() -> None:
    body = bytearray(pack_header(FULL)[PREFIX_BYTES:-4])
    place = 78 + 1 + len("größe".encode()) + 1 + 1 + len("abacus 2") + 1 + len("bean")
    assert body[place] == 1
    body[place] = 2

    with pytest.raises(BitstreamError, match="a mark of HDR is 2"):
        unpack_body(bytes(body))


def test_bytes_behind_the_fields_are_refused() -> None:
    with pytest.raises(BitstreamError, match="1 bytes stand behind"):
        unpack_body(pack_header(PLAIN)[PREFIX_BYTES:-4] + b"\0")


def prefix(*, version: int = 1, length: int = 0, magic: bytes = MAGIC) -> bytes:
    data = magic + struct.pack(">HI", version, length)
    return data + checksum(data)


def test_another_version_is_refused_by_its_number() -> None:
    with pytest.raises(UnknownVersionError, match="version 2 of the format is not known, only 1"):
        unpack_prefix(prefix(version=2))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (prefix()[:-1], "cut off"),
        (prefix()[:-1] + b"\0", "first bytes are damaged"),
        (prefix(length=MAX_BODY + 1), "a header of 16777217 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(10), "not an .upv stream"),
        (MAGIC.replace(b"\r\n", b"\n") + bytes(11), "transfer as text"),
    ],
)
def test_other_beginnings_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(BitstreamError, match=match):
        unpack_prefix(data)


def test_every_bit_of_a_header_is_covered() -> None:
    packed = pack_header(PLAIN)

    for bit in range(8 * len(packed)):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            unpack_header(bytes(flipped))
