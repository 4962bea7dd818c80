"""codec_name(): against strings worked out by hand from what encoders were told."""

from pathlib import Path

import av
import pytest
from clips import AudioTrack, write_clip

from upreel.video.codec_names import codec_name
from upreel.video.containers import add_copy
from upreel.video.fragments import FragmentMuxer


def init_of(path: Path, index: int) -> bytes:
    """The init segment of one stream."""
    with av.open(str(path)) as container:
        stream = container.streams[index]
        muxer = FragmentMuxer(90_000)
        packet = next(packet for packet in container.demux(stream) if packet.size)
        packet.pts = packet.dts = 0
        muxer.add(add_copy(muxer.container, stream), [packet])
        return muxer.fragment(0).init


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"options": {"profile": "baseline", "level": "3.1"}}, "avc1.42c01f"),
        ({"options": {"profile": "high", "level": "4.0", "preset": "fast"}}, "avc1.640028"),
        ({"pix_fmt": "yuv422p", "options": {"level": "3.0"}}, "avc1.7a001e"),
        ({"codec": "libx265", "count": 8}, "hev1.1.6.L30.90"),
        ({"codec": "libx265", "count": 8, "pix_fmt": "yuv420p10le"}, "hev1.2.4.L30.90"),
        ({"codec": "libvpx-vp9"}, "vp09.00.10.08"),
        ({"codec": "libsvtav1", "options": {"preset": "12"}}, "av01.0.00M.08"),
        ({"codec": "libsvtav1", "options": {"preset": "12"}, "pix_fmt": "yuv420p10le"},
         "av01.0.00M.10"),
    ],
)  # fmt: skip
def test_video(tmp_path: Path, options: dict[str, object], name: str) -> None:
    clip = write_clip(tmp_path / "a.mp4", **{"count": 3, **options})

    assert codec_name(init_of(clip, 0)) == name


@pytest.mark.parametrize(("codec", "name"), [("aac", "mp4a.40.2"), ("libopus", "opus")])
def test_sound(tmp_path: Path, codec: str, name: str) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=3, audio=[AudioTrack(codec=codec)])

    assert codec_name(init_of(clip, 1)) == name


def test_what_is_not_known_or_cut_short_has_no_name(tmp_path: Path) -> None:
    init = init_of(write_clip(tmp_path / "a.mp4", count=2), 0)

    assert codec_name(b"") == ""
    assert codec_name(init.replace(b"avc1", b"abcd")) == ""
    for stop in range(0, len(init), 7):
        assert codec_name(init[:stop]) in ("", codec_name(init))
    assert codec_name(init.replace(b"avcC", b"free")) == ""
