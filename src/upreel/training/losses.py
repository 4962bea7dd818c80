"""Losses on answers: (B, C, H, W) in [0, 1], with a weight for each element that broadcasts."""

import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.networks.planes import luma_of
from upreel.training.config import Loss

__all__ = ["total_loss"]

_EPSILON = 1e-3  # Charbonnier's, about a quarter of an 8-bit level
_FLOOR = _EPSILON**2


def _charbonnier(answer: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """sqrt(d^2 + eps^2) (Charbonnier et al., ICIP 1994), weighted mean."""
    error = torch.sqrt((answer - target).square() + _EPSILON**2)
    return (error * weight).sum() / weight.expand_as(error).sum()


def _mse(answer: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    error = (answer - target).square()
    return (error * weight).sum() / weight.expand_as(error).sum()


def _psnr(answer: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Log of each patch's mean squared error, its mean: minus PSNR but for a factor.

    A decibel counts the same in a soft patch and in a busy one (Chen et al., HINet, CVPR-W 2021,
    section 4.1), where squared or absolute errors hardly see the soft one.
    """
    error = ((answer - target).square() * weight).flatten(1).sum(dim=1)
    error = error / weight.expand_as(answer).flatten(1).sum(dim=1)
    return torch.log(error + _FLOOR).mean()


def _ssim(answer: Tensor, target: Tensor, scale: int, layout: str) -> Tensor:
    """1 - SSIM of luma (Wang et al., IEEE TIP 2004), Gaussian window of 11, valid positions."""
    x, y = luma_of(answer, scale, layout), luma_of(target, scale, layout)
    taps = torch.exp(-0.5 * ((torch.arange(11, device=x.device) - 5) / 1.5) ** 2)
    taps = (taps / taps.sum()).to(x.dtype)

    def mean(plane: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(plane, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return 1 - similarity.mean()


def total_loss(
    losses: tuple[Loss, ...],
    answer: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    scale: int,
    layout: str = "packed",
) -> Tensor:
    """Weighted sum of the terms; `weight` is (B, C, 1, 1), and SSIM looks at luma alone."""
    answer, target = answer.float(), target.float()
    total = answer.new_zeros(())
    for loss in losses:
        if loss.kind == "charbonnier":
            term = _charbonnier(answer, target, weight)
        elif loss.kind == "mse":
            term = _mse(answer, target, weight)
        elif loss.kind == "psnr":
            term = _psnr(answer, target, weight)
        else:  # "ssim": a `Loss` has no other kind
            term = _ssim(answer, target, scale, layout)
        total = total + loss.weight * term
    return total
