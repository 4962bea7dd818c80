"""What a viewer can ask for, and the keys for it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["KEYS", "Command", "Word", "keys_table"]

Word = Literal[
    "pause", "seek", "next", "previous", "volume", "mute", "full-screen", "compare", "slide",
    "slide-to", "statistics", "screenshot", "captions", "sound-track",
    "caption-track", "quit", "resized",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """One thing asked for.

    Attributes:
        word: what.
        amount: how much: seconds for "seek", a share for "volume" and "slide", a place from 0 to 1
            for "slide-to".
    """

    word: Word
    amount: float = 0.0


KEYS: tuple[tuple[str, Command, str], ...] = (
    ("Space", Command("pause"), "pause, go on"),
    ("Left", Command("seek", -5.0), "5 seconds back"),
    ("Right", Command("seek", 5.0), "5 seconds on"),
    ("Down", Command("volume", -0.1), "softer"),
    ("Up", Command("volume", 0.1), "louder"),
    ("M", Command("mute"), "sound off, on"),
    ("PageDown", Command("next"), "next title"),
    ("PageUp", Command("previous"), "previous title"),
    ("F", Command("full-screen"), "full screen, window"),
    ("C", Command("compare"), "compare with the plain picture, whole picture"),
    (",", Command("slide", -0.02), "slider to the left"),
    (".", Command("slide", 0.02), "slider to the right"),
    ("I", Command("statistics"), "statistics"),
    ("V", Command("captions"), "subtitles on, off"),
    ("A", Command("sound-track"), "next sound track"),
    ("T", Command("caption-track"), "next subtitle track"),
    ("S", Command("screenshot"), "save the picture"),
    ("Q", Command("quit"), "end"),
)
"""SDL's names of keys, what each asks for, and how that is called."""


def keys_table() -> str:
    """The keys, a line each.

    Example:
        >>> keys_table().splitlines()[0]
        'Space     pause, go on'
    """
    return "\n".join(f"{key:<10}{meaning}" for key, _, meaning in KEYS)
