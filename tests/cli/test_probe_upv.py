"""`upreel probe` of .upv files.

Mutations tried: repeated frames not counted; sound counted as video; damage not told.
"""

import json
from pathlib import Path
from typing import Any

from clips import AudioTrack, SubtitleTrack, write_clip
from compressing import moving, packed, still_pictures
from typer.testing import CliRunner, Result

from upreel.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["probe", *(str(argument) for argument in arguments)])


def report_of(path: Path) -> dict[str, Any]:
    (report,) = json.loads(run(path, "--json").stdout)
    return report


def test_what_a_file_holds(tmp_path: Path) -> None:
    pictures = [*(moving(n) for n in range(10)), moving(9), moving(9)]
    clip = still_pictures(tmp_path / "a.mkv", pictures)
    packed(clip, tmp_path / "a.upv", quality=45, keyint=5)

    report = report_of(tmp_path / "a.upv")

    assert report["video"]["codec"] == "stand-in"
    assert len(report["video"]["codec_sha256"]) == 64
    assert report["video"]["precision"] == "f32"
    assert (report["video"]["engine"], report["video"]["machine"]) == ("zlib 1", "any cpu")
    assert (report["frames"], report["keyframes"], report["repeated_frames"]) == (12, 3, 1)
    assert report["keyframe_times"] == ["0", "1/5", "2/5"]
    assert report["quality"] == {"least": 45, "mean": 45.0, "greatest": 45}
    assert report["frame_rate"] == "25"
    assert report["variable_frame_rate"] is False
    assert report["duration"] == "12/25"
    assert report["bytes"] == (tmp_path / "a.upv").stat().st_size
    assert report["bits_per_second"] == 8 * report["video_bytes"] / 0.48
    assert 0 < report["keyframe_bytes"] < report["video_bytes"] < report["bytes"]
    assert report["indexed"] is True
    assert report["damage"] == []


def test_other_streams_are_listed(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mkv", audio=[AudioTrack()], subtitles=[SubtitleTrack()], chapters=["one"],
        cover=True,
    )  # fmt: skip
    packed(clip, tmp_path / "a.upv")
    report = report_of(tmp_path / "a.upv")
    told = [(s["kind"], s["codec"], s["language"]) for s in report["streams"]]
    assert told == [("audio", "aac", "eng"), ("subtitle", "subrip", "fra"), ("cover", "png", "")]
    assert [s["packets"] > 0 for s in report["streams"]] == [True, True, False]
    assert [c["title"] for c in report["chapters"]] == ["one"]

    text = run(tmp_path / "a.upv").stdout
    assert "  video    64x48, 8 bits, 8 frames, 25.000 frames/s\n" in text
    assert "  codec    stand-in (SHA-256 " in text
    assert "  quality  32 to 32, mean 32.0\n" in text
    assert "  stream   audio aac eng: " in text
    assert "damage" not in text


def test_damage_is_told(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(6)])
    packed(clip, tmp_path / "a.upv")
    data = bytearray((tmp_path / "a.upv").read_bytes())
    place = data.rindex(b"\x9c\xe5\x01", 0, len(data) - 600)
    data[place + 40] ^= 1
    (tmp_path / "named_otherwise.bin").write_bytes(data[:-30])

    report = report_of(tmp_path / "named_otherwise.bin")

    assert report["container"] == "upv"
    assert report["indexed"] is False
    assert report["damages"] == len(report["damage"]) >= 2
    assert report["damage"][0]["offset"] == place
    assert "(video at 0:00:00." in report["damage"][0]["reason"]
    text = run(tmp_path / "named_otherwise.bin").stdout
    assert f"  damage   at byte {place}: " in text
    assert "  index    none that is sound" in text


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.upv").write_bytes(b"something else, and long enough for a header")
    done = run(tmp_path / "a.upv")
    assert done.exit_code == 1
    assert done.stderr == "upreel: not an .upv stream: it begins with other bytes\n"
