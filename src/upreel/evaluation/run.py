"""One evaluation: every contestant on the same frames, every metric on the same planes."""

import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upreel.errors import BackendUnavailableError, OptionError
from upreel.evaluation.contestants import Contestant, EngineOptions, Picture, open_contestant
from upreel.evaluation.degrade import Degraded, parse_degradation
from upreel.evaluation.frames import FrameFolder
from upreel.evaluation.measure import Ruler, VmafFolder
from upreel.evaluation.pictures import TRUTH, Album
from upreel.evaluation.published import ladder
from upreel.evaluation.scores import ClipScore, Evaluation, ProtocolCheck
from upreel.evaluation.sets import (
    PUBLISHED_INPUT,
    list_set,
    open_files,
    open_vid4,
    source_of,
    uses_published,
    vid4_paths,
)
from upreel.evaluation.survey import check_formats, check_memory, expected_clips
from upreel.evaluation.vmaf import VMAF_MODELS, find_ffmpeg
from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.machine import cpu_count, describe_machine
from upreel.pipeline.upv_source import probe_any

__all__ = ["EvaluationJob", "command_line", "evaluate"]

ANCHOR_PSNR = (23.78, 0.005)  # dB, tolerance: bicubic on Vid4 x4 BI
ANCHOR_SSIM = (0.6347, 0.0005)

