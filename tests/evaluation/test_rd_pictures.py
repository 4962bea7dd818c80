"""Equal bits, and the sheet of pictures.

Mutations tried: the search a linear one in bytes, the nearest size not kept, tiles in one row,
text over the pictures: each fails one of these tests or more.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from upreel.errors import OptionError
from upreel.evaluation.rd import ClipFacts, Point, RdJob
from upreel.evaluation.rd_coders import PeerCoder
from upreel.evaluation.rd_measure import frames_in, write_truth
from upreel.evaluation.rd_pictures import (
    TOLERANCE,
    Tile,
    common_size,
    draw_tiles,
    matched_quality,
    side_by_side,
)
from upreel.video.probe import probe

JOB = RdJob(peers=("x264:ultrafast", "svtav1:12"), points=3, keyint=3)


def test_a_common_size_lies_within_all_ranges() -> None:
    target = common_size([(1000, 3000, 9000), (5000, 2000)])

    assert target is not None
    assert 2000 < target < 5000
    assert common_size([(100, 200), (201, 300)]) is None
    assert common_size([(100, 200), (200, 300)]) == pytest.approx(200)


def test_the_search_is_quick_where_sizes_fall_by_a_factor_a_step() -> None:
    def size(quality: float) -> float:
        return 50_000 * 2 ** (-(quality**1.1) / 6)

    coder = PeerCoder("x264:medium", JOB)
    known = {quality: size(quality) for quality in (18.0, 30.0, 42.0)}
    tries = 0
    while min(abs(bytes_ / 1500 - 1) for bytes_ in known.values()) > TOLERANCE:
        quality = matched_quality(known, 1500, coder)
        assert quality is not None
        known[quality] = size(quality)
        tries += 1

    assert tries <= 3


def test_the_search_ends_where_the_scale_is_too_coarse() -> None:
    coder = PeerCoder("svtav1:8", JOB)

    assert matched_quality({30.0: 1200.0, 31.0: 1000.0}, 1100, coder) is None
    assert matched_quality({30.0: 1200.0, 40.0: 1100.0}, 1000, coder) is None


def sheet(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_tiles_stand_in_rows_with_their_text_below() -> None:
    tiles = [
        Tile(pixels=np.full((40, 200, 3), 40 * n, np.uint8), lines=(f"codec {n}", "x"))
        for n in range(6)
    ]

    pixels = sheet(draw_tiles(tiles))

    flat = pixels.reshape(-1, 3)
    for n in range(1, 6):
        assert (flat == 40 * n).all(axis=1).sum() >= 40 * 200  # whole: nothing is drawn over it
    rows = [np.flatnonzero((pixels == 40 * n).all(axis=2).sum(axis=1) >= 200)[0] for n in (1, 3, 5)]
    assert rows[0] == rows[1] < rows[2]
    below = pixels[rows[0] + 40 : rows[2], :200]
    assert (below.min(axis=(1, 2)) < 100).any()  # text


def test_a_picture_is_of_one_place_in_one_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "film.mkv", codec="ffv1", count=7, width=200, height=180)
    info = probe(clip)
    truth = tmp_path / "truth.y4m"
    facts = write_truth(info, truth, limit=None)
    coders = [PeerCoder(name, JOB) for name in JOB.peers]
    points = [measured(coder, truth, facts, q) for coder in coders for q in coder.qualities]

    told, image = side_by_side(info, facts, truth, coders, points)

    assert (told["file"], told["clip"], told["frame"]) == ("frames_film.png", "film", 2)
    x, y, width, height = told["patch"]
    assert (width, height) == (160, 160)
    luma = list(frames_in(truth))[2].planes[0][y : y + height, x : x + width]
    shown = sheet(image)[8 : 8 + 2 * height : 2, 8 : 8 + 2 * width : 2].astype(float)
    grey = shown @ (0.299, 0.587, 0.114) * 219 / 255 + 16
    assert np.abs(grey - luma)[luma > 20].mean() < 8  # but for colours out of range
    assert [tile["name"] for tile in told["tiles"]] == list(JOB.peers)
    for tile in told["tiles"]:
        assert tile["bytes"] == pytest.approx(told["target_bytes"], rel=0.15)
        assert 15 < tile["psnr_y"] < 60


def test_no_common_size_is_said(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "film.mkv", codec="ffv1", count=1)
    info = probe(clip)
    facts = write_truth(info, tmp_path / "truth.y4m", limit=None)
    coders = [PeerCoder(name, JOB) for name in JOB.peers]
    points = [
        point(coder, quality, base + n)
        for coder, base in zip(coders, (100, 1000), strict=True)
        for n, quality in enumerate(coder.qualities)
    ]

    with pytest.raises(OptionError, match="there is no size of film that all codecs reach"):
        side_by_side(info, facts, tmp_path / "truth.y4m", coders, points)


def point(coder: PeerCoder, quality: float, num_bytes: int) -> Point:
    return Point(
        coder=coder.name, clip="film", quality=quality, num_bytes=num_bytes, packet_bytes=0,
        keyframes=1, encode_seconds=1.0, decode_seconds=1.0, figures={},
    )  # fmt: skip


def measured(coder: PeerCoder, truth: Path, facts: ClipFacts, quality: float) -> Point:
    path = truth.with_name(f"coded{coder.suffix}")
    return point(coder, quality, coder.encode(truth, path, facts, quality).num_bytes)
