"""The largest network of the fast family that keeps up on this machine, found by trying.

Best first, each is opened as the job would open it and given frames for its share of two seconds;
the first one that is fast enough is taken. What was measured is kept in the user's cache, by
machine, versions, network, arithmetic and size of the picture, so that the same call chooses the
same network again: an interrupted job can go on. The player begins with it, too: `remembered_fps`.
"""

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from upreel.errors import BackendUnavailableError, OptionError, OutputError
from upreel.pipeline.backend import Backend, ReportingUpscaler
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.machine import describe_machine
from upreel.video.frame import PixelFormat, plane_size
from upreel.video.info import SourceInfo
from upreel.zoo import ModelCard, ladder

__all__ = [
    "FAMILY",
    "Speeds",
    "chosen",
    "frames_per_second",
    "remembered_fps",
    "speeds_path",
]

FAMILY = "fast"
"""What `--model` says for the largest network that keeps up."""

_SECONDS = 2.0  # for all of them
_LEAST_FRAMES = 3
_BITS = 8  # deepest levels that networks in whole numbers take


def speeds_path() -> Path:
    """Where what was measured is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "upreel" / "speeds.json"


class Speeds:
    """Frames a second that were measured before, in a file that may vanish at any time.

    Args:
        path: of the file; one that is missing or damaged holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        entries = cast("dict[str, object]", found if isinstance(found, dict) else {})
        self._known = {k: float(v) for k, v in entries.items() if isinstance(v, int | float)}

    def __getitem__(self, key: str) -> float | None:
        return self._known.get(key)

    def keep(self, key: str, fps: float) -> None:
        """Remember a speed.

        Raises:
            OutputError: the file cannot be written; it is remembered by this object only.
        """
        self._known[key] = fps
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
            aside.replace(self._path)
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, kw_only=True)
class _Tried:
    card: ModelCard
    precision: str
    fps: float
    known: bool

    @property
    def text(self) -> str:
        arithmetic = "" if self.precision == "auto" else f" in {self.precision}"
        before = ", as measured before" if self.known else ""
        return f"{self.card.name}{arithmetic} does {self.fps:.1f} here{before}"


