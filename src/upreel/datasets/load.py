"""Clips from wherever they are: folders of videos and pictures, and packs."""

from collections.abc import Sequence
from pathlib import Path

from upreel.datasets.clips import Clip
from upreel.datasets.pack import read_pack
from upreel.errors import InputError

__all__ = ["load_clips"]


def load_clips(sources: Sequence[Path]) -> list[Clip]:
    """All clips of folders (`upreel.datasets.folders`) and packs (`upreel.datasets.pack`).

    Raises:
        InputError: one is missing, is neither, is damaged or holds nothing to train on.
    """
    clips: list[Clip] = []
    for source in sources:
        if source.is_file():
            clips += read_pack(source)
        elif source.is_dir():
            from upreel.datasets.folders import load_folder  # packs are read without PyAV

            clips += load_folder(source)
        else:
            raise InputError(f"{source} is neither a folder nor a pack")
    return clips
