"""`upreel upscale` of .upv files: as of the file that they were made of.

Mutations tried: streams numbered as if the video were among the carried ones; the clocks of a
template's streams left at milliseconds; covers, chapters or cuts not handed on; reading from the
start instead of from a keyframe; another decoder taken for the same one; the card's option dropped;
sound that its decoder swallows taken for a beginning before 0; losses not told.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import HDR10, Attachment, AudioTrack, SubtitleTrack, write_clip
from compressing import frames_of, packed
from stand_in import StandIn
from stand_in_codec import StandInCodecs
from typer.testing import CliRunner

from upreel.cli import app
from upreel.codec.file import UpvFile
from upreel.codec.header import Arithmetic
from upreel.codec.packet import pack_packet
from upreel.codec.parser import Placed
from upreel.errors import StaleWorkError, UnknownModelError
from upreel.pipeline import (
    UpscaleJob,
    UpscaleResult,
    expand_sources,
    join_job,
    num_parts,
    plan_job,
    preview,
    run_part,
    upscale,
)
from upreel.pipeline.upv_source import UpvSource

COUNT, KEYS = 30, 6


@pytest.fixture(autouse=True)
def received(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each frame that the stand-in codec decodes."""
    seen: list[None] = []
    codecs = StandInCodecs(on_send=lambda: seen.append(None))
    monkeypatch.setattr("upreel.pipeline.upv_source.DefaultCodecs", lambda: codecs)
    return seen


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uneven frame times, streams of every kind, tags."""
    return write_clip(
        tmp_path_factory.mktemp("film") / "film.mkv",
        times=[Fraction(n, 25) + Fraction(n % 3, 100) for n in range(COUNT)],
        codec="ffv1",
        colour=HDR10,
        sar=Fraction(16, 15),
        rotation=90,
        audio=[AudioTrack(start=Fraction(1, 8), seconds=Fraction(1)), AudioTrack(language="deu")],
        subtitles=[SubtitleTrack(), SubtitleTrack(codec="ass")],
        attachments=[Attachment()],
        chapters=["one", "two"],
        metadata={"title": "A film"},
        cover=True,
    )


@pytest.fixture(scope="module")
def upv(film: Path) -> Path:
    target = film.with_suffix(".upv")
    packed(film, target, quality=63, keyint=KEYS)
    return target


def enlarged(source: Path, output: Path, **options: object) -> UpscaleResult:
    job = UpscaleJob(source=str(source), output=str(output), part_seconds=Fraction(1, 5), **options)  # type: ignore[arg-type]
    return upscale(job, backend=StandIn(seen=(1, 1)))


Packets = dict[int, list[tuple[bytes, Fraction]]]


def contents(path: Path) -> tuple[list[tuple[object, ...]], Packets, list[object]]:
    """A file's streams, their packets, and its chapters; of the film the times alone."""
    with av.open(str(path)) as container:
        streams = [
            (s.type, s.codec_context.name if s.codec_context else "", int(s.disposition),
             {k: v for k, v in s.metadata.items() if k != "DURATION"})
            for s in container.streams
        ]  # fmt: skip
        packets: Packets = {s.index: [] for s in container.streams}
        for packet in container.demux():
            if packet.size:
                time = (packet.pts or 0) * Fraction(packet.time_base)
                packets[packet.stream.index].append((bytes(packet), time))
        # Parts begin elsewhere where keyframes do, and packets depend on that.
        packets[0] = [(b"", time) for time in sorted(time for _, time in packets[0])]
        return streams, packets, [c["start"] * c["time_base"] for c in container.chapters()]


