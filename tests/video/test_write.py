"""Part files, image sequences, y4m and Matroska pipes."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import draw_planes, write_clip

from upreel.errors import DiskFullError, EncoderError, OptionError, OutputError
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format, planes_from_av
from upreel.video.frame import Colour, Frame
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.write import ImageWriter, PartWriter, StreamWriter, part_suffix

TICK = Fraction(1, 90_000)
BFRAMES = {"x264": {"bf": "16"}, "x265": {"x265-params": "bframes=8:rc-lookahead=20"}}


def settings(encoder: str = "ffv1", pix_fmt: str = "yuv420p", **more: object) -> EncoderSettings:
    values: dict[str, object] = {"width": 64, "height": 48, "time_base": TICK, **more}
    return EncoderSettings(encoder=encoder, format=pixel_format(pix_fmt), **values)


def frames(
    count: int = 4, pix_fmt: str = "yuv420p", *, start: int = 0, step: int = 3600
) -> Iterator[Frame]:
    for n in range(count):
        yield Frame(
            planes=draw_planes(n, pix_fmt),
            format=pixel_format(pix_fmt),
            index=n,
            pts=start + n * step,
            time_base=TICK,
            duration=step,
        )


def write_part(path: Path, with_settings: EncoderSettings, given: Iterator[Frame]) -> None:
    with PartWriter(path, with_settings) as writer:
        for frame in given:
            writer.write(frame)


@pytest.mark.parametrize("encoder", ["x264", "x265", "ffv1", "svtav1", "vp9"])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_part_keeps_every_tick(tmp_path: Path, encoder: str, count: int) -> None:
    start = 3 * 3600 * 90_000 + 1
    part = tmp_path / f"0000{part_suffix(settings(encoder))}"

    write_part(part, settings(encoder), frames(count, start=start, step=3003))

    with av.open(str(part)) as container:
        read = [f.pts * f.time_base for f in container.decode(video=0)]
    assert read == [(start + n * 3003) * TICK for n in range(count)]


@pytest.mark.parametrize("encoder", ["x264", "x265", "ffv1"])
@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("start", [0, 1, 2])
def test_part_in_a_coarse_clock_begins_where_it_should(
    tmp_path: Path, encoder: str, count: int, start: int
) -> None:
    coarse = settings(encoder, time_base=Fraction(1, 25), options=BFRAMES.get(encoder, {}))

    write_part(tmp_path / "0000.mp4", coarse, frames(count, start=start * 3600))

    with av.open(str(tmp_path / "0000.mp4")) as container:
        read = [f.pts * f.time_base * 25 for f in container.decode(video=0)]
    assert read == [start + n for n in range(count)]


@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p12le", "yuv444p16le", "gray", "gray16le", "gbrp", "gbrap", "gbrp10le"],
)
def test_lossless_part_keeps_every_sample(tmp_path: Path, pix_fmt: str) -> None:
    part = tmp_path / "0000.mp4"

    write_part(part, settings(pix_fmt=pix_fmt), frames(pix_fmt=pix_fmt))

    fmt = pixel_format(pix_fmt)
    with av.open(str(part)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            for read, drawn in zip(
                planes_from_av(frame, fmt), draw_planes(n, pix_fmt), strict=True
            ):
                assert np.array_equal(read, drawn)


def test_another_depth_is_converted_when_the_settings_ask_for_it(tmp_path: Path) -> None:
    part = tmp_path / "0000.mp4"

    write_part(part, settings(pix_fmt="yuv420p10le"), frames())

    with av.open(str(part)) as container:
        frame = next(container.decode(video=0))
        luma = planes_from_av(frame, pixel_format("yuv420p10le"))[0]
    assert np.array_equal(luma, draw_planes(0)[0].astype(np.uint16) * 4)


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Frame]:
        yield next(frames())
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_part(tmp_path / "0000.mp4", settings(), broken())

    assert list(tmp_path.iterdir()) == []


def test_an_earlier_part_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    part = tmp_path / "0000.mp4"
    part.write_bytes(b"old")

    with PartWriter(part, settings()) as writer:
        for frame in frames():
            writer.write(frame)
        assert part.read_bytes() == b"old"

    assert part.stat().st_size == writer.num_bytes > 3


def test_no_frames_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frames for"):
        write_part(tmp_path / "0000.mp4", settings(), iter(()))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonsense": "1"}, "x264 has no option 'nonsense'"),
        ({"tune": "nonsense"}, "x264 does not take -e tune=nonsense"),
    ],
)
def test_options_of_the_user_are_checked(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        write_part(tmp_path / "0000.mp4", settings("x264", options=options), frames())

    assert list(tmp_path.iterdir()) == []


def test_options_of_the_user_reach_the_encoder(tmp_path: Path) -> None:
    given = settings("x264", options={"x264-params": "keyint=1"})

    write_part(tmp_path / "0000.mp4", given, frames())

    with av.open(str(tmp_path / "0000.mp4")) as container:
        assert all(p.is_keyframe for p in container.demux(video=0) if p.size)


def test_x264_gives_the_same_bits_whatever_the_cpu_can_do(tmp_path: Path) -> None:
    """Its macroblock tree in assembly differs by CPU, and with AVX-512 from run to run."""
    coded: list[list[bytes]] = []
    for params in ("no-asm=1", "asm=auto"):
        given = settings("x264", width=184, height=136, options={"x264-params": params})
        part = tmp_path / f"{params}.mp4"
        write_part(part, given, (_moving(n) for n in range(6)))
        with av.open(str(part)) as container:
            coded.append([bytes(packet) for packet in container.demux(video=0)])

    assert coded[0] == coded[1]


def _moving(n: int) -> Frame:
    """Frame n of a soft texture that moves, 184x136."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (24, 30)).repeat(8, axis=0).repeat(8, axis=1)
    soft = np.mean([np.roll(coarse, k, axis=k % 2) for k in range(8)], axis=0).astype(np.uint8)
    y, x = 2 * n, 3 * n
    luma = soft[y : y + 136, x : x + 184]
    chroma = soft[y : y + 68, x : x + 92]
    return Frame(
        planes=(luma, chroma, chroma),
        format=pixel_format("yuv420p"),
        index=n,
        pts=n * 3600,
        time_base=TICK,
        duration=3600,
    )


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="frame 0 is 64x48, the encoder was opened for 128x96"):
        write_part(tmp_path / "0000.mp4", settings(width=128, height=96), frames())


