"""Motion and moving along it: known shifts, OpenCV's flow as the independent one, occlusion."""

import cv2
import numpy as np
import pytest

from upreel.metrics import motion, visible, warp


def texture(rows: int = 96, columns: int = 128, seed: int = 1) -> np.ndarray:
    """Smooth blobs, 3 to 20 samples wide: something to follow at every level."""
    random = np.random.default_rng(seed)
    plane = np.zeros((rows, columns))
    for sigma in (2, 5, 9):
        blob = cv2.GaussianBlur(random.normal(0, 1, (rows, columns)), (0, 0), sigma)
        plane += 28 * blob / blob.std()
    return np.clip(plane + 128, 0, 255)


def shifted(plane: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """The plane moved to the right and down, cyclically, exact in the frequency domain."""
    fy = np.fft.fftfreq(plane.shape[0])[:, None]
    fx = np.fft.fftfreq(plane.shape[1])
    phase = np.exp(-2j * np.pi * (fx * dx + fy * dy))
    return np.real(np.fft.ifft2(np.fft.fft2(plane) * phase))


def inner(field: np.ndarray, border: int = 20) -> np.ndarray:
    return field[border:-border, border:-border]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (0, -2), (0.5, 0.25), (-6, 5), (11, 0)])
def test_a_shift_is_found(dx: float, dy: float) -> None:
    before = texture(128, 160)
    frame = shifted(before, dx, dy)

    field = inner(motion(frame, before), 36)  # what enters at the border came from elsewhere

    # What is at (y, x) now was at (y - dy, x - dx).
    np.testing.assert_allclose(np.median(field, axis=(0, 1)), (-dx, -dy), atol=0.02)
    assert np.hypot(field[..., 0] + dx, field[..., 1] + dy).mean() < 0.05


def test_a_zoom_agrees_with_opencv() -> None:
    before = texture(120, 160).astype(np.uint8)
    frame = cv2.warpAffine(
        before, np.array([[1.03, 0.01, -2], [-0.01, 1.03, 1]], np.float64), (160, 120),
        flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip

    ours = inner(motion(frame, before))
    theirs = inner(cv2.calcOpticalFlowFarneback(frame, before, None, 0.5, 4, 15, 5, 7, 1.5, 0))

    assert np.hypot(*np.moveaxis(theirs, -1, 0)).mean() > 1.5
    assert np.hypot(*np.moveaxis(ours - theirs, -1, 0)).mean() < 0.1


def test_flat_pictures_do_not_move() -> None:
    noise = np.random.default_rng(1).normal(0, 0.5, (2, 48, 64))

    field = motion(100 + noise[0], 100 + noise[1])

    assert np.abs(field).max() < 0.3


def test_ten_bits_move_as_eight() -> None:
    before = texture()
    frame = shifted(before, 2, 1)

    eight = motion(frame, before)
    ten = motion(frame * (1023 / 255), before * (1023 / 255), max_value=1023)
    np.testing.assert_allclose(ten, eight, atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 16), (17, 65), (49, 33)])
def test_any_size_from_the_smallest_on(shape: tuple[int, int]) -> None:
    plane = texture(*shape)

    assert motion(plane, plane).shape == (*shape, 2)
    assert np.abs(motion(plane, plane)).max() < 1e-3


def test_below_the_smallest_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 16 x 16, got \(15, 40\)"):
        motion(np.zeros((15, 40)), np.zeros((15, 40)))


def test_whole_sample_warps_are_exact_and_borders_repeat() -> None:
    plane = np.random.default_rng(1).integers(0, 256, (6, 8)).astype(np.uint8)
    field = np.zeros((6, 8, 2), np.float32)
    field[..., 0], field[..., 1] = 2, -1

    rows, columns = np.mgrid[:6, :8]
    expected = plane[np.clip(rows - 1, 0, 5), np.clip(columns + 2, 0, 7)]
    np.testing.assert_array_equal(warp(plane, field), expected)


def test_half_samples_are_keys_cubic() -> None:
    field = np.zeros((1, 6, 2), np.float32)
    field[..., 0] = 0.5

    moved = warp(np.array([[0, 0, 16, 0, 0, 0]], np.uint8), field)

    np.testing.assert_allclose(moved, [[-1, 9, 9, -1, 0, 0]])


def test_a_field_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"motion of \(4, 4\) must be \(H, W, 2\), got \(4, 5, 2\)"
    ):
        warp(np.zeros((4, 4)), np.zeros((4, 5, 2), np.float32))


def test_what_leaves_the_picture_is_not_seen() -> None:
    forth = np.zeros((20, 30, 2), np.float32)
    forth[..., 0] = 4

    seen = visible(forth, -forth)

    assert seen[:, :26].all()
    assert not seen[:, 26:].any()


def test_a_way_back_that_ends_elsewhere_is_not_seen() -> None:
    still = np.zeros((20, 30, 2), np.float32)
    back = still.copy()
    back[5:10, 5:10, 1] = 2
    slight = still.copy()
    slight[..., 0] = 0.6  # 0.36 <= 0.01 * 0.36 + 0.5

    expected = np.ones((20, 30), bool)
    expected[5:10, 5:10] = False
    np.testing.assert_array_equal(visible(still, back), expected)
    assert visible(still, slight).all()


def test_a_square_that_hides_the_background_is_masked_beside_it() -> None:
    background = texture()
    frame, before = background.copy(), background.copy()
    square = 255 - texture(40, 40, seed=5)
    before[30:70, 30:70] = square
    frame[30:70, 36:76] = square

    seen = visible(motion(frame, before), motion(before, frame))

    # Columns 30 to 35 show background that the square hid before.
    assert seen[38:62, 46:66].mean() > 0.9
    assert seen[:, 90:].mean() > 0.9
    assert seen[38:62, 30:36].mean() < 0.5
