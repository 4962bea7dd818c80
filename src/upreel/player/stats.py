"""What a showing came to: counted while it runs, written as JSON."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from upreel.errors import OutputError
from upreel.player.controller import Choice
from upreel.player.patience import Outage

__all__ = ["Series", "Statistics", "write_statistics"]

_KEPT = 200_000  # values of a series: more than an hour of pictures


class Series:
    """Numbers of which a few are told: mean, median, 95th percentile, extremes."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self.last = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.last = value
        if len(self._values) >= _KEPT:
            del self._values[::2]
        self._values.append(value)

    def __len__(self) -> int:
        return len(self._values)

    def summary(self) -> dict[str, float]:
        """What is told of them; nothing of none."""
        values = sorted(self._values)
        if not values:
            return {}
        return {
            "mean": round(sum(values) / len(values), 3),
            "median": round(values[len(values) // 2], 3),
            "p95": round(values[min(int(len(values) * 0.95), len(values) - 1)], 3),
            "least": round(values[0], 3),
            "most": round(values[-1], 3),
        }


@dataclass(kw_only=True)
class Statistics:
    """One title's showing.

    Attributes:
        source: its name.
        source_size: columns and rows.
        shown_size: columns and rows of enlarged pictures.
        rate: pictures a second of the source.
        seconds: that it was playing, pauses left out.
        shown: pictures on the screen.
        plain: of those, pictures that no rung had finished in time: the screen enlarged them.
        by_rung: of those, how many each rung made.
        skipped: pictures that were due and never shown.
        stalls: times that nothing new could be shown for a quarter of a second or more.
        longest_gap_ms: between two pictures on the screen.
        choices: changes of rung.
        rungs: what each one runs on.
        tried_ms: what each rung took for a picture before playing began.
        remembered: of those, rungs that were not tried out: their time was known from before.
        network_ms: what the rung in use took for a picture.
        offset_ms: picture before (below 0: after) the sound that is heard.
        latency_ms: from a picture's packet to the screen.
        start_ms: from opening to the first picture.
        sound_track: what was heard last, "" for nothing.
        caption_track: the subtitles chosen last, shown or not, "" for none.
        outages: of a source that broke off; one that lasts is what ended the playing.
        seeks: times that another place was gone to.
        notices: what the viewer should know.
    """

    source: str = ""
    source_size: tuple[int, int] = (0, 0)
    shown_size: tuple[int, int] = (0, 0)
    rate: float = 0.0
    seconds: float = 0.0
    shown: int = 0
    plain: int = 0
    by_rung: Counter[str] = field(default_factory=Counter[str])
    skipped: int = 0
    stalls: int = 0
    longest_gap_ms: float = 0.0
    choices: list[Choice] = field(default_factory=list[Choice])
    rungs: dict[str, str] = field(default_factory=dict[str, str])
    tried_ms: dict[str, float] = field(default_factory=dict[str, float])
    remembered: list[str] = field(default_factory=list[str])
    network_ms: Series = field(default_factory=Series)
    offset_ms: Series = field(default_factory=Series)
    latency_ms: Series = field(default_factory=Series)
    start_ms: float = 0.0
    sound_track: str = ""
    caption_track: str = ""
    outages: list[Outage] = field(default_factory=list[Outage])
    seeks: int = 0
    notices: list[str] = field(default_factory=list[str])

    @property
    def fps(self) -> float:
        """Pictures shown a second."""
        return self.shown / self.seconds if self.seconds else 0.0

    @property
    def skipped_share(self) -> float:
        """Of the pictures that were due."""
        due = self.shown + self.skipped
        return self.skipped / due if due else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        series = ("network_ms", "offset_ms", "latency_ms")
        plain = {
            name: value
            for name, value in self.__dict__.items()
            if name not in (*series, "choices", "by_rung", "outages")
        }
        return {
            **plain,
            "fps": round(self.fps, 3),
            "skipped_share": round(self.skipped_share, 5),
            "by_rung": dict(self.by_rung),
            "outages": [
                {
                    "seconds": None if outage.seconds is None else round(outage.seconds, 3),
                    "reason": outage.reason,
                }
                for outage in self.outages
            ],
            "choices": [asdict(choice) for choice in self.choices],
            **{name: getattr(self, name).summary() for name in series},
        }

    def line(self) -> str:
        """One line for people."""
        made = ", ".join(f"{name} {count}" for name, count in self.by_rung.most_common())
        parts = [
            f"{self.source}: {self.shown} pictures in {self.seconds:.1f} s, {self.fps:.1f} fps",
            f"{self.skipped} skipped, {self.stalls} stalls",
            f"enlarged by {made or 'nothing'}" + (f", plain {self.plain}" if self.plain else ""),
        ]
        if self.outages:
            count, away = len(self.outages), sum(o.seconds or 0.0 for o in self.outages)
            parts.append(f"broke off {count} time{'s' * (count > 1)}, for {away:.1f} s")
        if len(self.offset_ms):
            parts.append(f"sound within {_widest(self.offset_ms):.0f} ms")
        return "; ".join(parts)


def _widest(series: Series) -> float:
    told = series.summary()
    return max(abs(told["least"]), abs(told["most"]))


def write_statistics(path: Path, titles: list[Statistics]) -> None:
    """Write what each title's showing came to.

    Raises:
        OutputError: the place cannot be written to.
    """
    text = json.dumps({"titles": [title.as_json() for title in titles]}, indent=2)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