def chosen(
    job: UpscaleJob,
    info: SourceInfo,
    scale: int,
    backend: Backend,
    *,
    speeds: Speeds | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[UpscaleJob, tuple[str, ...]]:
    """The job with a network named, and what to tell the user of the choice.

    Args:
        job: its model is the family, or any other, which is left as it is.
        info: of the source.
        scale: of the network.
        backend: opens networks.
        speeds: known ones; None: those in `speeds_path`.
        clock: seconds.

    Raises:
        OptionError: frames a second are asked for, but not of the family; or the source does not
            say how many it has, and none are asked for.
        BackendUnavailableError: no network of the family runs as the job wants it.
    """
    if job.model != FAMILY:
        if job.min_fps is not None:
            named = job.model or "the default one"
            raise OptionError(f"--min-fps is for model {FAMILY}, not for {named}")
        return job, ()
    wanted = float(job.min_fps or info.rate or 0)
    if not wanted:
        raise OptionError(
            f"{info.path} does not say how many frames a second it has: "
            f"model {FAMILY} needs --min-fps"
        )
    speeds = speeds or Speeds(speeds_path())
    candidates = _candidates(job, info, [backend.load_card(name) for name in ladder(FAMILY, scale)])
    notices: list[str] = []
    last, refused = None, None
    for card, precision in candidates:
        key = _key(job, info, card, precision)
        fps = speeds[key]
        known = fps is not None
        if fps is None:
            try:
                upscaler = _opened(job, info, card, precision, backend)
            except BackendUnavailableError as error:
                refused = error
                continue
            share = _SECONDS / len(candidates)
            fps = frames_per_second(upscaler, card, info, seconds=share, clock=clock)
            try:
                speeds.keep(key, fps)
            except OutputError as error:
                notices.append(f"speeds are measured anew each time: {error}")
        last = _Tried(card=card, precision=precision, fps=fps, known=known)
        if fps >= wanted:
            break
    if last is None:
        assert refused is not None
        raise refused
    notices = sorted(set(notices))
    if last.fps >= wanted:
        notices.append(f"{wanted:g} frames a second are wanted: {last.text}")
    else:
        notices.append(
            f"no network of {FAMILY} does {wanted:g} frames a second: the least, {last.text}"
        )
    done = replace(job, model=last.card.name, precision=last.precision, min_fps=None)
    return done, tuple(notices)


def remembered_fps(
    card: ModelCard,
    *,
    pixel_format: PixelFormat,
    width: int,
    height: int,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    speeds: Speeds | None = None,
) -> float | None:
    """Frames a second that a network did here when `chosen` tried it, whole and at its own scale.

    Args:
        card: the network.
        pixel_format: of its input.
        width: columns of luma, in.
        height: rows of luma, in.
        device: as it was asked for.
        precision: as it was asked for.
        threads: likewise; 0: all.
        speeds: known ones; None: those in `speeds_path`.

    Returns:
        None where it was not tried under these conditions.
    """
    key = _speed_key(
        card,
        precision,
        pixel_format=pixel_format.name,
        size=(width, height, None),
        device=device,
        threads=threads,
        tile=None,
        self_ensemble=False,
    )
    return (speeds or Speeds(speeds_path()))[key]


def frames_per_second(
    upscaler: ReportingUpscaler,
    card: ModelCard,
    info: SourceInfo,
    *,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """How many frames an opened network answers a second: the median of a short while.

    Args:
        upscaler: the network.
        card: says how many frames it sees.
        info: of the source, which is not read: speed does not depend on the picture.
        seconds: how long, after the first answer.
        clock: seconds.
    """
    window = [_blank(info.format, info.width, info.height)] * (1 + sum(card.window))
    upscaler.submit(window)
    upscaler.collect()  # the first one is slow
    for _ in range(upscaler.depth):
        upscaler.submit(window)
    started = last = clock()
    intervals: list[float] = []
    while len(intervals) < _LEAST_FRAMES or last - started < seconds:
        upscaler.collect()
        upscaler.submit(window)
        now = clock()
        intervals.append(now - last)
        last = now
    upscaler.drop()
    return 1 / max(statistics.median(intervals), 1e-6)


def _candidates(
    job: UpscaleJob, info: SourceInfo, cards: list[ModelCard]
) -> list[tuple[ModelCard, str]]:
    """Networks and their arithmetic, best first: in whole numbers each loses a little."""
    if job.precision != "auto":
        return [(card, job.precision) for card in cards]
    whole = info.format.bits <= _BITS and not job.self_ensemble
    return [
        (card, precision)
        for card in cards
        for precision in ("auto", *(["int8"] if whole and "int8" in card.precisions else []))
    ]


def _opened(
    job: UpscaleJob, info: SourceInfo, card: ModelCard, precision: str, backend: Backend
) -> ReportingUpscaler:
    return backend.open(
        card,
        pixel_format=info.format,
        colour=info.colour,
        width=info.width,
        height=info.height,
        output_size=job.size or (card.scale * info.width, card.scale * info.height),
        device=job.device,
        precision=precision,
        threads=job.threads,
        tile=job.tile,
        self_ensemble=job.self_ensemble,
    )


def _blank(fmt: PixelFormat, width: int, height: int) -> tuple[np.ndarray, ...]:
    """Planes of a picture that is the same everywhere."""
    sizes = (plane_size(fmt, n, width=width, height=height) for n in range(fmt.num_planes))
    return tuple(np.zeros(size, fmt.dtype) for size in sizes)


def _key(job: UpscaleJob, info: SourceInfo, card: ModelCard, precision: str) -> str:
    return _speed_key(
        card,
        precision,
        pixel_format=info.format.name,
        size=(info.width, info.height, job.size),
        **{name: getattr(job, name) for name in ("device", "threads", "tile", "self_ensemble")},
    )


def _speed_key(
    card: ModelCard,
    precision: str,
    *,
    pixel_format: str,
    size: tuple[int, int, tuple[int, int] | None],
    device: str,
    threads: int,
    tile: int | None,
    self_ensemble: bool,
) -> str:
    """What a speed depends on."""
    machine = asdict(describe_machine())
    values = {
        **{name: machine[name] for name in ("cpu", "cores", "flags", "packages")},
        "weights": card.identity(precision),
        "precision": precision,
        "format": pixel_format,
        "size": size,
        "device": device,
        "threads": threads,
        "tile": tile,
        "self_ensemble": self_ensemble,
    }
    text = json.dumps(values, sort_keys=True)
    return f"{card.name} {precision} {hashlib.sha256(text.encode()).hexdigest()[:32]}"
