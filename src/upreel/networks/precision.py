"""What is computed in f32 even where the rest is in mixed precision."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["in_f32"]


def in_f32(device: str) -> AbstractContextManager[object]:
    """No autocast within: for positions, equations, and the picture that details are added to.

    In bf16 places are off by pixels, equations have no solution, and a picture has 8 bits with
    its rounding errors in them.

    Args:
        device: type of the tensors' device.
    """
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()  # what is exported shall not know of it
