"""What a file has, through the real command with the bundled network, judged by `upreel verify`.

`verify` itself is checked in tests/video/test_verify.py. Encoders lose a little of every
picture, and the network changes it: that nothing else is lost is what is shown here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import Attachment, AudioTrack, SubtitleTrack, frame_times, write_clip
from typer.testing import CliRunner, Result

from upreel.cli import app
from upreel.video.frame import Colour
from upreel.video.info import HdrInfo
from upreel.video.probe import probe

NTSC = Fraction(30_000, 1001)
UNEVEN = [Fraction(n, 30) for n in (0, 1, 3, 7, 8, 9, 40, 41)]
TV = Colour(full_range=False, primaries=6, transfer=6, matrix=6, chroma_location=1)


def upreel(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@dataclass(frozen=True, kw_only=True)
class Row:
    """A property of a source.

    Attributes:
        source: name of the clip.
        clip: what `write_clip` makes it of.
        options: of the command.
        ending: of the output that is the default, "" for the source's.
        notes: words that must be said.
    """

    source: str
    clip: Mapping[str, object] = field(default_factory=dict[str, object])
    options: tuple[str, ...] = ()
    ending: str = ""
    notes: tuple[str, ...] = ()


ROWS = {
    "plain mp4": Row(source="in.mp4"),
    "NTSC rate": Row(source="in.mp4", clip={"rate": NTSC}),
    "NTSC rate in milliseconds": Row(source="in.mkv", clip={"rate": NTSC}),
    "uneven times": Row(source="in.mp4", clip={"times": UNEVEN}),
    "B-frames": Row(source="in.mp4", clip={"count": 20, "options": {"bf": "3", "g": "8"}}),
    "late start": Row(
        source="in.mkv",
        clip={"times": [t + 3 for t in frame_times(6)], "audio": [AudioTrack(start=Fraction(2))]},
    ),
    "video later than sound": Row(
        source="in.mp4",
        clip={"times": [t + Fraction(1001, 30_000) for t in UNEVEN], "audio": [AudioTrack()]},
    ),
    "mov": Row(source="in.mov", clip={"audio": [AudioTrack(codec="pcm_s16le")]}),
    "avi": Row(
        source="in.avi",
        clip={"codec": "mpeg4", "audio": [AudioTrack(codec="libmp3lame")]},
        ending=".mkv",
    ),
    "webm": Row(
        source="in.webm", clip={"codec": "libvpx-vp9", "audio": [AudioTrack(codec="libopus")]}
    ),
    "transport stream": Row(
        source="in.ts", clip={"audio": [AudioTrack(codec="mp2")], "options": {"g": "4"}}
    ),
    "program stream": Row(
        source="in.mpg",
        clip={"codec": "mpeg2video", "audio": [AudioTrack(codec="mp2")], "muxer": "vob"},
        ending=".mkv",
    ),
    "many streams": Row(
        source="in.mkv",
        clip={
            "audio": [
                AudioTrack(),
                AudioTrack(codec="flac", language="deu", title="Kommentar", hertz=300),
            ],
            "subtitles": [SubtitleTrack(), SubtitleTrack(codec="ass", language="jpn")],
            "attachments": [Attachment(), Attachment(name="b.otf", mimetype="font/otf")],
            "chapters": ["One", "Two"],
            "cover": True,
            "metadata": {"title": "A film", "anything": "goes"},
            "extra_video": 1,
        },
        notes=("further video",),
    ),
    "streams of mp4": Row(
        source="in.mp4",
        clip={
            "audio": [AudioTrack(), AudioTrack(language="deu", title="two")],
            "subtitles": [SubtitleTrack(codec="mov_text")],
            "chapters": ["One", "Two"],
            "cover": True,
            "metadata": {"title": "A film", "comment": "short"},
        },
    ),
    "timecode track": Row(source="in.mov", clip={"metadata": {"timecode": "01:00:00:00"}}),
    "rotation and aspect": Row(source="in.mp4", clip={"rotation": 90, "sar": Fraction(16, 11)}),
    "rotation in mkv": Row(source="in.mkv", clip={"rotation": 270, "sar": Fraction(4, 3)}),
    "limited range, BT.601": Row(source="in.mp4", clip={"colour": TV}),
    "full range, BT.709": Row(
        source="in.mkv",
        clip={
            "colour": Colour(full_range=True, primaries=1, transfer=1, matrix=1, chroma_location=2)
        },
    ),
    "top-left chroma": Row(source="in.mkv", clip={"colour": Colour(chroma_location=3)}),
    "10 bit": Row(source="in.mp4", clip={"pix_fmt": "yuv420p10le"}),
    "12 bit": Row(source="in.mp4", clip={"codec": "libx265", "pix_fmt": "yuv420p12le"}),
    "4:2:2": Row(source="in.mp4", clip={"pix_fmt": "yuv422p"}),
    "4:2:2 10 bit": Row(source="in.mov", clip={"pix_fmt": "yuv422p10le"}),
    "4:4:4": Row(source="in.mp4", clip={"pix_fmt": "yuv444p"}),
    "4:4:4 12 bit": Row(source="in.mkv", clip={"codec": "libx265", "pix_fmt": "yuv444p12le"}),
    "grey": Row(source="in.mp4", clip={"pix_fmt": "gray"}),
    "grey 10 bit": Row(source="in.mkv", clip={"codec": "libx265", "pix_fmt": "gray10le"}),
    "RGB": Row(source="in.mkv", clip={"codec": "libx264rgb", "pix_fmt": "rgb24"}),
    "RGB 12 bit": Row(source="in.mkv", clip={"codec": "libx265", "pix_fmt": "gbrp12le"}),
    "RGB with alpha": Row(source="in.mkv", clip={"codec": "ffv1", "pix_fmt": "bgra"}),
    "4:1:1": Row(source="in.mkv", clip={"codec": "ffv1", "pix_fmt": "yuv411p"}),
    "HDR10": Row(
        source="in.mkv",
        clip={"codec": "libx265", "pix_fmt": "yuv420p10le", "hdr": True},
        notes=("HDR (PQ)",),
    ),
    "HDR10 in mp4": Row(
        source="in.mp4", clip={"codec": "libx265", "pix_fmt": "yuv420p10le", "hdr": True}
    ),
    "HLG": Row(
        source="in.mkv",
        clip={
            "pix_fmt": "yuv420p10le",
            "colour": Colour(full_range=False, primaries=9, transfer=18, matrix=9),
        },
        notes=("HDR (HLG)",),
    ),
    "odd size": Row(source="in.mkv", clip={"codec": "ffv1", "width": 65, "height": 49}),
    "odd size, of any size": Row(
        source="in.mkv",
        clip={"codec": "ffv1", "width": 65, "height": 49},
        options=("--size", "97x73"),
    ),
    "one frame": Row(source="in.mp4", clip={"count": 1}),
    "two frames": Row(source="in.mp4", clip={"count": 2, "audio": [AudioTrack()]}),
    "one sample": Row(source="in.mkv", clip={"codec": "ffv1", "width": 1, "height": 1}),
    "two samples": Row(source="in.mkv", clip={"codec": "ffv1", "width": 2, "height": 1}),
    "interlaced": Row(
        source="in.mp4",
        clip={"interlaced": True, "count": 12},
        notes=("note: interlaced, ",),
    ),
    "interlaced, bottom field first": Row(
        source="in.mkv",
        clip={"interlaced": True, "top_first": False, "count": 12, "codec": "mpeg2video"},
        notes=("note: interlaced, ",),
    ),
    "x265": Row(source="in.mp4", options=("-c", "x265", "--preset", "ultrafast")),
    "SVT-AV1": Row(source="in.mkv", options=("-c", "svtav1", "--preset", "12")),
    "VP9": Row(source="in.mkv", options=("-c", "vp9")),
    "ProRes": Row(source="in.mov", clip={"pix_fmt": "yuv422p10le"}, options=("-c", "prores")),
    "FFV1": Row(source="in.mkv", options=("-c", "ffv1")),
}


@pytest.mark.parametrize("name", ROWS)
def test_nothing_but_the_size_changes(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    clip = write_clip(tmp_path / row.source, **row.clip)  # type: ignore[arg-type]

    done = upreel("upscale", clip, *row.options)

    assert done.exit_code == 0, done.output
    (output,) = (path for path in tmp_path.iterdir() if path != clip)
    size = row.options[1] if "--size" in row.options else "x2"
    assert output.name == f"in_{size}{row.ending or clip.suffix}"
    said = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert said == []
    for words in row.notes:
        assert done.stderr.count(words) == 1
    verdict = upreel("verify", clip, output, "--json")
    faults = [check for check in json.loads(verdict.stdout)["checks"] if not check["passed"]]
    assert faults == []
    assert verdict.exit_code == 0


def add_data(source: Path, target: Path) -> Path:
    """Copy a clip and add a stream of data beside sound and picture."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        copies = {s.index: writing.add_stream_from_template(s) for s in reading.streams}
        data = writing.add_data_stream("bin_data")
        data.time_base = Fraction(1, 90_000)
        packets = [packet for packet in reading.demux() if packet.size]
        for packet in packets:
            packet.stream = copies[packet.stream.index]
        begin = min(p.pts * p.time_base for p in packets if p.stream.type == "video")
        for n in range(3):
            packet = av.Packet(b"measured %d" % n)
            packet.stream, packet.time_base = data, data.time_base
            packet.pts = packet.dts = int((begin + Fraction(n, 10)) * 90_000)
            packet.duration = 9_000
            packets.append(packet)
        writing.start_encoding()
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            writing.mux(packet)
    return target


