"""Several sources in one call: one that fails does not stop the rest."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from upreel.errors import ExistsError, InputError, OptionError, UpreelError
from upreel.pipeline.backend import Backend
from upreel.pipeline.job import Progress, UpscaleJob, UpscaleResult
from upreel.pipeline.run import upscale

__all__ = ["BatchItem", "Prepare", "expand_sources", "upscale_batch"]

Prepare = Callable[[UpscaleJob], AbstractContextManager[UpscaleJob]]
"""Makes of a job the one that is run, and tidies up when it has been."""

VIDEO_ENDINGS = frozenset(
    {".264", ".265", ".3gp", ".avi", ".divx", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m2ts"}
    | {".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv"}
    | {".rm", ".rmvb", ".ts", ".upv", ".vob", ".webm", ".wmv", ".y4m"}
)
"""What a folder is searched for."""

_OURS = ("_x2", "_x3", "_x4")


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchItem:
    """How one source of a batch ended: exactly one of the three is set.

    Attributes:
        source: as given, or found in a folder.
        result: it is done.
        error: it failed, one line.
        skipped: it was done before, one line.
    """

    source: str
    result: UpscaleResult | None = None
    error: str | None = None
    skipped: str | None = None


def expand_sources(sources: Sequence[str]) -> list[str]:
    """Replace each folder of videos by the videos in it, sorted by name; not those of subfolders.

    A folder without videos stays: it is taken as a folder of pictures. Outputs of this program
    (``NAME_x2.EXT`` beside ``NAME.EXT``) are left out.

    Raises:
        OptionError: a source is there twice.
    """
    expanded: list[str] = []
    for source in sources:
        videos = _videos(Path(source)) if source != "-" and Path(source).is_dir() else []
        expanded += [str(video) for video in videos] or [source]
    seen = [Path(source).resolve() for source in expanded]
    for number, path in enumerate(seen):
        if path in seen[:number]:
            raise OptionError(f"{expanded[number]} is given twice")
    return expanded


def _videos(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    videos = [
        file
        for file in files
        if file.suffix.lower() in VIDEO_ENDINGS and not file.name.startswith(".") and file.is_file()
    ]
    stems = {video.stem for video in videos}
    return [
        video
        for video in videos
        if not any(
            video.stem.endswith(ending) and video.stem.removesuffix(ending) in stems
            for ending in _OURS
        )
    ]


def upscale_batch(
    job: UpscaleJob,
    sources: Sequence[str],
    on_progress: Callable[[str, Progress], None] | None = None,
    *,
    on_notice: Callable[[str], None] | None = None,
    backend: Backend | None = None,
    prepare: Prepare = nullcontext,
) -> Iterator[BatchItem]:
    """Do the same to several sources, one after the other, and say how each ended.

    Args:
        job: its options are used for all; its `output`, where given, is the folder of all outputs.
        sources: files; see `expand_sources`.
        on_progress: called with the source and how far it is.
        on_notice: see `upreel.pipeline.run.upscale`.
        backend: see there.
        prepare: makes of a source's job the one that is run, until it has been.

    Raises:
        OptionError: an output that is no folder.
    """
    folder = None if job.output is None else Path(job.output)
    if folder is not None and (str(folder) == "-" or not folder.is_dir()):
        raise OptionError(f"the output of several sources must be a folder that exists: {folder}")
    for source in sources:
        yield _one(replace(job, source=source), on_progress, on_notice, backend, prepare)


def _one(
    job: UpscaleJob,
    on_progress: Callable[[str, Progress], None] | None,
    on_notice: Callable[[str], None] | None,
    backend: Backend | None,
    prepare: Prepare,
) -> BatchItem:
    def tell(progress: Progress) -> None:
        if on_progress is not None:
            on_progress(job.source, progress)

    try:
        with prepare(job) as prepared:
            result = upscale(prepared, tell, on_notice=on_notice, backend=backend)
    except ExistsError as done:
        return BatchItem(source=job.source, skipped=str(done))
    except UpreelError as error:
        return BatchItem(source=job.source, error=str(error))
    return BatchItem(source=job.source, result=result)
