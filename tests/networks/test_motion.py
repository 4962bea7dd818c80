"""Sub-pixel motion: known shifts, the reference in `metrics`, flat pictures, clips side by side.

Mutations tried: the sign of dx, dy for dx, one round at the quarter size, windows of one cell,
coarse motion not doubled, in bf16 where the caller is, the least of the largest for the largest of
the least, medians of three in one direction, one frame softened.
"""

import numpy as np
import pytest
import torch
from network_checks import waves
from scipy.ndimage import correlate, map_coordinates

from upreel.metrics.lucas_kanade import motion
from upreel.networks.motion import ITERATIONS, cell_motion, enlarged_motion


@pytest.mark.parametrize(
    ("dx", "dy"), [(0.25, -0.5), (1.0, 0.0), (-2.3, 1.6), (4.5, -3.25), (-5.0, 5.0)]
)
def test_a_clip_moved_by_parts_of_a_pixel(dx: float, dy: float) -> None:
    here, there = waves(96, 112), waves(96, 112, dx, dy)

    found = cell_motion(here, there)

    assert found.shape == (1, 1, 2, 24, 28)
    inner = found[0, 0, :, 4:-4, 4:-4]
    error = (inner - torch.tensor([dx, dy])[:, None, None]).abs()
    assert error.median() < 0.03
    assert error.quantile(0.95) < 0.15


def test_it_is_about_the_reference_where_motion_differs_from_place_to_place() -> None:
    here, there = waves(96, 112), waves(96, 112, 0.5, 0.0, zoom=1.06)

    found = enlarged_motion(cell_motion(here, there)[0], 4)[0].permute(1, 2, 0).numpy()

    expected = motion(here[0, 0].numpy(), there[0, 0].numpy(), max_value=1.0)
    inner = (slice(12, -12), slice(12, -12))
    miss = np.abs(found - expected)[inner]
    assert np.ptp(expected[inner][..., 0]) > 3
    assert np.median(miss) < 0.05
    assert np.quantile(miss, 0.95) < 0.3


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_what_the_equations_say_cell_by_cell(seed: int) -> None:
    here, there = waves(32, 48, seed=seed), waves(32, 48, 1.3, -0.8, seed=seed)

    found = cell_motion(here, there)[0, 0]

    expected = slow_motion(here[0, 0].double().numpy() * 255, there[0, 0].double().numpy() * 255)
    np.testing.assert_allclose(found.permute(1, 2, 0).numpy(), expected, atol=2e-4)
    assert np.abs(expected).max() > 1


def slow_motion(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(h, w, 2) of levels: its definition in loops, in double precision."""
    levels = [(here, there)]
    for _ in ITERATIONS[1:]:
        levels.append(tuple(halved(frame) for frame in levels[-1]))
    motion_found = np.zeros((levels[-1][0].shape[0] // 4, levels[-1][0].shape[1] // 4, 2))
    for level in reversed(range(len(levels))):
        frame, other = (softened(each) for each in levels[level])
        if level < len(levels) - 1:
            motion_found = 2 * enlarged(motion_found, 2)
        padded = np.pad(frame, 1, mode="edge")
        across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
        down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
        for _ in range(ITERATIONS[level]):
            change = frame - bilinear(other, enlarged(motion_found, 4))
            step = np.empty_like(motion_found)
            for i, j in np.ndindex(step.shape[:2]):
                xx, yy, xy, x, y = (
                    window_mean(values, i, j)
                    for values in (
                        across**2, down**2, across * down, across * change, down * change
                    )
                )  # fmt: skip
                matrix = np.array([[xx + 4, xy], [xy, yy + 4]])
                step[i, j] = np.clip(np.linalg.solve(matrix, [x, y]), -1, 1)
            motion_found = motion_found + step
        padded = np.pad(motion_found, ((1, 1), (1, 1), (0, 0)), mode="edge")
        for i, j in np.ndindex(motion_found.shape[:2]):
            motion_found[i, j] = np.median(padded[i : i + 3, j : j + 3], axis=(0, 1))
    return motion_found


def softened(frame: np.ndarray) -> np.ndarray:
    return correlate(frame, np.outer((1, 2, 1), (1, 2, 1)) / 16, mode="nearest")


def halved(frame: np.ndarray) -> np.ndarray:
    return frame.reshape(frame.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))


def window_mean(values: np.ndarray, i: int, j: int) -> float:
    """Over 3x3 cells of 4x4 samples, 1-2-1 in both directions, cells repeated at the border."""
    rows, columns = values.shape[0] // 4, values.shape[1] // 4
    total = 0.0
    for di, dj in np.ndindex(3, 3):
        y, x = np.clip(i + di - 1, 0, rows - 1), np.clip(j + dj - 1, 0, columns - 1)
        weight = (2 - abs(di - 1)) * (2 - abs(dj - 1)) / 16
        total += weight * values[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean()
    return total


def enlarged(field: np.ndarray, factor: int) -> np.ndarray:
    """Linear between the cells' middles, constant beyond the outer ones."""
    y, x = ((np.arange(factor * side) + 0.5) / factor - 0.5 for side in field.shape[:2])
    rows = np.stack(
        [[np.interp(x, np.arange(field.shape[1]), row[:, k]) for row in field] for k in range(2)]
    )  # (2, h, factor w)
    columns = [
        [np.interp(y, np.arange(field.shape[0]), column) for column in part.T] for part in rows
    ]
    return np.stack([np.array(part).T for part in columns], axis=-1)


def bilinear(plane: np.ndarray, field: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
    places = (y + field[..., 1], x + field[..., 0])
    return map_coordinates(plane, places, order=1, mode="nearest")


def test_still_and_flat_frames_do_not_move() -> None:
    here = waves(48, 64)
    flat = torch.full_like(here, 0.4)

    assert cell_motion(here, here).abs().max() < 1e-4
    assert cell_motion(flat, here).abs().max() == 0  # no gradient says where to
    assert cell_motion(flat, flat + 0.1).abs().max() == 0


def test_each_neighbour_and_each_clip_is_found_alone() -> None:
    here = torch.cat((waves(48, 64), waves(48, 64, seed=1)))
    there = torch.cat(
        [
            torch.cat([waves(48, 64, dx, dy, seed=seed) for dx, dy in ((1, 0.5), (-2, 1))], dim=1)
            for seed in (0, 1)
        ]
    )

    together = cell_motion(here, there)

    for b in range(2):
        for k in range(2):
            alone = cell_motion(here[b : b + 1], there[b : b + 1, k : k + 1])
            torch.testing.assert_close(together[b, k], alone[0, 0], rtol=0, atol=1e-5)


def test_it_reaches_no_further_than_its_rounds_and_learns_nothing() -> None:
    reach = sum(rounds * 2**level for level, rounds in enumerate(ITERATIONS))
    here = waves(48, 64).requires_grad_()

    found = cell_motion(here, waves(48, 64, 30, -30, seed=2))

    assert found.abs().max() <= reach
    assert not found.requires_grad


def test_mixed_precision_changes_nothing() -> None:
    """Along an edge that is straight and diagonal the equations are close to having no solution."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    here, there = (torch.sigmoid(x + y - 80 - t)[None, None] for t in (0, 1))
    expected = cell_motion(here, there)

    with torch.autocast("cpu", torch.bfloat16):
        found = cell_motion(here, there)

    assert torch.equal(found, expected)
    assert expected.isfinite().all()
    assert expected.abs().max() > 0.3
