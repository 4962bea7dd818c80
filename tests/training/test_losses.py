"""Losses against plain formulas, and SSIM against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from upreel.networks.planes import unpack
from upreel.training.config import Loss, TrainConfig
from upreel.training.losses import total_loss


def pair(scale: int = 2, side: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    answer = torch.rand(2, 6 * scale**2, side, side, generator=generator)
    target = (answer + 0.1 * torch.randn(answer.shape, generator=generator)).clamp(0, 1)
    weight = torch.rand(2, 6 * scale**2, 1, 1, generator=generator)
    return answer, target, weight


@pytest.mark.parametrize("kind", ["charbonnier", "mse"])
def test_errors_are_averaged_by_weight(kind: str) -> None:
    answer, target, weight = pair(side=3)

    loss = total_loss((Loss(kind=kind, weight=3.0),), answer, target, weight, scale=2)  # type: ignore[arg-type]

    total = weights = 0.0
    for b in range(2):
        for c in range(24):
            for y in range(3):
                for x in range(3):
                    difference = float(answer[b, c, y, x] - target[b, c, y, x])
                    error = difference**2
                    if kind == "charbonnier":
                        error = math.sqrt(error + 1e-6)
                    total += error * float(weight[b, c])
                    weights += float(weight[b, c])
    assert loss.item() == pytest.approx(3 * total / weights, rel=1e-5)


def test_a_decibel_counts_the_same_in_soft_and_busy_patches() -> None:
    answer, target, weight = pair(side=3)
    answer[1] = target[1] + 0.1 * (answer[1] - target[1])  # 20 dB better than the other

    def loss_of(answer: Tensor) -> float:
        return total_loss((Loss(kind="psnr"),), answer, target, weight, scale=2).item()

    squared = (answer - target).square() * weight
    errors = squared.sum(dim=(1, 2, 3)) / (9 * weight.sum(dim=(1, 2, 3)))
    expected = sum(math.log(float(error) + 1e-6) for error in errors) / 2
    assert loss_of(answer) == pytest.approx(expected, rel=1e-5)
    for patch in (0, 1):  # halving either patch's error is worth nearly 3 dB of two patches' mean
        better = answer.clone()
        better[patch] = target[patch] + (answer[patch] - target[patch]) / math.sqrt(2)
        assert loss_of(answer) - loss_of(better) == pytest.approx(math.log(2) / 2, rel=0.1)


@pytest.mark.parametrize("scale", [2, 3])
def test_ssim_is_that_of_scikit_image(scale: int) -> None:
    answer, target, weight = pair(scale)

    loss = total_loss((Loss(kind="ssim"),), answer, target, weight, scale=scale)

    maps = []
    for x, y in zip(unpack(answer, scale)[0], unpack(target, scale)[0], strict=True):
        _, full = structural_similarity(
            x[0].numpy(), y[0].numpy(), data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )  # fmt: skip
        maps.append(full[5:-5, 5:-5])  # where the window of 11 lies inside
    assert loss.item() == pytest.approx(1 - np.mean(maps), abs=1e-4)
    assert 0.05 < loss.item() < 0.95
    assert total_loss((Loss(kind="ssim"),), answer, answer, weight, scale=scale).item() < 1e-6


def test_terms_are_summed_with_their_weights() -> None:
    answer, target, weight = pair()
    terms = (Loss(kind="mse", weight=2.0), Loss(kind="ssim", weight=0.5))

    alone = [total_loss((term,), answer, target, weight, scale=2).item() for term in terms]

    together = total_loss(terms, answer, target, weight, scale=2)
    assert together.item() == pytest.approx(sum(alone))


def test_chroma_without_weight_teaches_nothing() -> None:
    answer, target, weight = pair()
    weight[:, 16:] = 0
    answer.requires_grad_()

    total_loss(
        (Loss(kind="charbonnier"), Loss(kind="ssim")), answer, target, weight, scale=2
    ).backward()

    assert answer.grad is not None
    assert answer.grad[:, :16].abs().sum() > 0
    assert answer.grad[:, 16:].abs().sum() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch": 25}, "patch must be even"),
        ({"patch": 8}, "wider than its borders, got 8"),
        ({"steps": 0}, "at least 1"),
        ({"ema": 1.0}, "ema must be"),
        ({"losses": ()}, "at least one loss"),
    ],
)
def test_impossible_runs_are_refused(
    config: TrainConfig, values: dict[str, object], message: str
) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match=message):
        replace(config, **values)  # type: ignore[arg-type]


def test_another_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="a loss is charbonnier, mse, psnr or ssim, got 'l1'"):
        Loss(kind="l1")  # type: ignore[arg-type]
