"""The temporal adaptive network's architecture."""

from dataclasses import dataclass, replace
from typing import Literal

from upreel.zoo.configs.common import (
    CHANNELS,
    NEAREST_FIRST,
    Layout,
    check_choice,
    check_kind,
    check_positive,
    convolution,
)
from upreel.zoo.configs.espcn import EspcnConfig
from upreel.zoo.configs.fast import FastConfig

__all__ = ["BranchConfig", "TemporalAdaptiveConfig"]

BranchConfig = FastConfig | EspcnConfig


@dataclass(frozen=True, kw_only=True)
class TemporalAdaptiveConfig:
    """Architecture of `upreel.networks.temporal_adaptive.TemporalAdaptiveNetwork`.

    Liu et al., "Robust Video Super-Resolution with Learned Temporal Dynamics", ICCV 2017.

    Attributes:
        branch: of one frame; the other branches are the same with 3 and 5 frames.
        branches: N: branch i sees 2i - 1 frames.
        modulation: how branches are weighed: "softmax", "free" (the paper's, any weights) or
            "mean" (the plain average, no modulation branch).
        modulation_channels: features of the modulation branch's 5x5 and 3x3 convolutions.
        alignment: of neighbours to the current frame: "none", "rectified" (whole pixels, by
            block matching) or "spatial" (a localisation network and a spatial transformer).
        spatial_weight: of the spatial alignment's distance from the rectified one in its
            auxiliary loss, pixels squared.
    """

    branch: BranchConfig
    branches: int = 3
    modulation: Literal["softmax", "free", "mean"] = "softmax"
    modulation_channels: tuple[int, int] = (64, 32)
    alignment: Literal["none", "rectified", "spatial"] = "none"
    spatial_weight: float = 1e-3
    kind: Literal["temporal_adaptive"] = "temporal_adaptive"

    def __post_init__(self) -> None:
        check_kind(self.kind, "temporal_adaptive")
        known = (FastConfig, EspcnConfig)
        if not isinstance(self.branch, known):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"branch must be of kind fast or espcn, got {self.branch!r}")
        if self.branch.frames != 1:
            raise ValueError(f"branch must be of one frame, got {self.branch.frames}")
        if self.branches not in (1, 2, 3):
            raise ValueError(f"branches must be 1, 2 or 3, got {self.branches}")
        check_choice("modulation", self.modulation, ("softmax", "free", "mean"))
        check_choice("alignment", self.alignment, ("none", "rectified", "spatial"))
        object.__setattr__(self, "modulation_channels", tuple(self.modulation_channels))
        check_positive("modulation_channels", self.modulation_channels, 2)
        if self.spatial_weight < 0:
            raise ValueError(f"spatial_weight must be at least 0, got {self.spatial_weight}")

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.branch.scale

    @property
    def layout(self) -> Layout:
        """That of the branches."""
        return self.branch.layout

    @property
    def frames(self) -> int:
        """Of the largest window."""
        return 2 * self.branches - 1

    @property
    def offsets(self) -> tuple[int, ...]:
        """Frames in the order of the input channels; 0 is the current one."""
        return NEAREST_FIRST[: self.frames]

    @property
    def branch_configs(self) -> tuple[BranchConfig, ...]:
        """Of 1, 3, ... frames."""
        return tuple(replace(self.branch, frames=2 * i + 1) for i in range(self.branches))

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on, with the largest motion.

        Rectified alignment finds a pixel's displacement from 19 pixels around it; the spatial
        one a patch's from 65 around any pixel that interpolates it.
        """
        modulation = 4 if self.modulation != "mean" else 0
        pixels = {"none": 0, "rectified": 19, "spatial": 65}[self.alignment]
        each = 2 if self.layout == "packed" else 1
        return max(self.branch.radius, modulation) + -(-pixels // each)

    @property
    def multiple(self) -> int:
        """Displacements are found for blocks of 8x8 luma samples."""
        if self.alignment == "none":
            return 1
        return 4 if self.layout == "packed" else 8

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        weights = CHANNELS[self.layout] * self.scale**2 * self.branches
        modulation = (*self.modulation_channels, weights) if self.modulation != "mean" else ()
        return max(self.branch.widest, *modulation)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        branches = sum(config.num_parameters for config in self.branch_configs)
        modulation = sum(convolution(*layer) for layer in self._modulation())
        return branches + modulation + sum(convolution(*layer) for layer, _ in self._localisation())

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position; comparing blocks is not counted."""
        branches = sum(config.macs_per_position for config in self.branch_configs)
        modulation = sum(convolution(*layer, bias=False) for layer in self._modulation())
        each = 4 if self.layout == "packed" else 1  # luma samples of a position
        localisation = sum(
            each * convolution(*layer, bias=False) / area for layer, area in self._localisation()
        )
        return branches + modulation + round((self.frames - 1) * localisation)

    def _modulation(self) -> tuple[tuple[int, int, int], ...]:
        """Filter size, inputs and outputs of each convolution of the modulation branch."""
        if self.modulation == "mean":
            return ()
        first, second = self.modulation_channels
        each = CHANNELS[self.layout]
        weights = self.branches * each * self.scale**2
        return ((5, each * self.frames, first), (3, first, second), (3, second, weights))

    def _localisation(self) -> tuple[tuple[tuple[int, int, int], int], ...]:
        """The same of the localisation network, and the samples that one answer stands for."""
        if self.alignment != "spatial":
            return ()
        return (((9, 2, 32), 1), ((9, 32, 32), 4), ((8, 32, 100), 1024), ((1, 100, 2), 1024))
