"""The temporal adaptive network's architecture."""

from dataclasses import dataclass, replace
from typing import Literal

from upreel.networks.sizes import CHANNELS, FLOW_MULTIPLE, NEAREST_FIRST
from upreel.zoo.configs.common import (
    Architecture,
    Layout,
    check_choice,
    check_kind,
    check_positive,
    convolution,
)
from upreel.zoo.configs.fusion import (
    FLOW_RADIUS,
    BranchConfig,
    FusionConfig,
    check_branch,
    check_centred,
)

__all__ = ["TemporalAdaptiveConfig"]


@dataclass(frozen=True, kw_only=True)
class TemporalAdaptiveConfig(Architecture):
    """Architecture of `upreel.networks.temporal_adaptive.TemporalAdaptiveNetwork`.

    Liu et al., "Robust Video Super-Resolution with Learned Temporal Dynamics", ICCV 2017.

    Attributes:
        branch: of one frame, any network; without `fusion` the other branches are the same with
            3, 5, ... frames at the input.
        branches: N: branch i sees 2i - 1 frames.
        modulation: how branches are weighed: "softmax", "free" (the paper's, any weights) or
            "mean" (the plain average, no modulation branch).
        modulation_channels: features of the modulation branch's 5x5 and 3x3 convolutions.
        alignment: of neighbours to the current frame: "none", "rectified" (motion in whole
            pixels) or "spatial" (a localisation network and a spatial transformer);
            with `fusion` "none" or "flow" (sub-pixel motion, of answers).
        spatial_weight: of the spatial alignment's distance from the rectified one in its
            auxiliary loss, pixels squared.
        fusion: features and depth of branches that fuse the first branch's answers to each frame;
            empty: branches of more frames see the frames themselves, as in the paper.
    """

    branch: BranchConfig
    branches: int = 3
    modulation: Literal["softmax", "free", "mean"] = "softmax"
    modulation_channels: tuple[int, int] = (64, 32)
    alignment: Literal["none", "rectified", "spatial", "flow"] = "none"
    spatial_weight: float = 1e-3
    fusion: tuple[int, ...] = ()
    kind: Literal["temporal_adaptive"] = "temporal_adaptive"

    def __post_init__(self) -> None:
        check_kind(self.kind, "temporal_adaptive")
        check_branch(self.branch)
        check_centred(self.branch)
        if self.branches not in range(1, 6):
            raise ValueError(f"branches must be 1 to 5, got {self.branches}")
        check_choice("modulation", self.modulation, ("softmax", "free", "mean"))
        object.__setattr__(self, "fusion", tuple(self.fusion))  # JSON has lists
        if self.fusion:
            check_positive("fusion", self.fusion, 2)
            check_choice("alignment of answers", self.alignment, ("none", "flow"))
            self._fusions()  # its own checks
        else:
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
    def branch_configs(self) -> tuple[BranchConfig | FusionConfig, ...]:
        """Of 1, 3, ... frames."""
        if self.fusion:
            return (self.branch, *self._fusions())
        return tuple(replace(self.branch, frames=2 * i + 1) for i in range(self.branches))

    def _fusions(self) -> tuple[FusionConfig, ...]:
        """Of 3, 5, ... frames."""
        channels, depth = self.fusion
        alignment = "flow" if self.alignment == "flow" else "none"
        return tuple(
            FusionConfig(
                first=self.branch,
                frames=2 * i + 1,
                channels=channels,
                depth=depth,
                alignment=alignment,
            )
            for i in range(1, self.branches)
        )

    @property
    def each_frame(self) -> str:
        """The first branch, where answers are fused."""
        return "branches.0" if self.fusion and self.branches > 1 else ""

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on, with the largest motion.

        Spatial alignment interpolates translations of patches, found from 65 pixels around, which
        is farther than they reach.
        """
        modulation = 4 if self.modulation != "mean" else 0
        if self.fusion:
            behind = max(self.fusion[1] + 2, modulation) - (self.fusion[1] + 2)
            return behind + max(config.radius for config in self.branch_configs)
        pixels = {"rectified": FLOW_RADIUS, "spatial": 65}.get(self.alignment, 0)
        each = 2 if self.layout == "packed" else 1
        return max(self.branch.radius, modulation) + -(-pixels // each)

    @property
    def margin(self) -> int:
        """As many as the convolutions reach; motion goes by the frame alone."""
        return max(4, *(config.margin for config in self.branch_configs))

    @property
    def multiple(self) -> int:
        """Luma samples that motion takes, in positions; spatial alignment learns from it."""
        if self.fusion:
            return self._fusions()[0].multiple if self.branches > 1 else self.branch.multiple
        if self.alignment == "none":
            return self.branch.multiple
        return FLOW_MULTIPLE // 2 if self.layout == "packed" else FLOW_MULTIPLE

    @property
    def period(self) -> int:
        """Spatial alignment has patches of 32x32 pixels."""
        if self.alignment != "spatial":
            return self.multiple
        return 16 if self.layout == "packed" else 32

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        weights = CHANNELS[self.layout] * self.scale**2 * self.branches
        modulation = (*self.modulation_channels, weights) if self.modulation != "mean" else ()
        return max(*(config.widest for config in self.branch_configs), *modulation)

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        branches = sum(
            config.own_parameters if isinstance(config, FusionConfig) else config.num_parameters
            for config in self.branch_configs
        )
        modulation = sum(convolution(*layer) for layer in self._modulation())
        return branches + modulation + sum(convolution(*layer) for layer, _ in self._localisation())

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position; motion and warping are not counted."""
        branches = sum(
            config.own_macs if isinstance(config, FusionConfig) else config.macs_per_position
            for config in self.branch_configs
        )
        if self.fusion:  # the first branch answers to each frame
            branches += (self.frames - 1) * self.branch.macs_per_position
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
        answer = CHANNELS[self.layout] * self.scale**2
        seen, weights = answer if self.fusion else CHANNELS[self.layout], self.branches * answer
        return ((5, seen * self.frames, first), (3, first, second), (3, second, weights))

    def _localisation(self) -> tuple[tuple[tuple[int, int, int], int], ...]:
        """The same of the localisation network, and the samples that one answer stands for."""
        if self.alignment != "spatial":
            return ()
        return (((9, 2, 32), 1), ((9, 32, 32), 4), ((8, 32, 100), 1024), ((1, 100, 2), 1024))
