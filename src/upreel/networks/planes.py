"""Packed planes as tensors, and the fixed interpolation that every packed network adds to.

Axes     B clips, C channels, H rows, W columns of the *packed* grid: one position is a block of
         2x2 luma samples with its one Cb and one Cr sample (4:2:0).
Packed   6 channels a frame: Y[0, 0], Y[0, 1], Y[1, 0], Y[1, 1] of the block, Cb, Cr.
Answer   6 s^2 channels at the same grid: 4 s^2 luma samples of the block, row by row (2s x 2s),
         then s^2 samples of Cb, row by row (s x s), then s^2 of Cr.
Luma     the other layout: one channel a frame, a position is a sample; an answer has s^2 (s x s,
         row by row), and chroma is resized elsewhere.
Values   code value / (2^bits - 1): a float in [0, 1].
Chroma   sited left of luma (the default of MPEG-2 and of all later codecs).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from upreel.networks.precision import in_f32

__all__ = [
    "channels_last",
    "interpolated",
    "interpolation_kernel",
    "luma_of",
    "pack",
    "to_grid",
    "unpack",
    "upscaled_frames",
]


def pack(
    luma: Float[Tensor, "B 1 Y X"], chroma: Float[Tensor, "B 2 H W"]
) -> Float[Tensor, "B 6 H W"]:
    """Put the four luma samples of each 2x2 block beside its chroma: luma is (2H, 2W)."""
    return torch.cat((F.pixel_unshuffle(luma, 2), chroma), dim=1)


def unpack(
    answer: Float[Tensor, "B C H W"], scale: int
) -> tuple[Float[Tensor, "B 1 Y X"], Float[Tensor, "B 2 V U"]]:
    """Planes of an answer: luma (2s H, 2s W) and chroma (s H, s W)."""
    luma, chroma = answer.split((4 * scale * scale, 2 * scale * scale), dim=1)
    return F.pixel_shuffle(luma, 2 * scale), F.pixel_shuffle(chroma, scale)


def luma_of(answer: Float[Tensor, "B C H W"], scale: int, layout: str) -> Float[Tensor, "B 1 Y X"]:
    """The luma plane of an answer in either layout."""
    if layout == "luma":
        return F.pixel_shuffle(answer, scale)
    return unpack(answer, scale)[0]


def channels_last(values: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """The same values in the order that convolutions are trained in fastest."""
    return values.contiguous(memory_format=torch.channels_last)


def _cubic(x: float) -> float:
    """Keys' cubic with a = -1/2 (IEEE TASSP 29(6), 1981)."""
    x = abs(x)
    if x <= 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


def _axis_weights(
    scale: int, block: int, origin: float, *, reach: int = 1
) -> Float[Tensor, "P K block"]:
    """Weight of each input sample of blocks -reach to reach for each output sample of block 0."""
    weights = torch.zeros(block * scale, 2 * reach + 1, block)
    for phase in range(block * scale):
        centre = (phase + origin) / scale - origin
        for sample in range(-reach * block, (reach + 1) * block):
            weights[phase, sample // block + reach, sample % block] = _cubic(sample - centre)
    return weights / weights.sum(dim=(1, 2), keepdim=True)


def interpolation_kernel(
    scale: int, layout: str = "packed", phase: str = "centred"
) -> Float[Tensor, "C F K K"]:
    """Bicubic interpolation of packed planes, or of luma, as one convolution.

    Cubic taps reach two samples to either side, which the neighbouring blocks hold; chroma keeps
    its left siting. Chroma taps two samples away are outside a 3x3 window of its own grid and
    are dropped, the rest is normalised. Weights are whole multiples of 1/256 that sum to exactly
    1: bf16 holds them, and 8-bit code values, without rounding, so that the picture itself
    passes through bf16 arithmetic untouched.

    Args:
        scale: 2, 3 or 4.
        layout: "packed" or "luma".
        phase: "centred", or of luma "first": the first answer lies on the first sample.

    Returns:
        Weights, (6 s^2, 6, 3, 3) or (s^2, 1, 5, 5), that turn a frame into the answer's channels.
    """
    if layout == "luma":
        origin = 0.0 if phase == "first" else 0.5
        axis = _axis_weights(scale, 1, origin, reach=2)[:, :, 0]  # (s, 5)
        kernel = torch.einsum("pi,qj->pqij", axis, axis).flatten(0, 1)[:, None]
        return to_grid(kernel.flatten(1), step=1 / 256).view_as(kernel)
    luma_y = _axis_weights(scale, 2, 0.5)  # (2s, 3, 2)
    luma = torch.einsum("pia,qjb->pqabij", luma_y, luma_y)  # (2s, 2s, 2, 2, 3, 3)
    chroma_y = _axis_weights(scale, 1, 0.5)[:, :, 0]  # (s, 3)
    chroma_x = _axis_weights(scale, 1, 0.25)[:, :, 0]
    chroma = torch.einsum("pi,qj->pqij", chroma_y, chroma_x).flatten(0, 1)  # (s^2, 3, 3)

    kernel = torch.zeros(6 * scale * scale, 6, 3, 3)
    kernel[: 4 * scale * scale, :4] = luma.flatten(0, 1).flatten(1, 2)
    kernel[4 * scale * scale : 5 * scale * scale, 4] = chroma
    kernel[5 * scale * scale :, 5] = chroma
    return to_grid(kernel.flatten(1), step=1 / 256).unflatten(1, (6, 3, 3))


def interpolated(
    frame: Float[Tensor, "B F H W"], kernel: Float[Tensor, "C F K K"]
) -> Float[Tensor, "B C H W"]:
    """A frame by `interpolation_kernel`, zeros beyond its border; in f32 in mixed precision too."""
    with in_f32(frame.device.type):
        return F.conv2d(frame, kernel, padding=kernel.shape[-1] // 2)


def upscaled_frames(
    frames: Float[Tensor, "B F H W"], kernel: Float[Tensor, "P 1 5 5"]
) -> Float[Tensor, "B F Y X"]:
    """Luma of each frame at the answer's size, by `interpolation_kernel` of layout luma."""
    scale = int(kernel.shape[0] ** 0.5)
    each = interpolated(frames.flatten(0, 1)[:, None], kernel)
    return F.pixel_shuffle(each, scale)[:, 0].unflatten(0, (-1, frames.shape[1]))


def to_grid(rows: Float[Tensor, "R N"], step: float) -> Float[Tensor, "R N"]:
    """Round to multiples of `step` so that each row's sum is rounded too, not piled up.

    The samples that rounding moved most are moved the other way until the sum fits (the largest
    remainder method), each by one step.

    Example:
        >>> to_grid(torch.tensor([[0.3, 0.26, 0.44]]), step=0.5)
        tensor([[0.5000, 0.0000, 0.5000]])
    """
    scaled = rows.double() / step
    result = scaled.round()
    missing = scaled.sum(dim=1, keepdim=True).round() - result.sum(dim=1, keepdim=True)
    order = torch.argsort((scaled - result) * missing.sign(), dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(rows.shape[1], device=rows.device).expand_as(order)
    )
    result = result + torch.where(rank < missing.abs(), missing.sign(), 0.0)
    return (result * step).to(rows.dtype)
