"""One benchmark: every stage alone, the whole command, and the peers, on one clip in one run.

Rounds     all tasks in turn, several times; medians are compared, the spread stands beside.
End to end `upreel.pipeline.upscale` from opening the file to the finished output, start-up and
           joining counted; the peers likewise, from their first to their last call.
Absent     what cannot run here is named with the reason, never estimated.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np

from upreel.errors import OptionError, OutputError
from upreel.evaluation.clips import YUV420P, Clip, read_clip
from upreel.evaluation.drawn import draw_clip
from upreel.evaluation.memory import MemoryUse, measure_memory
from upreel.evaluation.stages import (
    NetworkStage,
    decode_task,
    encode_task,
    encoder_settings,
    opencv_tasks,
    packs,
    rescale_task,
    scene_task,
)
from upreel.evaluation.tables import text_table
from upreel.evaluation.timing import OtherLoad, Task, Timing, interleaved
from upreel.inference.engine import Session
from upreel.inference.selection import open_session
from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.enhance import StatefulUpscaler
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.machine import Machine, describe_machine
from upreel.pipeline.run import upscale
from upreel.video.frame import Colour, PixelFormat, Plane
from upreel.video.write import part_suffix
from upreel.zoo import ModelCard

__all__ = ["Benchmark", "BenchmarkJob", "benchmark", "summary", "write_report"]

STAGE_FRAMES = 24
"""Frames that the stages alone are timed on; large ones are held in memory."""

OURS = "upreel end to end"
_RECURRENT = "{} goes through whole scenes: its parts cannot be timed on a frame"
_WHOLE = "{} is timed along a scene, with all that it does from luma to luma"
_ENGINE = ("engine", "device", "precision", "threads", "reason")
_QUIET = 0.05  # of the machine: less from others does not move a median

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class BenchmarkJob:
    """What is timed.

    Attributes:
        clip: video to use; None: one is drawn.
        model: name or card.
        weights: folder of OpenCV's ``.pb`` files, None: those networks are listed as absent.
        seconds: of the clip that are used, and drawn where there is none.
        encoder: word for the encoder.
        preset: of the encoder.
        crf: of the encoder, None for its default.
        device: as ``--device``.
        precision: as ``--precision``.
        threads: of the network, 0 for the engine's choice.
        rounds: how often everything is run.
        size: (width, height) of drawn clips and of the network alone, even.
        network_only: time nothing but the network; one that carries a state with all it does.
        memory_lengths: seconds of the drawn clips on which peak memory is measured; empty: all
            the rest is timed instead.
    """

    clip: Path | None = None
    model: str = "fast-x2"
    weights: Path | None = None
    seconds: float = 10.0
    encoder: str = "x264"
    preset: str = "ultrafast"
    crf: float | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    rounds: int = 3
    size: tuple[int, int] = (960, 540)
    network_only: bool = False
    memory_lengths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise OptionError(f"seconds must be above 0, got {self.seconds:g}")
        if self.rounds < 1:
            raise OptionError(f"rounds must be at least 1, got {self.rounds}")
        width, height = self.size
        if width % 2 or height % 2 or min(self.size) < 16:
            raise OptionError(f"size must be even and at least 16x16, got {width}x{height}")
        if any(length <= 0 for length in self.memory_lengths):
            raise OptionError("lengths must be above 0 seconds")
        if self.network_only and self.memory_lengths:
            raise OptionError("--network-only and --memory are two benchmarks; choose one")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What came out.

    Attributes:
        job: what was asked for.
        machine: where.
        clip: what was used, in words.
        engine: what ran the network, by name.
        timings: by name of the task.
        absent: what was not run, with the reason.
        memory: peak memory, where that was asked for.
        other_load: share of the machine that other processes took meanwhile, None if not known.
    """

    job: BenchmarkJob
    machine: Machine
    clip: str
    engine: Mapping[str, Any]
    timings: Mapping[str, Timing]
    absent: Mapping[str, str]
    memory: tuple[MemoryUse, ...] = ()
    other_load: float | None = None

    @property
    def ratios(self) -> dict[str, float]:
        """Ours over theirs, above 1 is faster; and the largest peak memory over the smallest."""
        found: dict[str, float] = {}
        ours = self.timings.get(OURS)
        for name, timing in self.timings.items():
            if name.startswith("PyAV") and ours:
                found[f"{OURS} / {name}, fps"] = ours.fps / timing.fps
        network = [self.timings.get(name) for name in ("pack", "network", "unpack")]
        if all(network):
            ms = sum(timing.ms for timing in network if timing)
            for name, timing in self.timings.items():
                if name.startswith("OpenCV"):
                    found[f"pack + network + unpack / {name}, fps"] = timing.ms / ms
        if len(self.memory) > 1:
            peaks = [use.peak_bytes for use in self.memory]
            found["peak memory, largest / smallest"] = max(peaks) / min(peaks)
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "machine": asdict(self.machine) | {"flags": list(self.machine.flags)},
            "clip": self.clip,
            "model": self.job.model,
            "encoder": {
                "name": self.job.encoder,
                "preset": self.job.preset,
                "crf": self.job.crf,
            },
            "engine": dict(self.engine),
            "timings": [timing.to_json() for timing in self.timings.values()],
            "ratios": {name: round(value, 4) for name, value in self.ratios.items()},
            "absent": dict(self.absent),
            "other_load": None if self.other_load is None else round(self.other_load, 4),
            "memory": [use.to_json() for use in self.memory],
        }