SHOWN_CLIPS = 8  # of which a report has pictures, at most: the first of each source

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class EvaluationJob:
    """What is compared, and how.

    Attributes:
        set: "vid4", or folders of videos and videos.
        data: Vid4's folder, where `set` is "vid4".
        models: baselines, ``opencv:NAME``, models or cards' paths, in the table's order.
        frames: systems that were run elsewhere: name and folder of PNG files.
        scale: 2, 3 or 4.
        degradation: ``BI``, ``BD`` or ``codec:ENCODER:crfN``.
        only: clips or sources to take; empty for all.
        limit: at most so many frames of each clip, None for all.
        with_vmaf: measure VMAF v0.6.1, NEG and v1; None: where the package is installed.
        with_motion: measure what needs motion: about half a second a frame.
        with_pictures: keep what a report shows.
        upv_codec: of .upv files in the set: a codec's name, or the path of its card; None: what
            they name.
        engine: how networks run.
    """

    set: str | tuple[str, ...]
    models: tuple[str, ...] = ()
    scale: int
    data: Path | None = None
    frames: tuple[tuple[str, Path], ...] = ()
    degradation: str = "BI"
    only: tuple[str, ...] = ()
    limit: int | None = None
    with_vmaf: bool | None = False
    with_motion: bool = False
    with_pictures: bool = False
    upv_codec: str | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise OptionError(f"scale {self.scale} is not there; allowed: 2, 3, 4")
        if not self.models and not self.frames:
            raise OptionError("no model given; --models takes a list such as bicubic,fast-x4")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit must be at least 1 frame, got {self.limit}")
        if not self.places:
            raise OptionError("no set given; --set takes vid4, a folder of videos or videos")
        if "vid4" in self.places and len(self.places) > 1:
            raise OptionError("vid4 is a set of its own; leave the other --set away")
        names = [*dict.fromkeys(self.models), *(name for name, _ in self.frames)]
        _check_names(names)

    @property
    def places(self) -> tuple[str, ...]:
        """The set as one or more places."""
        return (self.set,) if isinstance(self.set, str) else self.set

    @property
    def title(self) -> str:
        """The set in one line."""
        return ", ".join(self.places)


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that tables and pictures could not tell apart.

    Raises:
        OptionError: one is there twice, or is the ground truth's.
    """
    if TRUTH in names:
        raise OptionError(f"{TRUTH!r} is what all are compared with; give --frames another name")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"{twice[0]!r} is named twice; give one of the two another name")


def command_line(job: EvaluationJob) -> str:
    """The command that makes an evaluation again, as a shell takes it.

    Example:
        >>> command_line(EvaluationJob(set="vid4", data=Path("v"), models=("bicubic",), scale=4))
        'upreel evaluate --set vid4 --data v --models bicubic --scale 4 --no-vmaf --no-motion'
    """
    words = ["upreel", "evaluate"]
    for place in job.places:
        words += ["--set", place]
    words += ["--data", str(job.data)] if job.data else []
    words += ["--models", ",".join(job.models)] if job.models else []
    for name, folder in job.frames:
        words += ["--frames", f"{name}={folder}"]
    words += ["--scale", str(job.scale)]
    words += ["--degradation", job.degradation] if job.degradation != "BI" else []
    words += ["--only", ",".join(job.only)] if job.only else []
    words += ["--limit", str(job.limit)] if job.limit is not None else []
    if job.with_vmaf is not None:
        words.append("--vmaf" if job.with_vmaf else "--no-vmaf")
    words += [] if job.with_motion else ["--no-motion"]
    words += ["--upv-codec", job.upv_codec] if job.upv_codec else []
    default = EngineOptions()
    words += ["--weights", str(job.engine.weights)] if job.engine.weights else []
    for option in ("device", "precision", "threads"):
        value = getattr(job.engine, option)
        words += [f"--{option}", str(value)] if value != getattr(default, option) else []
    return shlex.join(words)


def evaluate(
    job: EvaluationJob, on_progress: OnProgress | None = None, *, backend: Backend | None = None
) -> Evaluation:
    """Run every contestant on every clip.

    Args:
        job: what to compare.
        on_progress: called with what is worked on, steps done and steps in all.
        backend: where networks come from; None: the project's own zoo and engines.

    Raises:
        UpreelError: a clip, a model or a package is not there or does not fit.
    """
    degradation = parse_degradation(job.degradation)
    with_vmaf, absent = _choose_vmaf(job)
    if not job.with_motion:
        absent |= dict.fromkeys(("warping_error", "motion_difference"), "not asked for")
    paths, pairs = _open_set(job)
    clips = [path.stem for path in paths]
    published = job.places == ("vid4",) and uses_published(job.scale, degradation)
    anchored = published and job.limit is None
    models = dict.fromkeys(job.models)
    if anchored:
        models = {"bicubic": None} | models  # it tells whether the protocol holds
    zoo = backend or DefaultBackend()
    contestants = [open_contestant(name, job.scale, job.engine, zoo) for name in models]
    contestants += [
        FrameFolder(name, folder, exact=job.limit is None) for name, folder in job.frames
    ]
    _check_names([contestant.name for contestant in contestants])
    infos = [probe_any(path, codec=job.upv_codec) for path in paths]
    expected = expected_clips(
        infos, job.scale, degradation, limit=job.limit, counts=bool(job.frames)
    )
    for contestant in contestants:
        contestant.check(expected)
    check_memory(infos, job.scale, limit=job.limit, with_motion=job.with_motion)
    if job.with_vmaf:
        check_formats(infos)
    scores: list[ClipScore] = []
    truth: dict[str, dict[str, float]] = {}
    pictures: list[dict[str, Any]] = []
    for pair in pairs:
        source = source_of(pair.truth.name)
        first = all(score.source != source for score in scores)
        album = None
        if job.with_pictures and first and len(pictures) < SHOWN_CLIPS:
            album = Album(pair.truth)
        with _vmaf_folder(with_vmaf=with_vmaf) as folder:
            ruler = Ruler(
                truth=pair.truth,
                with_motion=job.with_motion,
                vmaf=VmafFolder(path=Path(folder), threads=cpu_count()) if folder else None,
            )
            absent |= ruler.absent
            for contestant in contestants:
                if on_progress:
                    done = len(scores)
                    what = f"{pair.truth.name}: {contestant.name}"
                    on_progress(what, done, len(clips) * len(contestants))
                results, seconds = _run(contestant, pair, job.scale)
                scores.append(
                    ClipScore(
                        model=contestant.name,
                        clip=pair.truth.name,
                        source=source,
                        num_frames=pair.truth.num_frames,
                        frames=ruler.frames(results),
                        seconds=seconds,
                        bits=pair.truth.format.bits,
                    )
                )
                if album:
                    album.add(contestant.name, results)
                del results  # before the next contestant's take as much memory
            truth[pair.truth.name] = {
                "num_frames": pair.truth.num_frames,
                "width": pair.truth.width,
                "height": pair.truth.height,
                "rate": float(pair.truth.rate),
                **ruler.facts(),
            }
        if album:
            pictures.append(album.to_json())
        del pair, ruler, album  # before the next clip is read
    evaluation = Evaluation(
        head=_head(job, PUBLISHED_INPUT if published else degradation.description),
        scores=tuple(scores),
        check=ProtocolCheck(passed=None, message=_unchecked(job)),
        facts={c.name: c.facts for c in contestants},
        absent=absent,
        truth=truth,
        pictures=tuple(pictures),
    )
    return _checked(evaluation) if anchored else evaluation


def _head(job: EvaluationJob, description: str) -> dict[str, Any]:
    """What was asked for and where it ran."""
    machine = asdict(describe_machine())
    return {
        "set": job.title,
        "scale": job.scale,
        "limit": job.limit,
        "complete": job.limit is None and not job.only,
        "degradation": {"name": job.degradation, "description": description},
        "command": command_line(job),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine | {"flags": list(machine["flags"])},
    }


def _choose_vmaf(job: EvaluationJob) -> tuple[bool, dict[str, str]]:
    """Whether VMAF is measured, and why not."""
    if job.with_vmaf is False:
        return False, dict.fromkeys(VMAF_MODELS, "not asked for")
    try:
        find_ffmpeg()  # before the work, not after it
    except BackendUnavailableError as error:
        if job.with_vmaf:
            raise
        return False, dict.fromkeys(VMAF_MODELS, str(error))
    return True, {}


def _vmaf_folder(*, with_vmaf: bool) -> tempfile.TemporaryDirectory[str] | nullcontext[None]:
    return tempfile.TemporaryDirectory(prefix="upreel-vmaf-") if with_vmaf else nullcontext()


def _open_set(job: EvaluationJob) -> tuple[list[Path], Iterator[Degraded]]:
    """Files of the ground truth, named as the clips, and the clips one at a time."""
    degradation = parse_degradation(job.degradation)
    if job.places == ("vid4",):
        if job.data is None:
            raise OptionError("--set vid4 needs --data DIR, the folder with GT and BIx4")
        if job.only:
            raise OptionError("--only picks clips of a folder; vid4 is always all four clips")
        pairs = open_vid4(job.data, job.scale, degradation, limit=job.limit)
        return vid4_paths(job.data), pairs
    paths = list_set(job.places, job.only)
    pairs = open_files(paths, job.scale, degradation, limit=job.limit, upv_codec=job.upv_codec)
    return paths, pairs


def _run(contestant: Contestant, pair: Degraded, scale: int) -> tuple[list[Picture], float | None]:
    """A contestant's frames of a clip, and the seconds it took; None where it did not run here."""
    contestant.prepare(pair.low)
    started = time.perf_counter()
    results = list(contestant.enhance(pair.low, scale))
    seconds = time.perf_counter() - started
    assert len(results) == pair.truth.num_frames
    return results, seconds if contestant.timed else None


def _unchecked(job: EvaluationJob) -> str:
    if job.limit is not None:
        frames = "first frame" if job.limit == 1 else f"first {job.limit} frames"
        return f"a quick look at the {frames} of each clip: not the benchmark"
    if ladder(job.title, job.scale, job.degradation):
        return "nothing to check the protocol against: no published bicubic for this input"
    return "no published figure for this set and input"


def _checked(evaluation: Evaluation) -> Evaluation:
    """Compare bicubic on Vid4 x4 BI with what the field publishes."""
    read = evaluation.of_set("bicubic")
    (psnr_y, psnr_off), (ssim_y, ssim_off) = ANCHOR_PSNR, ANCHOR_SSIM
    passed = abs(read["psnr_y"] - psnr_y) <= psnr_off and abs(read["ssim_y"] - ssim_y) <= ssim_off
    figures = f"bicubic reads {read['psnr_y']:.3f} dB / {read['ssim_y']:.5f}"
    expected = f"published {psnr_y} dB / {ssim_y}"
    message = (
        f"{figures} ({expected}): the protocol holds"
        if passed
        else f"the protocol is off: {figures}, {expected}; no figure of this run compares"
    )
    return replace(evaluation, check=ProtocolCheck(passed=passed, message=message))
