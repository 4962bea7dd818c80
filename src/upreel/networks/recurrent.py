"""The recurrent network: answers refined along a clip, from its end and from its beginning.

Every frame is super-resolved alone first (`upreel.networks.fusion` tells why answers, and not
frames, are what is put together), or from the answers to the frames about it, by the temporal
adaptive network: what is carried along was moved with every frame, and follows one wrong reading
of a pattern for long, where a window reads it anew. One cell then goes through the clip backwards
and one forwards, each with the refined answer and the features of the frame that it comes from,
moved along the motion between the two: the answer at its own size, the features at the low
resolution. What the backward cell found is given to the forward one, whose answer is the
network's. Propagation in both directions after BasicVSR (Chan et al., CVPR 2021), an answer warped
at its size and folded back into channels after FRVSR (Sajjadi et al., CVPR 2018, section 3).

State  of a direction: features (B, C, H, W), the refined answer (B, s^2, H, W), and the level: what
       features of a flat picture would be, (C,). A scene begins with none: features and level of
       zero, and the frame's own first answer.

Flat stays flat: the first filters' weights over the answer sum to zero, other answers are seen as
differences from it, and what the cell would answer to a flat picture is subtracted, for which the
level goes along. Convolutions repeat border samples, so that this holds up to a frame's border and
no margin is needed beyond the first network's.

What is carried is bounded: features beyond `LARGEST_FEATURE` are cut off there, some three times
what trained cells use. So no scene, however long, ends in values that are not numbers. That the
states of long scenes stay useful has to be learned (`TrainConfig.around` and its stride 0).

Luma alone: (B, T, H, W) in [0, 1], in display order, H and W divisible by 16, to (B, T, s^2, H, W).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from upreel.networks.alignment import Interpolation, warp
from upreel.networks.fast import FastNetwork, ResidualPairs
from upreel.networks.fusion import make_branch, moved_answers
from upreel.networks.motion import ITERATIONS, cell_motion, enlarged_motion
from upreel.networks.sizes import CELL, NEAREST_FIRST
from upreel.networks.temporal_adaptive import TemporalAdaptiveNetwork

__all__ = [
    "LARGEST_FEATURE",
    "Aligned",
    "BackwardStep",
    "Cell",
    "FirstAnswer",
    "ForwardStep",
    "FusedAnswer",
    "Motion",
    "RecurrentNetwork",
    "Seen",
    "State",
    "moved",
    "seen_from",
]

LARGEST_FEATURE = 1.0


@dataclass(frozen=True, kw_only=True)
class State:
    """What goes from one frame to the next.

    Attributes:
        features: (B, C, H, W).
        answer: the refined one, (B, s^2, H, W).
        level: of features where the picture is flat, (C,).
    """

    features: Tensor
    answer: Tensor
    level: Tensor


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a step sees of a state on its frame's grid.

    Attributes:
        features: (B, C, H, W).
        difference: of the state's answer to the frame's own first one, (B, s^2, H, W).
        level: (C,).
    """

    features: Tensor
    difference: Tensor
    level: Tensor


def seen_from(answer: Float[Tensor, "B A H W"], state: State) -> Seen:
    """What a step with that first answer sees of a state."""
    return Seen(features=state.features, difference=state.answer - answer, level=state.level)


def moved(
    state: State, motion: Float[Tensor, "B 2 h w"], interpolation: Interpolation = "bilinear"
) -> State:
    """A state onto the current frame's grid.

    Args:
        state: as the frame before left it, or the one behind.
        motion: from the current frame to that one, `upreel.networks.motion.cell_motion`.
        interpolation: of its answer; features are moved bilinearly.
    """
    scale = int(state.answer.shape[1] ** 0.5)
    answer = warp(
        F.pixel_shuffle(state.answer, scale),
        scale * enlarged_motion(motion, scale * CELL),
        interpolation,
    )
    return State(
        features=warp(state.features, enlarged_motion(motion, CELL)),
        answer=F.pixel_unshuffle(answer, scale),
        level=state.level,
    )


