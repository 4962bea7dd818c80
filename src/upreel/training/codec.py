"""Training of the learned codec: bits and errors together, at all qualities at once.

A run teaches frames alone, or frames from the one before, over sequences whose every frame is made
from what was decoded of the last: its errors go on as they do for a viewer. Each patch has its own
quality, drawn at random, and its loss is

    (bits a luma sample + trade-off(quality) * squared error in levels of 255) * weight(quality)

where the weight makes a patch of few bits count like one of many. Steps depend on nothing but the
config, the clips and the step's number, noise included.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from upreel.datasets.clips import Clip
from upreel.errors import InputError, OptionError, WeightsError
from upreel.networks.codec import Codec, Rounding, State, trade_off
from upreel.networks.planes import pack
from upreel.networks.sizes import LATENT_CELL, QUALITIES
from upreel.training.optimizer import MuonAdam
from upreel.training.run import own_commit, sources_of
from upreel.training.team import Team, joined
from upreel.zoo import read_stored
from upreel.zoo.configs.codec import CodecConfig

__all__ = [
    "CodecProgress",
    "CodecResult",
    "CodecRun",
    "CodecTrainer",
    "RatePoint",
    "is_codec",
    "load_codec",
    "train_codec",
]

_VERSION = "codec-1"
_KEEP_SECONDS = 60.0
_MIDDLE = 0.006  # a trade-off at which a patch's loss has weight 1
_PLANES = (6.0, 1.0, 1.0)  # weights of the squared errors of Y, Cb and Cr
_VALIDATED = (16, 32, 48)
_VALIDATION_FRAMES = 4


@dataclass(frozen=True, kw_only=True)
class CodecRun:
    """A training run.

    Attributes:
        name: of the run.
        network: architecture.
        stage: "alone" for frames alone, "next" for frames from the one before; the other kind
            stays as it is.
        frames: of a sequence; 1 for frames alone.
        steps: optimiser steps.
        batch: patches a step.
        patch: luma rows and columns, a multiple of 64.
        rounding: see `upreel.networks.codec.Rounding`.
        learning_rate: its peak.
        warmup: steps of linear rise to it.
        ema: decay of the average weights.
        clip_norm: largest norm of the gradient.
        seed: of the weights, the patches and the noise.
        validate_every: steps between two validations.
        validation: sources that are kept out of training.
        start: name of the run that this one starts from, "" for none.
    """

    name: str
    network: CodecConfig
    stage: Literal["alone", "next"]
    frames: int = 1
    steps: int = 10_000
    batch: int = 8
    patch: int = 128
    rounding: Rounding = "mixed"
    learning_rate: float = 1e-3
    warmup: int = 200
    ema: float = 0.999
    clip_norm: float = 1.0
    seed: int = 1
    validate_every: int = 2000
    validation: tuple[str, ...] = ("bees", "flower", "harbour", "nightcity", "seattle")
    start: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "validation", tuple(self.validation))  # JSON has lists
        if self.stage not in ("alone", "next"):
            raise ValueError(f"stage must be alone or next, got {self.stage!r}")
        least = 1 if self.stage == "alone" else 2
        if self.frames < least or (self.stage == "alone" and self.frames > 1):
            raise ValueError(f"frames of stage {self.stage} must be {least}, got {self.frames}")
        if self.patch % 64 or self.patch < 64:
            raise ValueError(f"patch must be a multiple of 64, got {self.patch}")
        if self.rounding not in get_args(Rounding):
            allowed = ", ".join(get_args(Rounding))
            raise ValueError(f"rounding must be one of {allowed}, got {self.rounding!r}")
        for name in ("steps", "batch", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """What a quality costs and gives.

    Attributes:
        quality: 0 to 63.
        bits: a luma sample, estimated, motion's not counted.
        psnr: of luma, dB.
    """

    quality: int
    bits: float
    psnr: float


@dataclass(frozen=True, kw_only=True)
class CodecProgress:
    """How far a run is.

    Attributes:
        step: steps done.
        steps: of the run.
        loss: mean since the last report.
        patches_per_second: since then.
        points: means over the validation sources, after a validation.
    """

    step: int
    steps: int
    loss: float
    patches_per_second: float
    points: tuple[RatePoint, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class CodecResult:
    """What a run came to.

    Attributes:
        config: of the run.
        step: steps done.
        training_data: sources.
        commit: of this project when the run was started.
        weights: its average ones.
    """

    config: CodecRun
    step: int
    training_data: tuple[str, ...]
    commit: str
    weights: dict[str, Tensor]


class CodecTrainer:
    """A codec, its average and its optimiser, somewhere along a run.

    Args:
        config: of the run.
        clips: material.
        device: "cpu" or "cuda".
        team: the processes that share each step's patches.
    """

    def __init__(
        self,
        config: CodecRun,
        clips: Sequence[Clip],
        *,
        device: str = "cpu",
        team: Team = Team(),  # noqa: B008 - it is frozen
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.team, self.device = config, team, torch.device(device)
        self.step = 0
        self.commit = own_commit()
        self._clips = [clip for clip in clips if _fits(clip, config)]
        if not self._clips:
            raise InputError(
                f"{config.name} needs clips of {config.frames} frames and "
                f"{config.patch}x{config.patch} with chroma; there is none"
            )
        self.training_data = sources_of(self._clips)
        weights = np.array([math.sqrt(clip.luma.size) for clip in self._clips])
        self._likely = weights / weights.sum()
        self.network = Codec(**asdict(config.network)).to(self.device)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        other = self.network.next if config.stage == "alone" else self.network.alone
        other.requires_grad_(requires_grad=False)
        self.ema = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        learning = [(k, p) for k, p in self.network.named_parameters() if p.requires_grad]
        self.optimizer = MuonAdam(learning, hidden=_is_hidden, lr=config.learning_rate)
        self._bf16 = self.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]

    def train_step(self) -> Tensor:
        """One optimiser step; returns its loss."""
        config = self.config
        rise = min(1.0, (self.step + 1) / max(config.warmup, 1))
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / config.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * rise * (0.01 + 0.99 * cosine)
        frames, quality = self._patches()
        torch.manual_seed(hash((config.seed, self.step, self.team.rank)) & 0x7FFFFFFF)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(frames, quality)
        loss.backward()
        loss = loss.detach()
        learning = [p for p in self.network.parameters() if p.grad is not None]
        self.team.average([*(p.grad for p in learning if p.grad is not None), loss])
        norm = nn.utils.clip_grad_norm_(learning, config.clip_norm)
        loss = torch.where(norm.isfinite(), loss, math.nan)
        self.optimizer.step()
        self.step += 1
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.ema[name].lerp_(value, 1 - decay)
        return loss

    def _loss(self, frames: Sequence[Tensor], quality: Tensor) -> Tensor:
        """Mean over patches, and over the frames that are learned."""
        before: State | None = None
        worth = trade_off(quality.float())
        weight = (_MIDDLE / worth).sqrt()
        total = frames[0].new_zeros(())
        for number, frame in enumerate(frames):
            learned = self.config.stage == "alone" or number > 0
            with (
                torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16),
                torch.set_grad_enabled(learned),
            ):
                coded = self.network(frame, quality, before, self.config.rounding)
            before = coded.state
            if learned:
                samples = 4 * frame.shape[-2] * frame.shape[-1]
                bits = (coded.bits + coded.hyper_bits) / samples
                error = plane_errors(coded.state.planes, frame)
                total = total + (weight * (bits + worth * error)).mean()
        return total / max(len(frames) - (self.config.stage == "next"), 1)

    def _patches(self) -> tuple[list[Tensor], Tensor]:
        """Frames of this process's patches, (B, 6, patch / 2, patch / 2) each, and qualities."""
        config = self.config
        random = np.random.default_rng([config.seed, self.step])
        drawn = [self._drawn(random) for _ in range(config.batch)]
        mine = self.team.share(drawn)
        luma = torch.from_numpy(np.stack([each[0] for each in mine])).to(self.device)
        chroma = torch.from_numpy(np.stack([each[1] for each in mine])).to(self.device)
        frames = [
            pack(luma[:, t, None].float() / 255, chroma[:, t].float() / 255).contiguous(
                memory_format=torch.channels_last
            )
            for t in range(config.frames)
        ]
        return frames, torch.tensor([each[2] for each in mine], device=self.device)

    def _drawn(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
        """A patch's luma and chroma, turned over at random, and its quality."""
        side, count = self.config.patch, self.config.frames
        clip = self._clips[int(random.choice(len(self._clips), p=self._likely))]
        num_frames, height, width = clip.luma.shape
        first = int(random.integers(num_frames - count + 1))
        y, x = (2 * int(random.integers((size - side) // 2 + 1)) for size in (height, width))
        luma = clip.luma[first : first + count, y : y + side, x : x + side]
        chroma = clip.chroma[
            first : first + count, :, y // 2 : (y + side) // 2, x // 2 : (x + side) // 2
        ]
        back, flip, mirror, turn = random.integers(2, size=4)
        if back:
            luma, chroma = luma[::-1], chroma[::-1]
        if flip:
            luma, chroma = luma[..., ::-1, :], chroma[..., ::-1, :]
        if mirror:
            luma, chroma = luma[..., ::-1], chroma[..., ::-1]
        if turn:
            luma, chroma = luma.swapaxes(-1, -2), chroma.swapaxes(-1, -2)
        return luma.copy(), chroma.copy(), int(random.integers(QUALITIES))

    @torch.no_grad()
    def validate(self, clips: Sequence[Clip]) -> tuple[RatePoint, ...]:
        """Means over clips of what some qualities cost and give, by the average weights."""
        network = Codec(**asdict(self.config.network)).to(self.device).eval()
        network.load_state_dict(self.ema)
        points: list[RatePoint] = []
        for quality in _VALIDATED:
            found = [self._point(network, clip, quality) for clip in clips]
            bits, psnr = (sum(values) / len(found) for values in zip(*found, strict=True))
            points.append(RatePoint(quality=quality, bits=bits, psnr=psnr))
        return tuple(points)

    def _point(self, network: Codec, clip: Clip, quality: int) -> tuple[float, float]:
        """Bits a luma sample and Y-PSNR of a clip's first frames, of those that are learned."""
        height, width = (side // LATENT_CELL * LATENT_CELL for side in clip.luma.shape[1:])
        wanted = torch.tensor([quality], device=self.device)
        count = 1 if self.config.stage == "alone" else min(_VALIDATION_FRAMES, len(clip.luma))
        before: State | None = None
        bits, errors = 0.0, 0.0
        for t in range(count):
            luma = torch.from_numpy(clip.luma[t, :height, :width].copy()).to(self.device)
            chroma = torch.from_numpy(clip.chroma[t, :, : height // 2, : width // 2].copy())
            planes = pack(luma[None, None].float() / 255, chroma[None].to(self.device) / 255)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
                coded = network(planes, wanted, before)
            before = coded.state
            if self.config.stage == "next" and not t:
                continue
            bits += float(coded.bits + coded.hyper_bits) / (height * width)
            levels = (255 * coded.state.planes[:, :4]).round() - 255 * planes[:, :4]
            errors += float(levels.square().mean())
        learned = count - (self.config.stage == "next")
        return bits / learned, 10 * math.log10(255**2 / max(errors / learned, 1e-4))

    def groups(self) -> dict[str, Mapping[str, Tensor]]:
        """All that the run needs to go on exactly, by the names that it is stored under."""
        moments = {
            k: self.optimizer.state[p]
            for k, p in self.network.named_parameters()
            if p in self.optimizer.state
        }
        return {
            "network": self.network.state_dict(),
            "ema": self.ema,
            "m": {k: m["exp_avg"] for k, m in moments.items()},
            "v": {k: m["exp_avg_sq"] for k, m in moments.items()},
        }

    def restore(self, step: int, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from what `groups` gave after `step` steps."""
        self.network.load_state_dict(dict(groups["network"]))
        self.ema = {k: v.to(self.device).clone() for k, v in groups["ema"].items()}
        self.step = step
        for name, parameter in self.network.named_parameters():
            if name in groups["m"]:
                like = torch.empty_like(parameter)
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": like.copy_(groups["m"][name]).clone(),
                    "exp_avg_sq": like.copy_(groups["v"][name]).clone(),
                }

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with another run's average weights."""
        self.network.load_state_dict(dict(weights))
        self.ema = {k: v.detach().clone() for k, v in self.network.state_dict().items()}


def plane_errors(planes: Tensor, wanted: Tensor) -> Tensor:
    """Squared error in levels of 255, (B,): of Y, Cb and Cr, weighted 6 to 1 to 1."""
    square = (255 * (planes.float() - wanted)).square().mean(dim=(2, 3))
    parts = (square[:, :4].mean(dim=1), square[:, 4], square[:, 5])
    total = sum(w * part for w, part in zip(_PLANES, parts, strict=True))
    assert isinstance(total, Tensor)
    return total / sum(_PLANES)


def train_codec(
    config: CodecRun,
    clips: Sequence[Clip],
    folder: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    minutes: float | None = None,
    device: str = "cpu",
    on_progress: Callable[[CodecProgress], None] = lambda _: None,
    report_every: int = 100,
) -> Path:
    """Run `config` on `clips`, keeping ``NAME.ckpt`` in `folder`.

    Args:
        config: the run.
        clips: material; those of `config.validation` are held back.
        folder: made if it is not there.
        resume: go on from ``NAME.ckpt``.
        start: the checkpoint of the run that `config.start` names.
        minutes: stop after that long, resumably; None runs to the end.
        device: "cpu" or "cuda".
        on_progress: called every `report_every` steps and after each validation.
        report_every: steps between two reports.

    Returns:
        The checkpoint's path.

    Raises:
        OptionError: the run was begun with another config, would overwrite one, lacks its start,
            or diverged.
        InputError: no clip is long and large enough.
        WeightsError: a checkpoint cannot be read.
    """
    team, device = joined(device, config.batch)
    try:
        learning = [clip for clip in clips if clip.source not in config.validation]
        held_back = [clip for clip in clips if clip.source in config.validation]
        trainer = CodecTrainer(config, learning, device=device, team=team)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{config.name}.ckpt"
        _begin(trainer, path, resume=resume, start=start)
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        team.wait()
        losses: list[Tensor] = []
        since = kept = time.monotonic()
        while trainer.step < config.steps and (
            deadline == math.inf or team.decides(time.monotonic() < deadline, trainer.device)
        ):
            losses.append(trainer.train_step())
            validates = trainer.step in (config.steps,) or not trainer.step % config.validate_every
            if not (validates or trainer.step % report_every == 0):
                continue
            loss = torch.stack(losses).mean().item()
            if not math.isfinite(loss):
                raise OptionError(f"{config.name}: loss is {loss} at step {trainer.step}")
            if team.leads:
                on_progress(
                    CodecProgress(
                        step=trainer.step,
                        steps=config.steps,
                        loss=loss,
                        patches_per_second=len(losses) * config.batch / (time.monotonic() - since),
                        points=trainer.validate(held_back) if validates and held_back else (),
                    )
                )
                if validates or time.monotonic() - kept >= _KEEP_SECONDS:
                    _save(trainer, path)
                    kept = time.monotonic()
            losses, since = [], time.monotonic()
        if team.leads:
            _save(trainer, path)
        return path
    finally:
        team.leave()


def is_codec(path: Path) -> bool:
    """Whether a checkpoint is one of a codec.

    Raises:
        WeightsError: it cannot be read.
    """
    return read_stored(path)[0].get("version") == _VERSION


def load_codec(path: Path) -> CodecResult:
    """What a checkpoint's run came to.

    Raises:
        WeightsError: it cannot be read.
    """
    return _load(path)[0]


def _begin(trainer: CodecTrainer, path: Path, *, resume: bool, start: Path | None) -> None:
    config = trainer.config
    if resume:
        before, groups = _load(path)
        if {**asdict(before.config), "steps": 0} != {**asdict(config), "steps": 0}:
            raise OptionError(f"{path} belongs to a run with another config")
        if before.training_data != trainer.training_data:
            raise OptionError(
                f"{path} was trained on {', '.join(before.training_data)}, "
                f"got {', '.join(trainer.training_data)}"
            )
        trainer.commit = before.commit
        trainer.restore(before.step, groups)
    elif path.exists():
        raise OptionError(f"{path} is there already: --resume goes on from it")
    elif start is not None:
        before = load_codec(start)
        if before.config.name != config.start:
            raise OptionError(
                f"{config.name} starts from {config.start!r}, not {before.config.name!r}"
            )
        trainer.start_from(before.weights)
    elif config.start:
        raise OptionError(f"{config.name} starts from {config.start}: --start names its checkpoint")


def _fits(clip: Clip, config: CodecRun) -> bool:
    num_frames, height, width = clip.luma.shape
    return clip.has_chroma and num_frames >= config.frames and min(height, width) >= config.patch


def _is_hidden(name: str, parameter: Tensor) -> bool:
    """Filters between features, for Muon; whole numbers and ends are Adam's."""
    ends = ("head", "tail", "prior", "gains")
    return parameter.ndim == 4 and not any(part in ends for part in name.split("."))


def _save(trainer: CodecTrainer, path: Path) -> None:
    """Aside, and renamed: a kill leaves the old one whole."""
    tensors = {
        f"{group}.{name}": value.detach()
        .to("cpu", torch.float32)
        .clone(memory_format=torch.contiguous_format)
        for group, values in trainer.groups().items()
        for name, value in values.items()
    }
    header = {
        "version": _VERSION,
        "config": json.dumps(asdict(trainer.config)),
        "step": str(trainer.step),
        "training_data": json.dumps(trainer.training_data),
        "commit": trainer.commit,
    }
    aside = path.with_name(path.name + ".tmp")
    aside.write_bytes(save(tensors, metadata=header))
    os.replace(aside, path)


def _load(path: Path) -> tuple[CodecResult, dict[str, dict[str, Tensor]]]:
    header, tensors = read_stored(path)
    if header.get("version") != _VERSION:
        raise WeightsError(f"{path} is no checkpoint of a codec of version {_VERSION}")
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "ema": {}, "m": {}, "v": {}}
    try:
        for name, tensor in tensors.items():
            group, _, parameter = name.partition(".")
            groups[group][parameter] = tensor
        values: dict[str, Any] = json.loads(header["config"])
        values["network"] = CodecConfig(**values["network"])
        result = CodecResult(
            config=CodecRun(**values),
            step=int(header["step"]),
            training_data=tuple(json.loads(header["training_data"])),
            commit=header["commit"],
            weights=groups["ema"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is no checkpoint of this program: {error!r}") from error
    return result, groups
