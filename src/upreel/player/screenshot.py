"""A picture as it is on the screen, without what is written over it, as a PNG file."""

from dataclasses import replace
from pathlib import Path

from upreel.player.shelf import Picture
from upreel.video.frame import Colour
from upreel.video.stills import ImageWriter

__all__ = ["save_picture"]


def save_picture(picture: Picture, title: str, folder: Path) -> Path:
    """Write the best there is of a picture, named by its time in milliseconds.

    A file that is there stays: the number then is the next that is free.

    Args:
        picture: what is on the screen.
        title: its source's name.
        folder: for the file.

    Raises:
        OutputError: the place cannot be written to.
    """
    stem = Path(title).stem.replace("%", "_") or "picture"
    number = round(picture.media * 1000)
    while (path := folder / f"{stem}-{number:08}.png").exists():
        number += 1
    colour = Colour(full_range=False, matrix=1 if picture.bt709 else 6)
    frame = replace(picture.frame, planes=picture.planes, colour=colour)
    with ImageWriter(folder / f"{stem}-%08d.png", first=number) as writer:
        writer.write(frame)
    return path
