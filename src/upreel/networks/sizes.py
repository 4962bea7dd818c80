"""Numbers that networks and those who call them share; what needs no PyTorch may import these."""

__all__ = ["CELL", "CHANNELS"]

CELL = 4
"""Pixels of a cell of motion, a side."""
CHANNELS = {"packed": 6, "luma": 1}
"""Channels of one frame, by layout; an answer has s^2 times as many."""
