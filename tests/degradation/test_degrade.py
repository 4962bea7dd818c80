"""shrink() and degrade(): shapes, siting, every encoder there and back, and the distribution."""

import numpy as np
import pytest

from upreel.degradation.degrade import Coding, Degradation, Drawn, degrade, shrink
from upreel.degradation.resample import KERNELS, Kernel, resample
from upreel.video.recode import RECODERS, Recoder, recode


def drawn_frames(count: int = 3, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A drifting grating over a ramp, with a tint that is no constant."""
    y, x = np.mgrid[:side, :side]
    luma = [110 + x / 2 + 40 * np.sin((x + y + 2 * t) / 4) for t in range(count)]
    half = np.mgrid[: side // 2, : side // 2]
    chroma = [[90 + half[0] + t, 160 - half[1] + t] for t in range(count)]
    return np.array(luma).astype(np.uint8), np.array(chroma).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", KERNELS)
def test_shrink_divides_both_kinds_of_plane(scale: int, kernel: Kernel) -> None:
    luma, chroma = drawn_frames(2, 48)

    small_luma, small_chroma = shrink(luma, chroma, scale, kernel)

    side = 48 // scale
    assert (small_luma.shape, small_luma.dtype) == ((2, side, side), np.uint8)
    assert (small_chroma.shape, small_chroma.dtype) == ((2, 2, side // 2, side // 2), np.uint8)
    expected = np.rint(resample(luma[1], side, side, kernel=kernel)).clip(0, 255)
    np.testing.assert_array_equal(small_luma[1], expected)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_shrunk_chroma_stays_sited_left(scale: int) -> None:
    edge = 70.0  # luma columns
    position = 2 * (np.arange(72) + 0.25)
    profile = 128 + 100 * np.tanh((position - edge) / 12)
    chroma = np.broadcast_to(np.rint(profile), (1, 2, 24, 72)).astype(np.uint8)

    _, small = shrink(np.zeros((1, 48, 144), np.uint8), chroma, scale, "bicubic")

    columns = 2 * (np.arange(72 // scale) + 0.25)
    measured = np.interp(128, small[0, 0, 3].astype(float), columns)
    assert measured == pytest.approx(edge / scale, abs=0.1)


@pytest.mark.parametrize("scale", [2, 4])
def test_bd_is_a_gaussian_whose_first_sample_is_the_first(scale: int) -> None:
    random = np.random.default_rng(3)
    luma = random.integers(0, 256, (2, 48, 96), np.uint8)
    chroma = random.integers(0, 256, (2, 2, 24, 48), np.uint8)

    small, small_chroma = shrink(luma, chroma, scale, "blur")

    taps = np.exp(-0.5 * (np.arange(-6, 7) / 1.6) ** 2)
    weights = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(luma[1].astype(float), 6, mode="symmetric")
    for y, x in ((0, 0), (3, 5), (48 // scale - 1, 96 // scale - 1)):
        around = padded[scale * y : scale * y + 13, scale * x : scale * x + 13]
        assert abs(small[1, y, x] - (weights * around).sum()) <= 0.501
    assert small_chroma.shape == (2, 2, 24 // scale, 48 // scale)


def test_bd_moves_chroma_with_luma() -> None:
    # One ramp over luma's rows and columns; chroma sited left shows it where chroma lies.
    rows, columns = np.arange(64.0)[:, None], np.arange(128.0)
    luma = np.rint(20 + 0.5 * rows + columns).astype(np.uint8)[None]
    chroma = np.rint(20 + 0.5 * (2 * rows[:32] + 0.5) + 2 * columns[:64]).astype(np.uint8)

    small, small_chroma = shrink(luma, np.stack([chroma] * 2)[None], 4, "blur")

    inner = small[0, 2:-2, 2:-2].astype(float)
    # Between the rows of luma, on its columns.
    expected = (inner[0:-1:2, ::2] + inner[1::2, ::2]) / 2
    found = small_chroma[0, 0, 1:-1, 1:-1]
    assert np.abs(found - expected).max() <= 1


def test_shrink_refuses_what_the_scale_does_not_divide() -> None:
    luma, chroma = drawn_frames(1, 50)

    with pytest.raises(ValueError, match="50x50 is no multiple of 4"):
        shrink(luma, chroma, 2, "area")


@pytest.mark.parametrize("codec", list(RECODERS))
def test_every_encoder_there_and_back(codec: Recoder) -> None:
    luma, chroma = drawn_frames()
    worst = 63 if codec in ("svtav1", "vp9") else 51

    fine = degrade(luma, chroma, 1, Drawn(kernel="area", codec=codec, crf=8))
    again = degrade(luma, chroma, 1, Drawn(kernel="area", codec=codec, crf=8))
    coarse = degrade(luma, chroma, 1, Drawn(kernel="area", codec=codec, crf=worst))

    for true, good, same, poor in zip((luma, chroma), fine, again, coarse, strict=True):
        if codec != "x265":  # on pictures this small it reads memory it has not written
            np.testing.assert_array_equal(good, same)
        assert (good.shape, good.dtype) == (true.shape, np.uint8)
        error, poor_error = (np.abs(plane.astype(float) - true) for plane in (good, poor))
        assert error.mean() < 3
        assert poor_error.mean() > 1.5 * error.mean()
        # Frames in their order: each is nearest to its own original.
        for t in range(3):
            distances = [np.abs(good[t].astype(float) - true[k]).mean() for k in range(3)]
            assert int(np.argmin(distances)) == t


@pytest.mark.parametrize("codec", list(RECODERS))
def test_a_single_picture_is_coded_too(codec: Recoder) -> None:
    luma, chroma = drawn_frames(1)

    coded_luma, coded_chroma = recode(luma, chroma, codec=codec, crf=10)

    assert np.abs(coded_luma.astype(float) - luma).mean() < 4
    assert np.abs(coded_chroma.astype(float) - chroma).mean() < 4


def test_draws_follow_the_distribution() -> None:
    x264, vp9 = Coding(codec="x264", crf=(20, 22)), Coding(codec="vp9", crf=(40, 40))
    degradation = Degradation(kernels=("bicubic", "area"), codings=(x264, vp9), uncoded=0.25)
    random = np.random.default_rng(1)

    drawn = [degradation.draw(random) for _ in range(400)]

    assert {d.kernel for d in drawn} == {"bicubic", "area"}
    assert {(d.codec, d.crf) for d in drawn} == {
        (None, 0), ("x264", 20), ("x264", 21), ("x264", 22), ("vp9", 40),
    }  # fmt: skip
    assert sum(d.codec is None for d in drawn) == pytest.approx(100, abs=30)
    random = np.random.default_rng(1)
    assert drawn == [degradation.draw(random) for _ in range(400)]


def test_descriptions() -> None:
    codings = (Coding(codec="x264", crf=(18, 30)), Coding(codec="vp9", crf=(24, 40)))
    coded = Degradation(kernels=("bicubic", "area"), codings=codings, uncoded=0.25)

    assert Degradation(kernels=("bicubic",)).describe() == "bicubic downscale, 8-bit"
    assert coded.describe() == (
        "bicubic/area downscale, then x264 crf 18-30, vp9 crf 24-40; 25% not coded"
    )


def test_distributions_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="codec must be one of x264, x265, svtav1, vp9, got 'h'"):
        Coding(codec="h", crf=(1, 2))  # type: ignore[arg-type]
    for crf in ((30, 20), (-1, 3), (3, 64)):
        with pytest.raises(ValueError, match="rising pair from 0 to 63"):
            Coding(codec="x264", crf=crf)
    with pytest.raises(ValueError, match="kernels must be some of"):
        Degradation(kernels=())
    with pytest.raises(ValueError, match="1 without codings, got"):
        Degradation(kernels=("area",), uncoded=0.5)
