"""load_clips() on a folder of drawn material of every kind; drawn_clips() from a seed."""

from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes, write_clip
from PIL import Image

from upreel.datasets.clips import drawn_clips
from upreel.datasets.load import load_clips
from upreel.errors import InputError


def as_8_bit(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def lossless(
    path: Path, pix_fmt: str, *, width: int = 72, height: int = 48, count: int = 2
) -> Path:
    return write_clip(path, count=count, codec="ffv1", pix_fmt=pix_fmt, width=width, height=height)


def test_8_bit_420_is_taken_as_it_is(tmp_path: Path) -> None:
    lossless(tmp_path / "lake_3.mkv", "yuv420p", width=80, height=50, count=3)

    (clip,) = load_clips([tmp_path])

    assert (clip.name, clip.source) == ("lake_3", "lake")
    assert clip.luma.shape == (3, 48, 72)  # cut to multiples of 24
    assert clip.chroma.shape == (3, 2, 24, 36)
    for t in range(3):
        luma, *chroma = draw_planes(t, width=80, height=50)
        np.testing.assert_array_equal(clip.luma[t], luma[:48, :72])
        np.testing.assert_array_equal(clip.chroma[t], np.stack(chroma)[:, :24, :36])


def test_deeper_levels_are_rounded_to_8_bit(tmp_path: Path) -> None:
    lossless(tmp_path / "a.mkv", "yuv420p10le")

    (clip,) = load_clips([tmp_path])

    luma, *chroma = draw_planes(1, "yuv420p10le", width=72, height=48)
    np.testing.assert_array_equal(clip.luma[1], as_8_bit(luma * (255 / 1023)))
    np.testing.assert_allclose(clip.chroma[1], np.stack(chroma) * (255 / 1023), atol=0.51)


def test_full_chroma_is_reduced_to_left_siting(tmp_path: Path) -> None:
    lossless(tmp_path / "a.mkv", "yuv444p")

    (clip,) = load_clips([tmp_path])

    luma, *chroma = draw_planes(1, "yuv444p", width=72, height=48)
    np.testing.assert_array_equal(clip.luma[1], luma)
    for k, plane in enumerate(chroma):
        # Centred on the even column, two columns wide; two rows high between two rows.
        rows = (plane[::2].astype(float) + plane[1::2]) / 2
        padded = np.pad(rows, ((0, 0), (1, 0)), mode="symmetric")
        expected = (padded[:, 0:-1:2] + 2 * padded[:, 1::2] + rows[:, 1::2]) / 4
        np.testing.assert_allclose(clip.chroma[1, k], expected, atol=0.51)


def test_grey_gets_neutral_chroma(tmp_path: Path) -> None:
    lossless(tmp_path / "a.mkv", "gray")

    (clip,) = load_clips([tmp_path])

    np.testing.assert_array_equal(clip.luma[1], draw_planes(1, "gray", width=72, height=48)[0])
    assert clip.chroma.shape == (2, 2, 24, 36)
    assert (clip.chroma == 128).all()


def test_material_wider_than_1000_columns_is_halved(tmp_path: Path) -> None:
    lossless(tmp_path / "wide.mkv", "yuv420p", width=1008, height=96, count=1)
    lossless(tmp_path / "whole.mkv", "yuv420p", width=1000, height=48, count=1)

    whole, wide = load_clips([tmp_path])

    assert whole.luma.shape == (1, 48, 984)
    assert wide.luma.shape == (1, 48, 504)
    assert wide.chroma.shape == (1, 2, 24, 252)
    luma, cb, _ = draw_planes(0, width=1008, height=96)
    means = luma.reshape(48, 2, 504, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(wide.luma[0], as_8_bit(means))
    # A column of the small plane lies a quarter of a column right of an even one of the large.
    rows = cb.reshape(24, 2, 504).mean(axis=1)
    before = np.pad(rows, ((0, 0), (1, 0)), mode="symmetric")[:, 0:-1:2]
    expected = before / 8 + rows[:, ::2] / 2 + rows[:, 1::2] * 3 / 8
    np.testing.assert_allclose(wide.chroma[0, 0], expected, atol=0.51)


def test_a_jpeg_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :48]
    picture = Image.fromarray(np.stack((x * 3 + 60, y * 3 + 50, 200 - x - y), -1).astype(np.uint8))
    picture.save(tmp_path / "still.JPG", quality=97)

    (clip,) = load_clips([tmp_path])

    luma, cb, cr = (np.asarray(p, float) for p in picture.convert("YCbCr").split())
    assert (clip.name, clip.luma.shape) == ("still", (1, 48, 48))
    assert np.abs(clip.luma[0] - luma).max() < 4
    # An even column is where left-sited chroma lies.
    for plane, expected in zip(clip.chroma[0], (cb, cr), strict=True):
        between = (expected[::2, ::2] + expected[1::2, ::2]) / 2
        assert np.abs(plane - between)[2:-2, 2:-2].max() < 4


def test_folders_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "one").mkdir()
    for name in ("b/z_1", "a_1", "b/c_1"):
        lossless(tmp_path / f"{name}.mkv", "gray", width=24, height=24, count=1)
    (tmp_path / "notes.txt").write_text("no clip")
    lossless(tmp_path / "one" / "last.mkv", "gray", width=24, height=24, count=1)

    clips = load_clips([tmp_path / "one", tmp_path / "b"])

    assert [clip.name for clip in clips] == ["last", "c_1", "z_1"]


def test_folders_without_material_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is neither a folder nor a pack"):
        load_clips([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"holds no \.avi, \.jpeg, .* file"):
        load_clips([tmp_path])


def test_material_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    Image.new("L", (23, 48)).save(tmp_path / "small.png")
    with pytest.raises(InputError, match=r"small\.png: .* 24x24 and more, got 23x48"):
        load_clips([tmp_path])


def test_pictures_of_red_green_and_blue_are_converted(tmp_path: Path) -> None:
    picture = np.zeros((48, 72, 3), np.uint8)
    picture[:, :24], picture[:, 24:48], picture[:, 48:] = (255, 0, 0), (0, 255, 0), (99, 99, 99)
    Image.fromarray(picture).save(tmp_path / "a.png")

    (clip,) = load_clips([tmp_path])

    assert clip.luma.shape == (1, 48, 72)
    # Rec. ITU-R BT.601-7 at full saturation: red 81, 90, 240; green 145, 54, 34.
    for column, expected in ((12, (81, 90, 240)), (36, (145, 54, 34)), (60, (101, 128, 128))):
        found = (clip.luma[0, 9, column], *clip.chroma[0, :, 9, column // 2])
        assert tuple(map(int, found)) == expected


def test_drawn_clips_come_from_their_seed() -> None:
    clips, again, other = drawn_clips(2), drawn_clips(2), drawn_clips(2, seed=1)

    assert [clip.source for clip in clips] == ["drawn0", "drawn1"]
    for clip, same, changed in zip(clips, again, other, strict=True):
        assert clip.luma.shape == (8, 96, 144)
        assert clip.chroma.shape == (8, 2, 48, 72)
        np.testing.assert_array_equal(clip.luma, same.luma)
        np.testing.assert_array_equal(clip.chroma, same.chroma)
        assert (clip.luma != changed.luma).mean() > 0.5
    assert (clips[0].luma != clips[1].luma).mean() > 0.5
    assert (clips[0].luma[0] != clips[0].luma[1]).mean() > 0.2  # it moves
