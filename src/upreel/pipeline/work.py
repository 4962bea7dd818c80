"""The folder of a job under way: `.OUT.upreel/` beside the output.

It holds `plan.json`, for each finished part its file and `part-00000.json`, and `lock`. A part is
finished when its JSON is there, which is written last; every file is written aside and renamed,
so that a kill at any moment leaves only whole ones.
"""

import filecmp
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from upreel.errors import DiskFullError, ExistsError, LockedError, OutputError, StaleWorkError
from upreel.pipeline.plan import Part, Plan, fingerprint
from upreel.video.aside import lock_file, output_error

__all__ = [
    "PartDone",
    "Work",
    "check_free_space",
    "os_errors",
    "other_job",
    "put_in_place",
    "save_job",
    "stored_job",
]

PART_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PartDone:
    """What a finished part holds.

    Attributes:
        frames: in its file; 0: there is no file.
        bytes: size of its file, or of its pictures.
        damaged: indices of frames in which the decoder concealed errors.
        notices: what reading it found, one line each.
    """

    frames: int
    bytes: int
    damaged: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()


@contextmanager
def os_errors(place: Path | str) -> Generator[None, None, None]:
    """Turn the system's errors about a place into the project's, one line each."""
    try:
        yield
    except OSError as error:
        raise output_error(error, place) from error


class Work:
    """Context manager for a job's folder; holds its lock.

    Entered, it makes the folder and takes the lock. Left, it gives the lock back, and removes the
    folder if no finished part is in it.

    Attributes:
        keep: whether the folder stays even without a finished part.

    Args:
        output: what the job will write.

    Raises:
        LockedError: another process works on the same output.
        OutputError: the folder cannot be written.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.parent / f".{output.name}.upreel"
        self.keep = False
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if not self.output.parent.is_dir():
            raise OutputError(f"the folder {self.output.parent} does not exist")
        while self._lock is None:
            with os_errors(self.folder):
                self.folder.mkdir(exist_ok=True)
                try:
                    file = (self.folder / "lock").open("ab")
                except FileNotFoundError:  # another process has just finished and tidied up
                    continue
            with os_errors(self.folder):
                locked = lock_file(file)
            if not locked:
                file.close()
                raise LockedError(f"another process is working on {self.output}")
            if not _same_file(file, self.folder / "lock"):
                file.close()  # likewise, between opening and locking
                continue
            self._lock = file
        for aside in self.folder.glob("*.tmp"):  # of a process that was killed
            _remove(aside)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.keep and not any(self.folder.glob("part-*.json")):  # nothing to come back to
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def has_plan(self) -> bool:
        """Whether there is a plan of an earlier run."""
        return (self.folder / "plan.json").exists()

    def stored_plan(self) -> Plan | None:
        """The plan of an earlier run, None if there is none.

        Raises:
            StaleWorkError: it cannot be read.
        """
        values = self.load("plan.json")
        return None if values is None else Plan.from_json(values)

    def save_plan(self, plan: Plan) -> None:
        """Write the plan."""
        self.save("plan.json", plan.to_json())

    def part_path(self, part: Part, suffix: str) -> Path:
        """The file of a part; with the suffix "" a folder of pictures."""
        return self.folder / f"part-{part.index:05}{suffix}"

    def record(self, part: Part) -> Path:
        """The JSON file that says that a part is finished."""
        return self.folder / f"part-{part.index:05}.json"

    def finished(self, part: Part, suffix: str) -> PartDone | None:
        """What a finished part holds, None if it is still to be done."""
        values = self.load(self.record(part).name)
        if values is None or values.pop("version", None) != PART_VERSION:
            return None
        try:
            done = PartDone(
                frames=values["frames"],
                bytes=values["bytes"],
                damaged=tuple(values["damaged"]),
                notices=tuple(values["notices"]),
            )
        except (KeyError, TypeError):
            return None
        path = self.part_path(part, suffix)
        return done if done.frames == 0 or _size(path) == done.bytes else None

    def finish(self, part: Part, done: PartDone) -> None:
        """Say that a part is finished; its file must be complete."""
        self.save(self.record(part).name, {"version": PART_VERSION, **asdict(done)})

    def clear(self) -> None:
        """Remove all but the lock."""
        with os_errors(self.folder):
            # The plan goes last: what is left without it is tidied up by the next run.
            names = sorted(self.folder.iterdir(), key=lambda path: path.name == "plan.json")
            for path in names:
                if path.name != "lock":
                    _remove(path)

    def remove(self) -> None:
        """Remove the folder; the job is done."""
        self.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, name: str) -> dict[str, Any] | None:
        """A JSON object of the folder, None if there is no such file.

        Raises:
            StaleWorkError: it cannot be read.
        """
        path = self.folder / name
        try:
            values: Any = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StaleWorkError(f"cannot read {path}: {error}") from error
        if not isinstance(values, dict):
            raise StaleWorkError(f"{path} is not what this program writes")
        return cast("dict[str, Any]", values)

    def save(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a JSON object into the folder, aside and renamed."""
        path = self.folder / name
        aside = path.with_name(path.name + ".tmp")
        with os_errors(path):
            try:
                with aside.open("w", encoding="utf-8") as file:
                    json.dump(values, file, separators=(",", ":"))
                    file.write("\n")
                    file.flush()
                    os.fsync(file.fileno())
                aside.replace(path)
            except OSError:
                aside.unlink(missing_ok=True)
                raise


