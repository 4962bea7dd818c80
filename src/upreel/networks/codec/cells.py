"""The codec in parts, as they are exported: each one a network from arrays to arrays.

What is between them, rounding, distributions and what is sent, is whole numbers and is not theirs
(`upreel.codec`). Hyper-latents are asked of latents that were padded to whole cells of four.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from torch import Tensor, nn

from upreel.networks.codec.model import Codec, FrameCodec, folded, unfolded
from upreel.networks.codec.movement import found_motion, moved_features, moved_frame

__all__ = ["cells_of"]


class _Motion(nn.Module):
    """See `found_motion`."""

    def forward(self, frame: Tensor, before: Tensor) -> Tensor:
        return found_motion(frame, before)


class _Expected(nn.Module):
    """What is known of a frame from the one before: the frame, folded, and features."""

    def __init__(self, kind: FrameCodec) -> None:
        super().__init__()
        assert kind.context is not None
        self.context = kind.context

    def forward(
        self, before: Tensor, features: Tensor, motion: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        expected = folded(moved_frame(before, motion))
        return expected, *self.context(expected, moved_features(features, motion))


class _AnalysisAlone(nn.Module):
    def __init__(self, kind: FrameCodec) -> None:
        super().__init__()
        self.analysis = kind.analysis

    def forward(self, frame: Tensor, gain: Tensor) -> Tensor:
        return self.analysis(folded(frame)) * gain


class _AnalysisNext(_AnalysisAlone):
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        frame: Tensor,
        gain: Tensor,
        expected: Tensor,
        fine: Tensor,
        middle: Tensor,
        coarse: Tensor,
    ) -> Tensor:
        return self.analysis(folded(frame), expected, (fine, middle, coarse)) * gain


class _SynthesisAlone(nn.Module):
    def __init__(self, kind: FrameCodec) -> None:
        super().__init__()
        self.synthesis = kind.synthesis

    def forward(self, received: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        features, change = self.synthesis(received * gain)
        return unfolded(0.5 + change).clamp(0, 1), features


class _SynthesisNext(_SynthesisAlone):
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        received: Tensor,
        gain: Tensor,
        expected: Tensor,
        fine: Tensor,
        middle: Tensor,
        coarse: Tensor,
    ) -> tuple[Tensor, Tensor]:
        features, change = self.synthesis(received * gain, (fine, middle, coarse))
        return unfolded(expected + change).clamp(0, 1), features


def cells_of(codec: Codec) -> dict[str, nn.Module]:
    """The parts by name, in the order that they are stored."""
    return {
        "alone_analysis": _AnalysisAlone(codec.alone),
        "alone_hyper": codec.alone.hyper_analysis,
        "alone_synthesis": _SynthesisAlone(codec.alone),
        "motion": _Motion(),
        "expected": _Expected(codec.next),
        "next_analysis": _AnalysisNext(codec.next),
        "next_hyper": codec.next.hyper_analysis,
        "next_synthesis": _SynthesisNext(codec.next),
    }