CUTS = {
    "whole": {},
    "cut": {"start": Fraction(1, 5), "end": Fraction(4, 5)},
    "quiet": {"audio": False},
    "without words": {"subtitles": False},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_it_gives_what_its_source_gives(
    ending: str, cut: dict[str, object], film: Path, upv: Path, tmp_path: Path
) -> None:
    options = cut | {"codec": "ffv1" if ending == ".mkv" else "x264"}
    wanted = enlarged(film, tmp_path / f"film{ending}", **options)
    done = enlarged(upv, tmp_path / f"upv{ending}", **options)

    assert (done.frames, done.damaged_frames) == (wanted.frames, 0)
    assert contents(tmp_path / f"upv{ending}") == contents(tmp_path / f"film{ending}")
    assert set(done.notices) == set(wanted.notices)
    kinds = {kind for kind, *_ in contents(tmp_path / f"upv{ending}")[0]}
    assert ("audio" in kinds, "subtitle" in kinds) == (
        cut.get("audio", True),
        cut.get("subtitles", True),
    )
    if ending == ".mkv":
        frames = [frames_of(tmp_path / f"{name}.mkv") for name in ("upv", "film")]
        for one, other in zip(*frames, strict=True):
            assert all(map(np.array_equal, one.planes, other.planes))
            assert (one.pts, one.duration) == (other.pts, other.duration)
            assert (one.colour, one.rotation) == (other.colour, other.rotation)
            assert one.sample_aspect_ratio == other.sample_aspect_ratio


def test_an_mp4s_sound_keeps_its_clock(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mp4", audio=[AudioTrack(start=Fraction(1001, 48_000))], cover=True,
        options={"bf": "0"},
    )  # fmt: skip
    packed(clip, tmp_path / "a.upv", quality=63)
    enlarged(clip, tmp_path / "b.mp4")
    enlarged(tmp_path / "a.upv", tmp_path / "c.mp4")
    sounds = [contents(tmp_path / name)[1] for name in ("b.mp4", "c.mp4")]
    assert sounds[0][1] == sounds[1][1] != []
    assert sounds[0][2] == sounds[1][2] != []  # the cover


def test_parts_are_run_anywhere_from_the_keyframe_before(
    upv: Path, received: list[None], tmp_path: Path
) -> None:
    job = UpscaleJob(
        source=str(upv), output=str(tmp_path / "b.mkv"), codec="ffv1", part_seconds=Fraction(1, 5)
    )
    at_once = enlarged(upv, tmp_path / "a.mkv", codec="ffv1")
    folder = plan_job(job, backend=StandIn(seen=(1, 1)))
    count = num_parts(folder)
    assert count > 3
    for number in reversed(range(count)):
        received.clear()
        done = run_part(folder, number, backend=StandIn(seen=(1, 1)))
        # With a frame of context on both sides, the keyframe interval before is read, too.
        assert len(received) <= KEYS * bool(number) + done.frames + 2
    result = join_job(folder, backend=StandIn(seen=(1, 1)))
    assert result.resumed_frames == at_once.frames == COUNT
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_a_worker_that_decodes_otherwise_refuses(
    upv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = UpscaleJob(source=str(upv), output=str(tmp_path / "b.mkv"))
    folder = plan_job(job, backend=StandIn())

    class Newer(StandInCodecs):
        def arithmetic(self, device: str, precision: str) -> Arithmetic:
            return Arithmetic(precision=precision, engine="zlib 2", machine="any cpu")

    monkeypatch.setattr("upreel.pipeline.upv_source.DefaultCodecs", Newer)
    with pytest.raises(StaleWorkError, match="other decoding"):
        run_part(folder, 0, backend=StandIn())


def test_damage_is_concealed_and_told(upv: Path, tmp_path: Path) -> None:
    with UpvFile(upv) as file:
        events = [event for event in file.read() if isinstance(event, Placed)]
    frames = [event for event in events if event.packet.type.is_video]
    data = bytearray(upv.read_bytes())
    data[frames[3].offset + len(pack_packet(frames[3].packet)) - 1] ^= 0xFF
    (tmp_path / "a.upv").write_bytes(data)

    done = enlarged(tmp_path / "a.upv", tmp_path / "b.mkv")

    assert (done.frames, done.damaged_frames) == (COUNT, KEYS - 3)
    told = "3 frames from 0:00:00.120 on cannot be decoded: the one before is shown"
    assert told in done.notices
    before, after = (UpvSource(path).info for path in (upv, tmp_path / "a.upv"))
    lines = [info.foreign.timeline().pts.tolist() for info in (before, after) if info.foreign]
    assert lines[0] == lines[1]


def test_what_it_would_be_is_told_before(upv: Path, tmp_path: Path) -> None:
    seen = preview(UpscaleJob(source=str(upv), output=str(tmp_path / "a.webm")), backend=StandIn())
    assert (seen.frames, seen.width) == (COUNT, 128)
    assert ".webm cannot hold audio stream 1 (eng) aac: it is left out" in seen.notices
    named = preview(UpscaleJob(source=str(upv)), backend=StandIn())
    assert named.output == str(upv.with_name("film_x2.mkv"))
    assert not named.notices or all("cannot hold" not in text for text in named.notices)
    assert str(upv) in expand_sources([str(upv.parent)])


def test_another_device_decodes_in_what_it_has(film: Path, tmp_path: Path) -> None:
    packed(film, tmp_path / "a.upv", precision="bf16")

    done = enlarged(tmp_path / "a.upv", tmp_path / "b.mkv", device="ort-cpu")

    told = [text for text in done.notices if text.startswith("made in bf16 and decoded in f32: ")]
    assert len(told) == 1


def test_the_codecs_card_is_an_option_of_its_own(upv: Path, tmp_path: Path) -> None:
    job = UpscaleJob(source=str(upv), output=str(tmp_path / "a.mkv"), upv_codec="unknown")
    with pytest.raises(UnknownModelError, match="no codec 'unknown'"):
        upscale(job, backend=StandIn())


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.upv").write_bytes(b"something else, and long enough for a header")
    done = CliRunner().invoke(app, ["upscale", str(tmp_path / "a.upv")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "upreel: not an .upv stream: it begins with other bytes\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.upv"]
