"""Image sequences, and y4m or Matroska on standard input."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes, shown_number, write_clip, write_sequence

from upreel.errors import InputError, ProbeError
from upreel.video.notice import Notice
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.source import sequence_files

READ_STDIN = """
import sys
from clips import shown_number
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
info = probe("-")
print(info.container, info.width, info.height, info.seekable, info.time_base)
frames = read_frames(info)
print([(f.index, f.pts, shown_number(f.planes[0])) for f in frames])
try:
    scan(info)
except Exception as error:
    print(type(error).__name__, error)
try:
    list(read_frames(info))
except Exception as error:
    print(type(error).__name__, error)
"""


def read_piped(data: bytes) -> list[str]:
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{READ_STDIN}"
    done = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize(
    ("name", "options", "container", "time_base"),
    [
        ("a.y4m", {"codec": "wrapped_avframe", "muxer": "yuv4mpegpipe"}, "yuv4mpegpipe", 25),
        ("a.mkv", {}, "matroska,webm", 1000),
    ],
)
def test_standard_input_gives_every_frame_once(
    tmp_path: Path, name: str, options: dict[str, str], container: str, time_base: int
) -> None:
    path = write_clip(tmp_path / name, count=40, **options)

    about, frames, scanned, again = read_piped(path.read_bytes())

    assert about == f"{container} 64 48 False 1/{time_base}"
    assert frames == str([(n, n * time_base // 25, n) for n in range(40)])
    assert scanned.startswith("InputError standard input cannot be scanned")
    assert again.startswith("InputError standard input has been read already")


def test_a_broken_pipe_of_text_is_told() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom upreel.video.probe import probe\n"
    code += (
        "try:\n    probe('-')\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"hello\n" * 9, capture_output=True, check=True
    )

    assert done.stdout.startswith(b"ProbeError standard input is not a video")


@pytest.mark.parametrize(
    ("ending", "stored", "planar"),
    [
        ("png", "rgb24", "gbrp"),
        ("png", "rgba", "gbrap"),
        ("png", "gray", "gray"),
        ("png", "rgb48be", "gbrp16le"),
        ("png", "gray16be", "gray16le"),
        ("tif", "rgb24", "gbrp"),
        ("tiff", "rgb48le", "gbrp16le"),
    ],
)
def test_pictures_are_read_exactly(tmp_path: Path, ending: str, stored: str, planar: str) -> None:
    folder = write_sequence(tmp_path / "shots", ending=ending, pix_fmt=stored, count=3)
    info = probe(folder, sequence_rate=Fraction(24000, 1001))

    frames = list(read_frames(info, timeline=scan(info)))

    assert (info.is_sequence, info.num_frames, info.format.name) == (True, 3, planar)
    assert [f.pts * f.time_base for f in frames] == [Fraction(1001 * n, 24000) for n in range(3)]
    for n, frame in enumerate(frames):
        for plane, drawn in zip(frame.planes, draw_planes(n, stored), strict=True):
            np.testing.assert_array_equal(plane, drawn)


def test_a_pattern_takes_its_numbers_in_order_with_gaps(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path, count=12, start=95)
    (folder / "000100.png").unlink()
    (folder / "notes.txt").write_text("not a picture")

    files = sequence_files(f"{folder}/%06d.png")

    assert [int(f.stem) for f in files] == [n for n in range(95, 107) if n != 100]
    info = probe(f"{folder}/%06d.png")
    numbers = [shown_number(f.planes[0]) for f in read_frames(info, timeline=scan(info))]
    assert numbers == [n - 95 for n in range(95, 107) if n != 100]


def test_names_without_leading_zeros_are_ordered_by_number(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=12)
    for file in list(folder.iterdir()):
        file.rename(folder / f"shot{int(file.stem)}.png")

    assert [f.stem for f in sequence_files(str(folder))] == [f"shot{n}" for n in range(12)]


def test_a_part_of_a_sequence(tmp_path: Path) -> None:
    info = probe(write_sequence(tmp_path / "shots", count=6))

    part = list(read_frames(info, timeline=scan(info), first=2, stop=5))

    assert [(f.index, f.pts, shown_number(f.planes[0])) for f in part] == [
        (n, n, n) for n in (2, 3, 4)
    ]


def test_a_broken_picture_repeats_the_one_before(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=4)
    (folder / "000002.png").write_bytes(b"")
    info, notices = probe(folder), list[Notice]()

    frames = list(read_frames(info, timeline=scan(info), on_notice=notices.append))

    assert [shown_number(f.planes[0]) for f in frames] == [0, 1, 1, 3]
    assert [f.damaged for f in frames] == [False, False, True, False]
    assert [(n.kind, n.index) for n in notices] == [("repeated", 2)]
    assert "000002.png" in notices[0].text


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=3)
    other = write_sequence(tmp_path / "other", count=1, width=32)
    (other / "000000.png").rename(folder / "000001.png")
    info = probe(folder)

    with pytest.raises(InputError, match=r"000001\.png is 32x48, the sequence began as 64x48"):
        list(read_frames(info, timeline=scan(info)))


def test_a_picture_of_another_format_is_named(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=3)
    other = write_sequence(tmp_path / "other", count=1, pix_fmt="gray")
    (other / "000000.png").rename(folder / "000001.png")
    info = probe(folder)

    with pytest.raises(InputError, match=r"000001\.png is gray, the sequence began as rgb24"):
        list(read_frames(info, timeline=scan(info)))


def test_folders_that_are_no_sequence_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        probe(tmp_path)
    write_sequence(tmp_path, count=1)
    write_sequence(tmp_path, count=1, ending="tif")
    with pytest.raises(InputError, match=r"several kinds: \.png, \.tif"):
        probe(tmp_path)
    with pytest.raises(InputError, match="no picture matches"):
        probe(tmp_path / "%04d.jpg")
    with pytest.raises(ProbeError, match="above 0"):
        probe(f"{tmp_path}/%06d.png", sequence_rate=Fraction(0))
