"""The training loop: steps that depend on nothing but the config, the data and the step number."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.datasets.patches import Pair, Place, draw_places
from upreel.errors import OptionError
from upreel.networks.baselines import Espcn, Srcnn
from upreel.networks.branches import merged, with_branches
from upreel.networks.build import build_network
from upreel.networks.encoder_decoder import EncoderDecoder
from upreel.networks.fast import FastNetwork
from upreel.networks.frame_recurrent import FrameRecurrentNetwork
from upreel.networks.planes import channels_last, pack
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.networks.recurrent import RecurrentNetwork
from upreel.networks.sizes import CHANNELS
from upreel.training.checkpoint import (
    Checkpoint,
    Result,
)
from upreel.training.config import TrainConfig
from upreel.training.distill import Lessons, Teacher
from upreel.training.losses import total_loss
from upreel.training.optimizer import MuonAdam
from upreel.training.samples import ClipsInMemory, TensorBatch, clips_on, there_and_back
from upreel.training.team import Team
from upreel.training.validation import score

__all__ = ["Trainer"]


class Trainer:
    """A network, its average and its optimiser, somewhere along a run.

    Args:
        config: of the run.
        pairs: training material.
        device: "cpu", "cuda" or "cuda:N".
        team: the processes that share each step's patches.
        teacher: of a run with a distillation, whose pairs were taught by it.

    Raises:
        OptionError: there is a teacher without a distillation or the other way round, or their
            features cannot be compared.
    """

    def __init__(
        self,
        config: TrainConfig,
        pairs: Sequence[Pair],
        *,
        device: str = "cpu",
        team: Team = Team(),  # noqa: B008 - it is frozen
        teacher: Teacher | None = None,
    ) -> None:
        if (teacher is None) != (config.distillation is None):
            lacking = "learns from a teacher" if teacher is None else "has nothing from a teacher"
            raise OptionError(f"{config.name} {lacking}: upreel distill is for runs that do")
        torch.manual_seed(config.seed)
        self.config = config
        self.team = team
        self.taught_by = teacher.label if teacher else ""
        self.pairs = pairs
        self.device = torch.device(device)
        self._clips = clips_on(self.device, pairs)
        self.step = 0
        self.network: nn.Module = build_network(asdict(config.network)).to(self.device)
        if config.branches:
            with_branches(self.network)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._lessons = teacher and Lessons(config, self.network, teacher, self.device)
        for part in config.frozen:
            _submodule(self.network, config.name, part).requires_grad_(requires_grad=False)
        self.ema: dict[str, Tensor] = {
            k: v.detach().clone() for k, v in self.network.state_dict().items()
        }
        self.optimizer: torch.optim.Optimizer
        if config.optimizer == "muon":
            self.optimizer = MuonAdam(
                self.network.named_parameters(), hidden=_is_hidden, lr=config.learning_rate
            )
        else:
            self.optimizer = torch.optim.Adam(
                self.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)
            )
        self._bf16 = self.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]

    def learning_rate(self, step: int) -> float:
        """Linear rise over the warm-up, then a cosine to one hundredth of the peak."""
        config = self.config
        rise = min(1.0, (step + 1) / max(config.warmup, 1))
        cosine = 0.5 * (1 + math.cos(math.pi * step / config.steps))
        return config.learning_rate * rise * (0.01 + 0.99 * cosine)

    def learn(self) -> Tensor:
        """Gradients of the present step, which is not taken; its loss, still on the device."""
        config = self.config
        places = self._places()
        batch = self._clips.cut(places, scale=config.network.scale, patch=config.patch)
        inputs, target, weight = self._tensors(batch)
        taught = self._taught(batch)
        if config.jitter:
            inputs, target, taught = self._jittered(places, inputs, target, taught)
        inputs = self._windows(inputs)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
            answer, *others = self._answers(inputs)
        loss = self._loss(answer, target, weight)
        for other in others:
            loss = loss + config.backward * self._loss(other, target, weight)
        if self._lessons is not None:
            loss = loss + self._lessons.loss(answer, taught, inputs)
        auxiliary = self._auxiliary_loss()
        if auxiliary is not None:
            loss = loss + config.auxiliary * auxiliary
        loss.backward()
        loss = loss.detach()
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        self.team.average([*gradients, *self._running(), loss])
        return loss

    def train_step(self) -> Tensor:
        """One optimiser step; returns its loss, still on the device."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        loss = self.learn()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        # A step by such gradients has ended the run, whatever the loss before it was.
        loss = torch.where(norm.isfinite(), loss, math.nan)
        self.optimizer.step()
        self.step += 1
        # A young average follows quickly, so that the first validations already mean something.
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.ema[name].lerp_(value, 1 - decay)
                else:
                    self.ema[name].copy_(value)
        return loss

    def _loss(self, answer: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        config = self.config
        inner = (..., *[slice(config.border, -config.border or None)] * 2)
        return total_loss(
            config.losses,
            answer[inner],
            target[inner],
            weight,
            scale=config.network.scale,
            layout=config.network.layout,
        )

    def _answers(self, inputs: Tensor) -> list[Tensor]:
        """What the network answers, the frames of sequences one behind the other.

        Then what its backward direction does, if that counts.
        """
        config = self.config
        if isinstance(self.network, FrameRecurrentNetwork | QuantizedStepNetwork):
            order = there_and_back(config.sequence, range(-self.around, config.sequence))
            return [self.network.answers(inputs[:, order], self.around).flatten(0, 1)]
        if not isinstance(self.network, RecurrentNetwork):
            return [self.network(inputs)]
        order = there_and_back(config.sequence, range(-self.around, config.sequence + self.around))
        both = self.network.both_ways(inputs[:, order], self.around)
        return [answers.flatten(0, 1) for answers in both[: 2 if config.backward else 1]]

    @property
    def around(self) -> int:
        """Frames around its sequences that the present step goes through, `TrainConfig.around`."""
        random = np.random.default_rng([self.config.seed, self.step, 2])
        return int(random.integers(self.config.around + 1))

    def _places(self) -> Sequence[Place]:
        """Where this process cuts the patches of the present step."""
        config = self.config
        places = draw_places(
            self.pairs,
            offsets=config.seen,
            size=config.batch,
            patch=config.patch,
            seed=config.seed,
            step=self.step,
            targets=config.answered,
            strides=config.strides,
            jitter=config.jitter,
            turns=config.turns,
            lag=config.network.scale - 1 if config.network.answer_phase == "first" else 0,
        )
        return self.team.share(places)

    def _windows(self, inputs: Tensor) -> Tensor:
        """What the network is given for each of the frames that it answers, (B K, n T, h, w)."""
        config = self.config
        if config.sequence or len(config.answered) == 1:
            return inputs
        frames = inputs.unflatten(1, (len(config.seen), -1))
        offsets = config.network.offsets
        places = [[config.seen.index(k + offset) for offset in offsets] for k in config.answered]
        return channels_last(frames[:, places].flatten(2, 3).flatten(0, 1))

    def _taught(self, batch: TensorBatch) -> Tensor:
        """The teacher's luma, (B K, 1, s h, s w); of nothing where there is none."""
        if batch.taught is None:
            return torch.zeros(len(batch.high_luma), 1, 0, 0, device=self.device)
        return batch.taught.to(self.device).float().div_(255).flatten(0, 1)[:, None]

    def _jittered(
        self, places: Sequence[Place], inputs: Tensor, *answers: Tensor
    ) -> tuple[Tensor, ...]:
        """All with the contrast and the brightness that each patch was given."""
        changes = torch.tensor([(place.gain, place.offset) for place in places])
        gain, offset = changes.to(self.device)[:, :, None, None, None].unbind(dim=1)
        frames = (answer.unflatten(0, (len(places), -1)) for answer in answers)
        changed = ((each * gain[:, None] + offset[:, None]).flatten(0, 1) for each in frames)
        return inputs * gain + offset, *changed

    @property
    def cuts_on_device(self) -> bool:
        """Whether the clips are where the network is, and not in the CPU's memory."""
        return not isinstance(self._clips, ClipsInMemory)

    def _running(self) -> list[Tensor]:
        """What batch norm keeps of the patches it saw."""
        kept = self.network.state_dict(keep_vars=True)
        return [
            value
            for value in kept.values()
            if value.is_floating_point() and not isinstance(value, nn.Parameter)
        ]

    def _auxiliary_loss(self) -> Tensor | None:
        """What the network itself adds to the loss, from its last forward pass."""
        own = getattr(self.network, "auxiliary_loss", None)
        return own() if callable(own) else None  # pyright: ignore[reportReturnType]

    def _tensors(self, batch: TensorBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Input (B, n T, h, w), target (B K, n s^2, h, w), weight (B K, n s^2, 1, 1).

        n is 6 of packed planes, 1 of luma; K frames are to be answered.
        """
        scale = self.config.network.scale

        def values(samples: Tensor) -> Tensor:
            return samples.to(self.device).float().div_(255)

        if self.config.network.layout == "luma":
            inputs = channels_last(values(batch.low_luma))
            luma = F.pixel_unshuffle(values(batch.high_luma).flatten(0, 1)[:, None], scale)
            return inputs, luma, torch.ones(*luma.shape[:2], 1, 1, device=self.device)
        low = [
            pack(values(batch.low_luma[:, k : k + 1]), values(batch.low_chroma[:, k]))
            for k in range(batch.low_luma.shape[1])
        ]
        inputs = channels_last(torch.cat(low, dim=1))
        luma = F.pixel_unshuffle(values(batch.high_luma).flatten(0, 1)[:, None], 2 * scale)
        chroma = F.pixel_unshuffle(values(batch.high_chroma).flatten(0, 1), scale)
        chroma_weight = batch.chroma_weight.to(self.device) * self.config.chroma
        chroma_weight = chroma_weight.repeat_interleave(len(luma) // len(chroma_weight))
        weight = torch.cat(
            (
                torch.ones(luma.shape[:2], device=self.device),
                chroma_weight[:, None].expand(chroma.shape[:2]),
            ),
            dim=1,
        )[:, :, None, None]
        return inputs, torch.cat((luma, chroma), dim=1), weight

    def validate(self, pairs: Sequence[Pair]) -> tuple[dict[str, float], dict[str, float]]:
        """Mean Y-PSNR in dB by source: of the average weights, and of bicubic interpolation."""
        network = build_network(asdict(self.config.network)).to(self.device).eval()
        network.load_state_dict(merged(self.ema))
        return score(network, self.config.network, pairs, self.device)

    def checkpoint(self, training_data: tuple[str, ...], commit: str) -> Checkpoint:
        """All that the run needs to go on exactly."""
        moments = {k: self.optimizer.state.get(p, {}) for k, p in self.network.named_parameters()}
        zero = {k: torch.zeros_like(p) for k, p in self.network.named_parameters()}
        return Checkpoint(
            config=self.config,
            step=self.step,
            training_data=training_data,
            commit=commit,
            network=self.network.state_dict(),
            ema=self.ema,
            first_moment={k: m.get("exp_avg", zero[k]) for k, m in moments.items()},
            second_moment={k: m.get("exp_avg_sq", zero[k]) for k, m in moments.items()},
            teacher=self.taught_by,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same config."""
        self.network.load_state_dict(dict(checkpoint.network))
        self.taught_by = checkpoint.teacher
        self.ema = {k: v.to(self.device).clone() for k, v in checkpoint.ema.items()}
        self.step = checkpoint.step
        if self.step:
            for name, parameter in self.network.named_parameters():
                like = torch.empty_like(parameter)
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": like.copy_(checkpoint.first_moment[name]).clone(),
                    "exp_avg_sq": like.copy_(checkpoint.second_moment[name]).clone(),
                }

    def start_from(self, ema: dict[str, Tensor]) -> list[str]:
        """Take over the weights of another run where names and shapes fit; returns the rest.

        First filters of fewer frames fit too, widened as the config's `inflate` says: the network
        begins as what it was, on any clip by "zeros" and on a still one by "mean".
        """
        left: list[str] = []
        with torch.no_grad():
            for name, own in self.network.state_dict().items():
                found = ema.get(name)
                each = self._channels_of_a_frame(name)
                if found is not None and each:
                    found = _widened(found, own.shape[1], each, self.config.inflate)
                if found is not None and found.shape == own.shape:
                    own.copy_(found)
                    self.ema[name].copy_(found)
                else:
                    left.append(name)
        return left

    def _channels_of_a_frame(self, name: str) -> int:
        """Of first filters that see frames side by side; 0 of all other weights."""
        owner, _, rest = f".{name}".rpartition(".head.")
        if rest != "weight":
            return 0
        kinds = FastNetwork | Espcn | Srcnn | EncoderDecoder
        sees_frames = isinstance(self.network.get_submodule(owner[1:]), kinds)
        return CHANNELS[self.config.network.layout] if sees_frames else 0

    def start_from_runs(self, results: Sequence[Result]) -> list[str]:
        """Take over the results of the runs that the config's `starts` names, in that order.

        Returns:
            What begins afresh, because no result fits it: names of weights.

        Raises:
            OptionError: another number of them or other runs, a part that the network does not
                have or that its result does not fill, or a result of which nothing fits.
        """
        config = self.config
        if config.parts and len(results) != len(config.starts):
            raise OptionError(
                f"{config.name} starts from {len(config.starts)} results "
                f"({', '.join(config.starts)}), got {len(results)}"
            )
        if not config.parts and len(results) > 1:
            raise OptionError(f"{config.name} starts from one result, got {len(results)}")
        for wanted, result in zip(config.starts, results, strict=False):
            if result.name != wanted:
                raise OptionError(
                    f"{config.name} starts from the result of {wanted}, got that of {result.name}"
                )
        prefixes = [*([""] if config.start or not config.parts else [])]
        prefixes += [f"{part}." for part, _ in config.parts]
        gathered: dict[str, Tensor] = {}
        for prefix, result in zip(prefixes, results, strict=True):
            _submodule(self.network, config.name, prefix[:-1])
            gathered |= {f"{prefix}{name}": tensor for name, tensor in result.weights.items()}
        taught = dict.fromkeys([self.taught_by, *(result.teacher for result in results)])
        self.taught_by = ", ".join(filter(None, taught))
        left = self.start_from(gathered)
        for part, run in config.parts:
            if lacking := [name for name in left if name.startswith(f"{part}.")]:
                raise OptionError(
                    f"{config.name}: the result of {run} does not fit its part {part}: "
                    + ", ".join(lacking)
                )
        if len(left) == len(self.ema):
            raise OptionError(f"{config.name}: nothing of {results[0].name} fits its network")
        return left


def _submodule(network: nn.Module, run: str, part: str) -> nn.Module:
    """A part by its name, the whole network by none."""
    try:
        return network.get_submodule(part)
    except AttributeError:
        raise OptionError(f"{run} has no part {part!r}") from None


def _widened(head: Tensor, channels: int, each: int, inflate: str) -> Tensor:
    """First filters for more frames: unseen ones at zero, or all with their mean over time."""
    if head.shape[1] >= channels:
        return head
    if inflate == "zeros":
        return F.pad(head, (0, 0, 0, 0, 0, channels - head.shape[1]))
    frames = channels // each
    return head.unflatten(1, (-1, each)).sum(dim=1).repeat(1, frames, 1, 1) / frames


def _is_hidden(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a filter from hidden features to hidden features."""
    return parameter.ndim == 4 and not {"head", "tail"} & set(name.split("."))
