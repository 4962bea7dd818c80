"""Runs a comparison of codecs: every codec on every clip at every quality.

A clip is decoded once, into a temporary file of uncompressed planes; every codec reads that. At any
time there are that file, one coded file and one decoded one; in memory there are single frames.
"""

import errno
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upreel.codec.survey import is_upv
from upreel.errors import BackendUnavailableError, DiskFullError, InputError, OptionError
from upreel.evaluation.bd_rate import find_package
from upreel.evaluation.drawn import draw_truth
from upreel.evaluation.rd import ClipFacts, Point, RateDistortion, RdJob
from upreel.evaluation.rd_coders import Coder, PeerCoder
from upreel.evaluation.rd_measure import (
    VMAF_NAMES,
    compare,
    frames_in,
    unmeasured,
    vmaf_means,
    write_truth,
)
from upreel.evaluation.rd_ours import OurCoder
from upreel.evaluation.rd_pictures import side_by_side
from upreel.evaluation.sets import list_set, vid4_paths
from upreel.evaluation.timing import OtherLoad
from upreel.evaluation.vmaf import find_ffmpeg
from upreel.pipeline.coding import CodecBackend, DefaultCodecs
from upreel.pipeline.machine import describe_machine
from upreel.pipeline.upv_source import made_by, probe_any
from upreel.video.info import SourceInfo

__all__ = ["compare_codecs"]

SHOWN_CLIPS = 4  # that have a picture, at most: the first of each source

OnProgress = Callable[[str, int, int], None]


def compare_codecs(
    job: RdJob, on_progress: OnProgress | None = None, *, backend: CodecBackend | None = None
) -> tuple[RateDistortion, dict[str, bytes]]:
    """Code, decode and measure.

    Args:
        job: what to compare.
        on_progress: called with what is worked on, steps done and steps in all.
        backend: where our codecs come from; None: cards and the engines.

    Returns:
        What came out, and the PNG files by name, where pictures are wanted.

    Raises:
        UpreelError: a clip, a codec or a package is not there or does not fit.
        DiskFullError: no room for temporary files.
    """
    names, absent = _choose_vmaf(job)
    try:
        find_package()
    except BackendUnavailableError as error:
        absent["BD-rate"] = str(error)
    with tempfile.TemporaryDirectory(prefix="upreel-rd-") as folder:
        run = _Run(job, Path(folder), names, absent, on_progress)
        with _disk_errors(folder):
            return run.all(backend or DefaultCodecs())


