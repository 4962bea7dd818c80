"""resample(): a slow reference from the docstring, MATLAB's numbers, phases, borders, blocks.

Mutations tried: `a` of the cubic, borders clamped, `out_origin` ignored, a band one column short.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upreel.degradation.resample import KERNELS, Kernel, kernel_weights, resample


def shape_at(kernel: Kernel, x: float) -> float:
    """A kernel's height `x` output samples (or input samples, if those are wider) off centre."""
    x = abs(x)
    if kernel == "bicubic":
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
    if kernel == "lanczos3":
        return float(np.sinc(x) * np.sinc(x / 3)) if x < 3 else 0.0
    return math.exp(-2 * x * x)


def reference_axis(
    samples: np.ndarray, out_size: int, kernel: Kernel, ratio: float, in_origin: float,
    out_origin: float,
) -> np.ndarray:  # fmt: skip
    """One row, sample by sample."""
    widening = max(ratio, 1.0)
    result = []
    for j in range(out_size):
        centre = (j + out_origin) * ratio - in_origin
        reach = math.ceil(4 * widening) + 1
        total = weights = 0.0
        for i in range(math.floor(centre) - reach, math.floor(centre) + reach + 1):
            if kernel == "area":
                end = min(i + 0.5, centre + widening / 2)
                weight = max(end - max(i - 0.5, centre - widening / 2), 0.0)
            elif kernel == "gaussian" and abs(i - centre) > 3 * widening:
                weight = 0.0  # below 1e-7 there
            else:
                weight = shape_at(kernel, (i - centre) / widening)
            folded = i % (2 * len(samples))  # ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...
            folded = folded if folded < len(samples) else 2 * len(samples) - 1 - folded
            total += weight * float(samples[folded])
            weights += weight
        result.append(total / weights)
    return np.array(result)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("in_size", "out_size", "ratio", "origins"),
    [
        ((9, 7), (9, 7), None, ((0.5, 0.5), (0.5, 0.5))),
        ((13, 9), (5, 3), None, ((0.5, 0.5), (0.5, 0.5))),
        ((5, 7), (15, 14), None, ((0.5, 0.5), (0.5, 0.5))),
        ((5, 6), (4, 13), (1.5, 0.5), ((0.5, 0.25), (0.25, 0.75))),
        ((1, 2), (6, 3), None, ((0.5, 0.5), (0.5, 0.5))),
    ],
)
def test_matches_the_slow_reference(
    kernel: Kernel, in_size: tuple[int, int], out_size: tuple[int, int],
    ratio: tuple[float, float] | None, origins: tuple[tuple[float, float], tuple[float, float]],
) -> None:  # fmt: skip
    plane = np.random.default_rng(3).integers(0, 256, in_size).astype(np.uint8)
    ratios = ratio or (in_size[0] / out_size[0], in_size[1] / out_size[1])
    rows = np.stack(
        [
            reference_axis(c, out_size[0], kernel, ratios[0], origins[0][0], origins[1][0])
            for c in plane.T
        ],
        axis=1,
    )
    expected = np.stack(
        [
            reference_axis(r, out_size[1], kernel, ratios[1], origins[0][1], origins[1][1])
            for r in rows
        ]
    )

    made = resample(
        plane, *out_size, kernel=kernel, ratio=ratio, in_origin=origins[0], out_origin=origins[1]
    )

    assert made.dtype == np.float32
    # The Gaussian has no end of its own: what is cut off weighs less than 0.04 %.
    np.testing.assert_allclose(made, expected, atol=0.2 if kernel == "gaussian" else 2e-3)


@pytest.mark.parametrize("out_size", [63, 64, 65, 127, 128, 129])
@pytest.mark.parametrize("shrinks", [True, False])
def test_blocks_of_64_meet(out_size: int, shrinks: bool) -> None:
    in_size = 2 * out_size if shrinks else out_size // 2
    row = np.random.default_rng(out_size).integers(0, 256, in_size).astype(np.float64)
    expected = reference_axis(row, out_size, "bicubic", in_size / out_size, 0.5, 0.5)

    flat = resample(row[None], 1, out_size, kernel="bicubic")
    upright = resample(row[:, None], out_size, 1, kernel="bicubic")

    np.testing.assert_allclose(flat[0], expected, atol=1e-3)
    np.testing.assert_allclose(upright[:, 0], expected, atol=1e-3)


