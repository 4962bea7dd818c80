"""Ruler: which figures there are, of which planes and frames, and what is left out."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.contestants import Picture
from upreel.evaluation.measure import METRICS, Ruler, VmafFolder
from upreel.metrics import motion, ms_ssim, psnr, temporal_difference, visible, warping_error
from upreel.video.frame import PixelFormat


def moving(count: int = 3, *, width: int = 64, height: int = 48) -> Clip:
    random = np.random.default_rng(1)
    coarse = random.integers(40, 200, (height // 8 + 1, width // 8 + 1))
    texture = np.kron(coarse, np.ones((8, 8)))[:height, :width].astype(np.uint8)
    chroma = random.integers(90, 160, (2, height // 2, width // 2)).astype(np.uint8)
    planes = tuple((np.roll(texture, 2 * n, axis=1), *chroma) for n in range(count))
    return Clip(name="x", planes=planes, format=YUV420P)


def noisy(clip: Clip, sigma: float = 6.0) -> list[Picture]:
    random = np.random.default_rng(2)
    return [
        tuple((p + random.normal(0, sigma, p.shape)).astype(np.float32) for p in planes)
        for planes in clip.planes
    ]


def test_every_figure_is_the_metric_on_its_plane_and_frame() -> None:
    truth = moving(width=192, height=176)
    results = noisy(truth)

    found = Ruler(truth=truth).frames(results)

    luma = [planes[0] for planes in truth.planes]
    assert found["psnr_cr"][1] == psnr(truth.planes[1][2], results[1][2])
    assert found["ms_ssim_y"][2] == ms_ssim(luma[2], results[2][0])
    assert found["temporal_difference"] == (
        temporal_difference(luma[1], luma[0], results[1][0], results[0][0]),
        temporal_difference(luma[2], luma[1], results[2][0], results[1][0]),
    )
    field = motion(luma[2], luma[1])
    seen = visible(field, motion(luma[1], luma[2]))
    assert found["warping_error"][1] == warping_error(results[2][0], results[1][0], field, seen)
    assert list(found) == [name for name in METRICS if not name.startswith("vmaf")]


def test_the_truth_is_perfect_but_for_its_own_warping_error() -> None:
    truth = moving()
    ruler = Ruler(truth=truth)

    found = ruler.frames(truth.planes)

    assert found["ssim_y"] == found["ssim_cb"] == (1.0,) * 3
    assert found["motion_difference"] == found["temporal_difference"] == (0.0,) * 2
    facts = ruler.facts()
    assert facts["warping_error"] == pytest.approx(np.mean(found["warping_error"]))
    assert 0.5 < facts["seen"] <= 1


def test_flicker_raises_what_is_about_time() -> None:
    truth = moving(4)
    steady = [(p[0] + np.float32(4), *p[1:]) for p in truth.planes]
    flicker = [(p[0] + np.float32(4 * (-1) ** n), *p[1:]) for n, p in enumerate(truth.planes)]
    ruler = Ruler(truth=truth)

    still, shaky = ruler.frames(steady), ruler.frames(flicker)

    assert still["psnr_y"] == pytest.approx(shaky["psnr_y"])
    assert still["temporal_difference"] == pytest.approx((0.0,) * 3)
    assert shaky["temporal_difference"] == pytest.approx((8.0,) * 3)
    assert np.mean(shaky["warping_error"]) > np.mean(still["warping_error"]) + 30


def test_one_frame_has_nothing_about_time() -> None:
    ruler = Ruler(truth=moving(1))

    assert ruler.absent["warping_error"] == "x has one frame; at least 2"
    assert not {"temporal_difference", "warping_error"} & set(ruler.frames(noisy(moving(1))))
    assert ruler.facts() == {}


@pytest.mark.parametrize(
    ("size", "reasons"),
    [
        ((20, 14), {"ms_ssim_y", "ssim_cb", "ssim_cr", "warping_error", "motion_difference"}),
        ((20, 10), {
            "ms_ssim_y", "ssim_y", "ssim_cb", "ssim_cr", "warping_error", "motion_difference",
        }),
        ((176, 176), set()),
    ],
)  # fmt: skip
def test_small_pictures_lack_what_does_not_fit(size: tuple[int, int], reasons: set[str]) -> None:
    width, height = size
    truth = moving(2, width=width, height=height)
    ruler = Ruler(truth=truth)

    assert set(ruler.absent) == reasons
    found = set(ruler.frames(noisy(truth)))
    assert found == {n for n in METRICS if not n.startswith("vmaf")} - reasons


def test_motion_can_be_left_out() -> None:
    ruler = Ruler(truth=moving(), with_motion=False)

    assert "motion_difference" not in ruler.frames(noisy(moving()))
    assert ruler.facts() == {}


def test_vmaf_leaves_out_the_model_that_is_too_large(tmp_path: Path) -> None:
    truth = moving(2)
    ruler = Ruler(truth=truth, with_motion=False, vmaf=VmafFolder(path=tmp_path, threads=1))

    found = ruler.frames(truth.planes)

    assert ruler.absent["vmaf_v1"] == "x is 64x48; at least 216x160"
    assert [name for name in found if name.startswith("vmaf")] == ["vmaf", "vmaf_neg"]
    assert len(found["vmaf_neg"]) == 2


RGB = PixelFormat(name="gbrp", model="rgb", bits=8)


def coloured(*values: int) -> tuple[npt.NDArray[np.uint8], ...]:
    return tuple(np.full((32, 32), value, np.uint8) for value in values)


def test_the_luma_of_rgb_is_compared() -> None:
    truth = Clip(name="x", planes=(coloured(10, 20, 30),) * 2, format=RGB)

    found = Ruler(truth=truth).frames([coloured(10, 20, 30), coloured(10, 22, 30)])

    assert set(found) == {
        "psnr_y", "ssim_y", "mse_y", "warping_error", "motion_difference", "temporal_difference",
    }  # fmt: skip
    assert found["mse_y"] == pytest.approx((0, (2 * 0.7152) ** 2), rel=1e-4)
    assert found["psnr_y"][0] == math.inf
    assert found["temporal_difference"] == pytest.approx((2 * 0.7152,), rel=1e-4)


def test_chroma_has_its_own_squared_error() -> None:
    truth = moving(1)
    (planes,) = truth.planes

    found = Ruler(truth=truth).frames([(planes[0], planes[1] + np.uint8(2), planes[2])])

    assert (found["mse_y"], found["mse_cb"], found["mse_cr"]) == ((0,), (4,), (0,))


@pytest.mark.parametrize("name", ["gbrp", "yuv440p", "yuv420p12le"])
def test_a_format_that_vmaf_does_not_take_is_left_out(name: str, tmp_path: Path) -> None:
    fmt = PixelFormat(name=name, model="rgb", bits=8)
    truth = Clip(name="x", planes=(coloured(10, 20, 30),), format=fmt)
    ruler = Ruler(truth=truth, vmaf=VmafFolder(path=tmp_path, threads=1))

    assert not {name for name in ruler.frames(truth.planes) if name.startswith("vmaf")}
    reason = f"x is {name}; VMAF takes gray, yuv420p, yuv420p10le, yuv422p, "
    found = {metric for metric, text in ruler.absent.items() if text.startswith(reason)}
    assert found == {"vmaf", "vmaf_neg", "vmaf_v1"}


def test_where_nothing_is_seen_twice_the_truth_has_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "upreel.evaluation.measure.visible", lambda forth, _: np.zeros(forth.shape[:2], bool)
    )

    assert Ruler(truth=moving(3)).facts() == {"seen": 0}


def test_the_peak_of_ten_bits_is_1023() -> None:
    fmt = PixelFormat(name="yuv420p10le", model="yuv", bits=10, log2_chroma=(1, 1))
    planes = (np.full((32, 32), 500, np.uint16), *(np.full((16, 16), 512, np.uint16),) * 2)
    truth = Clip(name="x", planes=(planes,), format=fmt)

    found = Ruler(truth=truth).frames([tuple(p + np.uint16(1) for p in planes)])

    assert found["psnr_y"] == pytest.approx((20 * np.log10(1023),))
