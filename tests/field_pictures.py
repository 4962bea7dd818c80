"""H.264 whose frames are stored as two pictures, one a field (PAFF): no encoder here writes it.

Every macroblock holds its samples as they are (I_PCM), so that decoding gives back the drawn frame
exactly. Syntax and clause numbers: ITU-T H.264.

    write_field_clip(path, count=6)                  a packet for each field, each with a time
    write_field_clip(path, fields_a_packet=2)        both fields in one packet
    write_field_clip(path, coded_whole=[2, 3])       frames 2 and 3 are one picture each
"""

from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from clips import draw_frame

from upreel.video.formats import pixel_format, planes_from_av
from upreel.video.frame import Plane

WIDTH, HEIGHT = 64, 64
_FRAME_NUMBER_BITS = 8


class _Bits:
    """Bits of a NAL unit in the making."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def u(self, count: int, value: int) -> "_Bits":
        self._bits += [(value >> n) & 1 for n in reversed(range(count))]
        return self

    def ue(self, value: int) -> "_Bits":
        length = (value + 1).bit_length()
        return self.u(2 * length - 1, value + 1)

    def se(self, value: int) -> "_Bits":
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def align(self) -> "_Bits":
        return self.u(-len(self._bits) % 8, 0)

    def samples(self, data: bytes) -> "_Bits":
        assert len(self._bits) % 8 == 0
        self._bits += np.unpackbits(np.frombuffer(data, np.uint8)).tolist()
        return self

    def nal(self, header: int) -> bytes:
        """A NAL unit with start code and emulation prevention (7.3.1, 7.4.1)."""
        self.u(1, 1).align()
        payload = bytes([header]) + np.packbits(self._bits).tobytes()
        out, zeros = bytearray(), 0
        for byte in payload:
            if zeros == 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes(out)


def _parameter_sets(*, scaling: bool) -> bytes:
    sps = _Bits().u(8, 100 if scaling else 77).u(8, 0).u(8, 30).ue(0)  # High or Main, level 3
    if scaling:
        sps.ue(1).ue(0).ue(0).u(1, 0).u(1, 1)  # 4:2:0, 8 bits, with scaling lists
        sps.u(1, 1).se(8)  # the first of 16 values is 8 more than 8
        for delta in (3, -2, 0, 5, -6, *[0] * 10):
            sps.se(delta)
        sps.u(5, 0)  # the next five are the usual ones
        sps.u(1, 1).se(-8).u(1, 0)  # 0 ends a list at once: the usual one
    sps.ue(_FRAME_NUMBER_BITS - 4).ue(2)  # pictures are shown in the order of decoding
    sps.ue(1).u(1, 0).ue(WIDTH // 16 - 1).ue(HEIGHT // 32 - 1)
    sps.u(1, 0).u(1, 0)  # frame_mbs_only_flag, mb_adaptive_frame_field_flag
    sps.u(1, 1).u(1, 0).u(1, 0)  # direct_8x8_inference, no cropping, no VUI
    pps = _Bits().ue(0).ue(0).u(1, 0).u(1, 0).ue(0).ue(0).ue(0).u(1, 0).u(2, 0)
    pps.ue(0).ue(0).ue(0).u(1, 1).u(1, 0).u(1, 0)  # deblocking can be switched off
    return sps.nal(0x67) + pps.nal(0x68)


def _slice(
    planes: tuple[Plane, ...], number: int, *, field: Literal["top", "bottom"] | None, idr: bool
) -> bytes:
    """One picture as one slice of I_PCM macroblocks (7.3.3, 7.3.5)."""
    bits = _Bits().ue(0).ue(7).ue(0).u(_FRAME_NUMBER_BITS, 0 if idr else number % 256)
    bits.u(1, field is not None)
    if field is not None:
        bits.u(1, field == "bottom")
    if idr:
        bits.ue(0)
    bits.u(2 if idr else 1, 0)  # no long-term references, a sliding window
    bits.ue(0).ue(1)  # slice_qp_delta; no deblocking
    luma, *chroma = planes
    for row in range(0, luma.shape[0], 16):
        for column in range(0, luma.shape[1], 16):
            bits.ue(25).align()  # mb_type I_PCM, pcm_alignment_zero_bit
            bits.samples(luma[row : row + 16, column : column + 16].tobytes())
            for plane in chroma:
                place = plane[row // 2 : row // 2 + 8, column // 2 : column // 2 + 8]
                bits.samples(place.tobytes())
    return bits.nal(0x65 if idr else 0x61)


def field_pictures(
    count: int,
    *,
    top_first: bool = True,
    coded_whole: Collection[int] = (),
    group: int = 4,
    scaling: bool = False,
) -> list[list[bytes]]:
    """For each frame its pictures in order of decoding: two fields, or the frame itself.

    Args:
        count: frames.
        top_first: which field comes first.
        coded_whole: numbers of frames that are one picture.
        group: frames from one that decoding may start from to the next.
        scaling: whether the stream has scaling lists, as High profile may.
    """
    frames: list[list[bytes]] = []
    for number in range(count):
        drawn = draw_frame(number, width=WIDTH, height=HEIGHT, interlaced=True, top_first=top_first)
        planes = planes_from_av(drawn, pixel_format("yuv420p"))
        since = number % group
        idr = since == 0
        if number in coded_whole:
            # Its macroblock rows come in the order of a frame: only fields are paired.
            pictures = [_slice(planes, since, field=None, idr=idr)]
        else:
            top = tuple(plane[0::2] for plane in planes)
            bottom = tuple(plane[1::2] for plane in planes)
            order = [("top", top), ("bottom", bottom)]
            pictures = [
                _slice(field, since, field=name, idr=idr and n == 0)
                for n, (name, field) in enumerate(order if top_first else order[::-1])
            ]
        if idr:
            pictures[0] = _parameter_sets(scaling=scaling) + pictures[0]
        pictures[0] = b"\0\0\0\1\x09\x10" + pictures[0]  # access unit delimiter
        frames.append(pictures)
    return frames


def write_field_clip(
    path: Path,
    *,
    count: int = 6,
    top_first: bool = True,
    fields_a_packet: Literal[1, 2] = 1,
    coded_whole: Collection[int] = (),
    scaling: bool = False,
) -> Path:
    """Write a clip of 25 frames, 50 fields a second; the ending names the container."""
    frames = field_pictures(count, top_first=top_first, coded_whole=coded_whole, scaling=scaling)
    raw = path.with_suffix(".h264")
    raw.write_bytes(b"".join(b"".join(pictures) for pictures in frames))
    if path.suffix == ".h264":
        return path
    with av.open(str(raw)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, pictures in enumerate(frames):
            groups = [b"".join(pictures)] if fields_a_packet == 2 else pictures
            for field, data in enumerate(groups):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 50)
                packet.pts = packet.dts = 2 * number + field
                packet.duration = 2 // len(groups)
                packet.is_keyframe = number % 4 == 0 and field == 0
                writing.mux(packet)
    return path
