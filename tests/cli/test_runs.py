"""Whole runs of the command with the bundled network: memory, kills, pipes, pictures, batches."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import (
    AudioTrack,
    damage_packets,
    draw_planes,
    frame_times,
    shown_number,
    truncate,
    write_clip,
    write_sequence,
)
from processes import ENVIRONMENT, run_upreel
from stopping import Stoppable
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.inference.engine import Batch
from upreel.inference.openvino import OpenVinoSession
from upreel.video.frame import Frame
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo import load_card


def upreel(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frames_of(path: str | Path) -> list[Frame]:
    info = probe(path)
    return list(read_frames(info, timeline=scan(info), deinterlace=False))


def numbers_of(path: str | Path) -> list[int]:
    return [shown_number(frame.planes[0]) for frame in frames_of(path)]


IN_SHORT_PARTS = Stoppable(module="stand_in_command", environment={"NETWORK": "bundled"})
"""The command with the bundled network and parts of five frames."""


def test_killed_and_resumed_across_damage_the_bytes_are_the_same(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "in.mp4",
        count=23,
        options={"g": "8", "bf": "0"},
        audio=[AudioTrack(seconds=Fraction(1))],
    )
    damage_packets(clip, [12])  # in the third of five parts
    straight = IN_SHORT_PARTS("upscale", clip, "-o", tmp_path / "a.mp4")
    assert straight.returncode == 0, straight.stderr
    assert "note: frame 12 at 0:00:00.480 " in straight.stderr
    assert ", 1 damaged" in straight.stdout
    output = tmp_path / "b.mp4"
    arguments = ("upscale", clip, "-o", output)

    for moment in ("part-finished:0", "frame:4"):
        killed = IN_SHORT_PARTS(*arguments, moment=moment)
        assert killed.returncode == -9, killed.stderr
        assert not output.exists()
    done = IN_SHORT_PARTS(*arguments)

    assert done.returncode == 0, done.stderr
    assert "from before" in done.stdout
    assert "note: frame 12 at 0:00:00.480 " in done.stderr
    assert output.read_bytes() == (tmp_path / "a.mp4").read_bytes()
    shown = numbers_of(output)
    assert shown[:12] == list(range(12))
    assert shown[16:] == list(range(16, 23))  # from the next keyframe on


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks: list[int] = []
    for seconds in (5, 12):  # the shorter one is a whole part
        clip = write_clip(
            tmp_path / f"{seconds}.mp4", count=15 * seconds, rate=Fraction(15),
            width=160, height=90, audio=[AudioTrack(seconds=Fraction(seconds))],
        )  # fmt: skip
        done = run_upreel("upscale", str(clip), "--preset", "ultrafast", "--json")
        assert done.returncode == 0, done.stderr
        peaks.append(json.loads(done.stdout)["peak_memory_bytes"])
    assert peaks[1] <= 1.05 * peaks[0], peaks


class Memory:
    """Lets OpenVINO run out of memory with more than so many packed positions.

    Args:
        monkeypatch: pytest's.
        positions: that fit; none: nothing does.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, positions: int) -> None:
        self.failures = 0
        real = OpenVinoSession.wait

        def wait(session: OpenVinoSession) -> tuple[Batch, object]:
            answer, state = real(session)
            if answer.shape[1] * answer.shape[2] > positions:
                self.failures += 1
                raise MemoryError("injected")
            return answer, state

        monkeypatch.setattr(OpenVinoSession, "wait", wait)


def test_out_of_memory_loses_no_frame_and_changes_no_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "in.mp4", width=256, height=192, count=6)
    assert upreel("upscale", clip, "-o", tmp_path / "whole.mkv", "-c", "ffv1").exit_code == 0
    memory = Memory(monkeypatch, 90 * 90)

    done = upreel("upscale", clip, "-o", tmp_path / "tiles.mkv", "-c", "ffv1")

    assert done.exit_code == 0, done.output
    assert memory.failures > 0
    assert "note: out of memory: went on with tiles of " in done.stderr
    assert numbers_of(tmp_path / "tiles.mkv") == list(range(6))
    pairs = zip(frames_of(tmp_path / "whole.mkv"), frames_of(tmp_path / "tiles.mkv"), strict=True)
    for one, other in pairs:
        for plane, same in zip(one.planes, other.planes, strict=True):
            difference = np.abs(plane.astype(np.int32) - same.astype(np.int32))
            assert difference.max() <= 1


