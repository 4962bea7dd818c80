"""Sub-pixel motion: known shifts, the reference in `metrics`, flat pictures, clips side by side.

Mutations tried: the sign of dx, dy for dx, one round at the quarter size, windows of one cell,
coarse motion not doubled, in bf16 where the caller is.
"""

import numpy as np
import pytest
import torch
from network_checks import waves

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
