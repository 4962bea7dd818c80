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
from upreel.video.frame import Colour, PixelFormat


def drawn(*, width: int = 128, height: int = 128, count: int = 3) -> Clip:
    planes = tuple(draw_planes(n, width=width, height=height) for n in range(count))
    return Clip(name="drawn", planes=planes, format=YUV420P)


@pytest.mark.parametrize("text", ["BI", "codec:x264:crf23", "codec:vp9:crf40"])
def test_a_degradation_is_spelt_as_it_was_read(text: str) -> None:
    assert parse_degradation(text).text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bicubic", "allowed: BI, codec:ENCODER:crfN"),
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
