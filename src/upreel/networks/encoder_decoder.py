"""The encoder-decoder CNN of introductory texts on super-resolution, made to work.

Convolution, pooling, convolution, pooling, then transposed convolutions back, with batch norm: on
the bicubic-upscaled luma, whose pooling alone would lose what is to be restored. Two things
make it work: features of each size are added where that size comes back (skip connections), and
the answer is added to the upscaled picture, as which the network begins.

Luma alone: (B, frames, H, W) in [0, 1] to (B, s^2, H, W), see `upreel.networks.planes`. The
upscaled picture's rows and columns must be divisible by 4.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import copy
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from upreel.networks.planes import interpolated, interpolation_kernel, upscaled_frames

__all__ = ["EncoderDecoder"]


class EncoderDecoder(nn.Module):
    """Two sizes down, two up, residual to the upscaled picture.

    Args:
        scale: 2, 3 or 4.
        frames: upscaled each and stacked at the input, the current one first.
        channels: features at the upscaled picture's size, and at its half and its quarter.
    """

    def __init__(self, *, scale: int, frames: int, channels: Sequence[int]) -> None:
        super().__init__()
        first, second = channels
        self.scale = scale
        self.head = nn.Conv2d(frames, first, 3, padding=1)
        self.head_norm = nn.BatchNorm2d(first)
        self.down = nn.Conv2d(first, second, 3, padding=1)
        self.down_norm = nn.BatchNorm2d(second)
        self.bottom = nn.Conv2d(second, second, 3, padding=1)
        self.bottom_norm = nn.BatchNorm2d(second)
        self.up_half = nn.ConvTranspose2d(second, second, 2, stride=2)
        self.up_half_norm = nn.BatchNorm2d(second)
        self.up_full = nn.ConvTranspose2d(second, first, 2, stride=2)
        self.up_full_norm = nn.BatchNorm2d(first)
        self.tail = nn.Conv2d(first, 1, 3, padding=1)
        self.interpolation: Tensor
        self.register_buffer("interpolation", interpolation_kernel(scale, "luma"), persistent=False)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """Super-resolve the current frame: about [0, 1], not clipped."""
        return interpolated(packed[:, :1], self.interpolation) + self.detail(packed)

    def detail(self, packed: Float[Tensor, "B F H W"]) -> Float[Tensor, "B C H W"]:
        """What is added to the interpolated frame."""
        upscaled = upscaled_frames(packed, self.interpolation)
        whole = F.relu(self.head_norm(self.head(upscaled)))
        half = F.relu(self.down_norm(self.down(F.max_pool2d(whole, 2))))
        quarter = F.relu(self.bottom_norm(self.bottom(F.max_pool2d(half, 2))))
        half = half + F.relu(self.up_half_norm(self.up_half(quarter)))
        whole = whole + F.relu(self.up_full_norm(self.up_full(half)))
        return F.pixel_unshuffle(self.tail(whole), self.scale)

    def folded(self) -> "EncoderDecoder":
        """The same function with batch norm worked into the convolutions, ready for export."""
        network = copy.deepcopy(self).eval()
        for name in ("head", "down", "bottom"):
            fused = fuse_conv_bn_eval(getattr(network, name), getattr(network, f"{name}_norm"))
            setattr(network, name, fused)
            setattr(network, f"{name}_norm", nn.Identity())
        for name in ("up_half", "up_full"):
            norm = getattr(network, f"{name}_norm")
            setattr(network, name, fuse_conv_bn_eval(getattr(network, name), norm, transpose=True))
            setattr(network, f"{name}_norm", nn.Identity())
        return network
