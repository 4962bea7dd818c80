"""VESPCN's architecture."""

import itertools
from dataclasses import dataclass
from typing import Literal

from upreel.zoo.configs.common import (
    LumaWindowed,
    check_frames,
    check_kind,
    check_positive,
    check_scale,
    convolution,
)

__all__ = ["VespcnConfig"]

_MOTION = 24  # features of the motion network


@dataclass(frozen=True, kw_only=True)
class VespcnConfig(LumaWindowed):
    """Architecture of `upreel.networks.vespcn.Vespcn` (Caballero et al., CVPR 2017).

    Attributes:
        scale: 2, 3 or 4.
        frames: 3 or 5 (centred), fused at the first convolution.
        channels: features of each 3x3 convolution.
        depth: convolutions, the first and the last counted.
        coarse: positions that the coarse motion reaches at most, to either side.
        fine: positions that the fine motion adds to it at most.
        residual: whether its answer is added to bicubic interpolation; the paper's is not.
    """

    scale: int
    frames: int = 3
    channels: int = 24
    depth: int = 9
    coarse: int = 8
    fine: int = 2
    residual: bool = False
    kind: Literal["vespcn"] = "vespcn"

    def __post_init__(self) -> None:
        check_kind(self.kind, "vespcn")
        check_scale(self.scale)
        check_frames(self.frames, (3, 5))
        for name in ("channels", "coarse", "fine"):
            check_positive(name, (getattr(self, name),))
        if self.depth < 2:
            raise ValueError(f"depth must be at least 2, got {self.depth}")

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on, with the largest motion.

        The coarse motion of a position is found from 19 around it, the fine one from 11.
        """
        warped = max(19, self.coarse + 1)  # bilinear
        return self.depth + max(11 + warped, self.coarse + self.fine + 1)

    @property
    def multiple(self) -> int:
        """The motion network halves the picture twice."""
        return 4

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return max(self.channels, self.scale**2)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases; one motion network serves all neighbours."""
        motion = sum(convolution(*layer) for layer, _ in self._motion())
        return motion + sum(convolution(*layer) for layer in self._body())

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position, the interpolation counted."""
        motion = sum(convolution(*layer, bias=False) / area for layer, area in self._motion())
        body = sum(convolution(*layer, bias=False) for layer in self._body())
        residual = 25 * self.scale**2 if self.residual else 0
        return round((self.frames - 1) * motion) + body + residual

    def _body(self) -> tuple[tuple[int, int, int], ...]:
        """Filter size, inputs and outputs of each convolution of the fusing network."""
        widths = (self.frames, *[self.channels] * (self.depth - 1), self.scale**2)
        return tuple((3, a, b) for a, b in itertools.pairwise(widths))

    def _motion(self) -> tuple[tuple[tuple[int, int, int], int], ...]:
        """The same of the motion network, and the positions that one answer of it stands for."""
        c = _MOTION
        coarse = (
            ((5, 2, c), 4),
            ((3, c, c), 4),
            ((5, c, c), 16),
            ((3, c, c), 16),
            ((3, c, 32), 16),
        )
        fine = (((5, 5, c), 4), *[((3, c, c), 4)] * 3, ((3, c, 8), 4))
        return (*coarse, *fine)
