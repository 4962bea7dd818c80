# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# PyAV is typed in part.
"""Text subtitles in the form that another container takes: SubRip in Matroska, tx3g in MP4.

The words and their times are kept; colours, italics and places are not.
"""

import re
from fractions import Fraction
from typing import Literal

from av.container import OutputContainer
from av.stream import Stream

__all__ = ["add_captions", "caption_text", "rewritten_codec", "rewritten_packet"]

CaptionCodec = Literal["mov_text", "subrip"]

_CODEC_OF: dict[str, tuple[str, CaptionCodec]] = {
    "mp4": ("subrip", "mov_text"),
    "mov": ("subrip", "mov_text"),
    "matroska": ("mov_text", "subrip"),
}
_MARKS = re.compile(r"</?(?:[ibus]|font)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_STYLE = (
    "[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\n"
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, "
    "Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, "
    "Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    "Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
"""FFmpeg's usual look, from which its encoder makes the sample description that MP4 wants."""


def rewritten_codec(stream: Stream, muxer: str) -> CaptionCodec | None:
    """What a subtitle stream becomes in a container; None: it is copied, or does not fit."""
    if stream.type != "subtitle" or muxer not in _CODEC_OF:
        return None
    source, target = _CODEC_OF[muxer]
    context = getattr(stream, "codec_context", None)  # none for a codec that FFmpeg does not know
    return target if context is not None and context.codec.canonical_name == source else None


def add_captions(output: OutputContainer, codec: CaptionCodec) -> Stream:
    """Add a stream for the packets of `rewritten_packet`; its clock ticks in milliseconds."""
    if codec == "subrip":
        stream = output.add_mux_stream("subrip")
    else:
        stream = output.add_stream("mov_text")
        context = stream.codec_context
        context.subtitle_header = _STYLE.encode()
        context.time_base = Fraction(1, 1000)
        context.open()
    stream.time_base = Fraction(1, 1000)
    return stream


def caption_text(codec: str, data: bytes) -> str | None:
    r"""The words of a packet without marks of style; None for other codecs.

    Example:
        >>> caption_text("mov_text", b"\0\2Hi"), caption_text("subrip", b"<i>Hi</i>")
        ('Hi', 'Hi')
    """
    if codec == "mov_text":
        words = data[2 : 2 + int.from_bytes(data[:2], "big")]
        encoding = "utf-16" if words[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8"
        text = words.decode(encoding, "replace")
    elif codec == "subrip":
        text = _MARKS.sub("", data.decode("utf-8", "replace"))
    else:
        return None
    return "\n".join(text.splitlines()).strip("\n\0")


def rewritten_packet(codec: str, data: bytes) -> bytes:
    r"""A packet's words in the other codec; nothing if there are none.

    Example:
        >>> rewritten_packet("subrip", b"Hi"), rewritten_packet("mov_text", b"\0\2Hi")
        (b'\x00\x02Hi', b'Hi')
    """
    text = (caption_text(codec, data) or "").encode()
    if codec == "mov_text" or not text:
        return text
    text = text[:0xFFFF].decode("utf-8", "ignore").encode()
    return len(text).to_bytes(2, "big") + text
