"""rescale(): the size, the frames, the kernel, the end."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import draw_planes, write_clip

from upreel.errors import ProbeError
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.rescale import rescale

SETTINGS = EncoderSettings(
    encoder="ffv1",
    format=pixel_format("yuv420p"),
    width=128,
    height=96,
    time_base=Fraction(1, 25),
    rate=Fraction(25),
)


def test_every_frame_is_scaled(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=5)

    count = rescale(clip, tmp_path / "b.mkv", SETTINGS, interpolation="bicubic")

    frames = list(read_frames(probe(tmp_path / "b.mkv")))
    assert count == len(frames) == 5
    assert (frames[0].width, frames[0].height) == (128, 96)
    back = frames[3].planes[0].reshape(48, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(back - draw_planes(3)[0]).mean() < 3


def test_the_two_kernels_differ(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=1)
    lumas = []
    for kernel in ("bicubic", "lanczos"):
        rescale(clip, tmp_path / "b.mkv", SETTINGS, interpolation=kernel)
        lumas.append(next(read_frames(probe(tmp_path / "b.mkv"))).planes[0].astype(int))

    assert np.abs(lumas[0] - lumas[1]).max() > 3


def test_frames_after_the_end_are_left_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=8)

    count = rescale(
        clip, tmp_path / "b.mkv", SETTINGS, interpolation="bicubic", end=Fraction(3, 25)
    )

    assert count == 3


def test_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_text("not a video")

    with pytest.raises(ProbeError, match=r"cannot read .*a\.mkv"):
        rescale(tmp_path / "a.mkv", tmp_path / "b.mkv", SETTINGS, interpolation="bicubic")
