"""HLS playlists as text (RFC 8216): pure functions of what a title or a live stream has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from upreel.server.media import Media, Track

__all__ = ["LiveEntry", "live_playlist", "master_playlist", "media_playlist", "text_playlist"]


def master_playlist(media: Media) -> str:
    """All renditions of a title: versions of the video, sounds and subtitles to choose from."""
    version = media.title.version
    sounds, texts = media.of_kind("audio"), media.of_kind("text")
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [_rendition("AUDIO", "sound", track, version) for track in sounds]
    lines += [_rendition("SUBTITLES", "text", track, version) for track in texts]
    peak = max((track.peak_rate for track in sounds), default=0)
    mean = max((track.mean_rate for track in sounds), default=0)
    heard = list(dict.fromkeys(track.codec for track in sounds))
    for track in media.of_kind("video"):
        attributes = [
            f"BANDWIDTH={track.peak_rate + peak}",
            f"AVERAGE-BANDWIDTH={track.mean_rate + mean}",
            f"RESOLUTION={track.width}x{track.height}",
        ]
        if media.info.rate:
            attributes.append(f"FRAME-RATE={float(media.info.rate):.3f}")
        if track.codec:
            attributes.append(f'CODECS="{",".join([track.codec, *heard])}"')
        if sounds:
            attributes.append('AUDIO="sound"')
        if texts:
            attributes.append('SUBTITLES="text"')
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{version}/{track.name}/index.m3u8"]
    return "\n".join([*lines, ""])


def _rendition(kind: str, group: str, track: Track, version: str) -> str:
    yes = "YES" if track.default else "NO"
    attributes = [
        f"TYPE={kind}",
        f'GROUP-ID="{group}"',
        f'NAME="{_quoted(track.label)} ({track.index})"',
        f"DEFAULT={yes}",
        f"AUTOSELECT={yes}",
    ]
    if track.language and track.language != "und":
        attributes.append(f'LANGUAGE="{_quoted(track.language)}"')
    attributes.append(f'URI="{version}/{track.name}/index.m3u8"')
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _quoted(text: str) -> str:
    """Text as a quoted string may hold it: no quote and no end of line."""
    return "".join(c for c in text if c.isprintable() and c != '"')


def media_playlist(durations: Sequence[Fraction]) -> str:
    """All segments of a rendition, each by its number."""
    longest = max(durations, default=Fraction(1))
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{ceil(longest)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for number, seconds in enumerate(durations):
        lines += [f"#EXTINF:{float(seconds):.6f},", f"{number}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def text_playlist(seconds: Fraction) -> str:
    """Subtitles: one segment that is as long as the video."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(ceil(seconds), 1)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXTINF:{float(seconds):.6f},",
        "words.vtt",
        "#EXT-X-ENDLIST",
    ]
    return "\n".join([*lines, ""])


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveEntry:
    """A segment of a live stream.

    Attributes:
        number: counted from the stream's start.
        epoch: counts the connections to the source; times start anew with each.
        seconds: how long it lasts.
    """

    number: int
    epoch: int
    seconds: float


def live_playlist(
    entries: Iterable[LiveEntry],
    *,
    sequence: int,
    longest: int,
    ended: bool,
    discontinuities: int,
) -> str:
    """The last segments of a live stream.

    Args:
        entries: in order.
        sequence: segments that have left the window.
        longest: seconds of any segment so far: players ask again after that time.
        ended: whether no more will come.
        discontinuities: that have left the window.
    """
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{longest}",
        f"#EXT-X-MEDIA-SEQUENCE:{sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    epoch: int | None = None
    for entry in entries:
        if entry.epoch != epoch:
            if epoch is not None:
                lines.append("#EXT-X-DISCONTINUITY")
            lines.append(f'#EXT-X-MAP:URI="init-{entry.epoch}.mp4"')
            epoch = entry.epoch
        lines += [f"#EXTINF:{entry.seconds:.6f},", f"{entry.number}.m4s"]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join([*lines, ""])
