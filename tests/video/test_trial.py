"""Encoders on trial: what is in their files, and the conditions of peers in a comparison.

Mutations tried: B frames left on, lookahead left on, keyframes a frame farther apart or at cuts,
x264's note kept: each fails one of these tests or more.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from upreel.errors import EncoderError, OptionError
from upreel.evaluation.rd import PEERS
from upreel.evaluation.rd_coders import parse_peer, peer_options
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.frame import Frame, Plane
from upreel.video.trial import CodedPacket, code_trial, coded_packets, lacks_encoder

FORMAT = pixel_format("yuv420p")
KEYINT = 7
_B_FRAME = 3  # FFmpeg's picture types: 1 is I, 2 is P


def planes(seed: int, shift: int = 0) -> tuple[Plane, ...]:
    """Blobs that move to the left."""
    coarse = np.random.default_rng(seed).integers(30, 220, (16, 24)).astype(np.uint8)
    luma = np.roll(coarse.repeat(8, 0).repeat(8, 1), -3 * shift, axis=1)
    return luma, luma[::2, ::2] // 4 + 100, 160 - luma[1::2, ::2] // 4


def frames(pictures: Sequence[tuple[Plane, ...]]) -> Iterator[Frame]:
    for n, picture in enumerate(pictures):
        yield Frame(
            planes=picture, format=FORMAT, index=n, pts=n, time_base=Fraction(1, 25), duration=1
        )


MOVING = [planes(1, shift) for shift in range(20)]


def coded(
    path: Path, peer: str, structure: str, pictures: Sequence[tuple[Plane, ...]]
) -> list[CodedPacket]:
    encoder, preset = parse_peer(peer)
    settings = EncoderSettings(
        encoder=encoder,
        format=FORMAT,
        width=192,
        height=128,
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        crf=40 if encoder == "svtav1" else 30,
        preset=preset,
        options=peer_options(encoder, structure, KEYINT),
    )
    assert code_trial(path, frames(pictures), settings) > 0
    return list(coded_packets(path))


def payloads(path: Path) -> list[bytes]:
    """Packets in coded order, read on their own."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def kinds(path: Path) -> list[int]:
    """Types of the pictures as the decoder says."""
    with av.open(str(path)) as container:
        return [int(frame.pict_type) for frame in container.decode(video=0)]


@pytest.mark.parametrize("structure", ["low-delay", "random-access"])
@pytest.mark.parametrize("peer", PEERS)
def test_a_keyframe_stands_every_so_many_frames(peer: str, structure: str, tmp_path: Path) -> None:
    cut = [*MOVING[:11], *(planes(2, shift) for shift in range(11, 20))]  # a scene of its own

    packets = coded(tmp_path / "a.mp4", peer, structure, cut)

    shown = sorted(packet.pts for packet in packets)
    keys = [shown.index(packet.pts) for packet in packets if packet.keyframe]
    assert keys == [0, 7, 14]
    assert len(packets) == len(kinds(tmp_path / "a.mp4")) == 20


@pytest.mark.parametrize("peer", PEERS)
def test_low_delay_has_no_b_frames_and_looks_at_no_later_frame(peer: str, tmp_path: Path) -> None:
    packets = coded(tmp_path / "a.mp4", peer, "low-delay", MOVING)
    coded(tmp_path / "b.mp4", peer, "low-delay", [*MOVING[:12], *(planes(2) for _ in range(8))])

    times = [packet.pts for packet in packets]
    assert times == sorted(times)
    assert _B_FRAME not in kinds(tmp_path / "a.mp4")
    first, second = payloads(tmp_path / "a.mp4"), payloads(tmp_path / "b.mp4")
    assert first[:12] == second[:12]  # what follows has no say in what goes before
    assert first[12] != second[12]


@pytest.mark.parametrize("peer", ["x264:medium", "x265:medium"])
def test_random_access_has_b_frames(peer: str, tmp_path: Path) -> None:
    coded(tmp_path / "a.mp4", peer, "random-access", MOVING)

    assert _B_FRAME in kinds(tmp_path / "a.mp4")


@pytest.mark.parametrize("peer", ["x264:veryfast", "x265:medium", "svtav1:8"])
def test_all_packets_are_counted_and_no_notes_are_among_them(peer: str, tmp_path: Path) -> None:
    packets = coded(tmp_path / "a.mp4", peer, "low-delay", MOVING)

    data = (tmp_path / "a.mp4").read_bytes()
    assert [packet.num_bytes for packet in packets] == [
        len(payload) for payload in payloads(tmp_path / "a.mp4")
    ]
    rest = len(data) - sum(packet.num_bytes for packet in packets)
    assert 500 < rest < 1500  # times, index, parameters
    for note in (b"x264 - core", b"x265 (build", b"keyint="):
        assert note not in data


def test_a_clip_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no frames for"):
        coded(tmp_path / "a.mp4", "x264:medium", "low-delay", [])


def test_an_encoder_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacks_encoder("x264") is None
    monkeypatch.setattr(av, "codecs_available", {"libx264"})

    assert lacks_encoder("svtav1") == "this build of PyAV has no libsvtav1"
    assert lacks_encoder("x264") is None


@pytest.mark.parametrize(
    ("peer", "message"),
    [
        ("x266:fast", "no peer 'x266:fast'; a peer is ENCODER:PRESET, ENCODER one of x264, x265"),
        ("x264", "x264 has no preset ''; there are: ultrafast, superfast"),
        ("svtav1:14", "svtav1 has no preset '14'; there are: 13, 12"),
    ],
)
def test_other_peers_are_refused(peer: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_peer(peer)
