"""The recurrent network's architecture."""

from dataclasses import dataclass
from typing import Literal

from upreel.networks.sizes import FLOW_MULTIPLE
from upreel.zoo.configs.common import (
    LumaFrame,
    Phase,
    check_choice,
    check_depth,
    check_kind,
    check_positive,
    convolution,
)
from upreel.zoo.configs.espcn import EspcnConfig
from upreel.zoo.configs.fast import FastConfig
from upreel.zoo.configs.fusion import (
    BranchConfig,
    check_branch,
)
from upreel.zoo.configs.temporal_adaptive import TemporalAdaptiveConfig

__all__ = ["RecurrentConfig"]


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(LumaFrame):
    """Architecture of `upreel.networks.recurrent.RecurrentNetwork`.

    Attributes:
        first: the network whose answers are refined, on luma: of one frame, or the temporal
            adaptive network where it fuses answers that were moved.
        channels: features that are carried from frame to frame.
        depth: convolutions of a direction between its first and its last, an even number.
        interpolation: by which answers are moved from frame to frame.
    """

    first: BranchConfig | TemporalAdaptiveConfig
    channels: int = 48
    depth: int = 10
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    kind: Literal["recurrent"] = "recurrent"

    def __post_init__(self) -> None:
        check_kind(self.kind, "recurrent")
        single = self.single
        check_branch(single)
        if not isinstance(single, FastConfig | EspcnConfig):
            raise ValueError(f"first must be of kind fast or espcn, got {single!r}")
        if single.layout != "luma":
            raise ValueError(f"first must be of layout luma, got {single.layout!r}")
        if self.first is not single:
            assert isinstance(self.first, TemporalAdaptiveConfig)
            if self.first.alignment != "flow" or self.first.branches < 2:
                raise ValueError(
                    "a temporal adaptive network as first must fuse answers of three frames or "
                    f"more along the flow, got {self.first!r}"
                )
        check_positive("channels", (self.channels,))
        check_depth(self.depth)
        check_choice("interpolation", self.interpolation, ("bilinear", "bicubic"))

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.first.scale

    @property
    def single(self) -> BranchConfig:
        """The network of one frame."""
        first = self.first
        return first.branch if isinstance(first, TemporalAdaptiveConfig) else first

    @property
    def window(self) -> tuple[int, ...]:
        """Offsets of the frames that a first answer is made from, 0 first."""
        return self.first.offsets

    @property
    def answer_phase(self) -> Phase:
        """That of the first answers."""
        return self.first.answer_phase

    @property
    def recurrent(self) -> bool:
        """In both directions."""
        return True

    @property
    def warm_up(self) -> tuple[int, int]:
        """It warms up on the ones before, and looks ahead."""
        return (16, 8)

    @property
    def radius(self) -> int:
        """Positions around a position that matter to its answer.

        Over many steps it depends on any: tiles differ from the whole, less the more they see.
        """
        return 64

    @property
    def cells(self) -> tuple[str, ...]:
        """The network of one frame, motion between two, a state moved, a step of each direction.

        Where first answers are made from several frames' the fusion of these goes before.
        """
        fused = ("fused",) if len(self.window) > 1 else ()
        return ("first", *fused, "motion", "aligned", "from_future", "from_past")

    @property
    def exact_cells(self) -> tuple[str, ...]:
        """Those with the picture and with places in them, of which bf16 keeps eight bits."""
        return ("first", "fused", "motion", "aligned")

    @property
    def margin(self) -> int:
        """None: its convolutions repeat border samples themselves."""
        return 0

    @property
    def widest(self) -> int:
        """Channels of the largest feature map."""
        return max(self.first.widest, *self._inputs())

    @property
    def multiple(self) -> int:
        """Motion is found on a pyramid of cells."""
        return FLOW_MULTIPLE

    @property
    def num_parameters(self) -> int:
        """Trained weights and biases."""
        return self.first.num_parameters + sum(
            convolution(3, inputs, self.channels)
            + self.depth * convolution(3, self.channels, self.channels)
            + convolution(3, self.channels, self.scale**2, bias=False)
            for inputs in self._inputs()
        )

    @property
    def macs_per_position(self) -> int:
        """Multiply-accumulates of one position; motion and warping are not counted.

        Each frame is answered alone once, however many windows it is in.
        """
        each = 9 * self.channels
        again = (len(self.window) - 1) * self.single.macs_per_position
        return (
            self.first.macs_per_position
            - again
            + sum(
                each * (inputs + self.depth * self.channels + self.scale**2)
                for inputs in self._inputs()
            )
        )

    def _inputs(self) -> tuple[int, int]:
        """Channels that each direction's first convolution sees, the later one's last."""
        answer = self.scale**2
        return 2 * answer + self.channels, 3 * answer + 2 * self.channels
