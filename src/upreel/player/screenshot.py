"""A picture as it is on the screen, without what is written over it, as a PNG file."""

from dataclasses import replace
from pathlib import Path

from upreel.player.shelf import Picture
from upreel.video.frame import Colour
from upreel.video.stills import ImageWriter

__all__ = ["save_picture"]


def save_picture(picture: Picture, title: str, folder: Path) -> Path:
    """Write the best there is of a picture; never over a file that is there.

    Args:
        picture: what is on the screen.
        title: its source's name.
        folder: for the file.

    Raises:
        OutputError: the place cannot be written to.
    """
    stem = Path(title).stem.replace("%", "_") or "picture"
    name = f"{stem}-{picture.media:08.3f}"
    path = folder / f"{name}.png"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.png"
    colour = Colour(full_range=False, matrix=1 if picture.bt709 else 6)
    frame = replace(picture.frame, planes=picture.planes, colour=colour)
    with ImageWriter(path) as writer:
        writer.write(frame)
    return path