@contextmanager
def _disk_errors(folder: str) -> Generator[None]:
    """A full disk in one line; other errors of the system are bugs."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"no room in {folder} for a clip's planes, coded and decoded; --limit takes fewer "
            "frames, the variable TMPDIR another folder"
        ) from error


def _choose_vmaf(job: RdJob) -> tuple[tuple[str, ...], dict[str, str]]:
    """Which VMAF is measured, and why it is not."""
    if job.with_vmaf is False:
        return (), dict.fromkeys(VMAF_NAMES, "not asked for")
    try:
        find_ffmpeg()
    except BackendUnavailableError as error:
        if job.with_vmaf:
            raise
        return (), dict.fromkeys(VMAF_NAMES, str(error))
    return VMAF_NAMES, {}


class _Run:
    """One comparison."""

    def __init__(
        self,
        job: RdJob,
        folder: Path,
        vmaf_names: tuple[str, ...],
        absent: dict[str, str],
        on_progress: OnProgress | None,
    ) -> None:
        self._job, self._folder, self._absent = job, folder, absent
        self._vmaf_names = vmaf_names
        self._tell = on_progress or _nobody
        self._load = OtherLoad()
        self._points: list[Point] = []
        self._pictures: list[dict[str, Any]] = []
        self._images: dict[str, bytes] = {}

    def all(self, backend: CodecBackend) -> tuple[RateDistortion, dict[str, bytes]]:
        """Every clip."""
        job = self._job
        infos = [self._info(path, backend) for path in self._paths()]
        for info in infos:
            if info.format.name not in ("yuv420p", "yuv420p10le"):
                raise InputError(
                    f"{info.path} is {info.format.name}; allowed: yuv420p, yuv420p10le"
                )
        coders = self._coders(infos, backend)
        small = unmeasured(infos, with_vmaf=bool(self._vmaf_names))
        self._absent |= small
        self._vmaf_names = tuple(name for name in self._vmaf_names if name not in small)
        self._steps = len(infos) * sum(len(coder.qualities) for coder in coders)
        clips: dict[str, ClipFacts] = {}
        for info in infos:
            name = Path(info.path).stem
            self._tell(f"{name}: reading", len(self._points), self._steps)
            truth = self._folder / "truth.y4m"
            clip = write_truth(info, truth, limit=job.limit, start=job.start, end=job.end)
            first = all(clip.source != other.source for other in clips.values())
            clips[name] = clip
            points = [p for c in coders for p in self._curve(c, name, clip, truth)]
            if job.with_pictures and first and len(self._pictures) < SHOWN_CLIPS:
                self._picture(info, clip, truth, coders, points)
        machine = asdict(describe_machine())
        result = RateDistortion(
            job=job,
            machine=machine | {"flags": list(machine["flags"])},
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            clips=clips,
            facts={coder.name: coder.facts for coder in coders},
            points=tuple(self._points),
            absent=self._absent,
            other_load=self._load.use,
            pictures=tuple(self._pictures),
        )
        return result, self._images

    def _info(self, path: Path, backend: CodecBackend) -> SourceInfo:
        job, codec = self._job, self._job.upv_codec
        if codec is None and is_upv(path):
            codec = made_by(path, job.codecs, backend)
        return probe_any(path, codec=codec, device=job.device, backend=backend)

    def _paths(self) -> list[Path]:
        job = self._job
        if not job.places:
            if job.only or job.data:
                raise OptionError("--only and --data go with --set; drawn clips take neither")
            return [
                draw_truth(self._folder / "still.y4m", pans=False, count=job.limit),
                draw_truth(self._folder / "moving.y4m", pans=True, count=job.limit),
            ]
        if job.places == ("vid4",):
            if job.data is None:
                raise OptionError("--set vid4 needs --data DIR, the folder with GT")
            if job.only:
                raise OptionError("--only picks clips of a folder; vid4 is always all four clips")
            return vid4_paths(job.data)
        return list_set(job.places, job.only)

    def _coders(self, infos: Sequence[SourceInfo], backend: CodecBackend) -> list[Coder]:
        """Those that can be run, ours first; the others are told of as absent."""
        job = self._job
        peers = [PeerCoder(name, job) for name in job.peers]
        coders: list[Coder] = [OurCoder(codec, job, backend) for codec in job.codecs]
        for peer in peers:
            reasons = [peer.absent(), *(peer.misfit(info) for info in infos)]
            if reason := next(filter(None, reasons), None):
                self._absent[peer.name] = reason
            else:
                coders.append(peer)
        names = [coder.name for coder in coders]
        if twice := [name for name in names if names.count(name) > 1]:
            raise OptionError(f"two codecs are named {twice[0]!r}: compare one of them at a time")
        if not coders:
            reasons = "; ".join(f"{name}: {why}" for name, why in self._absent.items())
            raise OptionError(f"no codec is left to run: {reasons}")
        return coders

    def _curve(self, coder: Coder, name: str, clip: ClipFacts, truth: Path) -> list[Point]:
        """A codec's points on a clip."""
        coded = self._folder / f"coded{coder.suffix}"
        judged = self._folder / "judged.y4m"
        found: list[Point] = []
        for quality in coder.qualities:
            self._tell(f"{name}: {coder.name} at {quality:g}", len(self._points), self._steps)
            done = coder.encode(truth, coded, clip, quality)
            seconds = coder.decode(coded, judged, clip)
            figures = compare(
                (frame.planes for frame in frames_in(truth)),
                (frame.planes for frame in frames_in(judged)),
                bits=clip.bits,
                without=self._absent,
            )
            figures |= vmaf_means(truth, judged, self._vmaf_names, self._job.threads)
            point = Point(
                coder=coder.name,
                clip=name,
                quality=quality,
                num_bytes=done.num_bytes,
                packet_bytes=done.packet_bytes,
                keyframes=done.keyframes,
                encode_seconds=done.seconds,
                decode_seconds=seconds,
                figures=figures,
            )
            found.append(point)
            self._points.append(point)
        return found

    def _picture(
        self,
        info: SourceInfo,
        clip: ClipFacts,
        truth: Path,
        coders: Sequence[Coder],
        points: Sequence[Point],
    ) -> None:
        name = Path(info.path).stem
        self._tell(f"{name}: equal bits", len(self._points), self._steps)
        try:
            values, image = side_by_side(info, clip, truth, coders, points)
        except OptionError as error:
            self._absent[f"picture of {name}"] = str(error)
            return
        self._pictures.append(values)
        self._images[values["file"]] = image


def _nobody(_what: str, _done: int, _total: int) -> None:
    """Where progress goes that nobody asked for."""
