"""Sound, subtitles and attachments through an .upv file and out again, packet by packet."""

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Stream
from clips import Attachment, AudioTrack, SubtitleTrack, write_clip
from upv_streams import PLAIN

from upreel.codec.file import UpvFile
from upreel.codec.header import Header
from upreel.codec.others import carried_packet, packet_of
from upreel.codec.packet import Packet, PacketType
from upreel.codec.parser import Placed
from upreel.codec.writer import Writer
from upreel.errors import BitstreamError, DamagedError
from upreel.video.captions import caption_text
from upreel.video.carry import (
    MAX_TEMPLATE,
    CarriedPacket,
    CarriedStream,
    CarriedStreams,
    aac_config,
    adts_size,
    carried_packets,
    carry,
)
from upreel.video.containers import output_kind
from upreel.video.probe import probe
from upreel.video.restore import Restored

SOUNDS = [
    AudioTrack(codec="aac", language="eng", title="Original", disposition=1),
    AudioTrack(codec="libopus", start=Fraction(1, 8), language="deu"),
    AudioTrack(codec="flac"),
    AudioTrack(codec="libmp3lame"),
    AudioTrack(codec="ac3"),
]
TEXTS = [SubtitleTrack(), SubtitleTrack(codec="ass", language="deu", title="Titel")]
Content = list[tuple[bytes, Fraction]]


def compress(source: Path, target: Path) -> tuple[Header, list[str]]:
    """An .upv file with a keyframe and all that the source holds besides its video."""
    info = probe(source)
    carriage = carry(info)
    header = replace(PLAIN, others=carriage.streams)
    with target.open("wb") as file:
        writer = Writer(file, header)
        writer.write(Packet(type=PacketType.VIDEO_KEY, payload=b"x"))
        for _, record in carried_packets(info, carriage):
            writer.write(packet_of(record))
        writer.finish()
    return header, list(carriage.notices)


def decompress(source: Path, target: Path) -> list[str]:
    """A file of the other streams alone, around a video stream that stands for the decoded one."""
    kind = output_kind(target.suffix)
    options = {"fflags": "+bitexact", "strict": "experimental"}
    with (
        UpvFile(source) as file,
        Restored(file.header.others, kind) as others,
        av.open(str(target), "w", format=kind.muxer, options=options) as output,
    ):
        others.add_before(output)
        video = output.add_stream("mpeg4" if kind.muxer != "webm" else "libvpx-vp9", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        others.add_after(output)
        output.start_encoding()
        others.start(output)
        for event in file.read():
            assert isinstance(event, Placed)
            if event.packet.type is PacketType.OTHER:
                others.write(output, carried_packet(event.packet))
        output.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(video.encode(None))
        return others.notices


def is_film(stream: Stream) -> bool:
    return stream.type == "video" and not stream.disposition & av.stream.Disposition.attached_pic


def contents(path: Path) -> dict[int, Content]:
    """Of each stream but the video, in the file's order, its packets: (bytes, time in seconds)."""
    with av.open(str(path)) as container:
        found: dict[int, Content] = {s.index: [] for s in container.streams if not is_film(s)}
        for packet in container.demux([container.streams[index] for index in found]):
            if packet.size:
                base = Fraction(packet.time_base)
                found[packet.stream.index].append((bytes(packet), (packet.pts or 0) * base))
    return found


def described(path: Path) -> list[tuple[object, ...]]:
    """What a file says of its streams, the video left out."""
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                getattr(stream.codec_context, "name", None),
                getattr(stream.codec_context, "sample_rate", None),
                getattr(getattr(stream.codec_context, "layout", None), "nb_channels", None),
                getattr(stream.codec_context, "extradata", None),
                {key: stream.metadata.get(key) for key in ("language", "title", "filename")},
                int(stream.disposition),
            )
            for stream in container.streams
            if not is_film(stream)
        ]  # fmt: skip


def assert_same(source: Sequence[Content], output: Sequence[Content], tick: Fraction) -> None:
    assert [len(packets) for packets in output] == [len(packets) for packets in source]
    assert all(source)
    for before, after in zip(source, output, strict=True):
        assert [data for data, _ in after] == [data for data, _ in before]
        for (_, was), (_, is_) in zip(before, after, strict=True):
            assert abs(was - is_) <= tick / 2


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(
        tmp_path_factory.mktemp("film") / "film.mkv",
        audio=SOUNDS,
        subtitles=TEXTS,
        attachments=[Attachment()],
        cover=True,
    )


