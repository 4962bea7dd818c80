"""From ground truth to input: the spelling, the sizes, the siting, a real encoder."""

from dataclasses import replace

import numpy as np
import pytest
from clips import draw_planes

from upreel.degradation.resample import resample
from upreel.errors import InputError, OptionError
from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.degrade import Degradation, degrade, parse_degradation, resize
from upreel.metrics import psnr
from upreel.video.frame import Colour, PixelFormat, plane_origins


def drawn(*, width: int = 128, height: int = 128, count: int = 3) -> Clip:
    planes = tuple(draw_planes(n, width=width, height=height) for n in range(count))
    return Clip(name="drawn", planes=planes, format=YUV420P)


@pytest.mark.parametrize("text", ["BI", "BD", "codec:x264:crf23", "codec:vp9:crf40"])
def test_a_degradation_is_spelt_as_it_was_read(text: str) -> None:
    assert parse_degradation(text).text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bicubic", "allowed: BI, BD, codec:ENCODER:crfN"),
        ("codec:x264", "degradation 'codec:x264' is not known"),
        ("codec:mpeg2:crf20", "one of x264, x265, svtav1, vp9"),
        ("codec:x264:crf52", "crf 52 is out of range for x264: 0 to 51"),
    ],
)
def test_other_spellings_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_degradation(text)


def test_bicubic_input_is_the_resampled_planes_rounded() -> None:
    clip = drawn()

    pair = degrade(clip, 2, Degradation())

    expected = np.clip(np.rint(resample(clip.planes[1][0], 64, 64, kernel="bicubic")), 0, 255)
    np.testing.assert_array_equal(pair.low.planes[1][0], expected)
    assert [p.shape for p in pair.low.planes[0]] == [(64, 64), (32, 32), (32, 32)]
    assert pair.truth is clip


def test_ground_truth_is_cut_to_whole_low_resolution_chroma() -> None:
    pair = degrade(drawn(width=130, height=100), 3, Degradation())

    assert (pair.truth.width, pair.truth.height) == (126, 96)
    assert [p.shape for p in pair.low.planes[0]] == [(32, 42), (16, 21), (16, 21)]


def test_chroma_stays_where_its_siting_says() -> None:
    # Chroma is a ramp over luma positions: where it is sited decides the values, and resizing
    # must keep the ramp as seen from luma.
    for location, centre in ((1, 0.5), (2, 1.0)):  # left, centre: luma units of the first sample
        positions = centre + 2 * np.arange(32)  # luma columns of the chroma samples
        chroma = np.broadcast_to(np.rint(positions * 3).astype(np.uint8), (8, 32))
        planes = (np.zeros((16, 64), np.uint8), chroma, chroma)
        clip = Clip(
            name="ramp", planes=(planes,), format=YUV420P, colour=Colour(chroma_location=location)
        )

        small = resize(clip, 32, 8, "bicubic").planes[0][1]

        expected = 3 * 2 * (centre + 2 * np.arange(16))  # the same ramp, luma twice as coarse
        np.testing.assert_allclose(small[2, 3:-3], expected[3:-3], atol=1)


def test_resizing_clips_overshoot() -> None:
    luma = np.zeros((32, 32), np.uint8)
    luma[:, 16:] = 255
    clip = Clip(
        name="edge", planes=((luma,),), format=PixelFormat(name="gray", model="gray", bits=8)
    )

    large = resize(clip, 64, 64, "lanczos3").planes[0][0]

    assert (large[:, :31] < 128).all()  # an undershoot that wrapped around would be above
    assert (large[:, 33:] > 128).all()


def test_an_encoder_leaves_its_marks_but_not_a_mess() -> None:
    clip = drawn()
    clean = degrade(clip, 2, Degradation()).low

    fine = degrade(clip, 2, parse_degradation("codec:x264:crf12")).low
    poor = degrade(clip, 2, parse_degradation("codec:x264:crf40")).low

    of_fine = psnr(clean.planes[2][0], fine.planes[2][0])
    of_poor = psnr(clean.planes[2][0], poor.planes[2][0])
    assert fine.num_frames == clean.num_frames
    assert of_fine > of_poor + 5 > 20