class Cell(nn.Module):
    """One step of one direction.

    Args:
        scale: s.
        channels: features C.
        depth: convolutions from C to C, an even number.
        others: states of the other direction that it sees, 0 or 1.
    """

    def __init__(self, *, scale: int, channels: int, depth: int, others: int) -> None:
        super().__init__()
        self.each, self.channels = scale * scale, channels
        inputs = (2 + others) * self.each + (1 + others) * channels
        self.head = nn.Conv2d(inputs, channels, 3, padding=1, padding_mode="replicate")
        self.body = ResidualPairs(channels, depth, padding_mode="replicate")
        self.tail = nn.Conv2d(channels, self.each, 3, padding=1, bias=False)
        nn.init.zeros_(self.tail.weight)  # it begins by adding nothing

    def forward(self, answer: Float[Tensor, "B A H W"], *states: State) -> State:
        """The state behind a frame, from its first answer.

        Args:
            answer: to the frame alone.
            states: the one carried along, moved; then the other direction's of the same frame.
        """
        return self.step(answer, *(seen_from(answer, state) for state in states))

    def step(self, answer: Float[Tensor, "B A H W"], *seen: Seen) -> State:
        """As `forward`, from what it sees of the states."""
        head = self._head_weight()
        planes = [answer, *(each.difference for each in seen), *(each.features for each in seen)]
        padded = F.pad(torch.cat(planes, dim=1), (1, 1, 1, 1), mode="replicate")
        features = self.body(F.relu(F.conv2d(padded, head, self.head.bias)))
        features = self._bounded(features)
        assert self.head.bias is not None
        level = torch.cat([each.level for each in seen])
        flat = head[:, -len(level) :].sum(dim=(2, 3)) @ level + self.head.bias
        level = self._bounded(self.body.flat(flat))
        padded = F.pad(features, (1, 1, 1, 1), mode="replicate")
        detail = F.conv2d(padded, self.tail.weight, -(self.tail.weight.sum(dim=(2, 3)) @ level))
        return State(features=features, answer=answer + detail, level=level)

    def _bounded(self, features: Tensor) -> Tensor:
        """Cut off at the bound; its gradient is not, so that learning finds back from there."""
        bounded = features.clamp(-LARGEST_FEATURE, LARGEST_FEATURE)
        return features + (bounded - features).detach() if self.training else bounded

    def begin(self, answer: Float[Tensor, "B A H W"]) -> State:
        """The state that a scene begins with."""
        size = (answer.shape[0], self.channels, *answer.shape[2:])
        return State(
            features=answer.new_zeros(size), answer=answer, level=answer.new_zeros(self.channels)
        )

    def _head_weight(self) -> Float[Tensor, "C F 3 3"]:
        """First weights, over the answer less their mean."""
        own = self.head.weight[:, : self.each]
        own = own - own.mean(dim=(1, 2, 3), keepdim=True)
        return torch.cat((own, self.head.weight[:, self.each :]), dim=1)


class Aligned(nn.Module):
    """A state moved onto a frame, as a step sees it: what is exported, and computed in f32.

    Places and differences between pictures do not survive bf16: with them in it Vid4 lost 0.09 dB.

    Args:
        interpolation: see `moved`.
    """

    def __init__(self, interpolation: Interpolation) -> None:
        super().__init__()
        self.interpolation: Interpolation = interpolation

    def forward(
        self,
        answer: Float[Tensor, "B A H W"],
        motion: Float[Tensor, "B 2 h w"],
        features: Float[Tensor, "B C H W"],
        carried: Float[Tensor, "B A H W"],
    ) -> tuple[Tensor, Tensor]:
        """Features, and the difference of answers.

        Args:
            answer: to the frame alone.
            motion: from the frame to the one that the state comes from, as `moved` takes it.
            features: of the state.
            carried: its answer.
        """
        state = State(features=features, answer=carried, level=features.new_zeros(0))
        seen = seen_from(answer, moved(state, motion, self.interpolation))
        return seen.features, seen.difference


class BackwardStep(nn.Module):
    """A step of the backward direction with what it sees as tensors: what is exported."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(
        self,
        answer: Float[Tensor, "B A H W"],
        features: Float[Tensor, "B C H W"],
        difference: Float[Tensor, "B A H W"],
        level: Float[Tensor, " C"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The state of a frame: features, refined answer and level.

        Args:
            answer: to the frame alone.
            features: that `Aligned` gives; zeros where a scene begins.
            difference: beside them; zeros where a scene begins.
            level: of the state; zeros where a scene begins.
        """
        state = self.cell.step(answer, Seen(features=features, difference=difference, level=level))
        return state.features, state.answer, state.level


