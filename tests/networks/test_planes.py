"""Packed layouts, the fixed interpolation and rounding to a grid, against slow references.

Mutations tried: Cb and Cr swapped in unpack, chroma's origin set to 0.5, `descending` inverted.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from upreel.inference.packing import pack_frame, unpack_answer
from upreel.networks.planes import interpolation_kernel, pack, to_grid, unpack


def test_pack_puts_blocks_of_luma_beside_chroma() -> None:
    luma, chroma = torch.rand(2, 1, 6, 8), torch.rand(2, 2, 3, 4)

    packed = pack(luma, chroma)

    assert packed.shape == (2, 6, 3, 4)
    for y in range(3):
        for x in range(4):
            block = luma[:, 0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(2, 4)
            assert torch.equal(packed[:, :4, y, x], block)
            assert torch.equal(packed[:, 4:, y, x], chroma[:, :, y, x])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_unpack_lays_out_each_position(scale: int) -> None:
    answer = torch.rand(2, 6 * scale * scale, 3, 4)

    luma, chroma = unpack(answer, scale)

    big = 2 * scale
    assert luma.shape == (2, 1, big * 3, big * 4)
    assert chroma.shape == (2, 2, scale * 3, scale * 4)
    for y in range(3):
        for x in range(4):
            block = luma[:, 0, big * y : big * (y + 1), big * x : big * (x + 1)]
            small = chroma[:, :, scale * y : scale * (y + 1), scale * x : scale * (x + 1)]
            together = torch.cat((block.flatten(1), small.flatten(1)), dim=1)
            assert torch.equal(answer[:, :, y, x], together)


def test_engines_pack_and_unpack_the_same_layout() -> None:
    random = np.random.default_rng(0)
    luma = random.integers(0, 256, (6, 8)).astype(np.uint8)
    chroma = random.integers(0, 256, (2, 3, 4)).astype(np.uint8)
    batch = np.empty((3, 4, 6), np.uint8)
    pack_frame(batch, luma, (chroma[0], chroma[1]), 0, 0)
    packed = pack(tensor(luma)[None, None], tensor(chroma)[None])
    np.testing.assert_array_equal(batch, packed[0].permute(1, 2, 0).numpy())

    answer = random.integers(0, 256, (3, 4, 54)).astype(np.uint8)
    big, cb, cr = (
        np.empty((18, 24), np.uint8),
        np.empty((9, 12), np.uint8),
        np.empty((9, 12), np.uint8),
    )
    unpack_answer(answer, 3, big, (cb, cr))
    luma_out, chroma_out = unpack(tensor(answer).permute(2, 0, 1)[None], 3)
    np.testing.assert_array_equal(big, luma_out[0, 0].numpy())
    np.testing.assert_array_equal(np.stack((cb, cr)), chroma_out[0].numpy())


def tensor(levels: np.ndarray) -> Tensor:
    return torch.from_numpy(levels.astype(np.float32))


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def taps(position: float, first: int, last: int) -> dict[int, float]:
    """Normalised cubic weights of samples `first` to `last` at a position between them."""
    weights = {k: cubic(k - position) for k in range(first, last + 1)}
    return {k: weight / sum(weights.values()) for k, weight in weights.items()}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_interpolation_matches_the_slow_reference(scale: int) -> None:
    kernel = interpolation_kernel(scale)

    expected = torch.zeros(6 * scale**2, 6, 3, 3)
    for row in range(2 * scale):
        for column in range(2 * scale):
            vertical = taps((row + 0.5) / scale - 0.5, -2, 3)
            horizontal = taps((column + 0.5) / scale - 0.5, -2, 3)
            for y, weight_y in vertical.items():
                for x, weight_x in horizontal.items():
                    channel = 2 * (y % 2) + x % 2
                    place = (2 * scale * row + column, channel, y // 2 + 1, x // 2 + 1)
                    expected[place] = weight_y * weight_x
    for row in range(scale):
        for column in range(scale):
            vertical = taps((row + 0.5) / scale - 0.5, -1, 1)
            horizontal = taps((column + 0.25) / scale - 0.25, -1, 1)
            for plane in (0, 1):
                place = (4 + plane) * scale**2 + scale * row + column
                for y, weight_y in vertical.items():
                    for x, weight_x in horizontal.items():
                        expected[place, 4 + plane, y + 1, x + 1] = weight_y * weight_x
    assert (kernel - expected).abs().max() <= 1 / 256
    assert (kernel - expected).abs().mean() <= 1 / 1024
    whole = kernel.double() * 256
    assert torch.equal(whole, whole.round())
    assert torch.equal(kernel.double().sum(dim=(1, 2, 3)), torch.ones(6 * scale**2).double())


@given(
    rows=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 30)),
        elements=st.floats(-2, 2, width=32),
    ),
    log2_step=st.integers(-10, -1),
)
@settings(max_examples=100, deadline=None)
def test_rounding_to_a_grid_keeps_sums(rows: np.ndarray, log2_step: int) -> None:
    step = 2.0**log2_step

    made = to_grid(torch.from_numpy(rows), step).double().numpy() / step

    exact = rows.astype(np.float64) / step
    np.testing.assert_array_equal(made, np.rint(made))
    for row, wanted in zip(made, exact, strict=True):
        assert abs(row.sum() - math.fsum(wanted)) <= 0.5 + 1e-6
    assert np.abs(made - exact).max() <= 1 + 1e-9
    again = to_grid(torch.from_numpy((made * step).astype(np.float32)), step).double().numpy()
    np.testing.assert_array_equal(again, made * step)


def test_rounding_moves_the_samples_that_lost_most() -> None:
    made = to_grid(torch.tensor([[0.45, 0.3, 0.25], [0.7, 0.6, 0.7]]), 1.0)

    assert made.tolist() == [[1, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("phase", "first"), [("centred", None), ("first", 0.0)])
def test_answers_lie_on_a_ramp_where_their_phase_says(
    scale: int, phase: str, first: float | None
) -> None:
    ramp = torch.arange(12.0)[:, None] * 8 + torch.arange(10.0)
    kernel = interpolation_kernel(scale, "luma", phase)

    answer = F.pixel_shuffle(F.conv2d(ramp[None, None], kernel), scale)[0, 0]

    first = (1 - scale) / (2 * scale) if first is None else first
    y = 2 + first + torch.arange(8 * scale) / scale
    x = 2 + first + torch.arange(6 * scale) / scale
    torch.testing.assert_close(answer, 8 * y[:, None] + x, atol=0.15, rtol=0)
