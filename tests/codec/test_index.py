"""The index of keyframes: literal bytes, round trips, limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upreel.codec.index import MAX_KEYFRAMES, KeyframeIndex, pack_index, unpack_index
from upreel.codec.numbers import MAX_SIGNED, pack_unsigned
from upreel.errors import BitstreamError

INDEX = KeyframeIndex(
    pts=(-5, 250), offsets=(300, 1000), num_frames=20, end_pts=400, header_offset=2000
)


def test_bytes_are_as_specified() -> None:
    assert pack_index(INDEX).hex(" ") == "14 a0 06 d0 0f 02 09 ac 02 fe 03 bc 05"


@given(
    st.sets(st.tuples(st.integers(-(2**61), 2**61), st.integers(0, 2**62)), max_size=20),
    st.integers(0, MAX_SIGNED),
    st.integers(-MAX_SIGNED, MAX_SIGNED),
)
def test_indices_come_back(pairs: set[tuple[int, int]], frames: int, end: int) -> None:
    pts = sorted({pair[0] for pair in pairs})
    offsets = sorted({pair[1] for pair in pairs})
    count = min(len(pts), len(offsets))
    index = KeyframeIndex(
        pts=tuple(pts[:count]), offsets=tuple(offsets[:count]), num_frames=frames, end_pts=end
    )

    assert unpack_index(pack_index(index)) == index


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        index = unpack_index(data)
    except BitstreamError:
        return

    assert pack_index(index) == data


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (pack_index(INDEX) + b"\0", "1 bytes stand behind"),
        (pack_index(INDEX)[:-1], "end within a number"),
        (b"\0\0\0" + pack_unsigned(MAX_KEYFRAMES + 1), "1048577 keyframes"),
        (bytes.fromhex("00 00 00 02 00 00 00 01"), "times of keyframes must rise"),
        (bytes.fromhex("00 00 00 02 00 00 02 00"), "offsets of keyframes must rise"),
        (pack_unsigned(MAX_SIGNED + 1) + b"\0\0\0", "numbers of frames"),
    ],
)
def test_unsound_indices_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(BitstreamError, match=match):
        unpack_index(data)


@pytest.mark.parametrize(
    "index",
    [
        {"pts": (0,), "offsets": ()},
        {"pts": (0, 0), "offsets": (1, 2)},
        {"pts": (0, 1), "offsets": (2, 2)},
        {"pts": (0,), "offsets": (-1,)},
        {"pts": (MAX_SIGNED + 1,), "offsets": (1,)},
        {"pts": (-MAX_SIGNED, MAX_SIGNED), "offsets": (1, 2)},
        {"num_frames": -1},
        {"end_pts": MAX_SIGNED + 1},
        {"header_offset": MAX_SIGNED + 1},
        {"pts": range(MAX_KEYFRAMES + 1), "offsets": range(MAX_KEYFRAMES + 1)},
    ],
    ids=lambda index: str(index)[:60],
)
def test_fields_out_of_range_are_not_written(index: dict[str, tuple[int, ...] | int]) -> None:
    with pytest.raises(ValueError, match=r"must|up to"):
        KeyframeIndex(**index)