def test_memory_that_holds_no_tile_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "in.mp4")
    Memory(monkeypatch, 0)

    done = upreel("upscale", clip)

    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(
        "upreel: out of memory with the smallest tile of "
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


SMALL_DISK = """
limit=unlimited
mount -t tmpfs -o size=96k none "$2" 2>/dev/null || limit=40
head -c 60000 /dev/zero > "$2/ballast"
(ulimit -f $limit; exec "$0" -m stand_in_command upscale "$1" -o "$2/out.mp4")
echo "code $?"
(cd "$2" && find . -name 'part-*.mp4' -o -name out.mp4 -o -name '*.tmp' | sort)
rm "$2/ballast"
"$0" -m stand_in_command upscale "$1" -o "$2/out.mp4"
echo "code $?"
cp "$2/out.mp4" "$3"
"""


def test_a_full_disk_keeps_what_is_done_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A file system of 96 kB; where it cannot be mounted, no file may grow beyond 20 kB."""
    clip = write_clip(tmp_path / "in.mp4", count=23, audio=[AudioTrack()])
    expected = IN_SHORT_PARTS.undisturbed(
        tmp_path / "straight.mp4", "upscale", clip, "-o", tmp_path / "straight.mp4"
    )
    disk, copied = tmp_path / "disk", tmp_path / "copied.mp4"
    disk.mkdir()
    own_names = ["unshare", "--user", "--map-root-user", "--mount"]
    can_mount = subprocess.run([*own_names, "true"], capture_output=True, check=False)

    done = subprocess.run(
        [
            *(own_names if can_mount.returncode == 0 else []),
            *("sh", "-c", SMALL_DISK, sys.executable, str(clip), str(disk), str(copied)),
        ],
        env=ENVIRONMENT | {"NETWORK": "bundled"},
        capture_output=True,
        text=True,
        check=False,
    )

    before, first, second = done.stdout.split("code ")
    assert before == "", done.stderr
    code, *files = first.splitlines()
    assert code == "1"
    assert "./.out.mp4.upreel/part-00000.mp4" in files
    assert not any(name.endswith(".tmp") or name == "./out.mp4" for name in files)
    (line,) = done.stderr.splitlines()
    assert line.startswith("upreel: no room left for ")
    assert "from before" in "".join(files)
    assert second.startswith("0")
    assert copied.read_bytes() == expected


def y4m(count: int) -> bytes:
    frames = b"".join(
        b"FRAME\n" + b"".join(plane.tobytes() for plane in draw_planes(n)) for n in range(count)
    )
    return b"YUV4MPEG2 W64 H48 F25:1 Ip A0:0 C420mpeg2\n" + frames


def test_through_pipes_the_pixels_are_those_of_a_file(tmp_path: Path) -> None:
    piped = run_upreel("upscale", "-", "-o", "-", stdin=y4m(9))

    assert piped.returncode == 0, piped.stderr.decode()
    (tmp_path / "piped.y4m").write_bytes(piped.stdout)
    (tmp_path / "in.y4m").write_bytes(y4m(9))
    done = upreel("upscale", tmp_path / "in.y4m", "-o", tmp_path / "b.mkv", "-c", "ffv1")
    assert done.exit_code == 0, done.output
    pairs = zip(
        read_frames(probe(tmp_path / "piped.y4m")), frames_of(tmp_path / "b.mkv"), strict=True
    )
    for number, (one, other) in enumerate(pairs):
        assert shown_number(one.planes[0]) == number
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize(
    ("ending", "pix_fmt", "planar", "bits"),
    [
        ("png", "rgb24", "gbrp", 8),
        ("png", "rgb48be", "gbrp16le", 16),
        ("png", "gray16be", "gray16le", 16),
        ("png", "rgba", "gbrap", 8),
        ("tif", "rgb48le", "gbrp16le", 16),
        ("tiff", "gray", "gray", 8),
    ],
)
def test_pictures_in_and_out_keep_their_depth(
    ending: str, pix_fmt: str, planar: str, bits: int, tmp_path: Path
) -> None:
    folder = write_sequence(tmp_path / "shots", ending=ending, pix_fmt=pix_fmt)

    done = upreel("upscale", folder)

    assert done.exit_code == 0, done.output
    made = tmp_path / "shots_x2"
    assert sorted(path.name for path in made.iterdir()) == [f"{n:06}.{ending}" for n in range(1, 5)]
    before, after = frames_of(folder), frames_of(made)
    for n, (small, large) in enumerate(zip(before, after, strict=True)):
        assert (large.width, large.height) == (128, 96)
        assert (large.format.name, large.format.bits) == (planar, bits)
        assert shown_number(large.planes[0]) == n
        for plane, source in zip(large.planes, small.planes, strict=True):
            assert abs(plane.mean() - source.mean()) * 255 / large.format.max_value < 1


def test_a_pattern_of_pictures_becomes_a_film_and_a_film_pictures(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", start=5)
    film = tmp_path / "film.mkv"
    assert upreel("upscale", folder / "%06d.png", "-o", film).exit_code == 0
    assert numbers_of(film) == list(range(4))
    assert probe(film).format.model == "rgb"
    done = upreel("upscale", film, "-o", tmp_path / "out" / "%04d.tif")
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{n:04}.tif" for n in range(1, 5)]


def test_a_range_has_its_sound_and_its_pixels(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "in.mp4",
        times=frame_times(50),
        options={"g": "12"},
        audio=[AudioTrack(seconds=Fraction(2))],
    )
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    assert upreel("upscale", clip, "-o", whole, "-c", "ffv1").exit_code == 0

    done = upreel("upscale", clip, "-o", part, "-c", "ffv1", "--start", "0.6", "--end", "0:01.2")

    assert done.exit_code == 0, done.output
    assert numbers_of(part) == list(range(15, 30))
    for one, other in zip(frames_of(whole)[15:30], frames_of(part), strict=True):
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)
    with av.open(str(part)) as container:
        sound = [packet for packet in container.demux(audio=0) if packet.size]
        begins, ends = (p.pts * p.time_base for p in (sound[0], sound[-1]))
    assert abs(begins) < Fraction(1, 20)
    assert abs(ends - Fraction(3, 5)) < Fraction(1, 20)


@pytest.mark.parametrize("size", ["128x96", "127x95", "101x77", "65x49", "64x48", "31x17"])
def test_any_size(size: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", codec="ffv1", count=2)
    done = upreel("upscale", clip, "--size", size, "-m", "fast-x2")
    assert done.exit_code == 0, done.output
    info = probe(tmp_path / f"in_{size}.mkv")
    assert f"{info.width}x{info.height}" == size
    for small, large in zip(frames_of(clip), frames_of(tmp_path / f"in_{size}.mkv"), strict=True):
        for plane, source in zip(large.planes, small.planes, strict=True):
            assert abs(float(plane.mean()) - float(source.mean())) < 2


def test_a_folder_with_a_bad_file(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    write_clip(films / "a.mp4")
    (films / "b.mkv").write_text("not a video at all")
    write_clip(films / "c.webm", codec="libvpx-vp9")
    (films / "zero.mp4").touch()
    done = upreel("upscale", films, "--json")
    assert done.exit_code == 1
    files = {Path(file["source"]).name: file for file in json.loads(done.stdout)["files"]}
    assert set(files) == {"a.mp4", "b.mkv", "c.webm", "zero.mp4"}
    assert files["b.mkv"]["error"]
    assert files["zero.mp4"]["error"]
    assert numbers_of(films / "a_x2.mp4") == numbers_of(films / "c_x2.webm") == list(range(8))


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def of_two_sizes(path: Path) -> None:
    """H.264 of 64x48, and from the ninth frame, at 0.32 s, of 80x48."""
    parts = [
        write_clip(path.with_name(f"{width}.h264"), width=width, muxer="h264") for width in (64, 80)
    ]
    raw = path.with_name("both.h264")
    raw.write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(raw)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(p for p in reading.demux(video=0) if p.size):
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            writing.mux(packet)


BAD = {
    "no bytes": (lambda path: path.touch(), "in.mkv"),
    "text": (lambda path: path.write_text("Not a film.\n" * 99), "in.mkv"),
    "sound": (sound_alone, "in.mkv"),
    "no index": (
        lambda path: path.write_bytes(write_clip(path.with_name("a.mp4")).read_bytes()[:2000]),
        "in.mkv",
    ),
    "two sizes": (of_two_sizes, "changes from 64x48 to 80x48 at 0:00:00.320"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_source_is_one_line(kind: str, tmp_path: Path) -> None:
    make, words = BAD[kind]
    make(tmp_path / "in.mkv")

    done = upreel("upscale", tmp_path / "in.mkv", "-o", tmp_path / "out.mkv")

    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("upreel: ")
    assert words in line
    assert done.stdout == ""
    assert not (tmp_path / "out.mkv").exists()


def test_a_truncated_film_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", count=40, options={"g": "10"}, audio=[AudioTrack()])
    truncate(clip, keep=Fraction(6, 10))

    done = upreel("upscale", clip)

    assert done.exit_code == 0, done.output
    assert "note: " in done.stderr
    shown = numbers_of(tmp_path / "in_x2.mkv")
    assert 10 < len(shown) < 40
    assert shown[:10] == list(range(10))


def test_matroska_through_a_pipe(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", times=[Fraction(n, 30) for n in (3, 4, 6, 9)])
    output = tmp_path / "out.mp4"
    done = run_upreel("upscale", "-", "-o", str(output), stdin=clip.read_bytes())
    assert done.returncode == 0, done.stderr.decode()
    times = [[f.pts * f.time_base for f in frames_of(path)] for path in (clip, output)]
    assert [t - times[1][0] for t in times[1]] == [t - times[0][0] for t in times[0]]


def test_a_bar_tells_rate_time_left_and_size(tmp_path: Path) -> None:
    """On a terminal; everywhere else there is none."""
    clip = write_clip(tmp_path / "in.mp4", count=23)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "stand_in_command", "upscale", str(clip)],
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "240"},  # the bar names the file by its path
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # Linux says so when the other end is closed
            while chunk := os.read(ours, 1 << 16):
                seen += chunk
    os.close(ours)
    assert process.returncode == 0
    text = seen.decode()
    assert "23/23 frames" in text
    assert re.search(r"[\d.]+ fps", text)
    assert re.search(r"about [\d.]+ MB", text)
    assert re.search(r"\d:\d\d:\d\d", text)


def test_models_are_readable() -> None:
    done = upreel("models")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("fast-x2: "))
    assert lines[at + 1].startswith("  x2, sees 2 frames, 66k parameters, ")
    assert lines[at + 1].endswith("weights Apache-2.0")
    assert max(map(len, lines)) <= 100
    cards = json.loads(upreel("models", "--json").stdout)
    assert (cards["fast-x2"]["licence"], cards["fast-x2"]["window"]) == ("Apache-2.0", [1, 0])


def test_scores_and_times_of_models_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    card = replace(
        load_card("fast-x2"),
        scores={"Vid4 BI x2, Y-PSNR dB": 31.2345},
        milliseconds={"two cores, f32, 320x180": 3.25, "two cores, f32, 960x540": 20.5},
        mebibytes={"two cores, int8, 640x360": 240.0},
    )
    monkeypatch.setattr("upreel.zoo.card_names", lambda: (card.name,))
    monkeypatch.setattr("upreel.zoo.load_card", lambda _name: card)
    assert upreel("models").stdout.splitlines()[2:] == [
        "  Vid4 BI x2, Y-PSNR dB: 31.2345",
        "  ms a frame, two cores, f32:",
        "    320x180 3.25, 960x540 20.5",
        "  MiB at most, two cores, int8:",
        "    640x360 240",
    ]


def test_devices_name_the_cpu() -> None:
    done = upreel("devices")
    assert done.exit_code == 0
    assert "cpu" in done.stdout
