"""A training run: material in, a resumable checkpoint and TensorBoard events out."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.tensorboard import SummaryWriter

from upreel.datasets.cameras import key_frames
from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair, make_pairs
from upreel.errors import BackendUnavailableError, InputError, OptionError
from upreel.training.checkpoint import load_checkpoint, load_result, save_checkpoint
from upreel.training.config import TrainConfig
from upreel.training.distill import Teacher, taught_pairs
from upreel.training.team import Team, joined
from upreel.training.trainer import Trainer
from upreel.training.widths import with_widths
from upreel.zoo import QuantizedConfig

__all__ = [
    "Preparation",
    "Progress",
    "check_device",
    "check_sizes",
    "divided",
    "own_commit",
    "sources_of",
    "train",
]

_KEEP_SECONDS = 600  # at the next report after so long the run is kept, validated or not


Preparation = Callable[[Trainer, Sequence[Pair], Sequence[Pair]], bool]
"""Of a trainer that is about to begin, its material and what is held back: whether it shall."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run is.

    Attributes:
        step: steps done.
        steps: steps in all.
        loss: mean since the last report.
        patches_per_second: speed since the last report.
        teraflops: arithmetic of a second since the last report, of all processes, in 10^12
            operations: of convolutions, forward and backward, and of matrices.
        scores: Y-PSNR in dB of the average weights, by validation source, when just validated.
        baseline: the same of bicubic interpolation.
    """

    step: int
    steps: int
    loss: float
    patches_per_second: float
    teraflops: float
    scores: dict[str, float] | None = None
    baseline: dict[str, float] | None = None


def sources_of(clips: Sequence[Clip], kind: str = "photographs") -> tuple[str, ...]:
    """What was learned from: names of sources, and how many pictures of a kind."""
    photographs = {id(clip) for clip in clips if len(clip.luma) == 1 and "_" not in clip.name}
    named = sorted({clip.source for clip in clips if id(clip) not in photographs})
    return (*named, *([f"{len(photographs)} {kind}"] if photographs else []))


def own_commit() -> str:
    """This project's commit, or "unknown" outside a checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _mean_loss(losses: Sequence[Tensor], trainer: Trainer) -> float:
    """The mean of some steps' losses; a run that diverged ends here, its last checkpoint whole."""
    loss = torch.stack(list(losses)).mean().item()
    if not math.isfinite(loss):
        raise OptionError(f"{trainer.config.name}: loss is {loss} at step {trainer.step}")
    return loss


def train(
    config: TrainConfig,
    clips: Sequence[Clip],
    folder: Path,
    *,
    resume: bool = False,
    start: Path | Sequence[Path] = (),
    teacher: Teacher | None = None,
    answers: Path | None = None,
    minutes: float | None = None,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
    report_every: int = 100,
    prepare: Preparation | None = None,
) -> Path:
    """Run `config` on `clips`, keeping ``NAME.ckpt`` and TensorBoard events in `folder`.

    Args:
        config: the run.
        clips: material; `config.validation` names the sources held back.
        folder: made if it is not there.
        resume: go on from ``NAME.ckpt`` in `folder`.
        start: results of other runs, checkpoints or cards' ``.safetensors``, whose weights this
            one starts from where they fit; more than one in the order of `config.starts`.
        teacher: of a run with a distillation.
        answers: folder where the teacher's answers are kept and found again; None keeps them in
            memory.
        minutes: stop after that long, resumably, the teacher's work beforehand not counted; None
            runs to the end.
        device: "cpu" or "cuda".
        on_progress: called every `report_every` steps and after each validation.
        on_notice: called with what the user should know, one line each.
        report_every: steps between two reports.
        prepare: called before the first step of a run; no step follows where it says so.

    Returns:
        The checkpoint's path.

    Raises:
        OptionError: the run was begun with another config, would overwrite one, lacks the
            checkpoints that `config.starts` names or is given others, or diverged.
        InputError: from the data.
        BackendUnavailableError: no such device here.
    """
    check_device(device)
    if isinstance(config.network, QuantizedConfig) and prepare is None:
        raise OptionError(f"{config.name} is quantised: upreel quantize is for it")
    team, device = joined(device, config.batch)
    try:
        return _trained(
            config,
            clips,
            folder,
            resume=resume,
            starts=[start] if isinstance(start, Path) else list(start),
            teacher=teacher,
            answers=answers,
            minutes=minutes,
            device=device,
            team=team,
            on_progress=on_progress,
            on_notice=on_notice if team.leads else lambda _: None,
            report_every=report_every,
            prepare=prepare,
        )
    finally:
        team.leave()


