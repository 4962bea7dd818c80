"""The benchmark against peers: speed, memory and quality of all of them, in one run.

Cases     540p to 1080p, 270p to 1080p, 180p to 720p. The ground truth is the clip at the larger
          size (`upreel.evaluation.clips.fitted`: its samples as they are), the input its bicubic
          shrink (`upreel.evaluation.degrade`, BI).
Speed     frames in memory to frames in memory, no decoding and no encoding; all in turn, several
          rounds, medians (`upreel.evaluation.timing`), on the first clip. Who is slow is timed on
          fewer of its frames (`ROUND_SECONDS`), never on less than one.
Chroma    all answer all planes: networks of luma by bicubic, networks of RGB by way of swscale.
Memory    largest resident size of a process that does nothing but run it alone.
Quality   of luma, on every frame of every clip; means as `upreel.evaluation.scores` has them. Gains
          are over the tree's own bicubic, whose speed says nothing and is not told.
Absent    what cannot run here is named with the reason, never estimated.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from upreel.errors import BackendUnavailableError, InputError, WeightsError
from upreel.evaluation.clips import Clip, fitted, luma_clip, read_clip
from upreel.evaluation.contestants import Contestant, Picture
from upreel.evaluation.degrade import Degradation, Degraded, degrade
from upreel.evaluation.drawn import draw_clip
from upreel.evaluation.entrant import Entrant, command_alone, enhance_task
from upreel.evaluation.measure import Ruler, VmafFolder
from upreel.evaluation.memory import peak_of_command
from upreel.evaluation.opencv import OPENCV_NETWORKS
from upreel.evaluation.peers import CASES, FIGURES, Case, CaseResult, Peers, PeersJob, Row, Scores
from upreel.evaluation.scores import ClipScore, Evaluation, ProtocolCheck
from upreel.evaluation.stages import encode_task, encoder_settings
from upreel.evaluation.timing import OtherLoad, interleaved
from upreel.evaluation.vmaf import find_ffmpeg
from upreel.inference.engine import DeviceInfo
from upreel.inference.selection import available_devices
from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.machine import cpu_count, describe_machine
from upreel.video.rescale import INTERPOLATIONS
from upreel.zoo import card_names

__all__ = ["benchmark_peers"]

ROUND_SECONDS = 2.0
"""About what one contestant may take of a round: slow ones get fewer frames."""

_MEMORY_FRAMES = 8  # more do not raise a peak: a few are in flight, the rest wait
_FAMILIES = ("fast-", "live-")
_REFERENCE = "bicubic"

OnStep = Callable[[str, int, int], None]


def benchmark_peers(
    job: PeersJob,
    on_step: OnStep | None = None,
    *,
    backend: Backend | None = None,
    devices: Callable[[], Sequence[DeviceInfo]] = available_devices,
    peak: Callable[[Sequence[str]], int] = peak_of_command,
) -> Peers:
    """Measure all of them, in every case.

    Args:
        job: what.
        on_step: called before each with what comes, steps done and steps in all of this part.
        backend: where our networks come from; None: the zoo and the engines.
        devices: tells the precisions of this machine's CPU.
        peak: runs a command and tells its peak memory.

    Raises:
        UpreelError: a clip cannot be used, or a file given as a network is none.
    """
    zoo = backend or DefaultBackend()
    cpu = next(device for device in devices() if device.device == "cpu")
    networks = _examined(job)  # before the work, not in the midst of it
    unmeasured = _unmeasured(job)
    clips = [_read(path, job.frames) for path in job.data]
    load = OtherLoad()
    results: list[CaseResult] = []
    names: list[str] = []
    for case in job.cases:
        entrants, absent = _entrants(job, case.scale, zoo, cpu, networks)
        with tempfile.TemporaryDirectory(prefix="upreel-peers-") as folder:
            used = clips or [_drawn(Path(folder), case, job.frames)]
            names = [clip.name for clip in used]
            run = _CaseRun(
                job=job,
                case=case,
                folder=Path(folder),
                with_vmaf="vmaf_neg" not in unmeasured,
                step=on_step or (lambda _what, _done, _total: None),
                peak=peak,
            )
            pairs = [degrade(fitted(c, *case.high), case.scale, Degradation()) for c in used]
            results.append(run.measure(entrants, absent, pairs, zoo))
    return Peers(
        job=job,
        machine=describe_machine(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        clips=tuple(names),
        cases=tuple(results),
        unmeasured=unmeasured,
        other_load=load.use,
    )


def _examined(job: PeersJob) -> dict[Path, int]:
    """The scale of each ONNX file.

    Raises:
        WeightsError: one is no such network, or of a scale that no case has.
    """
    from upreel.inference.foreign import examine

    found: dict[Path, int] = {}
    scales = sorted({case.scale for case in CASES})
    for path in job.networks:
        form = examine(path)
        if form.scale not in scales:
            allowed = ", ".join(f"x{scale}" for scale in scales)
            raise WeightsError(f"{path} is a x{form.scale} network; compared are {allowed}")
        found[path] = form.scale
    return found


def _unmeasured(job: PeersJob) -> dict[str, str]:
    if not job.with_vmaf:
        return {"vmaf_neg": "not asked for"}
    try:
        find_ffmpeg()
    except BackendUnavailableError as error:
        return {"vmaf_neg": str(error)}
    return {}


def _read(path: Path, frames: int) -> Clip:
    clip = read_clip(path, limit=frames)
    if not clip.format.is_420 or clip.format.bits != 8 or clip.format.alpha:
        raise InputError(f"{path} is {clip.format.name}; yuv420p is compared on")
    return clip


def _drawn(folder: Path, case: Case, frames: int) -> Clip:
    """A clip drawn at the case's larger size."""
    width, height = case.high
    path = draw_clip(folder / "drawn.mp4", width=width, height=height, seconds=frames / 30)
    return read_clip(path, limit=frames)