def test_a_full_disk_is_said_and_nothing_stays(tmp_path: Path) -> None:
    """A limit on file size stands for the disk: writes beyond it fail in the system."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"no room left for .*0000.mp4"):
            write_part(tmp_path / "0000.mp4", settings(), frames(40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(tmp_path.iterdir()) == []


def test_encoders_are_silent(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from test_write import frames, settings, write_part\n"
        "for name in ('x264', 'x265', 'svtav1', 'vp9', 'ffv1'):\n"
        "    write_part(Path('0000.mp4'), settings(name), frames(3))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, check=True
    )

    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("pix_fmt", ["gray", "gbrp", "gbrap", "gray16le", "gbrp16le", "gbrap16le"])
def test_pictures_keep_every_sample(tmp_path: Path, ending: str, pix_fmt: str) -> None:
    with ImageWriter(tmp_path / "shots" / f"%04d.{ending}", first=7) as writer:
        for frame in frames(2, pix_fmt):
            writer.write(frame)

    assert sorted(p.name for p in (tmp_path / "shots").iterdir()) == [
        f"0007.{ending}", f"0008.{ending}",
    ]  # fmt: skip
    read = list(read_frames(probe(tmp_path / "shots")))
    for n, frame in enumerate(read):
        assert frame.format.name == pix_fmt
        for plane, drawn in zip(frame.planes, draw_planes(n, pix_fmt), strict=True):
            assert np.array_equal(plane, drawn)


def test_pictures_of_ten_bits_are_spread_over_sixteen(tmp_path: Path) -> None:
    with ImageWriter(tmp_path / "shots") as writer:
        writer.write(next(frames(pix_fmt="gray10le")))

    (frame,) = read_frames(probe(tmp_path / "shots"))
    drawn = draw_planes(0, "gray10le")[0]
    assert np.array_equal(frame.planes[0], np.round(drawn / 1023 * 65535))


@pytest.mark.parametrize(
    ("matrix", "green"), [(1, 0.7152), (5, 0.587), (9, 0.678)], ids=["709", "601", "2020"]
)
def test_pictures_of_video_use_its_matrix(tmp_path: Path, matrix: int, green: float) -> None:
    """Y'CbCr of pure green, written by its definition, must come out as pure green."""
    blue, red = {1: (0.0722, 0.2126), 5: (0.114, 0.299), 9: (0.0593, 0.2627)}[matrix]
    y, cb, cr = green, -green / (2 - 2 * blue), -green / (2 - 2 * red)
    codes = (16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr)
    fmt = pixel_format("yuv444p")
    planes = tuple(np.full((48, 64), round(code), np.uint8) for code in codes)
    frame = Frame(
        planes=planes, format=fmt, index=0, pts=0, time_base=TICK, colour=Colour(matrix=matrix)
    )

    with ImageWriter(tmp_path / "shots") as writer:
        writer.write(frame)

    (read,) = read_frames(probe(tmp_path / "shots"))
    r, g, b = (int(plane[20, 20]) for plane in read.planes)
    assert (r, b) == (pytest.approx(0, abs=2), pytest.approx(0, abs=2))
    assert g == pytest.approx(255, abs=2)


