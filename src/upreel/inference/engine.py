"""What every engine gives: sessions that take and return code values, channels last.

Batches  uint8 (8 bits) or uint16 (more) of shape (B, H, W, C): the network's grid with its
         margins, and the C channels of `upreel.networks.planes`, frames in the order of the
         card's `network.offsets`. Engines scale by 2^bits - 1, round and clip themselves.
State    opaque to callers: what a session returned for the frame before, or None.

A recurrent network is run as `Cells`: float32 arrays as its cells take and give them.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from upreel.errors import BackendUnavailableError
from upreel.networks.sizes import CHANNELS
from upreel.zoo import ModelCard

__all__ = [
    "Batch",
    "Cells",
    "DeviceInfo",
    "EngineReport",
    "Session",
    "SessionRequest",
    "Values",
    "own_threads",
    "report_of",
]

Batch = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """A device that networks can run on here.

    Attributes:
        device: what ``--device`` takes.
        engine: package that runs it.
        name: of the hardware, as the engine says.
        precisions: that it offers, the default first.
        reason: why the default precision is what it is.
    """

    device: str
    engine: str
    name: str
    precisions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class EngineReport:
    """What runs, and why: shown in every summary.

    Attributes:
        engine: package and version.
        device: as in `DeviceInfo`.
        name: of the hardware.
        precision: arithmetic of the convolutions.
        threads: of the engine; 0 where it has no such notion.
        reason: why this device and precision.
    """

    engine: str
    device: str
    name: str
    precision: str
    threads: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """All that an engine needs to open a session.

    Attributes:
        card: the model.
        height: rows of the network's grid, margins counted.
        width: columns of it.
        bits: significant bits of the code values, 8 to 16.
        batch: B.
        precision: one of the device's, not "auto".
        device: one of `available_devices()`.
        threads: 0 for all that this process may use.
        reason: why it is not the device's default precision; "" where it is.
    """

    card: ModelCard
    height: int
    width: int
    bits: int = 8
    batch: int = 1
    precision: str
    device: str
    threads: int = 0
    reason: str = ""

    @property
    def max_value(self) -> int:
        """The largest code value."""
        return (1 << self.bits) - 1

    @property
    def cell(self) -> str:
        """Which of the card's networks a session runs: a step, or the only one."""
        return "step" if self.card.network.step_channels else ""

    @property
    def in_channels(self) -> int:
        """Channels of a batch: six a frame of the window, or one of luma alone; or a step's."""
        if self.card.network.step_channels:
            return self.card.network.step_channels
        return CHANNELS[self.card.layout] * len(self.card.network.offsets)


class Session(Protocol):
    """A network compiled for one shape."""

    @property
    def depth(self) -> int:
        """How many batches may be submitted before one must be waited for."""
        ...

    def submit(self, batch: Batch, state: object = None) -> None:
        """Start on a batch; it must not change before `wait` returned for it.

        Raises:
            MemoryError: the engine ran out of memory.
        """
        ...

    def wait(self) -> tuple[Batch, object]:
        """The oldest submitted batch's answer (B, H, W, n s^2) and state, valid until `submit`.

        Raises:
            MemoryError: the engine ran out of memory.
        """
        ...

    def run(self, batch: Batch, state: object = None) -> tuple[Batch, object]:
        """`submit` and `wait` in one."""
        ...

    def drop(self) -> None:
        """Forget the batches submitted, failed ones too, once none of them is read any more."""
        ...

    def describe(self) -> EngineReport:
        """What runs, and why."""
        ...


class Cells(Protocol):
    """The cells of a recurrent network, compiled for one shape."""

    def run(self, cell: str, *inputs: Values) -> tuple[Values, ...]:
        """One of `card.cells`: its outputs, which are the caller's to keep.

        Raises:
            MemoryError: the engine ran out of memory.
        """
        ...

    def describe(self) -> EngineReport:
        """What runs, and why."""
        ...


def own_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def report_of(request: SessionRequest, package: str, devices: Sequence[DeviceInfo]) -> EngineReport:
    """What is going to run.

    Args:
        request: what is asked for.
        package: the engine's name and version.
        devices: that it has here.

    Raises:
        BackendUnavailableError: it has no such device or precision.
    """
    info = next((d for d in devices if d.device == request.device), None)
    if info is None or request.precision not in info.precisions:
        raise BackendUnavailableError(
            f"{package} has no {request.precision} on {request.device} here; there are: "
            + ", ".join(f"{d.device} ({'/'.join(d.precisions)})" for d in devices)
        )
    return EngineReport(
        engine=package,
        device=request.device,
        name=info.name,
        precision=request.precision,
        threads=request.threads or own_threads(),
        reason=request.reason or info.reason,
    )