class ForwardStep(nn.Module):
    """A step of the forward direction with what it sees as tensors: what is exported."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(
        self,
        answer: Float[Tensor, "B A H W"],
        features: Float[Tensor, "B C H W"],
        difference: Float[Tensor, "B A H W"],
        level: Float[Tensor, " C"],
        features_behind: Float[Tensor, "B C H W"],
        difference_behind: Float[Tensor, "B A H W"],
        level_behind: Float[Tensor, " C"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `BackwardStep`; the last three are of the backward direction's state of the frame."""
        seen = Seen(features=features, difference=difference, level=level)
        behind = Seen(features=features_behind, difference=difference_behind, level=level_behind)
        state = self.cell.step(answer, seen, behind)
        return state.features, state.answer, state.level


class Motion(nn.Module):
    """`upreel.networks.motion.cell_motion` of one pair of frames: what is exported.

    Args:
        iterations: rounds at each level, the finest first.
    """

    def __init__(self, iterations: tuple[int, ...] = ITERATIONS) -> None:
        super().__init__()
        self.iterations: tuple[int, ...] = iterations

    def forward(
        self, current: Float[Tensor, "B 1 H W"], other: Float[Tensor, "B 1 H W"]
    ) -> Float[Tensor, "B 2 H/4 W/4"]:
        """From the current frame to the other one."""
        return cell_motion(current, other, self.iterations)[:, 0]