def test_matroska_comes_back_whole(film: Path, tmp_path: Path) -> None:
    _, notices = compress(film, tmp_path / "a.upv")

    assert decompress(tmp_path / "a.upv", tmp_path / "b.mkv") == notices == []

    source, output = contents(film), contents(tmp_path / "b.mkv")
    kinds = [kind for kind, *_ in described(film)]
    assert kinds.count("audio") == 5
    assert kinds.count("subtitle") == 2
    assert kinds.count("attachment") == kinds.count("video") == 1  # a font and the cover
    assert described(tmp_path / "b.mkv") == described(film)
    with_packets = [index for index, packets in source.items() if packets]
    assert len(with_packets) == 8  # all but the font
    assert_same(
        [source[index] for index in with_packets],
        [output[index] for index in with_packets],
        Fraction(1, 1000),
    )


def test_mp4_comes_back_with_exact_times(tmp_path: Path) -> None:
    sounds = [SOUNDS[0], SOUNDS[1], SOUNDS[3], SOUNDS[4]]
    texts = [SubtitleTrack(codec="mov_text")]
    film = write_clip(tmp_path / "film.mp4", audio=sounds, subtitles=texts, cover=True)

    _, notices = compress(film, tmp_path / "a.upv")
    decompress(tmp_path / "a.upv", tmp_path / "b.mp4")

    assert notices == ["subtitle stream 5 (fra) mov_text becomes SubRip: words and times are kept"]
    source, output = contents(film), contents(tmp_path / "b.mp4")
    words = [
        [(caption_text("mov_text", data), time) for data, time in of[5] if len(data) > 2]
        for of in (source, output)
    ]
    assert words[0] == words[1] != []
    sound = [1, 2, 3, 4]
    assert_same([source[n] for n in sound], [output[n] for n in sound], Fraction(1, 48_000))
    kept, had = described(tmp_path / "b.mp4"), described(film)
    assert [stream[:4] for stream in kept] == [stream[:4] for stream in had]
    covers = [
        [data for packets in of.values() for data, _ in packets if data.startswith(b"\x89PNG")]
        for of in (source, output)
    ]
    assert covers[0] == covers[1] != []


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_aac_of_transport_streams_loses_its_headers(tmp_path: Path, ending: str) -> None:
    film = write_clip(tmp_path / "film.ts", audio=[AudioTrack(codec="aac")])

    compress(film, tmp_path / "a.upv")
    decompress(tmp_path / "a.upv", tmp_path / f"b{ending}")

    (before,), (after,) = contents(film).values(), contents(tmp_path / f"b{ending}").values()
    assert [data[adts_size(data) :] for data, _ in before] == [data for data, _ in after]
    assert {adts_size(data) for data, _ in before} == {7}
    ((*_, config, _, _),) = described(tmp_path / f"b{ending}")
    assert bytes(config)[:2].hex() == "1190"  # LC, 48 kHz, stereo
    with av.open(str(tmp_path / f"b{ending}")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 24_000


def test_what_matroska_cannot_describe_is_left_out_by_name(tmp_path: Path) -> None:
    """H.264 of MPEG-TS repeats its parameters in another form; Matroska's packets differ."""
    film = write_clip(tmp_path / "film.ts", audio=[SOUNDS[4]], extra_video=1)

    header, notices = compress(film, tmp_path / "a.upv")

    assert notices == [".upv cannot hold video stream 1 h264: it is left out"]
    assert len(header.others.streams) == 1


def test_a_further_video_stream_is_carried(tmp_path: Path) -> None:
    film = write_clip(
        tmp_path / "film.mp4", extra_video=1, options={"bf": "2"}, rate=Fraction(30_000, 1001)
    )

    compress(film, tmp_path / "a.upv")
    decompress(tmp_path / "a.upv", tmp_path / "b.mp4")

    with av.open(str(film)) as one, av.open(str(tmp_path / "b.mp4")) as other:
        before = [(bytes(p), p.pts * p.time_base, p.dts * p.time_base, p.is_keyframe)
                  for p in one.demux(video=1) if p.size]  # fmt: skip
        after = [(bytes(p), p.pts * p.time_base, p.dts * p.time_base, p.is_keyframe)
                 for p in other.demux(video=1) if p.size]  # fmt: skip
    assert any(pts != dts for _, pts, dts, _ in before)
    assert [packet[0] for packet in after] == [packet[0] for packet in before]
    moved = {b[1] - a[1] for b, a in zip(before, after, strict=True)}
    assert len(moved) == 1
    assert {b[2] - a[2] for b, a in zip(before, after, strict=True)} == moved
    assert [packet[3] for packet in after] == [packet[3] for packet in before]


def test_streams_that_the_output_cannot_hold_are_named(film: Path, tmp_path: Path) -> None:
    compress(film, tmp_path / "a.upv")

    notices = decompress(tmp_path / "a.upv", tmp_path / "b.webm")

    assert ".webm cannot hold audio stream 0 aac: it is left out" in notices
    assert [kind[1] for kind in described(tmp_path / "b.webm")] == ["opus"]


def test_templates_are_the_same_each_time(film: Path) -> None:
    one, other = carry(probe(film)), carry(probe(film))

    assert one == other
    assert len(one.streams.template) < 3000


def test_attached_files_that_are_too_large_are_left_out_by_name(tmp_path: Path) -> None:
    font = Attachment(name="large.ttf", data=bytes(MAX_TEMPLATE))
    film = write_clip(tmp_path / "film.mkv", audio=SOUNDS[:1], attachments=[font])

    header, notices = compress(film, tmp_path / "a.upv")

    assert notices == [".upv cannot hold attachment stream 2 large.ttf: it is left out"]
    assert len(header.others.template) < 3000


def test_sound_and_subtitles_can_be_left_out(film: Path) -> None:
    info = probe(film)

    assert len(carry(info, audio=False).streams.streams) == 2
    assert len(carry(info, subtitles=False).streams.streams) == 5


def test_a_source_without_other_streams_has_no_template(tmp_path: Path) -> None:
    carriage = carry(probe(write_clip(tmp_path / "film.mp4")))

    assert carriage.streams == CarriedStreams()
    with (
        Restored(carriage.streams, output_kind(".mp4")) as others,
        av.open(io.BytesIO(), "w", format="mp4") as output,
    ):
        others.add_before(output)
        others.add_after(output)
        assert not output.streams


@pytest.mark.parametrize("template", [b"x" * 100, b"\x1aE\xdf\xa3"])
def test_a_damaged_template_is_refused(template: bytes) -> None:
    with pytest.raises(BitstreamError, match="template of the other streams is damaged"):
        Restored(CarriedStreams(template=template), output_kind(".mkv")).__enter__()


def test_a_template_that_lacks_a_stream_is_refused(film: Path) -> None:
    carried = carry(probe(film)).streams
    more = (*carried.streams, CarriedStream(template_index=99, time_base=Fraction(1)))

    with pytest.raises(BitstreamError, match="lacks some of them"):
        Restored(replace(carried, streams=more), output_kind(".mkv")).__enter__()


def test_packets_of_streams_that_are_not_described_are_refused(film: Path) -> None:
    carried = carry(probe(film)).streams
    packet = CarriedPacket(stream=8, data=b"x", pts=0, dts=0)
    with (
        Restored(carried, output_kind(".mkv")) as others,
        av.open(io.BytesIO(), "w", format="matroska") as output,
        pytest.raises(BitstreamError, match="no stream 8 is described"),
    ):
        others.write(output, packet)


def test_a_source_that_breaks_off_gives_what_it_has(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    info = probe(broken)
    given = 0

    try:
        for _ in carried_packets(info, carry(info)):
            given += 1
    except DamagedError:
        pass

    assert given > 10


@pytest.mark.parametrize("packet", ["", "fff14c", "00" * 9, "fff14c00013ffc", "fff17c80013ffc"])
def test_packets_without_a_usable_header_describe_nothing(packet: str) -> None:
    assert aac_config(bytes.fromhex(packet)) == b""
