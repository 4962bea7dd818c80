"""The clip that benchmarks draw: the same each time, moving, and not too easy."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from upreel.evaluation.clips import read_clip
from upreel.evaluation.drawn import draw_clip


def test_size_length_and_rate_are_as_asked(tmp_path: Path) -> None:
    clip = read_clip(draw_clip(tmp_path / "a.mp4", width=96, height=64, seconds=0.2))

    assert (clip.width, clip.height, clip.num_frames, clip.rate) == (96, 64, 6, Fraction(30))
    assert clip.colour.matrix == 1


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    first = draw_clip(tmp_path / "a.mp4", width=96, height=64, seconds=0.1)
    second = draw_clip(tmp_path / "b.mp4", width=96, height=64, seconds=0.1)

    assert first.read_bytes() == second.read_bytes()


def test_it_moves_and_has_texture(tmp_path: Path) -> None:
    clip = read_clip(draw_clip(tmp_path / "a.mp4", width=96, height=64, seconds=0.1))

    first, second = (planes[0].astype(int) for planes in clip.planes[:2])
    assert np.abs(first - second).mean() > 3
    assert first.std() > 15