@pytest.mark.parametrize(("ending", "codec"), [(".ts", "mp2"), (".mp4", "aac")])
def test_streams_of_data_are_kept(ending: str, codec: str, tmp_path: Path) -> None:
    plain = write_clip(tmp_path / f"plain{ending}", audio=[AudioTrack(codec=codec)])
    clip = add_data(plain, tmp_path / f"in{ending}")
    assert [stream.kind for stream in probe(clip).streams] == ["video", "audio", "data"]

    assert upreel("upscale", clip).exit_code == 0

    output = tmp_path / f"in_x2{ending}"
    assert [stream.kind for stream in probe(output).streams] == ["video", "audio", "data"]
    verdict = upreel("verify", clip, output)
    assert verdict.exit_code == 0, verdict.stdout
    assert "data" in verdict.stdout


@pytest.mark.parametrize(
    ("hdr", "word"),
    [
        (HdrInfo(hdr10_plus=True), "HDR10+"),
        (HdrInfo(dolby_vision=True), "Dolby Vision"),
    ],
)
def test_dynamic_hdr_is_named_as_lost_before_the_run(
    hdr: HdrInfo, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "in.mkv", codec="libx265", pix_fmt="yuv420p10le", hdr=True)
    monkeypatch.setattr(
        "upreel.pipeline.run.probe_source", lambda job: replace(probe(job.source), hdr=hdr)
    )

    done = upreel("upscale", clip)

    assert done.exit_code == 0
    assert any(word in line for line in done.stderr.splitlines() if line.startswith("note: "))