def _entrants(
    job: PeersJob,
    scale: int,
    backend: Backend,
    cpu: DeviceInfo,
    networks: Mapping[Path, int],
) -> tuple[list[Entrant], dict[str, str]]:
    """All that may run at a scale, ours first; what cannot, with the reason."""
    found: list[Entrant] = []
    absent: dict[str, str] = {}
    for name in card_names():
        card = backend.load_card(name)
        if not name.startswith(_FAMILIES) or card.scale != scale:
            continue
        for precision in card.precisions:
            label = f"{name} {precision}"
            if precision in cpu.precisions:
                found.append(
                    Entrant(label=label, name=name, precision=precision, threads=job.threads)
                )
            elif precision != "f16":  # of GPUs alone
                absent[label] = f"this CPU offers {', '.join(cpu.precisions)}"
    found += [Entrant(label=f"PyAV {kernel}", name=f"pyav:{kernel}") for kernel in INTERPOLATIONS]
    for name in OPENCV_NETWORKS:
        label = f"OpenCV {name}"
        if not job.folders:
            absent[label] = "no --weights DIR given"
            continue
        holding = (f for f in job.folders if (f / f"{name}_x{scale}.pb").is_file())
        folder = next(holding, job.folders[0])
        found.append(Entrant(label=label, name=f"opencv:{name}", weights=str(folder)))
    found += [
        Entrant(
            label=f"{path.stem} {precision}",
            name=f"onnx:{path}",
            precision=precision,
            threads=job.threads,
        )
        for path, its_scale in networks.items()
        for precision in cpu.precisions
        if its_scale == scale and precision != "int8"
    ]
    return found, absent


