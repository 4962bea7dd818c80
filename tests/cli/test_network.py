"""What the bundled network makes of pixels, through the command: seams, cuts, levels, edges."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.pipeline import UpscaleJob, upscale
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.frame import Colour, Frame, Plane, plane_origins
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.write import PartWriter, part_suffix
from upreel.zoo import load_card

CARD = load_card("fast-x2")


def upreel(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frames_of(path: str | Path) -> list[Frame]:
    info = probe(path)
    return list(read_frames(info, timeline=scan(info)))


def assert_same_pixels(one: Sequence[Frame], other: Sequence[Frame]) -> None:
    for a, b in zip(one, other, strict=True):
        for p, q in zip(a.planes, b.planes, strict=True):
            np.testing.assert_array_equal(p, q, err_msg=f"frame {a.index}")


def write_planes(
    path: Path,
    frames: Sequence[tuple[Plane, ...]],
    name: str = "yuv420p",
    colour: Colour = Colour(),  # noqa: B008 - it is frozen
) -> Path:
    """A film of these planes, stored without loss, 25 frames a second; tagged ones as H.264."""
    height, width = frames[0][0].shape
    tick, fmt = Fraction(1, 25), pixel_format(name)
    settings = EncoderSettings(
        encoder="ffv1" if colour == Colour() else "x264", crf=None if colour == Colour() else 0,
        format=fmt, width=width, height=height, time_base=tick, rate=Fraction(25), colour=colour,
    )  # fmt: skip
    part = path.with_name(f"drawn{part_suffix(settings)}")
    with PartWriter(part, settings) as writer:
        for n, planes in enumerate(frames):
            writer.write(
                Frame(planes=planes, format=fmt, index=n, pts=n, time_base=tick, colour=colour)
            )
    return part.replace(path)


def picture(seed: int, shift: int = 0) -> tuple[Plane, ...]:
    """A scene of its own, moved to the right by a few pixels."""
    coarse = np.random.default_rng(seed).integers(20, 220, (6, 8)).astype(np.uint8)
    luma = np.roll(coarse.repeat(8, axis=0).repeat(8, axis=1), shift, axis=1)
    chroma = np.full((24, 32), 100 + seed, np.uint8)
    return luma, chroma, chroma


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven frames of one scene and five of another."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.mkv"
    return write_planes(path, [picture(1 + (n >= 7), n) for n in range(12)])


def made_in_parts(clip: Path, output: Path, seconds: Fraction) -> list[Frame]:
    job = UpscaleJob(
        source=str(clip), output=str(output), model="fast-x2", codec="ffv1", part_seconds=seconds
    )
    return frames_of(upscale(job).output)


def test_the_network_sees_the_frame_before() -> None:
    assert CARD.window == (1, 0)  # or the next tests show less than they say


@pytest.mark.parametrize("frames_a_part", [1, 3, 5])
def test_a_part_border_is_not_visible(two_scenes: Path, tmp_path: Path, frames_a_part: int) -> None:
    whole = made_in_parts(two_scenes, tmp_path / "whole.mkv", Fraction(60))
    parts = made_in_parts(two_scenes, tmp_path / "parts.mkv", Fraction(frames_a_part, 25))
    assert len(whole) == 12
    assert_same_pixels(whole, parts)


def test_a_scene_begins_without_a_trace_of_the_one_before(two_scenes: Path, tmp_path: Path) -> None:
    alone = write_planes(tmp_path / "second.mkv", [picture(2, n) for n in range(7, 12)])
    together = made_in_parts(two_scenes, tmp_path / "a.mkv", Fraction(60))
    apart = made_in_parts(alone, tmp_path / "b.mkv", Fraction(60))
    assert_same_pixels(together[7:], apart)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("yuv420p", (235, 128, 128)),
        ("yuv420p", (255, 128, 128)),
        ("yuv420p", (16, 90, 240)),
        ("yuv420p10le", (940, 512, 512)),
        ("yuv420p10le", (1023, 3, 1020)),
        ("yuv420p12le", (3001, 2047, 2049)),
        ("yuv422p", (235, 77, 201)),
        ("yuv444p10le", (941, 511, 513)),
        ("gray", (255,)),
        ("gbrp", (255, 255, 255)),
        ("gbrp", (0, 128, 255)),
        ("gbrap", (10, 128, 255, 77)),
    ],
)
def test_flat_fields_stay_as_they_are(name: str, levels: tuple[int, ...], tmp_path: Path) -> None:
    fmt = pixel_format(name)
    shapes = [(48 >> y, 64 >> x) for x, y in _subsampling(name)]
    planes = tuple(
        np.full(shape, level, fmt.dtype) for shape, level in zip(shapes, levels, strict=True)
    )
    clip = write_planes(tmp_path / "flat.mkv", [planes] * 2, name)

    assert upreel("upscale", clip, "-o", tmp_path / "out.mkv", "-c", "ffv1").exit_code == 0

    for frame in frames_of(tmp_path / "out.mkv"):
        assert frame.format.name == name
        for plane, level in zip(frame.planes, levels, strict=True):
            assert (int(plane.min()), int(plane.max())) == (level, level)


def _subsampling(name: str) -> list[tuple[int, int]]:
    fmt = pixel_format(name)
    chroma = fmt.model == "yuv"
    return [fmt.log2_chroma if chroma and n in (1, 2) else (0, 0) for n in range(fmt.num_planes)]


def test_depth_is_not_rounded_to_eight_bits(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(400, 464, dtype=np.uint16), (48, 64)).copy()
    chroma = np.full((24, 32), 513, np.uint16)
    clip = write_planes(tmp_path / "ramp.mkv", [(ramp, chroma, chroma)], "yuv420p10le")
    assert upreel("upscale", clip, "-o", tmp_path / "out.mkv", "-c", "ffv1").exit_code == 0
    (frame,) = frames_of(tmp_path / "out.mkv")
    inside = frame.planes[0][8:-8, 8:-8].astype(np.float64)
    assert len(np.unique(inside)) > 40  # an 8-bit path would leave a quarter of them
    expected = 400 + (np.arange(8, 120) + 0.5) / 2 - 0.5
    assert np.abs(inside - expected).max() < 1.5


@pytest.mark.parametrize(
    ("name", "location"), [("yuv420p", 1), ("yuv420p", 2), ("yuv420p", 3), ("yuv422p", 1)]
)
def test_a_chroma_edge_stays_within_a_tenth_of_a_pixel(
    name: str, location: int, tmp_path: Path
) -> None:
    colour = Colour(chroma_location=location)
    origin = plane_origins(pixel_format(name), colour, 1)[1]
    edge = 31.0  # luma columns from the left border
    luma = np.full((48, 64), 120, np.uint8)
    slope = 128 + 80 * np.tanh((_luma_columns(32, origin) - edge) / 3)
    red = np.broadcast_to(np.rint(slope).astype(np.uint8), (24 if "420" in name else 48, 32)).copy()
    clip = write_planes(tmp_path / "edge.mkv", [(luma, red, 255 - red)], name, colour)
    assert probe(clip).colour.chroma_location == location

    assert upreel("upscale", clip, "-o", tmp_path / "out.mkv", "-c", "ffv1").exit_code == 0

    (frame,) = frames_of(tmp_path / "out.mkv")
    columns = _luma_columns(64, origin) / 2  # in columns of the source
    for plane, rising in ((frame.planes[1], 1), (frame.planes[2], -1)):
        row = rising * (plane[plane.shape[0] // 2].astype(np.float64) - 127.5) - 0.5
        near = slice(20, 44)
        assert np.interp(0, row[near], columns[near]) == pytest.approx(edge, abs=0.1)


def _luma_columns(count: int, origin: float) -> np.ndarray:
    """Where samples of half-width chroma are, in luma columns from the left border."""
    return 2 * (np.arange(count) + origin)
