"""Distillation: a network learns what another one answers, beside the truth.

The truth has detail that no small network can find again; what a large network made of the same
input is nearer to what can be learned (Hinton, Vinyals and Dean, Distilling the Knowledge in a
Neural Network, 2015). A teacher goes through whole clips once, before the run; its answers are
planes like those of the truth, and patches of both are cut at the same places. On disk they are
found again by any run with the same teacher and the same material.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair
from upreel.degradation.degrade import shrink
from upreel.errors import OptionError
from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.networks.planes import luma_of
from upreel.training.checkpoint import load_checkpoint, load_result
from upreel.training.config import Distillation, TrainConfig
from upreel.training.losses import total_loss
from upreel.training.turning import mean_answer
from upreel.training.validation import answers_to_frames
from upreel.zoo import NetworkConfig, load_card

__all__ = ["Lessons", "Teacher", "load_teacher", "taught_pairs"]

_RIDGE = 1e-6  # of the mean square of the student's features


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A network that others learn from.

    Attributes:
        name: of the model or the run.
        config: its architecture.
        weights: f32 by parameter name.
        ensemble: whether it answers a picture turned over in all eight ways, and averages.
    """

    name: str
    config: NetworkConfig
    weights: Mapping[str, Tensor]
    ensemble: bool = False

    def network(self, device: torch.device) -> nn.Module:
        """Ready to answer."""
        network = build_network(asdict(self.config)).eval().requires_grad_(requires_grad=False)
        network.load_state_dict(dict(self.weights))
        return network.to(device)

    @property
    def label(self) -> str:
        """What weights that learned from it say of it: its name, how it answers, who it is."""
        ways = " in eight ways" if self.ensemble else ""
        return f"{self.name}{ways} ({self.identity().hex()[:12]})"

    def identity(self) -> bytes:
        """What two teachers have in common that answer the same."""
        digest = hashlib.sha256(repr((self.config, self.ensemble)).encode())
        for name, tensor in sorted(self.weights.items()):
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return digest.digest()


def load_teacher(name: str, *, scale: int, ensemble: bool = False) -> Teacher:
    """A teacher from a bundled model, a card or a checkpoint.

    Args:
        name: of a model, or the path of a card (``.json``) or a checkpoint (``.ckpt``).
        scale: of the student.
        ensemble: see `Teacher`.

    Raises:
        UnknownModelError: there is none.
        WeightsError: it cannot be read.
        OptionError: it is of another scale, or there is no ensemble of it.
    """
    if name.endswith(".ckpt"):
        run = load_checkpoint(Path(name))
        teacher = Teacher(
            name=run.config.name, config=run.config.network, weights=run.result, ensemble=ensemble
        )
    else:
        card = load_card(name)
        weights = load_result(card.folder / f"{card.name}.safetensors").weights
        teacher = Teacher(name=card.name, config=card.network, weights=weights, ensemble=ensemble)
    if teacher.config.scale != scale:
        raise OptionError(
            f"the teacher {teacher.name} is x{teacher.config.scale}, the student x{scale}"
        )
    if ensemble and teacher.config.layout != "luma":
        raise OptionError(f"an ensemble is for networks of luma, {teacher.name} is packed")
    if ensemble and teacher.config.answer_phase != "centred":
        raise OptionError(f"an ensemble is for answers centred on the frame, not {teacher.name}'s")
    return teacher


def taught_pairs(
    pairs: Sequence[Pair],
    teacher: Teacher,
    distillation: Distillation,
    *,
    folder: Path | None,
    device: torch.device,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Pair]:
    """The pairs with what the teacher answers, luma like that of `Pair.high`.

    Args:
        pairs: material.
        teacher: whose answers.
        distillation: says what it is given.
        folder: where answers are kept and found again; None keeps them in memory.
        device: where the teacher works.
        on_progress: told how many pairs are done, and of how many.
    """
    identity = teacher.identity()
    network: nn.Module | None = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    answered: dict[str, npt.NDArray[np.uint8]] = {}
    found: list[Pair] = []
    for number, pair in enumerate(pairs):
        on_progress(number, len(pairs))
        given = pair.low
        if distillation.given == "clean":
            planes = shrink(pair.high.luma, pair.high.chroma, teacher.config.scale, "bicubic")
            given = replace(given, luma=planes[0], chroma=planes[1])
        digest = hashlib.sha256(identity + repr(given.luma.shape).encode())
        digest.update(given.luma.tobytes())
        digest.update(given.chroma.tobytes())
        key = digest.hexdigest()
        path = folder / f"{key}.npy" if folder is not None else None
        if path is not None and path.exists():
            answered[key] = np.load(path, mmap_mode="r")
        if key not in answered:
            network = network or teacher.network(device)
            answered[key] = _answers(network, teacher, given, device)
            if path is not None:
                # The process's own name: others may be at the same clip.
                aside = path.with_name(f"{key}.{os.getpid()}.tmp")
                with aside.open("wb") as file:
                    np.save(file, answered[key])
                os.replace(aside, path)
                answered[key] = np.load(path, mmap_mode="r")
        found.append(replace(pair, taught=answered[key]))
    on_progress(len(pairs), len(pairs))
    return found


