"""The temporal adaptive network's runs, in the stages of Liu et al. (ICCV 2017).

Stage 1: a single-frame network, then on its answers, which stay as they are, the fusion of three
and of five frames' answers along their motion (docs/decisions.md tells why answers). Stage 2: all
of them with the modulation branch, begun with stage 1.

    upreel train recipes/temporal_adaptive.py:tan_x4_b2 --start fast-x4-clean-single.ckpt --data DIR
    upreel train recipes/temporal_adaptive.py:tan_x4_b3 --start fast-x4-clean-single.ckpt --data DIR
    upreel train recipes/temporal_adaptive.py:tan_x4 --start fast-x4-clean-single.ckpt \
        --start tan-x4-b2.ckpt --start tan-x4-b3.ckpt --data DIR

The first branch of `tan_x4` is the run `fast_x4_clean_single` of recipes/fast.py; `tan_x2` is made
in the same way from `tan_x2_b1`, `tan_x2_b2` and `tan_x2_b3`. The runs that begin with
``ablation`` are for the paper's table: small ESPCN branches that see the frames, those of a stage
of the same steps, a few seeds each (``--seed N``); benchmarks/temporal_adaptive_ablation.py
prints it.
"""

from dataclasses import replace
from typing import Any

from upreel.degradation.degrade import Degradation
from upreel.training.config import Loss, TrainConfig
from upreel.zoo import EspcnConfig, FastConfig, FusionConfig, TemporalAdaptiveConfig

BRANCH = FastConfig(scale=4, channels=32, depth=8, layout="luma")
SMALL = EspcnConfig(scale=4, activation="relu", residual=True)
ANSWERS: dict[str, Any] = {
    "branch": SMALL,
    "modulation_channels": (16, 16),
    "alignment": "flow",
    "fusion": (32, 2),
}
"""What the table's networks that fuse answers have in common: those of `tan_x4`, smaller."""
FIRST = {4: "fast-x4-clean-single", 2: "tan-x2-b1"}
"""The run of a scale's first branch."""


def _run(name: str) -> TrainConfig:
    """What all runs share."""
    return TrainConfig(
        name=name,
        network=BRANCH,
        degradation=Degradation(kernels=("bicubic",)),
        steps=8000,
        batch=8,
        patch=48,
        border=4,
        optimizer="muon",
        learning_rate=1.5e-3,
        inflate="mean",
        validate_every=2000,
    )


def tan_x4_b2() -> TrainConfig:
    """x4, stage 1: the fusion of three frames' answers."""
    return _fusion(4, 2, steps=10_000)


def tan_x4_b3() -> TrainConfig:
    """x4, stage 1: the fusion of five frames' answers."""
    return _fusion(4, 3, steps=10_000)


def tan_x4() -> TrainConfig:
    """x4, stage 2: all branches, weighed by the modulation branch."""
    return _weighed(4)


def tan_x2_b1() -> TrainConfig:
    """x2, stage 1: one frame."""
    return replace(_run("tan-x2-b1"), network=replace(BRANCH, scale=2))


def tan_x2_b2() -> TrainConfig:
    """x2, stage 1: the fusion of three frames' answers."""
    return _fusion(2, 2, steps=6000)


def tan_x2_b3() -> TrainConfig:
    """x2, stage 1: the fusion of five frames' answers."""
    return _fusion(2, 3, steps=6000)


def tan_x2() -> TrainConfig:
    """x2, stage 2: all branches, weighed by the modulation branch."""
    return _weighed(2)


def _fusion(scale: int, number: int, *, steps: int) -> TrainConfig:
    """A branch of more frames' answers; the first branch stays as it is."""
    name = f"tan-x{scale}-b{number}"
    first = replace(BRANCH, scale=scale)
    return replace(
        _run(name),
        network=FusionConfig(first=first, frames=2 * number - 1),
        parts=(("first", FIRST[scale]),),
        frozen=("first",),
        steps=steps,
    )


