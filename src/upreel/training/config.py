"""What a training run is: plain frozen values, made by the functions in ``recipes/``."""

from dataclasses import dataclass
from typing import Literal

from upreel.datasets.cameras import CAMERAS, Camera
from upreel.degradation.degrade import Degradation
from upreel.zoo import NetworkConfig, QuantizedConfig

__all__ = ["Distillation", "Loss", "TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One weighted term; see `upreel.training.losses`.

    Attributes:
        kind: which function.
        weight: its factor in the sum.
    """

    kind: Literal["charbonnier", "mse", "psnr", "ssim"]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("charbonnier", "mse", "psnr", "ssim"):
            raise ValueError(f"a loss is charbonnier, mse, psnr or ssim, got {self.kind!r}")


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What a run learns from another network, its teacher, beside the truth (weight 1); of luma.

    Attributes:
        given: what the teacher is given: "input", as the student is, or "clean", the truth shrunk
            by bicubic, for a teacher of clean video whose student gets another.
        output: weight of the run's own losses between the student's answer and the teacher's
            (Hinton et al., 2015, for answers that are pictures).
        temporal: weight of the squared difference between how both answers change from each frame
            to the next.
        features: weight of the squared distance between the features that both answers are made
            from, the student's behind a 1x1 convolution (Romero et al., FitNets, ICLR 2015, section
            2.2), as a share of the variance of the teacher's. The teacher then works along, on the
            same frames as the student.
    """

    given: Literal["input", "clean"] = "input"
    output: float = 1.0
    temporal: float = 0.0
    features: float = 0.0

    def __post_init__(self) -> None:
        if self.given not in ("input", "clean"):
            raise ValueError(f"a teacher is given input or clean, got {self.given!r}")
        weights = {name: getattr(self, name) for name in ("output", "temporal", "features")}
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"{name} must be at least 0, got {weight}")
        if not any(weights.values()):
            raise ValueError("distillation needs a weight: output, temporal or features")
        if self.features and self.given != "input":
            raise ValueError(f"features need a teacher that is given input, got {self.given!r}")

    @property
    def wants_answers(self) -> bool:
        """Whether what the teacher answers counts, and not its features alone."""
        return self.output > 0 or self.temporal > 0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run.

    Attributes:
        name: of the run and of the model that it makes.
        network: architecture.
        degradation: what the low-resolution side goes through.
        variants: differently degraded copies of each clip.
        validation: sources (`Clip.source`) that are kept out of training and scored instead.
        steps: optimiser steps; the learning rate follows a cosine down over all of them.
        batch: patches a step.
        patch: low-resolution luma rows and columns of a patch, even.
        sequence: frames of a patch that a recurrent network goes through, each of which it
            answers; 0 for other networks.
        around: most frames that a sequence goes on beyond either end, there and back, without being
            learned from: states that were carried far, at the price of no gradient.
        backward: weight of the losses of the answers that the network's backward direction has by
            itself, beside 1 of the network's: what that direction carries must be worth carrying.
        turns: whether patches are mirrored, turned upside down, transposed and run backwards at
            random.
        strides: steps from frame to frame that a patch may have, as likely as they are given often:
            0 for a scene that stands still, more than 1 for faster motion.
        pan_frames: frames of a pan over each photograph, for networks of luma that see more than
            one; 0 leaves photographs as they are.
        camera: how these frames come about; see `upreel.datasets.cameras`.
        key_frames: whether the middle frame of each clip counts as a photograph, too.
        jitter: largest random change of a patch's contrast, and of its brightness as a share of
            white, for networks of luma.
        border: positions of the network's grid at a patch's border that the losses leave out,
            because a network sees zeros beyond them.
        learning_rate: its peak.
        optimizer: "adam", or "muon" for the filters between hidden features (all but those
            of the modules ``head`` and ``tail``) and Adam for the rest.
        warmup: steps of linear rise to it.
        ema: decay of the exponential moving average that is kept as the result.
        clip_norm: largest norm of the gradient.
        branches: whether filters between features learn with a 1x1 beside them, of networks of the
            fast family: see `upreel.networks.branches`. The result has none.
        losses: terms of the loss; luma and chroma are weighted 1 to `chroma`.
        chroma: weight of a chroma sample's error beside a luma sample's.
        seed: of the weights, the degradation and the patches.
        validate_every: steps between two validations.
        start: name of the run whose result this one starts from, "" for none; said in the card.
        parts: runs whose results fill parts of the network, after `start`: the part, such as
            "branches.0", and the run's name.
        widths: whose numbers of features a network of the fast family has, quantised or not: its
            "own", or those of the result that it starts from ("start"), as pruning left them; its
            own where it starts from none.
        frozen: parts of the network that stay as they begin, such as "branches.0".
        inflate: what first filters that saw fewer frames begin with: "zeros" for the others, or
            the "mean", divided over time (Liu et al., ICCV 2017, section 3.4), with which a still
            clip gives just what one frame gave.
        auxiliary: weight of the loss that a network itself adds (alignment, motion).
        distillation: what is learned from a teacher, for `upreel distill`; None for nothing.
    """

    name: str
    network: NetworkConfig
    degradation: Degradation
    variants: int = 1
    validation: tuple[str, ...] = ("bees", "flower", "harbour", "nightcity", "seattle")
    steps: int = 10_000
    batch: int = 16
    patch: int = 72
    sequence: int = 0
    around: int = 0
    backward: float = 0.0
    turns: bool = True
    strides: tuple[int, ...] = (1,)
    pan_frames: int = 0
    camera: Camera = "pans"
    key_frames: bool = False
    jitter: float = 0.0
    border: int = 2
    learning_rate: float = 1.5e-3
    optimizer: Literal["adam", "muon"] = "adam"
    warmup: int = 200
    ema: float = 0.999
    clip_norm: float = 1.0
    branches: bool = False
    losses: tuple[Loss, ...] = (Loss(kind="charbonnier"),)
    chroma: float = 0.5
    seed: int = 1
    validate_every: int = 1000
    start: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    widths: Literal["own", "start"] = "own"
    frozen: tuple[str, ...] = ()
    inflate: Literal["zeros", "mean"] = "zeros"
    auxiliary: float = 1.0
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        if self.patch % 2 or self.patch // 2 <= 2 * self.border:
            raise ValueError(f"patch must be even and wider than its borders, got {self.patch}")
        multiple = self.network.multiple * (2 if self.network.layout == "packed" else 1)
        if self.patch % multiple:
            raise ValueError(f"patch must be a multiple of {multiple}, got {self.patch}")
        if self.network.recurrent and self.sequence < 2:
            raise ValueError(f"sequence must be at least 2, got {self.sequence}")
        if not self.network.recurrent and self.sequence:
            raise ValueError(f"sequence is for recurrent networks, got {self.sequence}")
        if self.around < 0 or (self.around and not self.sequence):
            raise ValueError(f"around is for sequences, at least 0, got {self.around}")
        if self.backward < 0 or (self.backward and not self.sequence):
            raise ValueError(f"backward is for sequences, at least 0, got {self.backward}")
        if self.pan_frames and self.network.layout != "luma":
            raise ValueError(f"pan_frames is for networks of luma, got {self.pan_frames}")
        seen = len(self.seen)
        if self.pan_frames and not 1 < seen <= self.pan_frames:
            raise ValueError(
                f"pan_frames must be at least the {seen} frames that are seen, and these more than "
                f"one, got {self.pan_frames}"
            )
        if self.camera not in CAMERAS:
            raise ValueError(f"camera must be one of {', '.join(CAMERAS)}, got {self.camera!r}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be 0 up to 1, got {self.jitter}")
        if self.jitter and self.network.layout != "luma":
            raise ValueError(f"jitter is for networks of luma, got {self.jitter}")
        if not self.strides or min(self.strides) < 0 or max(self.strides) < 1:
            raise ValueError(f"strides must be at least 0, not all of them 0, got {self.strides}")
        for name in ("steps", "batch", "variants", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.optimizer not in ("adam", "muon"):
            raise ValueError(f"optimizer must be adam or muon, got {self.optimizer!r}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be 0 up to 1, got {self.ema}")
        if self.widths not in ("own", "start"):
            raise ValueError(f"widths must be own or start, got {self.widths!r}")
        inner = self.network.network if isinstance(self.network, QuantizedConfig) else self.network
        if self.widths == "start" and inner.kind != "fast":
            raise ValueError(f"widths start is for networks of kind fast, got {inner.kind}")
        if self.inflate not in ("zeros", "mean"):
            raise ValueError(f"inflate must be zeros or mean, got {self.inflate!r}")
        if self.auxiliary < 0:
            raise ValueError(f"auxiliary must be at least 0, got {self.auxiliary}")
        if self.branches and self.network.kind != "fast":
            raise ValueError(f"branches are for networks of kind fast, got {self.network.kind}")
        if not self.losses:
            raise ValueError("a run needs at least one loss")

    @property
    def answered(self) -> tuple[int, ...]:
        """Frames of a patch that the network answers, the first one's number being 0."""
        changes = self.distillation is not None and self.distillation.temporal > 0
        return tuple(range(self.sequence)) or ((0, 1) if changes else (0,))

    @property
    def seen(self) -> tuple[int, ...]:
        """Frames of a patch that it is given for that, in the same numbers."""
        if self.sequence:
            return self.answered
        offsets = self.network.offsets
        further = {k + offset for k in self.answered[1:] for offset in offsets} - set(offsets)
        return (*offsets, *sorted(further))

    @property
    def starts(self) -> tuple[str, ...]:
        """Names of all runs whose results this one starts from, in the order of ``--start``."""
        return (*((self.start,) if self.start else ()), *(run for _, run in self.parts))
