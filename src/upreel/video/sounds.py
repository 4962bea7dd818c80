# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportPrivateImportUsage=false, reportMissingTypeArgument=false
# PyAV is typed in part: packets are generic without parameters, errors not re-exported.
"""One sound stream in the same stretches as the video, each made on its own.

What browsers play is copied packet by packet. All else becomes AAC, on one grid of 1024 samples for
the whole film: each stretch is encoded with some blocks before and after it, which are then left
out, so that stretches made apart join without a gap or a click.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from math import ceil

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.packet import Packet

from upreel.errors import DamagedError
from upreel.video.containers import add_copy
from upreel.video.foreign import StreamSource, open_stream
from upreel.video.fragments import Fragment, FragmentMuxer, empty_fragment
from upreel.video.info import SourceInfo

__all__ = [
    "BLOCK",
    "LEAD_BLOCKS",
    "SOUNDS_COPIED",
    "copied_sound_init",
    "copy_sound",
    "encode_blocks",
    "encode_sound",
    "encoded_sound_init",
    "sound_bit_rate",
]

SOUNDS_COPIED = ("aac", "opus")
"""Codecs, by FFmpeg's name, that are sent as they are."""

BLOCK = 1024
"""Samples of an AAC frame."""

LEAD_BLOCKS = 4
"""Blocks encoded before a stretch, and left out."""

_BIT_RATE = 128_000
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_BACK = (Fraction(2), Fraction(15))  # seconds before a time from where it is looked for
_GAP = Fraction(1, 20)  # seconds; smaller steps between frames are their clock's rounding

Span = tuple[Fraction | None, Fraction | None]
"""From when to when, in seconds of the source; None: from the first, to the last."""


def sound_bit_rate(info: SourceInfo, index: int) -> int:
    """Bits a second of a stream as it is sent, as far as its header tells."""
    with open_stream(info, index) as (_, stream):
        if stream.codec_context.codec.canonical_name not in SOUNDS_COPIED:
            return _BIT_RATE
        tag = stream.metadata.get("BPS", "")
        told = stream.bit_rate or stream.codec_context.bit_rate or 0
        return int(told or (tag if tag.isdigit() else 0) or 320_000)


def copy_sound(info: SourceInfo, index: int, span: Span, number: int, *, shift: int) -> Fragment:
    """A stretch of a sound stream as it is; without samples, and init, where it has none.

    Args:
        info: the source.
        index: of the stream.
        span: its packets that begin in it are taken.
        number: of the stretch.
        shift: whole seconds added to every time.
    """
    begin, end = span
    for start in _starts(begin):
        with open_stream(info, index) as (container, stream):
            base = Fraction(stream.time_base or Fraction(1, 1000))
            packets: list[Packet] = []
            missed, after = False, None
            for packet in _packets(container, stream, start):
                time = (packet.pts or 0) * base
                if end is not None and time >= end:
                    after = packet.pts
                    break
                if begin is None or time >= begin:
                    packets.append(packet)
                elif not packets:
                    missed = True  # one that is too early: none of ours was missed
            if start is not None and not missed:
                continue
            moved = int(shift / base)
            if not packets:
                ticks = round(((begin or Fraction(0)) + shift) * stream.codec_context.sample_rate)
                return Fragment(init=b"", media=empty_fragment(number, ticks))
            for packet, later in zip(packets, [*packets[1:], None], strict=True):
                following = after if later is None else later.pts
                if following is not None:
                    packet.duration = max(following - (packet.pts or 0), 1)
            for packet in packets:
                packet.pts = packet.dts = max((packet.pts or 0) + moved, 0)
            muxer = FragmentMuxer(stream.codec_context.sample_rate)
            target = add_copy(muxer.container, stream)
            target.time_base = base
            muxer.add(target, _plain(packets, stream))
            return muxer.fragment(number)
    raise AssertionError


