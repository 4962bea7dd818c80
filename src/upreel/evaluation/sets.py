"""The sets that contestants are compared on: Vid4, and any videos.

Vid4  ``DIR/GT/*.mkv`` are the ground-truth planes. For x4 BI the input is the *published* low
      resolution in ``DIR/BIx4/*.mkv`` (MATLAB's bicubic of the RGB frames): RGB -> float BT.601
      limited-range Y'CbCr -> rounded 8-bit 4:2:0 planes, chroma the mean of 2x2. Everything else
      is made from the ground truth's planes: `upreel.evaluation.degrade`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from upreel.errors import InputError
from upreel.evaluation.clips import YUV420P, Clip, read_clip
from upreel.evaluation.degrade import Degradation, Degraded, degrade
from upreel.video.frame import Plane
from upreel.video.ycbcr import ycbcr_levels

__all__ = [
    "PUBLISHED_INPUT",
    "VID4",
    "VIDEO_ENDINGS",
    "list_folder",
    "list_set",
    "open_files",
    "open_vid4",
    "source_of",
    "to_420",
    "uses_published",
    "vid4_paths",
]

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".y4m")
PUBLISHED_INPUT = (
    "published low resolution (MATLAB bicubic of the RGB frames), RGB to float BT.601 limited "
    "Y'CbCr to rounded 8-bit 4:2:0 planes"
)
VID4 = ("calendar", "city", "foliage", "walk")

_CENTRE = 2  # AVChromaLocation: Vid4's chroma is the mean of 2x2 pixels


def to_420(red: Plane, green: Plane, blue: Plane) -> tuple[Plane, ...]:
    """8-bit R'G'B' to BT.601 limited-range 4:2:0 planes, chroma the mean of 2x2, rounded.

    Args:
        red: (H, W), H and W even.
        green: the same.
        blue: the same.

    Returns:
        Y (H, W), Cb and Cr (H/2, W/2), uint8.

    Example:
        >>> white = np.full((2, 2), 255, np.uint8)
        >>> [int(plane[0, 0]) for plane in to_420(white, white, white)]
        [235, 128, 128]
    """
    luma, *chroma = ycbcr_levels(red, green, blue)
    halved = [plane.reshape(len(plane) // 2, 2, -1, 2).mean(axis=(1, 3)) for plane in chroma]
    return tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (luma, *halved))


def uses_published(scale: int, degradation: Degradation) -> bool:
    """Whether Vid4's published low resolution is the input, rather than one made here."""
    return scale == 4 and degradation == Degradation()


def open_vid4(
    folder: Path, scale: int, degradation: Degradation, *, limit: int | None = None
) -> Iterator[Degraded]:
    """Vid4's four clips, one at a time.

    Args:
        folder: holds ``GT`` and, for x4 BI, ``BIx4``.
        scale: 2, 3 or 4.
        degradation: how the input was made.
        limit: at most so many frames of each clip.

    Raises:
        InputError: a file is missing, or GT and input do not belong together.
    """
    published = uses_published(scale, degradation)
    for place in vid4_paths(folder):
        name = place.stem
        truth = read_clip(place, limit=limit)
        truth = replace(truth, colour=replace(truth.colour, chroma_location=_CENTRE))
        if not published:
            yield degrade(truth, scale, degradation)
            continue
        path = _existing(folder / "BIx4" / f"{name}.mkv")
        rgb = read_clip(path, limit=limit)
        if rgb.format.model != "rgb" or rgb.format.bits != 8:
            raise InputError(f"{path} is {rgb.format.name}; the published input is 8-bit RGB")
        low = Clip(
            name=name,
            planes=tuple(to_420(*planes[:3]) for planes in rgb.planes),
            format=YUV420P,
            colour=truth.colour,
            rate=truth.rate,
        )
        found = (low.num_frames, low.width * scale, low.height * scale)
        if found != (truth.num_frames, truth.width, truth.height):
            raise InputError(f"{path} has another size or length than its ground truth")
        yield Degraded(truth=truth, low=low)


def vid4_paths(folder: Path) -> list[Path]:
    """The four files of the ground truth.

    Raises:
        InputError: one is missing.
    """
    return [_existing(folder / "GT" / f"{name}.mkv") for name in VID4]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing; Vid4 is a folder with GT/*.mkv and BIx4/*.mkv")
    return path


def source_of(name: str) -> str:
    """What a clip was cut from: its name before the first underscore.

    Example:
        >>> source_of("bees_03"), source_of("walk")
        ('bees', 'walk')
    """
    return name.split("_", 1)[0]


def list_set(places: Sequence[str], only: Sequence[str] = ()) -> list[Path]:
    """The videos of folders and the files named, in this order.

    Args:
        places: folders and files.
        only: names of clips or of sources to take; empty for all.

    Raises:
        InputError: a place that is neither, no video, a name of `only` that nothing matches, or
            two videos of one name, which tables could not tell apart.
    """
    paths: list[Path] = []
    for place in map(Path, places):
        paths += [place] if place.is_file() else list_folder(place)
    _check_only(paths, only, " ".join(places))
    paths = [p for p in paths if not only or p.stem in only or source_of(p.stem) in only]
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem in named:
            if named[path.stem].samefile(path):
                raise InputError(f"{path} is in the set twice")
            raise InputError(f"{named[path.stem]} and {path} have one name; rename one")
        named[path.stem] = path
    return paths


def _check_only(paths: Sequence[Path], only: Sequence[str], place: str) -> None:
    for name in only:
        if not any(name in (p.stem, source_of(p.stem)) for p in paths):
            raise InputError(f"no clip or source {name!r} in {place}")


def list_folder(folder: Path) -> list[Path]:
    """The videos of a folder, sorted by name.

    Raises:
        InputError: no folder, or no video in it.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is neither a folder nor a file; --set takes a folder of videos, videos, "
            "or vid4"
        )
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_ENDINGS)
    if not paths:
        raise InputError(f"no video in {folder}; endings looked for: {' '.join(VIDEO_ENDINGS)}")
    return paths


def open_files(
    paths: Sequence[Path],
    scale: int,
    degradation: Degradation,
    *,
    limit: int | None = None,
    upv_codec: str | None = None,
) -> Iterator[Degraded]:
    """The clips of `paths` as pairs, one at a time."""
    for path in paths:
        yield degrade(read_clip(path, limit=limit, upv_codec=upv_codec), scale, degradation)
