"""Frames made by hand, for what takes frames and no files."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from upreel.video.formats import pixel_format
from upreel.video.frame import Frame, Plane, plane_size


def make_frame(
    index: int,
    *,
    planes: Sequence[Plane] | None = None,
    value: int = 0,
    name: str = "yuv420p",
    width: int = 8,
    height: int = 6,
) -> Frame:
    """Frame `index` at 25 frames a second, flat unless planes are given."""
    fmt = pixel_format(name)
    if planes is None:
        planes = [
            np.full(plane_size(fmt, n, width=width, height=height), value, fmt.dtype)
            for n in range(fmt.num_planes)
        ]
    return Frame(
        planes=tuple(planes), format=fmt, index=index, pts=index, time_base=Fraction(1, 25)
    )