def test_codecs_take_8_bit_420_alone() -> None:
    fmt = PixelFormat(name="yuv444p", model="yuv", bits=8)
    planes = tuple(np.zeros((128, 128), np.uint8) for _ in range(3))
    clip = replace(drawn(), format=fmt, planes=(planes,))

    with pytest.raises(InputError, match="drawn is yuv444p; codec degradations take yuv420p"):
        degrade(clip, 2, parse_degradation("codec:x264:crf23"))


def test_too_small_for_the_codecs_is_said() -> None:
    with pytest.raises(InputError, match="42x42 is too small to be coded"):
        degrade(drawn(), 3, parse_degradation("codec:x264:crf23"))


def slow_blur(plane: np.ndarray, scale: int) -> np.ndarray:
    """Every s-th sample of a 13 x 13 Gaussian of deviation 1.6, sample by sample."""
    weights = np.array(
        [[np.exp(-(y * y + x * x) / (2 * 1.6**2)) for x in range(-6, 7)] for y in range(-6, 7)]
    )
    weights /= weights.sum()
    padded = np.pad(plane.astype(float), 6, mode="symmetric")
    rows, columns = plane.shape[0] // scale, plane.shape[1] // scale
    low = np.empty((rows, columns))
    for y in range(rows):
        for x in range(columns):
            part = padded[y * scale : y * scale + 13, x * scale : x * scale + 13]
            low[y, x] = (weights * part).sum()
    return low


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bd_is_a_gaussian_and_every_sth_sample_from_the_first(scale: int) -> None:
    clip = drawn(width=48, height=24, count=2)

    pair = degrade(clip, scale, parse_degradation("BD"))

    expected = slow_blur(clip.planes[1][0], scale)
    assert np.abs(pair.low.planes[1][0] - expected).max() <= 0.501
    assert pair.low.planes[1][1].shape == (12 // scale, 24 // scale)
    assert pair.truth is clip


@pytest.mark.parametrize("location", [1, 2, 3])
def test_bd_keeps_chroma_at_its_place_in_the_luma_grid(location: int) -> None:
    # Luma and chroma are one ramp over luma positions: so they must be after it, too.
    fmt, colour = YUV420P, Colour(chroma_location=location)
    origin_y, origin_x = plane_origins(fmt, colour, 1)

    def ramp(rows: int, columns: int, y: float, x: float, size: int) -> np.ndarray:
        """Of luma positions: (k + origin) * size, the centre of luma's first sample at 0.5."""
        down, across = (np.arange(rows) + y) * size, (np.arange(columns) + x) * size
        return np.rint(20 + 0.5 * down[:, None] + across).astype(np.uint8)

    planes = (ramp(64, 128, 0.5, 0.5, 1), *(ramp(32, 64, origin_y, origin_x, 2),) * 2)
    clip = Clip(name="x", planes=(planes,), format=fmt, colour=colour)

    low = degrade(clip, 4, parse_degradation("BD")).low.planes[0]

    # Low luma (i, j) lies at 4 j + 0.5; chroma j lies at low luma position (j + x) * 2 - 0.5.
    j, i = np.arange(3, 13), np.arange(3, 6)
    position_x = 4 * ((j + origin_x) * 2 - 0.5) + 0.5
    position_y = 4 * ((i + origin_y) * 2 - 0.5) + 0.5
    expected = 20 + 0.5 * position_y[:, None] + position_x
    assert np.abs(low[1][3:6, 3:13] - expected).max() <= 1.01


def test_bd_says_that_it_lies_off() -> None:
    assert "(s - 1) / 2 samples off" in parse_degradation("bd").description
    assert parse_degradation("bd").text == "BD"