def benchmark(
    job: BenchmarkJob,
    on_step: OnStep | None = None,
    *,
    backend: Backend | None = None,
    sessions: Callable[..., Session] = open_session,
) -> Benchmark:
    """Measure.

    Args:
        job: what.
        on_step: called before each run with its name, steps done and steps in all.
        backend: where the whole command gets its network; None: the zoo and the engines.
        sessions: opens the network for the stages alone.

    Raises:
        UpreelError: the clip, the model, the encoder or the device cannot be used.
    """
    if job.memory_lengths:
        return _memory(job)
    zoo = backend or DefaultBackend()
    if job.network_only:
        card = zoo.load_card(job.model)
        if card.state:
            return _scene_only(job, card, zoo, on_step)
        return _network_only(job, card, sessions, on_step)
    with tempfile.TemporaryDirectory(prefix="upreel-") as name:
        return _everything(job, Path(name), zoo, sessions, on_step)


def _everything(
    job: BenchmarkJob,
    folder: Path,
    backend: Backend,
    sessions: Callable[..., Session],
    on_step: OnStep | None,
) -> Benchmark:
    path, drawn = job.clip, ""
    if path is None:
        width, height = job.size
        path = draw_clip(folder / "drawn.mp4", width=width, height=height, seconds=job.seconds)
        drawn = "drawn, "
    head = read_clip(path, limit=STAGE_FRAMES)
    card = backend.load_card(job.model)
    scale = card.scale
    num_frames = max(round(job.seconds * head.rate), 1)
    settings = encoder_settings(
        head,
        head.width * scale,
        head.height * scale,
        encoder=job.encoder,
        preset=job.preset,
        crf=job.crf,
    )
    tasks: dict[str, Task] = {"decode": decode_task(path, num_frames)}
    absent: dict[str, str] = {}
    engine: dict[str, Any] = {}
    if packs(head) and not card.state:
        stage = _network_stage(job, card, sessions, (head.width, head.height), head.format.bits)
        engine = asdict(stage.report)
        tasks |= stage.tasks(head)
        tasks["encode"] = encode_task(stage.enlarge(head), settings, folder)
    else:
        reason = (
            _RECURRENT.format(card.name)
            if card.state
            else f"{head.width}x{head.height} {head.format.name} does not go in as it is"
        )
        absent |= dict.fromkeys(("pack", "network", "unpack", "encode"), reason)
    end = Fraction(num_frames) / head.rate
    tasks[OURS] = _upscale_task(job, path, folder / f"ours{part_suffix(settings)}", end, backend)
    for kernel in ("bicubic", "lanczos"):
        tasks[f"PyAV {kernel}"] = rescale_task(path, settings, folder, kernel, end)
    opencv, missing = opencv_tasks(head, scale, job.weights)
    load = OtherLoad()
    timings = interleaved(tasks | opencv, job.rounds, on_step)
    frames = timings["decode"].samples[0].frames
    return Benchmark(
        job=job,
        machine=describe_machine(),
        clip=f"{drawn}{head.width}x{head.height} {head.format.name}, {frames} frames at "
        f"{float(head.rate):.3f} fps",
        engine=engine,
        timings=timings,
        absent=absent | missing,
        other_load=load.use,
    )


def _network_stage(
    job: BenchmarkJob,
    card: ModelCard,
    sessions: Callable[..., Session],
    size: tuple[int, int],
    bits: int,
) -> NetworkStage:
    return NetworkStage(
        card,
        width=size[0],
        height=size[1],
        sessions=sessions,
        bits=bits,
        device=job.device,
        precision=job.precision,
        threads=job.threads,
    )


def _upscale_task(
    job: BenchmarkJob, source: Path, output: Path, end: Fraction, backend: Backend
) -> Task:
    asked = UpscaleJob(
        source=str(source),
        output=str(output),
        model=job.model,
        device=job.device,
        precision=job.precision,
        threads=job.threads,
        codec=job.encoder,
        crf=job.crf,
        preset=job.preset,
        end=end,
        audio=False,
        subtitles=False,
        overwrite=True,
    )
    return lambda: upscale(asked, backend=backend).frames


