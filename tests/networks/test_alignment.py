"""Rectified and spatial alignment: slow references, known shifts, borders, flat and noisy areas.

Mutations tried: the sign of dx, rows for columns, the candidates' penalties at zero, the fine
search left out, smaller windows of cells, candidates in the other order, patches padded by two
cells less.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.networks.alignment import (
    CELL,
    REACH,
    Localisation,
    patch_means,
    rectified_displacement,
    shift,
    spread,
    warp,
)


def textured(height: int, width: int, seed: int = 0) -> Tensor:
    """Soft noise in whole levels of 255, (1, 1, H, W)."""
    noise = torch.rand(1, 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    soft = F.avg_pool2d(noise, 5, stride=1)[..., :height, :width]
    soft = (soft - soft.mean()) / soft.std() * 0.2 + 0.5
    return (soft.clamp(0, 1) * 255).round() / 255


def moved(picture: Tensor, dx: int, dy: int, side: tuple[int, int] = (48, 56)) -> Tensor:
    """A view of a large picture from which content has moved by (dx, dy)."""
    top, left = 16 - dy, 16 - dx
    return picture[..., top : top + side[0], left : left + side[1]]


Levels = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Window = tuple[int, int, int, int]  # rows from and to, columns from and to


def search(
    here: Levels, there: Levels, window: Window, around: tuple[int, int], reach: int
) -> tuple[int, int]:
    """The displacement beside `around` that differs least; nothing is counted outside of `here`."""
    options = [(x, y) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
    options.sort(key=lambda d: (abs(d[0]) + abs(d[1]), max(abs(d[0]), abs(d[1]))))
    costs: list[float] = []
    for x, y in options:
        total = 0.0
        for row in range(max(window[0], 0), min(window[1], here.shape[0])):
            for column in range(max(window[2], 0), min(window[3], here.shape[1])):
                r = min(max(row + around[1] + y, 0), there.shape[0] - 1)
                c = min(max(column + around[0] + x, 0), there.shape[1] - 1)
                total += float(abs(here[row, column] - there[r, c]))
        costs.append(total / 64 + (abs(x) + abs(y)) / 8)
    x, y = options[int(np.argmin(costs))]  # of equals the first
    return around[0] + x, around[1] + y


def reference_displacement(here: Levels, there: Levels) -> np.ndarray:
    """Written from the docstring, block by block and cell by cell; (2, H/4, W/4)."""
    height, width = here.shape
    small, other = (
        frame.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for frame in (here, there)
    )
    # Windows of cells leave the frame by two pixels: there its border goes on, as the other's.
    padded_here, padded_there = (np.pad(frame, 2, mode="edge") for frame in (here, there))
    result = np.zeros((2, height // 4, width // 4), np.float32)
    for m, n in np.ndindex(height // 4, width // 4):
        i, j = 4 * (m // 2), 4 * (n // 2)
        dx, dy = search(small, other, (i - 2, i + 6, j - 2, j + 6), (0, 0), 4)
        cell = (4 * m, 4 * m + 8, 4 * n, 4 * n + 8)
        result[:, m, n] = search(padded_here, padded_there, cell, (2 * dx, 2 * dy), 1)
    return result


def test_displacements_are_the_slow_references() -> None:
    picture = textured(96, 96, seed=3)
    here = moved(picture, 0, 0, (32, 40))
    there = torch.cat(
        (moved(picture, 3, -5, (32, 40)), moved(textured(96, 96, seed=4), 1, 1, (32, 40))), dim=1
    )
    there[0, 0, :12] = 0.5  # flat there, and unlike anything here

    found = rectified_displacement(here, there)

    for k in range(2):
        levels = [np.rint(plane.numpy() * 255) for plane in (here[0, 0], there[0, k])]
        expected = reference_displacement(levels[0], levels[1])
        np.testing.assert_array_equal(found[0, k].numpy(), expected)
    assert found.unique().numel() > 8


@pytest.mark.parametrize(
    ("dx", "dy"), [(0, 0), (1, 0), (0, -1), (3, -2), (-5, 5), (8, 4), (REACH, -REACH), (-7, 6)]
)
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
            torch.cat((moved(other, 0, 0), moved(other, 6, -6)), dim=1),
        )
    )

    found = rectified_displacement(here, there)[..., 4:-4, 4:-4].amax(dim=(3, 4))

    assert found.tolist() == [[[2, 1], [-4, 0]], [[0, 0], [6, -6]]]


def test_two_motions_are_told_apart() -> None:
    """The left half stands still, the right one moves by (4, -2)."""
    picture = textured(96, 112)
    here = moved(picture, 0, 0, (48, 80))
    there = here.clone()
    there[..., 40:] = moved(picture, 4, -2, (48, 80))[..., 40:]

    found = rectified_displacement(here, there)[0, 0]

    assert (found[:, 2:-2, :8] == 0).all()
    assert (found[0, 4:-4, 13:-4] == 4).all()
    assert (found[1, 4:-4, 13:-4] == -2).all()


def test_flat_and_slightly_noisy_areas_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(5)
    here, there = (
        (0.5 + torch.randint(0, 2, (1, 1, 48, 48), generator=generator) / 255) for _ in range(2)
    )

    assert not rectified_displacement(here, there).any()
    assert not rectified_displacement(torch.zeros_like(here), torch.ones_like(here)).any()


def test_of_equals_the_first_is_taken() -> None:
    """Stripes of 8 pixels moved by half of them: to the left and to the right match as well."""
    stripes = torch.tensor([60.0, 90, 130, 180, 200, 180, 130, 90]).repeat(8) / 255
    here = stripes.expand(1, 1, 32, 64)
    there = here.roll(4, dims=3)

    found = rectified_displacement(here, there)[0, 0]

    expected = reference_displacement(here[0, 0].numpy() * 255, there[0, 0].numpy() * 255)
    inside = found[:, 2:-2, 4:-4]
    np.testing.assert_array_equal(inside.numpy(), expected[:, 2:-2, 4:-4])
    assert (inside[0] == -4).all()
    assert (inside[1] == 0).all()


def test_no_gradient_passes_a_displacement() -> None:
    here = textured(16, 16).requires_grad_()

    assert not rectified_displacement(here, here).requires_grad


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