def test_bicubic_halving_has_matlabs_weights() -> None:
    tail = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]  # imresize(eye(16), 0.5)

    weights = kernel_weights(16, 8, kernel="bicubic", ratio=2)

    assert weights[3].tolist() == [0] * 3 + tail + tail[::-1] + [0] * 5
    mirrored = [0.43359375 + 0.11328125, 0.43359375 - 0.03515625, 0.11328125 - 0.01171875]
    np.testing.assert_allclose(weights[0], [*mirrored, -0.03515625, -0.01171875] + [0] * 11)


def test_bicubic_doubling_has_matlabs_weights() -> None:
    weights = kernel_weights(4, 8, kernel="bicubic", ratio=0.5)

    np.testing.assert_allclose(weights[1], [0.796875, 0.2265625, -0.0234375, 0])
    np.testing.assert_allclose(weights[4], [-0.0234375, 0.2265625, 0.8671875, -0.0703125])


def test_without_antialiasing_a_kernel_is_not_widened() -> None:
    weights = kernel_weights(16, 4, kernel="bicubic", ratio=4, antialias=False)

    assert np.flatnonzero(weights[2]).tolist() == [8, 9, 10, 11]


@given(
    kernel=st.sampled_from(KERNELS),
    sizes=st.tuples(*[st.integers(1, 150)] * 4),
    level=st.integers(0, 65535),
)
@settings(max_examples=40, deadline=None)
def test_constants_are_preserved(
    kernel: Kernel, sizes: tuple[int, int, int, int], level: int
) -> None:
    plane = np.full(sizes[:2], level, np.uint16)

    made = resample(plane, *sizes[2:], kernel=kernel)

    assert made.shape == sizes[2:]
    assert np.abs(made - level).max() <= level * 2e-6


ORIGINS = {"center": (0.5, 0.5), "left": (0.5, 0.25), "topleft": (0.25, 0.25)}


def edge_position(profile: np.ndarray, origin: float) -> float:
    """Where a rising profile crosses its middle, in luma columns of 2:1 subsampled chroma."""
    middle = (profile.min() + profile.max()) / 2
    after = int(np.argmax(profile > middle))
    low, high = profile[after - 1], profile[after]
    return 2 * (after - 1 + (middle - low) / (high - low) + origin)


@pytest.mark.parametrize("siting", list(ORIGINS))
@pytest.mark.parametrize("kernel", ["bicubic", "lanczos3", "area", "gaussian"])
@pytest.mark.parametrize(("size", "out_size"), [(48, 96), (48, 144), (96, 48), (96, 24)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_chroma_edge_stays_put(
    siting: str, kernel: Kernel, size: int, out_size: int, axis: int
) -> None:
    origin = ORIGINS[siting]
    edge = 45.3 * size / 48  # luma columns
    position = 2 * (np.arange(size) + origin[axis])
    profile = 128 + 90 * np.tanh((position - edge) / (6 * size / 48))
    plane = np.broadcast_to(profile, (4, size))
    plane = plane if axis else plane.T
    shape = (4, out_size) if axis else (out_size, 4)

    made = resample(plane, *shape, kernel=kernel, in_origin=origin, out_origin=origin)

    measured = edge_position(made[2] if axis else made[:, 2], origin[axis])
    limit = 1.0 if kernel == "area" and out_size > size else 0.1  # area enlarges by repeating
    assert measured == pytest.approx(edge * out_size / size, abs=limit)


def test_subsampled_planes_of_odd_pictures_keep_their_ratio() -> None:
    # A picture of 65 columns has 33 of chroma; twice as large it has 130 and 65.
    ramp = np.arange(33.0)[None] + 0.25

    made = resample(
        ramp, 1, 65, kernel="bicubic", ratio=(1, 0.5), in_origin=(0.5, 0.25), out_origin=(0.5, 0.25)
    )

    np.testing.assert_allclose(made[0, 4:-4], (np.arange(65) + 0.25)[4:-4] / 2, atol=1e-4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no kernel 'nearest'; there are: bicubic, lanczos3"):
        resample(np.zeros((4, 4)), 2, 2, kernel="nearest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be positive, got 4, 0"):
        resample(np.zeros((4, 4)), 0, 2, kernel="area", ratio=(1, 1))