def _network_only(
    job: BenchmarkJob,
    card: ModelCard,
    sessions: Callable[..., Session],
    on_step: OnStep | None,
) -> Benchmark:
    width, height = job.size
    stage = _network_stage(job, card, sessions, job.size, 8)
    random = np.random.default_rng(1)

    def plane(rows: int, columns: int) -> Plane:
        return random.integers(0, 256, (rows, columns), np.uint8)

    planes = (plane(height, width), *(plane(height // 2, width // 2) for _ in range(2)))
    noise = Clip(name="noise", planes=(planes,) * STAGE_FRAMES, format=YUV420P)
    load = OtherLoad()
    timings = interleaved(stage.tasks(noise), job.rounds, on_step)
    return Benchmark(
        job=job,
        machine=describe_machine(),
        clip=f"noise, {width}x{height} yuv420p",
        engine=asdict(stage.report),
        timings=timings,
        absent={},
        other_load=load.use,
    )


def _scene_only(
    job: BenchmarkJob, card: ModelCard, backend: Backend, on_step: OnStep | None
) -> Benchmark:
    """A network that carries a state, whole: luma of a scene in, luma out."""
    width, height = job.size
    with tempfile.TemporaryDirectory(prefix="upreel-") as name:
        path = draw_clip(
            Path(name) / "drawn.mp4", width=width, height=height, seconds=STAGE_FRAMES / 30
        )
        lumas = [planes[0] for planes in read_clip(path, limit=STAGE_FRAMES).planes]
    upscaler = backend.open(
        card,
        pixel_format=PixelFormat(name="gray", model="gray", bits=8),
        colour=Colour(),
        width=width,
        height=height,
        output_size=(card.scale * width, card.scale * height),
        device=job.device,
        precision=job.precision,
        threads=job.threads,
        tile=None,
        self_ensemble=False,
    )
    task = scene_task(cast("StatefulUpscaler", upscaler), lumas)
    task()  # the first run is slow
    load = OtherLoad()
    timings = interleaved({"network": task}, job.rounds, on_step)
    report = upscaler.describe()
    return Benchmark(
        job=job,
        machine=describe_machine(),
        clip=f"luma of a drawn scene, {width}x{height}",
        engine={word: getattr(report, word, "") for word in _ENGINE},
        timings=timings,
        absent=dict.fromkeys(("pack", "unpack"), _WHOLE.format(card.name)),
        other_load=load.use,
    )


def _memory(job: BenchmarkJob) -> Benchmark:
    width, height = job.size
    uses = measure_memory(
        model=job.model,
        encoder=job.encoder,
        preset=job.preset,
        width=width,
        height=height,
        lengths=job.memory_lengths,
        device=job.device,
        precision=job.precision,
    )
    return Benchmark(
        job=job,
        machine=describe_machine(),
        clip=f"drawn, {width}x{height} yuv420p",
        engine={},
        timings={},
        absent={},
        memory=uses,
    )


def summary(result: Benchmark) -> str:
    """All figures for a terminal, the machine first."""
    job = result.job
    lines = [result.machine.text, f"{job.model}, {result.clip}"]
    if result.engine:
        lines.append(", ".join(f"{word} {result.engine[word]}" for word in _ENGINE))
    if OURS in result.timings:
        crf = "default crf" if job.crf is None else f"crf {job.crf:g}"
        lines.append(f"encoder {job.encoder} {job.preset}, {crf}, {job.rounds} rounds")
    if result.timings:
        rows = [
            [
                name,
                f"{t.fps:.1f}",
                f"{t.ms:.2f}",
                f"{t.ms_range[0]:.2f} to {t.ms_range[1]:.2f}",
                f"{t.cpu_use:.0%}",
            ]
            for name, t in result.timings.items()
        ]
        header = ("", "fps", "ms a frame", "fastest to slowest round", "CPU use")
        lines += ["", text_table(header, rows)]
    if result.memory:
        rows = [[f"{u.clip_seconds:g} s", f"{u.peak_bytes / 2**20:.0f}"] for u in result.memory]
        lines += ["", text_table(("clip", "peak memory, MiB"), rows)]
    if result.ratios:
        rows = [[name, f"{value:.3f}"] for name, value in result.ratios.items()]
        lines += ["", text_table(("ratio", ""), rows)]
    if result.other_load is not None and result.other_load > _QUIET:
        share = f"{result.other_load:.0%}"
        lines += ["", f"other processes took {share} of the machine: trust the ratios only"]
    lines += ["", *(f"absent: {name}: {reason}" for name, reason in result.absent.items())]
    return "\n".join(lines).rstrip()


def write_report(result: Benchmark, path: Path) -> None:
    """Write the summary and the JSON behind it as one Markdown file.

    Raises:
        OutputError: it cannot be written.
    """
    values = json.dumps(result.to_json(), indent=2)
    text = f"# Benchmark of {result.job.model}\n\n```\n{summary(result)}\n```\n"
    text += f"\n<details><summary>JSON</summary>\n\n```json\n{values}\n```\n\n</details>\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the report {path}: {error.strerror}") from error
