"""Packs: clips come back as they were, windows where the detail is, the size kept, damage named.

Mutations tried: rows and columns swapped in the window, chroma cut at luma's places, frames from
the end, a cumulative sum along one axis fewer, dates of today in the file.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import ENVIRONMENT
from typer.testing import CliRunner

from upreel.cli import app
from upreel.datasets import pack as packing
from upreel.datasets.clips import Clip, drawn_clips
from upreel.datasets.load import load_clips
from upreel.datasets.pack import read_pack, write_pack
from upreel.errors import InputError, OptionError, OutputError


def noise(name: str, num_frames: int, height: int, width: int, *, seed: int = 0) -> Clip:
    """Nothing can be saved of it, so that its size is known."""
    random = np.random.default_rng(seed)

    def samples(*shape: int) -> np.ndarray:
        return random.integers(0, 256, shape, dtype=np.uint8)

    half = (height // 2, width // 2)
    return Clip(
        name=name,
        luma=samples(num_frames, height, width),
        chroma=samples(num_frames, 2, *half),
    )


def assert_equal(found: list[Clip], expected: list[Clip]) -> None:
    assert [clip.name for clip in found] == [clip.name for clip in expected]
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own.luma, other.luma)
        np.testing.assert_array_equal(own.chroma, other.chroma)
        assert (own.luma.dtype, own.chroma.dtype) == (np.uint8, np.uint8)


def test_clips_that_fit_come_back_as_they_were(tmp_path: Path) -> None:
    still = Clip(
        name="photo", luma=np.full((1, 48, 72), 255, np.uint8),
        chroma=np.zeros((1, 2, 24, 36), np.uint8),
    )  # fmt: skip
    clips = [*drawn_clips(2), noise("noise_1", 5, 72, 48), still]

    packed = write_pack(clips, tmp_path / "a.pack", size=10**6)

    assert_equal(read_pack(tmp_path / "a.pack"), clips)
    assert (packed.clips, packed.frames, packed.share) == (4, 8 + 8 + 5 + 1, 1.0)
    assert packed.bytes == (tmp_path / "a.pack").stat().st_size
    drawn = 2 * 1.5 * 8 * 96 * 144
    assert packed.bytes < 1.5 * 5 * 72 * 48 + 0.6 * drawn  # what can be foreseen is not stored


@pytest.mark.parametrize("size", [400_000, 250_000])
def test_a_smaller_size_keeps_the_same_share_of_every_picture(size: int, tmp_path: Path) -> None:
    clips = [noise("a_0", 4, 240, 192), noise("b_0", 4, 192, 240, seed=1)]

    packed = write_pack(clips, tmp_path / "a.pack", size=size, smallest=96, fewest=2)

    assert 0.8 * size < packed.bytes <= size
    found = read_pack(tmp_path / "a.pack")
    (rows, columns) = found[0].luma.shape[1:]
    assert found[1].luma.shape == (4, columns, rows)
    assert (rows % 24, columns % 24) == (0, 0)
    for own, whole in zip(found, clips, strict=True):
        assert_within(own, whole)


def assert_within(part: Clip, whole: Clip) -> None:
    """It is a window of the whole, chroma of the same place."""
    num_frames, rows, columns = part.luma.shape
    places = [
        (y, x)
        for y in range(0, whole.luma.shape[1] - rows + 1, 2)
        for x in range(0, whole.luma.shape[2] - columns + 1, 2)
        if np.array_equal(whole.luma[:num_frames, y : y + rows, x : x + columns], part.luma)
    ]
    ((y, x),) = places
    small = whole.chroma[:num_frames, :, y // 2 :, x // 2 :]
    np.testing.assert_array_equal(small[..., : rows // 2, : columns // 2], part.chroma)


def test_windows_lie_where_the_detail_is(tmp_path: Path) -> None:
    clip = noise("a_0", 1, 96, 192)
    clip.luma[:, :, :120] = 128
    clip.luma[:, :48] = 128

    write_pack([clip], tmp_path / "a.pack", size=48 * 96 * 5 // 4 + 1500, smallest=48)

    (found,) = read_pack(tmp_path / "a.pack")
    rows, columns = found.luma.shape[1:]
    assert 48 <= rows < 96
    np.testing.assert_array_equal(found.luma[0], clip.luma[0, 96 - rows :, 192 - columns :])


def test_frames_are_left_out_where_windows_may_not_become_smaller(tmp_path: Path) -> None:
    clips = [noise("a_0", 10, 48, 48), noise("b_0", 3, 48, 48, seed=1)]
    each = 1.5 * 48 * 48

    write_pack(clips, tmp_path / "a.pack", size=int(9.5 * each), smallest=48, fewest=3)

    long, short = read_pack(tmp_path / "a.pack")
    assert 4 <= len(long.luma) < 7
    assert len(short.luma) == 3
    np.testing.assert_array_equal(long.luma, clips[0].luma[: len(long.luma)])


def test_too_small_a_size_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"clips take at least [0-9.]+ MB \(2 frames of"):
        write_pack([noise("a_0", 4, 48, 48)], tmp_path / "a.pack", size=5000, fewest=2)
    assert not list(tmp_path.iterdir())


def test_without_chroma_there_is_neutral_grey(tmp_path: Path) -> None:
    (clip,) = drawn_clips(1)
    write_pack([clip], tmp_path / "a.pack", size=10**6, chroma=False)
    (found,) = read_pack(tmp_path / "a.pack")
    np.testing.assert_array_equal(found.luma, clip.luma)
    np.testing.assert_array_equal(found.chroma, np.full_like(clip.chroma, 128))
    assert not found.has_chroma
    assert clip.has_chroma
    write_pack([found], tmp_path / "b.pack", size=10**6)
    assert not read_pack(tmp_path / "b.pack")[0].has_chroma


def test_sides_that_are_no_multiples_are_packed(tmp_path: Path) -> None:
    clip = noise("a_0", 2, 110, 94)
    write_pack([clip], tmp_path / "a.pack", size=10**6)
    assert_equal(read_pack(tmp_path / "a.pack"), [clip])


def test_no_clips_are_no_pack(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips to pack"):
        write_pack([], tmp_path / "a.pack", size=10**6)
    assert not list(tmp_path.iterdir())


def test_the_same_clips_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.pack", "b.pack"):
        write_pack(drawn_clips(2), tmp_path / name, size=10**6)
    assert (tmp_path / "a.pack").read_bytes() == (tmp_path / "b.pack").read_bytes()


def test_damaged_packs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pack"
    write_pack(drawn_clips(1), path, size=10**6)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:99] + bytes(60) + whole[159:], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.pack is not a pack, or a damaged one"):
            read_pack(path)
    path.write_bytes(whole.replace(b'{"version": 1', b'{"version": 2'))
    with pytest.raises(InputError, match="a damaged one"):  # the ZIP file's own checksum
        read_pack(path)


def test_a_pack_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_pack(drawn_clips(1), tmp_path / "folder", size=10**6)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_pack(drawn_clips(1), tmp_path / "file" / "a.pack", size=10**6)


def test_training_from_a_pack_needs_no_video_library(tmp_path: Path) -> None:
    write_pack(drawn_clips(2, height=144, width=144), tmp_path / "a.pack", size=10**6)
    script = f"""
