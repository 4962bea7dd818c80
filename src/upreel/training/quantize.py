"""Quantisation: a network's steps by what its activations are, and training where that costs.

Calibration chooses the steps of activations on frames of the material (Krishnamoorthi, "Quantizing
deep convolutional networks for efficient inference", 2018, section 3.1, by squared error). Where
the network loses more by it than is allowed, it learns on with the rounding in place.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from pathlib import Path

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair
from upreel.errors import OptionError
from upreel.networks.quantized import QuantizedNetwork
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.training.config import TrainConfig
from upreel.training.distill import Teacher
from upreel.training.run import Progress, train
from upreel.training.team import check_alone
from upreel.training.trainer import Trainer
from upreel.training.validation import clip_tensor, frame_tensor, score
from upreel.zoo import QuantizedConfig

__all__ = ["ALLOWED_LOSS", "calibrate", "quantize"]

ALLOWED_LOSS = 0.05
"""dB that calibration alone may cost on the validation sources."""
_CLIPS = 12  # that are looked at, spread over the material


def quantize(
    config: TrainConfig,
    clips: Sequence[Clip],
    folder: Path,
    *,
    start: Sequence[Path] = (),
    resume: bool = False,
    teacher: Teacher | None = None,
    answers: Path | None = None,
    allowed: float = ALLOWED_LOSS,
    minutes: float | None = None,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
    report_every: int = 100,
) -> Path:
    """Calibrate a network, and train it on where that alone loses too much.

    Args:
        config: of the run; its network is of kind quantized.
        clips: material, see `upreel.training.run.train`, as all that follows.
        folder: for the checkpoint.
        start: results of other runs; the float network's is one of them.
        resume: go on from the checkpoint.
        teacher: of a run with a distillation.
        answers: folder where the teacher's answers are kept and found again.
        allowed: dB that calibration alone may cost; 0 trains whatever it costs.
        minutes: stop after that long, resumably.
        device: "cpu" or "cuda".
        on_progress: called while it learns.
        on_notice: called with the decibels of each stage, and with what else is to be known.
        report_every: steps between two reports.

    Returns:
        The checkpoint's path.

    Raises:
        OptionError: the run's network is not quantised, nothing was trained before, a teacher is
            lacking or not asked for, torchrun has begun several processes, or as
            `upreel.training.run.train` says.
    """
    if not isinstance(config.network, QuantizedConfig):
        raise OptionError(
            f"{config.name} is a run of kind {config.network.kind}, not quantized: "
            f"upreel train is for it"
        )
    if (teacher is None) != (config.distillation is None):
        lacking = "learns from a teacher" if teacher is None else "has nothing from a teacher"
        raise OptionError(f"{config.name} {lacking}: --teacher is for runs that do")
    check_alone("quantising")
    if not start and not resume:
        raise OptionError(f"{config.name} is quantised from what was trained: --start names it")

    def prepare(trainer: Trainer, pairs: Sequence[Pair], held_back: Sequence[Pair]) -> bool:
        calibrate(trainer, pairs)
        if not held_back:
            on_notice(f"no validation source in the material: {config.steps} steps follow")
            return True
        before, after = _mean_scores(trainer, held_back)
        lost = before - after
        follows = not allowed or lost > allowed
        on_notice(
            f"validation: {before:.3f} dB in floating point, {after:.3f} in whole numbers "
            f"({-lost:+.3f}): {f'{config.steps} steps follow' if follows else 'no step is needed'}"
        )
        return follows

    return train(
        config,
        clips,
        folder,
        start=start,
        resume=resume,
        teacher=teacher,
        answers=answers,
        minutes=minutes,
        device=device,
        on_progress=on_progress,
        on_notice=on_notice,
        report_every=report_every,
        prepare=prepare,
    )


def calibrate(trainer: Trainer, pairs: Sequence[Pair]) -> None:
    """Choose the steps of a trainer's network, and of its average, by the material.

    Args:
        trainer: its network is a `QuantizedNetwork` or a `QuantizedStepNetwork`.
        pairs: material; the middle frames of some clips, spread over it, are looked at.
    """
    network, config = trainer.network, trainer.config.network
    assert isinstance(network, QuantizedNetwork | QuantizedStepNetwork)
    chosen = [pairs[len(pairs) * k // _CLIPS] for k in range(min(_CLIPS, len(pairs)))]
    if isinstance(network, QuantizedNetwork):
        middles = (len(pair.low.luma) // 2 for pair in chosen)
        network.calibrate(
            [
                frame_tensor(pair.low, t, config, trainer.device)
                for pair, t in zip(chosen, middles, strict=True)
            ]
        )
    else:
        sequence = trainer.config.sequence
        found = (clip_tensor(pair.low, trainer.device)[:, :sequence] for pair in chosen)
        # Sides that it does not take are cut: less is seen, and nothing that is not there.
        m = config.multiple
        network.calibrate([x[..., : x.shape[2] // m * m, : x.shape[3] // m * m] for x in found])
    trainer.ema["steps"].copy_(network.steps.detach())


def _mean_scores(trainer: Trainer, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Y-PSNR in dB of the float network within a quantised one, and of that one."""
    network, config = trainer.network, trainer.config.network
    assert isinstance(network, QuantizedNetwork | QuantizedStepNetwork)
    assert isinstance(config, QuantizedConfig)
    found: list[float] = []
    for each, its in ((network.network, config.network), (network, config)):
        scores, _ = score(each.eval(), its, pairs, trainer.device)
        found.append(sum(scores.values()) / len(scores))
    network.train()
    return found[0], found[1]
