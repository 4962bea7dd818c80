"""The learned codec's architecture."""

from dataclasses import dataclass

from upreel.networks.sizes import QUALITIES
from upreel.zoo.configs.common import check_positive

__all__ = ["CodecConfig"]


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Architecture of `upreel.networks.codec.Codec`.

    Attributes:
        channels: features at a quarter, an eighth and a sixteenth of luma's rows and columns.
        latents: numbers sent for each cell of 16x16 luma samples.
        hyper: numbers sent for each 64x64, from which the distributions of latents are made.
        prior: features of the network of whole numbers that makes them.
        anchors: quality indices, evenly spread, that steps of quantisation are learned at.
    """

    channels: tuple[int, int, int] = (48, 96, 128)
    latents: int = 96
    hyper: int = 32
    prior: int = 48
    anchors: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON has lists
        check_positive("channels", self.channels, 3)
        for name in ("latents", "hyper", "prior"):
            check_positive(name, (getattr(self, name),))
        if not 2 <= self.anchors <= QUALITIES:
            raise ValueError(f"anchors must be 2 to {QUALITIES}, got {self.anchors}")
        widest = max(2 * self.prior + 2, self.latents, self.hyper)
        if 9 * widest * 127 * 127 >= 1 << 24:
            raise ValueError(
                f"whole numbers would not stay below 2^24: latents and hyper are at most 115, "
                f"prior 56, got {self.latents}, {self.hyper} and {self.prior}"
            )
