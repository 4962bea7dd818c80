"""The table of encoders: the first that keeps everything, refusals by name, settings as JSON."""

import json
from fractions import Fraction

import av
import pytest

from upreel.errors import EncoderError, OptionError
from upreel.video.encoders import ENCODERS, EncoderSettings, choose_encoder, encoder_named
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour
from upreel.video.info import HdrInfo

SETTINGS = EncoderSettings(
    encoder="x265",
    format=pixel_format("yuv422p10le"),
    width=128,
    height=96,
    time_base=Fraction(1001, 30_000),
    rate=Fraction(30_000, 1001),
    crf=17.5,
    preset="fast",
    threads=3,
    options={"x265-params": "aq-mode=0"},
    colour=Colour(full_range=True, primaries=9, transfer=16, matrix=9, chroma_location=3),
    sample_aspect_ratio=Fraction(4, 3),
    hdr=HdrInfo(max_cll=1000, max_fall=400),
)


@pytest.mark.parametrize(
    ("pix_fmt", "size", "container", "wanted"),
    [
        ("yuv420p", (128, 96), ".mp4", "x264"),
        ("yuv420p10le", (128, 96), ".mkv", "x264"),
        ("yuv420p12le", (128, 96), ".mp4", "x265"),
        ("gray", (128, 96), ".mp4", "x265"),
        ("gbrp", (128, 96), ".mkv", "x265"),
        ("yuv444p16le", (128, 96), ".mkv", "ffv1"),
        ("gbrap", (128, 96), ".mkv", "ffv1"),
        ("yuv420p", (195, 147), ".mkv", "ffv1"),
        ("yuv420p", (195, 147), ".mp4", "svtav1"),
        ("yuv444p", (195, 147), ".mp4", "x264"),
        ("yuv420p", (1, 1), ".mkv", "ffv1"),
        ("yuv420p", (2, 2), ".mp4", "x264"),
        ("gray", (8, 8), ".mkv", "ffv1"),
        ("yuv420p10le", (128, 96), ".webm", "svtav1"),
        ("yuv422p", (128, 96), ".webm", "vp9"),
        ("yuva444p10le", (128, 96), ".mov", "prores"),
    ],
)
def test_first_that_keeps_depth_chroma_and_size(
    pix_fmt: str, size: tuple[int, int], container: str, wanted: str
) -> None:
    width, height = size

    chosen = choose_encoder(
        pixel_format(pix_fmt), width=width, height=height, container=container, codec=None
    )

    assert chosen.name == wanted


@pytest.mark.parametrize(
    ("pix_fmt", "size", "container", "codec", "message"),
    [
        ("yuv420p12le", (64, 48), ".mkv", "x264", "does not keep yuv420p12le; .* x265, ffv1"),
        ("yuv420p", (65, 49), ".mkv", "h264", "odd 65x49 .* ffv1, svtav1, vp9"),
        ("yuv420p", (64, 48), ".webm", "x264", "x264 does not go into .webm; .* svtav1, vp9"),
        ("yuv444p16le", (64, 48), ".mp4", None, r"elsewhere there are: ffv1 \(.mkv\)"),
        ("yuv420p", (64, 48), ".mp4", "divx", "no encoder 'divx'; there are: x264, x265, ffv1"),
    ],
)
def test_refusal_names_those_that_can(
    pix_fmt: str, size: tuple[int, int], container: str, codec: str | None, message: str
) -> None:
    width, height = size

    with pytest.raises(EncoderError, match=message):
        choose_encoder(
            pixel_format(pix_fmt), width=width, height=height, container=container, codec=codec
        )


def test_table_claims_only_formats_that_the_libraries_have() -> None:
    for encoder in ENCODERS:
        known = {f.name for f in av.Codec(encoder.library, "w").video_formats or ()}
        asked = {encoder.native.get(name, name) for name in encoder.formats}
        assert asked <= known, encoder.name


def test_words_for_an_encoder_are_its_own() -> None:
    words = [word for e in ENCODERS for word in (e.name, *e.alias)]

    assert len(words) == len(set(words))
    assert encoder_named("HEVC").name == "x265"


def test_settings_survive_json() -> None:
    text = json.dumps(SETTINGS.to_json())

    assert EncoderSettings.from_json(json.loads(text)) == SETTINGS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crf": 52}, "crf of x265 is 0 to 51, not 52"),
        ({"preset": "warp"}, "x265 has no preset 'warp'; there are: ultrafast"),
        ({"threads": 0}, "at least 1, not 0"),
        ({"encoder": "prores", "preset": None}, "prores has no crf"),
    ],
)
def test_values_that_an_encoder_cannot_take(change: dict[str, object], message: str) -> None:
    values = {**SETTINGS.to_json(), **change}

    with pytest.raises(OptionError, match=message):
        EncoderSettings.from_json(values)
