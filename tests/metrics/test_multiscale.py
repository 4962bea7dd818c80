"""ms_ssim(): torchmetrics, a slow twin written from the paper, and what is refused."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from upreel.metrics import MS_SSIM_SMALLEST, ms_ssim


def noise(seed: int, shape: tuple[int, int] = (190, 200)) -> np.ndarray:
    """Blobs of several sizes, so that every scale has something to compare."""
    random = np.random.default_rng(seed)
    plane = np.zeros(shape)
    for size in (1, 4, 16):
        small = random.normal(0, 30, (shape[0] // size + 1, shape[1] // size + 1))
        plane += np.kron(small, np.ones((size, size)))[: shape[0], : shape[1]]
    return np.clip(128 + plane, 0, 255).astype(np.uint8)


def pair(shape: tuple[int, int] = (190, 200)) -> tuple[np.ndarray, np.ndarray]:
    a = noise(1, shape)
    return a, (0.7 * a + 0.3 * noise(2, shape)).astype(np.uint8)


def slow_ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Scale by scale from scikit-image's map of the index; the luminance term taken out of it."""
    a, b = a.astype(float), b.astype(float)
    result = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        _, index = structural_similarity(
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            full=True,
        )  # fmt: skip
        if scale < 4:
            ones = np.full_like(a, 1)  # against a constant plane only the means count
            mean_a, mean_b = (_weighted_mean(plane) * ones for plane in (a, b))
            c1 = (0.01 * 255) ** 2
            index = index / ((2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1))
        result *= index[5:-5, 5:-5].mean() ** weight
        rows, columns = a.shape[0] // 2 * 2, a.shape[1] // 2 * 2
        a, b = (sum(p[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)) / 4 for p in (a, b))
    return float(result)


def _weighted_mean(plane: np.ndarray) -> np.ndarray:
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()
    padded = np.pad(plane, 5, mode="symmetric")
    rows = sum(w * padded[k : k + plane.shape[0]] for k, w in enumerate(window))
    return sum(w * rows[:, k : k + plane.shape[1]] for k, w in enumerate(window))


@pytest.mark.parametrize("shape", [(176, 176), (191, 203)])
def test_matches_the_slow_twin(shape: tuple[int, int]) -> None:
    a, b = pair(shape)

    assert ms_ssim(a, b) == pytest.approx(slow_ms_ssim(a, b), rel=1e-6)


def test_agrees_with_torchmetrics() -> None:
    """But for the coarsest scale, where torchmetrics counts windows that reach over the border."""
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    planes = pair((192, 208))
    tensors = [torch.from_numpy(plane.astype(np.float64))[None, None] for plane in planes]
    coarsest = [torch.nn.functional.avg_pool2d(tensor, 16) for tensor in tensors]

    over_border, similarity = functional.structural_similarity_index_measure(
        *coarsest, data_range=255.0, sigma=1.5, return_full_image=True
    )
    inside = similarity[..., 5:-5, 5:-5].mean()
    expected = functional.multiscale_structural_similarity_index_measure(
        *tensors, data_range=255.0, sigma=1.5, normalize="relu"
    )
    expected = float(expected) * float(inside / over_border) ** 0.1333

    assert ms_ssim(*planes) == pytest.approx(expected, abs=1e-6)


def test_equal_planes_are_one_and_noise_lowers_it_step_by_step() -> None:
    a, _ = pair()
    random = np.random.default_rng(3)
    values = [ms_ssim(a, a + random.normal(0, sigma, a.shape)) for sigma in (0, 5, 20, 60)]

    assert values[0] == 1
    assert sorted(values, reverse=True) == values
    assert values[3] < 0.9 * values[0]


def test_a_brighter_picture_counts_at_the_coarsest_scale_alone() -> None:
    dark = np.full((176, 176), 50.0)
    c1 = 2.55**2
    luminance = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)

    assert ms_ssim(dark, 2 * dark) == pytest.approx(luminance**0.1333)


def test_a_negative_picture_is_zero_and_not_complex() -> None:
    a, _ = pair()

    assert ms_ssim(a, 255 - a) == 0


def test_a_negative_of_the_finest_detail_alone_is_zero_too() -> None:
    rows, columns = np.mgrid[:176, :176]
    a = noise(1, (176, 176)) // 2 + 60.0
    a = np.kron(a[::2, ::2], np.ones((2, 2)))  # the same in every block of 2 x 2
    checks = 40.0 * (-1.0) ** (rows + columns)

    assert ms_ssim(a + checks, a - checks) == 0


def test_the_range_of_ten_bits_is_the_same_figure() -> None:
    a, b = pair()

    ten = ms_ssim(a * (1023 / 255), b * (1023 / 255), max_value=1023)
    assert ten == pytest.approx(ms_ssim(a, b), rel=1e-9)


def test_below_the_smallest_size_is_refused_in_one_line() -> None:
    assert MS_SSIM_SMALLEST == 176
    with pytest.raises(ValueError, match=r"^planes must have one shape of at least 176 x 176, got"):
        ms_ssim(np.zeros((176, 175)), np.zeros((176, 175)))
