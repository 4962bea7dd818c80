"""Vid4 from its folder, and any folder of videos."""

from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes, write_clip

from upreel.errors import InputError
from upreel.evaluation.degrade import Degradation
from upreel.evaluation.sets import VID4, list_folder, list_set, open_files, open_vid4, to_420


@pytest.fixture
def vid4(tmp_path: Path) -> Path:
    (tmp_path / "GT").mkdir()
    (tmp_path / "BIx4").mkdir()
    for name in VID4:
        write_clip(tmp_path / "GT" / f"{name}.mkv", codec="ffv1", count=2, width=96, height=64)
        write_clip(
            tmp_path / "BIx4" / f"{name}.mkv",
            codec="ffv1", count=2, width=24, height=16, pix_fmt="bgr0",
        )  # fmt: skip
    return tmp_path


def test_bt601_of_the_primaries() -> None:
    # Rec. ITU-R BT.601-7 and the familiar 8-bit table of colour bars at full amplitude.
    bars = {
        (0, 0, 0): (16, 128, 128),
        (255, 255, 255): (235, 128, 128),
        (255, 0, 0): (81, 90, 240),
        (0, 255, 0): (145, 54, 34),
        (0, 0, 255): (41, 240, 110),
    }
    for rgb, expected in bars.items():
        planes = to_420(*(np.full((2, 2), value, np.uint8) for value in rgb))
        assert tuple(int(plane[0, 0]) for plane in planes) == expected


def test_chroma_is_the_mean_of_a_block() -> None:
    red, green = np.zeros((2, 4), np.uint8), np.zeros((2, 4), np.uint8)
    red[0, 0] = 255

    _, _, cr = to_420(red, green, green)

    assert cr.tolist() == [[128 + 112 // 4, 128]]


def test_x4_bicubic_takes_the_published_input(vid4: Path) -> None:
    pairs = list(open_vid4(vid4, 4, Degradation()))

    assert [pair.truth.name for pair in pairs] == list(VID4)
    red, green, blue = draw_planes(1, "gbrp", width=24, height=16)
    for plane, expected in zip(pairs[0].low.planes[1], to_420(red, green, blue), strict=True):
        np.testing.assert_array_equal(plane, expected)
    assert pairs[0].low.colour.chroma_location == 2  # AVCHROMA_LOC_CENTER


def test_other_scales_are_made_from_the_ground_truth(vid4: Path) -> None:
    pair = next(open_vid4(vid4, 2, Degradation(), limit=1))

    assert (pair.low.width, pair.low.height, pair.low.num_frames) == (48, 32, 1)
    assert pair.low.colour.chroma_location == 2


def test_a_missing_clip_is_named(vid4: Path) -> None:
    (vid4 / "BIx4" / "city.mkv").unlink()

    with pytest.raises(InputError, match=r"city\.mkv is missing; Vid4 is a folder with"):
        list(open_vid4(vid4, 4, Degradation()))


def test_another_clip_in_its_place_is_noticed(vid4: Path) -> None:
    write_clip(
        vid4 / "BIx4" / "city.mkv", codec="ffv1", count=1, width=24, height=16, pix_fmt="bgr0"
    )

    with pytest.raises(InputError, match="another size or length than its ground truth"):
        list(open_vid4(vid4, 4, Degradation()))


def test_a_folder_is_filtered_by_clip_and_by_source(tmp_path: Path) -> None:
    for name in ("bees_1.mkv", "bees_2.mkv", "walk_1.mp4", "notes.txt"):
        (tmp_path / name).touch()

    def names(*only: str) -> list[str]:
        return [path.name for path in list_set([str(tmp_path)], only)]

    assert names() == ["bees_1.mkv", "bees_2.mkv", "walk_1.mp4"]
    assert names("bees") == ["bees_1.mkv", "bees_2.mkv"]
    assert names("walk", "bees_2") == ["bees_2.mkv", "walk_1.mp4"]
    with pytest.raises(InputError, match="no clip or source 'bee' in"):
        names("bee")


def test_no_folder_and_an_empty_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="is neither a folder nor a file; --set takes a folder of videos, videos"
    ):
        list_folder(tmp_path / "none")
    with pytest.raises(InputError, match="no video in"):
        list_folder(tmp_path)


def test_a_folder_of_clips_becomes_pairs(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", width=50, height=48)

    (pair,) = open_files([path], 2, Degradation(), limit=3)

    assert (pair.truth.width, pair.low.width, pair.low.num_frames) == (48, 24, 3)


def test_folders_and_files_make_one_set_in_the_order_given(tmp_path: Path) -> None:
    for name in ("one/b.mkv", "one/a.mkv", "two/c.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    paths = list_set([str(tmp_path / "two/c.mkv"), str(tmp_path / "one")])

    assert [path.name for path in paths] == ["c.mkv", "a.mkv", "b.mkv"]


def test_two_videos_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").touch()
    (tmp_path / "a.mp4").touch()

    with pytest.raises(InputError, match=r"a\.mkv is in the set twice"):
        list_set([str(tmp_path / "a.mkv"), str(tmp_path)])
    with pytest.raises(InputError, match=r"a\.mkv and .*a\.mp4 have one name; rename one"):
        list_set([str(tmp_path)])