def _trained(
    config: TrainConfig,
    clips: Sequence[Clip],
    folder: Path,
    *,
    resume: bool,
    starts: Sequence[Path],
    teacher: Teacher | None,
    answers: Path | None,
    minutes: float | None,
    device: str,
    team: Team,
    on_progress: Callable[[Progress], None],
    on_notice: Callable[[str], None],
    report_every: int,
    prepare: Preparation | None,
) -> Path:
    """`train`, in a team that is left afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.name}.ckpt"
    config = with_widths(config, starts, path if resume else None, on_notice)
    commit = own_commit()
    scale, seed = config.network.scale, config.seed
    learning, held_back = divided(config, clips)
    kind = {"pans": "panned photographs", "moves": "filmed photographs"}[config.camera]
    training_data = sources_of(learning, kind if config.pan_frames else "photographs")
    if config.key_frames:
        learning += key_frames(learning)
    pairs = make_pairs(
        learning,
        scale,
        config.degradation,
        variants=config.variants,
        seed=seed,
        pan_frames=config.pan_frames,
        camera=config.camera,
        patch=config.patch,
    )
    validation = make_pairs(held_back, scale, config.degradation, variants=1, seed=seed)
    check_sizes(pairs, config.patch)
    if teacher and config.distillation and config.distillation.wants_answers:
        pairs = taught_pairs(
            pairs,
            teacher,
            config.distillation,
            folder=answers,
            device=torch.device(device),
            on_progress=_every_tenth(on_notice, f"{teacher.name} answers"),
        )
    trainer = Trainer(config, pairs, device=device, team=team, teacher=teacher)
    if resume and starts:
        raise OptionError("a resumed run has its start behind it: --start and --resume exclude")
    if resume:
        checkpoint = load_checkpoint(path)
        differing = [
            field.name
            for field in fields(config)
            if field.name != "steps"
            and getattr(checkpoint.config, field.name) != getattr(config, field.name)
        ]
        if differing:
            raise OptionError(f"{path} belongs to a run with another {', '.join(differing)}")
        if checkpoint.training_data != training_data:
            raise OptionError(
                f"{path} was trained on {', '.join(checkpoint.training_data)}, "
                f"got {', '.join(training_data)}"
            )
        if teacher is not None and teacher.label not in checkpoint.teacher.split(", "):
            raise OptionError(f"{path} learned from {checkpoint.teacher}, got {teacher.label}")
        trainer.restore(checkpoint)
        commit = checkpoint.commit
    elif path.exists():
        raise OptionError(f"{path} is there already: --resume goes on from it")
    elif starts:
        afresh = trainer.start_from_runs([load_result(file) for file in starts])
        if afresh and prepare is None:
            on_notice(f"begin afresh, no result has them: {', '.join(afresh)}")
    elif config.starts:
        raise OptionError(
            f"{config.name} starts from the result of {', '.join(config.starts)}: "
            f"--start names its checkpoint"
        )
    steps = config.steps
    if prepare is not None and not trainer.step and not prepare(trainer, pairs, validation):
        steps = 0
    if trainer.device.type != "cpu" and not trainer.cuts_on_device:
        on_notice(f"the clips do not fit on {device}: patches are cut on the CPU")
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    team.wait()  # nobody writes before all have looked at what is there
    with _events(folder / "tensorboard" / config.name, trainer) as writer:
        losses: list[Tensor] = []
        operations: dict[int, int] = {}  # of a step, by the frames around its sequences
        done_operations = 0
        since, since_step = time.monotonic(), trainer.step
        kept = since
        while trainer.step < steps and (
            deadline == math.inf or team.decides(time.monotonic() < deadline, trainer.device)
        ):
            around = trainer.around
            if around in operations:
                losses.append(trainer.train_step())
            else:
                with FlopCounterMode(display=False) as counter:
                    losses.append(trainer.train_step())
                operations[around] = team.size * counter.get_total_flops()
            done_operations += operations[around]
            done = trainer.step == config.steps
            validates = done or trainer.step % config.validate_every == 0
            if validates or trainer.step % report_every == 0:
                loss = _mean_loss(losses, trainer)
                seconds = time.monotonic() - since
                rate = (trainer.step - since_step) / seconds
                if writer is not None:
                    scores, baseline = trainer.validate(validation) if validates else (None, None)
                    writer.add_scalar("loss", loss, trainer.step)  # pyright: ignore[reportUnknownMemberType]
                    for source, psnr in (scores or {}).items():
                        writer.add_scalar(f"psnr/{source}", psnr, trainer.step)  # pyright: ignore[reportUnknownMemberType]
                    on_progress(
                        Progress(
                            step=trainer.step,
                            steps=config.steps,
                            loss=loss,
                            patches_per_second=rate * config.batch,
                            teraflops=done_operations / seconds / 1e12,
                            scores=scores,
                            baseline=baseline,
                        )
                    )
                    if validates or time.monotonic() - kept >= _KEEP_SECONDS:
                        save_checkpoint(trainer.checkpoint(training_data, commit), path)
                        kept = time.monotonic()
                losses, done_operations = [], 0
                since, since_step = time.monotonic(), trainer.step
        if losses:
            _mean_loss(losses, trainer)
    if team.leads:
        save_checkpoint(trainer.checkpoint(training_data, commit), path)
    return path


def check_device(device: str) -> None:
    """Refuse what nobody can train on here.

    Raises:
        BackendUnavailableError: no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailableError("no CUDA device here; there is: cpu")
    if device not in ("cpu", "cuda"):
        raise BackendUnavailableError(f"no device {device!r} for training; there are: cpu, cuda")


