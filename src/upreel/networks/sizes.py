"""Numbers that networks and those who call them share; what needs no PyTorch may import these."""

__all__ = ["CELL", "CHANNELS", "LATENT_CELL", "QUALITIES"]

CELL = 4
"""Pixels of a cell of motion, a side."""
CHANNELS = {"packed": 6, "luma": 1}
"""Channels of one frame, by layout; an answer has s^2 times as many."""
LATENT_CELL = 16
"""Luma samples of a side of a cell that the codec sends latents and motion for."""
QUALITIES = 64
"""Quality indices of the codec, 0 the fewest bits."""
