"""verify(): every fault that an output can have is found, and named."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, draw_planes, write_clip
from doubling import double

from upreel.errors import ProbeError
from upreel.video.frame import Colour
from upreel.video.payload import common_shift
from upreel.video.verify import VerifyReport, verify

TICK = Fraction(1, 1000)


def failed(report: VerifyReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_clip(
        tmp_path / "in.mkv",
        colour=Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=1),
        audio=[AudioTrack(codec="flac")],
        subtitles=[SubtitleTrack()],
        chapters=["A", "B"],
        metadata={"title": "T"},
    )


def same_but(path: Path, **change: object) -> Path:
    """The source's likeness, with something different."""
    given: dict[str, object] = {
        "colour": Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=1),
        "audio": [AudioTrack(codec="flac")],
        "subtitles": [SubtitleTrack()],
        "chapters": ["A", "B"],
        "metadata": {"title": "T"},
    }
    return write_clip(path, **{**given, **change})


def test_a_likeness_passes(source: Path, tmp_path: Path) -> None:
    report = verify(source, same_but(tmp_path / "out.mkv"))

    assert failed(report) == set()
    assert report.passed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"count": 7}, {"frames", "times", "chapters"}),
        ({"times": [Fraction(n, 25) for n in (0, 1, 2, 3, 5, 6, 7, 8)]}, {"times", "chapters"}),
        ({"width": 96}, {"size"}),
        ({"width": 32, "height": 24}, {"size"}),
        ({"sar": Fraction(4, 3)}, {"sample aspect ratio"}),
        ({"rotation": 90}, {"rotation"}),
        ({"pix_fmt": "yuv444p"}, {"pixel layout"}),
        ({"colour": Colour(full_range=True, primaries=1, transfer=1, matrix=1)}, {"range"}),
        ({"colour": Colour(primaries=9, transfer=1, matrix=1)}, {"primaries"}),
        ({"colour": Colour(primaries=1, transfer=13, matrix=1)}, {"transfer"}),
        ({"colour": Colour(primaries=1, transfer=1, matrix=5)}, {"matrix"}),
        (
            {"colour": Colour(primaries=1, transfer=1, matrix=1, chroma_location=3)},
            {"chroma location"},
        ),
        ({"audio": []}, {"audio stream 1 (eng) flac"}),
        ({"audio": [AudioTrack(codec="flac", hertz=880)]}, {"audio stream 1 (eng) flac"}),
        ({"audio": [AudioTrack(codec="flac", language="deu")]}, {"audio stream 1 (eng) flac"}),
        ({"audio": [AudioTrack(codec="flac", start=Fraction(1, 10))]}, {"times"}),
        ({"subtitles": [SubtitleTrack(title="new")]}, {"subtitle stream 2 (fra) subrip"}),
        ({"chapters": ["A", "C"]}, {"chapters"}),
        ({"metadata": {"title": "U"}}, {"tags"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_fault_is_found(
    source: Path, tmp_path: Path, change: dict[str, object], found: set[str]
) -> None:
    report = verify(source, same_but(tmp_path / "out.mkv", **change))

    drawn_anew = {"colour means"} if change.keys() & {"width", "pix_fmt"} else set[str]()
    assert found <= failed(report) <= found | drawn_anew
    assert not report.passed


def test_a_lower_bit_depth_is_found(tmp_path: Path) -> None:
    deep = write_clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv420p10le")
    flat = write_clip(tmp_path / "out.mkv", codec="ffv1")

    assert failed(verify(deep, flat)) == {"bit depth"}


def test_lost_hdr_is_found(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="libx265", pix_fmt="yuv420p10le", hdr=True)
    double(source, tmp_path / "out.mkv", hdr=None)

    assert failed(verify(source, tmp_path / "out.mkv")) == {"mastering display", "light level"}


def test_another_picture_is_found(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="gray")
    brighter = Path(shutil.copy(source, tmp_path / "out.mkv"))
    assert verify(source, brighter).passed
    with av.open(str(brighter), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="gray")
        for n in range(8):
            drawn = draw_planes(n, "gray")[0] + np.uint8(3)
            frame = av.VideoFrame.from_ndarray(drawn, format="gray")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert failed(verify(source, brighter)) == {"colour means"}


def test_one_shift_for_all_streams_is_no_fault() -> None:
    video = [Fraction(n, 30) for n in range(4)]
    moved = [round((time + 2) * 1000) * TICK for time in video]

    low, high = common_shift([(video, moved, TICK), ([Fraction(0)], [Fraction(2)], TICK)]) or (0, 0)

    assert low <= 2 <= high


def test_a_stream_that_moves_against_another_is_a_fault() -> None:
    pairs = [
        ([Fraction(0)], [Fraction(2)], TICK),
        ([Fraction(0)], [Fraction(2) + TICK * Fraction(3, 2)], TICK),
    ]

    assert common_shift(pairs) is None
    assert common_shift(pairs[1:]) is not None


def test_no_video_is_an_error(source: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")

    with pytest.raises(ProbeError):
        verify(source, text)
