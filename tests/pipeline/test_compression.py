"""Videos into .upv files and back, with a codec that needs no networks.

Mutations tried: a receiver given the state of two frames before; frames compared with what was
decoded instead of the source's; cuts not looked for; parts that end within an interval; sound
written behind the video; a shift that is not applied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import (
    HDR10,
    MASTERING,
    MAX_CLL,
    Attachment,
    AudioTrack,
    SubtitleTrack,
    draw_planes,
    write_clip,
)
from compressing import frames_of, moving, packed, packets_of, still_pictures, unpacked
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.header import Arithmetic
from upreel.codec.packet import PacketType, pack_packet
from upreel.codec.parser import Placed
from upreel.codec.rate import RateControl
from upreel.errors import (
    BackendUnavailableError,
    ExistsError,
    InputError,
    ModelError,
    OptionError,
    OutputError,
)
from upreel.inference.engine import DeviceInfo
from upreel.pipeline import compression
from upreel.pipeline.coding import CompressJob, DecompressJob, DecompressResult, DefaultCodecs
from upreel.pipeline.compression import compress
from upreel.pipeline.decompression import decompress
from upreel.pipeline.job import Progress
from upreel.pipeline.upv_source import UpvSource
from upreel.video.frame import Frame, Plane
from upreel.video.info import SourceInfo
from upreel.video.probe import probe

FFV1 = {"encoder": "ffv1"}


def assert_same_frames(before: Sequence[Frame], after: Sequence[Frame]) -> None:
    assert len(after) == len(before)
    for source, output in zip(before, after, strict=True):
        assert output.pts * output.time_base == source.pts * source.time_base
        assert output.duration * output.time_base == source.duration * source.time_base
        for plane, other in zip(source.planes, output.planes, strict=True):
            assert np.array_equal(plane, other)


@pytest.mark.parametrize(
    ("pix_fmt", "size"),
    [("yuv420p", (64, 48)), ("yuv420p", (65, 49)), ("yuv420p10le", (66, 35)), ("yuv420p", (2, 2))],
)
def test_all_frames_come_back(pix_fmt: str, size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, width=width, height=height)

    done = packed(clip, tmp_path / "a.upv", quality=63)
    back = unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1)

    assert (done.frames, done.width, done.height, done.quality) == (8, width, height, 63)
    assert done.bytes == (tmp_path / "a.upv").stat().st_size
    assert (back.frames, back.damaged_frames, back.notices) == (8, 0, ())
    assert_same_frames(frames_of(clip), frames_of(tmp_path / "b.mkv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "a.upv", "b.mkv"]


def test_what_comes_back_is_what_the_sender_decoded(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=5)
    packed(clip, tmp_path / "a.upv", quality=10)
    unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1)
    for source, output in zip(frames_of(clip), frames_of(tmp_path / "b.mkv"), strict=True):
        assert np.array_equal(output.planes[0], (source.planes[0] >> 3) << 3)


@pytest.mark.parametrize("made", ["f32", "bf16"])
def test_a_file_is_decoded_as_its_sender_computed(made: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=2)
    packed(clip, tmp_path / "a.upv", precision=made)
    with UpvFile(tmp_path / "a.upv") as file:
        assert file.header.arithmetic == Arithmetic(
            precision=made, engine="zlib 1", machine="any cpu"
        )

    backend = StandInCodecs()
    job = DecompressJob(source=str(tmp_path / "a.upv"), output=str(tmp_path / "b.mkv"))
    done = decompress(job, backend=backend)
    assert [opened["precision"] for opened in backend.opened] == [made]
    assert (done.precision, done.exact, done.notices) == (made, True, ())


class ElsewhereCodecs(StandInCodecs):
    """Another machine."""

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        return replace(super().arithmetic(device, precision), machine="another")


def test_whether_pictures_are_the_senders_is_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=2)
    packed(clip, tmp_path / "a.upv", precision="bf16")
    job = DecompressJob(
        source=str(tmp_path / "a.upv"), output=str(tmp_path / "b.mkv"), overwrite=True
    )

    def done(backend: StandInCodecs, precision: str = "auto") -> DecompressResult:
        return decompress(replace(job, precision=precision), backend=backend)

    assert done(StandInCodecs(), "bf16").exact
    elsewhere = done(ElsewhereCodecs())
    assert (elsewhere.exact, elsewhere.notices) == (False, ())
    other = done(StandInCodecs(), "f32")
    assert (other.exact, other.precision) == (False, "f32")
    assert other.notices == (
        "made in bf16 and decoded in f32: pictures drift from those that were sent until the next "
        "keyframe",
    )


class OlderCodecs(StandInCodecs):
    """A processor without bf16."""

    def precisions(self, device: str) -> tuple[str, ...]:
        return ("f32",)


def test_a_machine_without_the_sender_s_precision_takes_f32_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=2)
    packed(clip, tmp_path / "a.upv", precision="bf16")
    job = DecompressJob(source=str(tmp_path / "a.upv"), output=str(tmp_path / "b.mkv"))

    done = decompress(job, backend=OlderCodecs())

    assert (done.precision, done.exact) == ("f32", False)
    assert [text.partition(":")[0] for text in done.notices] == ["made in bf16 and decoded in f32"]


def test_codecs_run_on_some_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def info(device: str, engine: str, *precisions: str) -> DeviceInfo:
        return DeviceInfo(device=device, engine=engine, name="", precisions=precisions, reason="")

    there = (
        info("cpu", "openvino", "bf16", "f32", "int8"),
        info("gpu", "openvino", "f16", "f32"),
        info("cuda", "onnxruntime", "f32"),
    )
    for place in ("pipeline.coding", "inference.graphs"):
        monkeypatch.setattr(f"upreel.{place}.available_devices", lambda: there)

    assert DefaultCodecs().precisions("cpu") == ("bf16", "f32")
    assert DefaultCodecs().precisions("cuda") == ("f32",)
    lacking = "codecs do not run on device 'gpu' here; there are: cpu, cuda"
    with pytest.raises(BackendUnavailableError, match=lacking):
        DefaultCodecs().arithmetic("gpu", "f32")
    with pytest.raises(BackendUnavailableError, match="no device 'directml' here; there are: cpu,"):
        DefaultCodecs().precisions("directml")


def test_one_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=1)
    packed(clip, tmp_path / "a.upv", quality=63)
    unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1)
    assert_same_frames(frames_of(clip), frames_of(tmp_path / "b.mkv"))


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [Fraction(n, 90_000) for n in (0, 3001, 9000, 9007, 30_000)]
    clip = write_clip(
        tmp_path / "a.mp4", times=times, time_base=Fraction(1, 90_000), options={"bf": "0"}
    )
    packed(clip, tmp_path / "a.upv", quality=63)
    assert [packet.pts for packet in packets_of(tmp_path / "a.upv")] == [0, 3001, 9000, 9007, 30000]
    unpacked(tmp_path / "a.upv", tmp_path / "b.mp4")
    assert [f.pts * f.time_base for f in frames_of(tmp_path / "b.mp4")] == times
    with pytest.raises(OutputError, match="y4m holds a constant rate only"):
        unpacked(tmp_path / "a.upv", tmp_path / "b.y4m")
    assert not list(tmp_path.glob("b.y4m*"))


def contents(path: Path) -> list[list[tuple[bytes, Fraction]]]:
    """Packets of each stream but the video: (bytes, seconds)."""
    with av.open(str(path)) as container:
        film = container.streams.video[0].index
        kept = [s.index for s in container.streams if s.index != film and s.type != "attachment"]
        found: dict[int, list[tuple[bytes, Fraction]]] = {index: [] for index in kept}
        for packet in container.demux([container.streams[index] for index in kept]):
            if packet.size:
                time = (packet.pts or 0) * Fraction(packet.time_base)
                found[packet.stream.index].append((bytes(packet), time))
    return [found[index] for index in kept]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(
        tmp_path_factory.mktemp("film") / "film.mkv",
        count=20,
        codec="libx265",
        pix_fmt="yuv420p10le",
        colour=HDR10,
        hdr=True,
        sar=Fraction(16, 15),
        audio=[AudioTrack(), AudioTrack(codec="flac", language="deu")],
        subtitles=[SubtitleTrack()],
        attachments=[Attachment()],
        chapters=["one", "two"],
        metadata={"title": "A film"},
        cover=True,
    )


def test_what_stands_beside_the_video_comes_back(film: Path, tmp_path: Path) -> None:
    packed(film, tmp_path / "a.upv", quality=63)
    done = unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", encoder="x265")

    before, after = probe(film), probe(tmp_path / "b.mkv")
    assert done.notices == ()
    assert [s.kind for s in after.streams] == [s.kind for s in before.streams]
    assert [s.language for s in after.streams] == [s.language for s in before.streams]
    assert contents(tmp_path / "b.mkv") == contents(film)
    assert after.colour == before.colour
    assert after.sample_aspect_ratio == before.sample_aspect_ratio == Fraction(16, 15)
    assert [title for *_, title in after.chapters] == ["one", "two"]
    assert after.chapters == before.chapters
    assert after.metadata["title"] == "A film"
    assert after.hdr is not None
    assert (after.hdr.mastering, after.hdr.max_cll) == (MASTERING, MAX_CLL)


def test_packets_stand_in_the_order_in_which_they_are_due(film: Path, tmp_path: Path) -> None:
    packed(film, tmp_path / "a.upv")
    with UpvFile(tmp_path / "a.upv") as file:
        bases = [file.header.time_base, *(s.time_base for s in file.header.others.streams)]
        due = [
            (e.packet.pts if e.packet.dts is None else e.packet.dts) * bases[e.packet.stream]
            for e in file.read()
            if isinstance(e, Placed)
        ]
    assert len(due) > 40
    assert due == sorted(due)


def test_sound_and_subtitles_can_be_left_out(film: Path, tmp_path: Path) -> None:
    packed(film, tmp_path / "a.upv", audio=False, subtitles=False)
    assert packets_of(tmp_path / "a.upv", video=False) == []


def test_rotation_is_kept(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", rotation=90)
    packed(clip, tmp_path / "a.upv")
    unpacked(tmp_path / "a.upv", tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").rotation == probe(clip).rotation == 90


def test_a_stretch_begins_where_the_source_does(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mkv", count=50, codec="ffv1", audio=[AudioTrack(seconds=Fraction(2))],
        chapters=["one", "two"],
        subtitles=[SubtitleTrack(lines=((Fraction(1, 5), Fraction(1), "on"),))],
    )  # fmt: skip
    done = packed(clip, tmp_path / "a.upv", quality=63, start=Fraction(3, 5), end=Fraction(7, 5))
    unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1)
    wanted = [replace(f, pts=f.pts - 600) for f in frames_of(clip)[15:35]]
    assert done.frames == 20
    assert_same_frames(wanted, frames_of(tmp_path / "b.mkv"))
    sound, text = contents(tmp_path / "b.mkv")
    assert text == [(b"on", Fraction(0))]
    all_sound, _ = contents(clip)
    later = [(data, time - Fraction(3, 5)) for data, time in all_sound if time >= Fraction(3, 5)]
    assert sound == later[: len(sound)]
    assert Fraction(7, 10) < sound[-1][1] < Fraction(4, 5)
    with UpvFile(tmp_path / "a.upv") as file:
        assert [start for start, *_ in file.header.chapters] == [Fraction(0), Fraction(2, 5)]
    chapters = probe(tmp_path / "b.mkv").chapters
    assert [(start, end) for start, end, _ in chapters] == [
        (Fraction(0), Fraction(2, 5)),
        (Fraction(2, 5), Fraction(4, 5)),
    ]


def test_equal_frames_are_repetitions(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [draw_planes(5)] * 60)
    done = packed(clip, tmp_path / "a.upv")
    kinds = [packet.type for packet in packets_of(tmp_path / "a.upv")]
    assert kinds == [PacketType.VIDEO_KEY] + [PacketType.REPEAT] * 59
    assert (done.keyframes, done.repeated_frames) == (1, 59)
    first = len(packets_of(tmp_path / "a.upv")[0].payload)
    assert done.video_bytes < first + 30 + 59 * 16
    assert unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1).frames == 60


def test_a_scene_begins_with_a_frame_alone(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n % 7, n // 7) for n in range(21)])
    packed(clip, tmp_path / "a.upv")
    kinds = [packet.type is PacketType.VIDEO_KEY for packet in packets_of(tmp_path / "a.upv")]
    assert [n for n, key in enumerate(kinds) if key] == [0, 7, 14]


def test_a_flash_makes_one_keyframe_at_most(tmp_path: Path) -> None:
    scenes = [0] * 10 + [1] * 2 + [0] * 3 + [2] * 8
    clip = still_pictures(tmp_path / "a.mkv", [moving(n, scene) for n, scene in enumerate(scenes)])
    packed(clip, tmp_path / "a.upv", quality=63)
    kinds = [packet.type is PacketType.VIDEO_KEY for packet in packets_of(tmp_path / "a.upv")]
    assert [n for n, key in enumerate(kinds) if key] == [0, 10, 15]
    unpacked(tmp_path / "a.upv", tmp_path / "b.mkv", **FFV1)
    assert_same_frames(frames_of(clip), frames_of(tmp_path / "b.mkv"))


def test_keyframes_are_as_far_apart_as_asked_for(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(27)])
    packed(clip, tmp_path / "a.upv", keyint=6)
    found = packets_of(tmp_path / "a.upv")
    assert [n for n, p in enumerate(found) if p.type is PacketType.VIDEO_KEY] == [0, 6, 12, 18, 24]


def test_keyframes_are_ten_seconds_apart_at_most(tmp_path: Path) -> None:
    pictures = [moving(n // 2) for n in range(10)]
    clip = still_pictures(tmp_path / "a.mkv", pictures, step=Fraction(3))
    packed(clip, tmp_path / "a.upv")
    kinds = [packet.type is PacketType.VIDEO_KEY for packet in packets_of(tmp_path / "a.upv")]
    assert [n for n, key in enumerate(kinds) if key] == [0, 4, 8]
    packed(clip, tmp_path / "b.upv", keyint=250)
    assert sum(p.type is PacketType.VIDEO_KEY for p in packets_of(tmp_path / "b.upv")) == 1


class LawCodec:
    """Codes whose lengths are twice as much every 9 steps of quality, 6 times as much alone."""

    def __init__(self, share: float) -> None:
        self.share = share

    def send(self, planes: tuple[Plane, ...], quality: int, before: object) -> tuple[bytes, object]:
        detail = 1 + float(planes[0].std()) / 64  # scenes and frames differ
        alone = 6 if before is None else 1
        return b"x" * int(self.share * detail * alone * 2 ** (quality / 9)), planes

    def receive(self, code: bytes, quality: int, before: object) -> object:
        raise AssertionError("what is only sent is not received")

    def planes(self, state: object) -> tuple[Plane, ...]:
        raise AssertionError("what is only sent is not received")


@pytest.mark.parametrize("bitrate", [100_000, 400_000])
def test_a_bitrate_is_kept(bitrate: int, tmp_path: Path) -> None:
    pictures = [moving(n % 25 - (n % 25) // 5, n // 25) for n in range(150)]  # some twice
    clip = still_pictures(tmp_path / "a.mkv", pictures)
    backend = StandInCodecs(codec=lambda _height, _width: LawCodec(20))
    job = CompressJob(
        source=str(clip), output=str(tmp_path / "a.upv"), codec="any", bitrate=bitrate
    )
    done = compress(job, backend=backend)
    assert done.keyframes == 6
    assert done.repeated_frames > 10
    assert 0.95 < done.bitrate / bitrate < 1.05
    assert done.bitrate == 8 * done.video_bytes / 6
    assert done.notices == ()
    assert 5 < done.quality < 58


def test_a_bitrate_that_is_missed_is_told(tmp_path: Path) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(20)])
    backend = StandInCodecs(codec=lambda _height, _width: LawCodec(2))
    job = CompressJob(source=str(clip), output=str(tmp_path / "a.upv"), codec="any", bitrate=10**7)
    done = compress(job, backend=backend)
    assert done.quality > 60
    assert done.notices == (f"the video takes {done.bitrate / 1000:.0f} kbit/s instead of 10000",)


@pytest.mark.parametrize(("keyint", "told"), [(7, 7), (None, 250)])
def test_the_rate_control_is_told_the_interval(
    keyint: int | None, told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    class Told(RateControl):
        def __init__(self, bitrate: int, **options: object) -> None:
            given.append(options["keyframe_interval"])
            super().__init__(bitrate, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(compression, "RateControl", Told)
    clip = write_clip(tmp_path / "a.mkv", count=3)
    packed(clip, tmp_path / "a.upv", bitrate=300_000, keyint=keyint)
    assert given == [told]


def test_a_source_that_ends_early_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = still_pictures(tmp_path / "a.mkv", [moving(n) for n in range(9)])
    read = compression.read_frames

    def fewer(info: SourceInfo, **options: object) -> Iterator[Frame]:
        return (frame for frame in read(info, **options) if frame.index < 6)

    def stop(progress: Progress) -> None:
        if progress.stage == "join":
            raise KeyboardInterrupt

    monkeypatch.setattr(compression, "read_frames", fewer)
    job = CompressJob(source=str(clip), output=str(tmp_path / "a.upv"), codec="stand-in")
    with pytest.raises(KeyboardInterrupt):
        compress(job, stop, backend=StandInCodecs())

    backend = StandInCodecs()
    done = compress(job, backend=backend)

    assert backend.opened == []
    assert (done.frames, done.resumed_frames) == (6, 6)
    assert "3 frames at the end cannot be decoded" in done.notices


def test_progress_is_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv")
    told: list[Progress] = []
    job = CompressJob(source=str(clip), output=str(tmp_path / "a.upv"), codec="stand-in")
    compress(job, told.append, backend=StandInCodecs())
    assert [(p.stage, p.done) for p in told if p.stage == "compress"] == [
        ("compress", n) for n in range(1, 9)
    ]
    assert {p.stage for p in told} == {"scan", "compress", "join"}
    assert {p.total for p in told if p.stage != "scan"} == {8}
    told.clear()
    back = DecompressJob(
        source=str(tmp_path / "a.upv"), output=str(tmp_path / "b.mkv"), codec="stand-in"
    )
    decompress(back, told.append, backend=StandInCodecs())
    assert [p.done for p in told if p.stage == "decompress"] == list(range(1, 9))


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    clip, target = write_clip(tmp_path / "a.mkv"), tmp_path / "a.upv"
    other = write_clip(tmp_path / "b.mkv", codec="ffv1", pix_fmt="yuv444p")
    with pytest.raises(
        InputError, match=r"is yuv444p, and the codec takes 4:2:0 .*-pix_fmt yuv420p"
    ):
        packed(other, target)
    with pytest.raises(OptionError, match=r"compress writes \.upv files, got .*a\.mp4"):
        packed(clip, tmp_path / "a.mp4")
    with pytest.raises(OptionError, match="instead of standard input"):
        packed(Path("-"), target)
    with pytest.raises(OptionError, match="either a quality or a bitrate"):
        packed(clip, target, quality=3, bitrate=100_000)
    with pytest.raises(OptionError, match="do not even hold the packets' heads of 8 frames"):
        packed(clip, target, bitrate=100)
    with pytest.raises(OptionError, match="no frame from start to end"):
        packed(clip, target, start=Fraction(9))
    with pytest.raises(OptionError, match="no codec is bundled yet"):
        compress(CompressJob(source=str(clip), output=str(target)), backend=StandInCodecs())
    assert not target.exists()
    assert not list(tmp_path.glob(".*"))
    packed(clip, target)
    with pytest.raises(ExistsError, match=r"a\.upv exists; --overwrite replaces it"):
        packed(clip, target)
    packed(clip, target, overwrite=True)
    unpacked(target, tmp_path / "c.mkv")
    with pytest.raises(ExistsError, match=r"c\.mkv exists; --overwrite replaces it"):
        unpacked(target, tmp_path / "c.mkv")
    with pytest.raises(OptionError, match="y4m holds samples as they are"):
        unpacked(target, tmp_path / "c.y4m", crf=3)
    with pytest.raises(OutputError, match="avi"):
        unpacked(target, tmp_path / "c.avi")


def test_another_codec_is_refused_by_name(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv")
    packed(clip, tmp_path / "a.upv")
    job = DecompressJob(source=str(tmp_path / "a.upv"), output=str(tmp_path / "b.mkv"))
    with pytest.raises(ModelError, match=r"made by codec 'stand-in' .*, not by 'other' \(SHA-256"):
        decompress(replace(job, codec="other"), backend=StandInCodecs())
    decompress(job, backend=StandInCodecs())  # by the name that the file holds


def test_an_upv_file_is_made_into_another(film: Path, tmp_path: Path) -> None:
    first, second, plain = (tmp_path / f"{name}.upv" for name in "abc")
    packed(film, first, quality=63, keyint=4)
    packed(first, second, quality=31, keyint=10)
    packed(film, plain, quality=31, keyint=10)
    assert packets_of(second) == packets_of(plain)
    with UpvFile(second) as one, UpvFile(plain) as two:
        assert replace(one.header, others=two.header.others) == two.header
        assert one.header.others.video_place == two.header.others.video_place
    others = [
        [(p.stream, p.payload, p.pts, p.dts, p.duration) for p in packets_of(path, video=False)]
        for path in (second, plain)
    ]
    assert others[0] == others[1]
    streams = [
        [
            (s.index, s.kind, s.codec, s.language, s.disposition)
            for s in UpvSource(path, backend=StandInCodecs()).info.streams
        ]
        for path in (second, plain)
    ]
    assert streams[0] == streams[1]
    bare = packed(first, tmp_path / "d.upv", audio=False, start=Fraction(1, 5))
    assert bare.frames == 15
    kept = UpvSource(tmp_path / "d.upv", backend=StandInCodecs()).info.streams
    assert {stream.kind for stream in kept} == {"video", "subtitle", "attachment"}


def test_a_source_of_another_codec_takes_its_card(tmp_path: Path) -> None:
    clip, source, target = write_clip(tmp_path / "a.mkv"), tmp_path / "a.upv", tmp_path / "b.upv"
    made = CompressJob(source=str(clip), output=str(source), codec="other")
    compress(made, backend=StandInCodecs())
    job = CompressJob(source=str(source), output=str(target), codec="stand-in")
    with pytest.raises(ModelError, match=r"made by codec 'other' .*, not by 'third' \(SHA-256"):
        compress(replace(job, upv_codec="third"), backend=StandInCodecs())
    damaged = bytearray(source.read_bytes())
    with UpvFile(source) as file:
        frames = [e for e in file.read() if isinstance(e, Placed) and e.packet.type.is_video]
    damaged[frames[-1].offset + len(pack_packet(frames[-1].packet)) - 1] ^= 1
    source.write_bytes(damaged)
    done = compress(replace(job, upv_codec="other"), backend=StandInCodecs())
    assert done.damaged_frames == 1
    assert list(done.notices) == [
        "1 frame from 0:00:00.280 on cannot be decoded: the one before is shown"
    ]
    with UpvFile(target) as file:
        assert file.header.model.name == "stand-in"