def copied_sound_init(info: SourceInfo, index: int) -> bytes:
    """The init segment of a stream that is sent as it is, made with its first packet.

    Raises:
        DamagedError: it has none.
    """
    with open_stream(info, index) as (container, stream):
        first = next(_packets(container, stream, None), None)
        if first is None:
            raise DamagedError(f"{info.path}: sound stream {index} is empty")
        first.pts = first.dts = 0
        muxer = FragmentMuxer(stream.codec_context.sample_rate)
        target = add_copy(muxer.container, stream)
        muxer.add(target, _plain([first], stream))
        return muxer.fragment(0).init


def _plain(packets: list[Packet], stream: AudioStream) -> list[Packet]:
    """Packets of AAC without the headers that transport streams put before each (ADTS)."""
    if stream.codec_context.extradata or stream.codec_context.codec.canonical_name != "aac":
        return packets
    unwrap = BitStreamFilterContext("aac_adtstoasc", stream)
    plain: list[Packet] = []
    for packet in packets:
        with suppress(av.FFmpegError):  # one that is damaged is left out
            plain += unwrap.filter(packet)
    return plain


def _starts(begin: Fraction | None) -> Iterator[Fraction | None]:
    """Where to start looking for a time: a little before, far before, at the first packet."""
    if begin is not None:
        yield from (begin - back for back in _BACK)
    yield None


def _packets(
    container: StreamSource, stream: AudioStream, start: Fraction | None
) -> Iterator[Packet]:
    """Packets with a time, from about `start` seconds on."""
    try:
        if start is not None:
            container.seek(int(start * av.time_base))
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                yield packet
    except av.FFmpegError:
        return  # the file breaks off here


def encoded_sound_init(info: SourceInfo, index: int) -> bytes:
    """The init segment of a stream that becomes AAC, before any of it is encoded."""
    with open_stream(info, index) as (_, stream):
        rate, layout = _form(stream)
    muxer, _ = _encoder(rate, layout)
    return muxer.header().init


