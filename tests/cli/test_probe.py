"""`upreel probe`, run in process."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from clips import AudioTrack, write_clip, write_sequence
from typer.testing import CliRunner, Result

from upreel.cli.probe import probe

app = typer.Typer()
app.command()(probe)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_json_tells_exact_times_and_properties(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mp4",
        times=[Fraction(1001 * n, 30000) for n in (1, 2, 4)],
        rate=Fraction(30000, 1001),
        audio=[AudioTrack()],
        chapters=["one"],
        muxer_options={"movie_timescale": "30000"},  # else the start is rounded to 1/1000 s
    )

    result = run(path, "--json")

    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert report["frames"] == 3
    assert report["frame_rate"] == "20000/1001"
    assert report["variable_frame_rate"] is True
    assert report["start"] == "1001/30000"
    assert report["video"]["codec"] == "h264"
    assert [s["kind"] for s in report["streams"]][:2] == ["video", "audio"]
    assert report["chapters"][0]["title"] == "one"
    assert report["output"].endswith("a_x2.mp4")
    assert any("variable frame rate" in line for line in report["advice"])


def test_a_plain_clip_loses_nothing(tmp_path: Path) -> None:
    result = run(write_clip(tmp_path / "a.mkv"), "--json")

    (report,) = json.loads(result.stdout)
    assert report["losses"] == []


def test_losses_are_told_to_people(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=12, interlaced=True, top_first=False, extra_video=1)

    result = run(path)

    assert result.exit_code == 0, result.output
    assert "h264 64x48 yuv420p, 12 frames, 25 frames/s" in result.stdout
    assert "lost     interlaced, bottom field first" in result.stdout
    assert "further video streams (1) are copied, not upscaled" in result.stdout


def test_hdr_and_small_size_are_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="libx265", pix_fmt="yuv420p10le", hdr=True)

    (report,) = json.loads(run(path, "--json").stdout)

    assert report["video"]["max_cll"] == 1000
    assert any("HDR (PQ)" in line for line in report["losses"])


def test_pictures_are_told(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "shots", count=3, width=12, height=8)

    (report,) = json.loads(run(folder, "--json").stdout)

    assert (report["container"], report["frames"], report["start"]) == ("image2", 3, "0")
    assert any("too small" in line for line in report["advice"])


@pytest.mark.parametrize("as_json", [True, False])
def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path, as_json: bool) -> None:
    good, bad = write_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    bad.write_bytes(b"")

    result = run(bad, good, *(["--json"] if as_json else []))

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"upreel: 1 of 2 cannot be read: {bad} is empty (0 bytes)"
    )
    if as_json:
        first, second = json.loads(result.stdout)
        assert first == {"file": str(bad), "error": f"{bad} is empty (0 bytes)"}
        assert second["frames"] == 8
    else:
        assert "a.mp4: mov" in result.stdout


def test_one_missing_file_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "none.mp4")

    assert result.exit_code == 1
    assert result.stderr == f"upreel: no such file: {tmp_path}/none.mp4\n"
    assert result.stdout == ""
