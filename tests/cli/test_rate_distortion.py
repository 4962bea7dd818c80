"""`upreel evaluate --rd`, run in process, with a codec of random weights.

Mutations tried: an option of the other comparison let through, the report made after the work,
peers left on where none are wanted: each fails one of these tests or more.
"""

import json
from pathlib import Path

import pytest
from clips import write_clip
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.evaluation import rd_run
from upreel.zoo.codec_card import CodecCard


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", "--rd", *(str(word) for word in arguments)])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "film.mkv", codec="ffv1", count=4, width=66, height=50)


def test_ours_and_a_peer(clip: Path, small_codec: CodecCard, tmp_path: Path) -> None:
    card = small_codec.folder / f"{small_codec.name}.json"
    report = tmp_path / "report"

    done = run(
        "--set", clip, "--codec", card, "--peers", "x264:veryfast", "--points", 3, "--keyint", 2,
        "--qualities", "8,32,60", "--no-vmaf", "--report", report,
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert f"{clip}: low-delay, keyframes every 2 frames" in done.stdout
    assert f"report: {report / 'rd.html'}" in done.stdout
    values = json.loads((report / "rd.json").read_text(encoding="utf-8"))
    ours, peer = values["coders"]
    assert (ours["name"], ours["kind"], len(ours["points"])) == ("drawn", "ours", 3)
    assert ours["sha256"] == small_codec.sha256
    assert [p["quality"] for p in ours["points"]] == [8, 32, 60]
    assert [p["quality"] for p in peer["points"]] == [18, 30, 42]
    assert {p["keyframes"] for p in peer["points"]} == {2}
    assert min(p["encode_fps"] for p in ours["points"]) > 0
    assert set(values["bd_rate"]["psnr_y"]) == {"drawn", "x264:veryfast"}
    assert (report / "rd.md").read_text(encoding="utf-8").startswith("    upreel evaluate --rd")


def test_one_object_and_no_peers(clip: Path, small_codec: CodecCard) -> None:
    card = small_codec.folder / f"{small_codec.name}.json"

    done = run("--set", clip, "--codec", card, "--peers", "none", "--points", 2, "--json")

    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert (values["version"], values["kind"]) == (1, "rate-distortion")
    assert [coder["name"] for coder in values["coders"]] == ["drawn"]
    assert values["pictures"] == []


def test_random_access_is_said(clip: Path) -> None:
    done = run(
        "--set", clip, "--peers", "x264:veryfast,x264:fast", "--structure", "random-access",
        "--no-vmaf", "--points", 2,
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert "random-access, keyframes every 32 frames" in done.stdout
    assert "with B frames and lookahead" in done.stdout
    assert "Absent: vmaf: not asked for." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--peers", "none"), "nothing to compare; --codec takes a codec's card"),
        (("--peers", "vp9:1"), "no peer 'vp9:1'; a peer is ENCODER:PRESET"),
        (("--structure", "b"), "structure 'b' is not known; allowed: low-delay, random-access"),
        (("--codec", "nothing"), "no codec 'nothing'; there is: the path of a card"),
        (("--qualities", "8,x"), "--qualities takes whole numbers such as 8,24,40, got '8,x'"),
        (("--keyint", 0), "keyint must be 1 to 100000 frames, got 0"),
        (("--points", 99), "points must be 2 to 16, got 99"),
        (("--set", "nowhere"), "nowhere is neither a folder nor a file"),
        (("--scale", 2, "--models", "x"), "--rd compares codecs; leave --models, --scale away"),
        (("--no-motion",), "--rd compares codecs; leave --motion away"),
        (("--precision", "int8"), "precision 'int8' is not known; allowed: f32, bf16"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[object, ...], message: str, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rd_run, "write_truth", lambda *_, **__: pytest.fail("work began"))
    place = () if "--set" in arguments else ("--set", clip)

    done = run(*place, *arguments)

    assert done.exit_code == 1
    assert done.stderr.startswith("upreel: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_options_of_codecs_take_rd() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--keyint", "8", "--codec", "c.json"])

    assert done.exit_code == 1
    assert done.stderr == "upreel: --codec, --keyint takes --rd: it compares codecs\n"


def test_a_report_that_cannot_be_written_is_said_before_the_work(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rd_run, "write_truth", lambda *_, **__: pytest.fail("work began"))
    (tmp_path / "file").write_text("a file")

    done = run("--set", clip, "--report", tmp_path / "file")

    assert done.exit_code == 1
    assert done.stderr == f"upreel: {tmp_path / 'file'} is a file, not a folder\n"