def encode_sound(info: SourceInfo, index: int, span: Span, number: int, *, shift: int) -> Fragment:
    """A stretch of a sound stream as AAC; silence where it has none.

    Args:
        info: the source.
        index: of the stream.
        span: as for `copy_sound`; both ends given, but for the first and last stretch.
        number: of the stretch.
        shift: whole seconds added to every time.
    """
    begin, end = span
    with open_stream(info, index) as (_, stream):
        rate, layout = _form(stream)
    known = next(s for s in info.streams if s.index == index)
    told = (known.start or 0) * known.time_base
    first = int(told * rate // BLOCK) if begin is None else _block(begin, rate)
    last = None if end is None else _block(end, rate)
    if last is not None:  # a stream that begins later still has a block in each stretch
        first = min(first, last - 1)
    from_block = first - LEAD_BLOCKS
    samples = _samples(info, index, from_block, None if last is None else last + 2, rate, layout)
    if last is None:
        last = from_block + -(-samples.shape[1] // BLOCK)
    return encode_blocks(
        samples, from_block, (first, max(last, first + 1)), rate, layout, number, shift=shift
    )


def encode_blocks(
    samples: npt.NDArray[np.float32],
    origin: int,
    blocks: tuple[int, int],
    rate: int,
    layout: str,
    number: int,
    *,
    shift: int = 0,
) -> Fragment:
    """A fragment of AAC of some blocks of 1024 samples.

    Args:
        samples: (channels, N), in [-1, 1]; what is missing at their end is silence.
        origin: the block that they begin with; some before the first that is wanted.
        blocks: first block, and block after the last, that go into the fragment.
        rate: samples a second.
        layout: "mono" or "stereo".
        number: of the fragment.
        shift: whole seconds added to every time.
    """
    first, stop = blocks
    muxer, coder = _encoder(rate, layout)
    packets: list[Packet] = []
    count = max(stop - origin + 1, LEAD_BLOCKS + 2)
    room = np.zeros((samples.shape[0], count * BLOCK), np.float32)
    taken = min(room.shape[1], samples.shape[1])
    room[:, :taken] = samples[:, :taken]
    for k in range(count):
        block = np.ascontiguousarray(room[:, k * BLOCK : (k + 1) * BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = (origin + k) * BLOCK
        packets += coder.encode(frame)
    packets += coder.encode(None)
    kept = [p for p in packets if first * BLOCK <= (p.pts or 0) < stop * BLOCK]
    for packet in kept:
        packet.pts = packet.dts = (packet.pts or 0) + shift * rate
        packet.duration = BLOCK
    muxer.add(coder, kept)
    return muxer.fragment(number)


def _form(stream: AudioStream) -> tuple[int, str]:
    """Samples a second and speakers that a stream is encoded with."""
    rate = stream.codec_context.sample_rate
    channels = stream.codec_context.layout.nb_channels
    return rate if rate in _RATES else 48000, "mono" if channels == 1 else "stereo"


def _block(seconds: Fraction, rate: int) -> int:
    return ceil(seconds * rate / BLOCK)


def _encoder(rate: int, layout: str) -> tuple[FragmentMuxer, AudioStream]:
    muxer = FragmentMuxer(rate, header_first=True)
    stream = muxer.container.add_stream("aac", rate=rate, options={"flags": "+bitexact"})
    stream.codec_context.layout = layout
    stream.codec_context.bit_rate = _BIT_RATE
    stream.codec_context.time_base = Fraction(1, rate)
    stream.codec_context.open()
    return muxer, stream


def _samples(
    info: SourceInfo, index: int, first: int, stop: int | None, rate: int, layout: str
) -> npt.NDArray[np.float32]:
    """Samples of the blocks `first` to `stop` by their times, silence where there are none."""
    origin = first * BLOCK
    room = None if stop is None else (stop - first) * BLOCK
    begin = Fraction(origin, rate)
    until = None if stop is None else stop * BLOCK
    runs: list[tuple[int, npt.NDArray[np.float32]]] = []
    for start in _starts(begin):
        runs, early = _decoded(info, index, start, until, rate, layout)
        if start is None or early <= begin:
            break
    length = room or max((place + run.shape[1] - origin for place, run in runs), default=0)
    channels = 1 if layout == "mono" else 2
    samples = np.zeros((channels, max(length, 0)), np.float32)
    for place, run in runs:
        skip = max(origin - place, 0)
        offset = max(place - origin, 0)
        part = run[:, skip : skip + max(samples.shape[1] - offset, 0)]
        samples[:, offset : offset + part.shape[1]] = part
    return samples


def _decoded(
    info: SourceInfo,
    index: int,
    start: Fraction | None,
    until: int | None,
    rate: int,
    layout: str,
) -> tuple[list[tuple[int, npt.NDArray[np.float32]]], Fraction]:
    """Runs of samples without a gap, each with its place in samples, and the time of the first."""
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
    runs: list[tuple[int, npt.NDArray[np.float32]]] = []
    parts: list[npt.NDArray[np.float32]] = []
    places: list[float] = []  # where the run begins, as each of its frames tells
    length = 0
    early: Fraction | None = None

    def close() -> None:
        if parts:
            runs.append((round(float(np.mean(places))), np.concatenate(parts, axis=1)))
        parts.clear()
        places.clear()

    with open_stream(info, index) as (container, stream):
        stream.codec_context.thread_count = 1
        for packet in _packets(container, stream, start):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None or not frame.time_base:
                    continue
                time = frame.pts * Fraction(frame.time_base)
                early = time if early is None else min(early, time)
                place = float(time * rate)
                if until is not None and place >= until:
                    close()
                    return runs, early
                if parts and abs(place - (np.mean(places) + length)) > _GAP * rate:
                    close()
                if not parts:
                    length = 0
                places.append(place - length)
                frame.pts = None
                try:
                    pieces = resampler.resample(frame)
                except ValueError:  # another form than before, as broadcasts have
                    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
                    pieces = resampler.resample(frame)
                for piece in pieces:
                    samples = np.asarray(piece.to_ndarray(), np.float32)
                    parts.append(samples)
                    length += samples.shape[1]
    close()
    return runs, early if early is not None else Fraction(0)
