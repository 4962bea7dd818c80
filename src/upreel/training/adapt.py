"""Adaptation at test time: a network learns on from the very video that it is to enlarge.

The mean answer to a picture turned over in all eight ways is better than any of them, and eight
times as dear (`upreel.inference.ensemble`). Here the network learns, on windows out of the video,
to give that mean at once. Every fourth stretch is held back, and the
weights whose answers are nearest to the mean there are kept, which may be those that it had.

The video shrunk once more, as its own pair of low and high resolution, was tried first (Shocher et
al., "Zero-Shot" Super-Resolution, CVPR 2018): a trained network becomes worse by it, because what
is shrunk has other statistics than what is to be enlarged (docs/experiments.md).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import json
import math
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.errors import DamagedError, ExistsError, OptionError, StaleWorkError
from upreel.inference.ensemble import check_ensemble
from upreel.inference.export import export_card
from upreel.inference.picture import PictureForm
from upreel.networks.build import build_network
from upreel.pipeline.backend import DefaultBackend
from upreel.pipeline.cuts import is_cut, thumbnail
from upreel.pipeline.finish import output_exists, work_name
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.plan import frame_range, source_identity
from upreel.pipeline.resolve import Resolved, resolve
from upreel.pipeline.upv_source import probe_source
from upreel.pipeline.work import Work, os_errors
from upreel.training.checkpoint import load_result
from upreel.training.turning import WAYS, mean_answer, turned
from upreel.video.frame import Frame
from upreel.video.info import Deinterlace, SourceInfo, Timeline
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo import ModelCard
from upreel.zoo.card import read_card

__all__ = ["Adapted", "adapt", "adapted_job", "check_job", "ranges", "stretches"]

Stretch = Float[Tensor, "T H W"]

_STRETCHES = 16  # that are looked at, spread over the video
_FRAMES = 8  # of a stretch at most
_FEWEST_FRAMES = 4  # of the video: two stretches of two
_BYTES = 400_000_000  # of all stretches
_SIDE = 112  # rows and columns of a window, where the video has as many
_TRIM = 8  # of these at each border, where answers lack the picture around
_BORDER = 6  # of a patch, where the network itself does
_PATCH = 48
_MOST_WINDOWS = 96
_FEWEST_WINDOWS = 8
_TEACHING = 1 / 3  # of the time at most goes into the mean answers
_CHECKS = 4  # of what is held back, while training
_LEARNING_RATE = 1e-4
_AVERAGE = 0.98
_NOTE = "adapted.json"
SYSTEM_CLOCK = time.monotonic


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What an adaptation came to.

    Attributes:
        steps: optimiser steps done.
        before: PSNR in dB of the network's answers as it was against the mean answers, on windows
            that were held back.
        after: of the best weights found; `before` where none were better.
        card: of those weights, None where none were better.
    """

    steps: int
    before: float
    after: float
    card: ModelCard | None


@dataclass(frozen=True, kw_only=True)
class _Window:
    """What a network is given, and what it is to answer.

    Attributes:
        frames: (T, h, w) in [0, 1], in the order that the network takes.
        answer: the mean of the eight ways, (s^2, h, w), of a recurrent network (T, s^2, h, w).
    """

    frames: Tensor
    answer: Tensor


def stretches(
    card: ModelCard,
    info: SourceInfo,
    timeline: Timeline,
    *,
    first: int,
    stop: int,
    deinterlace: Deinterlace = "auto",
) -> list[Stretch]:
    """A few frames here and there of a video, each stretch without a scene cut.

    Memory does not depend on the video's length.

    Args:
        card: of the network that is to learn from them, one of luma.
        info: of the video.
        timeline: of its frames.
        first: frame to begin with.
        stop: frame behind the last one.
        deinterlace: see `upreel.video.read.read_frames`.

    Returns:
        At least two, luma in [0, 1] as the network sees it.

    Raises:
        OptionError: there are fewer than four frames, or most cannot be decoded.
    """
    form = PictureForm(
        card,
        pixel_format=info.format,
        colour=info.colour,
        width=info.width,
        height=info.height,
        output_size=None,
    )
    found: list[Tensor] = []
    for each in ranges(first, stop, 4 * info.width * info.height):
        frames = read_frames(
            info, timeline=timeline, first=each.start, stop=each.stop, deinterlace=deinterlace
        )
        try:
            lumas = [form.network_planes(frame.planes)[0] for frame in _longest_scene(frames)]
        except DamagedError:  # there are others
            continue
        if lumas:
            values = np.stack(lumas).astype(np.float32) / ((1 << form.bits) - 1)
            found.append(torch.from_numpy(values))
    if len(found) < 2:
        raise OptionError(f"{info.path}: too little of it can be decoded for adapting")
    return found


