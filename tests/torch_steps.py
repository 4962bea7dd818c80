"""A small frame-recurrent network's step and motion by PyTorch: no file, no engine."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch  # noqa: TID253
import torch.nn.functional as F  # noqa: TID253
from small_cards import CONFIGS, with_random_weights

from upreel.degradation.resample import resample
from upreel.inference import FrameRecurrentUpscaler
from upreel.inference.engine import Batch, EngineReport, Values
from upreel.inference.frame_recurrent import StepNetwork
from upreel.inference.picture import Planes
from upreel.networks.frame_recurrent import (
    FrameRecurrentNetwork,
    FrameStep,
    motion_to_past,
    moved,
)
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.networks.recurrent import Motion
from upreel.video.frame import Plane
from upreel.zoo import FrameRecurrentConfig, ModelCard

WIDTH, HEIGHT = 45, 37  # no multiples of anything
_CONFIG = CONFIGS["frame-recurrent"]
CARD = ModelCard(
    name="frame-recurrent", summary="", network=_CONFIG, training_data=(), degradation="",
    licence="", steps=0, commit="", sha256="", tolerance={"f32": 1.0},
)  # fmt: skip


def card_of(scale: int) -> ModelCard:
    """`CARD` of another scale."""
    assert isinstance(CARD.network, FrameRecurrentConfig)
    return replace(CARD, network=replace(CARD.network, scale=scale))


def step_network(card: ModelCard = CARD) -> FrameRecurrentNetwork:
    """A card's network with random weights."""
    network = with_random_weights(card.network)
    assert isinstance(network, FrameRecurrentNetwork)
    return network


class TorchSteps:
    """What is opened for each size; runs out of memory where a test wants it to.

    Args:
        fails: whether a call fails, by its number: all of `submit`, `wait` and `run` count.
        card: whose network it is.
    """

    def __init__(
        self, fails: Callable[[int], bool] = lambda _call: False, card: ModelCard = CARD
    ) -> None:
        network = step_network(card)
        self.step, self.motion = FrameStep(network).eval(), Motion(network.iterations)
        self.fails = fails
        self.opened: list[tuple[int, int]] = []
        self.calls = 0

    def open(
        self, _card: ModelCard, height: int, width: int, *, bits: int, **_options: object
    ) -> StepNetwork:
        self.opened.append((height, width))
        return StepNetwork(session=_Session(self, (height, width), bits), cells=self, multiple=16)

    def called(self) -> None:
        self.calls += 1
        if self.fails(self.calls):
            raise MemoryError("no more")

    def run(self, cell: str, *inputs: Values) -> tuple[Values, ...]:
        """Motion, of frames that it takes."""
        self.called()
        assert cell == "motion"
        assert all(side % 16 == 0 for values in inputs for side in values.shape[2:])
        with torch.no_grad():
            return (self.motion(*(torch.from_numpy(values) for values in inputs)).numpy(),)

    def describe(self) -> EngineReport:
        raise AssertionError


class _Session:
    """Nothing is computed before it is waited for, from what the batch holds then."""

    depth = 1

    def __init__(self, steps: TorchSteps, size: tuple[int, int], bits: int) -> None:
        self._steps, self._size = steps, size
        self._limit = np.float32((1 << bits) - 1)
        self._waiting: deque[Batch] = deque()

    def submit(self, batch: Batch, state: object = None) -> None:
        self._steps.called()
        assert not self._waiting
        assert batch.shape[1:3] == self._size
        self._waiting.append(batch)

    def wait(self) -> tuple[Batch, None]:
        batch = self._waiting.popleft()
        self._steps.called()
        seen = torch.from_numpy(batch.transpose(0, 3, 1, 2).astype(np.float32) / self._limit)
        with torch.no_grad():
            answer = self._steps.step(seen).permute(0, 2, 3, 1).contiguous().numpy()
        levels = np.clip(answer * self._limit + np.float32(0.5), 0, self._limit)
        return levels.astype(batch.dtype), None

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, None]:
        self.submit(batch)
        return self.wait()

    def drop(self) -> None:
        self._waiting.clear()

    def describe(self) -> EngineReport:
        raise AssertionError


def by_hand(
    network: FrameRecurrentNetwork | QuantizedStepNetwork, lumas: Sequence[Plane], bits: int = 8
) -> list[np.ndarray]:
    """Answers to the frames of one scene, (s H, s W) levels, not rounded: the slow twin.

    All of a picture at once; what is carried is whole levels of its depth. It begins with the
    interpolation of `resample`, from which the network's own differs as its weights are rounded.
    """
    plain = network.network if isinstance(network, QuantizedStepNetwork) else network
    limit, (rows, columns) = (1 << bits) - 1, lumas[0].shape
    borders = ((0, -rows % 4), (0, -columns % 4))
    padded = np.stack([np.pad(luma, borders, mode="edge") for luma in lumas])
    frames = torch.from_numpy(padded[None].astype(np.float32) / np.float32(limit))

    def in_levels(values: torch.Tensor) -> torch.Tensor:
        return (values.clamp(0, 1) * limit + 0.5).floor() / limit

    found: list[np.ndarray] = []
    with torch.no_grad():
        motion = motion_to_past(frames, plain.iterations)
        size = (plain.scale * frames.shape[2], plain.scale * frames.shape[3])
        begun = torch.from_numpy(resample(padded[0], *size, kernel="bicubic").round())
        answer = F.pixel_unshuffle(begun[None, None].clamp(0, limit) / limit, plain.scale)
        features = frames.new_zeros(1, plain.carried, *frames.shape[2:])
        for t in range(len(lumas)):
            if t:
                answer, features = moved(in_levels(answer), in_levels(features), motion[:, t - 1])
            seen = torch.cat((frames[:, t : t + 1], answer, features), dim=1)
            answer, features = network.step(seen)
            luma = F.pixel_shuffle(answer, plain.scale)[0, 0].numpy() * limit
            found.append(luma[: plain.scale * rows, : plain.scale * columns])
    return found


def enlarged(
    made: FrameRecurrentUpscaler, scenes: Sequence[Sequence[Planes]], depth: int = 2
) -> list[Planes]:
    """All frames, as many as that in flight."""
    found: list[Planes] = []
    waiting = 0
    for scene in scenes:
        made.reset()
        for planes in scene:
            if waiting == depth:
                found.append(made.collect())
                waiting -= 1
            made.submit([planes])
            waiting += 1
    return found + [made.collect() for _ in range(waiting)]
