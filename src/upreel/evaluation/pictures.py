"""Pictures of a report: the same patch by each contestant, and slices through time.

In the JSON each clip shown is one object: ``clip``, ``frame``, ``patch`` and ``line`` (x, y,
width, height in ground-truth samples), ``overview`` (the ground truth, small), ``crops`` and
``slices`` (by contestant, "ground truth" first). Pictures are ``data:`` URIs.

Slice  one row of luma in every frame, the first frame on top: what moves steadily is a straight
       line, what flickers is a ragged one.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from upreel.evaluation.clips import Clip, luma_plane
from upreel.evaluation.contestants import Picture
from upreel.video.frame import luma_weights

__all__ = ["PATCH", "TRUTH", "Album", "busiest_patch", "data_uri", "to_rgb"]

PATCH = 112  # ground-truth samples a side of a crop
LINE = 320  # ground-truth samples of a slice
SLICE_FRAMES = 60  # that a slice shows at most
TRUTH = "ground truth"

_OVERVIEW = 240  # columns


def to_rgb(planes: Picture, clip: Clip) -> npt.NDArray[np.uint8]:
    """Planes as 8-bit R'G'B' for pictures in reports; chroma samples are repeated.

    BT.709 where the clip says so (H.273 MatrixCoefficients 1), else BT.601.

    Args:
        planes: of a frame in the clip's format, any size.
        clip: says what they mean.

    Returns:
        (rows, columns, 3).
    """
    fmt = clip.format
    scale = 255 / fmt.max_value
    if fmt.model == "rgb":
        values = np.stack([p.astype(np.float64) * scale for p in planes[:3]], axis=-1)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    full = clip.colour.full_range is True
    unit = 1 << (fmt.bits - 8)
    luma = planes[0].astype(np.float64)
    y = luma / fmt.max_value if full else (luma - 16 * unit) / (219 * unit)
    rows, columns = luma.shape
    if fmt.model == "gray":
        cb = cr = np.zeros_like(y)
    else:
        log2_x, log2_y = fmt.log2_chroma
        span = fmt.max_value if full else 224 * unit
        cb, cr = (
            (
                np.repeat(np.repeat(p, 1 << log2_y, 0), 1 << log2_x, 1)[:rows, :columns]
                - 128.0 * unit
            )
            / span
            for p in planes[1:3]
        )
    kr, kb = luma_weights(clip.colour.matrix)
    red = y + 2 * (1 - kr) * cr
    blue = y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.rint(np.stack((red, green, blue), -1) * 255), 0, 255).astype(np.uint8)


def busiest_patch(luma: npt.NDArray[Any], size: int = PATCH) -> tuple[int, int]:
    """Row and column of the patch with the largest variance, on a grid of half its size.

    The same patch whichever contestant is looked at, chosen from the ground truth alone.
    """
    best, place = -1.0, (0, 0)
    for row in range(0, max(luma.shape[0] - size, 0) + 1, size // 2):
        for column in range(0, max(luma.shape[1] - size, 0) + 1, size // 2):
            variance = float(np.var(luma[row : row + size, column : column + size]))
            if variance > best:
                best, place = variance, (row, column)
    return place


def data_uri(pixels: npt.NDArray[np.uint8], kind: str = "PNG") -> str:
    """A picture as a ``data:`` URI.

    Args:
        pixels: (rows, columns) grey or (rows, columns, 3).
        kind: "PNG", or "JPEG" where small errors do not matter.
    """
    file = io.BytesIO()
    options: dict[str, Any] = {"optimize": True} | ({"quality": 80} if kind == "JPEG" else {})
    Image.fromarray(pixels).save(file, format=kind, **options)
    text = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


class Album:
    """The pictures of one clip; contestants are added one by one.

    Args:
        truth: the clip; its middle frame is shown.
    """

    def __init__(self, truth: Clip) -> None:
        self._truth = truth
        self._frame = truth.num_frames // 2
        luma = luma_plane(truth.planes[self._frame], truth.format)
        self._row, self._column = busiest_patch(luma)
        rows, columns = luma.shape
        self._patch = (min(PATCH, rows - self._row), min(PATCH, columns - self._column))
        self._line = (
            min(self._row + self._patch[0] // 2, rows - 1),
            min(max(self._column + (self._patch[1] - LINE) // 2, 0), max(columns - LINE, 0)),
            min(LINE, columns),
        )
        self._crops: dict[str, str] = {}
        self._slices: dict[str, str] = {}
        self.add(TRUTH, truth.planes)

    def add(self, name: str, frames: Sequence[Picture]) -> None:
        """Take what is shown from a contestant's frames."""
        height, width = self._patch
        picture = to_rgb(frames[self._frame], self._truth)
        crop = picture[self._row : self._row + height, self._column : self._column + width]
        self._crops[name] = data_uri(np.ascontiguousarray(crop))
        row, left, length = self._line
        columns, fmt = slice(left, left + length), self._truth.format
        shown = frames[:SLICE_FRAMES]
        lines = np.stack(
            [luma_plane([p[row : row + 1, columns] for p in f], fmt)[0] for f in shown]
        )
        levels = lines.astype(np.float64) * (255 / self._truth.format.max_value)
        self._slices[name] = data_uri(np.clip(np.rint(levels), 0, 255).astype(np.uint8))

    def to_json(self) -> dict[str, Any]:
        """As the module's header says."""
        truth = self._truth
        overview = Image.fromarray(to_rgb(truth.planes[self._frame], truth))
        overview.thumbnail((_OVERVIEW, _OVERVIEW))
        row, left, length = self._line
        height, width = self._patch
        return {
            "clip": truth.name,
            "frame": self._frame,
            "size": [truth.width, truth.height],
            "patch": [self._column, self._row, width, height],
            "line": [left, row, length, 1],
            "overview": data_uri(np.asarray(overview, dtype=np.uint8), "JPEG"),
            "crops": self._crops,
            "slices": self._slices,
        }
