"""Rectified and spatial alignment: known shifts, borders, flat and noisy areas, patches.

Mutations tried: the sign of dx, rows for columns, no rounding, patches padded by two cells less,
translations without an end.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from torch import Tensor

from upreel.networks.alignment import (
    FARTHEST,
    Localisation,
    patch_means,
    shift,
    spread,
    warp,
)
from upreel.networks.motion import rectified_displacement
from upreel.networks.sizes import CELL


def textured(height: int, width: int, seed: int = 0) -> Tensor:
    """Soft noise in whole levels of 255, (1, 1, H, W)."""
    noise = torch.rand(1, 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    soft = F.avg_pool2d(noise, 5, stride=1)[..., :height, :width]
    soft = (soft - soft.mean()) / soft.std() * 0.2 + 0.5
    return (soft.clamp(0, 1) * 255).round() / 255


def moved(picture: Tensor, dx: int, dy: int, side: tuple[int, int] = (48, 64)) -> Tensor:
    """A view of a large picture from which content has moved by (dx, dy)."""
    top, left = 16 - dy, 16 - dx
    return picture[..., top : top + side[0], left : left + side[1]]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (0, -1), (3, -2), (-2, 3), (4, 2)])
def test_a_clip_moved_by_whole_pixels_aligns_exactly(dx: int, dy: int) -> None:
    picture = textured(96, 96)
    here, there = moved(picture, 0, 0), moved(picture, dx, dy)

    displacement = rectified_displacement(here, there)
    aligned = shift(there, displacement)

    inner = (..., slice(16, -16), slice(16, -16))
    cells = displacement[0, 0, :, 4:-4, 4:-4]
    assert (cells[0] == dx).all()
    assert (cells[1] == dy).all()
    assert torch.equal(aligned[inner], here[inner])


def test_each_neighbour_and_each_clip_is_found_alone() -> None:
    picture, other = textured(96, 96), textured(96, 96, seed=9)
    here = torch.cat((moved(picture, 0, 0), moved(other, 0, 0)))
    there = torch.cat(
        (
            torch.cat((moved(picture, 2, 1), moved(picture, -4, 0)), dim=1),
            torch.cat((moved(other, 0, 0), moved(other, 3, -3)), dim=1),
        )
    )

    found = rectified_displacement(here, there)[..., 4:-4, 4:-4].amax(dim=(3, 4))

    assert found.tolist() == [[[2, 1], [-4, 0]], [[0, 0], [3, -3]]]


def test_flat_and_slightly_noisy_areas_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(5)
    here, there = (
        (0.5 + torch.randint(0, 2, (1, 1, 48, 48), generator=generator) / 255) for _ in range(2)
    )

    assert not rectified_displacement(here, there).any()
    assert not rectified_displacement(torch.zeros_like(here), torch.ones_like(here)).any()


@pytest.mark.parametrize("cells", [1, 2])
def test_shift_copies_samples(cells: int) -> None:
    generator = torch.Generator().manual_seed(2)
    source = torch.rand(2, 3, 4 * cells, 8 * cells, generator=generator)
    displacement = torch.randint(-9, 10, (2, 3, 2, cells, 2 * cells), generator=generator).float()

    aligned = shift(source, displacement)

    for b, k, y, x in np.ndindex(*source.shape):
        dx, dy = displacement[b, k, :, y // CELL, x // CELL].int().tolist()
        row = min(max(y + dy, 0), source.shape[2] - 1)
        column = min(max(x + dx, 0), source.shape[3] - 1)
        assert aligned[b, k, y, x] == source[b, k, row, column]


def test_warp_is_shift_at_whole_pixels_and_a_mean_between() -> None:
    source = torch.rand(1, 1, 8, 8)
    flow = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1).expand(1, 2, 8, 8)

    torch.testing.assert_close(warp(source, flow), shift(source, flow[:, None, :, ::4, ::4]))
    half = warp(source, torch.full_like(flow, 0.5))
    expected = (source[..., :-1, :-1] + source[..., 1:, 1:]) / 4
    expected = expected + (source[..., 1:, :-1] + source[..., :-1, 1:]) / 4
    torch.testing.assert_close(half[..., :-1, :-1], expected)


def test_warp_is_scipy_s_linear_interpolation() -> None:
    generator = torch.Generator().manual_seed(3)
    source = torch.rand(2, 3, 12, 20, generator=generator)
    flow = 10 * torch.rand(2, 2, 12, 20, generator=generator) - 5  # far over the borders, too

    found = warp(source, flow)

    y, x = np.mgrid[:12, :20]
    for b, c in np.ndindex(2, 3):
        dx, dy = flow[b].numpy()
        expected = map_coordinates(source[b, c].numpy(), (y + dy, x + dx), order=1, mode="nearest")
        np.testing.assert_allclose(found[b, c].numpy(), expected, atol=1e-5)


def test_warp_has_gradients() -> None:
    source = torch.rand(1, 2, 4, 4, requires_grad=True)
    flow = torch.full((1, 2, 4, 4), 0.3, requires_grad=True)

    warp(source, flow).square().sum().backward()

    assert source.grad is not None
    assert flow.grad is not None
    assert flow.grad[..., :-1, :-1].abs().min() > 0  # at the last ones the border goes on


@pytest.mark.parametrize(("height", "width"), [(8, 16), (24, 40), (48, 56), (64, 72)])
def test_patches_cover_every_pixel(height: int, width: int) -> None:
    network = Localisation()
    frame = torch.rand(1, 1, height, width)
    patches = network(frame, frame)
    rows, columns = patches.shape[2:]
    assert 32 * (rows - 1) + 16 >= height - 1
    assert 32 * (columns - 1) + 16 >= width - 1
    assert not patches.any()  # it begins with no motion

    cells = torch.rand(1, 2, height // 4, width // 4)
    means = patch_means(cells)

    assert means.shape == patches.shape
    for i, j in np.ndindex(rows, columns):
        top, left = max(8 * i - 4, 0), max(8 * j - 4, 0)
        inside = cells[0, :, top : 8 * i + 4, left : 8 * j + 4].mean(dim=(1, 2))
        torch.testing.assert_close(means[0, :, i, j], inside)


def test_values_of_patches_are_spread_between_their_centres() -> None:
    patches = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 1, 2, 2)

    values = spread(patches, torch.zeros(1, 1, 40, 48))

    assert values.shape == (1, 1, 40, 48)
    x, y = torch.arange(48).clamp(max=32) / 32, torch.arange(40).clamp(max=32) / 32
    torch.testing.assert_close(values[0, 0], x + 2 * y[:, None])


def test_translations_have_an_end() -> None:
    network = Localisation()
    assert network.tail.bias is not None
    network.tail.bias.data.copy_(torch.tensor([1000.0, -1.0]))
    frame = torch.rand(1, 1, 32, 64)

    found = network(frame, frame)

    assert found[:, 0].max() <= FARTHEST
    assert found[:, 0].min() > 0.99 * FARTHEST
    torch.testing.assert_close(found[:, 1], torch.full_like(found[:, 1], -1.0), rtol=0, atol=2e-3)
