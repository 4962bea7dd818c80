# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""Text subtitles of a file as WebVTT: words and times, without styles and places."""

import re
from fractions import Fraction

import av

from upreel.video.captions import caption_text
from upreel.video.foreign import open_stream
from upreel.video.info import SourceInfo

__all__ = ["TEXT_CODECS", "webvtt"]

TEXT_CODECS = ("subrip", "mov_text", "ass", "ssa", "webvtt", "text")
"""FFmpeg's names of the subtitle codecs whose words can be told."""

_TAGS = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^}]*\}")
_MOST_BYTES = 8 << 20


def webvtt(info: SourceInfo, index: int, *, shift: Fraction, hls: bool = False) -> str:
    """All words of one subtitle stream.

    Args:
        info: the source.
        index: of the stream.
        shift: seconds added to every time; cues that then end before 0 are left out.
        hls: whether a header ties its times to those of the segments (RFC 8216, 3.5).
    """
    cues: list[tuple[Fraction, Fraction, str]] = []
    num_bytes = 0
    with open_stream(info, index) as (container, stream):
        codec = stream.codec_context.codec.canonical_name
        try:
            for packet in container.demux(stream):
                if packet.pts is None or not packet.size or num_bytes > _MOST_BYTES:
                    continue
                base = Fraction(packet.time_base)
                text = _escaped(_words(codec, bytes(packet)))
                start = packet.pts * base + shift
                end = start + (packet.duration or 0) * base
                if text and end > 0:
                    num_bytes += len(text)
                    cues.append((max(start, Fraction(0)), end, text))
        except av.FFmpegError:
            pass  # the file breaks off here: what came before are the subtitles
    lines = ["WEBVTT"]
    if hls:
        lines.append("X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0")
    for start, end, text in sorted(cues):
        lines += ["", f"{_clock(start)} --> {_clock(end)}", text]
    return "\n".join([*lines, ""])


def _words(codec: str, data: bytes) -> str:
    if codec in ("ass", "ssa"):  # order, layer, style, name, three margins, effect, text
        fields = data.decode("utf-8", "replace").split(",", 8)
        text = fields[-1] if len(fields) == 9 else ""
        return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    if codec in ("webvtt", "text"):
        return data.decode("utf-8", "replace")
    return caption_text(codec, data) or ""


def _escaped(text: str) -> str:
    r"""Words as a cue's payload: no marks, no empty line, nothing that looks like a time.

    Example:
        >>> _escaped("<i>1 < 2</i>\n\nfish & chips -->")
        '1 &lt; 2\nfish &amp; chips --&gt;'
    """
    plain = _TAGS.sub("", text) if re.search(r"</|\{\\", text) else text
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    rows = (line.strip() for line in plain.replace("\0", "").splitlines())
    return "\n".join(row for row in rows if row)


def _clock(seconds: Fraction) -> str:
    milliseconds = round(seconds * 1000)
    rest, milliseconds = divmod(milliseconds, 1000)
    minutes, rest = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}.{milliseconds:03}"
