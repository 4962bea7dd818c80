"""Probing: each property of a file is seen, and files that are no videos are told in one line."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import (
    MASTERING,
    Attachment,
    AudioTrack,
    SubtitleTrack,
    truncate,
    write_clip,
)

from upreel.errors import InputError, ProbeError
from upreel.video.fields import is_pulldown
from upreel.video.frame import Colour
from upreel.video.hdr import hdr_info, mastering_string
from upreel.video.probe import probe


def test_the_plainest_clip(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mp4", width=66, height=50))

    assert (info.width, info.height, info.codec) == (66, 50, "h264")
    assert (info.format.name, info.stored_format) == ("yuv420p", "yuv420p")
    assert (info.rate, info.num_frames) == (Fraction(25), 8)
    assert (info.sample_aspect_ratio, info.rotation) == (0, 0)
    assert (info.interlaced, info.telecine, info.is_sequence) == (False, False, False)
    assert info.hdr is None
    assert info.seekable


def test_all_streams_are_listed_as_they_are(tmp_path: Path) -> None:
    info = probe(
        write_clip(
            tmp_path / "a.mkv",
            audio=[AudioTrack(), AudioTrack(language="deu", title="Kommentar", hertz=880)],
            subtitles=[SubtitleTrack()],
            attachments=[Attachment()],
            chapters=["one", "two"],
            cover=True,
            metadata={"title": "A film"},
        )
    )

    kinds = [(s.kind, s.codec, s.language, s.cover_art) for s in info.streams]
    assert kinds == [
        ("video", "h264", "", False),
        ("audio", "aac", "eng", False),
        ("audio", "aac", "deu", False),
        ("subtitle", "subrip", "fra", False),
        ("video", "png", "", True),
        ("attachment", "", "", False),
    ]
    assert info.streams[2].metadata["title"] == "Kommentar"
    assert [title for _, _, title in info.chapters] == ["one", "two"]
    assert info.chapters[0][:2] == (Fraction(0), Fraction(4, 25))
    assert info.metadata["title"] == "A film"
    assert info.video_index == 0


@pytest.mark.parametrize("location", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_chroma_location_is_read(tmp_path: Path, location: int, codec: str) -> None:
    colour = Colour(chroma_location=location)

    info = probe(write_clip(tmp_path / "a.mp4", count=2, codec=codec, colour=colour))

    assert info.colour.chroma_location == location


@pytest.mark.parametrize(
    "colour",
    [
        Colour(full_range=False, primaries=1, transfer=1, matrix=1, chroma_location=1),
        Colour(full_range=True, primaries=5, transfer=6, matrix=5, chroma_location=2),
        Colour(full_range=False, primaries=9, transfer=18, matrix=9, chroma_location=3),
    ],
)
def test_colour_tags_are_read(tmp_path: Path, colour: Colour) -> None:
    info = probe(write_clip(tmp_path / "a.mp4", count=2, colour=colour))

    assert info.colour == colour


def test_untagged_colours_are_unspecified(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", count=2, codec="ffv1"))

    assert (info.colour.full_range, info.colour.primaries, info.colour.transfer) == (None, 2, 2)


def test_old_full_range_formats_are_full_range(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.avi", count=2, codec="mjpeg", pix_fmt="yuvj420p"))

    assert (info.stored_format, info.format.name) == ("yuvj420p", "yuv420p")
    assert info.colour.full_range is True


@pytest.mark.parametrize("degrees", [90, 180, -90])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_rotation_is_read(tmp_path: Path, degrees: int, ending: str) -> None:
    info = probe(write_clip(tmp_path / f"a.{ending}", count=2, rotation=degrees))

    assert info.rotation % 360 == degrees % 360


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sample_aspect_ratio_is_read(tmp_path: Path, ending: str) -> None:
    info = probe(write_clip(tmp_path / f"a.{ending}", count=2, sar=Fraction(64, 45)))

    assert info.sample_aspect_ratio == Fraction(64, 45)


@pytest.mark.parametrize(
    ("codec", "stored", "planar", "bits"),
    [
        ("libx264", "yuv422p", "yuv422p", 8),
        ("libx264", "yuv444p10le", "yuv444p10le", 10),
        ("libx265", "yuv420p12le", "yuv420p12le", 12),
        ("libx264rgb", "rgb24", "gbrp", 8),
        ("ffv1", "gray16le", "gray16le", 16),
        ("ffv1", "bgra", "gbrap", 8),
        ("ffv1", "gbrp12le", "gbrp12le", 12),
        ("ffv1", "yuva420p", "yuva420p", 8),
    ],
)
def test_depth_and_layout_are_read(
    tmp_path: Path, codec: str, stored: str, planar: str, bits: int
) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", count=2, codec=codec, pix_fmt=stored))

    assert (info.format.name, info.format.bits) == (planar, bits)


def test_hdr10_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=2, codec="libx265", pix_fmt="yuv420p10le", hdr=True)

    info = probe(path)

    assert info.hdr is not None
    assert info.hdr.mastering == MASTERING
    assert (info.hdr.max_cll, info.hdr.max_fall) == (1000, 400)
    assert (info.hdr.hdr10_plus, info.hdr.dolby_vision) == (False, False)
    assert (info.colour.primaries, info.colour.transfer, info.colour.matrix) == (9, 16, 9)


def test_hdr_that_cannot_be_kept_is_seen() -> None:
    plus = hdr_info([{}, {"DYNAMIC_HDR_PLUS": b"x"}], transfer=16)
    vision = hdr_info([{"DOVI_METADATA": b"x"}], transfer=16)
    tagged = hdr_info([{}], transfer=2, codec_tags=["dvh1"])

    assert plus is not None
    assert (plus.hdr10_plus, plus.dolby_vision) == (True, False)
    assert vision is not None
    assert vision.dolby_vision
    assert tagged is not None
    assert tagged.dolby_vision
    assert hdr_info([{}], transfer=1, codec_tags=["avc1"]) is None


def test_mastering_data_without_luminance_is_none() -> None:
    numbers = [n for value in range(1, 11) for n in (value, 50)]
    data = struct.pack("<22i", *numbers, 1, 0)

    assert mastering_string(data) is None
    assert mastering_string(b"") is None


def test_mastering_numbers_are_exact_whatever_their_denominators() -> None:
    values = [Fraction(n, 17) for n in range(1, 11)]
    data = struct.pack("<22i", *[n for v in values for n in v.as_integer_ratio()], 1, 1)

    text = mastering_string(data)

    assert text is not None
    assert text.startswith(f"G({round(values[2] * 50000)},{round(values[3] * 50000)})B(")
    assert text.endswith(f"L({round(values[9] * 10000)},{round(values[8] * 10000)})")


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize(
    ("ending", "codec"), [("mp4", "libx264"), ("ts", "libx264"), ("mpg", "mpeg2video")]
)
def test_interlacing_is_seen_by_its_flags(
    tmp_path: Path, ending: str, codec: str, top_first: bool
) -> None:
    path = write_clip(
        tmp_path / f"a.{ending}", count=4, codec=codec, interlaced=True, top_first=top_first
    )

    info = probe(path)

    assert (info.interlaced, info.top_field_first) == (True, top_first)


@pytest.mark.parametrize("top_first", [True, False])
def test_interlacing_without_flags_is_only_told(tmp_path: Path, top_first: bool) -> None:
    path = write_clip(
        tmp_path / "a.mkv", count=16, interlaced=True, top_first=top_first, flagged=False
    )
    with av.open(str(path)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))

    info = probe(path)

    assert (info.interlaced, info.flagged_interlaced, info.looks_interlaced) == (False, False, True)
    assert info.top_field_first == top_first


def test_progressive_pictures_in_flagged_frames_are_left_alone(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.ts", count=40, interlaced=True, woven=False))

    assert (info.interlaced, info.flagged_interlaced, info.looks_interlaced) == (False, True, False)


def test_a_flagged_video_that_begins_progressive_is_looked_at_further_on(tmp_path: Path) -> None:
    """A broadcast that begins with a film title and goes on with live pictures."""
    parts = [
        write_clip(
            tmp_path / f"{n}.h264", count=30, interlaced=True, woven=woven, options={"bf": "0"}
        )
        for n, woven in enumerate([False, False, True])
    ]
    raw = tmp_path / "all.h264"
    raw.write_bytes(b"".join(part.read_bytes() for part in parts))
    path = tmp_path / "all.ts"
    with av.open(str(raw)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(p for p in reading.demux(video=0) if p.size):
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            writing.mux(packet)

    info = probe(path)

    assert info.flagged_interlaced
    assert not info.looks_interlaced
    assert info.interlaced


def test_moving_progressive_video_is_not_taken_for_interlaced(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", count=24, codec="ffv1"))

    assert not info.interlaced
    assert not info.telecine


def test_repeat_flags_show_as_three_and_two_fields() -> None:
    film = [3003, 4505, 3003, 4504, 3003, 4505, 3003, 4504]
    times = [sum(film[:n]) for n in range(9)]

    assert is_pulldown(times)
    assert is_pulldown([t + 3003 for t in times[1:]])
    assert not is_pulldown([n * 3003 for n in range(9)])
    assert not is_pulldown([n * n * 100 for n in range(9)])
    assert not is_pulldown(times[:4])
    assert not is_pulldown([0, 3, 5, 8, 10, 13, 15, 19, 21])


def test_soft_telecine_is_seen_in_the_times(tmp_path: Path) -> None:
    steps = [Fraction(3, 60), Fraction(2, 60)] * 5
    times = [sum(steps[:n], Fraction(0)) for n in range(10)]
    path = write_clip(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 60))

    assert probe(path).telecine


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.mp4", b"", r"empty\.mp4 is empty \(0 bytes\)"),
        ("text.mp4", b"Dear diary,\nnot a video.\n" * 40, r"text\.mp4 .*cannot|not a video"),
        ("noise.mkv", bytes(range(256)) * 8, "not a video"),
    ],
)
def test_what_is_no_video_is_told(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(ProbeError, match=message) as caught:
        probe(path)

    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*none\.mp4"):
        probe(tmp_path / "none.mp4")


def test_sound_alone_is_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", audio=[AudioTrack()])
    sound = tmp_path / "sound.m4a"
    with av.open(str(clip)) as reading, av.open(str(sound), "w", format="mp4") as writing:
        stream = writing.add_stream_from_template(reading.streams.audio[0])
        for packet in reading.demux(audio=0):
            if packet.size:
                packet.stream = stream
                writing.mux(packet)

    with pytest.raises(ProbeError, match="no video that can be decoded, only: audio"):
        probe(sound)


def test_a_header_alone_is_told(tmp_path: Path) -> None:
    path = truncate(write_clip(tmp_path / "a.mp4"), keep=Fraction(1, 20))

    with pytest.raises(ProbeError, match="not a video that can be read"):
        probe(path)


def test_tags_in_another_encoding_do_not_stop_the_probe(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", metadata={"title": "Grusswort"})
    path.write_bytes(path.read_bytes().replace(b"Grusswort", b"Gr\xfc\xdfwortX"))

    assert probe(path).metadata["title"].endswith("wortX")