def _weighed(scale: int) -> TrainConfig:
    """All branches together; the first one stays as it is."""
    name = f"tan-x{scale}"
    return replace(
        _run(name),
        network=TemporalAdaptiveConfig(
            branch=replace(BRANCH, scale=scale),
            modulation_channels=(16, 16),
            alignment="flow",
            fusion=(32, 8),
        ),
        parts=(
            ("branches.0", FIRST[scale]),
            ("branches.1", f"{name}-b2"),
            ("branches.2", f"{name}-b3"),
        ),
        frozen=("branches.0",),
        losses=(Loss(kind="mse"),),
        steps=3000,
        learning_rate=5e-4,
        seed=2,
    )


def ablation_b1(seed: int = 1) -> TrainConfig:
    """Stage 1 of the paper's table: one frame."""
    name = f"ablation-b1-seed{seed}"
    return replace(_run(name), network=SMALL, steps=5000, seed=seed)


def ablation_b2(seed: int = 1) -> TrainConfig:
    """Stage 1: three frames."""
    return _branch(2, seed)


def ablation_b3(seed: int = 1) -> TrainConfig:
    """Stage 1: five frames."""
    return _branch(3, seed)


def ablation_mean(seed: int = 1) -> TrainConfig:
    """Stage 2: the plain average of the branches."""
    return _joint("mean", TemporalAdaptiveConfig(branch=SMALL, modulation="mean"), seed)


def ablation_t(seed: int = 1) -> TrainConfig:
    """Stage 2: branches weighed by the modulation branch, weights normalised."""
    return _joint("t", TemporalAdaptiveConfig(branch=SMALL), seed)


def ablation_free(seed: int = 1) -> TrainConfig:
    """Stage 2: branches weighed by the modulation branch, weights not normalised.

    As in the paper, but of the branches' detail beside bicubic interpolation.
    """
    return _joint("free", TemporalAdaptiveConfig(branch=SMALL, modulation="free"), seed)


def ablation_rectified(seed: int = 1) -> TrainConfig:
    """Stage 3: rectified alignment."""
    network = TemporalAdaptiveConfig(branch=SMALL, alignment="rectified")
    return _joint("rectified", network, seed)


def ablation_spatial(seed: int = 1) -> TrainConfig:
    """Stage 3: spatial alignment."""
    return _joint("spatial", TemporalAdaptiveConfig(branch=SMALL, alignment="spatial"), seed)


def ablation_answers_mean(seed: int = 1) -> TrainConfig:
    """Beyond the paper: fusions of the first branch's answers along their motion, averaged."""
    return _answers("answers-mean", TemporalAdaptiveConfig(modulation="mean", **ANSWERS), seed)


def ablation_answers_t(seed: int = 1) -> TrainConfig:
    """The same, weighed by the modulation branch: the form of `tan_x4`."""
    return _answers("answers-t", TemporalAdaptiveConfig(**ANSWERS), seed)


def ablation_answers_still(seed: int = 1) -> TrainConfig:
    """The same, of answers that stay where they are."""
    network = replace(TemporalAdaptiveConfig(**ANSWERS), alignment="none")
    return _answers("answers-still", network, seed)


def _branch(number: int, seed: int) -> TrainConfig:
    """A branch of more frames, begun with the first one."""
    first = ablation_b1(seed)
    return replace(
        first,
        name=f"ablation-b{number}-seed{seed}",
        network=replace(SMALL, frames=2 * number - 1),
        start=first.name,
    )


def _answers(stage: str, network: TemporalAdaptiveConfig, seed: int) -> TrainConfig:
    """Fusions begun with nothing, beside the first branch as stage 1 left it."""
    joint = _joint(stage, network, seed)
    return replace(joint, parts=joint.parts[:1], frozen=("branches.0",), patch=32)


def _joint(stage: str, network: TemporalAdaptiveConfig, seed: int) -> TrainConfig:
    """All branches together, begun with stage 1.

    Each of these trains for as many steps from the same start, so that what a part is worth is
    not what longer training is worth.
    """
    return replace(
        ablation_b1(seed),
        name=f"ablation-{stage}-seed{seed}",
        network=network,
        steps=3000,
        validate_every=1500,
        parts=tuple((f"branches.{k}", f"ablation-b{k + 1}-seed{seed}") for k in range(3)),
    )