@pytest.mark.parametrize("pattern", ["a.png", "%d_%d.png", "%06d.jpg", "%s.png"])
def test_patterns_that_are_none(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(OutputError, match=r"pictures"):
        ImageWriter(tmp_path / pattern)


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p12le"]
)
def test_y4m_is_read_back_sample_by_sample(tmp_path: Path, pix_fmt: str) -> None:
    pipe = io.BytesIO()
    rate = Fraction(25)
    tags = Colour(full_range=False, chroma_location=1)

    with StreamWriter(
        pipe, settings(pix_fmt=pix_fmt, rate=rate, colour=tags), kind="y4m"
    ) as writer:
        for frame in frames(3, pix_fmt, start=90):
            writer.write(frame)

    (tmp_path / "out.y4m").write_bytes(pipe.getvalue())
    info = probe(tmp_path / "out.y4m")
    assert (info.format.name, info.rate) == (pix_fmt, 25)
    for n, frame in enumerate(read_frames(info)):
        for plane, drawn in zip(frame.planes, draw_planes(n, pix_fmt), strict=True):
            assert np.array_equal(plane, drawn)


def test_y4m_refuses_what_it_cannot_hold() -> None:
    with (
        pytest.raises(OptionError, match="y4m cannot hold gbrp"),
        StreamWriter(io.BytesIO(), settings(pix_fmt="gbrp", rate=Fraction(25)), kind="y4m"),
    ):
        pass
    with pytest.raises(OptionError, match="constant frame rate"):
        StreamWriter(io.BytesIO(), settings(), kind="y4m")
    late = frames(2, step=9000)
    with pytest.raises(OutputError, match=r"frame 1 at 0\.100 s is off the rate of 25"):
        stream(io.BytesIO(), settings(rate=Fraction(25)), "y4m", late)


def stream(
    file: io.IOBase, with_settings: EncoderSettings, kind: str, given: Iterator[Frame]
) -> None:
    with StreamWriter(file, with_settings, kind=kind) as writer:
        for frame in given:
            writer.write(frame)


class Pipe(io.RawIOBase):
    """Takes a few bytes at a time, and neither tells nor moves."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.data = bytearray()
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data: memoryview) -> int:
        if len(self.data) >= self.room:
            raise BrokenPipeError(32, "Broken pipe")
        self.data += bytes(data[:1000])
        return min(len(data), 1000)


def test_matroska_goes_through_a_pipe(tmp_path: Path) -> None:
    pipe = Pipe()

    with StreamWriter(pipe, settings("x265"), kind="matroska") as writer:
        for frame in frames(1):
            writer.write(frame)
    (tmp_path / "out.mkv").write_bytes(pipe.data)

    assert [f.pts * f.time_base for f in read_frames(probe(tmp_path / "out.mkv"))] == [0]


@pytest.mark.parametrize("kind", ["y4m", "matroska"])
def test_a_reader_that_leaves_is_an_error(kind: str) -> None:
    with pytest.raises(OutputError, match="cannot write the output pipe: Broken pipe"):
        stream(Pipe(room=3000), settings(rate=Fraction(25)), kind, frames(30))


def test_a_read_clip_can_be_written_again(tmp_path: Path) -> None:
    source = probe(write_clip(tmp_path / "in.mp4", rate=Fraction(30_000, 1001)))

    write_part(tmp_path / "0000.mp4", settings(time_base=source.time_base), read_frames(source))

    times = [f.pts * f.time_base for f in read_frames(probe(tmp_path / "0000.mp4"))]
    assert times == [Fraction(1001 * n, 30_000) for n in range(8)]