def stored_job(
    work: Work, identity: Mapping[str, Any], *, version: int, overwrite: bool
) -> dict[str, Any] | None:
    """What plan.json holds if parts of this very job are there, None to begin anew.

    Args:
        work: the job's folder, entered.
        identity: all that decides the output's bytes, by a name that messages can use.
        version: of plan.json.
        overwrite: whether another job's parts, and an output, may be in the way.

    Raises:
        StaleWorkError: parts of another job are there.
        ExistsError: the output is.
    """
    try:
        stored = work.load("plan.json")
    except StaleWorkError as error:
        if not overwrite:
            raise StaleWorkError(f"{error}; remove it with --overwrite") from error
        return None
    if stored is None:
        if not overwrite and work.output.exists():
            raise ExistsError(f"{work.output} exists; --overwrite replaces it")
        return None
    if (stored.get("version"), stored.get("fingerprint")) == (version, fingerprint(identity)):
        return stored
    if not overwrite:
        raise other_job(work, stored.get("identity", {}), identity)
    return None


def save_job(work: Work, identity: Mapping[str, Any], *, version: int, **values: object) -> None:
    """Begin anew: nothing but a plan.json that `stored_job` finds again, with further values."""
    work.clear()
    known = {"version": version, "fingerprint": fingerprint(identity), "identity": identity}
    work.save("plan.json", known | values)


def other_job(work: Work, there: Mapping[str, Any], identity: Mapping[str, Any]) -> StaleWorkError:
    """What to raise where a folder holds parts of another job; it names what differs.

    Args:
        work: the folder.
        there: identity of the job whose parts are there.
        identity: of the job that was asked for.
    """
    differ = [key for key, value in identity.items() if there.get(key) != value]
    return StaleWorkError(
        f"{work.folder} holds parts of another job (other {', '.join(differ) or 'version'}); "
        "run that one again, or remove them with --overwrite"
    )


def put_in_place(joined: Path, output: Path, *, overwrite: bool) -> None:
    """Rename what is complete to the output's name.

    Raises:
        ExistsError: something else is there, which may not be replaced.
    """
    with os_errors(output):
        # A file there: either a run was killed between the renaming below and its tidying up, or
        # somebody else has put it there meanwhile.
        wanted = overwrite or not output.exists()
        if not wanted and not filecmp.cmp(joined, output, shallow=False):
            raise ExistsError(f"{output} exists; --overwrite replaces it")
        joined.replace(output)


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Refuse a job that cannot end well.

    Raises:
        DiskFullError: less than `needed_bytes` are free.
    """
    with os_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise DiskFullError(
            f"parts and output need at least {needed_bytes / 1e6:.0f} MB in {folder}, "
            f"{free / 1e6:.0f} MB are free"
        )


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size if path.exists() else -1


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _same_file(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