@dataclass(frozen=True, kw_only=True)
class _CaseRun:
    """One case while it is measured."""

    job: PeersJob
    case: Case
    folder: Path
    with_vmaf: bool
    step: OnStep
    peak: Callable[[Sequence[str]], int]

    def measure(
        self,
        entrants: Sequence[Entrant],
        absent: dict[str, str],
        pairs: Sequence[Degraded],
        backend: Backend,
    ) -> CaseResult:
        """Quality first, which also warms all up and tells who is slow; then speed, then memory."""
        opened: dict[Entrant, Contestant] = {}
        for entrant in entrants:
            try:
                contestant = entrant.open(self.case.scale, backend)
                contestant.prepare(pairs[0].low)
            except (BackendUnavailableError, WeightsError) as error:
                absent[entrant.label] = str(error)
                continue
            opened[entrant] = contestant
        scores, seconds = self._quality(opened, pairs, backend)
        low = pairs[0].low
        lows = {
            entrant: replace(low, planes=low.planes[: _count(seconds[entrant], low.num_frames)])
            for entrant in opened
        }
        timings = interleaved(
            {
                entrant.label: enhance_task(contestant, lows[entrant], self.case.scale)
                for entrant, contestant in opened.items()
            },
            self.job.rounds,
            lambda what, done, total: self._tell(f"speed of {what}", done, total),
        )
        peaks = self._memory({e: lows[e].num_frames for e in opened}, low)
        rows = tuple(
            Row(
                entrant=entrant,
                facts=contestant.facts,
                timing=timings[entrant.label],
                scores=scores[entrant.label],
                peak_bytes=peaks[entrant],
            )
            for entrant, contestant in opened.items()
        )
        return CaseResult(case=self.case, rows=rows, reference=scores[_REFERENCE], absent=absent)

    def _tell(self, what: str, done: int, total: int) -> None:
        self.step(f"{self.case.name}: {what}", done, total)

    def _quality(
        self, opened: Mapping[Entrant, Contestant], pairs: Sequence[Degraded], backend: Backend
    ) -> tuple[dict[str, Scores], dict[Entrant, float]]:
        """Means by label, bicubic's too; seconds a frame of each."""
        reference = Entrant(label=_REFERENCE, name=_REFERENCE)
        everyone = {reference: reference.open(self.case.scale, backend), **opened}
        found: list[ClipScore] = []
        seconds: dict[Entrant, float] = {}
        for number, pair in enumerate(pairs):
            place = self.folder / f"clip{number}"
            place.mkdir()
            files = VmafFolder(path=place, threads=cpu_count(), names=("vmaf_neg",))
            ruler = Ruler(
                truth=luma_clip(pair.truth),
                with_motion=False,
                vmaf=files if self.with_vmaf else None,
            )
            for entrant, contestant in everyone.items():
                self._tell(f"quality of {entrant.label}", len(found), len(pairs) * len(everyone))
                contestant.prepare(pair.low)
                started = time.perf_counter()
                results: list[Picture] = [
                    planes[:1] for planes in contestant.enhance(pair.low, self.case.scale)
                ]
                seconds[entrant] = (time.perf_counter() - started) / pair.low.num_frames
                found.append(
                    ClipScore(
                        model=entrant.label,
                        clip=f"{pair.truth.name}_{number}",
                        source=str(number),
                        num_frames=pair.low.num_frames,
                        frames=ruler.frames(results),
                        seconds=None,
                    )
                )
        means = Evaluation(
            head={},
            scores=tuple(found),
            check=ProtocolCheck(passed=None, message=""),
            facts={},
        )
        return {
            label: {name: _plain(means.of_set(label).get(name)) for name in FIGURES}
            for label in means.models
        }, seconds

    def _memory(self, counts: Mapping[Entrant, int], low: Clip) -> dict[Entrant, int | None]:
        """Peak of each alone, over the first frames of a clip."""
        found: dict[Entrant, int | None] = {}
        for done, (entrant, count) in enumerate(counts.items()):
            self._tell(f"memory of {entrant.label}", done, len(counts))
            path = self._stored(low, min(count, _MEMORY_FRAMES))
            try:
                found[entrant] = self.peak(command_alone(entrant, path, self.case.scale))
            except BackendUnavailableError:  # a system that does not tell
                found[entrant] = None
        return found

    def _stored(self, low: Clip, count: int) -> Path:
        """The first frames of the input in a file, without loss."""
        part = replace(low, planes=low.planes[:count])
        settings = encoder_settings(
            part, part.width, part.height, encoder="ffv1", preset=None, crf=None
        )
        place = self.folder / f"low{count}"
        place.mkdir(exist_ok=True)
        if not any(place.iterdir()):
            encode_task(part, settings, place)()
        (path,) = place.iterdir()
        return path


def _count(seconds: float, num_frames: int) -> int:
    """Frames that are timed of one that takes so long for each."""
    return min(max(int(ROUND_SECONDS / seconds), 1), num_frames) if seconds else num_frames


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 5)