import sys
sys.modules["av"] = None
sys.argv = ["upreel", "train", "recipes/temporal_adaptive.py:ablation_b1", "--steps", "1",
            "--data", {str(tmp_path / "a.pack")!r}, "--out", {str(tmp_path / "runs")!r}]
from upreel.cli import main
main()
"""
    # 48 samples of a patch at x4 are more than the clips have: that far it comes without videos.
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "smaller than a patch of 48" in done.stderr


def test_the_command_packs_folders_and_packs(tmp_path: Path) -> None:
    write_pack(drawn_clips(2), tmp_path / "a.pack", size=10**6)
    output = tmp_path / "b.pack"

    said = CliRunner().invoke(
        app, ["pack", str(tmp_path / "a.pack"), "-o", str(output), "--size", "0.5M"]
    )

    assert said.exit_code == 0, said.output
    assert said.output.endswith("2 clips, 16 frames, 100% of their samples\n")
    assert_equal(load_clips([output]), drawn_clips(2))


def test_windows_are_no_smaller_than_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(drawn_clips(1), tmp_path / "a.pack", size=10**6)
    asked: list[int] = []

    def told(*_: object, smallest: int, **__: object) -> None:
        asked.append(smallest)
        raise OptionError("enough")

    monkeypatch.setattr(packing, "write_pack", told)
    for window in ("288", "310"):
        command = ["pack", str(tmp_path / "a.pack"), "-o", str(tmp_path / "b.pack")]
        CliRunner().invoke(app, [*command, "--size", "1M", "--window", window])

    assert asked == [288, 312]


@pytest.mark.parametrize("size", ["", "60 megabytes", "-1M", "6T"])
def test_sizes_are_numbers_with_units(size: str, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["pack", str(tmp_path), f"--size={size}"])
    assert said.exit_code == 1
    assert "a size is a number with K, M or G behind it, such as 60M" in said.output
