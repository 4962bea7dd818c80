"""Numbers that networks and those who call them share; what needs no PyTorch may import these."""

__all__ = ["CELL", "CHANNELS", "FLOW_MULTIPLE", "LATENT_CELL", "NEAREST_FIRST", "QUALITIES"]

CELL = 4
"""Pixels of a cell of motion, a side."""
CHANNELS = {"packed": 6, "luma": 1}
"""Channels of one frame, by layout; an answer has s^2 times as many."""
FLOW_MULTIPLE = 16
"""Of rows and columns that motion is found on: cells at the coarsest of three levels."""
LATENT_CELL = 16
"""Luma samples of a side of a cell that the codec sends latents and motion for."""
NEAREST_FIRST = (0, -1, 1, -2, 2, -3, 3, -4, 4)
"""Offsets of a window's frames in the order of the input channels."""
QUALITIES = 64
"""Quality indices of the codec, 0 the fewest bits."""
