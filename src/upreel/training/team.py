"""Several processes that train as one, as torchrun begins them.

Every process draws the same places and cuts its own share of them, gradients are averaged, and so
weights, average and moments are the same in all of them: a run is what one process would have
made of it, but for the order of sums, and for chroma, whose weights are normalised over what a
process sees, as batch norm normalises over that. The first process validates, reports and writes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from upreel.errors import BackendUnavailableError, OptionError

__all__ = ["Team", "check_alone", "joined"]

_T = TypeVar("_T")


def check_alone(what: str) -> None:
    """Refuse several processes.

    Raises:
        OptionError: torchrun has begun more than one.
    """
    count = os.environ.get("WORLD_SIZE", "1")
    if count != "1":
        raise OptionError(f"{what} runs in one process, torchrun has begun {count}")


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of a run, and which of them this is.

    Attributes:
        rank: of this process, from 0 on.
        size: of all.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, items: Sequence[_T]) -> Sequence[_T]:
        """What this process does of a step."""
        return items[self.rank :: self.size]

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Put the mean over all processes into each of them."""
        if self.size == 1:
            return
        for tensor in tensors:
            dist.all_reduce(tensor)
            tensor.div_(self.size)

    def decides(self, value: bool, device: torch.device) -> bool:  # noqa: FBT001 - it is the answer
        """What the first process says, for all."""
        if self.size == 1:
            return value
        said = torch.tensor(float(value), device=device)
        dist.broadcast(said, src=0)
        return bool(said.item())

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """No more is exchanged."""
        if self.size > 1:
            dist.destroy_process_group()


def joined(device: str, batch: int) -> tuple[Team, str]:
    """The team that torchrun's environment describes, and this process's device.

    Args:
        device: "cpu" or "cuda".
        batch: patches of a step, which all of the team share.

    Raises:
        OptionError: they cannot be shared evenly, or it is no environment of torchrun.
        BackendUnavailableError: there are fewer GPUs than processes.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team(), device
    if missing := [
        name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR") if name not in os.environ
    ]:
        raise OptionError(f"WORLD_SIZE is {size} without {missing[0]}: begin processes by torchrun")
    if batch % size:
        raise OptionError(f"a batch of {batch} cannot be shared by {size} processes")
    if device == "cuda":
        number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= count:
            raise BackendUnavailableError(f"there are {count} GPUs here, torchrun asks for more")
        device = f"cuda:{number}"
        torch.cuda.set_device(device)
    # The others wait while the first one validates, which may take long.
    dist.init_process_group("gloo" if device == "cpu" else "nccl", timeout=timedelta(hours=6))
    return Team(rank=dist.get_rank(), size=size), device
