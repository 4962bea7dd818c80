"""`upreel upscale`, run in process with a network that repeats samples; pipes as processes."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from clips import (
    Attachment,
    AudioTrack,
    SubtitleTrack,
    draw_planes,
    frame_times,
    shown_number,
    write_clip,
)
from processes import ENVIRONMENT
from stand_in import StandIn
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.errors import OptionError
from upreel.pipeline import UpscaleJob, plan_job
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.verify import verify


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    backend = StandIn()
    for module in ("run", "dry_run"):
        monkeypatch.setattr(f"upreel.pipeline.{module}.DefaultBackend", lambda: backend)
    return backend


def upreel(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["upscale", *map(str, arguments)])


def numbers_of(path: Path) -> list[int]:
    info = probe(path)
    frames = read_frames(info, timeline=scan(info))
    return [shown_number(frame.planes[0]) for frame in frames]


def test_the_plain_command(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")

    done = upreel(clip)

    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path}/a_x2.mp4: 8 frames, 128x96, ")
    assert "peak memory" in second
    assert "CPU use" in second
    assert third == "  repeat-x2 on cpu in f32 by numpy (the only one), x264"
    assert numbers_of(tmp_path / "a_x2.mp4") == list(range(8))


@pytest.mark.parametrize(("scale", "width"), [("3", 192), ("4", 256)])
def test_scale(tmp_path: Path, scale: str, width: int) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    assert upreel(clip, "-s", scale).exit_code == 0
    assert probe(tmp_path / f"a_x{scale}.mp4").width == width


def test_json_is_one_object(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")

    done = upreel(clip, "--json")

    result = json.loads(done.stdout)
    assert done.stderr == ""
    assert (result["frames"], result["width"], result["encoder"]) == (8, 128, "x264")
    assert result["output"] == str(tmp_path / "a_x2.mp4")


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    done = upreel(clip, "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_notices_come_on_stderr_before_the_result(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", attachments=[Attachment()])
    done = upreel(clip, "-o", tmp_path / "b.mp4")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("note: .mp4 cannot hold ")
    assert done.stderr.count("\n") == len(set(done.stderr.splitlines()))  # each once


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=30)

    done = upreel(clip, "--dry-run")

    assert done.exit_code == 0, done.output
    assert f"{clip} would become {tmp_path}/a_x2.mp4: 30 frames in 1 part, 128x96" in done.stdout
    assert "guessed from 24 frames" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    seen = json.loads(upreel(clip, "--dry-run", "--json").stdout)
    assert seen["frames"] == 30
    assert seen["bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.mp4"], 1, "upreel: no such file: missing.mp4"),
        (["{clip}", "--codec", "nope"], 1, "upreel: no encoder 'nope'; there are: x264"),
        (["{clip}", "--crf", "99"], 1, "upreel: crf of x264 is 0"),
        (["{clip}", "-s", "2", "--size", "80x80"], 1, "upreel: either a scale or a size"),
        (["{clip}", "-s", "5"], 2, "Invalid value for '-s' / '--scale'"),
        (["{clip}", "--size", "big"], 2, "a size is WIDTHxHEIGHT, got 'big'"),
        (["{clip}", "--start", "soon"], 2, "a time is SECONDS, M:SS or H:MM:SS, got 'soon'"),
        (["{clip}", "-e", "tune"], 2, "an encoder option is KEY=VALUE, got 'tune'"),
        (["{clip}", "--start", "3", "--end", "2"], 1, "upreel: end must be after start"),
        (["{clip}", "-o", "{folder}/b.xyz"], 1, "upreel: "),
        (["{clip}", "{clip}"], 1, "is given twice"),
    ],
)
def test_errors_are_one_line_and_the_right_exit_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    done = upreel(*(text.format(clip=clip, folder=tmp_path) for text in arguments))
    assert done.exit_code == code
    assert said in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_options_reach_the_encoder(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    assert upreel(clip, "-o", small, "--crf", "45", "--preset", "ultrafast").exit_code == 0
    assert upreel(clip, "-o", large, "--crf", "5", "-e", "tune=grain").exit_code == 0
    assert small.stat().st_size < large.stat().st_size
    wrong = upreel(clip, "-o", tmp_path / "c.mp4", "-e", "nonsense=1")
    assert wrong.exit_code == 1
    assert "nonsense" in wrong.stderr
    assert not (tmp_path / ".c.mp4.upreel").exists()


def test_a_batch_goes_on_after_a_bad_file_and_skips_what_is_done(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    write_clip(films / "a.mp4")
    (films / "b.mp4").write_bytes(b"no video")
    write_clip(films / "c.mkv")
    (films / "notes.txt").write_text("not looked at")

    done = upreel(films)

    assert done.exit_code == 1
    assert f"upreel: {films}/b.mp4: " in done.stderr
    assert done.stderr.endswith("upreel: 1 of 3 files failed\n")
    assert numbers_of(films / "a_x2.mp4") == numbers_of(films / "c_x2.mkv") == list(range(8))
    (films / "b.mp4").unlink()
    again = upreel(films, "--json")
    assert again.exit_code == 0
    files = json.loads(again.stdout)["files"]
    assert [Path(file["source"]).name for file in files] == ["a.mp4", "c.mkv"]
    assert all("exists" in file["skipped"] for file in files)


def test_a_batch_into_a_folder(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    (tmp_path / "out").mkdir()
    assert upreel(*clips, "-o", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_x2.mp4", "b_x2.mp4"]
    refused = upreel(*clips, "-o", tmp_path / "file.mp4")
    assert refused.exit_code == 1
    assert "must be a folder that exists" in refused.stderr


def test_everything_but_the_size_is_kept(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mkv",
        times=[Fraction(n, 25) for n in (5, 6, 8, 12, 13, 14, 15, 30)],
        sar=Fraction(4, 3),
        rotation=90,
        audio=[AudioTrack(seconds=Fraction(6, 5)), AudioTrack(language="deu", hertz=300)],
        subtitles=[SubtitleTrack()],
        attachments=[Attachment()],
        chapters=["One", "Two"],
        metadata={"title": "A film"},
    )

    done = upreel(clip, "-e", "bf=2")

    assert done.exit_code == 0, done.output
    report = verify(clip, tmp_path / "a_x2.mkv")
    assert report.passed, [check for check in report.checks if not check.passed]
    old, new = probe(clip), probe(tmp_path / "a_x2.mkv")
    assert new.rotation == old.rotation == 90
    assert [title for *_, title in new.chapters] == ["One", "Two"]
    assert [s.kind for s in new.streams] == [s.kind for s in old.streams]
    assert [s.language for s in new.streams[1:4]] == ["eng", "deu", "fra"]


def test_sound_and_subtitles_are_left_out_when_asked(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", audio=[AudioTrack()], subtitles=[SubtitleTrack()])
    assert upreel(clip, "--no-audio", "--no-subs").exit_code == 0
    assert [stream.kind for stream in probe(tmp_path / "a_x2.mkv").streams] == ["video"]


def test_sound_is_trimmed_with_the_picture(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mp4", times=frame_times(50), audio=[AudioTrack(seconds=Fraction(2))]
    )
    assert (
        upreel(clip, "--start", "0:00:00.4", "--end", "1.2", "-o", tmp_path / "b.mp4").exit_code
        == 0
    )
    info = probe(tmp_path / "b.mp4")
    assert numbers_of(tmp_path / "b.mp4") == list(range(10, 30))
    sound = info.streams[1]
    assert sound.duration is not None
    assert abs(sound.duration * sound.time_base - Fraction(4, 5)) < Fraction(1, 20)


def pipe(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "stand_in_command", "upscale", *arguments],
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        check=False,
    )


def y4m(count: int) -> bytes:
    frames = b"".join(
        b"FRAME\n" + b"".join(plane.tobytes() for plane in draw_planes(n)) for n in range(count)
    )
    return b"YUV4MPEG2 W64 H48 F25:1 Ip A0:0 C420mpeg2\n" + frames


def test_y4m_through_pipes_is_exact() -> None:
    done = pipe("-", "-o", "-", stdin=y4m(11))

    assert done.returncode == 0, done.stderr.decode()
    header, _, rest = done.stdout.partition(b"\n")
    assert header.startswith(b"YUV4MPEG2 W128 H96 F25:1 Ip ")
    size = len(b"FRAME\n") + 128 * 96 * 3 // 2
    assert len(rest) == 11 * size
    for n in range(11):
        luma, cb, cr = (p.repeat(2, axis=0).repeat(2, axis=1) for p in draw_planes(n))
        expected = b"FRAME\n" + luma.tobytes() + cb.tobytes() + cr.tobytes()
        assert rest[n * size : (n + 1) * size] == expected
    assert b"11 frames" in done.stderr


def test_a_pipe_into_a_file(tmp_path: Path) -> None:
    output = tmp_path / "b.mp4"
    done = pipe("-", "-o", str(output), "--start", "0.12", stdin=y4m(11))
    assert done.returncode == 0, done.stderr.decode()
    assert numbers_of(output) == list(range(3, 11))
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


def test_a_file_into_a_pipe_as_matroska(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", audio=[AudioTrack()])
    done = pipe(str(clip), "-o", "-", "-c", "x264")
    assert done.returncode == 0, done.stderr.decode()
    assert b"note: standard output cannot carry sound" in done.stderr
    piped = tmp_path / "piped.mkv"
    piped.write_bytes(done.stdout)
    assert numbers_of(piped) == list(range(8))


def test_a_pipe_without_an_output_or_with_nothing_in_it_is_refused() -> None:
    for arguments, said in (
        (["-"], b"upreel: reading standard input needs an output"),
        (["-", "-o", "-"], b"upreel: standard input"),
    ):
        done = pipe(*arguments, stdin=y4m(2) if len(arguments) == 1 else b"")
        assert done.returncode == 1
        assert done.stderr.startswith(said)
        assert len(done.stderr.splitlines()) == 1


def test_what_looks_interlaced_is_told_and_treated_when_asked(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=12, codec="ffv1", interlaced=True, flagged=False)

    plain = upreel(clip, "-c", "ffv1", "-o", tmp_path / "plain.mkv")
    off = upreel(clip, "-c", "ffv1", "-o", tmp_path / "off.mkv", "--deinterlace", "off")
    on = upreel(clip, "-c", "ffv1", "-o", tmp_path / "on.mkv", "--deinterlace", "on")

    assert "note: looks interlaced, top field first, but is not flagged so" in plain.stderr
    assert "--deinterlace on treats it" in plain.stderr
    assert "--deinterlace" not in off.stderr
    assert "note: deinterlaced as asked, top field first" in on.stderr
    left = (tmp_path / "plain.mkv").read_bytes()
    assert left == (tmp_path / "off.mkv").read_bytes()
    assert left != (tmp_path / "on.mkv").read_bytes()


def test_parts_of_another_deinterlacing_are_not_taken(tmp_path: Path, stand_in: StandIn) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=12, interlaced=True)
    asked = UpscaleJob(source=str(clip), output=str(tmp_path / "b.mkv"))
    plan_job(asked, backend=stand_in)

    refused = upreel(clip, "-o", tmp_path / "b.mkv", "--deinterlace", "off")

    assert refused.exit_code == 1
    assert "other deinterlacing" in refused.stderr
    assert upreel(clip, "-o", tmp_path / "b.mkv").exit_code == 0


def test_an_unknown_way_of_deinterlacing_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv")

    assert upreel(clip, "--deinterlace", "maybe").exit_code == 2
    with pytest.raises(OptionError, match="auto, on or off, got 'maybe'"):
        UpscaleJob(source=str(clip), deinterlace="maybe")  # type: ignore[arg-type]