@torch.no_grad()
def _answers(
    network: nn.Module, teacher: Teacher, clip: Clip, device: torch.device
) -> npt.NDArray[np.uint8]:
    """Luma of all frames, (T, s H, s W)."""
    config = teacher.config

    def answer(frames: Tensor) -> Tensor:
        if not teacher.ensemble:
            return network(frames)
        return torch.stack([mean_answer(network, each, config.scale) for each in frames])

    lumas = [
        luma_of(answers, config.scale, config.layout)[:, 0]
        for answers in answers_to_frames(answer, config, clip, device)
    ]
    return torch.cat(lumas).mul(255).round().clamp(0, 255).to("cpu", torch.uint8).numpy()


class Lessons:
    """What a teacher adds to the loss of a student.

    Args:
        config: of the run, with a distillation.
        student: the network that learns.
        teacher: works along if features are compared.
        device: of both.

    Raises:
        OptionError: their answers lie elsewhere, or features of these two cannot be compared.
    """

    def __init__(
        self, config: TrainConfig, student: nn.Module, teacher: Teacher, device: torch.device
    ) -> None:
        assert config.distillation is not None
        self._config = config
        self._weights = config.distillation
        self._teacher: nn.Module | None = None
        self._features: dict[str, Tensor] = {}
        phase = config.network.answer_phase if self._weights.given == "input" else "centred"
        if teacher.config.answer_phase != phase:
            raise OptionError(
                f"answers of {teacher.name} are {teacher.config.answer_phase}, "
                f"{config.name} wants them {phase}"
            )
        if not self._weights.features:
            return
        self._teacher = teacher.network(device)
        for role, network in (("student", student), ("teacher", self._teacher)):
            if not isinstance(network, FastNetwork):
                raise OptionError(
                    f"features are compared of networks of kind fast, the {role} is of kind "
                    f"{(config.network if role == 'student' else teacher.config).kind}"
                )
            network.body.register_forward_hook(self._keeps(role))
        own, other = config.network, teacher.config
        if (own.layout, own.offsets) != (other.layout, other.offsets):
            raise OptionError(
                f"features are compared of networks that see the same: {teacher.name} sees "
                f"{other.layout} of frames {other.offsets}, "
                f"the student {own.layout} of {own.offsets}"
            )

    def _keeps(self, role: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(_module: nn.Module, _given: tuple[Tensor, ...], features: Tensor) -> None:
            self._features[role] = features

        return keep

    def loss(
        self,
        answer: Float[Tensor, "N C h w"],
        taught: Float[Tensor, "N 1 H W"],
        inputs: Float[Tensor, "N F h w"],
    ) -> Tensor:
        """To be added to that of the truth, behind the student's own pass.

        Args:
            answer: the student's, the frames of a patch one behind the other.
            taught: the teacher's luma in [0, 1].
            inputs: what the student was given.
        """
        scale, layout = self._config.network.scale, self._config.network.layout
        border = self._config.border
        inner = slice(border, -border or None)
        luma = luma_of(answer[..., inner, inner], scale, layout).float()
        block = scale * (2 if layout == "packed" else 1)
        inner = slice(block * border, -block * border or None)
        taught = taught[..., inner, inner]
        total = luma.new_zeros(())
        if self._weights.output:
            ones = luma.new_ones(1, 1, 1, 1)
            term = total_loss(self._config.losses, luma, taught, ones, scale=1, layout="luma")
            total = total + self._weights.output * term
        if self._weights.temporal:
            frames = len(self._config.answered)
            own, other = (p.unflatten(0, (-1, frames)).diff(dim=1) for p in (luma, taught))
            total = total + self._weights.temporal * (own - other).square().mean()
        if self._teacher is not None:
            with torch.no_grad():
                self._teacher(inputs)
            own, other = (self._features.pop(role).float() for role in ("student", "teacher"))
            total = total + self._weights.features * unexplained(own, other)
        return total


def unexplained(
    features: Float[Tensor, "N C h w"], wanted: Float[Tensor, "N D h w"]
) -> Float[Tensor, ""]:
    """The share of the wanted features' variance that no 1x1 convolution finds in the others.

    The best convolution for these very features comes from least squares, so that none has to be
    trained, kept or resumed.
    """
    columns = features.movedim(1, -1).flatten(0, -2)
    goal = wanted.movedim(1, -1).flatten(0, -2)
    columns = columns - columns.mean(dim=0)
    goal = goal - goal.mean(dim=0)
    with torch.no_grad():
        known = columns.double()
        square = known.T @ known
        ridge = _RIDGE * square.diagonal().mean().clamp(min=1e-12)
        square.diagonal().add_(ridge)
        convolution = torch.linalg.solve(square, known.T @ goal.double()).float()
    return F.mse_loss(columns @ convolution, goal) / goal.square().mean().clamp(min=1e-12)
