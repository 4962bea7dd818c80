"""Text subtitles between Matroska and MP4: the same words at the same times."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import SubtitleTrack, write_clip
from doubling import double

from upreel.video.captions import caption_text, rewritten_packet
from upreel.video.join import container_losses
from upreel.video.probe import probe
from upreel.video.verify import verify

LINES = [
    (Fraction(1, 10), Fraction(2, 10), "<i>Grüße</i>,\nzwei Zeilen"),
    (Fraction(2, 10), Fraction(25, 100), "{\\an8}oben"),
]
PLAIN = ["Grüße,\nzwei Zeilen", "oben"]


def captions(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """Start, duration and words of all that says something."""
    found: list[tuple[Fraction, Fraction, str]] = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        codec = stream.codec_context.codec.canonical_name
        for packet in container.demux(stream):
            words = caption_text(codec, bytes(packet)) if packet.size else ""
            if words:
                base = packet.time_base
                found.append((packet.pts * base, packet.duration * base, words))
    return found


@pytest.mark.parametrize(
    ("source_ending", "codec", "ending", "new"),
    [
        ("mkv", "subrip", "mp4", "mov_text"),
        ("mkv", "subrip", "mov", "mov_text"),
        ("mp4", "mov_text", "mkv", "subrip"),
    ],
)
def test_words_and_times_go_over(
    tmp_path: Path, source_ending: str, codec: str, ending: str, new: str
) -> None:
    lines = LINES if codec == "subrip" else [
        (start, end, words) for (start, end, _), words in zip(LINES, PLAIN, strict=True)
    ]  # fmt: skip
    source = write_clip(
        tmp_path / f"in.{source_ending}",
        subtitles=[SubtitleTrack(codec=codec, lines=lines, language="fra")],
    )
    out = tmp_path / f"out.{ending}"

    report = double(source, out)

    assert report.notices == ()
    (stream,) = [s for s in probe(out).streams if s.kind == "subtitle"]
    assert (stream.codec, stream.language) == (new, "fra")
    assert captions(out) == [
        (start, end - start, words) for (start, end, _), words in zip(LINES, PLAIN, strict=True)
    ]
    assert verify(source, out).passed
    (said,) = [line for line in container_losses(probe(source), f".{ending}") if "subtitle" in line]
    assert said == (
        f".{ending} holds subtitle stream 1 (fra) {codec} as {new}: words and times are kept, "
        "styles are not"
    )


def test_an_mp4_says_how_its_captions_look(tmp_path: Path) -> None:
    """Players refuse tx3g without a sample description (3GPP TS 26.245, 5.16)."""
    source = write_clip(tmp_path / "in.mkv", subtitles=[SubtitleTrack()])

    double(source, tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        header = container.streams.subtitles[0].codec_context.extradata or b""
    assert header[30:].startswith(b"\0\0\0\x12ftab\0\1\0\1\x05Arial")


def test_captions_are_copied_where_they_fit(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", subtitles=[SubtitleTrack(lines=LINES)])

    double(source, tmp_path / "out.mkv")

    with av.open(str(tmp_path / "out.mkv")) as container:
        data = [bytes(p) for p in container.demux(subtitles=0) if p.size]
    assert data == [words.encode() for _, _, words in LINES]
    assert container_losses(probe(source), ".mkv") == []


def test_verify_sees_other_words_and_none(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", subtitles=[SubtitleTrack()])
    other = write_clip(
        tmp_path / "other.mp4",
        subtitles=[
            SubtitleTrack(
                codec="mov_text", lines=[(Fraction(0), Fraction(1, 10), "one"),
                                         (Fraction(1, 10), Fraction(2, 10), "too")],
            )
        ],
    )  # fmt: skip

    failed = {check.name for check in verify(source, other).checks if not check.passed}

    assert "subtitle stream 1 (fra) subrip" in failed


def test_other_encodings_boxes_and_empty_captions() -> None:
    utf16 = b"\xfe\xff" + "Hé".encode("utf-16-be")

    assert caption_text("mov_text", len(utf16).to_bytes(2, "big") + utf16) == "Hé"
    assert caption_text("mov_text", b"\0\2Hi\0\0\0\x0cstyl\0\0\0\0") == "Hi"
    assert caption_text("mov_text", b"\0\0") == ""
    assert caption_text("subrip", b"<font color=red>a</font> <b>b</b>\r\n1 < 2\r\n") == "a b\n1 < 2"
    assert caption_text("ass", b"0,0,Default") is None
    assert rewritten_packet("subrip", b"<i></i>") == b""
    assert rewritten_packet("mov_text", b"\0\0") == b""
    long = rewritten_packet("subrip", "é".encode() * 40_000)
    assert int.from_bytes(long[:2], "big") == len(long) - 2 == 0xFFFE
