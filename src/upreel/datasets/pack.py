"""Packs: clips in one file of a given size, without loss, read back without a video library.

What does not fit is left out: of every clip the same share of its picture, a window with more
detail than elsewhere, and where windows would become smaller than patches need, of every clip the
same share of its frames. A pack is a ZIP file without compression of its own:

    index.json   what the clips are, in their order
    N.luma       clip N's samples as differences along the axes that the index names, by bzip2
    N.chroma     likewise

Differences are modulo 256 and go along rows, along columns and from frame to frame, whichever
leaves least: clean video takes one to three bits a sample, where H.264 decided most of them.
"""

import bz2
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from upreel.datasets.clips import Clip
from upreel.errors import InputError, OptionError, OutputError

__all__ = ["Packed", "read_pack", "write_pack"]

_VERSION = 1
_STEP = 24  # windows are multiples of it, as clips are
_AXES = ((2,), (1, 2), (0,), (0, 2), (0, 1, 2))  # of (T, rows, columns)
_TRIES = 5
_DATE = (1980, 1, 1, 0, 0, 0)  # the same clips give the same file
_NEUTRAL = 128
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a file that is none, or was changed, makes the readers raise."""
_Samples = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a pack holds of the clips that it was made of.

    Attributes:
        bytes: of the file.
        clips: in it.
        frames: in it.
        share: of the clips' samples, 0 to 1.
    """

    bytes: int
    clips: int
    frames: int
    share: float


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """How much of each clip is kept.

    Attributes:
        area: share of the picture, 0 to 1; windows do not become smaller than `smallest`.
        time: share of the frames, 0 to 1; they do not become fewer than `fewest`.
        smallest: rows and columns.
        fewest: frames.
    """

    area: float
    time: float
    smallest: int
    fewest: int

    def shape(self, clip: Clip) -> tuple[int, int, int]:
        """Frames, rows and columns that are kept of a clip."""
        num_frames, height, width = clip.luma.shape
        kept = max(round(num_frames * self.time), min(self.fewest, num_frames))
        rows, columns = (
            max(min(round(side * self.area**0.5 / _STEP) * _STEP, side), min(self.smallest, side))
            for side in (height, width)
        )
        return kept, rows, columns

    def cut(self, clip: Clip) -> Clip:
        """The part that is kept: the first frames, where the first of them has most detail."""
        kept, rows, columns = self.shape(clip)
        y, x = _most_detailed(clip.luma[0], rows, columns)
        small = slice(y // 2, (y + rows) // 2), slice(x // 2, (x + columns) // 2)
        return Clip(
            name=clip.name,
            luma=clip.luma[:kept, y : y + rows, x : x + columns],
            chroma=clip.chroma[:kept, :, *small],
            has_chroma=clip.has_chroma,
        )


def write_pack(
    clips: Sequence[Clip],
    path: Path,
    *,
    size: int,
    smallest: int = 288,
    fewest: int = 16,
    chroma: bool = True,
) -> Packed:
    """Write as much of `clips` as fits into a file of `size` bytes.

    Args:
        clips: high resolution.
        path: of the pack; what is there is replaced once all is written.
        size: bytes that the file may have.
        smallest: rows and columns that a window keeps, where the clip has as many.
        fewest: frames that a clip keeps, where it has as many.
        chroma: whether chroma is kept; who reads the pack finds neutral grey instead.

    Raises:
        InputError: there are no clips.
        OptionError: not even the smallest windows of the fewest frames fit.
        OutputError: it cannot be written.
    """
    if not clips:
        raise InputError("there are no clips to pack")
    least = _Measure(area=0, time=0, smallest=smallest, fewest=fewest)
    # What a sample takes is learned from these: the whole of the clips would take minutes.
    coded = _coded([least.cut(clip) for clip in clips], chroma=chroma)
    needed = _size(coded)
    if needed > size:
        raise OptionError(
            f"{len(clips)} clips take at least {needed / 1e6:.3g} MB ({fewest} frames of windows "
            f"of {smallest}x{smallest}), {size / 1e6:.3g} MB are allowed"
        )
    rates = [
        item.num_bytes / np.prod(least.shape(clip)) for item, clip in zip(coded, clips, strict=True)
    ]

    def expected(measure: _Measure) -> float:
        return sum(
            rate * float(np.prod(measure.shape(clip)))
            for rate, clip in zip(rates, clips, strict=True)
        )

    measure, aim = least, float(size)
    for _ in range(_TRIES):
        larger = _largest(least, aim, expected)
        tried = _coded([larger.cut(clip) for clip in clips], chroma=chroma)
        if _size(tried) <= size:
            measure, coded = larger, tried
            break
        aim *= 0.99 * size / _size(tried)
    _write(coded, path)
    kept = [measure.shape(clip) for clip in clips]
    return Packed(
        bytes=path.stat().st_size,
        clips=len(clips),
        frames=sum(shape[0] for shape in kept),
        share=sum(map(float, map(np.prod, kept))) / sum(clip.luma.size for clip in clips),
    )


def read_pack(path: Path) -> list[Clip]:
    """The clips of a pack, in the order in which they were given.

    Raises:
        InputError: it is not a pack, is damaged or was made by a later version.
    """
    try:
        with zipfile.ZipFile(path) as file:
            index = json.loads(file.read("index.json"))
            if index["version"] != _VERSION:
                raise InputError(
                    f"{path} has version {index['version']} of packs, this program reads {_VERSION}"
                )
            stored = [
                [file.read(f"{number}.{plane}") for plane in entry["axes"]]
                for number, entry in enumerate(index["clips"])
            ]
        with ThreadPoolExecutor() as threads:
            return list(threads.map(_decoded, index["clips"], stored))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGES as error:
        raise InputError(f"{path} is not a pack, or a damaged one: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Coded:
    """A clip as it is stored.

    Attributes:
        entry: of the index.
        planes: what is stored of it, by name.
    """

    entry: dict[str, Any]
    planes: dict[str, bytes]

    @property
    def num_bytes(self) -> int:
        """Of all planes."""
        return sum(map(len, self.planes.values()))


def _coded(clips: Sequence[Clip], *, chroma: bool) -> list[_Coded]:
    """All clips, on all cores: bzip2 lets go of the interpreter."""

    def one(clip: Clip) -> _Coded:
        planes = {"luma": clip.luma}
        if chroma and clip.has_chroma:
            planes["chroma"] = clip.chroma.swapaxes(0, 1).reshape(-1, *clip.chroma.shape[2:])
        best = {plane: _differences(samples) for plane, samples in planes.items()}
        return _Coded(
            entry={
                "name": clip.name,
                "shape": clip.luma.shape,
                "axes": {plane: axes for plane, (axes, _) in best.items()},
            },
            planes={plane: bz2.compress(values.tobytes()) for plane, (_, values) in best.items()},
        )

    with ThreadPoolExecutor() as threads:
        return list(threads.map(one, clips))


def _decoded(entry: dict[str, Any], stored: Sequence[bytes]) -> Clip:
    """The clip that `_coded` was given."""
    num_frames, height, width = entry["shape"]
    half = (height // 2, width // 2)
    planes = dict(zip(entry["axes"], stored, strict=True))
    shapes = {"luma": (num_frames, height, width), "chroma": (2 * num_frames, *half)}
    found: dict[str, _Samples] = {}
    for plane, data in planes.items():
        values = np.frombuffer(bz2.decompress(data), np.uint8).reshape(shapes[plane])
        for axis in entry["axes"][plane]:
            values = np.cumsum(values, axis=axis, dtype=np.uint8)
        found[plane] = values
    chroma = np.full((num_frames, 2, *half), _NEUTRAL, np.uint8)
    if "chroma" in found:
        chroma = np.ascontiguousarray(found["chroma"].reshape(2, num_frames, *half).swapaxes(0, 1))
    return Clip(name=entry["name"], luma=found["luma"], chroma=chroma, has_chroma="chroma" in found)


def _differences(samples: _Samples) -> tuple[tuple[int, ...], _Samples]:
    """Axes, and samples of (T, rows, columns) as differences along them, of least entropy."""

    def along(axes: tuple[int, ...]) -> _Samples:
        values = samples
        for axis in axes:
            values = np.diff(values, axis=axis, prepend=np.uint8(0))
        return values

    def entropy(axes: tuple[int, ...]) -> float:
        # Frame by frame: NumPy counts in copies eight times as large.
        counts = np.zeros(256, np.int64)
        for frame in along(axes):
            counts += np.bincount(frame.ravel(), minlength=256)
        shares = counts / samples.size
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())

    best = min(_AXES, key=entropy)
    return best, along(best)


def _largest(least: _Measure, aim: float, expected: Callable[[_Measure], float]) -> _Measure:
    """The largest share of the pictures, or of the frames of smallest windows, for `aim` bytes."""
    full = replace(least, area=0, time=1)
    start, field = (full, "area") if expected(full) <= aim else (least, "time")
    low, high = 0.0, 1.0
    if expected(replace(start, **{field: high})) <= aim:
        return replace(start, **{field: high})
    for _ in range(20):
        middle = (low + high) / 2
        if expected(replace(start, **{field: middle})) <= aim:
            low = middle
        else:
            high = middle
    return replace(start, **{field: low})


def _most_detailed(picture: _Samples, rows: int, columns: int) -> tuple[int, int]:
    """Top left, multiples of the step, of the window with the largest sum of differences."""
    height, width = picture.shape
    values = picture.astype(np.int32)
    detail = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    detail += np.abs(np.diff(values, axis=1, prepend=values[:, :1]))
    sums = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    corners = [
        (y, x)
        for y in range(0, height - rows + 1, _STEP)
        for x in range(0, width - columns + 1, _STEP)
    ]
    return max(
        corners,
        key=lambda corner: _window_sum(sums, *corner, rows, columns),
    )


def _window_sum(sums: npt.NDArray[np.int64], y: int, x: int, rows: int, columns: int) -> int:
    """Of a window, from sums over all that is above and left."""
    below, right = y + rows, x + columns
    return int(sums[below, right] - sums[y, right] - sums[below, x] + sums[y, x])


def _contents(coded: Sequence[_Coded]) -> list[tuple[str, bytes]]:
    """All that is stored, by name."""
    index = {"version": _VERSION, "clips": [item.entry for item in coded]}
    return [
        ("index.json", json.dumps(index).encode()),
        *(
            (f"{number}.{plane}", data)
            for number, item in enumerate(coded)
            for plane, data in item.planes.items()
        ),
    ]


def _size(coded: Sequence[_Coded]) -> int:
    """Bytes of the file."""
    headers = 30 + 46  # of a member, in its place and in the directory at the end
    return 22 + sum(headers + 2 * len(name) + len(data) for name, data in _contents(coded))


def _write(coded: Sequence[_Coded], path: Path) -> None:
    """Aside first, and renamed: a kill leaves what was there."""
    aside = path.with_name(path.name + ".tmp")
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as file:
            for name, data in _contents(coded):
                file.writestr(zipfile.ZipInfo(name, _DATE), data)
        os.replace(aside, path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