def divided(config: TrainConfig, clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Clips to learn from, and those of the sources that are held back.

    Raises:
        OptionError: nothing is left to learn from.
        InputError: a clip has no chroma, and it is to be learned.
    """
    learning = [clip for clip in clips if clip.source not in config.validation]
    if not learning:
        raise OptionError(f"every source is one of the validation sources {config.validation}")
    if config.network.layout == "packed" and not all(clip.has_chroma for clip in clips):
        raise InputError(f"{config.name} learns chroma, which a pack without it does not have")
    return learning, [clip for clip in clips if clip.source in config.validation]


def check_sizes(pairs: Sequence[Pair], patch: int) -> None:
    """Refuse clips that no patch fits into.

    Raises:
        InputError: there is one.
    """
    for pair in pairs:
        rows, columns = pair.low.luma.shape[1:]
        if min(rows, columns) < patch:
            raise InputError(
                f"{pair.high.name} is {columns}x{rows} at low resolution, "
                f"smaller than a patch of {patch}"
            )


def _every_tenth(tell: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    """Progress in lines: at the beginning, at each tenth, at the end."""

    def told(done: int, count: int) -> None:
        if done in {count * tenth // 10 for tenth in range(11)}:
            tell(f"{what}: {done} of {count} clips")

    return told


def _events(
    folder: Path, trainer: Trainer
) -> AbstractContextManager[SummaryWriter] | nullcontext[None]:
    """What TensorBoard shows, of the process that writes."""
    if not trainer.team.leads:
        return nullcontext()
    return SummaryWriter(folder, purge_step=trainer.step)