class FirstAnswer(nn.Module):
    """The network of one frame, which repeats the frame's border samples itself."""

    def __init__(self, first: nn.Module, margin: int) -> None:
        super().__init__()
        self.first, self.margin = first, margin

    def forward(self, frame: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B A H W"]:
        """The answer to each frame alone."""
        m = self.margin
        return self.first(F.pad(frame, (m, m, m, m), mode="replicate"))[..., m:-m, m:-m]


class FusedAnswer(nn.Module):
    """The temporal adaptive network from its first branch's answers on.

    It repeats border samples of what was moved itself.
    """

    def __init__(self, first: TemporalAdaptiveNetwork, margin: int) -> None:
        super().__init__()
        self.first, self.margin = first, margin

    def forward(
        self, answers: Float[Tensor, "B F H W"], motion: Float[Tensor, "B K h w"]
    ) -> Float[Tensor, "B A H W"]:
        """The answer to the current frame.

        Args:
            answers: to each frame of the window alone, the current frame's first, T s^2 channels.
            motion: from the current frame to each of the others, as `Motion` gives it,
                2 (T - 1) channels, a displacement for each cell.
        """
        m = self.margin
        each = answers.unflatten(1, (-1, self.first.scale**2))
        moved = moved_answers(each, motion.unflatten(1, (-1, 2)))
        return self.first.fused(F.pad(moved, (m, m, m, m), mode="replicate"))[..., m:-m, m:-m]


class RecurrentNetwork(nn.Module):
    """A network of one frame or of a window, and the cells that refine its answers.

    Args:
        first: values of that network's config.
        channels: features of each cell.
        depth: convolutions of each cell between its first and its last.
        interpolation: of answers that are moved.
    """

    def __init__(
        self,
        *,
        first: Mapping[str, Any],
        channels: int,
        depth: int,
        interpolation: Interpolation = "bilinear",
    ) -> None:
        super().__init__()
        self.interpolation: Interpolation = interpolation
        fuses = first["kind"] == "temporal_adaptive"
        single = first["branch"] if fuses else first
        scale: int = single["scale"]
        self.margin = int(single["depth"]) + 2 if single["kind"] == "fast" else 4
        self.window = NEAREST_FIRST[: 2 * int(first["branches"]) - 1] if fuses else (0,)
        self.first: nn.Module
        if fuses:
            values = {name: value for name, value in first.items() if name != "kind"}
            self.first = TemporalAdaptiveNetwork(**values)
            self.fused_margin = max(4, int(first["fusion"][1]) + 2)
        else:
            self.first = make_branch(first, 1)
        self.from_future = Cell(scale=scale, channels=channels, depth=depth, others=0)
        self.from_past = Cell(scale=scale, channels=channels, depth=depth, others=1)

    def forward(self, frames: Float[Tensor, "B T H W"]) -> Float[Tensor, "B T A H W"]:
        """Super-resolve the frames of one scene: about [0, 1], not clipped.

        Args:
            frames: in display order.
        """
        return self.both_ways(frames)[0]

    def both_ways(
        self, frames: Float[Tensor, "B T H W"], around: int = 0
    ) -> tuple[Float[Tensor, "B K A H W"], Float[Tensor, "B K A H W"]]:
        """The answers, and those of the backward direction, which saw no frame before theirs.

        Args:
            frames: in display order.
            around: so many at either end are gone through for the states' sake alone: they are not
                answered, and no gradient goes through them (truncated back-propagation).

        Returns:
            Both to the T - 2 `around` frames between.
        """
        to_future = self._motion(frames[:, :-1], frames[:, 1:])
        to_past = self._motion(frames[:, 1:], frames[:, :-1])
        answers = self._answers(frames, to_future, to_past).unbind(dim=1)
        last = len(answers) - 1
        learns = torch.is_grad_enabled()
        behind: list[State] = []
        for t in reversed(range(last + 1)):
            with torch.set_grad_enabled(learns and around <= t <= last - around):
                begun = self.from_future.begin(answers[t])
                carried = self._moved(behind[-1], to_future[t]) if behind else begun
                behind.append(self.from_future(answers[t], carried))
        refined: list[State] = []
        for t, answer in enumerate(answers[: last + 1 - around]):
            with torch.set_grad_enabled(learns and t >= around):
                begun = self.from_past.begin(answer)
                carried = self._moved(refined[-1], to_past[t - 1]) if refined else begun
                refined.append(self.from_past(answer, carried, behind[last - t]))
        answered = slice(around, last + 1 - around)
        return (
            torch.stack([state.answer for state in refined[answered]], dim=1),
            torch.stack([state.answer for state in behind[::-1][answered]], dim=1),
        )

    def _moved(self, state: State, motion: Float[Tensor, "B 2 h w"]) -> State:
        return moved(state, motion, self.interpolation)

    @staticmethod
    def _motion(
        frames: Float[Tensor, "B T H W"], others: Float[Tensor, "B T H W"]
    ) -> list[Float[Tensor, "B 2 H/4 W/4"]]:
        """From each frame to the other one of its number."""
        if frames.shape[1] == 0:
            return []
        here, there = (part.flatten(0, 1)[:, None] for part in (frames, others))
        return list(cell_motion(here, there)[:, 0].unflatten(0, (len(frames), -1)).unbind(dim=1))

    def first_answers(self, frames: Float[Tensor, "B T H W"]) -> Float[Tensor, "B T A H W"]:
        """What is refined: answers to each frame, of the frames about it where `first` sees them.

        Beyond either end of the scene its last frame stands.
        """
        to_future = self._motion(frames[:, :-1], frames[:, 1:])
        return self._answers(frames, to_future, self._motion(frames[:, 1:], frames[:, :-1]))

    def _answers(
        self, frames: Float[Tensor, "B T H W"], to_future: list[Tensor], to_past: list[Tensor]
    ) -> Float[Tensor, "B T A H W"]:
        """`first_answers`, with the motion to either neighbour."""
        count = frames.shape[1]
        alone = FirstAnswer(self._single(), self.margin)(frames.flatten(0, 1)[:, None])
        alone = alone.to(frames.dtype).unflatten(0, (-1, count))
        if not isinstance(self.first, TemporalAdaptiveNetwork):
            return alone
        here = torch.arange(count)
        nothing = frames.new_zeros(len(frames), 2, *(side // CELL for side in frames.shape[2:]))
        known = {1: [*to_future, nothing], -1: [nothing, *to_past]}
        windows, motions = [alone], []
        for offset in self.window[1:]:
            there = (here + offset).clamp(0, count - 1)
            found = known.get(offset) or self._motion(frames, frames[:, there])
            windows.append(alone[:, there])
            motions.append(torch.stack(found, dim=1))
        answers = torch.cat(windows, dim=2).flatten(0, 1)
        fused = FusedAnswer(self.first, self.fused_margin)
        motion = torch.cat(motions, dim=2).flatten(0, 1)
        return fused(answers, motion).to(frames.dtype).unflatten(0, (-1, count))

    def _single(self) -> nn.Module:
        """The network of one frame."""
        first = self.first
        return first.branches[0] if isinstance(first, TemporalAdaptiveNetwork) else first

    def cells(self) -> dict[str, nn.Module]:
        """What it is run as, by the names of `RecurrentConfig.cells`, ready for export."""
        first, fused = self.first, {}
        if isinstance(first, TemporalAdaptiveNetwork):
            whole = first.folded()
            fused = {"fused": FusedAnswer(whole, self.fused_margin).eval()}
            first = whole.branches[0]
        elif isinstance(first, FastNetwork):
            first = first.folded()
        return {
            "first": FirstAnswer(first, self.margin).eval(),
            **fused,
            "motion": Motion().eval(),
            "aligned": Aligned(self.interpolation).eval(),
            "from_future": BackwardStep(self.from_future).eval(),
            "from_past": ForwardStep(self.from_past).eval(),
        }
