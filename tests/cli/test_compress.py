"""`upreel compress` and `upreel decompress` with a small codec's networks, run in process.

Mutations tried: a receiver opened in another size than the sender; the quality option ignored;
options that contradict each other let through; a result that is not one object.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from clips import AudioTrack, write_clip
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.codec.file import UpvFile
from upreel.codec.model import CodecModel, FrameState
from upreel.codec.packet import PacketType
from upreel.codec.parser import Placed
from upreel.video.frame import Plane
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo.codec_card import CodecCard


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def card(small_codec: CodecCard) -> Path:
    return small_codec.folder / f"{small_codec.name}.json"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    return write_clip(path, count=6, width=65, height=49, codec="ffv1", audio=[AudioTrack()])


@pytest.fixture(scope="module")
def stream(clip: Path, card: Path) -> Path:
    output = clip.with_suffix(".upv")
    done = run("compress", clip, output, "--codec", card, "--threads", 1, "--quality", 40)
    assert done.exit_code == 0, done.output
    assert f"{output}: 6 frames, 65x49, " in done.stdout
    assert "quality 40.0, " in done.stdout
    assert "drawn on cpu in f32" in done.stdout
    return output


def received(path: Path, card: CodecCard, bits: int = 8) -> list[tuple[Plane, ...]]:
    """What a receiver makes of a stream's packets."""
    with UpvFile(path) as file:
        header = file.header
        codec = CodecModel(card).open(
            height=header.height, width=header.width, bits=bits, threads=1, sends=False
        )
        state: FrameState | None = None
        found: list[tuple[Plane, ...]] = []
        for event in file.read():
            assert isinstance(event, Placed)
            packet = event.packet
            if packet.type is PacketType.OTHER:
                continue
            if packet.type is not PacketType.REPEAT:
                before = None if packet.type is PacketType.VIDEO_KEY else state
                state = codec.receive(packet.payload, packet.quality, before)
            assert state is not None
            found.append(codec.planes(state))
    return found


def pictures(path: Path) -> list[tuple[Plane, ...]]:
    info = probe(path)
    return [frame.planes for frame in read_frames(info, timeline=scan(info))]


def assert_same(before: list[tuple[Plane, ...]], after: list[tuple[Plane, ...]]) -> None:
    assert len(before) == len(after) > 0
    for planes, others in zip(before, after, strict=True):
        for plane, other in zip(planes, others, strict=True):
            assert np.array_equal(plane, other)


@pytest.mark.parametrize("ending", [".mkv", ".y4m"])
def test_the_receivers_own_frames_come_out(
    ending: str, stream: Path, card: Path, small_codec: CodecCard, tmp_path: Path
) -> None:
    output = tmp_path / f"b{ending}"
    encoder = () if ending == ".y4m" else ("-c", "ffv1")
    done = run("decompress", stream, output, "--codec", card, "--threads", 1, *encoder)
    assert done.exit_code == 0, done.output
    assert f"{output}: 6 frames, 65x49, " in done.stdout
    assert_same(received(stream, small_codec), pictures(output))


def test_ten_bits_and_a_bitrate(card: Path, small_codec: CodecCard, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=5, codec="ffv1", pix_fmt="yuv420p10le")
    upv, back = tmp_path / "a.upv", tmp_path / "b.mkv"
    wanted = ("--bitrate", "200k", "--codec", card, "--threads", 1)
    assert run("compress", clip, upv, *wanted).exit_code == 0
    done = run("decompress", upv, back, "--codec", card, "--threads", 1, "-c", "ffv1")
    assert done.exit_code == 0, done.output
    assert probe(back).format.name == "yuv420p10le"
    assert_same(received(upv, small_codec, bits=10), pictures(back))


def test_json_is_one_object(clip: Path, card: Path, tmp_path: Path) -> None:
    upv, back = tmp_path / "a.upv", tmp_path / "b.mkv"
    done = run("compress", clip, upv, "--codec", card, "--threads", 1, "--json")
    values = json.loads(done.stdout)
    assert (values["frames"], values["quality"], values["codec"]) == (6, 32, "drawn")
    assert values["bytes"] == upv.stat().st_size
    done = run("decompress", upv, back, "--codec", card, "--threads", 1, "--json")
    values = json.loads(done.stdout)
    assert (values["frames"], values["damaged_frames"], values["notices"]) == (6, 0, [])
    assert values["bytes"] == back.stat().st_size


def test_how_a_file_was_made_is_told(stream: Path, card: Path, tmp_path: Path) -> None:
    told = run("probe", stream).stdout
    assert ", made in f32, openvino " in told
    done = run("decompress", stream, tmp_path / "b.mkv", "--codec", card, "--threads", 1)
    assert "  drawn on cpu in f32, the sender's pictures to the bit, " in done.stdout


def test_quiet_says_nothing(stream: Path, card: Path, tmp_path: Path) -> None:
    done = run("decompress", stream, tmp_path / "b.y4m", "--codec", card, "--threads", 1, "-q")
    assert (done.exit_code, done.output) == (0, "")


def test_damage_is_a_notice_and_no_failure(stream: Path, card: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.upv"
    cut.write_bytes(stream.read_bytes()[:-700])
    done = run("decompress", cut, tmp_path / "b.y4m", "--codec", card, "--threads", 1)
    assert done.exit_code == 0
    assert "note: the file is cut off" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("OUT.mp4",), "compress writes .upv files, got "),
        (("OUT.upv", "--codec", "nothing"), "no codec 'nothing'; there is: the path of a card"),
        (("OUT.upv", "--quality", 3, "--bitrate", "1M"), "either a quality or a bitrate"),
        (("OUT.upv", "-d", "abacus"), "no device 'abacus' here; there are: cpu"),
        (("OUT.upv", "--start", 5, "--end", 4), "end must be after start"),
        (("OUT.upv", "--start", 99), "no frame from start to end"),
    ],
)
def test_errors_are_one_line(
    arguments: tuple[object, ...], line: str, clip: Path, card: Path, tmp_path: Path
) -> None:
    output, *rest = arguments
    codec = () if "--codec" in rest else ("--codec", card)
    done = run("compress", clip, tmp_path / str(output), *codec, *rest)
    assert done.exit_code == 1
    assert done.stderr.startswith("upreel: ")
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--quality", 64), ("--bitrate", "fast"), ("--keyint", 0), ("--start", "soon")],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[object, ...], clip: Path) -> None:
    assert run("compress", clip, "out.upv", *arguments).exit_code == 2


def test_a_file_says_which_codec_it_needs(stream: Path, tmp_path: Path) -> None:
    done = run("decompress", stream, tmp_path / "b.mkv")
    assert done.exit_code == 1
    assert "was made by codec 'drawn' (SHA-256 " in done.stderr
    assert done.stderr.endswith("compress and evaluate: --upv-codec)\n")


def test_a_file_of_another_kind_is_refused(clip: Path, card: Path, tmp_path: Path) -> None:
    done = run("decompress", clip, tmp_path / "b.mkv", "--codec", card)
    assert done.exit_code == 1
    assert done.stderr == "upreel: not an .upv stream: it begins with other bytes\n"