def ranges(first: int, stop: int, frame_bytes: int) -> list[range]:
    """The frames of each stretch: eight in a row, spread over the video, none of them twice.

    Args:
        first: frame to begin with.
        stop: frame behind the last one.
        frame_bytes: of a frame in memory; where all would be too much, there are fewer stretches,
            and shorter ones where four are too much.

    Raises:
        OptionError: there are fewer than four frames.

    Example:
        >>> ranges(0, 34, 1)
        [range(0, 8), range(8, 16), range(17, 25), range(26, 34)]
    """
    count = stop - first
    if count < _FEWEST_FRAMES:
        raise OptionError(f"adapting needs {_FEWEST_FRAMES} frames and more, got {count}")
    most = _BYTES // frame_bytes
    number = min(_STRETCHES, max(count // _FRAMES, 2), max(most // _FRAMES, 4))
    length = max(min(_FRAMES, count // number, most // number), 1)
    starts = [first + (count - length) * n // (number - 1) for n in range(number)]
    return [range(start, start + length) for start in starts]


def _longest_scene(frames: Iterable[Frame]) -> list[Frame]:
    """The most frames in a row without a cut."""
    scenes: list[list[Frame]] = []
    before = None
    for frame in frames:
        small = thumbnail(frame)
        if before is None or is_cut(before, small):
            scenes.append([])
        scenes[-1].append(frame)
        before = small
    return max(scenes, key=len, default=[])


class _Adaptation:
    """A network that learns its own mean answers.

    Args:
        card: where it begins.
        seconds: of work in all.
        device: "cpu" or "cuda".
        on_progress: told the share of the time that has gone.
        clock: in seconds.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        seconds: float,
        device: str,
        on_progress: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.card = card
        self._seconds = seconds
        self._tell = on_progress
        self._clock = clock
        self._began = clock()
        self._device = torch.device(device)
        self._random = np.random.default_rng(1)
        weights = load_result(card.folder / f"{card.name}.safetensors").weights
        self.network = self._built(weights)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self._optimizer = torch.optim.Adam(
            self.network.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.99)
        )
        self.steps = 0

    def spent(self) -> float:
        """The share of the time that has gone, 0 to 1 and more."""
        share = (self._clock() - self._began) / self._seconds
        self._tell(min(share, 1.0))
        return share

    def windows(self, found: Sequence[Stretch]) -> tuple[list[_Window], list[_Window]]:
        """Windows to learn from, and windows to check with, out of different stretches."""
        learned: list[_Window] = []
        held: list[_Window] = []
        number = 0
        while len(learned) + len(held) < _MOST_WINDOWS:
            if number >= _FEWEST_WINDOWS and self.spent() > _TEACHING:
                break
            # Every fourth one is held back; with few stretches, half of two.
            place = number % len(found)
            (held if place % 4 == 0 else learned).append(self._window(found[place]))
            number += 1
        return learned, held

    def _window(self, stretch: Stretch) -> _Window:
        num_frames, height, width = stretch.shape
        multiple = self.card.size_multiple
        rows, columns = (min(_SIDE, side) // multiple * multiple for side in (height, width))
        y = int(self._random.integers(height - rows + 1))
        x = int(self._random.integers(width - columns + 1))
        t = int(self._random.integers(num_frames))
        seen = range(num_frames)
        if not self.card.state:
            offsets = self.card.network.offsets
            seen = [min(max(t + offset, 0), num_frames - 1) for offset in offsets]
        frames = stretch[list(seen), y : y + rows, x : x + columns].to(self._device)
        inner = slice(_TRIM, -_TRIM)
        answer = mean_answer(self.network, frames, self.card.scale)
        return _Window(frames=frames[:, inner, inner], answer=answer[..., inner, inner])

    def step(self, learned: Sequence[_Window]) -> None:
        """Learn from a few patches of windows, turned over at random."""
        rate = 0.5 + 0.5 * math.cos(math.pi * min(self.spent(), 1.0))
        for group in self._optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * max(rate, 0.01) * min(1.0, (self.steps + 1) / 20)
        loss = torch.zeros((), device=self._device)
        for frames, answer in self._patches(learned):
            error = self.network(frames[None])[0] - answer
            loss = loss + error[..., _BORDER:-_BORDER, _BORDER:-_BORDER].square().mean()
        self._optimizer.zero_grad(set_to_none=True)
        # Adam does not see a factor; gradients of some 1e-5 are brought away from its epsilon.
        (1000 * loss).backward()
        self._optimizer.step()
        self.steps += 1
        with torch.no_grad():
            decay = min(_AVERAGE, (1 + self.steps) / (10 + self.steps))
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)

    def _patches(self, learned: Sequence[_Window]) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Frames and answers, both turned over in one of the eight ways."""
        multiple = self.card.size_multiple
        for _ in range(4 if self.card.state else 8):
            window = learned[int(self._random.integers(len(learned)))]
            way = int(self._random.integers(len(WAYS)))
            sides = window.frames.shape[1:]
            rows, columns = (min(_PATCH, side) // multiple * multiple for side in sides)
            y = int(self._random.integers(sides[0] - rows + 1))
            x = int(self._random.integers(sides[1] - columns + 1))
            area = (..., slice(y, y + rows), slice(x, x + columns))
            picture = F.pixel_shuffle(window.answer[area], self.card.scale)
            answer = F.pixel_unshuffle(turned(picture, way), self.card.scale)
            yield turned(window.frames[area], way), answer

    @torch.no_grad()
    def score(self, held: Sequence[_Window], weights: Mapping[str, Tensor]) -> float:
        """PSNR in dB of those weights' answers against the mean answers."""
        network = self._built(weights)
        multiple = self.card.size_multiple
        squares: list[float] = []
        for window in held:
            rows, columns = (side // multiple * multiple for side in window.frames.shape[1:])
            area = (..., slice(rows), slice(columns))
            error = network(window.frames[area][None])[0] - window.answer[area]
            inner = error[..., _BORDER:-_BORDER, _BORDER:-_BORDER]
            squares.append(inner.square().mean().item())
        return -10 * math.log10(max(sum(squares) / len(squares), 1e-10))

    def _built(self, weights: Mapping[str, Tensor]) -> nn.Module:
        network = build_network(asdict(self.card.network)).eval()
        network.load_state_dict(dict(weights))
        return network.to(self._device)


def adapt(
    card: ModelCard,
    found: Sequence[Stretch],
    folder: Path,
    *,
    seconds: float,
    device: str = "cpu",
    on_progress: Callable[[float], None] = lambda _: None,
    clock: Callable[[], float] | None = None,
) -> Adapted:
    """Train a card's network on a video's own frames.

    Args:
        card: where to begin; its weights file lies beside it.
        found: from `stretches`.
        folder: where ``NAME-adapted.json`` and its files go if anything is gained.
        seconds: of work; the last step and the export come on top.
        device: "cpu" or "cuda".
        on_progress: told the share of the time that has gone, 0 to 1.
        clock: in seconds; None: that of the system.

    Raises:
        OptionError: the network is not one of luma, or the frames are too small.
    """
    check_ensemble(card)
    multiple = card.size_multiple
    least = -(-(2 * _TRIM + 4 * _BORDER) // multiple) * multiple
    height, width = found[0].shape[1:]
    if min(height, width) < least:
        raise OptionError(
            f"adapting needs pictures of {least}x{least} and more, got {width}x{height}"
        )
    run = _Adaptation(
        card, seconds=seconds, device=device, on_progress=on_progress, clock=clock or SYSTEM_CLOCK
    )
    learned, held = run.windows(found)
    before = best = run.score(held, run.average)
    begun = run.spent()
    weights: dict[str, Tensor] | None = None
    best_step = 0
    for check in range(1, _CHECKS + 1):
        while run.spent() < begun + (1 - begun) * check / _CHECKS:
            run.step(learned)
        now = run.score(held, run.average)
        if now > best:
            best, best_step = now, run.steps
            weights = {name: value.clone() for name, value in run.average.items()}
    new = None
    if weights is not None:
        new = export_card(
            name=f"{card.name}-adapted",
            summary=f"{card.name}, adapted to one video",
            config=card.network,
            weights={name: value.cpu() for name, value in weights.items()},
            training_data=(*card.training_data, "its own answers to the video"),
            degradation=card.degradation,
            steps=card.steps + best_step,
            commit=card.commit,
            folder=folder,
            licence=card.licence,
            teacher=card.teacher,
        )
    return Adapted(steps=run.steps, before=before, after=best, card=new)


@contextmanager
def adapted_job(
    job: UpscaleJob,
    *,
    seconds: float,
    on_progress: Callable[[float], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Generator[UpscaleJob, None, None]:
    """The job with its model adapted to its source, while it lasts.

    The adapted card lies in ``.OUT.adapted`` beside the output until the job is done; a job that
    was interrupted finds it there again and goes on.

    Args:
        job: of a source that can be read twice.
        seconds: of training.
        on_progress: told the share of that time which has gone, 0 to 1.
        on_notice: told what came of it.

    Raises:
        OptionError: the source is standard input, or too short or small; or the network makes
            chroma, too.
        ExistsError: the output is there, and nothing to go on with.
        LockedError: another process works on the same output.
        StaleWorkError: parts of it are there that another network made.
    """
    resolved = check_job(job, seconds=seconds)
    if resolved.kind == "stdout":
        with TemporaryDirectory(prefix="upreel-") as name:
            yield _prepared(resolved, Path(name), seconds, None, on_progress, on_notice)
        return
    name = work_name(resolved)
    folder = name.parent / f".{name.name}.adapted"
    with Work(name) as work:  # two at the same output would write over each other's card
        work.keep = work.has_plan
        if output_exists(resolved) and not job.overwrite and not work.has_plan:
            raise ExistsError(f"{resolved.output} exists; --overwrite replaces it")
        found = _stored(folder, _wish(resolved, seconds))
        if found is None and work.has_plan and not job.overwrite:
            raise StaleWorkError(
                f"{work.folder} holds parts of a job that was not adapted so; "
                "run that one again, or remove them with --overwrite"
            )
        prepared = _prepared(resolved, folder, seconds, found, on_progress, on_notice)
    yield prepared
    shutil.rmtree(folder, ignore_errors=True)


def check_job(job: UpscaleJob, *, seconds: float) -> Resolved:
    """What is known of a job before its model is adapted.

    Raises:
        OptionError: it cannot be adapted; see `adapted_job`.
    """
    if seconds <= 0:
        raise OptionError(f"adapting takes more than 0 seconds, got {seconds:g}")
    if job.source == "-":
        raise OptionError("adapting needs a source that can be read twice, not standard input")
    resolved = resolve(job, probe_source(job), DefaultBackend())
    check_ensemble(resolved.card)
    if job.precision == "int8":
        raise OptionError("what is adapted is a network in floating point, not in int8")
    return resolved


def _prepared(
    resolved: Resolved,
    folder: Path,
    seconds: float,
    found: Adapted | None,
    on_progress: Callable[[float], None],
    on_notice: Callable[[str], None],
) -> UpscaleJob:
    """The job with the card that was found in that folder, or that is made there."""
    job, info, card = resolved.job, resolved.info, resolved.card
    if found is None:
        on_notice(f"{job.source}: adapting {card.name} for {seconds:g} s")
        timeline = scan(info)
        first, stop = frame_range(timeline, job.start, job.end)
        seen = stretches(card, info, timeline, first=first, stop=stop, deinterlace=job.deinterlace)
        if job.threads:
            torch.set_num_threads(job.threads)
        shutil.rmtree(folder, ignore_errors=True)
        found = adapt(
            card,
            seen,
            folder,
            seconds=seconds,
            device="cuda" if torch.cuda.is_available() and job.device != "cpu" else "cpu",
            on_progress=on_progress,
        )
        _store(found, folder, _wish(resolved, seconds))
    if found.card is None:
        on_notice(
            f"adapting {card.name} for {seconds:g} s ({found.steps} steps) brought it no nearer to "
            f"its self-ensemble ({found.before:.2f} dB on frames held back): it runs as it is"
        )
        return job
    on_notice(
        f"{card.name} adapted to this video for {seconds:g} s ({found.steps} steps): "
        f"{found.after:.2f} dB from its self-ensemble on frames held back, was {found.before:.2f}"
    )
    return replace(job, model=str(folder / f"{found.card.name}.json"))


def _wish(resolved: Resolved, seconds: float) -> dict[str, Any]:
    """All that an adaptation depends on."""
    job, card = resolved.job, resolved.card
    return {
        "model": card.name,
        "weights": card.sha256,
        "seconds": seconds,
        "source": source_identity(resolved.info),
        "start": None if job.start is None else str(job.start),
        "end": None if job.end is None else str(job.end),
        "deinterlacing": job.deinterlace,
    }


def _store(found: Adapted, folder: Path, wanted: Mapping[str, Any]) -> None:
    """Say that an adaptation is finished; written last: without it the folder counts for nothing.

    Args:
        found: what it came to; its card lies in the folder.
        folder: made if nothing was gained.
        wanted: what it is an adaptation of.
    """
    values = {
        "of": wanted,
        "steps": found.steps,
        "before": found.before,
        "after": found.after,
        "card": None if found.card is None else found.card.name,
    }
    aside = folder / f"{_NOTE}.tmp"
    with os_errors(folder):
        folder.mkdir(exist_ok=True)
        aside.write_text(json.dumps(values) + "\n", encoding="utf-8")
        aside.replace(folder / _NOTE)


def _stored(folder: Path, wanted: Mapping[str, Any]) -> Adapted | None:
    """The adaptation that lies in the folder, None if it is of something else."""
    try:
        values: Any = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StaleWorkError(f"cannot read {folder / _NOTE}: {error}") from error
    if values["of"] != wanted:
        return None
    name = values["card"]
    return Adapted(
        steps=values["steps"],
        before=values["before"],
        after=values["after"],
        card=None if name is None else read_card(folder / f"{name}.json"),
    )
